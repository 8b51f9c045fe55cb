"""The working copy: what comes, what stays, and that nothing is ever lost."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from course_lib import workspace
from course_lib.errors import CourseError

NAMES = ("00_start_here", "01_chunk_and_embed")


def notebook(*sources: str, **cell: object) -> bytes:
    """A notebook with code cells."""
    cells = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": text} | cell for text in sources
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}).encode()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Labs and solutions as a version of the course would bring them."""
    top = tmp_path / "package"
    for folder in ("labs", "solutions"):
        (top / folder).mkdir(parents=True)
        for name in NAMES:
            (top / folder / f"{name}.ipynb").write_bytes(notebook(f"# {folder} {name}"))
    monkeypatch.setattr(workspace, "bundled", lambda name: top / name)
    return top / "labs"


@pytest.fixture
def home(tmp_path: Path, shipped: Path) -> Path:
    """A working copy that was just made."""
    folder = tmp_path / "home"
    assert workspace.update(folder) == [f"2 labs were copied to {folder}."]
    return folder


def release(shipped: Path, name: str = NAMES[1], text: str = "# version 2") -> bytes:
    content = notebook(text)
    (shipped / f"{name}.ipynb").write_bytes(content)
    return content


# --- names and fingerprints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["1", "01", "01_chunk_and_embed", "01_chunk_and_embed.ipynb", " 1 "])
def test_a_lab_has_several_names(shipped: Path, asked: str) -> None:
    assert workspace.find_lab(asked).stem == NAMES[1]


@pytest.mark.parametrize("asked", ["2", "", "chunk", "../01", "011", "²"])
def test_an_unknown_lab_lists_those_there_are(shipped: Path, asked: str) -> None:
    with pytest.raises(CourseError, match="00_start_here, 01_chunk_and_embed"):
        workspace.find_lab(asked)


def test_an_installation_without_labs_says_so(shipped: Path) -> None:
    for path in shipped.iterdir():
        path.unlink()
    with pytest.raises(CourseError, match="install the course again"):
        workspace.shipped_labs()


def test_running_is_no_change_and_editing_is() -> None:
    plain = workspace.fingerprint(notebook("a", "b"))
    assert workspace.fingerprint(notebook("a", "b", outputs=[{"x": 1}], execution_count=7, metadata={"collapsed": True})) == plain
    assert workspace.fingerprint(notebook("a", "b", "", "  \n")) == plain
    assert workspace.fingerprint(notebook("a", "c")) != plain
    assert workspace.fingerprint(notebook("b", "a")) != plain
    assert workspace.fingerprint(notebook("ab")) != plain
    assert workspace.fingerprint(notebook("a", "b", cell_type="raw")) != plain


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"{", b"\xff\xfe", b"[]", b"3", b'{"cells": []}', b'{"nbformat": 4, "cells": [1]}', b"[" * 99999]
)
def test_what_is_no_notebook(content: bytes) -> None:
    with pytest.raises(ValueError):
        workspace.fingerprint(content)


# --- where ----------------------------------------------------------------------------------------------------------


def test_where_the_working_copy_is(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_HOME", raising=False)
    assert workspace.workspace_folder() == Path.home() / "open-book-closed-book"
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "x"))
    assert workspace.workspace_folder() == tmp_path / "x"
    assert workspace.workspace_folder("~/y") == Path.home() / "y"


def test_the_originals_are_not_worked_on(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shipped)
    for folder in (shipped, shipped.parent, tmp_path / "link"):
        with pytest.raises(CourseError, match="the course's own labs"):
            workspace.workspace_folder(folder)


# --- bringing up to date --------------------------------------------------------------------------------------------


def test_a_second_update_does_nothing(home: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in home.iterdir()}
    assert workspace.update(home) == []
    assert {path.name: path.stat().st_mtime_ns for path in home.iterdir()} == before


def test_a_deleted_lab_comes_back(home: Path) -> None:
    (home / f"{NAMES[0]}.ipynb").unlink()
    assert workspace.update(home) == [f"1 lab was copied to {home}."]


def test_a_lab_that_was_only_run_is_replaced(home: Path, shipped: Path) -> None:
    mine = home / f"{NAMES[1]}.ipynb"
    mine.write_bytes(notebook(f"# labs {NAMES[1]}", outputs=[{"ran": True}], execution_count=3))
    assert workspace.update(home) == []
    assert b"ran" in mine.read_bytes()  # the same version: the outputs stay
    newer = release(shipped)
    assert "brought up to date" in workspace.update(home)[0]
    assert mine.read_bytes() == newer
    assert workspace.update(home) == []


def test_changed_by_the_learner_stays_and_is_told_once(home: Path, shipped: Path) -> None:
    mine, beside = home / f"{NAMES[1]}.ipynb", home / f"{NAMES[1]}.new.ipynb"
    mine.write_bytes(notebook("my work"))
    assert workspace.update(home) == []
    newer = release(shipped)
    told = workspace.update(home)
    assert len(told) == 1 and beside.name in told[0]
    assert mine.read_bytes() == notebook("my work") and beside.read_bytes() == newer
    assert workspace.update(home) == []
    beside.unlink()
    assert workspace.update(home) == [] and not beside.exists()  # declined
    release(shipped, text="# version 3")
    assert beside.name in workspace.update(home)[0]
    mine.write_bytes(beside.read_bytes())  # accepted
    assert workspace.update(home) == []
    newest = release(shipped, text="# version 4")
    assert "brought up to date" in workspace.update(home)[0]
    assert mine.read_bytes() == newest


