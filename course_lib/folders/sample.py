"""A folder to try things on: the papers of an invented allotment society, and a folder in which everything is wrong.

Nobody wrote them for a machine: there is a web page, a text in an old encoding, a PDF. The questions say what the papers answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import CourseError

RULES = """# Rules of the Larkfield allotments

## Rent

A full plot costs £38 a year and a half plot £21. Rent is due by 1 March. Whoever has not paid by 1 April loses the plot.

## Water

Water comes from the standpipes. Hosepipes are allowed before 9 in the morning and after 7 in the evening. In a dry summer the
committee may forbid them altogether.

## Bonfires

Bonfires are allowed in November only, and never when the wind blows towards the school.

## Sheds

A shed may be 2.4 metres long and 1.8 metres wide. It needs no permission. A greenhouse does.

## Bees

Hives stand along the north hedge. Each hive needs the written consent of both neighbours.
"""

KEYS = """<!doctype html>
<title>Gate and keys</title>
<h1>Gate and keys</h1>
<h2>Gate</h2>
<p>The gate is locked with a number. The number changes on the first Monday of each month and is sent by post.</p>
<h2>Lost keys</h2>
<p>The tool shed has a key. A lost key costs &pound;12. Write to Ines Okafor, who keeps the list.</p>
<h2>Parking</h2>
<p>There is room for eight cars. Trailers are left outside.</p>
"""

TOOLS = """Tools for hire
==============

Rotavator: £15 for half a day. Bring it back with a full tank.

Wheelbarrows: free. They are in the tool shed.

Hedge trimmer: £6 a day, and only for members who have taken the course in April.
"""

MINUTES = (
    ["Minutes of the annual meeting", "The meeting was held on 14 March 2026.", "Forty-one members came."],
    [
        "Elections",
        "The new treasurer is Tomasz Bell.",
        "The chair, Ruth Adeyemi, was elected again.",
        "Next meeting: 13 March 2027.",
    ],
)

PRACTICE = {
    "What does half a plot cost?": ["£21", "21 pounds"],
    "Where do the hives stand?": ["north hedge"],
    "How many cars can park there?": ["eight", "8"],
    "What does the hedge trimmer cost a day?": ["£6", "6 pounds"],
    "When is the next annual meeting?": ["13 March 2027"],
    "How wide may a shed be?": ["1.8"],
    "Who wrote the novel Middlemarch?": [],
    "What is the boiling point of nitrogen?": [],
    "How do I renew a passport?": [],
    "Are dogs allowed on the plots?": [],
}
"""Questions to choose a setting with, and the spellings of their answers; none where the papers do not say."""

QUESTIONS = {
    "How much does a full plot cost a year?": ["£38", "38 pounds"],
    "When may I use a hosepipe?": ["before 9", "9 in the morning", "after 7"],
    "In which month are bonfires allowed?": ["November"],
    "How long may a shed be?": ["2.4"],
    "What does a lost key cost?": ["£12", "12 pounds"],
    "What does the rotavator cost for half a day?": ["£15", "15 pounds"],
    "Who is the new treasurer?": ["Tomasz Bell"],
    "How much does a greenhouse cost?": [],
    "What is the number of the gate?": [],
    "Who won the football world cup in 2018?": [],
}
"""Ten others to measure with."""


def write_sample(folder: str | Path) -> Path:
    """Write the society's papers to a folder: Markdown, HTML, a text in Latin-1, and a PDF. Other files in it stay.

    Raises :class:`CourseError` where it cannot be written.
    """
    contents = {
        "rules.md": RULES.encode(),
        "keys.html": KEYS.encode(),
        "tools.txt": TOOLS.encode("latin-1"),
        "minutes.pdf": make_pdf(*MINUTES),
    }
    return _write(folder, contents)


def write_broken(folder: str | Path) -> Path:
    """Write a folder in which nearly nothing can be read: each file is wrong in its own way, and one is well.

    ``huge.txt`` takes no room where the disk knows sparse files; the link is left out where the system has none.
    Raises :class:`CourseError` where it cannot be written.
    """
    pdf = make_pdf(["The kettle holds 1.2 litres."])
    contents = {
        "fine.md": b"# Kettle\n\nIt holds 1.2 litres.\n",
        "damaged.pdf": pdf[:60] + b"\xff" * 200,
        "locked.pdf": make_pdf(["Secret."], encrypted=True),
        "scan.pdf": make_pdf([], []),
        "empty.md": b"",
        "windows.txt": "Öffnungszeiten: 9 to 5".encode("utf-16"),
        "picture.txt": bytes(range(256)) * 8,
        "photo.jpg": b"\xff\xd8\xff\xe0",
        ".secret": b"hidden",
    }
    place = _write(folder, contents)
    try:
        with (place / "huge.txt").open("wb") as stream:
            stream.truncate(200_000_000)
    except OSError as error:
        raise _not_written(place, error) from error
    with suppress(OSError):
        (place / "elsewhere.md").symlink_to(Path(__file__))
    return place


def _write(folder: str | Path, contents: dict[str, bytes]) -> Path:
    place = Path(folder).expanduser()
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            (place / name).write_bytes(data)
    except OSError as error:
        raise _not_written(place, error) from error
    return place


def _not_written(place: Path, error: OSError) -> CourseError:
    return CourseError(f"{place} cannot be written ({error.strerror or error}).", "name another folder, or make room.")


def make_pdf(*pages: Sequence[str], outline: Sequence[tuple[str, int]] = (), encrypted: bool = False) -> bytes:
    """A small PDF: lines of text on each page, and bookmarks as title and page from 0. ``encrypted`` with a password nobody knows.

    Its text is in Latin-1. The form is that of ISO 32000-1, sections 7.5 (file structure), 7.7 (pages) and 12.3.3 (bookmarks).

    >>> make_pdf(["Wipe it dry."])[:8]
    b'%PDF-1.4'
    """
    objects: list[bytes] = [b"", b""]  # catalogue and page tree, filled in below

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    font = add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for lines in pages:
        shown = b" ".join(b"(" + line.encode("latin-1") + b") Tj 0 -20 Td" for line in lines)
        stream = b"BT /F1 12 Tf 50 750 Td " + shown + b" ET"
        content = add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        kids.append(
            add(
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R "
                b"/Resources << /Font << /F1 %d 0 R >> >> >>" % (content, font)
            )
        )
    root = b"<< /Type /Catalog /Pages 2 0 R"
    if outline:
        first = len(objects) + 2
        top = add(b"<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>" % (first, first + len(outline) - 1, len(outline)))
        for at, (title, page) in enumerate(outline):
            after = b"/Next %d 0 R " % (first + at + 1) if at + 1 < len(outline) else b""
            add(b"<< /Title (%s) /Parent %d 0 R %s/Dest [%d 0 R /Fit] >>" % (title.encode(), top, after, kids[page]))
        root += b" /Outlines %d 0 R" % top
    objects[0] = root + b" >>"
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % kid for kid in kids), len(kids))
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % at for at in offsets)
    lock = b" /ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"11" * 32, b"22" * 32)
    trailer = b"<< /Size %d /Root 1 0 R%s >>" % (len(objects) + 1, lock if encrypted else b"")
    return out + b"trailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (trailer, xref)
