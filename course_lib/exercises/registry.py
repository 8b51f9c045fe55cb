"""What an exercise is. One definition serves feedback, tests, hidden cases and grading.

An exercise lives in ``lab_NN.py`` as a class under ``@exercise(...)``; see :class:`Exercise` for what it may hold.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import CourseError

LABS = {
    "00": "00_start_here",
    "01": "01_chunk_and_embed",
    "02": "02_retrieve",
    "03": "03_generate",
    "04": "04_evaluate",
    "05": "05_keep_it_fresh",
    "06": "06_prepare_data",
    "07": "07_lora_on_cpu",
    "08": "08_can_it_learn_facts",
    "09": "09_tune_the_retriever",
    "12": "12_ship_it",
}
"""The labs by number, with the name of their notebook."""


class Case:
    """The arguments of one call. ``says`` tells the learner what the case is about.

    >>> Case([1, 2], k=1, says="two numbers").show("top")
    'top([1, 2], k=1)'
    """

    def __init__(self, *args: Any, says: str = "", **kwargs: Any) -> None:
        self.args, self.kwargs, self.says = args, kwargs, says

    def show(self, name: str) -> str:
        """The call as code, shortened where it is long."""
        parts = [shorten(value) for value in self.args] + [f"{key}={shorten(value)}" for key, value in self.kwargs.items()]
        return f"{name}({', '.join(parts)})"


def shorten(value: Any, limit: int = 160) -> str:
    """``repr``, cut in the middle where it is long.

    >>> shorten("x" * 30, limit=11)
    "'xxxx…xxxx'"
    """
    try:
        text = repr(value)
    except Exception as error:  # a learner's object may not even be printable
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    half = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


@dataclass(frozen=True)
class Misconception:
    """A wrong implementation and the sentence that names the mistake behind it."""

    wrong: Callable[..., Any]
    sentence: str


@dataclass(frozen=True)
class Exercise:
    """An exercise: its header, its cases, its reference, and what goes wrong with it.

    ``hidden(rng)`` makes fresh cases from a random generator. ``misconceptions`` explain a wrong result and test the check;
    ``alternatives`` are other right answers, which must pass. ``tolerance`` is for floats, relative and absolute.
    """

    id: str
    title: str
    points: int
    minutes: int
    difficulty: int
    function: str
    reference: Callable[..., Any]
    public: Sequence[Case]
    hidden: Callable[[random.Random], list[Case]]
    misconceptions: Sequence[Misconception]
    alternatives: Sequence[Callable[..., Any]]
    hints: Sequence[str]
    tolerance: float = 1e-6

    @property
    def lab(self) -> str:
        """The number of its lab, such as ``"01"``."""
        return self.id.split(".")[0]

    @property
    def header(self) -> str:
        """The line below the title in the notebook."""
        points = f"{self.points} point{'s' if self.points > 1 else ''}"
        return f"{'●' * self.difficulty}{'○' * (3 - self.difficulty)} · {self.minutes} minutes · {points}"


@dataclass(frozen=True)
class Option:
    """One answer to choose in a quiz, with what it tells about whoever chose it."""

    text: str
    right: bool
    because: str


@dataclass(frozen=True)
class QuizQuestion:
    """One question of a quiz."""

    ask: str
    options: Sequence[Option]


@dataclass
class _Registry:
    exercises: dict[str, Exercise] = field(default_factory=dict)
    quizzes: dict[str, list[QuizQuestion]] = field(default_factory=dict)


_registry = _Registry()


def exercise(id: str, *, title: str, points: int, minutes: int, difficulty: int, function: str) -> Callable[[Any], Exercise]:
    """Register a class as an exercise. The class holds ``reference``, ``public``, ``hidden`` and so on."""

    def register(body: Any) -> Exercise:
        parts = {name: getattr(body, name) for name in ("public", "misconceptions", "alternatives", "hints")}
        made = Exercise(
            id, title, points, minutes, difficulty, function,
            reference=body.reference, hidden=body.hidden, tolerance=getattr(body, "tolerance", 1e-6), **parts,
        )  # fmt: skip
        _registry.exercises[id] = made
        return made

    return register


def add_quiz(lab: str, questions: list[QuizQuestion]) -> None:
    """Register the quiz of a lab."""
    _registry.quizzes[lab] = questions


def _load(lab: str) -> None:
    if lab not in LABS:
        raise CourseError(f"There is no lab {lab!r}.", f"choose one of {', '.join(LABS)}.")
    importlib.import_module(f"{__package__}.lab_{lab}")


def get_exercise(id: str) -> Exercise:
    """The exercise with an id such as ``"01.3"``. Raises :class:`CourseError` that names the ids there are."""
    lab = str(id).split(".")[0]
    if lab not in LABS:
        raise CourseError(
            f"{id!r} is not the id of an exercise.", f"an id is like {min(LABS)}.1; there are labs {', '.join(LABS)}."
        )
    _load(lab)
    if id not in _registry.exercises:
        raise CourseError(f"There is no exercise {id!r}.", f"choose one of {', '.join(e.id for e in exercises_of(lab))}.")
    return _registry.exercises[id]


def exercises_of(lab: str) -> list[Exercise]:
    """The exercises of a lab, in order."""
    _load(lab)
    return sorted((one for one in _registry.exercises.values() if one.lab == lab), key=lambda one: one.id)


def quiz_of(lab: str) -> list[QuizQuestion]:
    """The quiz of a lab."""
    _load(lab)
    return _registry.quizzes.get(lab, [])
