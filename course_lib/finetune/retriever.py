"""Tune the embedder to find the passages of one domain: contrastive training of a small LoRA.

The loss is that of multiple negatives ranking (Henderson et al. 2017, arXiv 1705.00652), computed by sentence-transformers: the
cosines of a question with all passages of the batch, times a scale, go into a softmax, and its own passage should win. The batch
holds each question's passage and hard negatives (:mod:`.negatives`), and each of them is a negative for all other questions.

The whole embedder takes 45 MB in half precision, too much to ship for one domain; a LoRA of rank 16 on the upper half of its layers
takes 0.7 MB. It changes passages as well as questions, so an index has to be made anew with it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..corpus import Passage
from ..models import Embedder, embedder
from ..models.encoder import Halves
from ..models.load import unit_mean
from ..retrieval.dense import DenseIndex
from ..retrieval.lexical import BM25Index
from ..retrieval.records import titled
from .adapters import adapter_about, load_adapter
from .fit import fit
from .lora import ENCODER_LINEAR, merged, trained_parameters, with_lora
from .negatives import Drawn, batches, draw, mine_negatives, right_ids
from .pairs import Pair, dev_pairs, shelf_of, training_pairs, whole_shelf
from .recipe import Recipe, Run
from .schedule import parts

if TYPE_CHECKING:
    import numpy as np

RECIPE = Recipe(
    layers=3,
    targets=ENCODER_LINEAR,
    epochs=1,
    batch_size=16,
    tokens_at_once=2048,
    learning_rate=1e-3,
    dev_checks=3,
    patience=3,
    precision="float32",
)
SCALE = 20.0
"""What cosines are multiplied by in the loss: 1 divided by the temperature."""
SHIPS_AS = "retriever"


@dataclass(frozen=True)
class RetrieverData:
    """What a retriever is trained on and stopped by. ``mined`` holds the hard negatives of each pair, ``right`` the ids by question."""

    pairs: Sequence[Pair] = field(repr=False)
    mined: Sequence[Sequence[Passage]] = field(repr=False)
    shelf: Sequence[Passage] = field(repr=False)
    right: Mapping[str, frozenset[str]] = field(repr=False)
    dev: Sequence[Pair] = field(repr=False)
    dev_shelf: Sequence[Passage] = field(repr=False)

    def epoch(self, size: int, rng: random.Random) -> list[list[Drawn]]:
        """The batches of one epoch: every pair once, with one of its hard negatives."""
        return batches(draw(self.pairs, self.mined, self.right, self.shelf, 1, rng), size, rng)

    @property
    def rows(self) -> list[list[Any]]:
        """All of it as plain values, to be hashed."""
        pairs = [
            [one.question, titled(one.passage), [titled(n) for n in some]]
            for one, some in zip(self.pairs, self.mined, strict=True)
        ]
        return [pairs, [[one.question, titled(one.passage)] for one in self.dev], [titled(one) for one in self.dev_shelf]]


@cache
def retriever_data(stock: Embedder | None = None) -> RetrieverData:
    """The course's own: the pairs of the train split, hard negatives by BM25 under the guidance of the stock embedder; made once."""
    pairs, shelf = training_pairs(), shelf_of("train")
    right = right_ids(pairs, shelf)
    mined = mine_negatives(pairs, BM25Index(shelf), DenseIndex(whole_shelf(), stock), right)
    return RetrieverData(pairs, mined, shelf, right, dev_pairs(), shelf_of("dev"))


def contrastive_loss(questions: np.ndarray, passages: np.ndarray, scale: float = SCALE) -> float:
    """The loss of :func:`ranking_loss` in NumPy: row i of ``passages`` (m, width) answers row i of ``questions`` (n, width); m is at least n.

    The rows from n on are hard negatives. The loss is a mean over the n questions, in nats; lengths of rows do not count.

    >>> import numpy as np
    >>> round(contrastive_loss(np.eye(2), np.array([[3.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), scale=1.0), 4)
    0.7067
    """
    import numpy as np

    one, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (questions, passages))
    scores = scale * one @ other.T
    scores -= scores.max(axis=1, keepdims=True)  # changes no share, and no power becomes too large
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return float(-np.diagonal(logs).mean())


def ranking_loss(questions: Any, passages: Any, negatives: Any, scale: float = SCALE) -> Any:
    """The loss of multiple negatives ranking: row i of ``passages`` answers row i of ``questions``, all other rows do not.

    All three have shape (n, width); the loss is a mean over the n questions, in nats.
    """
    import torch
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    loss = MultipleNegativesRankingLoss(torch.nn.Identity(), scale=scale)  # it computes from embeddings, so it needs no model
    return loss.compute_loss_from_embeddings([questions, passages, negatives], torch.empty(0))


