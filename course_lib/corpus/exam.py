"""The exam: questions with their answers and the exact words in the documents that hold them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .chunking import Passage, Span
from .documents import HERE, Document

SPLITS = ("train", "dev", "exam")
TYPES = ("single", "paraphrase", "table", "two_hop", "comparison", "changed", "unanswerable")


@dataclass(frozen=True)
class Gold:
    """Where an answer stands: a document's id and a span, verbatim but for white space."""

    doc: str
    span: str


@dataclass(frozen=True)
class Question:
    """One exam question.

    ``answer`` is empty for an unanswerable question. ``edition`` is ``None`` where the answer holds in every edition. ``pair``
    joins the two rows of a question whose answer changed. ``absent`` holds patterns that no relevant document contains.
    """

    id: str
    product: str
    type: str
    split: str
    question: str
    answer: str
    accept: tuple[str, ...] = ()
    gold: tuple[Gold, ...] = ()
    edition: str | None = None
    pair: str | None = None
    why: str | None = None
    absent: tuple[str, ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether the documents hold an answer."""
        return self.type != "unanswerable"


def read_questions(path: Path) -> list[Question]:
    """Read questions from a JSON Lines file. Raises ``ValueError`` that names the line where one is not readable."""
    questions = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            row["gold"] = tuple(Gold(**gold) for gold in row.get("gold", ()))
            row["accept"], row["absent"] = tuple(row.get("accept") or ()), tuple(row.get("absent") or ())
            questions.append(Question(**row))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from error
    return questions


@cache
def _all_questions(corpus: str) -> tuple[Question, ...]:
    paths = [HERE / "sqlite" / "exam.jsonl"] if corpus == "sqlite" else sorted((HERE / corpus / "exam").glob("*.jsonl"))
    return tuple(question for path in paths for question in read_questions(path))


def load_exam(split: str = "dev", corpus: str = "quillfeather", *, edition: str | None = "2026") -> list[Question]:
    """Load the questions of a split: ``train``, ``dev``, ``exam`` or ``all``.

    ``edition="2026"`` leaves out the rows whose answer held in 2025 only; ``None`` keeps every row.

    >>> {question.split for question in load_exam("dev")}
    {'dev'}
    """
    if split not in (*SPLITS, "all"):
        raise ValueError(f"There is no split {split!r}. There are: {', '.join(SPLITS)} and all.")
    return [
        question
        for question in _all_questions(corpus)
        if split in ("all", question.split) and (edition is None or question.edition in (None, edition))
    ]


def sample_by_type(questions: Sequence[Question], per_type: int, seed: int = 0) -> list[Question]:
    """The same number of questions of each type, drawn with a seed, types in the exam's order.

    >>> sample = sample_by_type(load_exam("dev"), per_type=2)
    >>> [question.type for question in sample[:4]]
    ['single', 'single', 'paraphrase', 'paraphrase']
    """
    rng = random.Random(seed)
    chosen = []
    for kind in TYPES:
        rows = [question for question in questions if question.type == kind]
        chosen.extend(rng.sample(rows, min(per_type, len(rows))))
    return chosen


def documents_about(questions: Iterable[Question], documents: Iterable[Document]) -> list[Document]:
    """The documents about the products and the policies that the questions are about.

    >>> from course_lib.corpus import load_documents
    >>> shelf = documents_about(load_exam("dev"), load_documents())
    >>> any(document.id == "manual-swift-n1" for document in shelf), any(document.id == "manual-corvid-e6" for document in shelf)
    (True, False)
    """
    products = {question.product for question in questions}
    return [d for d in documents if products & set(d.products) or (d.kind == "policy" and d.id.rsplit("-", 1)[0] in products)]


def find_span(text: str, span: str) -> list[Span]:
    """Offsets at which a span occurs in a text, white space aside.

    >>> find_span("It holds\\n1.2 litres.", "holds 1.2 litres")
    [(3, 19)]
    """
    pattern = r"\s+".join(re.escape(word) for word in span.split())
    return [match.span() for match in re.finditer(pattern, text)] if pattern else []


def gold_passages(question: Question, passages: Iterable[Passage]) -> list[list[str]]:
    """For each gold span of a question, the ids of the passages that hold the whole of it.

    A list of lists, because a two-hop question needs one passage out of each. An inner list is empty where the chunker cut the
    span in two.
    """
    by_document: dict[str, list[Passage]] = {}
    for passage in passages:
        by_document.setdefault(passage.document.id, []).append(passage)
    found = []
    for gold in question.gold:
        ids = []
        for passage in by_document.get(gold.doc, []):
            spans = find_span(passage.document.text, gold.span)
            if any(passage.start <= start and end <= passage.end for start, end in spans):
                ids.append(passage.id)
        found.append(ids)
    return found
