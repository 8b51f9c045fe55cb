"""Rank what a search found once more, by a model that reads question and passage together: a cross-encoder.

An embedder reads a passage before it knows the question. A cross-encoder (Nogueira & Cho 2019, arXiv 1901.04085) reads both at once,
so that every word of the one can look at every word of the other; that is dearer, so it reads the first hits of a search only.

This one is made from the embedder. Its lower layers read question and passage apart, and what they make of a passage is kept
(MacAvaney et al. 2020, arXiv 2004.14255); the upper ones read both together. The score compares the two parts of what comes out: the
mean of the question's tokens and that of the passage's, as unit vectors, multiplied number by number and summed with weights. With
the weights that it begins with, all equal, that is their cosine, so that even untrained it ranks about as the embedder does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ledger import stage
from ..models import Embedder
from ..models.encoder import Halves
from ..models.load import unit_mean
from .fusion import Searcher
from .records import Filter, Hit, titled

WEIGHT = 20.0
"""The weight of each number at first: scores then lie between -20 and 20."""
DEPTH = 20
KEPT = 2000


class Reranker:
    """A cross-encoder over an embedder's ``upper`` top layers.

    ``mark`` (width,) is added to the question's tokens where the two meet, so that the upper layers can tell them from the passage's;
    ``weigh`` (width,) are the weights of the score. Both are trained; without them they are zeros and :data:`WEIGHT`.

    What the lower layers make of the last :data:`KEPT` passages is kept in memory, about 0.2 MB each.
    """

    def __init__(self, model: Embedder, upper: int, mark: Any = None, weigh: Any = None) -> None:
        import torch

        self.halves = Halves(model, upper)
        self.mark = torch.zeros(model.dimension) if mark is None else mark
        self.weigh = torch.full((model.dimension,), WEIGHT) if weigh is None else weigh
        self._states: dict[str, Any] = {}

    def scores(self, questions: Sequence[Any], passages: Sequence[Any]) -> Any:
        """The score of each question with the passage in its place, both given as states (tokens, width): shape (n,), with gradients."""
        import torch

        joined = [torch.cat([asked + self.mark, told]) for asked, told in zip(questions, passages, strict=True)]
        out, mask = self.halves.upper(joined)
        first = torch.arange(out.shape[1]) < torch.tensor([len(asked) for asked in questions])[:, None]
        return (unit_mean(out, mask & first) * unit_mean(out, mask & ~first)) @ self.weigh

    def score(self, question: str, texts: Sequence[str], batch_size: int = 16) -> list[float]:
        """The score of a question with each text."""
        import torch

        told = self._lower(texts)
        (asked,) = self.halves.lower([question])
        order = sorted(range(len(texts)), key=lambda row: len(told[row]))
        made: dict[int, float] = {}
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                scores = self.scores([asked] * len(rows), [told[row] for row in rows]).tolist()
                made.update(zip(rows, scores, strict=True))
        return [made[row] for row in range(len(texts))]

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """The hits in the order of their scores by this model, which become theirs; on a tie as they were."""
        scores = self.score(question, [titled(hit.passage) for hit in hits])
        return sorted((Hit(hit.passage, score) for hit, score in zip(hits, scores, strict=True)), key=lambda hit: -hit.score)

    def _lower(self, texts: Sequence[str]) -> list[Any]:
        new = [text for text in dict.fromkeys(texts) if text not in self._states]
        if len(self._states) + len(new) > KEPT:
            self._states, new = {}, list(dict.fromkeys(texts))
        self._states.update(zip(new, self.halves.lower(new), strict=True))
        return [self._states[text] for text in texts]


class RerankedIndex:
    """A search whose first ``depth`` hits are ranked once more. What it found deeper follows in its order, unread: score minus infinity."""

    def __init__(self, index: Searcher, reranker: Reranker, depth: int = DEPTH) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        self.index, self.reranker, self.depth = index, reranker, depth

    def search(self, question: str, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The ``k`` best hits that pass the filter."""
        return self._ranked(question, self.index.search(question, max(k, self.depth), where))[:k]

    def search_many(self, questions: Sequence[str], k: int = 5, where: Filter | None = None) -> list[list[Hit]]:
        """:meth:`search` for many questions; the reranker reads one after the other."""
        found = self.index.search_many(questions, max(k, self.depth), where)
        return [self._ranked(question, hits)[:k] for question, hits in zip(questions, found, strict=True)]

    def _ranked(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        with stage("rerank"):
            read = self.reranker.rerank(question, hits[: self.depth])
        return [*read, *(Hit(hit.passage, -math.inf) for hit in hits[self.depth :])]
