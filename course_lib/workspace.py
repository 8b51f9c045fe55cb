"""The learner's working copy of the labs: made once, brought up to date, never written over.

``.course.json`` in it notes for each lab the fingerprint of the shipped version that the learner's copy came from. A
fingerprint covers the sources of the cells alone: running a notebook does not change it.
"""

from __future__ import annotations

import datetime
import errno
import hashlib
import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import CourseError
from .places import bundled

NOTE = ".course.json"
FORMAT = 1
STALE = 3600  # seconds after which a half-written file is nobody's any more

State = dict[str, dict[str, str]]


# --- the labs that travel with the package --------------------------------------------------------------------------


def shipped_labs() -> dict[str, Path]:
    """The labs as shipped, by number: ``{"00": …/00_start_here.ipynb}``. Raises :class:`CourseError` if there are none."""
    labs = {path.stem[:2]: path for path in sorted(bundled("labs").glob("[0-9][0-9]_*.ipynb"))}
    if not labs:
        raise CourseError(f"There are no labs in {bundled('labs')}.", "install the course again.")
    return labs


def find_lab(asked: str) -> Path:
    """The shipped lab that ``"1"``, ``"01"`` or ``"01_chunk_and_embed"`` means. Raises :class:`CourseError` that lists them."""
    labs = shipped_labs()
    wanted = asked.strip().removesuffix(".ipynb")
    for number, path in labs.items():
        if wanted in (number, path.stem) or (wanted.isdecimal() and wanted.zfill(2) == number):
            return path
    raise CourseError(f"There is no lab {asked!r}.", f"choose one of {', '.join(path.stem for path in labs.values())}.")


def lab_title(name: str) -> str:
    """What a lab calls itself in its first line, by the name of its notebook; the name where the notebook cannot be read.

    >>> lab_title("07_lora_on_cpu"), lab_title("99_no_such_lab")
    ('LoRA on CPU', 'no such lab')
    """
    try:
        first = json.loads((bundled("labs") / f"{name}.ipynb").read_bytes())["cells"][0]["source"]
        return "".join(first).splitlines()[0].split(" · ", 1)[1].strip()
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return name[3:].replace("_", " ")


def fingerprint(notebook: bytes) -> str:
    """A hash of what the cells say, whatever their outputs. Raises :class:`ValueError` if this is not a notebook.

    Empty cells do not count: JupyterLab adds one after the last cell that is run.

    >>> one = b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["a\\\\n", "b"], "outputs": [1]}]}'
    >>> same = b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "a\\\\nb"}, {"cell_type": "code", "source": ""}]}'
    >>> fingerprint(one) == fingerprint(same)
    True
    >>> fingerprint(b"")
    Traceback (most recent call last):
    ValueError: it is empty
    """
    if not notebook.strip():
        raise ValueError("it is empty")
    try:
        content = json.loads(notebook)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not valid JSON: {error}") from error
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list) or not isinstance(content.get("nbformat"), int):
        raise ValueError("it is not a notebook")
    said = []
    for cell in cells:
        source = cell.get("source") if isinstance(cell, dict) else None
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = "".join(source)
        if not isinstance(source, str):
            raise ValueError("one of its cells has no source")
        if source.strip():
            said.append([str(cell.get("cell_type")), source])
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


