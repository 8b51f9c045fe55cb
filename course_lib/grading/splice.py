"""A clean notebook for each exercise: the learner's cell between ours, without metadata, outputs or marks of theirs."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

from ..exercises.registry import Case, Exercise
from .find import Answer
from .room.wire import dumps

DRAWS = 3
"""How often the generator of hidden cases is asked: more than once, since a single draw may let a wrong answer through."""

ASKS = "from course_answers import answer\n"
"""How a question begins."""

CARRIED, LEARNER, QUESTION = "carried", "learner", "question"


def grading_cases(exercise: Exercise, seed: int) -> list[Case]:
    """The public cases, then the hidden ones of a seed."""
    hidden = [case for draw in range(DRAWS) for case in exercise.hidden(random.Random(f"{seed}/{exercise.id}/{draw}"))]
    return [*exercise.public, *hidden]


def questions(exercise: Exercise, seed: int) -> list[str]:
    """The last two cells: they hand inputs to the learner's function and hold no expected result.

    Hidden inputs come in after the public answers are out, so what a public answer says, which the learner may read, cannot tell them.
    """
    cases = grading_cases(exercise, seed)
    public = len(exercise.public)
    return [_question(exercise, cases[:public]), _question(exercise, cases[public:])]


def _question(exercise: Exercise, cases: list[Case]) -> str:
    copies = [copy.deepcopy((case.args, case.kwargs)) for case in cases]  # as a check would hand them over
    request = dumps([{"args": tuple(args), "kwargs": dict(kwargs)} for args, kwargs in copies])
    return f"{ASKS}answer({exercise.function}, {request!r})"


def splice(answer: Answer, exercise: Exercise, seed: int) -> Any:
    """The clean notebook of one exercise."""
    from nbformat.v4 import new_code_cell, new_notebook

    parts = [(CARRIED, source) for source in answer.carried] + [(LEARNER, answer.source)]
    if answer.alone:  # what the cell does besides, such as to ask for input, may have ended it too early
        alone = "\n".join(answer.alone)
        parts.append((LEARNER, f"if {exercise.function!r} not in globals():\n    exec({alone!r})"))
    parts += [(QUESTION, source) for source in questions(exercise, seed)]
    cells = [
        new_code_cell(source, id=f"{part}-{number}", metadata={"course": part}) for number, (part, source) in enumerate(parts)
    ]
    return new_notebook(
        cells=cells, metadata={"kernelspec": {"name": f"course-{exercise.id}", "display_name": "", "language": "python"}}
    )


def write_notebook(notebook: Any, path: Path) -> None:
    """Write a clean notebook, for nbval to read; learner text may hold half characters, which JSON escapes."""
    path.write_text(json.dumps(notebook), encoding="ascii")
