"""Which questions of earlier labs to ask again: those that went wrong, then those that are long ago.

What was answered lies in ``quizzes.json`` beside the progress: for each question how often it was answered right in a row, and
when it was answered last. A right answer doubles the days until the question is due again (2, 4, 8, …); a wrong one makes it due
at once. Expanding intervals: Landauer and Bjork, 1978, "Optimum rehearsal patterns and name learning".
"""

from __future__ import annotations

import datetime
import random
from pathlib import Path
from typing import Any

from ..places import data_folder
from .progress import State, change_table, read_table
from .registry import LABS, QuizQuestion, quiz_of

MANY = 3
LONGEST = 64  # days


def quizzes_file() -> Path:
    """Where the answers to quizzes are kept."""
    return data_folder() / "quizzes.json"


def key_of(lab: str, number: int) -> str:
    """The name of a quiz's question, counted from 1, in the file.

    >>> key_of("02", 1)
    '02 question 1'
    """
    return f"{lab} question {number}"


def earlier_questions(lab: str) -> dict[str, QuizQuestion]:
    """The questions of all labs before ``lab``, by name, in order."""
    labs = [one for one in LABS if one < lab]
    return {key_of(one, number): question for one in labs for number, question in enumerate(quiz_of(one), start=1)}


def note_answer(key: str, right: bool, today: datetime.date | None = None) -> None:
    """Note how a question was answered."""
    day = (today or datetime.date.today()).isoformat()

    def change(table: State) -> None:
        row = table.setdefault(key, {})
        row["in a row"] = _count(row) + 1 if right else 0
        row["last"] = day

    change_table(quizzes_file(), change)


def _count(row: dict[str, Any]) -> int:
    many = row.get("in a row")
    return many if isinstance(many, int) else 0


def _rank(row: dict[str, Any] | None, today: datetime.date) -> tuple[int, float]:
    """The smaller, the sooner a question is asked: wrong, then due, then never asked, then the rest."""
    try:
        days = (today - datetime.date.fromisoformat(row["last"])).days if row else 0
    except (KeyError, TypeError, ValueError):
        row = None
    if row is None:
        return (2, 0.0)
    if not _count(row):
        return (0, -days)
    waited = days / min(2 ** _count(row), LONGEST)
    return (1, -waited) if waited >= 1 else (3, -waited)


def choose(lab: str, table: State, today: datetime.date, seed: int = 0, many: int = MANY) -> list[str]:
    """The names of up to ``many`` questions from the labs before ``lab``; the same for the same table, day and seed."""
    names = list(earlier_questions(lab))
    random.Random(f"{seed} {lab}").shuffle(names)  # who is equal comes in this order
    return sorted(names, key=lambda name: _rank(table.get(name), today))[:many]


def drawn(lab: str, seed: int = 0, today: datetime.date | None = None) -> list[tuple[str, QuizQuestion]]:
    """The questions at the start of a lab, with their names. All day long the same, so that an answer can name one by its number."""
    today = today or datetime.date.today()
    questions, name = earlier_questions(lab), f"drawn for {lab}, seed {seed}"
    row = read_table(quizzes_file()).get(name, {})
    kept = row.get("questions")
    if row.get("day") == today.isoformat() and isinstance(kept, list) and kept and all(key in questions for key in kept):
        return [(key, questions[key]) for key in kept]
    keys: list[str] = []

    def change(table: State) -> None:
        keys[:] = choose(lab, table, today, seed)
        table[name] = {"day": today.isoformat(), "questions": keys}

    if questions:
        change_table(quizzes_file(), change)
    return [(key, questions[key]) for key in keys or choose(lab, {}, today, seed)]
