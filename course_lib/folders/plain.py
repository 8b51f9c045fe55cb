"""Markdown and plain text: the words are the file itself, so every offset is one in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .texts import FileText, newline_offsets, sections_from

# A line over a line of at least three of the same sign, as in reStructuredText and in many plain files.
UNDERLINED = re.compile(r"^(?P<name>\S[^\n]*)\n(?P<line>([=\-~^\"'`*+#.:_])\3{2,})[ \t\r]*$", flags=re.MULTILINE)
FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", flags=re.DOTALL | re.MULTILINE)


def stem(file: str) -> str:
    """What a file is called where it does not say so itself.

    >>> stem("guide/first-steps.md")
    'first-steps'
    """
    name = file.rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[0] if "." in name[1:] else name


def read_markdown(source: str, file: str) -> FileText:
    """A Markdown file with its sections, by CommonMark: headings with ``#`` and underlined ones, none inside code.

    >>> one = read_markdown("# Kettle\\n\\nIntro.\\n\\n## Care\\n\\nWipe it.\\n", "kettle.md")
    >>> one.title, [section.heading for section in one.sections]
    ('Kettle', ['', 'Care'])
    """
    matter = FRONT_MATTER.match(source)
    named = re.search(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t\r]*$", matter[1], flags=re.MULTILINE) if matter else None
    headings = list(_markdown_headings(source, matter.end() if matter else 0))
    title, sections = sections_from(headings, source)
    return FileText(
        file=file,
        kind="markdown",
        title=(named[1] if named else "") or title or stem(file),
        text=source,
        sections=sections,
        newlines=newline_offsets(source),
    )


def _markdown_headings(source: str, skip: int) -> Iterator[tuple[int, int, int, str]]:
    from markdown_it import MarkdownIt

    # The parser turns \r\n into \n and so counts lines as \n does; a lone \r is one more line to it, which must not shift ours.
    text = re.sub(r"\r(?!\n)", " ", source.replace("\0", " "))
    text = re.sub(r"[^\n\r]", " ", text[:skip]) + text[skip:]  # front matter is no heading
    starts = [0, *(offset + 1 for offset in newline_offsets(text)), len(text)]
    parser = MarkdownIt("commonmark").disable("inline")
    opening = None
    for token in parser.parse(text):
        if token.type == "heading_open" and token.map:
            opening = token
        elif token.type == "inline" and opening is not None and opening.map:
            first, last = opening.map
            yield (
                starts[first],
                min(starts[min(last, len(starts) - 1)], len(source)),
                int(opening.tag[1]),
                plain_words(token.content),
            )
            opening = None


def plain_words(markdown: str) -> str:
    """A heading without its marks.

    >>> plain_words("The `--port` *option* of [serve](x.md) {#port}")
    'The --port option of serve'
    """
    words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown[:300])
    words = re.sub(r"\s*\{#[^}]*\}\s*$", "", words)
    words = re.sub(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1", r"\2", words)
    return " ".join(re.sub(r"<[^>]+>", "", words).split())


def read_text(source: str, file: str) -> FileText:
    """A plain text; its headings are lines underlined with a row of signs. A sign's level is the order in which signs appear.

    >>> one = read_text("Kettle\\n======\\n\\nIntro.\\n\\nCare\\n----\\n\\nWipe it.\\n", "kettle.rst")
    >>> one.title, [section.heading for section in one.sections]
    ('Kettle', ['', 'Care'])
    """
    levels: dict[str, int] = {}
    headings = []
    for match in UNDERLINED.finditer(source):
        name, line = match["name"].strip(), match["line"]
        if len(line) < 0.6 * len(name) or len(name) > 120 or not re.search(r"\w", name):
            continue  # a rule below a paragraph, or the border of a table
        level = levels.setdefault(line[0], len(levels) + 1)
        headings.append((match.start(), match.end(), level, " ".join(name.split())))
    title, sections = sections_from(headings, source)
    return FileText(file, "text", title or stem(file), source, sections, newlines=newline_offsets(source))
