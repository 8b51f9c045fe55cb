"""Two searches that nobody would ship: the best that there can be, and chance. A real one that does not lie between has a bug."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..corpus import Passage, Question, gold_passages
from ..retrieval.records import Filter, Hit, Text, matches


class OracleSearch:
    """Reads the answer key: the passages that hold a question's answer come first (score 1), then the others as given (score 0).

    A question that is not among ``questions`` has no such passages.
    """

    def __init__(self, passages: Sequence[Passage], questions: Sequence[Question]) -> None:
        self.passages = list(passages)
        self._gold = {
            question.question: {name for fact in gold_passages(question, self.passages) for name in fact}
            for question in questions
        }

    def search(self, question: str, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The gold passages that pass the filter, then others, ``k`` in all."""
        gold = self._gold.get(question, set())
        allowed = [passage for passage in self.passages if where is None or matches(passage.metadata, where)]
        hits = [Hit(passage, 1.0 if passage.id in gold else 0.0) for passage in allowed]
        return sorted(hits, key=lambda hit: -hit.score)[:k]

    def search_many(self, questions: Sequence[str], k: int = 5, where: Filter | None = None) -> list[list[Hit]]:
        """:meth:`search` for each question."""
        return [self.search(question, k, where) for question in questions]


class RandomSearch:
    """Does not read the question: ``k`` passages drawn by chance, the same for the same question and seed. All score 0."""

    def __init__(self, passages: Sequence[Text], seed: int = 0) -> None:
        self.passages, self.seed = list(passages), seed

    def search(self, question: str, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """``k`` passages that pass the filter, drawn without replacement."""
        allowed = [passage for passage in self.passages if where is None or matches(passage.metadata, where)]
        rng = random.Random(f"{self.seed}:{question}")
        return [Hit(passage, 0.0) for passage in rng.sample(allowed, min(k, len(allowed)))]

    def search_many(self, questions: Sequence[str], k: int = 5, where: Filter | None = None) -> list[list[Hit]]:
        """:meth:`search` for each question."""
        return [self.search(question, k, where) for question in questions]
