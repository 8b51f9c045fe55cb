"""Read a folder that somebody else filled. Whatever cannot be read is one line of the report; all the rest is read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import CourseError
from .encodings import decode
from .pdf import read_pdf
from .plain import read_markdown, read_text
from .texts import FileText, Unreadable
from .web import read_html

KINDS = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd"), "markdown"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".txt", ".text", ".rst"), "text"),
    ".pdf": "pdf",
}
NAMED = frozenset(
    {"readme", "license", "licence", "copying", "changes", "changelog", "news", "authors", "notice", "install", "faq"}
)
"""Files that are read as plain text though they have no ending."""
MOST_BYTES = 32_000_000
MOST_FILES = 20_000


@dataclass(frozen=True)
class Notice:
    """One line about one file. ``used`` says whether its words are in the index all the same."""

    file: str
    text: str
    used: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"


@dataclass
class Reading:
    """What was read. ``skipped`` counts by reason what nobody expects to be read: hidden, binary, of other kinds."""

    folder: Path
    files: list[FileText] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def summary(self) -> str:
        """One line: how many files were read, not read and skipped."""
        lost = sum(not notice.used for notice in self.notices)
        parts = [_count(len(self.files), "file") + " read"]
        parts += [f"{lost} not read"] if lost else []
        parts += (
            [f"skipped: {', '.join(f'{count} {reason}' for reason, count in sorted(self.skipped.items()))}"]
            if self.skipped
            else []
        )
        return "; ".join(parts)


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def find_folder(folder: str | Path) -> Path:
    """The folder by its real path. Raises :class:`CourseError` where there is none, or it may not be read."""
    path = Path(folder).expanduser()
    try:
        real = path.resolve(strict=True)
        if not real.is_dir():
            raise CourseError(f"{path} is a file, not a folder.", "name the folder that it is in.")
        next(os.scandir(real), None)  # may it be listed?
        return real
    except (FileNotFoundError, NotADirectoryError):
        raise CourseError(f"There is no folder {path}.", "name a folder with your documents.") from None
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, a name with a zero byte
        what = getattr(error, "strerror", None) or str(error)
        raise CourseError(f"The folder {path} cannot be read ({what}).", "name another, or change its rights.") from None


def walk(folder: Path, reading: Reading) -> Iterator[tuple[Path, str]]:
    """The files that may be read, as path and name below the folder, in alphabetical order; notes in ``reading`` what is left out.

    Nothing hidden is entered (a name that begins with a dot, so ``.git`` too), and no link is followed: what it leads to inside the
    folder is read where it is, and what lies outside was not offered.
    """
    found, pending = 0, [folder]
    while pending:
        here = pending.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            reading.notices.append(Notice(_name(here, folder) + "/", _reason(error)))
            continue
        folders = []
        for entry in entries:
            path = Path(entry.path)
            name = _name(path, folder)
            try:
                if entry.name.startswith("."):
                    reading.skipped["hidden"] += 1
                elif entry.is_symlink():
                    _look_at_link(path, name, folder, reading)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif not entry.is_file(follow_symlinks=False):
                    reading.skipped["special"] += 1  # a pipe, a socket, a device
                elif kind_of(entry.name) is None:
                    reading.skipped["of other kinds"] += 1
                elif found >= MOST_FILES:
                    reading.notices.append(
                        Notice(name, f"more than {MOST_FILES:,} files: this one and those after it were not read")
                    )
                    return
                else:
                    found += 1
                    yield path, name
            except OSError as error:
                reading.notices.append(Notice(name, _reason(error)))
        pending.extend(reversed(folders))


def _name(path: Path, folder: Path) -> str:
    """A path below the folder, with slashes, and without bytes that are no text."""
    return os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace")


def _look_at_link(path: Path, name: str, folder: Path, reading: Reading) -> None:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        reading.notices.append(Notice(name, "a link that leads nowhere"))
        return
    if target.is_relative_to(folder):
        reading.skipped["links within the folder"] += 1
    else:
        reading.notices.append(Notice(name, "a link that leads out of the folder: not followed"))


def kind_of(name: str) -> str | None:
    """How a file is read, by its name; ``None`` for those that are not.

    >>> kind_of("Guide.MD"), kind_of("README"), kind_of("photo.jpg")
    ('markdown', 'text', None)
    """
    ending = os.path.splitext(name)[1].lower()
    return KINDS.get(ending) or ("text" if not ending and name.lower() in NAMED else None)


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "vanished while the folder was read"
    if isinstance(error, PermissionError):
        return "may not be read: no permission"
    if error.errno == errno.ELOOP:
        return "became a link while the folder was read: not followed"
    return f"cannot be read: {error.strerror or error}"


def read_bytes(path: Path, most: int = MOST_BYTES, tries: int = 3, pause: float = 0.2) -> bytes:
    """A file's bytes, all from one state of it. Raises ``OSError``, or :class:`Unreadable` where it is too large or never still."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    for attempt in range(tries):
        if attempt:
            time.sleep(pause)
        with open(os.open(path, flags), "rb") as stream:
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise Unreadable("no longer an ordinary file")
            if before.st_size > most:
                raise Unreadable(
                    f"{before.st_size / 1e6:,.0f} MB; the most is {most / 1e6:,.0f} MB: split it, or raise --max-file-mb"
                )
            data = stream.read(most + 1)
            after = os.fstat(stream.fileno())
        try:
            now = os.stat(path, follow_symlinks=False)  # a file that was replaced has another inode
        except FileNotFoundError:
            raise Unreadable("vanished while it was read") from None
        if len({(one.st_ino, one.st_size, one.st_mtime_ns) for one in (before, after, now)}) == 1 and len(data) == before.st_size:
            return data
    raise Unreadable("kept changing while it was read: ask again when it is at rest")


