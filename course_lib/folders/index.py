"""The index of a folder: by words and by meaning. Embeddings are kept by content, so only what has changed is embedded again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..models import Embedder, embedder
from ..retrieval.dense import DenseIndex, embed_lists
from ..retrieval.fusion import HybridIndex
from ..retrieval.lexical import BM25Index, split_words
from ..retrieval.records import Filter, Hit, titled
from .texts import FilePassage, FileText, cut

if TYPE_CHECKING:
    import numpy as np

PART = 256
"""Passages that are kept in one file of the cache: a change in a long document costs its part, not the whole of it."""


class FolderIndex:
    """Hybrid search over the passages of files. Embeddings lie in the course's cache, by their text and the model's name."""

    def __init__(self, files: Sequence[FileText], model: Embedder | None = None, *, progress: bool = False) -> None:
        self.model = model or embedder()
        self.passages = [passage for file in files for passage in cut(file)]
        vectors = self._embed(files, progress)
        self.dense = DenseIndex(self.passages, self.model, vectors=vectors)
        self.hybrid = HybridIndex([BM25Index(self.passages), self.dense])

    def _embed(self, files: Sequence[FileText], progress: bool) -> np.ndarray:
        import numpy as np

        texts: dict[str, list[str]] = {file.file: [] for file in files}
        for passage in self.passages:
            texts[passage.file.file].append(titled(passage))
        parts = [of_file[at : at + PART] for of_file in texts.values() for at in range(0, len(of_file), PART)]
        vectors = embed_lists(parts, self.model, progress)
        return np.concatenate([np.zeros((0, self.model.dimension), np.float32), *vectors])

    def search(self, question: str, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The ``k`` best passages, best first; ``where`` may name ``file``, ``kind``, ``section`` and ``page``."""
        return self.hybrid.search(question, k, where) if self.passages else []

    def search_many(self, questions: Sequence[str], k: int = 5, where: Filter | None = None) -> list[list[Hit]]:
        """:meth:`search` for many questions."""
        return self.hybrid.search_many(questions, k, where) if self.passages else [[] for _ in questions]

    def similarity(self, question: str) -> float:
        """The cosine similarity of the passage nearest in meaning; -1 where there is none."""
        hits = self.dense.search(question, 1) if self.passages else []
        return hits[0].score if hits else -1.0


def shared_codes(question: str, passages: Sequence[FilePassage]) -> set[str]:
    """The names with a digit or an underscore in a question, such as ``sqlite3_step`` or ``E47``, that stand in the passages too.

    An embedding says little about them: such a question may be far from its own answer.

    >>> shared_codes("What does E47 mean?", [])
    set()
    """
    codes = {word for word in split_words(question) if re.search(r"[\d_]", word) and re.search(r"[^\W\d_]", word)}
    return codes & {word for passage in passages for word in split_words(titled(passage))} if codes else set()
