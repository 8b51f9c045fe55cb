"""Small vectors for the playground of the book: the passages and the exam's questions, few numbers each, one byte a number.

``python -m course_lib.book.vectors`` embeds both and writes the file (a minute). A browser has no embedder, so it can search by
meaning for these questions only. The vectors are turned onto the directions that matter most and cut there (a truncated singular value
decomposition), then rounded; how often the cut changes what is found is computed along with them and written into the file.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..corpus import Passage, Question, gold_passages, load_exam, load_passages
from ..errors import CourseError
from ..evaluation import recall_at_k, shipped
from ..models import EMBEDDER, Embedder
from ..retrieval import DenseIndex
from ..retrieval.dense import embed_texts, top_k

if TYPE_CHECKING:
    import numpy as np

RESULTS = shipped.RESULTS / "playground_vectors.json"
COMMAND = "python -m course_lib.book.vectors"
DIMENSIONS, K = 192, 5


@lru_cache(maxsize=1)
def playground() -> tuple[tuple[Passage, ...], tuple[Question, ...]]:
    """What is searched and what is asked: the whole shelf of lab 02, and the questions of the exam that have an answer."""
    shelf = load_passages(edition=None, audience=None, official=False)
    return tuple(shelf), tuple(question for question in load_exam("exam") if question.answerable)


def made_with() -> dict[str, str]:
    """The hashes of what the vectors depend on."""
    passages, questions = playground()
    return {
        "passages": shipped.digest([[one.id, one.title, one.text] for one in passages]),
        "questions": shipped.digest([[one.id, one.question] for one in questions]),
    }


def small(vectors: np.ndarray, queries: np.ndarray, dimensions: int = DIMENSIONS) -> tuple[np.ndarray, np.ndarray, float]:
    """Both turned onto the first right singular vectors of ``vectors`` (shape ``(n, d)``), rounded to whole numbers -127 to 127.

    Returns the two and the scale: the product of two rows divided by ``scale ** 2`` is about the cosine similarity.

    >>> import numpy as np
    >>> rows = np.eye(4)[[0, 1, 1]]
    >>> few, asked, scale = small(rows, rows[:1], dimensions=2)
    >>> few.shape, asked.dtype.name, [round(float(x), 1) for x in few.astype(float) @ asked[0] / scale**2]
    ((3, 2), 'int8', [1.0, 0.0, 0.0])
    """
    import numpy as np

    directions = np.linalg.svd(vectors, full_matrices=False)[2][:dimensions].T
    few, asked = vectors @ directions, queries @ directions
    scale = 127 / max(float(np.abs(few).max()), float(np.abs(asked).max()))
    return np.rint(few * scale).astype(np.int8), np.rint(asked * scale).astype(np.int8), scale


def agreement(vectors: np.ndarray, queries: np.ndarray, few: np.ndarray, asked: np.ndarray) -> tuple[float, float, float]:
    """What the cut changes: the share of the first five that stay, and recall@5 with the whole and with the small vectors."""
    passages, questions = playground()
    same, whole_recall, small_recall = 0.0, 0.0, 0.0
    for row, question in enumerate(questions):
        whole = [passages[at].id for at, _ in top_k(queries[row], vectors, K)]
        cut = [passages[at].id for at, _ in top_k(asked[row].astype(float), few.astype(float), K)]
        gold = gold_passages(question, passages)
        same += len(set(whole) & set(cut)) / K
        whole_recall += recall_at_k(whole, gold, K)
        small_recall += recall_at_k(cut, gold, K)
    return same / len(questions), whole_recall / len(questions), small_recall / len(questions)


def make(model: Embedder | None = None) -> dict[str, Any]:
    """The content of the file. Embeddings that are in the cache are taken from there."""
    passages, questions = playground()
    vectors = DenseIndex(passages, model).vectors
    queries = embed_texts([one.question for one in questions], model)
    few, asked, scale = small(vectors, queries)
    same, whole_recall, small_recall = agreement(vectors, queries, few, asked)
    about = {
        "model": EMBEDDER.name,
        "model_sha256": EMBEDDER.sha256,
        "dimensions": DIMENSIONS,
        "same_in_first_5": round(same, 4),
        "recall_at_5_whole": round(whole_recall, 4),
        "recall_at_5_small": round(small_recall, 4),
    }
    return {"about": about, "scale": scale, "passages": _text(few), "questions": _text(asked)}


def _text(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.tobytes()).decode()


def write(path: Path, content: dict[str, Any]) -> None:
    """Write the file with the hashes of what it was made with."""
    rows = [{"of": name, "bytes": content[name]} for name in ("passages", "questions")]
    shipped.write_rows(path, rows, content["about"] | {"scale": content["scale"]}, made_with())


def load(path: Path = RESULTS) -> dict[str, Any]:
    """What :func:`write` wrote. Raises :class:`CourseError` where the file is missing, damaged, or was made with other texts."""
    rows, about = shipped.read_rows(path, made_with(), COMMAND)
    content = {row["of"]: row["bytes"] for row in rows}
    passages, questions = playground()
    for name, wanted in (("passages", len(passages)), ("questions", len(questions))):
        if len(base64.b64decode(content.get(name, ""))) != wanted * about["dimensions"]:
            raise CourseError(f"The result file {path.name} lacks vectors of {name}.", f"make it anew: {COMMAND}")
    return {"about": about, "scale": about["scale"], **content}


def main() -> None:
    """Embed, write the file, and say what the cut changes."""
    shipped.command_line(__doc__)
    content = make()
    write(RESULTS, content)
    print(json.dumps(content["about"], indent=1), f"\nwritten to {RESULTS}")


if __name__ == "__main__":
    main()
