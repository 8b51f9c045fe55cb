"""How good an assistant over a folder is, on questions of one's own: what is found, right, cited, and left unanswered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ..evaluation.answers import contains_answer
from .assistant import FolderAnswer

Questions = Mapping[str, Sequence[str]]
"""A question, and the spellings of its answer; none where the folder does not answer it."""


class Answers(Protocol):
    """Whatever answers a question as :class:`~course_lib.folders.assistant.FolderAssistant` does."""

    def ask(self, question: str, max_new_tokens: int | None = None) -> FolderAnswer:
        """Answer one question."""


@dataclass(frozen=True)
class Row:
    """One question and what became of it.

    ``found``: an accepted answer stands in a passage that the model was shown. ``right``: it stands in what was said. ``cited``: it stands in
    the words that the answer names as its source. Where the assistant abstained, or there is nothing to accept, all three are false.
    """

    question: str
    answerable: bool
    abstained: bool
    found: bool
    right: bool
    cited: bool
    said: str

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)


def measure(assistant: Answers, questions: Questions) -> list[Row]:
    """Ask every question, in order, and mark each answer by its words, without a judge."""
    return [mark(assistant.ask(question), accepted) for question, accepted in questions.items()]


def mark(answer: FolderAnswer, accepted: Sequence[str]) -> Row:
    """The row of one answer."""

    def holds(text: str) -> bool:
        return contains_answer(text, list(accepted))

    given = not answer.abstained
    return Row(
        answer.question,
        answerable=bool(accepted),
        abstained=answer.abstained,
        found=any(holds(source.passage.text) for source in answer.shown),
        right=given and holds(answer.words),
        cited=given and any(holds(source.quote) for source in answer.sources),
        said=answer.text,
    )


def highest_threshold(similarities: Sequence[float], allowed: float) -> float:
    """The highest threshold that silences at most a share ``allowed`` of questions that should be answered.

    An assistant is silent where the similarity is *below* the threshold. ``allowed`` is at least 0 and less than 1. The answer is one of the
    similarities; 0.0 where there are none.

    >>> highest_threshold([0.62, 0.35, 0.51, 0.48], 0.25), highest_threshold([0.62, 0.35, 0.51, 0.48], 0)
    (0.48, 0.35)

    Raises ``ValueError`` for another share.
    """
    if not 0 <= allowed < 1:
        raise ValueError("allowed must be at least 0 and less than 1")
    silenced = math.floor(allowed * len(similarities) + 1e-9)  # 0.29 · 100 is a little less than 29
    return sorted(similarities)[silenced] if similarities else 0.0


def rubric(rows: Sequence[Mapping[str, bool]]) -> dict[str, float | None]:
    """Four shares, 0 to 1, of rows with ``answerable``, ``abstained``, ``right`` and ``cited``; ``None`` where there is nothing to divide by.

    ``right``: of the answerable, those answered rightly. ``cited``: of the answers that were given, to answerable questions or not, those
    whose source holds the answer. ``silent``: of the unanswerable, those left unanswered. ``mute``: of the answerable, those left unanswered.

    >>> rubric([{"answerable": True, "abstained": False, "right": True, "cited": True}])
    {'right': 1.0, 'cited': 1.0, 'silent': None, 'mute': 0.0}
    """
    answerable = [row for row in rows if row["answerable"]]
    others = [row for row in rows if not row["answerable"]]
    given = [row for row in rows if not row["abstained"]]
    return {
        "right": _share([row["right"] for row in answerable]),
        "cited": _share([row["cited"] for row in given]),
        "silent": _share([row["abstained"] for row in others]),
        "mute": _share([row["abstained"] for row in answerable]),
    }


def _share(marks: Sequence[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None
