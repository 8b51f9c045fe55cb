"""How good a ranking is."""

from __future__ import annotations

from collections.abc import Sequence


def recall_at_k(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    """The share of a question's facts that the first ``k`` passages hold, 0 to 1.

    ``gold`` has one list for each fact: the ids of the passages that hold it. One of them is enough. A fact without any
    passage (the chunker cut it in two) counts as not found.

    >>> recall_at_k(["a", "b", "c"], gold=[["b", "x"], ["c"]], k=2)
    0.5

    Raises ``ValueError`` where there is no gold or ``k`` is below 1.
    """
    if not gold or k < 1:
        raise ValueError("recall needs at least one gold fact and k of at least 1")
    found = set(ranking[:k])
    return sum(any(passage in found for passage in fact) for fact in gold) / len(gold)


def mean_recall(rankings: Sequence[Sequence[str]], golds: Sequence[Sequence[Sequence[str]]], k: int) -> float:
    """The mean of :func:`recall_at_k` over questions."""
    return sum(recall_at_k(ranking, gold, k) for ranking, gold in zip(rankings, golds, strict=True)) / len(rankings)
