"""HTML into words that know where they stand in the page's source."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser

from ..generation.safety import HIDDEN
from .plain import stem
from .texts import FileText, TextBuilder, newline_offsets, sections_from

# What a reader of the page does not read: programs, forms, the ways to other pages.
LEFT_OUT = frozenset("script style template noscript svg math nav footer button select textarea iframe object".split())
BLOCKS = frozenset(
    "address article aside blockquote body details div dl dt dd fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html "
    "main nav ol p pre section summary table ul".split()
)
LINES = frozenset("br li tr caption option legend".split())
VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
OPTIONAL_END = frozenset("p li dt dd tr td th option".split())
RUN = re.compile(r"\S+(?: \S+)*")  # words with one space between them: they need no change
REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);?")


class _Page(HTMLParser):
    """Collects the words of a page; everything that a browser would not show is left out."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=False)  # each piece of data then stands in the source as it is
        self.source, self.built = source, TextBuilder()
        self.lines = newline_offsets(source)
        self.headings: list[tuple[int, int, int, str]] = []
        self.title: list[str] = []
        self._gap, self._space, self._prefix = "", False, ""
        self._pre, self._cells = 0, 0
        self._in_title = False
        self._heading: tuple[int, int] | None = None  # level, offset where its words begin
        self._heading_words: list[str] = []
        self._left_out = ""  # the hidden element that we are in, then the elements open inside it
        self._inside: list[str] = []
        self._count = Counter[str]()

    def _offset(self) -> int:
        line, column = self.getpos()
        return (self.lines[line - 2] + 1 if line > 1 else 0) + column

    # --- elements ---

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._left_out:
            if self._inside and _ends(self._inside[-1], tag):
                self._count[self._inside.pop()] -= 1
            if self._inside or not _ends(self._left_out, tag):
                if tag not in VOID:
                    self._inside.append(tag)
                    self._count[tag] += 1
                return
            self._left_out = ""  # a new paragraph ends the hidden one before it
        if tag == "title" and not self.title:
            self._in_title = True
        elif tag not in VOID and (tag in LEFT_OUT or _is_hidden(dict(attrs))):
            self._left_out, self._inside, self._count = tag, [], Counter()
        else:
            self._begin(tag)

    def _begin(self, tag: str) -> None:
        if tag in BLOCKS:
            self._gap = "\n\n"
        elif tag in LINES:
            self._gap = self._gap or "\n"
        if tag == "li":
            self._prefix = "- "
        elif tag == "tr":
            self._cells = 0
        elif tag in ("td", "th"):
            self._cells += 1
            self._prefix = " | " if self._cells > 1 and not self._gap else ""
        elif tag == "pre":
            self._pre += 1
        elif re.fullmatch("h[1-6]", tag):
            self._end_heading()
            self._heading, self._heading_words = (int(tag[1]), -1), []

    def handle_endtag(self, tag: str) -> None:
        if self._left_out:
            if self._count[tag] > 0:
                while (inner := self._inside.pop()) != tag:  # an element ends with the one that it is in
                    self._count[inner] -= 1
                self._count[tag] -= 1
                return
            own, self._left_out = tag == self._left_out, ""  # else it ends an element around the hidden one
            if own:
                return
        if tag == "title":
            self._in_title = False
        if tag in BLOCKS:
            self._gap = "\n\n"
        elif tag in LINES:
            self._gap = self._gap or "\n"
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        elif re.fullmatch("h[1-6]", tag):
            self._end_heading()

    def _end_heading(self) -> None:
        if self._heading is not None and self._heading[1] >= 0:
            level, start = self._heading
            name = " ".join("".join(self._heading_words).split())
            self.headings.append((start, self.built.length, level, name.rstrip("¶# ")))
        self._heading = None

    # --- words ---

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._left_out:
            start = self._offset()
            if self._pre:
                if data.strip() or not self._gap:
                    self._emit(data, start, start + len(data))
                return
            for match in RUN.finditer(data):
                self._space = self._space or match.start() > 0
                self._emit(match[0], start + match.start(), start + match.end())
                self._space = match.end() < len(data)
            self._space = self._space or (bool(data) and not data.strip())

    def handle_charref(self, name: str) -> None:
        self._reference()

    def handle_entityref(self, name: str) -> None:
        self._reference()

    def _reference(self) -> None:
        start = self._offset()
        match = REFERENCE.match(self.source, start)
        if match is None:
            return
        text = unescape(match[0]).replace("\0", " ")
        if self._in_title:
            self.title.append(text)
        elif not self._left_out:
            if text.isspace() and not self._pre:
                self._space = True  # &nbsp;
            else:
                self._emit(text, start, match.end())

    def _emit(self, text: str, start: int, end: int) -> None:
        between = ""
        if self._gap:
            between = self._gap if self.built.length else ""
        elif self._space and self.built.length and not self._prefix.startswith(" "):
            between = " "
        self.built.insert(between + self._prefix)
        self._gap, self._space, self._prefix = "", False, ""
        if self._heading is not None and self._heading[1] < 0:
            self._heading = (self._heading[0], self.built.length)
        if self._heading is not None:
            self._heading_words += [between, text]
        self.built.add(text, start, end)


def _ends(open_tag: str, tag: str) -> bool:
    """Whether an element that begins ends an open one whose end need not be written."""
    return open_tag in OPTIONAL_END and (tag == open_tag or (open_tag == "p" and tag in BLOCKS))


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    """By the element's own attributes; what a style sheet or a script hides is not known here."""
    style = re.sub(r"\s+", "", (attributes.get("style") or "").lower())
    hidden = "hidden" in attributes or (attributes.get("aria-hidden") or "").lower() == "true"
    return hidden or attributes.get("role") == "navigation" or bool(HIDDEN.search(style))


def read_html(source: str, file: str) -> FileText:
    """A page as text with its sections; words that are hidden, navigation, scripts and styles are left out.

    >>> one = read_html("<h1>Kettle</h1><h2>Care</h2><p>Wipe it &amp; dry it.</p>", "kettle.html")
    >>> one.text, one.title, one.sections[-1].heading
    ('Kettle\\n\\nCare\\n\\nWipe it & dry it.', 'Kettle', 'Care')
    >>> one.place(14, 23, one.sections[-1])  # Wipe it &
    Place(start=31, end=44, lines=(1, 1), page=None)
    """
    page = _Page(source)
    end = len(source)
    if source.count("<", source.rfind(">") + 1) > 100:  # tags without an end: html.parser would look for it from each of them
        end = source.rfind(">") + 1
    page.feed(source[:end])
    page.close()
    if end < len(source):
        page.handle_data(source[end:])
    text = page.built.text
    heading, sections = sections_from(page.headings, text)
    title = " ".join("".join(page.title).split())
    return FileText(file, "html", heading or title or stem(file), text, sections, origin=page.built, newlines=page.lines)
