"""The whole corpus is graded once for each level of isolation; the tests look at what came of it."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import attacks

from course_lib.grading.grade import Options, grade_folder
from course_lib.grading.reports import folder_of, write_reports
from course_lib.grading.sandbox import BWRAP, NONE, Limits, bubblewrap_problem

LIMITS = Limits(cell=4.0, wall=8.0, memory=800 << 20)
SEED = 5


@dataclasses.dataclass
class Class:
    """A graded corpus: rows by the name of the submission, the gradebook by learner, and what the machine looked like."""

    level: str
    folder: Path
    book: Path
    rows: dict[str, list[dict[str, Any]]]
    gradebook: list[dict[str, str]]
    before: dict[str, str]
    after: dict[str, str]
    left: list[str]


def hashes(folder: Path) -> dict[str, str]:
    """What every plain file below a folder holds."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def processes() -> set[int]:
    """All processes of the room's kind: with its program in their command line, or of its own user."""
    found = set()
    for process in psutil.process_iter(["cmdline", "uids"]):
        command = " ".join(process.info["cmdline"] or [])
        own = process.info["uids"] is not None and process.info["uids"].real >= 1_000_000
        if own or "course_room" in command or "grading.worker" in command:
            found.add(process.pid)
    return found


def options(level: str, **more: Any) -> Options:
    """How the corpus is graded."""
    sandbox = "bwrap" if level == BWRAP else "none"
    settings = {"lab": "01", "only": attacks.ONLY, "jobs": 2, "sandbox": sandbox, "seed": SEED, "limits": LIMITS, **more}
    return Options(**settings)


@pytest.fixture(scope="session", params=[BWRAP, NONE])
def graded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Class:
    """The corpus, graded."""
    if request.param == BWRAP and (problem := bubblewrap_problem()):
        pytest.skip(problem)
    folder = tmp_path_factory.mktemp("handed-in")
    folder.chmod(0o755)
    for one in attacks.CORPUS:
        attacks.write(one, folder)
    before, running = hashes(folder), processes()
    book = tmp_path_factory.mktemp("out") / "gradebook.csv"
    _, results = grade_folder(folder, folder_of(book), options(request.param))
    rows = write_reports(book, results)
    left = [str(pid) for pid in processes() - running]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["learner"], []).append(row)
    with book.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    os.sync()
    return Class(request.param, folder, book, by_name, table, before, hashes(folder), left)
