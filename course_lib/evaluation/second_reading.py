"""How often the marking rule errs: answers of the shipped run, read one by one against the documents.

The result file says of each answer whether a reader who knows the documents would accept it, and why not where the rule disagrees.
It holds no marks of the rule: those are computed anew. It is bound to the very answers that were read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..corpus import Question
from . import shipped
from .open_book import Run

RESULTS = shipped.RESULTS / "second_reading.json"
HOW = "read the answers again, then write the file with course_lib.evaluation.shipped.write_rows"


@dataclass(frozen=True)
class SecondReading:
    """An answer as the rule marked it and as a reader did. ``why`` is the reader's reason where the two disagree."""

    question: Question
    text: str
    marked: bool
    right: bool
    why: str = ""


def answers_hash(run: Run, ids: Sequence[str]) -> dict[str, str]:
    """The hash of the answers that were read: those with the gold passages."""
    texts = {one.question.id: one.text for one in run.readings("gold")}
    return {"answers": shipped.digest([[name, texts.get(name)] for name in ids])}


def load_second_reading(run: Run, path: Path = RESULTS) -> list[SecondReading]:
    """The second reading of a run, in the order of the file.

    Raises :class:`CourseError <course_lib.errors.CourseError>` where the file is missing or damaged, or where other answers were read.
    """
    rows, _ = shipped.read_rows(path, {}, HOW)
    shipped.read_rows(path, answers_hash(run, [row["id"] for row in rows]), HOW)
    marks = {mark.question.id: mark for mark in run.marks("gold")}
    texts = {one.question.id: one.text for one in run.readings("gold")}
    return [
        SecondReading(marks[row["id"]].question, texts[row["id"]], marks[row["id"]].right, row["right"], row["why"])
        for row in rows
    ]
