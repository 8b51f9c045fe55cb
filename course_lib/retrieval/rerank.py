"""Rank what a search found once more, by a model that reads question and passage together: a cross-encoder.

An embedder reads a passage before it knows the question. A cross-encoder (Nogueira & Cho 2019, arXiv 1901.04085) reads both at once,
so that every word of the one can look at every word of the other; that is dearer, so it reads the first hits of a search only.

This one is made from the embedder. Its lower layers read question and passage apart, and what they make of a passage is kept
(MacAvaney et al. 2020, arXiv 2004.14255); the upper ones read both together. What comes out is compared: the mean of the question's
tokens and that of the passage's, as unit vectors, multiplied number by number and summed with weights. That is one half of the score;
the other is the embedder's own cosine, so that a small training set only has to teach by how much, and where, to correct it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from ..ledger import stage
from ..models import Embedder
from ..models.encoder import Halves
from ..models.load import unit_mean
from .fusion import Searcher
from .records import Filter, Hit, titled

WEIGHT = 20.0
"""What the embedder's cosine is multiplied by, and the weight of each number of the other half at first."""
DEPTH = 20
KEPT = 2000

Read = tuple[Any, Any]
"""What is known of a text alone: its states (tokens, width), and its embedding by the embedder whose hits are ranked (width,)."""


T = TypeVar("T")


def reranked(ranking: Sequence[T], scores: Sequence[float]) -> list[T]:
    """A ranking whose first ``len(scores)`` entries are put in the order of their scores, highest first, on a tie as they were.

    The rest follows as it was.

    >>> reranked(["a", "b", "c", "d"], [-2.0, -1.0, -1.0])
    ['b', 'c', 'a', 'd']

    Raises ``ValueError`` for more scores than entries.
    """
    if len(scores) > len(ranking):
        raise ValueError(f"there are {len(scores)} scores for {len(ranking)} entries")
    order = sorted(range(len(scores)), key=lambda row: -scores[row])
    return [*(ranking[row] for row in order), *ranking[len(scores) :]]


class Reranker:
    """A cross-encoder over an embedder's ``upper`` top layers.

    ``model`` is the embedder ``first``, or that one with a LoRA on these layers; ``first`` gives the cosines. ``mark`` (width,) is added
    to the question's tokens where the two meet, so that the upper layers can tell them from the passage's; ``weigh`` (width,) are the
    weights of what comes out. Both are trained; without them they are zeros and :data:`WEIGHT`.

    What the lower layers make of the last :data:`KEPT` passages is kept in memory, about 0.2 MB each.
    """

    def __init__(self, first: Embedder, model: Embedder, upper: int, mark: Any = None, weigh: Any = None) -> None:
        import torch

        self.first, self.halves = first, Halves(model, upper)
        self.mark = torch.zeros(model.dimension) if mark is None else mark
        self.weigh = torch.full((model.dimension,), WEIGHT) if weigh is None else weigh
        self._kept: dict[str, Read] = {}

    def read(self, texts: Sequence[str], progress: bool = False) -> list[Read]:
        """Read texts alone, without gradients."""
        import torch

        vectors = torch.from_numpy(self.first.encode(list(texts), progress=progress))
        return list(zip(self.halves.lower(texts, progress=progress), vectors, strict=True))

    def scores(self, questions: Sequence[Read], passages: Sequence[Read]) -> Any:
        """The score of each question with the passage in its place: shape (n,), with gradients."""
        import torch

        joined = [torch.cat([asked + self.mark, told]) for (asked, _), (told, _) in zip(questions, passages, strict=True)]
        out, mask = self.halves.upper(joined)
        ours = torch.arange(out.shape[1]) < torch.tensor([len(asked) for asked, _ in questions])[:, None]
        together = (unit_mean(out, mask & ours) * unit_mean(out, mask & ~ours)) @ self.weigh
        apart = torch.stack([asked @ told for (_, asked), (_, told) in zip(questions, passages, strict=True)])
        return WEIGHT * apart + together

    def score(self, question: str, texts: Sequence[str], batch_size: int = 16) -> list[float]:
        """The score of a question with each text."""
        import torch

        told = self._read(texts)
        (asked,) = self.read([question])
        order = sorted(range(len(texts)), key=lambda row: len(told[row][0]))
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
        return reranked([Hit(hit.passage, score) for hit, score in zip(hits, scores, strict=True)], scores)

    def _read(self, texts: Sequence[str]) -> list[Read]:
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if len(self._kept) + len(new) > KEPT:
            self._kept, new = {}, list(dict.fromkeys(texts))
        self._kept.update(zip(new, self.read(new), strict=True))
        return [self._kept[text] for text in texts]


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
