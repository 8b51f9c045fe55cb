"""Search by meaning: compare the embedding of a question with those of all passages."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..ledger import stage
from ..models import Embedder, embedder
from ..places import cache_folder
from .records import Filter, Hit, Text, matches, titled

if TYPE_CHECKING:
    import numpy as np


def top_k(query: np.ndarray, vectors: np.ndarray, k: int) -> list[tuple[int, float]]:
    """The ``k`` rows of ``vectors`` (shape ``(n, d)``) whose direction is nearest to ``query`` (shape ``(d,)``).

    Returns pairs of row number and cosine similarity, best first; on a tie the lower row first. Vectors need not have length one.

    >>> import numpy as np
    >>> [(row, round(score, 2)) for row, score in top_k(np.array([2.0, 0.0]), np.array([[0.0, 1.0], [3.0, 0.0], [1.0, 1.0]]), k=2)]
    [(1, 1.0), (2, 0.71)]
    """
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    scores = (vectors @ query) / np.where(lengths == 0, 1.0, lengths)
    order = np.argsort(-scores, kind="stable")[:k]
    return [(int(row), float(scores[row])) for row in order]


def embed_texts(texts: Sequence[str], model: Embedder | None = None, progress: bool = False) -> np.ndarray:
    """Embed texts, and keep the result in the cache folder: the same texts cost nothing the second time."""
    return embed_lists([texts], model, progress)[0]


def embed_lists(
    lists: Sequence[Sequence[str]], model: Embedder | None = None, progress: bool = False, together: int = 256
) -> list[np.ndarray]:
    """:func:`embed_texts` for several lists, such as the passages of several files: each is kept by itself.

    Lists that are not there yet are embedded some at a time, about ``together`` texts, and kept at once: a run that is stopped goes on
    where it was.
    """
    import numpy as np
    from tqdm import tqdm

    model = model or embedder()
    paths = [_embeddings_path(texts, model) for texts in lists]
    found = [_kept(path, (len(texts), model.dimension)) for path, texts in zip(paths, lists, strict=True)]
    missing = [at for at, vectors in enumerate(found) if vectors is None]
    groups: list[list[int]] = []
    for at in missing:
        if not groups or sum(len(lists[one]) for one in groups[-1]) + len(lists[at]) > together:
            groups.append([])
        groups[-1].append(at)
    with tqdm(
        total=sum(len(lists[at]) for at in missing),
        desc="embedding",
        unit="text",
        leave=False,
        disable=not progress or len(groups) < 2,
    ) as bar:
        for group in groups:
            texts = [text for at in group for text in lists[at]]
            vectors = model.encode(texts, progress=progress and len(groups) < 2)
            bar.update(len(texts))
            starts = np.cumsum([0, *(len(lists[at]) for at in group)])
            for at, start in zip(group, starts.tolist(), strict=False):
                part = vectors[start : start + len(lists[at])]
                found[at] = part
                _keep(paths[at], part)
    return [vectors for vectors in found if vectors is not None]


def _embeddings_path(texts: Sequence[str], model: Embedder) -> Path:
    digest = hashlib.sha256("\0".join([model.name, str(model.max_tokens), *texts]).encode()).hexdigest()[:32]
    return cache_folder() / "embeddings" / f"{digest}.npy"


def _kept(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    import numpy as np

    try:
        vectors = np.load(path)
        return vectors if vectors.shape == shape else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None  # not there, or damaged: it is only a cache


def _keep(path: Path, vectors: np.ndarray) -> None:
    import numpy as np

    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            np.save(stream, vectors)
        os.replace(partial, path)
    except OSError:  # a full or read-only disk must not stop a search
        with suppress(OSError):
            partial.unlink()


class DenseIndex:
    """Exact search over the embeddings of passages; the score of a hit is its cosine similarity, -1 to 1.

    A passage is embedded with its title in front where ``titles`` is true, so that a passage which does not name its product
    can still be found by it. ``vectors``, where you have them already, are their embeddings, shape ``(len(passages), dimension)``.
    """

    def __init__(
        self,
        passages: Sequence[Text],
        model: Embedder | None = None,
        *,
        titles: bool = True,
        progress: bool = False,
        vectors: np.ndarray | None = None,
    ) -> None:
        self.passages, self.model = list(passages), model or embedder()
        if vectors is None:
            texts = [titled(passage) if titles else passage.text for passage in self.passages]
            vectors = embed_texts(texts, self.model, progress=progress)
        elif len(vectors) != len(self.passages):
            raise ValueError(f"there are {len(self.passages)} passages and {len(vectors)} vectors")
        self.vectors = vectors

    def search(self, question: str, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The ``k`` passages nearest to a question among those that pass the filter, best first."""
        with stage("embed"):
            query = self.model.encode([question])
        return self._nearest(query, k, where)[0]

    def search_many(self, questions: Sequence[str], k: int = 5, where: Filter | None = None) -> list[list[Hit]]:
        """:meth:`search` for many questions; they are embedded together, and their embeddings are kept."""
        with stage("embed"):
            queries = embed_texts(questions, self.model)
        return self._nearest(queries, k, where)

    def _nearest(self, queries: np.ndarray, k: int, where: Filter | None) -> list[list[Hit]]:
        with stage("search"):
            rows = [row for row, passage in enumerate(self.passages) if where is None or matches(passage.metadata, where)]
            vectors = self.vectors[rows]
            return [[Hit(self.passages[rows[row]], score) for row, score in top_k(query, vectors, k)] for query in queries]
