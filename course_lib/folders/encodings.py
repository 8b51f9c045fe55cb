"""Bytes into text, for files that do not say how they are written."""

from __future__ import annotations

import codecs
import re

from .texts import Unreadable

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# <meta charset="…"> or <?xml … encoding="…"?>, looked for at the beginning of a page only, as browsers do.
DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)


def decode(data: bytes, declared: bool = False) -> tuple[str, str]:
    """The text of a file's bytes and a sentence about how it was read, empty where there is nothing to say.

    In this order: a byte-order mark; UTF-16 by its zero bytes; the encoding that the file declares (``declared``, for HTML); UTF-8;
    Windows-1252, of which Latin-1's letters are a part. Zero bytes in what is otherwise text become spaces, so that offsets stay.

    >>> decode("Grüße".encode("utf-16"))
    ('Grüße', '')
    >>> decode("Grüße".encode("latin-1"))
    ('Grüße', 'not UTF-8: read as Windows-1252')

    Raises :class:`Unreadable` for what is no text.
    """
    for mark, name in MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(name, errors="replace")
            return _checked(text, f"damaged: some of it is not {name.upper()}" if "\ufffd" in text else "")
    if name := _utf16_without_mark(data):
        return _checked(data.decode(name, errors="replace"), "")
    if declared and (match := DECLARED.search(data[:1024])):
        try:
            known = codecs.lookup(match[1].decode("ascii")).name
            if known not in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):  # what could be read so far is not that
                return _checked(data.decode(known), "")
        except (LookupError, UnicodeError, ValueError):
            pass  # unknown, no encoding of text at all (such as "base64"), or not true
    try:
        return _checked(data.decode("utf-8"), "")
    except UnicodeDecodeError:
        return _checked(data.decode("cp1252", errors="replace"), "not UTF-8: read as Windows-1252")


def _utf16_without_mark(data: bytes) -> str:
    """Text in Latin letters has a zero in every second byte of UTF-16."""
    sample = data[:4096]
    half = len(sample) // 2
    if half < 2 or b"\0" not in sample:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.05 * half else ""


def _checked(text: str, note: str) -> tuple[str, str]:
    """Refuse what is no text: control characters are rare in one."""
    sample = text[:65536]
    odd = sum(1 for character in sample if character < " " and character not in "\t\n\r\f\x1b") + sample.count("\ufffd")
    if odd > max(8, 0.02 * len(sample)):
        raise Unreadable("binary, not text")
    zeros = text.count("\0")
    text = text.replace("\0", " ")
    if zeros:
        note = "; ".join(part for part in (note, f"{zeros} zero byte{'s' * (zeros > 1)} read as spaces") if part)
    return text, note
