"""Train the cross-encoder that ranks a search's hits once more: a LoRA on the upper layers of the embedder, and the score's weights.

For each question its passage and some hard negatives are read with it, and the passage's score should win: a softmax over the list
(the localised contrastive loss of Gao et al. 2021, arXiv 2101.08751). The negatives are what the tuned retriever and BM25 find
together, for that is what a reranker has to put in order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..corpus import Passage
from ..models import Embedder
from ..retrieval.dense import DenseIndex
from ..retrieval.fusion import hybrid
from ..retrieval.records import titled
from ..retrieval.rerank import Reranker
from .adapters import adapter_about, load_adapter, load_head
from .fit import fit
from .lora import ENCODER_LINEAR, merged, trained_parameters, with_lora
from .negatives import Drawn, draw, mine_negatives, right_ids
from .pairs import Pair, dev_pairs, shelf_of, training_pairs, whole_shelf
from .recipe import Recipe, Run
from .retriever import SHIPS_AS as RETRIEVER
from .retriever import tuned_embedder
from .schedule import parts

RECIPE = Recipe(
    layers=3,
    targets=ENCODER_LINEAR,
    epochs=1,
    batch_size=8,
    tokens_at_once=2048,
    learning_rate=5e-4,
    patience=2,
    precision="float32",
)
EACH, DEV_EACH, DEV_STEP = 2, 4, 2
"""Negatives for each question in training and on dev; of the dev pairs every so many-th is taken."""
SHIPS_AS = "reranker"


@dataclass(frozen=True)
class RerankerData:
    """What a reranker is trained on and stopped by: pairs with hard negatives; ``dev`` has the same lists for every run."""

    pairs: Sequence[Pair] = field(repr=False)
    mined: Sequence[Sequence[Passage]] = field(repr=False)
    shelf: Sequence[Passage] = field(repr=False)
    right: Mapping[str, frozenset[str]] = field(repr=False)
    dev: Sequence[Drawn] = field(repr=False)

    def epoch(self, size: int, rng: random.Random) -> list[list[Drawn]]:
        """The batches of one epoch. Each question is compared with its own list only, so any may share a batch."""
        drawn = draw(self.pairs, self.mined, self.right, self.shelf, EACH, rng)
        rng.shuffle(drawn)
        return [drawn[start : start + size] for start in range(0, len(drawn), size)]

    @property
    def rows(self) -> list[list[Any]]:
        """All of it as plain values, to be hashed."""
        pairs = [
            [one.question, titled(one.passage), [titled(n) for n in some]]
            for one, some in zip(self.pairs, self.mined, strict=True)
        ]
        return [pairs, [_texts(one) for one in self.dev]]


def reranker_data(tuned: Embedder, stock: Embedder | None = None) -> RerankerData:
    """The course's own: the pairs of exam and facts, with hard negatives of BM25 and the tuned embedder, fused.

    The questions by rule are left out, to keep a run within its minutes.
    """
    guide = DenseIndex(whole_shelf(), stock)
    pairs, shelf = [pair for pair in training_pairs() if pair.source != "table"], shelf_of("train")
    right = right_ids(pairs, shelf)
    mined = mine_negatives(pairs, hybrid(shelf, tuned), guide, right, 2 * EACH)
    dev, dev_shelf = dev_pairs()[::DEV_STEP], shelf_of("dev")
    dev_right = right_ids(dev_pairs(), dev_shelf)  # of all, so that a passage of a pair that is left out is no negative
    dev_mined = mine_negatives(dev, hybrid(dev_shelf, tuned), guide, dev_right, DEV_EACH)
    return RerankerData(pairs, mined, shelf, right, draw(dev, dev_mined, dev_right, dev_shelf, DEV_EACH, random.Random(0)))


def list_loss(scores: Any) -> Any:
    """The loss of lists of scores (n, m), of which the first should win: a mean over the lists, in nats.

    >>> import torch
    >>> round(float(list_loss(torch.tensor([[1.0, 1.0], [0.0, 0.0]]))), 4)
    0.6931
    """
    import torch

    return torch.nn.functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long))


def train_reranker(
    data: RerankerData,
    tuned: Embedder,
    recipe: Recipe = RECIPE,
    watch: Callable[[Run], None] | None = None,
    progress: bool = True,
) -> tuple[Run, Reranker]:
    """Train a reranker of the hits of an embedder, which stays as it is; the run, and the reranker as it is at the end."""
    import time

    import torch

    began = time.perf_counter()
    model = with_lora(tuned, recipe.layers, recipe.rank, recipe.alpha, recipe.targets, recipe.seed)
    reranker = Reranker(tuned, model, recipe.layers)
    for tensor in (reranker.mark, reranker.weigh):
        tensor.requires_grad_()
    rng = random.Random(recipe.seed)
    batches = [batch for _ in range(recipe.epochs) for batch in data.epoch(recipe.batch_size, rng)]
    texts = list(dict.fromkeys(text for batch in [*batches, data.dev] for one in batch for text in _texts(one)))
    known = dict(zip(texts, reranker.read(texts, progress=progress), strict=True))
    run = Run(model, recipe, len(batches), cache_seconds=time.perf_counter() - began)

    def scores(drawn: Sequence[Drawn]) -> tuple[Any, int]:
        read = [(known[asked], known[told]) for one in drawn for asked, *rest in [_texts(one)] for told in rest]
        lengths = [len(asked) + len(told) for (asked, _), (told, _) in read]
        made: dict[int, Any] = {}
        for rows in parts(sorted(range(len(read)), key=lambda row: lengths[row]), lengths, recipe.tokens_at_once):
            made.update(zip(rows, reranker.scores(*zip(*(read[row] for row in rows), strict=True)), strict=True))
        return torch.stack([made[row] for row in range(len(read))]).view(len(drawn), -1), sum(lengths)

    def loss_of(batch: list[Drawn]) -> tuple[Any, int]:
        made, tokens = scores(batch)
        return list_loss(made), tokens

    def dev_loss_of() -> float:
        with torch.no_grad():
            return float(list_loss(scores(data.dev)[0]))

    weights = {**trained_parameters(model.model), "mark": reranker.mark, "weigh": reranker.weigh}
    fit(run, weights, batches, loss_of, dev_loss_of, watch, progress)
    return run, reranker


def head_of(reranker: Reranker) -> dict[str, Any]:
    """The tensors that are trained beside the LoRA, to be saved with it."""
    return {"mark": reranker.mark, "weigh": reranker.weigh}


def _texts(one: Drawn) -> list[str]:
    """A question, its passage and its negatives, as they are read."""
    return [one.pair.question, titled(one.pair.passage), *map(titled, one.negatives)]


def load_reranker(name: str | Path = SHIPS_AS, tuned: Embedder | None = None) -> Reranker:
    """A trained reranker, by the name it ships under or by its folder; ``tuned`` is the embedder that it was trained over.

    Raises :class:`CourseError <course_lib.errors.CourseError>` where it is missing or damaged, or belongs to another embedder.
    """
    tuned = tuned or tuned_embedder(RETRIEVER)
    about = adapter_about(name)
    model = replace(merged(load_adapter(tuned, name)), name=f"{tuned.name}+{about['weights_sha256'][:12]}")
    return Reranker(tuned, model, int(about["recipe"]["layers"]), **load_head(name))
