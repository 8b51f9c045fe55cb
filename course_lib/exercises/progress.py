"""What a learner has passed: a small file on their own machine, written whole or not at all."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..places import data_folder

State = dict[str, dict[str, Any]]


def progress_file() -> Path:
    """Where progress is kept."""
    return data_folder() / "progress.json"


def read_progress() -> State:
    """Outcomes by exercise id. A damaged file is set aside, and the fact is told."""
    return read_table(progress_file())


def read_table(path: Path) -> State:
    """The rows of a file of the data folder. A damaged one is set aside, and the fact is told."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(state, dict) or not all(isinstance(row, dict) for row in state.values()):
            raise ValueError(f"it is not a table of {path.stem}")
        return state
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        aside = path.with_suffix(".damaged.json")
        try:
            os.replace(path, aside)
            print(f"The {path.stem} file could not be read ({error}). It is now {aside}; a new one begins.", file=sys.stderr)
        except OSError:
            pass
        return {}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """No other process changes a file of the data folder meanwhile. Raises :class:`OSError` after five seconds of waiting."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock"), timeout=5):  # its Timeout is an OSError
        yield


def change_table(path: Path, change: Callable[[State], None]) -> None:
    """Read a file of the data folder, change its rows, write it. A disk that cannot be written to stops nothing."""
    try:
        with locked(path):
            table = read_table(path)
            change(table)
            partial = path.with_suffix(f".{os.getpid()}.partial")
            partial.write_text(json.dumps(table, indent=1, sort_keys=True), encoding="utf-8")
            os.replace(partial, path)
    except OSError as error:
        print(f"Your {path.stem} could not be saved ({error}). Your work in the notebook is not affected.", file=sys.stderr)


def record(id: str, state: str, points: int, answer: str | None = None) -> None:
    """Note the outcome of a check. What was passed once stays passed. A disk that cannot be written to stops nothing.

    ``answer`` is the hash of the function that was checked (see :func:`.answers.answer_hash`); that of the last one that
    passed is kept.
    """

    def change(table: State) -> None:
        row = table.setdefault(id, {"state": state, "points": 0, "tries": 0})
        row["tries"] = int(row.get("tries", 0)) + 1
        if state == "passed" or row.get("state") != "passed":
            row["state"] = state
        if state == "passed":
            row["points"] = points
            row.setdefault("passed", datetime.datetime.now().isoformat(timespec="seconds"))
            if answer:
                row["answer"] = answer

    change_table(progress_file(), change)


def hints_seen(id: str, add: bool = False) -> int:
    """How many hints of an exercise this kernel has shown; ``add=True`` counts one more."""
    _hints[id] = _hints.get(id, 0) + int(add)
    return _hints[id]


_hints: dict[str, int] = {}
