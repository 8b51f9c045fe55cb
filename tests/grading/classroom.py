"""What the tests of grading share: how the corpus is graded, and what to look at before and after."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import attacks
import psutil

from course_lib.grading.grade import Options
from course_lib.grading.sandbox import BWRAP, Limits

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
