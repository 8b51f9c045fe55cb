"""Join the rankings of several searches by reciprocal rank fusion (Cormack, Clarke & Büttcher 2009, doi 10.1145/1571941.1572114)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from ..ledger import stage
from ..models import Embedder
from .dense import DenseIndex
from .lexical import BM25Index
from .records import Filter, Hit, Text


class Searcher(Protocol):
    """Anything that finds texts: :class:`BM25Index`, :class:`DenseIndex`, :class:`HybridIndex`, or your own."""

    def search(self, question: str, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """At most ``k`` hits that pass the filter, best first."""

    def search_many(self, questions: Sequence[str], k: int = 5, where: Filter | None = None) -> list[list[Hit]]:
        """:meth:`search` for each question."""


def fusion_scores(rankings: Sequence[Sequence[str]], k: int = 60) -> dict[str, float]:
    """The votes for each id: ``1 / (k + rank)``, ranks from 1, added up over the rankings that hold it.

    An id that stands twice in a ranking is counted where it stands first.

    >>> fusion_scores([["a", "b"], ["b"]], k=1)
    {'a': 0.5, 'b': 0.8333333333333333}
    """
    votes: dict[str, list[float]] = {}
    for ranking in rankings:
        for rank, name in enumerate(dict.fromkeys(ranking), start=1):
            votes.setdefault(name, []).append(1 / (k + rank))
    return {name: math.fsum(given) for name, given in votes.items()}  # fsum: the order of the rankings changes nothing


def reciprocal_rank_fusion(rankings: list[list[str]], k: int = 60) -> list[str]:
    """Fuse rankings of passage ids into one, best first; on a tie the id that comes first in the alphabet.

    >>> reciprocal_rank_fusion([["a", "b", "c"], ["c", "b"]])
    ['c', 'b', 'a']
    """
    votes = fusion_scores(rankings, k)
    return sorted(votes, key=lambda name: (-votes[name], name))


class HybridIndex:
    """Several searches over the same passages, fused; the score of a hit is the sum of its votes (:func:`fusion_scores`).

    Each search gives its first ``depth`` hits (or ``k`` of the search where that is more). The filter goes into each search.
    """

    def __init__(self, indexes: Sequence[Searcher], k: int = 60, depth: int = 50) -> None:
        if not indexes or k < 0 or depth < 1:
            raise ValueError("a hybrid search needs at least one index, k of at least 0 and depth of at least 1")
        self.indexes, self.k, self.depth = list(indexes), k, depth

    def search(self, question: str, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The ``k`` passages with the most votes, best first, on a tie by id."""
        depth = self._depth(k)
        found = [index.search(question, depth, where) for index in self.indexes]
        with stage("search"):
            return self._fuse(found)[:k]

    def search_many(self, questions: Sequence[str], k: int = 5, where: Filter | None = None) -> list[list[Hit]]:
        """:meth:`search` for many questions."""
        depth = self._depth(k)
        found = [index.search_many(questions, depth, where) for index in self.indexes]
        with stage("search"):
            return [self._fuse(lists)[:k] for lists in zip(*found, strict=True)]

    def _depth(self, k: int) -> int:
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        return max(self.depth, k)

    def _fuse(self, lists: Sequence[Sequence[Hit]]) -> list[Hit]:
        texts = {hit.passage.id: hit.passage for hits in lists for hit in hits}
        votes = fusion_scores([[hit.passage.id for hit in hits] for hits in lists], self.k)
        return [Hit(texts[name], votes[name]) for name in sorted(votes, key=lambda name: (-votes[name], name))]


def hybrid(passages: Sequence[Text], model: Embedder | None = None) -> HybridIndex:
    """BM25 and dense search over the same passages, fused."""
    return HybridIndex([BM25Index(passages), DenseIndex(passages, model)])