# --- writing without losing -----------------------------------------------------------------------------------------


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a :class:`CourseError`."""
    try:
        yield
    except OSError as error:
        elsewhere = "or choose another folder with --folder (COURSE_HOME does the same). Nothing was lost."
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CourseError(f"There is no room left on the disk of {folder}.", f"free some space, {elsewhere}") from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise CourseError(
                f"The course may not write to {folder} ({error.strerror}).", f"change its permissions, {elsewhere}"
            ) from error
        if isinstance(error, (NotADirectoryError, FileExistsError)):
            raise CourseError(f"{error.filename or folder} is a file, not a folder.", f"move it away, {elsewhere}") from error
        raise CourseError(f"Your folder {folder} could not be used ({error}).", f"mend that, {elsewhere}") from error


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises :class:`OSError`; the old file is then as it was."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _sweep(folder: Path) -> None:
    """Remove what a killed command left half-written."""
    for leftover in folder.glob(".*.partial"):
        try:
            if time.time() - leftover.stat().st_mtime > STALE:
                leftover.unlink()
        except OSError:
            pass


def _keep(path: Path, folder: Path, name: str) -> Path:
    """Copy a file to ``backups/NAME.DATE-TIME.ipynb``; no backup is ever written over."""
    backups = folder / "backups"
    backups.mkdir(exist_ok=True)
    content = path.read_bytes()
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for count in itertools.count(1):
        target = backups / f"{name}.{stamp}{f'-{count}' if count > 1 else ''}.ipynb"
        try:
            stream = target.open("xb")
        except FileExistsError:
            continue
        try:
            with stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return target
    raise AssertionError("unreachable")


# --- the folder -----------------------------------------------------------------------------------------------------


def workspace_folder(given: Path | str | None = None) -> Path:
    """Where the working copy is: as given, else ``COURSE_HOME``, else ``~/open-book-closed-book``.

    Raises :class:`CourseError` for the course's own folder of labs: the originals would be worked on, and lost at an update.
    """
    folder = Path(given or os.environ.get("COURSE_HOME") or "~/open-book-closed-book").expanduser().absolute()
    if folder.resolve() in (bundled("labs").resolve(), bundled("labs").resolve().parent):
        raise CourseError(f"{folder} holds the course's own labs.", "choose another folder for your copies with --folder.")
    return folder


def _read_state(folder: Path) -> tuple[State, str | None]:
    """What is noted about each lab, and a sentence if the note was damaged."""
    try:
        labs = json.loads((folder / NOTE).read_text(encoding="utf-8"))["labs"]
        return {str(stem): {key: str(row[key]) for key in ("from", "offered") if key in row} for stem, row in labs.items()}, None
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, f"{folder / NOTE} could not be read: every notebook there is treated as changed by you."


def _write_state(folder: Path, state: State) -> None:
    content: dict[str, Any] = {"format": FORMAT, "labs": state}
    atomic_write(folder / NOTE, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def update(folder: Path) -> list[str]:
    """Make the working copy or bring it up to date; return what there is to tell, a sentence each.

    A lab that is missing is copied. One whose cells the learner left as they came is replaced by a newer version. Any
    other stays, and the newer version is put beside it as ``NAME.new.ipynb``. Raises :class:`CourseError`.
    """
    shipped = shipped_labs()
    with _explained(folder):
        fresh = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        state, damaged = _read_state(folder)
        before = json.dumps(state)
        told = [damaged] if damaged else []
        copied = 0
        for path in shipped.values():
            if (folder / path.name).exists() or (folder / path.name).is_symlink():
                told += _update_one(path, folder, state)
            else:
                atomic_write(folder / path.name, path.read_bytes())
                state[path.stem] = {"from": fingerprint(path.read_bytes())}
                copied += 1
        if json.dumps(state) != before or damaged or fresh:
            _write_state(folder, state)
        if copied:
            told.append(f"{copied} {'lab was' if copied == 1 else 'labs were'} copied to {folder}.")
    return told


def _update_one(shipped: Path, folder: Path, state: State) -> list[str]:
    """Bring one lab that the learner has up to date. The rule is in :func:`update`."""
    content, mine, row = shipped.read_bytes(), folder / shipped.name, state.get(shipped.stem, {})
    newest, number = fingerprint(content), shipped.stem[:2]
    try:
        current = fingerprint(mine.read_bytes())
    except (OSError, ValueError) as error:
        beside = _offer(content, newest, folder, shipped.stem, row)
        state[shipped.stem] = row | {"offered": newest}
        return [
            f"{mine.name} cannot be read ({error}). It was left as it is; a fresh copy is beside it: {beside.name}. "
            f"To put the lab back and keep your file in backups: course reset {number}"
        ]
    if current == newest:
        state[shipped.stem] = {"from": newest}
    elif row.get("from") == current:
        atomic_write(mine, content)
        state[shipped.stem] = {"from": newest}
        return [f"{mine.name} was brought up to date: you had changed nothing in it."]
    elif newest not in (row.get("from"), row.get("offered")):
        beside = _offer(content, newest, folder, shipped.stem, row)
        state[shipped.stem] = row | {"offered": newest}
        return [
            f"There is a newer version of {mine.name}. Yours has your changes and stays; the new one is beside it: {beside.name}"
        ]
    return []


def _offer(content: bytes, newest: str, folder: Path, stem: str, row: dict[str, str]) -> Path:
    """Put a new version beside the learner's. An earlier offer that was worked in goes to the backups first."""
    beside = folder / f"{stem}.new.ipynb"
    if beside.exists():
        try:
            current = fingerprint(beside.read_bytes())
        except (OSError, ValueError):
            current = None
        if current == newest:
            return beside
        if current != row.get("offered"):
            _keep(beside, folder, f"{stem}.new")
    atomic_write(beside, content)
    return beside


def reset(folder: Path, lab: Path) -> Path | None:
    """Put a lab back as shipped; return where the learner's version went, if there was one. Raises :class:`CourseError`."""
    mine, content = folder / lab.name, lab.read_bytes()
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        state, _ = _read_state(folder)
        kept = _keep(mine, folder, lab.stem) if mine.exists() else None
        atomic_write(mine, content)
        state[lab.stem] = {"from": fingerprint(content)}
        _write_state(folder, state)
        beside = folder / f"{lab.stem}.new.ipynb"
        try:
            if fingerprint(beside.read_bytes()) == fingerprint(content):
                beside.unlink()  # the same version once more
        except (OSError, ValueError):
            pass
    return kept


def copy_solution(folder: Path, lab: Path) -> tuple[Path, Path | None]:
    """Copy a lab's solution to ``solutions/`` in the working copy: where it is, and where a changed earlier copy went.

    A copy that was run but not changed stays, outputs and all. Raises :class:`CourseError` if there is no solution.
    """
    source = bundled("solutions") / lab.name
    if not source.is_file():
        raise CourseError(f"There is no solution of {lab.stem} in this installation.", "install the course again.")
    content, target, kept = source.read_bytes(), folder / "solutions" / lab.name, None
    with _explained(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            try:
                if fingerprint(target.read_bytes()) == fingerprint(content):
                    return target, None
            except ValueError:
                pass
            kept = _keep(target, folder, f"{lab.stem}.solution")
        atomic_write(target, content)
    return target, kept
