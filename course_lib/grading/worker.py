"""A worker: grades what it is told to over standard input, one line of JSON each, and answers with one line each.

It keeps its grading room warm between submissions. If a submission brings it down, whoever started it starts another.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from typing import Any, TextIO

from ..errors import CourseError
from .runner import broken, grade_notebook
from .sandbox import NONE, Limits, Room


def _grade(task: dict[str, Any], room: Room) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        result = grade_notebook(base64.b64decode(task["content"]), room, task["seed"], task["lab"], task["only"])
    except CourseError as error:
        result = broken(task["lab"], error.what)
    except Exception as error:  # ours to mend, and no reason for the others not to be graded
        result = broken(task["lab"], f"{type(error).__name__}: {str(error)[:200]}")
    return {**result, "key": task["key"], "seconds": round(time.perf_counter() - start, 3)}


def main(answers: TextIO) -> None:
    """Grade until there is nothing more to read."""
    first = json.loads(sys.stdin.readline())
    limits, level = Limits(**first["limits"]), first["level"]
    room: Room | None = None
    try:
        for line in sys.stdin:
            if room is None:
                room = Room(level, limits, fork=first["fork"]).__enter__()
            answers.write(json.dumps(_grade(json.loads(line), room)) + "\n")
            answers.flush()
            if level == NONE:  # nothing protects a warm parent there: each submission gets a new one
                room.__exit__()
                room = None
    finally:
        if room is not None:
            room.__exit__()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing that pytest prints may look like an answer
        main(stream)
