"""The closed-book exam of the untouched model: asked once in full, shipped with the course, remade by one command.

``python -m course_lib.evaluation.closed_book`` asks every exam question again and writes the result file. Scores are not
stored: they are computed from the answers by whoever reads them, with the library as it is then.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..corpus import Question, load_exam
from ..errors import CourseError
from ..generation import chat_messages, generate
from ..models import LANGUAGE_MODEL, LanguageModel, language_model
from .answers import is_correct
from .intervals import wilson_interval

RESULTS = Path(__file__).resolve().parent.parent / "results" / "closed_book.json"


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
    digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
    content = {"about": about, "exam_sha256": exam_hash(questions), "rows_sha256": digest, "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load_results(path: Path = RESULTS) -> tuple[list[Question], list[str], dict[str, Any]]:
    """The questions, the answers and what is known about the run.

    Raises :class:`CourseError` where the file is missing or damaged, or was made with another exam.
    """
    remake = "reinstall the course, or remake it: python -m course_lib.evaluation.closed_book"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = content["rows"]
        digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
        if digest != content["rows_sha256"]:
            raise ValueError("its hash differs")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseError(f"The result file {path.name} cannot be used: {error}.", remake) from error
    questions = load_exam("exam")
    if content["exam_sha256"] != exam_hash(questions):
        raise CourseError(f"The result file {path.name} was made with another version of the exam.", remake)
    return questions, [row["answer"] for row in rows], content["about"]


def main() -> None:
    """Ask the whole exam and write the result file."""
    lm, questions = language_model(), load_exam("exam")
    start = time.perf_counter()
    answers = ask_closed_book(lm, questions, progress=True)
    seconds = time.perf_counter() - start
    about = {
        "model": lm.name,
        "model_sha256": LANGUAGE_MODEL.sha256,
        "questions": len(questions),
        "seconds": round(seconds),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }
    save_results(RESULTS, questions, answers, about)
    for score in score_by_type(questions, answers):
        print(score)
    print(f"{seconds:.0f} s, written to {RESULTS}")


if __name__ == "__main__":
    main()
