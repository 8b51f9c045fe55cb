"""The closed-book exam of the untouched model: asked once in full, shipped with the course, remade by one command.

``python -m course_lib.evaluation.closed_book`` asks every exam question again and writes the result file. Scores are not
stored: they are computed from the answers by whoever reads them, with the library as it is then.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..corpus import Question, load_exam
from ..generation import chat_messages, generate
from ..models import LANGUAGE_MODEL, LanguageModel, language_model
from . import shipped
from .answers import is_correct
from .intervals import wilson_interval

RESULTS = shipped.RESULTS / "closed_book.json"
COMMAND = "python -m course_lib.evaluation.closed_book"


@dataclass(frozen=True)
class Score:
    """A share of right answers with its 95 % interval (Wilson)."""

    name: str
    right: int
    asked: int

    @property
    def share(self) -> float:
        """Right answers divided by questions."""
        return self.right / self.asked

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share."""
        return wilson_interval(self.right, self.asked)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.name:<14} {self.right:>3} of {self.asked:>3} right  {self.share:6.1%}  (95 % interval {low:.1%} to {high:.1%})"


def score_by_type(questions: list[Question], answers: list[str]) -> list[Score]:
    """Scores per question type in the exam's order, then one for all answerable questions and one for all.

    >>> from course_lib.corpus import Gold
    >>> asked = Question("q", "p", "single", "exam", "How hot?", "91 °C", gold=(Gold("d", "at 91 °C"),))
    >>> print(score_by_type([asked], ["It is 91°C."])[0])
    single           1 of   1 right  100.0%  (95 % interval 20.7% to 100.0%)
    """
    from ..corpus.exam import TYPES

    marks = [(question, is_correct(question, answer)) for question, answer in zip(questions, answers, strict=True)]
    groups = [(kind, [right for question, right in marks if question.type == kind]) for kind in TYPES]
    groups.append(("answerable", [right for question, right in marks if question.answerable]))
    groups.append(("all", [right for _, right in marks]))
    return [Score(name, sum(rights), len(rights)) for name, rights in groups if rights]


def exam_hash(questions: list[Question]) -> str:
    """A hash of what was asked. The right answers are not in it: marks are computed anew."""
    return hashlib.sha256(json.dumps([[question.id, question.question] for question in questions]).encode()).hexdigest()


def ask_closed_book(lm: LanguageModel, questions: list[Question], progress: bool = False) -> list[str]:
    """Ask the model each question with nothing to look up."""
    return generate(lm, [chat_messages(question.question) for question in questions], progress=progress)


def save_results(path: Path, questions: list[Question], answers: list[str], about: dict[str, Any]) -> None:
    """Write answers with the hashes that make them checkable."""
    rows = [{"id": question.id, "answer": answer} for question, answer in zip(questions, answers, strict=True)]
    shipped.write_rows(path, rows, about, {"exam": exam_hash(questions)})


def load_results(path: Path = RESULTS) -> tuple[list[Question], list[str], dict[str, Any]]:
    """The questions, the answers and what is known about the run.

    Raises :class:`CourseError <course_lib.errors.CourseError>` where the file is missing or damaged, or was made with another exam.
    """
    questions = load_exam("exam")
    rows, about = shipped.read_rows(path, {"exam": exam_hash(questions)}, COMMAND)
    return questions, [row["answer"] for row in rows], about


def main() -> None:
    """Ask the whole exam and write the result file."""
    shipped.command_line(__doc__)
    lm, questions = language_model(), load_exam("exam")
    start = time.perf_counter()
    answers = ask_closed_book(lm, questions, progress=True)
    seconds = time.perf_counter() - start
    about = {
        "model": lm.name,
        "model_sha256": LANGUAGE_MODEL.sha256,
        "questions": len(questions),
        "seconds": round(seconds),
        **shipped.about_this_run(),
    }
    save_results(RESULTS, questions, answers, about)
    for score in score_by_type(questions, answers):
        print(score)
    print(f"{seconds:.0f} s, written to {RESULTS}")


if __name__ == "__main__":
    main()
