"""Find the submissions in a folder: notebooks, zips of notebooks, a folder for each learner. Nothing is unpacked to disk.

Every file that claims to be a notebook is a submission and becomes a row, whatever it is.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CourseError
from ..exercises.registry import LABS
from .find import LARGEST

SKIPPED = {".ipynb_checkpoints", "__MACOSX", ".git", "backups"}
NOTEBOOK = re.compile(r"\.ipynb(?:\.txt|\.json)?$", re.I)  # browsers like to add an ending of their own
COPY = re.compile(r"(?:[ _-]*\(\d+\)|-Copy\d*)$", re.I)  # as do downloads and JupyterLab
MOST_FILES = 10_000  # that are looked at in a zip
MOST_NOTEBOOKS, MOST_BYTES = 40, 3 * LARGEST  # that are taken from it


@dataclass(frozen=True)
class Submission:
    """One notebook of one learner. ``problem`` says why it cannot be read; ``content`` is then empty."""

    learner: str
    name: str
    content: bytes = b""
    problem: str = ""
    changed: float = 0.0

    @property
    def sha256(self) -> str:
        """The hash of what arrived."""
        return hashlib.sha256(self.content).hexdigest() if self.content or not self.problem else ""

    @property
    def key(self) -> str:
        """What tells this submission from all others of a run."""
        return hashlib.sha256("\0".join([self.learner, self.name, self.sha256]).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def visible(name: str) -> str:
    """A name with nothing in it that a terminal, a page or a table would obey, its accents composed, as the rosters have them.

    >>> visible("anna\\nberta\\u202e")
    'anna\\\\nberta\\\\u202e'
    """
    name = unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode("utf-8"))
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)[:200]


def learner_of(parts: tuple[str, ...]) -> str:
    """Who handed in a file: the first folder, or the file's name without the lab's.

    >>> learner_of(("anna", "01_chunk_and_embed.ipynb")), learner_of(("berta-01_chunk_and_embed.ipynb",)), learner_of(("chris.ipynb",))
    ('anna', 'berta', 'chris')
    >>> learner_of(("dora-01_chunk_and_embed (2).ipynb.txt",)), learner_of(("01_chunk_and_embed (1).ipynb",))
    ('dora', '01_chunk_and_embed (1)')
    """
    if len(parts) > 1:
        return visible(parts[0])
    stem = re.sub(r"\.zip$", "", NOTEBOOK.sub("", parts[0]), flags=re.I)
    for slug in LABS.values():
        if slug in stem and (own := COPY.sub("", stem).replace(slug, "").strip(" _-.")):
            return visible(own)
    return visible(stem.strip(" _-.") or parts[0])


def _read(path: Path) -> tuple[bytes, str]:
    """The content of a plain file, or why there is none. Links, pipes and devices are not followed or opened."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        return b"", "it is a link, not a file" if path.is_symlink() else f"it cannot be read ({error.strerror})"
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        return b"", "it is a folder, not a file" if stat.S_ISDIR(status.st_mode) else "it is a device or a pipe, not a file"
    with os.fdopen(handle, "rb") as stream:
        if status.st_size > LARGEST:
            return b"", f"it is larger than {LARGEST >> 20} MB"
        return stream.read(LARGEST), ""