def read_file(path: Path, name: str, most: int = MOST_BYTES) -> tuple[FileText, str]:
    """The words of one file and a remark about how it was read (empty: none). Raises ``OSError`` or :class:`Unreadable`."""
    data = read_bytes(path, most)
    kind, note = kind_of(path.name), ""
    if kind == "pdf":
        file, note = read_pdf(data, name)
    else:
        text, note = decode(data, declared=kind == "html")
        file = {"markdown": read_markdown, "html": read_html}.get(kind or "", read_text)(text, name)
    if not file.text.strip():
        raise Unreadable("empty" if not data.strip() else "no words in it")
    return replace(file, sha256=hashlib.sha256(data).hexdigest()), note


def read_folder(folder: str | Path, max_file_mb: float = MOST_BYTES / 1e6) -> Reading:
    """Read all Markdown, HTML, text and PDF files below a folder. Raises :class:`CourseError` where the folder itself cannot be read.

    A folder without a single readable file gives an empty reading; its ``notices`` then say why, file by file.
    """
    root = find_folder(folder)
    reading = Reading(root)
    for path, name in walk(root, reading):
        try:
            file, note = read_file(path, name, int(max_file_mb * 1e6))
        except Unreadable as error:
            if str(error) == "binary, not text":
                reading.skipped["binary"] += 1
            else:
                reading.notices.append(Notice(name, str(error)))
        except OSError as error:
            reading.notices.append(Notice(name, _reason(error)))
        except RecursionError:
            reading.notices.append(Notice(name, "nested too deeply to be read"))
        else:
            reading.files.append(file)
            if note:
                reading.notices.append(Notice(name, note, used=True))
    return reading


def state_of(folder: Path) -> str:
    """A hash of names, sizes and times of all files that :func:`read_folder` would read: if it is the same, nothing has to be read."""
    digest = hashlib.sha256()
    for path, name in walk(folder, Reading(folder)):
        try:
            status = path.stat(follow_symlinks=False)
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\0".encode())
        except OSError:
            digest.update(f"{name}\0?\0".encode())
    return digest.hexdigest()
