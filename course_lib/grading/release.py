"""What an instructor hands out: labs, whole or with some of their exercises, with markers, points, a date and a version."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..exercises.registry import exercises_of, get_exercise
from ..workspace import atomic_write, find_lab
from .late import due_date


def make_release(notebook: dict[str, Any], lab: str, only: Sequence[str], due: str, version: str) -> dict[str, Any]:
    """A lab to hand out: every exercise cell begins with a marker, so that it is found even if an editor drops its id.

    With ``only``, the cells of other exercises are left out: the answer, its check and its hint, not the text.
    """
    made = copy.deepcopy(notebook)
    wanted = [one for one in exercises_of(lab) if not only or one.id in only]
    dropped = {one.id for one in exercises_of(lab)} - {one.id for one in wanted}
    cells = []
    for cell in made["cells"]:
        source = "".join(cell["source"])
        exercise = cell["metadata"].get("exercise")
        calls = re.findall(r"\b(?:check|hint)\(\"(\d\d\.\d+)\"", source)
        if exercise in dropped or (calls and set(calls) <= dropped):
            continue
        if exercise:
            cell["source"] = f"# Exercise {exercise}\n{source}"
        cells.append(cell)
    made["cells"] = cells
    points = {one.id: one.points for one in wanted}
    made["metadata"]["course"] |= {"release": version, "due": due, "points": points}
    return made


def release(labs: Sequence[str], folder: Path, only: Sequence[str] = (), due: str = "") -> dict[str, Any]:
    """Write the labs to hand out and ``release.json``; returns what that holds.

    Raises :class:`CourseError` for an unknown lab or exercise, a bad date, or a folder that has other notebooks of that name.
    """
    due, found = due_date(due), [find_lab(lab) for lab in labs]
    if not found:
        raise CourseError("No lab was named.", "name one or more: course release 01 02 --out DIR")
    known = {one.id: one for path in found for one in exercises_of(path.stem[:2])}
    if unknown := [id for id in only if id not in known]:
        raise CourseError(f"{', '.join(unknown)} is no exercise of these labs.", f"choose from {', '.join(known)}.")
    stamp = hashlib.sha256(
        b"\0".join([path.read_bytes() for path in found] + [json.dumps([list(only), due]).encode()])
    ).hexdigest()[:12]
    made = {
        path.name: make_release(json.loads(path.read_text(encoding="utf-8")), path.stem[:2], only, due, stamp) for path in found
    }
    for name in made:
        if (folder / name).exists() and _stamp(folder / name) != stamp:
            raise CourseError(f"{folder / name} is there already and is not this release.", "choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    points = {id: one.points for id, one in known.items() if not only or id in only}
    note = {"version": stamp, "due": due, "labs": sorted(made), "points": points, "total": sum(points.values())}
    for name, notebook in made.items():
        atomic_write(folder / name, (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())
    atomic_write(folder / "release.json", (json.dumps(note, indent=1) + "\n").encode())
    return note


def _stamp(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["metadata"]["course"]["release"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _note(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return {
            "exercises": tuple(sorted(get_exercise(id).id for id in note["points"])),
            "due": due_date(note["due"]),
            "labs": note["labs"],
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"{path} is no release ({error}).", "name the release.json that `course release` wrote.") from error


def exercises_of_release(path: Path) -> tuple[str, ...]:
    """The exercises that a ``release.json`` handed out. Raises :class:`CourseError` if it is none."""
    return tuple(_note(path)["exercises"])


def due_of_release(path: Path) -> dict[str, str]:
    """By lab, when the work of a ``release.json`` is due; empty where it has no date. Raises :class:`CourseError` if it is none."""
    note = _note(path)
    return {str(name)[:2]: note["due"] for name in note["labs"] if note["due"]}
