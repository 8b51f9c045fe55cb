"""How good a ranking is. The measures agree with trec_eval's (github.com/usnistgov/trec_eval); a test compares them.

In every measure an id that stands twice in a ranking counts where it stands first; the second is left out before the first ``k``
are taken. What nobody judged is not relevant.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..corpus.exam import TYPES, Question
from .intervals import bootstrap_interval, paired_difference

if TYPE_CHECKING:
    from ..retrieval import Filter, Searcher

Facts = Sequence[Sequence[str]]
"""For each fact that a question needs, the ids of the passages that hold it."""
Grades = Mapping[str, float]
"""How relevant each judged id is; 0 or below is not relevant."""


def rank(scores: Mapping[str, float]) -> list[str]:
    """Ids by score, highest first; on a tie the id that comes *last* in the alphabet first, as trec_eval does it.

    >>> rank({"a": 0.5, "b": 0.5, "c": 0.9})
    ['c', 'b', 'a']
    """
    return sorted(sorted(scores, reverse=True), key=lambda name: -scores[name])


def _first(ranking: Sequence[str], k: int | None = None) -> list[str]:
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return list(dict.fromkeys(ranking))[:k]


def recall_at_k(ranking: Sequence[str], gold: Facts, k: int) -> float:
    """The share of a question's facts that the first ``k`` passages hold, 0 to 1.

    ``gold`` has one list for each fact: the ids of the passages that hold it. One of them is enough. A fact without any
    passage (the chunker cut it in two) counts as not found.

    >>> recall_at_k(["a", "b", "c"], gold=[["b", "x"], ["c"]], k=2)
    0.5

    Raises ``ValueError`` where there is no gold or ``k`` is below 1.
    """
    if not gold or k < 1:
        raise ValueError("recall needs at least one gold fact and k of at least 1")
    found = set(_first(ranking, k))
    return sum(any(passage in found for passage in fact) for fact in gold) / len(gold)


def mean_recall(rankings: Sequence[Sequence[str]], golds: Sequence[Facts], k: int) -> float:
    """The mean of :func:`recall_at_k` over questions."""
    return sum(recall_at_k(ranking, gold, k) for ranking, gold in zip(rankings, golds, strict=True)) / len(rankings)


def recall_of(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The share of all relevant ids that stand among the first ``k``, 0 to 1: recall as public benchmarks count it.

    >>> recall_of(["a", "b", "c"], {"b", "c"}, k=2)
    0.5

    Raises ``ValueError`` where nothing is relevant or ``k`` is below 1.
    """
    if not relevant:
        raise ValueError("recall is not defined where nothing is relevant; leave the question out")
    return len(set(_first(ranking, k)) & set(relevant)) / len(set(relevant))


