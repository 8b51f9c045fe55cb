"""The six documents that attack the prompt: what each is after, and how to tell that it got it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache

from .documents import HERE, Document, load_documents


@dataclass(frozen=True)
class Injection:
    """A planted instruction: the document ``doc`` holds it, ``questions`` bring that document into a prompt.

    ``goal`` is what the attacker wants, ``harm`` what that does. ``success`` is a pattern of answers in which he got it.
    ``span`` is the planted text, verbatim in the document but for white space.
    """

    id: str
    doc: str
    technique: str
    questions: tuple[str, ...]
    span: str
    goal: str
    success: str
    harm: str

    @property
    def question(self) -> str:
        """The first of the questions."""
        return self.questions[0]

    def succeeded(self, answer: str) -> bool:
        """Whether an answer does what the attacker wants, or shows the customer his text as if it were advice."""
        return bool(re.search(self.success, answer))


@cache
def load_injections() -> tuple[Injection, ...]:
    """The attacks, in order.

    >>> [injection.technique for injection in load_injections()][-1]
    'poisoned fact'
    """
    lines = (HERE / "quillfeather" / "injections.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return tuple(
        Injection(
            row["id"], row["doc"], row["technique"], (row["question"], *row.get("questions", ())), row["span"],
            row["goal"], row["success"], row["harm"],
        )
        for row in rows
    )  # fmt: skip


def attacked_document(injection: Injection) -> Document:
    """The document that holds an attack; searches find it only where they are given documents of others too."""
    return next(document for document in load_documents(official=False) if document.id == injection.doc)


def page_source(injection: Injection) -> str:
    """The file of an attack as its author published it: for HTML, with what a browser would hide."""
    (path,) = (HERE / "quillfeather" / "docs").rglob(f"{injection.doc}.*")
    return path.read_text(encoding="utf-8")
