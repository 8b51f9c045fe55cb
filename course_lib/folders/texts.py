"""The words of a file, and the way back: from a piece of text to the place in the file where it stands."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..corpus.chunking import PASSAGE_WORDS, Span, sentence_spans, word_spans

PASSAGE_BYTES = 1600
"""Longest passage in bytes of UTF-8: three of them must fit into a prompt, in any language, and also where a "word" never ends."""


class Unreadable(Exception):
    """A file whose words cannot be had; the message is a sentence without the file's name."""


class TextBuilder:
    """A text put together from pieces of a source; remembers where each piece came from.

    >>> builder = TextBuilder()
    >>> builder.add("Fill", 3, 7); builder.insert(" "); builder.add("&", 8, 13)  # the source: <p>Fill &amp;
    >>> builder.text, builder.span(0, 6), builder.span(5, 6)
    ('Fill &', (3, 13), (8, 13))
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.length = 0
        self._at, self._size = array("Q"), array("Q")  # of each piece that has a source: offset in the text, length
        self._start, self._end = array("Q"), array("Q")  # and its place in the source

    @property
    def text(self) -> str:
        """Everything so far."""
        self._parts = ["".join(self._parts)]
        return self._parts[0]

    def add(self, text: str, start: int, end: int) -> None:
        """Add a piece that stands for ``source[start:end]``."""
        if text:
            for values, value in ((self._at, self.length), (self._size, len(text)), (self._start, start), (self._end, end)):
                values.append(value)
            self.insert(text)

    def insert(self, text: str) -> None:
        """Add what stands nowhere in the source, such as the space between two cells."""
        self._parts.append(text)
        self.length += len(text)

    def span(self, start: int, end: int) -> Span:
        """The place in the source of ``text[start:end]``. What was inserted belongs to nothing: it is left out at either end."""
        if not self._at:
            return (0, 0)
        first = max(0, bisect_right(self._at, start) - 1)
        if start >= self._at[first] + self._size[first] and first + 1 < len(self._at):
            first += 1  # the text begins with something inserted
        last = max(0, bisect_left(self._at, end) - 1)
        return self._place(first, start, False), max(self._place(last, end, True), self._place(first, start, False))

    def _place(self, piece: int, offset: int, after: bool) -> int:
        inside = min(max(offset - self._at[piece], 0), self._size[piece])
        start, end = self._start[piece], self._end[piece]
        if end - start == self._size[piece]:
            return start + inside
        return end if after else start  # one character written as several, such as &amp;


@dataclass(frozen=True)
class Section:
    """A stretch of a text: ``text[start:end]``, whose own words begin at ``body``. ``base`` is where its page begins in the source."""

    start: int
    end: int
    heading: str = ""
    body: int = 0
    page: int | None = None
    base: int = 0


@dataclass(frozen=True)
class Place:
    """Where words stand in a file.

    ``start`` and ``end`` count characters: of the file as decoded (a byte-order mark is not counted), or of the page's text where there
    is a ``page`` (from 1). ``lines`` are the first and the last line, from 1; ``None`` in a PDF.
    """

    start: int
    end: int
    lines: tuple[int, int] | None = None
    page: int | None = None

    def __str__(self) -> str:
        if self.page is not None:
            return f"page {self.page}"
        if self.lines is None:
            return f"characters {self.start}–{self.end}"
        first, last = self.lines
        return f"line {first}" if first == last else f"lines {first}–{last}"


@dataclass(frozen=True)
class FileText:
    """The words of one file. ``file`` is its path below the folder, with ``/``; ``sha256`` is of its bytes.

    ``origin`` leads back to the source; ``None`` where the text is the source. ``newlines`` are the offsets of the line ends there.
    """

    file: str
    kind: str
    title: str
    text: str = field(repr=False)
    sections: tuple[Section, ...] = field(repr=False)
    sha256: str = ""
    origin: TextBuilder | None = field(default=None, repr=False)
    newlines: Sequence[int] | None = field(default=None, repr=False)

    def place(self, start: int, end: int, section: Section) -> Place:
        """Where ``text[start:end]``, which lies in a section, stands in the file.

        >>> text = "Wipe it.\\nFill it."
        >>> str(FileText("a.txt", "text", "a", text, (), newlines=newline_offsets(text)).place(9, 17, Section(0, 17)))
        'line 2'
        """
        first, last = self.origin.span(start, end) if self.origin else (start, end)
        if self.newlines is None:
            return Place(first - section.base, last - section.base, page=section.page)
        lines = bisect_left(self.newlines, first) + 1, bisect_left(self.newlines, max(first, last - 1)) + 1
        return Place(first, last, lines)


@dataclass(frozen=True)
class FilePassage:
    """A piece of a file: ``file.text[start:end]``, with an id such as ``guide/install.md#3``."""

    id: str
    file: FileText = field(repr=False)
    start: int
    end: int
    section: Section = field(repr=False)

    @property
    def text(self) -> str:
        """The words of the passage."""
        return self.file.text[self.start : self.end]

    @property
    def heading(self) -> str:
        """The headings that it stands under, such as ``Install › From source``; may be empty."""
        return self.section.heading

    @property
    def title(self) -> str:
        """The file's title, then the section's heading."""
        return f"{self.file.title} › {self.heading}" if self.heading else self.file.title

    @property
    def metadata(self) -> dict[str, str | int]:
        """What a search may filter by: ``file``, ``kind``, ``section``, and ``page`` in a PDF."""
        data: dict[str, str | int] = {"file": self.file.file, "kind": self.file.kind, "section": self.heading}
        return data | ({"page": self.section.page} if self.section.page is not None else {})

    def place(self, start: int = 0, end: int | None = None) -> Place:
        """Where the passage stands in its file, or a part of it, given by offsets in :attr:`text`."""
        end = self.end - self.start if end is None else end
        return self.file.place(self.start + start, self.start + end, self.section)


