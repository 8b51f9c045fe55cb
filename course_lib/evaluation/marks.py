"""Mark a RAG answer: is it right, does it name its source, does it know when to be silent, and if not, whose fault is it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..corpus.exam import Question
from ..pipeline import Answer
from .answers import abstains, chooses, exact_match, is_correct, token_f1
from .intervals import bootstrap_interval, wilson_interval

Facts = Sequence[Sequence[str]]
"""For each fact that a question needs, the ids of the passages that hold it; see :func:`course_lib.corpus.gold_passages`."""


def citation_scores(cited: Sequence[str], gold: Facts) -> tuple[float | None, float]:
    """Precision and recall of citations, after ALCE (Gao et al. 2023, arXiv 2305.14627), by id instead of by a judge model.

    Precision is the share of cited passages that hold a fact which the question needs; ``None`` where nothing is cited. Recall is
    the share of the facts for which a passage that holds them is cited; 0 where nothing is cited.

    >>> citation_scores(["a", "x"], gold=[["a", "b"], ["c"]])
    (0.5, 0.5)

    Raises ``ValueError`` where there is no gold.
    """
    if not gold:
        raise ValueError("citations can only be scored for a question with gold facts")
    holders = {passage for fact in gold for passage in fact}
    recall = sum(any(passage in cited for passage in fact) for fact in gold) / len(gold)
    precision = sum(passage in holders for passage in cited) / len(cited) if cited else None
    return precision, recall


def abstention_scores(abstained: Sequence[bool], answerable: Sequence[bool]) -> tuple[float | None, float | None]:
    """Precision and recall of abstaining: of the silences, the share that was due; of the unanswerable, the share that met silence.

    ``None`` where there was no silence, or nothing unanswerable.

    >>> abstention_scores([True, True, False], [True, False, False])
    (0.5, 0.5)
    """
    due = [silent for silent, possible in zip(abstained, answerable, strict=True) if not possible]
    silences = sum(abstained)
    return (sum(due) / silences if silences else None), (sum(due) / len(due) if due else None)


@dataclass(frozen=True)
class Mark:
    """The marks of one answer. ``facts_shown`` says whether every fact that the question needs was in the prompt."""

    question: Question
    right: bool
    exact: bool
    f1: float
    abstained: bool
    citations: int
    citation_precision: float | None
    citation_recall: float | None
    facts_shown: bool

    @property
    def blame(self) -> str:
        """``""`` for a right answer; else ``"retrieval"`` where a fact was missing from the prompt, ``"reader"`` where none was.

        Nothing is missing for an unanswerable question: there a wrong answer is always the reader's.
        """
        return "" if self.right else "reader" if self.facts_shown else "retrieval"


def mark(question: Question, words: str, shown: Sequence[str], cited: Sequence[str], gold: Facts) -> Mark:
    """Mark an answer (``words``, without citation marks) from the ids of the passages that were shown and cited.

    An answer that abstains is never right where the question can be answered, and an answer to a comparison must decide
    (:func:`~course_lib.evaluation.answers.chooses`): that is stricter than :func:`~course_lib.evaluation.answers.is_correct`.
    """
    silent = abstains(words)
    decided = question.type != "comparison" or chooses(question, words)
    accepted = [question.answer, *question.accept] if question.answerable else []
    precision, recall = citation_scores(cited, gold) if question.answerable else (None, None)
    return Mark(
        question,
        right=is_correct(question, words) and silent != question.answerable and decided,
        exact=any(exact_match(words, one) for one in accepted),
        f1=max((token_f1(words, one) for one in accepted), default=0.0),
        abstained=silent,
        citations=len(cited),
        citation_precision=precision,
        citation_recall=recall,
        facts_shown=all(any(passage in shown for passage in fact) for fact in gold),
    )


def mark_answer(question: Question, answer: Answer, gold: Facts) -> Mark:
    """:func:`mark` for an answer of the pipeline."""
    return mark(question, answer.words, [one.id for one in answer.passages], [one.id for one in answer.cited], gold)


@dataclass(frozen=True)
class Swap:
    """The same questions read twice, with what was retrieved and with the gold passages: how many were right when.

    ``both`` and ``neither`` say themselves; ``gold_only`` are right with the gold passages alone, ``retrieved_only`` with the
    retrieved ones alone.
    """

    both: int
    gold_only: int
    retrieved_only: int
    neither: int

    @property
    def failures(self) -> int:
        """How many were wrong with what was retrieved."""
        return self.gold_only + self.neither

    @property
    def shares(self) -> tuple[float, float]:
        """Of the failures, the share that is retrieval's (the gold passages mend it) and the share that is the reader's.

        (0.0, 0.0) where nothing failed.
        """
        return (self.gold_only / self.failures, self.neither / self.failures) if self.failures else (0.0, 0.0)


def swap_passages(retrieved: Sequence[bool], gold: Sequence[bool]) -> Swap:
    """Compare which questions were right with retrieved passages and which with gold passages, question by question.

    >>> swap_passages([True, False, False, True], [True, True, False, False])
    Swap(both=1, gold_only=1, retrieved_only=1, neither=1)

    Raises ``ValueError`` where the numbers of questions differ.
    """
    counts = {(one, other): 0 for one in (True, False) for other in (True, False)}
    for one, other in zip(retrieved, gold, strict=True):
        counts[bool(one), bool(other)] += 1
    return Swap(counts[True, True], counts[False, True], counts[True, False], counts[False, False])


@dataclass(frozen=True)
class Measure:
    """A mean with its 95 % interval, over ``n`` questions."""

    name: str
    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.name:<20} {self.value:6.1%}  ({self.low:.1%} to {self.high:.1%}, {self.n} questions)"


def share(name: str, hits: Sequence[bool]) -> Measure | None:
    """A share with Wilson's interval; ``None`` where there is nothing to share."""
    if not hits:
        return None
    low, high = wilson_interval(sum(hits), len(hits))
    return Measure(name, sum(hits) / len(hits), low, high, len(hits))


def mean(name: str, values: Sequence[float]) -> Measure | None:
    """A mean with its bootstrap interval; ``None`` where there are no values."""
    if not values:
        return None
    low, high = bootstrap_interval(values)
    return Measure(name, sum(values) / len(values), low, high, len(values))


def measures(marks: Sequence[Mark]) -> list[Measure]:
    """The four kinds of measure with their intervals: right answers, F1, citations, abstention; those without a value are left out.

    Citation precision is the mean over answers that cite, recall the mean over all that could have.
    """
    asked = [one for one in marks if one.question.answerable]
    unanswerable = [one for one in marks if not one.question.answerable]
    found = [
        share("right", [one.right for one in asked]),
        share("exact", [one.exact for one in asked]),
        mean("token F1", [one.f1 for one in asked]),
        share("cites at all", [one.citations > 0 for one in asked]),
        mean("citation precision", [one.citation_precision for one in asked if one.citation_precision is not None]),
        mean("citation recall", [one.citation_recall for one in asked if one.citation_recall is not None]),
        share("abstention precision", [not one.question.answerable for one in marks if one.abstained]),
        share("abstention recall", [one.abstained for one in unanswerable]),
    ]
    return [one for one in found if one is not None]


def by_type(marks: Sequence[Mark], value: Callable[[Mark], bool]) -> dict[str, Measure]:
    """A share for each type of question, in the exam's order."""
    from ..corpus.exam import TYPES

    found = {kind: share(kind, [value(one) for one in marks if one.question.type == kind]) for kind in TYPES}
    return {kind: one for kind, one in found.items() if one is not None}