def _of_zip(path: Path, parts: tuple[str, ...]) -> Iterator[Submission]:
    """The notebooks in a zip. Names in it are names only: nothing is written, so no path can lead anywhere.

    Their time is that of the zip: what it says of its own entries, whoever made it could choose.
    """
    learner = learner_of((re.sub(r"\.zip$", "", parts[0], flags=re.I), *parts[1:]))
    content, problem = _read(path)
    if problem:
        yield Submission(learner, visible("/".join(parts)), problem=problem)
        return
    found, taken, changed = 0, 0, path.lstat().st_mtime
    try:
        import io

        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist()[:MOST_FILES]:
                inner = tuple(part for part in entry.filename.replace("\\", "/").split("/") if part not in ("", ".", ".."))
                if entry.is_dir() or not inner or not NOTEBOOK.search(inner[-1]) or SKIPPED & set(inner):
                    continue
                found += 1
                if found > MOST_NOTEBOOKS or taken > MOST_BYTES:
                    says = f"the zip holds more than {MOST_NOTEBOOKS} notebooks, or {MOST_BYTES >> 20} MB of them: the rest was not read"
                    yield Submission(learner, visible("/".join(parts)), problem=says, changed=changed)
                    return
                name = visible("/".join([*parts, *inner]))
                if entry.file_size > LARGEST:
                    yield Submission(learner, name, problem=f"it is larger than {LARGEST >> 20} MB", changed=changed)
                elif entry.flag_bits & 1:
                    yield Submission(learner, name, problem="it is encrypted", changed=changed)
                else:
                    data, says = _entry(archive, entry)
                    taken += len(data)
                    yield Submission(learner, name, b"" if says else data, says, changed)
    except Exception as error:  # zipfile has many ways to say that a zip is damaged
        yield Submission(learner, visible("/".join(parts)), problem=f"the zip is damaged ({type(error).__name__})")
        return
    if not found:
        yield Submission(learner, visible("/".join(parts)), problem="there is no notebook in the zip")


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[bytes, str]:
    """The content of one file in a zip, and what is wrong with it: the others may be whole."""
    try:
        with archive.open(entry) as stream:
            data = stream.read(LARGEST + 1)  # the size that a zip states may be a lie
    except Exception as error:
        return b"", f"it is damaged in the zip ({type(error).__name__})"
    return data, f"it is larger than {LARGEST >> 20} MB" if len(data) > LARGEST else ""


def submissions(folder: Path) -> list[Submission]:
    """All submissions below a folder (or the one that a file is), sorted; of those that are the same in all, one.

    Raises :class:`CourseError` if there is none.
    """
    if not folder.exists():
        raise CourseError(f"There is no {folder}.", "name the folder of the notebooks that were handed in.")
    root, found = (folder, list(_walk(folder))) if folder.is_dir() else (folder.parent, [folder])
    result: list[Submission] = []
    for path in found:
        parts = path.relative_to(root).parts
        if not parts:
            raise CourseError(f"{folder} cannot be opened.", "let yourself read it, or name another folder.")
        if path.suffix.lower() == ".zip":
            result += _of_zip(path, parts)
            continue
        content, problem = _read(path)
        changed = path.lstat().st_mtime
        result.append(Submission(learner_of(parts), visible("/".join(parts)), content, problem, changed))
    if not result:
        raise CourseError(f"There is no notebook in {folder}.", "put the .ipynb files, or zips of them, into it.")
    result += _without_notebook(root, result) if folder.is_dir() else []
    return sorted(_apart({one.key: one for one in result}.values()), key=lambda one: (one.learner, one.name))


def _apart(found: Iterable[Submission]) -> Iterator[Submission]:
    """The same, with a number where a learner has several of one name, as a zip may."""
    seen: Counter[tuple[str, str]] = Counter()
    for one in found:
        seen[one.learner, one.name] += 1
        number = seen[one.learner, one.name]
        yield replace(one, name=f"{one.name} ({number})") if number > 1 else one


def _without_notebook(root: Path, found: list[Submission]) -> list[Submission]:
    """The learners' folders that hold files but no notebook: a row each, so that nobody is overlooked."""
    there = {one.name.split("/")[0] for one in found}
    empty = []
    for path in sorted(root.iterdir()):
        other = path.name in SKIPPED or path.name.startswith(".") or path.is_symlink() or not path.is_dir()
        if not other and visible(path.name) not in there and not (path / "results.jsonl").exists() and any(path.iterdir()):
            empty.append(Submission(visible(path.name), visible(path.name), problem="there is no notebook in the folder"))
    return empty


def _walk(folder: Path) -> Iterator[Path]:
    closed: list[Path] = []
    # Links to folders are not followed; what cannot be opened becomes a row.
    for where, folders, files in os.walk(folder, onerror=lambda error: closed.append(Path(str(error.filename)))):
        for name in list(folders):
            linked = name not in SKIPPED and not name.startswith(".") and (Path(where) / name).is_symlink()
            if NOTEBOOK.search(name) or linked:
                yield Path(where) / name  # a folder that claims to be a notebook, or leads elsewhere
                folders.remove(name)
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.startswith("."))
        for name in sorted(files):
            if (NOTEBOOK.search(name) or name.lower().endswith(".zip")) and not name.startswith("."):
                yield Path(where) / name
    yield from closed
