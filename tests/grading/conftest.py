"""The whole corpus is graded once in the sandbox, once without, and once as a normal user; the tests look at what came of it."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attacks
import pytest
from classroom import Class, hashes, options, processes

from course_lib.grading.grade import grade_folder
from course_lib.grading.reports import folder_of, kept_rows, write_reports
from course_lib.grading.sandbox import BWRAP, NONE, bubblewrap_problem
from course_lib.places import PACKAGE


def as_nobody(arguments: list[object], home: Path) -> subprocess.CompletedProcess[str]:
    """Run this Python as the user ``nobody``."""
    import pwd

    user = pwd.getpwnam("nobody")
    os.chown(home, user.pw_uid, user.pw_gid)
    return subprocess.run(
        [sys.executable, *map(str, arguments)], user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", capture_output=True, text=True,
        env=os.environ | {"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip


def nobody_cannot(home: Path) -> str:
    """Why the corpus cannot be graded as a normal user from here, or ""."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "the other runs are a normal user's already"
    probe = "from course_lib.grading import runner\nfrom course_lib.grading.sandbox import bubblewrap_problem\nprint(bubblewrap_problem() or '')"
    try:
        done = as_nobody(["-c", probe], home)
    except PermissionError:
        return "this Python is out of a normal user's reach"
    return done.stdout.strip() if done.returncode == 0 else "the course is out of a normal user's reach"


@pytest.fixture(
    scope="session",
    params=[(BWRAP, False), (NONE, False), (BWRAP, True)],
    ids=["sandbox", "no-sandbox", "sandbox-normal-user"],
)
def graded(request: pytest.FixtureRequest) -> Iterator[Class]:
    """The corpus, graded."""
    level, by_nobody = request.param
    if level == BWRAP and (problem := bubblewrap_problem()):
        pytest.skip(problem)
    top = Path(tempfile.mkdtemp(prefix="corpus-"))
    try:
        top.chmod(0o755)
        folder, out, home = (top / name for name in ("in", "out", "home"))
        for one in (folder, out, home):
            one.mkdir(mode=0o755)
        if by_nobody and (problem := nobody_cannot(home)):
            pytest.skip(problem)
        yield _grade(level, by_nobody, folder, out / "gradebook.csv", home)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _grade(level: str, by_nobody: bool, folder: Path, book: Path, home: Path) -> Class:
    for one in attacks.CORPUS:
        attacks.write(one, folder)
    before, running = hashes(folder), processes()
    if by_nobody:
        shutil.copytree(Path(__file__).parent, home / "tests")  # which may lie where only root can read
        shutil.chown(book.parent, "nobody")
        done = as_nobody([home / "tests" / "as_user.py", level, folder, book], home)
        assert done.returncode == 0, done.stderr
        _, results = kept_rows(book)
    else:
        _, results = grade_folder(folder, folder_of(book), options(level))
    rows = write_reports(book, results)
    left = [str(pid) for pid in processes() - running]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["learner"], []).append(row)
    with book.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    os.sync()
    return Class(level, folder, book, by_name, table, before, hashes(folder), left)