def test_an_offered_version_that_was_worked_in_is_kept(home: Path, shipped: Path) -> None:
    (home / f"{NAMES[1]}.ipynb").write_bytes(notebook("my work"))
    release(shipped)
    workspace.update(home)
    (home / f"{NAMES[1]}.new.ipynb").write_bytes(notebook("worked in the new one"))
    release(shipped, text="# version 3")
    workspace.update(home)
    assert [path.read_bytes() for path in (home / "backups").iterdir()] == [notebook("worked in the new one")]


@pytest.mark.parametrize("content", [b"", b'{"cells": [', b"[]"])
def test_an_unreadable_notebook_is_left_alone(home: Path, content: bytes) -> None:
    mine = home / f"{NAMES[1]}.ipynb"
    mine.write_bytes(content)
    for _ in range(2):  # it is told as long as it is so
        told = workspace.update(home)
        assert len(told) == 1 and "course reset 01" in told[0] and f"{NAMES[1]}.new.ipynb" in told[0]
        assert mine.read_bytes() == content
    assert (home / f"{NAMES[1]}.new.ipynb").read_bytes() == notebook(f"# labs {NAMES[1]}")


@pytest.mark.parametrize("note", [None, b"", b"{}", b'{"labs": []}', b'{"labs": {"01_chunk_and_embed": 3}}', b"\xff"])
def test_without_a_sound_note_everything_is_the_learners(home: Path, shipped: Path, note: bytes | None) -> None:
    path = home / ".course.json"
    path.unlink() if note is None else path.write_bytes(note)
    old = (home / f"{NAMES[1]}.ipynb").read_bytes()
    release(shipped)
    told = workspace.update(home)
    assert (home / f"{NAMES[1]}.ipynb").read_bytes() == old and (home / f"{NAMES[1]}.new.ipynb").exists()
    assert ("could not be read" in told[0]) == (note is not None)
    assert workspace.update(home) == []  # the note is sound again


# --- disks ----------------------------------------------------------------------------------------------------------


def test_a_file_where_the_folder_should_be(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(CourseError, match="is a file, not a folder"):
            workspace.update(folder)


@pytest.mark.parametrize(
    ("code", "says"), [(errno.ENOSPC, "no room left"), (errno.EROFS, "may not write"), (errno.EIO, "could not be used")]
)
def test_a_disk_that_refuses_loses_nothing(
    home: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    def refuse(number: int) -> None:
        raise OSError(code, os.strerror(code))

    before = {path.name: path.read_bytes() for path in home.iterdir()}
    release(shipped)
    monkeypatch.setattr(workspace.os, "fsync", refuse)
    with pytest.raises(CourseError, match=says):
        workspace.update(home)
    with pytest.raises(CourseError, match=says):
        workspace.reset(home, shipped / f"{NAMES[1]}.ipynb")
    assert {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()} == before
    assert list((home / "backups").iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setattr(workspace, "bundled", lambda name: shipped.parent / name)
    assert "brought up to date" in workspace.update(home)[0]


def test_what_a_killed_command_left_is_swept(home: Path) -> None:
    old, new = home / ".a.ipynb.1.partial", home / ".b.ipynb.2.partial"
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    workspace.update(home)
    assert not old.exists() and new.exists()


# --- reset and solutions --------------------------------------------------------------------------------------------


def test_reset_keeps_every_version(home: Path, shipped: Path) -> None:
    lab, mine = shipped / f"{NAMES[1]}.ipynb", home / f"{NAMES[1]}.ipynb"
    for work in (b"first", b"second", b"third"):  # within a second: the names must not collide
        mine.write_bytes(work)
        kept = workspace.reset(home, lab)
        assert kept and kept.parent == home / "backups" and kept.name.startswith(f"{NAMES[1]}.20") and kept.read_bytes() == work
        assert mine.read_bytes() == lab.read_bytes()
    assert len(list((home / "backups").iterdir())) == 3
    release(shipped)
    assert "brought up to date" in workspace.update(home)[0]  # the note is about the version that reset put there


def test_reset_without_a_copy_and_with_an_offer(home: Path, shipped: Path) -> None:
    lab, mine, beside = shipped / f"{NAMES[1]}.ipynb", home / f"{NAMES[1]}.ipynb", home / f"{NAMES[1]}.new.ipynb"
    mine.write_bytes(notebook("my work"))
    release(shipped)
    workspace.update(home)
    assert beside.exists()
    workspace.reset(home, lab)
    assert not beside.exists()
    mine.unlink()
    assert workspace.reset(home, lab) is None and mine.exists()


def test_a_solution_is_copied_and_work_in_it_is_kept(home: Path, shipped: Path) -> None:
    lab = shipped / f"{NAMES[1]}.ipynb"
    target, kept = workspace.copy_solution(home, lab)
    assert target == home / "solutions" / lab.name and kept is None
    target.write_bytes(notebook(f"# solutions {NAMES[1]}", outputs=[{"ran": 1}]))
    assert workspace.copy_solution(home, lab) == (target, None) and b"ran" in target.read_bytes()
    target.write_bytes(b"half")
    _, kept = workspace.copy_solution(home, lab)
    assert kept and kept.read_bytes() == b"half" and target.read_bytes() == notebook(f"# solutions {NAMES[1]}")
    (shipped.parent / "solutions" / lab.name).unlink()
    with pytest.raises(CourseError, match="no solution of 01_chunk_and_embed"):
        workspace.copy_solution(home, lab)