def shelf_loss(questions: Any, shelf: Any, answers: Sequence[int], right: Sequence[Sequence[int]], scale: float = SCALE) -> Any:
    """The same loss against a whole shelf: question i (n, width) is answered by row ``answers[i]`` of ``shelf`` (m, width).

    ``right[i]`` are further rows that answer it too; they neither win nor lose.
    """
    import torch

    scores = scale * torch.nn.functional.normalize(questions, dim=1) @ torch.nn.functional.normalize(shelf, dim=1).T
    for row, (answer, too) in enumerate(zip(answers, right, strict=True)):
        if others := [other for other in too if other != answer]:
            scores[row, others] = -torch.inf
    return torch.nn.functional.cross_entropy(scores, torch.tensor(list(answers)))


class Vectors:
    """The embeddings of texts by an embedder in training: what its lower layers make of a text is computed once."""

    def __init__(self, halves: Halves, texts: Sequence[str], tokens_at_once: int, progress: bool = False) -> None:
        distinct = list(dict.fromkeys(texts))
        self.halves, self.tokens_at_once = halves, tokens_at_once
        self.states = dict(zip(distinct, halves.lower(distinct, progress=progress), strict=True))

    def tokens(self, texts: Sequence[str]) -> int:
        """How many tokens these texts have."""
        return sum(len(self.states[text]) for text in texts)

    def __call__(self, texts: Sequence[str]) -> Any:
        """Their embeddings by the upper layers as they are now: (n, width), rows of length one, with gradients."""
        import torch

        lengths = [len(self.states[text]) for text in texts]
        made: dict[int, Any] = {}
        for rows in parts(sorted(range(len(texts)), key=lambda row: lengths[row]), lengths, self.tokens_at_once):
            made.update(zip(rows, unit_mean(*self.halves.upper([self.states[texts[row]] for row in rows])), strict=True))
        return torch.stack([made[row] for row in range(len(texts))])


def train_retriever(
    data: RetrieverData,
    recipe: Recipe = RECIPE,
    stock: Embedder | None = None,
    watch: Callable[[Run], None] | None = None,
    progress: bool = True,
) -> Run:
    """Train a LoRA on the embedder's top layers; ``stock`` stays as it is, the run's ``lm`` is the embedder with the LoRA.

    The adapter of the lowest dev loss is kept: the loss of the dev questions against all passages about the dev products. The run's
    embedder bears the stock one's name, by which embeddings are kept: to search with it, save it and take :func:`tuned_embedder`.
    """
    import time

    import torch

    began = time.perf_counter()
    tuned = with_lora(stock or embedder(), recipe.layers, recipe.rank, recipe.alpha, recipe.targets, recipe.seed)
    rng = random.Random(recipe.seed)
    epochs = [data.epoch(recipe.batch_size, rng) for _ in range(recipe.epochs)]
    drawn = [batch for epoch in epochs for batch in epoch]
    shelf = [titled(passage) for passage in data.dev_shelf]
    asked, answers, right = _dev_rows(data)
    texts = [text for batch in drawn for part in _texts(batch) for text in part]
    vectors = Vectors(Halves(tuned, recipe.layers), [*texts, *shelf, *asked], recipe.tokens_at_once, progress)
    run = Run(tuned, recipe, len(drawn), cache_seconds=time.perf_counter() - began)

    def loss_of(batch: list[Drawn]) -> tuple[Any, int]:
        three = _texts(batch)
        return ranking_loss(*map(vectors, three)), sum(map(vectors.tokens, three))

    def dev_loss_of() -> float:
        with torch.no_grad():
            return float(shelf_loss(vectors(asked), vectors(shelf), answers, right))

    fit(run, trained_parameters(tuned.model), drawn, loss_of, dev_loss_of, watch, progress)
    return run


def _texts(batch: Sequence[Drawn]) -> tuple[list[str], list[str], list[str]]:
    """Questions, passages and negatives of a batch, as the embedder reads them."""
    asked = [one.pair.question for one in batch]
    return asked, [titled(one.pair.passage) for one in batch], [titled(one.negatives[0]) for one in batch]


def _dev_rows(data: RetrieverData) -> tuple[list[str], list[int], list[list[int]]]:
    """The dev questions; the row of each one's passage on the dev shelf; all rows that answer it."""
    rows = {passage.id: row for row, passage in enumerate(data.dev_shelf)}
    right = right_ids(data.dev, data.dev_shelf)
    return (
        [pair.question for pair in data.dev],
        [rows[pair.passage.id] for pair in data.dev],
        [sorted(rows[name] for name in right[pair.question]) for pair in data.dev],
    )


def tuned_embedder(name: str | Path = SHIPS_AS, stock: Embedder | None = None) -> Embedder:
    """The embedder with a trained adapter, by the name it ships under or by its folder, merged: as fast as the stock one.

    Its name tells it from others, so that embeddings that were kept are never mixed. Raises
    :class:`CourseError <course_lib.errors.CourseError>` where the adapter is missing or damaged, or belongs to another model.
    """
    stock = stock or embedder()
    weights = adapter_about(name)["weights_sha256"]
    return replace(merged(load_adapter(stock, name)), name=f"{stock.name}+{weights[:12]}")
