"""What a retriever is trained on: questions, each with a passage that answers it. Only products of the train split occur.

Three sources: the exam's train questions; the wordings of the facts about the same products; and questions that plain rules make
from the rows of tables. The rules know tables only, so most of what they teach is to find a table by one of its rows.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from ..corpus import Passage, Question, gold_passages, load_exam, load_facts, load_passages
from ..corpus.validate import product_name
from ..retrieval.records import titled


@dataclass(frozen=True)
class Pair:
    """A question and a passage that answers it; ``accepted`` are the spellings of the answer, ``source`` is exam, facts or table."""

    question: str
    passage: Passage = field(repr=False)
    accepted: tuple[str, ...] = ()
    source: str = "exam"


@cache
def whole_shelf() -> tuple[Passage, ...]:
    """Every passage of every edition and audience: the shelf on which lab 02 searches."""
    return tuple(load_passages(edition=None, audience=None, official=False))


def products_of(split: str) -> frozenset[str]:
    """The products and policies of a split of the exam, or of all.

    >>> "corvid-e6" in products_of("exam"), products_of("exam") & products_of("train")
    (True, frozenset())
    """
    return frozenset(question.product for question in load_exam(split, edition=None))


def is_about(passage: Passage, products: Collection[str]) -> bool:
    """Whether a passage is of a document about one of these products or policies, or names one of the products.

    >>> swift = next(passage for passage in whole_shelf() if passage.document.id == "manual-swift-n1")
    >>> is_about(swift, ["swift-n1"]), is_about(swift, ["corvid-e6"])
    (True, False)
    """
    document = passage.document
    own = {*document.products, document.id.rsplit("-", 1)[0]}  # policy-returns-2026 is about policy-returns
    return bool(own & set(products)) or names(titled(passage), products)


def names(text: str, products: Collection[str]) -> bool:
    """Whether a text names one of these products; policies have no name of their own.

    >>> names("Is the Corvid louder?", ["corvid-e6"]), names("Returned a month ago", ["policy-returns"])
    (True, False)
    """
    words = [product.split("-")[0] for product in products if not product.startswith("policy-")]
    return bool(re.search(rf"\b(?:{'|'.join(words)})\b", text, flags=re.IGNORECASE)) if words else False


@cache
def shelf_of(split: str) -> tuple[Passage, ...]:
    """The passages that may be seen with the questions of a split: ``train``, or ``dev``.

    For training that is whatever is about no product of the other two splits; for dev only what is about its own products.
    """
    if split == "train":
        kept_back = products_of("dev") | products_of("exam")
        return tuple(passage for passage in whole_shelf() if not is_about(passage, kept_back))
    others = products_of("train") | products_of("exam")
    return tuple(p for p in whole_shelf() if is_about(p, products_of("dev")) and not is_about(p, others))


@cache
def training_pairs(per_table: int = 3) -> tuple[Pair, ...]:
    """Every pair to train on: of the exam, of the facts, and ``per_table`` of the rules for each passage with a table that they know."""
    asked = [*_asked("train"), *_facts(products_of("train"))]
    return _once([*_pairs(asked, shelf_of("train")), *table_pairs(shelf_of("train"), per_table)])


@cache
def dev_pairs() -> tuple[Pair, ...]:
    """The dev questions with their passages: training never sees them, it stops by them."""
    return _once(_pairs(_asked("dev"), shelf_of("dev")))


def _asked(split: str) -> list[tuple[Question, str]]:
    return [(question, "exam") for question in load_exam(split, edition=None) if question.answerable]


def _facts(products: Collection[str]) -> list[tuple[Question, str]]:
    """Every wording of every fact about these products, with the answers of both editions."""
    facts = [fact for split in ("taught", "unseen") for fact in load_facts(split) if fact.product in products]
    editions = [(fact, edition) for fact in facts for edition in ("2025", "2026") if edition == "2025" or fact.edition_2026]
    return [(fact.ask(wording, edition), "facts") for fact, edition in editions for wording in fact.wordings]


def _pairs(asked: Sequence[tuple[Question, str]], shelf: Sequence[Passage]) -> Iterator[Pair]:
    """A pair for each passage of the shelf that holds a fact that a question needs; none for a question that names another product."""
    by_id = {passage.id: passage for passage in shelf}
    elsewhere = products_of("all") - {question.product for question, _ in asked}
    for question, source in asked:
        if not names(question.question, elsewhere):
            ids = dict.fromkeys(name for fact in gold_passages(question, whole_shelf()) for name in fact if name in by_id)
            yield from (Pair(question.question, by_id[name], (question.answer, *question.accept), source) for name in ids)


def _once(pairs: Sequence[Pair] | Iterator[Pair]) -> tuple[Pair, ...]:
    return tuple({(pair.question, pair.passage.id): pair for pair in pairs}.values())


# --- questions by rule ----------------------------------------------------------------------------------------------


def table_rows(text: str) -> list[tuple[list[str], list[str]]]:
    """The rows of a text's Markdown tables, each as its table's header and its own cells. Rows without a header are left out.

    >>> table_rows("| Code | Meaning |\\n|---|---|\\n| E11 | Tank empty |")
    [(['Code', 'Meaning'], ['E11', 'Tank empty'])]
    """
    rows: list[tuple[list[str], list[str]]] = []
    header: list[str] = []
    before: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.strip().startswith("|") else []
        if cells and all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            header = before
        elif not cells:
            header = []
        elif len(header) == len(cells):
            rows.append((header, cells))
        before = cells
    return rows


def row_question(header: Sequence[str], cells: Sequence[str], product: str) -> tuple[str, str] | None:
    """A question that a table's row answers, and the answer; ``None`` for a kind of table that the rules do not know.

    >>> row_question(["Code", "Meaning", "What to do"], ["E11", "Tank empty", "Fill it"], "Bramble C4")
    ('What does E11 mean on the Bramble C4?', 'Tank empty')
    >>> row_question(["Part", "Number"], ["Glass jug", "QF-1121"], "Bramble C4")
    ('What is the part number of the glass jug for the Bramble C4?', 'QF-1121')
    >>> row_question(["Item", "Value"], ["Cord length", "0.95 m"], "Bramble C4")
    ('Cord length of the Bramble C4?', '0.95 m')
    """
    first, last = header[0].lower(), header[-1].lower()
    if "code" in first and len(cells) > 1:
        return f"What does {cells[0]} mean on the {product}?", cells[1]
    if len(cells) != 2 or not all(cells):
        return None
    if "number" in last:
        part = cells[0] if cells[0][:2].isupper() else cells[0][0].lower() + cells[0][1:]
        return f"What is the part number of the {part} for the {product}?", cells[1]
    return f"{cells[0]} of the {product}?", cells[1]


def table_pairs(shelf: Sequence[Passage], per_table: int, seed: int = 0) -> list[Pair]:
    """At most ``per_table`` questions by rule for each passage about one product; rows are drawn with the seed."""
    rng = random.Random(seed)
    made = []
    for passage in shelf:
        if len(passage.document.products) == 1 and passage.document.source == "official":
            product = product_name(passage.document.products[0])
            asked = [one for header, cells in table_rows(passage.text) if (one := row_question(header, cells, product))]
            for question, answer in rng.sample(asked, min(per_table, len(asked))):
                made.append(Pair(question, passage, (answer,), "table"))
    return made