def precision_at_k(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The share of the first ``k`` places that hold something relevant, 0 to 1. An empty place counts as wrong.

    >>> precision_at_k(["a", "b"], {"b"}, k=5)
    0.2
    """
    return len(set(_first(ranking, k)) & set(relevant)) / k


def reciprocal_rank(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """1 divided by the rank of the first relevant id, ranks from 1; 0 where none is found. Its mean over questions is MRR.

    >>> reciprocal_rank(["a", "b", "c"], {"b", "c"})
    0.5
    """
    return next((1 / place for place, name in enumerate(_first(ranking), start=1) if name in relevant), 0.0)


def average_precision(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """The mean, over all relevant ids, of the precision at the rank of each (0 for one that is not found). Its mean is MAP.

    >>> average_precision(["a", "b", "c"], {"a", "c"})
    0.8333333333333333

    Raises ``ValueError`` where nothing is relevant.
    """
    if not relevant:
        raise ValueError("average precision is not defined where nothing is relevant; leave the question out")
    found, total = 0, 0.0
    for place, name in enumerate(_first(ranking), start=1):
        if name in relevant:
            found += 1
            total += found / place
    return total / len(set(relevant))


def ndcg_at_k(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Normalised discounted cumulative gain, 0 to 1 (Järvelin & Kekäläinen 2002, doi 10.1145/582415.582418).

    The gain of an id is its grade, divided by ``log2(1 + rank)``; the sum over the first ``k`` is divided by that of the best
    possible ranking of everything judged. 0 where all grades are 0, as in trec_eval.

    >>> round(ndcg_at_k(["a", "b", "c"], {"b": 2, "c": 1, "d": 0}, k=3), 3)
    0.67

    Raises ``ValueError`` where nothing is judged or ``k`` is below 1.
    """
    if not grades:
        raise ValueError("nDCG is not defined where nothing is judged; leave the question out")
    ideal = _gain(sorted(grades.values(), reverse=True)[:k])
    reached = _gain([grades.get(name, 0) for name in _first(ranking, k)])
    return reached / ideal if ideal else 0.0


def _gain(grades: Sequence[float]) -> float:
    return sum(max(grade, 0) / math.log2(1 + place) for place, grade in enumerate(grades, start=1))


def evaluate(
    rankings: Sequence[Sequence[str]], golds: Sequence[Facts | Grades], k: int = 5, ndcg_k: int = 10
) -> dict[str, list[float]]:
    """Recall, precision, reciprocal rank and nDCG of each question, by name, in the order of the questions.

    A question's gold is a list of facts (the course's exam) or grades by id (a public benchmark's judgements). With facts,
    recall is :func:`recall_at_k`; for the other measures every passage that holds one of the facts is relevant with grade 1.
    A question whose facts no passage holds scores 0.

    >>> evaluate([["a", "b"]], [[["b"]]], k=1)
    {'recall@1': [0.0], 'precision@1': [0.0], 'RR': [0.5], 'nDCG@10': [0.6309297535714575]}

    Raises ``ValueError`` for a question without any judgement (leave such questions out, as trec_eval does), and where the
    numbers of rankings and golds differ.
    """
    names = (f"recall@{k}", f"precision@{k}", "RR", f"nDCG@{ndcg_k}")
    marks: dict[str, list[float]] = {name: [] for name in names}
    for ranking, gold in zip(rankings, golds, strict=True):
        if not gold:
            raise ValueError("a question without judgements cannot be scored; leave it out")
        facts: Facts = [[name] for name, grade in gold.items() if grade > 0] if isinstance(gold, Mapping) else gold
        grades: Grades = gold if isinstance(gold, Mapping) else {name: 1 for fact in facts for name in fact}
        relevant = {name for name, grade in grades.items() if grade > 0}
        recall = recall_at_k(ranking, facts, k) if facts else 0.0
        ndcg = ndcg_at_k(ranking, grades, ndcg_k) if grades else 0.0
        values = (recall, precision_at_k(ranking, relevant, k), reciprocal_rank(ranking, relevant), ndcg)
        for name, value in zip(names, values, strict=True):
            marks[name].append(value)
    return marks


@dataclass(frozen=True)
class SearchScore:
    """What came of one search: each question's marks by measure (:func:`evaluate`) and its ranking of ids.

    >>> print(SearchScore("words", {"recall@5": [1.0, 1.0], "RR": [1.0, 1.0], "nDCG@10": [1.0, 1.0]}, []))
    words     recall@5 1.00 (1.00 to 1.00)   RR 1.00 (1.00 to 1.00)   nDCG@10 1.00 (1.00 to 1.00)
    """

    name: str
    marks: dict[str, list[float]] = field(repr=False)
    rankings: list[list[str]] = field(repr=False)

    def mean(self, measure: str) -> float:
        """The mean of a measure over the questions."""
        return sum(self.marks[measure]) / len(self.marks[measure])

    def __str__(self) -> str:
        parts = []
        for measure, values in self.marks.items():
            if not measure.startswith("precision"):
                low, high = bootstrap_interval(values)
                parts.append(f"{measure} {self.mean(measure):.2f} ({low:.2f} to {high:.2f})")
        return f"{self.name:<8}  {'   '.join(parts)}"


def evaluate_search(
    name: str, search: Searcher, questions: Sequence[str], golds: Sequence[Facts | Grades], where: Filter | None = None
) -> SearchScore:
    """Ask a search every question, 50 hits deep, and compare with where the answers stand."""
    found = search.search_many(questions, k=50, where=where)
    rankings = [[hit.passage.id for hit in hits] for hits in found]
    return SearchScore(name, evaluate(rankings, golds), rankings)


def by_type(questions: Sequence[Question], values: Sequence[float]) -> dict[str, list[float]]:
    """Values sorted by the type of their question, types in the exam's order, then all of them.

    >>> by_type([Question("q", "p", "table", "dev", "?", "!"), Question("r", "p", "single", "dev", "?", "!")], [0.5, 1.0])
    {'single': [1.0], 'table': [0.5], 'all': [0.5, 1.0]}
    """
    pairs = list(zip(questions, values, strict=True))
    groups = {kind: [value for question, value in pairs if question.type == kind] for kind in TYPES}
    return {kind: kept for kind, kept in groups.items() if kept} | {"all": list(values)}


def compare_by_type(questions: Sequence[Question], scores: Sequence[SearchScore], measure: str = "nDCG@10") -> str:
    """A table: for each type of question the mean of every search, and how much the last one gains over each of the others."""
    *others, last = scores
    groups = {score.name: by_type(questions, score.marks[measure]) for score in scores}
    columns = "".join(f"{score.name:>9}" for score in scores) + "".join(f"   {last.name + ' - ' + o.name:<22}" for o in others)
    lines = [f"{measure:<11} {'n':>4}{columns}".rstrip()]
    for kind, values in groups[last.name].items():
        means = "".join(f"{sum(groups[s.name][kind]) / len(values):>9.2f}" for s in scores)
        gains = "".join(f"   {paired_difference(values, groups[other.name][kind])!s:<22}" for other in others)
        lines.append(f"{kind:<11} {len(values):>4}{means}{gains}".rstrip())
    return "\n".join(lines)