def newline_offsets(text: str) -> array[int]:
    """Offsets of the line ends of a text.

    >>> list(newline_offsets("a\\nb\\r\\nc"))
    [1, 4]
    """
    return array("Q", (match.start() for match in re.finditer(r"\n", text)))


def sections_from(headings: Iterable[tuple[int, int, int, str]], text: str) -> tuple[str, tuple[Section, ...]]:
    """The title and the sections of a text, from its headings: start, end, level from 1, name.

    A heading of level 1 that is the only one is the title and is not repeated in each section's name.

    >>> text = "Kettle Care Wipe it."
    >>> title, sections = sections_from([(0, 6, 1, "Kettle"), (7, 11, 2, "Care")], text)
    >>> title, [(one.heading, text[one.body:one.end].strip()) for one in sections]
    ('Kettle', [('', ''), ('Care', 'Wipe it.')])
    """
    found = list(headings)
    tops = [name for _, _, level, name in found if level == 1]
    hidden = 1 if len(tops) == 1 else 0
    starts: list[tuple[int, int, str]] = [(0, 0, "")]
    path: dict[int, str] = {}
    for start, end, level, name in found:
        path = {depth: known for depth, known in path.items() if depth < level} | {level: name}
        starts.append((start, end, " › ".join(known for depth, known in sorted(path.items()) if depth > hidden and known)))
    ends = [start for start, _, _ in starts[1:]] + [len(text)]
    sections = (Section(start, end, heading, body) for (start, body, heading), end in zip(starts, ends, strict=True))
    return (tops[0] if tops else ""), tuple(section for section in sections if section.end > section.start)


def _too_long(piece: str, max_words: int) -> bool:
    return len(piece.split()) > max_words or len(piece.encode("utf-8", "replace")) > PASSAGE_BYTES


def _pieces(text: str, start: int, end: int, max_words: int) -> Iterator[Span]:
    """Paragraphs; where one is too long its list items and rows, then its sentences, then runs of words or of characters."""
    for paragraph in _split(text, start, end, r"\n[ \t\r\f]*\n\s*"):
        if not _too_long(text[slice(*paragraph)], max_words):
            yield paragraph
            continue
        for item in _split(text, *paragraph, r"\n(?=\s*(?:[-*+|]|\d+[.)]) )"):
            if not _too_long(text[slice(*item)], max_words):
                yield item
                continue
            for first, last in sentence_spans(text[slice(*item)]):
                yield from _windows(text, item[0] + first, item[0] + last, max_words)


def _split(text: str, start: int, end: int, pattern: str) -> Iterator[Span]:
    at = start
    for match in [*re.finditer(pattern, text[start:end]), None]:
        stop = end if match is None else start + match.start()
        piece = text[at:stop]
        if piece.strip():
            yield at + len(piece) - len(piece.lstrip()), at + len(piece.rstrip())
        at = end if match is None else start + match.end()


def _windows(text: str, start: int, end: int, max_words: int) -> Iterator[Span]:
    if not _too_long(text[start:end], max_words):
        yield start, end
        return
    longest = PASSAGE_BYTES // 4  # a character takes at most four bytes
    words = [
        (start + at, start + min(at + longest, last))
        for first, last in word_spans(text[start:end])
        for at in range(first, last, longest)
    ]
    yield from _packed(text, words, max_words)


def _packed(text: str, pieces: Iterable[Span], max_words: int) -> Iterator[Span]:
    """Neighbouring pieces joined for as long as they stay short enough."""
    first, last, words, size = -1, -1, 0, 0
    for start, end in pieces:
        count, length = len(text[start:end].split()), len(text[start:end].encode("utf-8", "replace"))
        gap = len(text[last:start].encode("utf-8", "replace")) if first >= 0 else 0
        if first >= 0 and words + count <= max_words and size + gap + length <= PASSAGE_BYTES:
            last, words, size = end, words + count, size + gap + length
            continue
        if first >= 0:
            yield first, last
        first, last, words, size = start, end, count, length
    if first >= 0:
        yield first, last


def cut(file: FileText, max_words: int = PASSAGE_WORDS) -> list[FilePassage]:
    """Cut a file into passages: one per section; a long one between its paragraphs, its items, its sentences, at last its words.

    >>> text = "Care\\n\\nWipe it."
    >>> passages = cut(FileText("a.txt", "text", "a", text, (Section(0, 14, "Care", 4),)))
    >>> [(one.id, one.title, one.text) for one in passages]
    [('a.txt#0', 'a › Care', 'Care\\n\\nWipe it.')]
    """
    passages: list[FilePassage] = []
    for section in file.sections:
        if not file.text[section.body : section.end].strip():
            continue  # a heading without words of its own
        for start, end in _packed(file.text, _pieces(file.text, section.start, section.end, max_words), max_words):
            passages.append(FilePassage(f"{file.file}#{len(passages)}", file, start, end, section))
    return passages
