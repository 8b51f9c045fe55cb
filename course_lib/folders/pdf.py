"""The words of a PDF, page by page, as pdfium finds them."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any

from .plain import stem
from .texts import FileText, Section, TextBuilder, Unreadable

MOST_PAGES = 5_000
MOST_CHARACTERS = 20_000_000
PASSWORD, NO_PDF = 4, 3  # pdfium's error codes
# pdfium marks a hyphen at the end of a line with U+FFFE (U+0002 in older versions): the word goes on in the next line.
BROKEN_WORD = re.compile("[\ufffe\x02](?:\r?\n)?")
LIGATURES = {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\u00ad": ""}
PARTS = re.compile("[\ufffe\x02](?:\r?\n)?|\r\n?|[\ufb00-\ufb04\u00ad\0]")


def read_pdf(data: bytes, file: str) -> tuple[FileText, str]:
    """The text of a PDF with a section per page and bookmark, and a sentence on what is missing from it (empty: nothing).

    Offsets of a :class:`~course_lib.folders.texts.Place` in it count within the text that pdfium gives for the page.
    Raises :class:`Unreadable` for a damaged or encrypted file, and where no page has text.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code == PASSWORD:
            raise Unreadable("encrypted: save a copy without the password") from None
        raise Unreadable("damaged: no PDF reader can open it" if data[:1024].lstrip()[:4] == b"%PDF" else "not a PDF") from None
    try:
        return _read(document, file)
    finally:
        document.close()


def _read(document: Any, file: str) -> tuple[FileText, str]:
    import pypdfium2

    built, begins, bases, base, empty, broken = TextBuilder(), [], [], 0, [], []
    count = len(document)
    for number in range(min(count, MOST_PAGES)):
        begins.append(built.length)
        bases.append(base)
        try:
            page = document[number]
            try:
                raw = page.get_textpage().get_text_range()
            finally:
                page.close()
        except pypdfium2.PdfiumError:
            broken.append(number + 1)
            continue
        _add(built, raw, base)
        base += len(raw)
        if not raw.strip():
            empty.append(number + 1)
        else:
            built.insert("\n\n")
        if base > MOST_CHARACTERS:
            break
    if not built.text.strip():
        if broken:
            raise Unreadable(f"damaged: none of its {count} pages can be read")
        pages = "its page" if count == 1 else f"its {count} pages"
        raise Unreadable(f"no text on {pages}: probably a scan; run it through OCR first")
    notes = []
    if broken:
        notes.append(f"{_pages(broken)} damaged")
    if empty:
        notes.append(f"{_pages(empty)} without text")
    if len(begins) < count:
        notes.append(f"only the first {len(begins):,} of {count:,} pages read")
    title = " ".join(str(document.get_metadata_dict().get("Title") or "").replace("\0", " ").split()) or stem(file)
    sections = _sections(built.text, begins, bases, _bookmarks(document))
    return FileText(file, "pdf", title, built.text, sections, origin=built), "; ".join(notes)


def _pages(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:5])) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
    return f"page{'s' * (len(numbers) > 1)} {shown}"


def _add(built: TextBuilder, raw: str, base: int) -> None:
    """Add a page's text: words that were broken at a line's end are whole again, ligatures are letters."""
    at = 0
    for match in PARTS.finditer(raw):
        built.add(raw[at : match.start()], base + at, base + match.start())
        if match[0][0] == "\r":
            built.add("\n", base + match.start(), base + match.end())
        elif match[0] == "\0":
            built.add(" ", base + match.start(), base + match.end())
        elif not BROKEN_WORD.match(match[0]) and LIGATURES[match[0]]:
            built.add(LIGATURES[match[0]], base + match.start(), base + match.end())
        at = match.end()
    built.add(raw[at:], base + at, base + len(raw))


def _bookmarks(document: Any) -> list[tuple[int, int, str]]:
    """Level from 0, page from 0 and title of each bookmark; a broken table of contents is none."""
    import pypdfium2

    found = []
    try:
        for bookmark in document.get_toc():
            target = bookmark.get_dest()
            page = target.get_index() if target else None
            title = " ".join((bookmark.get_title() or "").replace("\0", " ").split())
            if page is not None and title:
                found.append((int(bookmark.level), int(page), title[:200]))
    except (pypdfium2.PdfiumError, ValueError, UnicodeError):
        pass
    return found


def _sections(text: str, begins: list[int], bases: list[int], bookmarks: list[tuple[int, int, str]]) -> tuple[Section, ...]:
    """Cut at every page and at every bookmark whose title is found on its page (else at the page's beginning)."""
    ends = [*begins[1:], len(text)]
    cuts: list[tuple[int, str]] = []
    path: dict[int, str] = {}
    for level, page, title in bookmarks:
        if not 0 <= page < len(begins):
            continue
        path = {depth: name for depth, name in path.items() if depth < level} | {level: title}
        words = r"\s+".join(map(re.escape, title.split()))
        match = re.compile(rf"^[ \t]*(?:[A-Z0-9][\w.]*\s+)?{words}[ \t]*$", flags=re.MULTILINE).search(
            text, begins[page], ends[page]
        )
        cuts.append((match.start() if match else begins[page], " › ".join(name for _, name in sorted(path.items()))))
    cuts.sort(key=lambda cut: cut[0])  # stable: of several at one place the last, which is the deepest, names the section
    sections, heading = [], ""
    borders = sorted({*begins, *(offset for offset, _ in cuts), len(text)})
    names = dict(cuts)
    for start, end in zip(borders, borders[1:], strict=False):
        heading = names.get(start, heading)
        page = bisect_right(begins, start) - 1
        if text[start:end].strip():
            sections.append(Section(start, end, heading, start, page + 1, bases[page]))
    return tuple(sections)
