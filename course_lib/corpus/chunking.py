"""Cut documents into passages. Every passage keeps its offsets, so that a citation can point at the exact words.

A chunker takes a text and returns spans: pairs ``(start, end)`` of character offsets with ``text[start:end]`` as the passage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .documents import Document, load_documents

Span = tuple[int, int]
Chunker = Callable[[str], list[Span]]

PASSAGE_WORDS = 160
"""Longest default passage in words: the embedder reads 256 tokens, which is about 190 words of prose and fewer of a table."""


@dataclass(frozen=True)
class Passage:
    """A piece of a document: ``document.text[start:end]``, with an id such as ``manual-corvid-e6#3``."""

    id: str
    document: Document = field(repr=False)
    start: int
    end: int
    heading: str = ""

    @property
    def text(self) -> str:
        """The words of the passage."""
        return self.document.text[self.start : self.end]

    @property
    def title(self) -> str:
        """The document's title, then the section's heading."""
        return f"{self.document.title} › {self.heading}" if self.heading else self.document.title

    @property
    def metadata(self) -> dict[str, str | list[str]]:
        """The document's metadata: what a search may filter by."""
        return self.document.metadata


def word_spans(text: str) -> list[Span]:
    """Offsets of the words of a text, a word being whatever stands between white space.

    >>> word_spans("Fill  it.")
    [(0, 4), (6, 9)]
    """
    return [match.span() for match in re.finditer(r"\S+", text)]


def fixed_chunks(text: str, size: int, overlap: int = 0) -> list[Span]:
    """Windows of ``size`` words; each repeats the last ``overlap`` words of the one before it.

    The last window ends with the text and may be shorter; no window lies wholly inside the one before.

    >>> text = "one two three four five"
    >>> [text[a:b] for a, b in fixed_chunks(text, size=3, overlap=1)]
    ['one two three', 'three four five']

    Raises ``ValueError`` unless ``0 <= overlap < size``.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap must be at least 0 and below size, not overlap={overlap} with size={size}")
    words = word_spans(text)
    spans: list[Span] = []
    for first in range(0, len(words), size - overlap):
        window = words[first : first + size]
        spans.append((window[0][0], window[-1][1]))
        if first + size >= len(words):
            break
    return spans


def sentence_spans(text: str) -> list[Span]:
    """Offsets of sentences. A line break before a blank line, a list item or a table row also ends one.

    >>> text = "Fill it. Is it 3.5 bar? Good."
    >>> [text[a:b] for a, b in sentence_spans(text)]
    ['Fill it.', 'Is it 3.5 bar?', 'Good.']
    """
    ends = r"(?<=[.!?])[\"')\]]*\s+(?=[A-Z0-9\"'(#|-])|\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\. ))"
    spans: list[Span] = []
    start = 0
    for match in re.finditer(ends + r"|\Z", text):
        piece = text[start : match.start()]
        if piece.strip():
            spans.append((start + len(piece) - len(piece.lstrip()), match.start() - (len(piece) - len(piece.rstrip()))))
        start = match.end()
    return spans


def pack_spans(text: str, pieces: Iterable[Span], max_words: int) -> list[Span]:
    """Join neighbouring pieces into spans of at most ``max_words`` words. A piece that is longer stays whole.

    >>> pack_spans("a b c d", [(0, 1), (2, 3), (4, 7)], max_words=2)
    [(0, 3), (4, 7)]
    """
    packed: list[Span] = []
    count = 0
    for start, end in pieces:
        words = len(text[start:end].split())
        if packed and count + words <= max_words:
            packed[-1] = (packed[-1][0], end)
            count += words
        else:
            packed.append((start, end))
            count = words
    return packed


def sentence_chunks(text: str, max_words: int = PASSAGE_WORDS) -> list[Span]:
    """Whole sentences, packed until the next would exceed ``max_words``.

    >>> text = "One two. Three four five. Six."
    >>> [text[a:b] for a, b in sentence_chunks(text, max_words=5)]
    ['One two. Three four five.', 'Six.']
    """
    return pack_spans(text, sentence_spans(text), max_words)


def section_spans(text: str) -> list[tuple[Span, str]]:
    """The sections of a Markdown text, each with its heading (the path below the title, such as ``Care › Descaling``)."""
    inside_code = False
    path: dict[int, str] = {}
    starts: list[tuple[int, str]] = []
    sections: list[tuple[Span, str]] = []
    for line in re.finditer(r"^.*$", text, flags=re.MULTILINE):
        if line[0].startswith("```"):
            inside_code = not inside_code
        heading = None if inside_code else re.match(r"(#{1,6})\s+(.*)", line[0])
        if heading:
            level = len(heading[1])
            path = {depth: name for depth, name in path.items() if depth < level} | {level: heading[2].strip()}
            starts.append((line.start(), " › ".join(name for depth, name in sorted(path.items()) if depth > 1)))
    if not starts or text[: starts[0][0]].strip():
        starts.insert(0, (0, ""))
    for (start, heading_path), (end, _) in zip(starts, starts[1:] + [(len(text), "")], strict=True):
        body = text[start:end].rstrip()
        if body:
            sections.append(((start, start + len(body)), heading_path))
    return sections


def blocks(text: str, start: int, end: int) -> list[Span]:
    """Paragraphs, list items and table rows between two offsets: the pieces that a passage must not cut."""
    spans, at = [], start
    for match in re.finditer(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\. ))|\Z", text[start:end]):
        piece = text[at : start + match.start()]
        if piece.strip():
            spans.append((at + len(piece) - len(piece.lstrip()), at + len(piece.rstrip())))
        at = start + match.end()
    return spans


def heading_chunks(text: str, max_words: int = PASSAGE_WORDS) -> list[Span]:
    """One passage per section; a section longer than ``max_words`` is cut between its paragraphs, items or rows.

    >>> text = "# Kettle\\n\\n## Care\\n\\nWipe it.\\n\\n## Use\\n\\nFill it."
    >>> [text[a:b] for a, b in heading_chunks(text)]
    ['## Care\\n\\nWipe it.', '## Use\\n\\nFill it.']
    """
    spans: list[Span] = []
    for (start, end), _ in section_spans(text):
        if re.fullmatch(r"#+\s.*", text[start:end]):
            continue  # a heading without words of its own
        spans.extend(pack_spans(text, blocks(text, start, end), max_words))
    return spans


def chunk_document(document: Document, chunker: Chunker = heading_chunks) -> list[Passage]:
    """Cut one document with a chunker; each passage knows the heading of the section in which it starts."""
    sections = section_spans(document.text)
    passages = []
    for number, (start, end) in enumerate(chunker(document.text)):
        heading = next((name for (a, b), name in reversed(sections) if a <= start), "")
        passages.append(Passage(f"{document.id}#{number}", document, start, end, heading))
    return passages


def load_passages(corpus: str = "quillfeather", chunker: Chunker = heading_chunks, **which: object) -> list[Passage]:
    """Cut a whole corpus into passages; ``which`` goes to :func:`~course_lib.corpus.documents.load_documents`."""
    documents = load_documents(corpus, **which)  # type: ignore[arg-type]
    return [passage for document in documents for passage in chunk_document(document, chunker)]
