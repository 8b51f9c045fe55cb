"""How well passages of a certain cut can be found: the same questions, the same embedder, another chunker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..corpus import Document, Passage, Question, chunk_document, gold_passages
from ..corpus.chunking import Chunker
from ..retrieval.dense import DenseIndex, Hit
from .intervals import bootstrap_interval
from .retrieval import recall_at_k

K, BUDGET = 5, 400


@dataclass(frozen=True)
class ChunkingScore:
    """What came of one way to cut.

    ``at_k`` has each question's recall in the first five passages, ``in_budget`` in the first passages that together hold at most
    400 words. ``lost`` is the share of facts that no passage holds whole.
    """

    name: str
    passages: list[Passage] = field(repr=False)
    hits: list[list[Hit]] = field(repr=False)
    at_k: list[float] = field(repr=False)
    in_budget: list[float] = field(repr=False)
    lost: float

    @property
    def mean_words(self) -> float:
        """Mean length of a passage in words."""
        return sum(len(passage.text.split()) for passage in self.passages) / len(self.passages)

    def __str__(self) -> str:
        parts = []
        for label, values in ((f"recall@{K}", self.at_k), (f"in {BUDGET} words", self.in_budget)):
            low, high = bootstrap_interval(values)
            parts.append(f"{label} {sum(values) / len(values):.2f} ({low:.2f} to {high:.2f})")
        size = f"{len(self.passages)} passages of {self.mean_words:.0f} words, {self.lost:.0%} of the facts cut in two"
        return f"{self.name}: {size}\n    {'   '.join(parts)}"


def within_budget(hits: Sequence[Hit], words: int = BUDGET) -> list[Hit]:
    """The first hits that together hold at most ``words`` words; always at least one."""
    kept: list[Hit] = []
    total = 0
    for hit in hits:
        total += len(hit.passage.text.split())
        if kept and total > words:
            break
        kept.append(hit)
    return kept


def evaluate_chunker(
    name: str, chunker: Chunker, documents: Sequence[Document], questions: Sequence[Question], *, titles: bool = False
) -> ChunkingScore:
    """Cut the documents, embed the passages, search for each question, and compare with where its answer stands."""
    passages = [passage for document in documents for passage in chunk_document(document, chunker)]
    hits = DenseIndex(passages, titles=titles).search_many([question.question for question in questions], k=40)
    golds = [gold_passages(question, passages) for question in questions]
    at_k, in_budget = [], []
    for found, gold in zip(hits, golds, strict=True):
        at_k.append(recall_at_k([hit.passage.id for hit in found], gold, K))
        affordable = within_budget(found)
        in_budget.append(recall_at_k([hit.passage.id for hit in affordable], gold, len(affordable)))
    facts = [bool(fact) for gold in golds for fact in gold]
    return ChunkingScore(name, passages, hits, at_k, in_budget, 1 - sum(facts) / len(facts))
