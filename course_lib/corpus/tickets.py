"""The support desk's tickets: raw as they came in, and the clean label of each, kept apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from .documents import HERE, load_documents
from .exam import load_exam

FOLDER = HERE / "quillfeather" / "tickets"
ISSUES = (
    "leak", "no_power", "error_code", "noise", "performance", "damaged_on_arrival", "missing_part", "delivery", "refund_or_return",
    "how_to", "safety",
)  # fmt: skip
PRIORITIES = ("low", "normal", "high", "urgent")
WANTS = ("refund", "replacement", "repair", "part", "information", "callback")


@dataclass(frozen=True)
class RawTicket:
    """A ticket as the desk received it. What ``agent_label`` and ``agent_priority`` say is not always right."""

    id: str
    received: str
    channel: str
    sender: str
    subject: str
    body: str
    product_field: str
    order_field: str
    agent_label: str
    agent_priority: str


@dataclass(frozen=True)
class GoldTicket:
    """What a careful person makes of a ticket: the clean fields, and a reply in the house's voice."""

    id: str
    product: str | None
    issue: str
    priority: str
    order_number: str | None
    error_code: str | None
    wants: str
    duplicate_of: str | None
    reply: str


Row = TypeVar("Row", RawTicket, GoldTicket)


def _read(kind: str, make: type[Row]) -> tuple[Row, ...]:
    lines = [line for path in sorted(FOLDER.glob(f"{kind}-*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(sorted((make(**json.loads(line)) for line in lines if line.strip()), key=lambda ticket: ticket.id))


@lru_cache(maxsize=1)
def load_raw_tickets() -> tuple[RawTicket, ...]:
    """All tickets as they came in, by id.

    >>> len(load_raw_tickets()) >= 300
    True
    """
    return _read("raw", RawTicket)


@lru_cache(maxsize=1)
def load_gold_tickets() -> tuple[GoldTicket, ...]:
    """The clean labels, by id: one for each raw ticket."""
    return _read("gold", GoldTicket)


@lru_cache(maxsize=1)
def load_labelled_tickets() -> tuple[tuple[RawTicket, GoldTicket], ...]:
    """300 more tickets about products for training, labelled with care from the start: what the desk did after the first 148.

    >>> pairs = load_labelled_tickets()
    >>> len(pairs), {split_of(gold) for _, gold in pairs}
    (300, {'train'})
    """
    rows = [json.loads(line) for line in (FOLDER / "labelled.jsonl").read_text(encoding="utf-8").splitlines() if line.strip()]
    return tuple((_raw(row), _gold(row)) for row in rows)


def _raw(row: dict[str, Any]) -> RawTicket:
    labels = {"agent_label": row["issue"], "agent_priority": row["priority"]}
    return RawTicket(**{key: row[key] for key in RawTicket.__dataclass_fields__ if key in row}, **labels)


def _gold(row: dict[str, Any]) -> GoldTicket:
    return GoldTicket(**{key: row[key] for key in GoldTicket.__dataclass_fields__ if key in row}, duplicate_of=None)


def split_of(ticket: GoldTicket) -> str:
    """The split of a ticket: that of its product, so that no exam product is trained on. A ticket about no product is for training."""
    return _splits().get(ticket.product or "", "train")


@lru_cache(maxsize=1)
def _splits() -> dict[str, str]:
    return {question.product: question.split for question in load_exam("all", edition=None)}


def check_tickets() -> Iterable[str]:
    """What is wrong with the tickets; nothing where all is well."""
    more = load_labelled_tickets()
    raw, gold = (*load_raw_tickets(), *(pair[0] for pair in more)), (*load_gold_tickets(), *(pair[1] for pair in more))
    yield from (
        f"{clean.id}: about {clean.product}, which is not for training" for _, clean in more if split_of(clean) != "train"
    )
    if [ticket.id for ticket in raw] != [ticket.id for ticket in gold] or len({ticket.id for ticket in raw}) != len(raw):
        yield "raw and gold tickets do not have the same, unique ids"
        return
    products = {product for document in load_documents() if document.kind == "manual" for product in document.products}
    ids = {ticket.id for ticket in raw}
    for letter, clean in zip(raw, gold, strict=True):
        words = " ".join([letter.subject, letter.body, letter.order_field, letter.product_field])
        allowed = {
            "issue": (clean.issue, ISSUES), "priority": (clean.priority, PRIORITIES), "wants": (clean.wants, WANTS),
            "agent_label": (letter.agent_label, ISSUES), "agent_priority": (letter.agent_priority, PRIORITIES),
            "product": (clean.product, [None, *products]), "duplicate_of": (clean.duplicate_of, [None, *ids - {letter.id}]),
        }  # fmt: skip
        yield from (f"{letter.id}: {field} is {value!r}" for field, (value, values) in allowed.items() if value not in values)
        squeezed = words.upper().replace(" ", "").replace("-", "")
        for field, fact in (("error_code", clean.error_code), ("order_number", clean.order_number)):
            if fact and fact.upper().replace(" ", "").replace("-", "") not in squeezed:
                yield f"{letter.id}: {field} {fact} is not in the ticket"
        if not (clean.reply.startswith("Hello ") and ". Next, " in clean.reply and clean.reply.endswith("The bench")):
            yield f"{letter.id}: the reply is not in the house's voice"
        if not 18 <= len(clean.reply.split()) <= 34 or "!" in clean.reply:
            yield f"{letter.id}: the reply has {len(clean.reply.split())} words, or shouts"


def ticket_summary() -> str:
    """Counts, as plain text."""
    from collections import Counter

    raw, gold = load_raw_tickets(), load_gold_tickets()
    pairs = list(zip(raw, gold, strict=True))
    splits = Counter(split_of(ticket) for ticket in gold)
    return "\n".join(
        [
            f"tickets: {len(raw)}, mean {sum(len(ticket.body.split()) for ticket in raw) / len(raw):.0f} words; "
            + ", ".join(f"{split} {splits[split]}" for split in ("train", "dev", "exam")),
            "  " + ", ".join(f"{issue} {count}" for issue, count in Counter(ticket.issue for ticket in gold).most_common()),
            "  "
            + ", ".join(f"{priority} {Counter(t.priority for t in gold)[priority]}" for priority in PRIORITIES)
            + f"; {sum(t.duplicate_of is not None for t in gold)} duplicates; no order number {sum(t.order_number is None for t in gold)}",
            f"  labels wrong {sum(a.agent_label != b.issue for a, b in pairs) / len(pairs):.0%}, "
            f"priorities wrong {sum(a.agent_priority != b.priority for a, b in pairs) / len(pairs):.0%}",
        ]
    )
