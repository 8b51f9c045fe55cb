"""Result files that travel with the course: made by one command, checked by hash when they are read.

A file holds what was answered, never a score: whoever reads it computes the scores, with the library as it is then.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import CourseError

RESULTS = Path(__file__).resolve().parent.parent / "results"
LICENCE = "Apache-2.0 AND CC-BY-4.0"
"""Of what the course makes of its own texts with its own code, adapters among it."""
Row = dict[str, Any]


def digest(value: Any) -> str:
    """The sha256 of a value as JSON; the order of a dictionary's keys does not matter.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def about_this_run() -> dict[str, Any]:
    """What the numbers of a run depend on besides its inputs: the machine and the versions."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }


def write_rows(path: Path, rows: Sequence[Row], about: Mapping[str, Any], made_with: Mapping[str, str]) -> None:
    """Write rows, one a line, with a hash of them and of each thing that they were made with.

    The file is written under another name first, so that a run that is stopped here leaves the old file whole.
    """
    head = {"about": dict(about)} | {f"{name}_sha256": value for name, value in made_with.items()}
    head["rows_sha256"] = digest(list(rows))
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    text = json.dumps(head, indent=1, ensure_ascii=False)[:-2] + f',\n "rows": [\n{lines}\n ]\n}}\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def read_rows(path: Path, made_with: Mapping[str, str], command: str) -> tuple[list[Row], dict[str, Any]]:
    """The rows of a result file and what is known about the run.

    Raises :class:`CourseError`, which names the ``command`` that remakes the file, where it is missing or damaged, or where
    something that it was made with has changed since.
    """
    remake = f"reinstall the course, or remake it: {command}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows, about = content["rows"], content["about"]
        if digest(rows) != content["rows_sha256"]:
            raise ValueError("its hash differs")
        changed = [name for name, value in made_with.items() if content[f"{name}_sha256"] != value]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseError(f"The result file {path.name} cannot be used: {error}.", remake) from error
    if changed:
        raise CourseError(
            f"The result file {path.name} was made with another version of the {' and the '.join(changed)}.", remake
        )
    return rows, about


def command_line(about: str | None) -> None:
    """Answer ``--help`` with what a command does, and refuse other arguments, before minutes of work begin."""
    import argparse

    argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
