"""What a learner has passed: a small file on their own machine, written whole or not at all."""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path
from typing import Any

from ..places import data_folder

State = dict[str, dict[str, Any]]


def progress_file() -> Path:
    """Where progress is kept."""
    return data_folder() / "progress.json"


def read_progress() -> State:
    """Outcomes by exercise id. A damaged file is set aside, and the fact is told."""
    path = progress_file()
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(state, dict) or not all(isinstance(row, dict) for row in state.values()):
            raise ValueError("not a table of exercises")
        return state
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        aside = path.with_suffix(".damaged.json")
        try:
            os.replace(path, aside)
            print(f"The progress file could not be read ({error}). It is now {aside}; a new one begins.", file=sys.stderr)
        except OSError:
            pass
        return {}


def record(id: str, state: str, points: int) -> None:
    """Note the outcome of a check. What was passed once stays passed. A disk that cannot be written to stops nothing."""
    from filelock import FileLock, Timeout

    path = progress_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=5):
            table = read_progress()
            row = table.setdefault(id, {"state": state, "points": 0, "tries": 0})
            row["tries"] = int(row.get("tries", 0)) + 1
            if state == "passed" or row.get("state") != "passed":
                row["state"] = state
            if state == "passed":
                row["points"] = points
                row.setdefault("passed", datetime.datetime.now().isoformat(timespec="seconds"))
            partial = path.with_suffix(f".{os.getpid()}.partial")
            partial.write_text(json.dumps(table, indent=1, sort_keys=True), encoding="utf-8")
            os.replace(partial, path)
    except (OSError, Timeout) as error:
        print(f"Your progress could not be saved ({error}). Your work in the notebook is not affected.", file=sys.stderr)


def hints_seen(id: str, add: bool = False) -> int:
    """How many hints of an exercise this kernel has shown; ``add=True`` counts one more."""
    _hints[id] = _hints.get(id, 0) + int(add)
    return _hints[id]


_hints: dict[str, int] = {}
