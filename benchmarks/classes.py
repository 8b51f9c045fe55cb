"""A made-up class: whole labs with answers that are right, wrong or missing, and the points that they are worth."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

RIGHT, WRONG, MISSING = "right", "wrong", "missing"


def make_class(lab: str, count: int, seed: int = 0) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
    """By learner, a notebook of the lab and what each exercise in it is.

    Of the answers, 60 % are the worked solution, 20 % return nothing, and 20 % are as they were handed out.
    """
    from course_lib.exercises.registry import exercises_of
    from course_lib.grading.mutants import solution_of
    from course_lib.workspace import shipped_labs

    rng = random.Random(seed)
    exercises = {one.id: one for one in exercises_of(lab)}
    solved = {id: solution_of(one)[0] for id, one in exercises.items()}
    handed_out = json.loads(shipped_labs()[lab].read_text(encoding="utf-8"))
    made = {}
    for number in range(count):
        notebook, kinds = copy.deepcopy(handed_out), {}
        for cell in notebook["cells"]:
            if (id := cell["metadata"].get("exercise")) in exercises:
                kinds[id] = rng.choices([RIGHT, WRONG, MISSING], [6, 2, 2])[0]
                wrong = f"def {exercises[id].function}(*args, **kwargs):\n    return None"
                cell["source"] = {RIGHT: solved[id], WRONG: wrong, MISSING: cell["source"]}[kinds[id]]
        made[f"learner-{number:03}"] = (notebook, kinds)
    return made


def points(lab: str, kinds: dict[str, str]) -> dict[str, int]:
    """What each exercise is worth, by what it is."""
    from course_lib.exercises.registry import exercises_of

    return {one.id: one.points if kinds[one.id] == RIGHT else 0 for one in exercises_of(lab)}


def write_class(folder: Path, lab: str, count: int, seed: int = 0) -> dict[str, dict[str, int]]:
    """Write a folder for each learner; returns the points by learner and exercise."""
    from course_lib.workspace import shipped_labs

    worth = {}
    for learner, (notebook, kinds) in make_class(lab, count, seed).items():
        (folder / learner).mkdir(parents=True)
        (folder / learner / shipped_labs()[lab].name).write_text(json.dumps(notebook), encoding="utf-8")
        worth[learner] = points(lab, kinds)
    return worth
