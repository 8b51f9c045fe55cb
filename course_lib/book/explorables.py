"""What the book's explorables know: passages, questions, vectors, measured numbers, as scripts that a page loads.

A script and not a file of data, because a page that was opened from a folder (``file://``) may load scripts and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..corpus import Gold, Passage, documents_about, find_span, gold_passages, load_documents, load_exam
from ..corpus.chunking import PASSAGE_WORDS, blocks, section_spans, sentence_spans
from ..corpus.injections import attacked_document, load_injections
from ..evaluation.chunking import BUDGET, K
from ..evaluation.intervals import wilson_interval
from ..generation.safety import FOR_CUSTOMERS, RULES
from ..retrieval.lexical import STOPWORDS, split_words, stem_words
from ..retrieval.records import matches, titled
from . import vectors
from .labs import as_script
from .results import interval_of

Data = dict[str, Any]
Interval = list[float]


def words() -> Data:
    """What cuts a text into terms: the words that are left out, and the stem of every word on the shelf and in the exam.

    Of other words a browser makes the stem itself.
    """
    passages, _ = vectors.playground()
    texts = [*(titled(one) for one in passages), *(one.question for one in load_exam("all", edition=None))]
    known = sorted({word for text in texts for word in split_words(text)})
    return {"stopwords": sorted(STOPWORDS), "stems": dict(zip(known, stem_words(known), strict=True))}


def note_on(passage: Passage) -> str:
    """Why a customer would not be shown a passage today; empty where he would."""
    document = passage.document
    notes = [] if document.audience == "customer" else ["staff only"]
    notes += [] if document.holds_in("2026") else ["out of date"]
    return ", ".join(notes + ([] if document.source == "official" else [document.source]))


def retrieval() -> Data:
    """The playground: the whole shelf, the questions with their gold passages, the small vectors of both."""
    passages, questions = vectors.playground()
    made = vectors.load()
    return {
        "passages": [
            {
                "id": one.id,
                "title": one.title,
                "text": one.text,
                "note": note_on(one),
                "shown": matches(one.metadata, FOR_CUSTOMERS),
            }
            for one in passages
        ],
        "questions": [
            {"type": one.type, "ask": one.question, "answer": one.answer, "gold": gold_passages(one, passages)}
            for one in questions
        ],
        "dimensions": made["about"]["dimensions"],
        "scale": made["scale"],
        "vectors": made["passages"],
        "asked": made["questions"],
        "about": made["about"],
    }


def chunking() -> Data:
    """The chunking explorer: the documents and questions of lab 01, with the pieces of which a browser packs passages."""
    asked = [question for question in load_exam("dev") if question.answerable]
    documents = documents_about(load_exam("dev"), load_documents())
    places = {document.id: number for number, document in enumerate(documents)}

    def place(gold: Gold) -> Data:
        """Where a fact stands; a document that is not on this shelf holds none."""
        number = places.get(gold.doc)
        return {"document": number, "at": [] if number is None else find_span(documents[number].text, gold.span)}

    return {
        "k": K,
        "budget": BUDGET,
        "longest": PASSAGE_WORDS,
        "documents": [
            {
                "title": one.title,
                "text": one.text,
                "sentences": sentence_spans(one.text),
                "sections": [
                    {"at": span, "heading": heading, "blocks": blocks(one.text, *span)}
                    for span, heading in section_spans(one.text)
                ],
            }
            for one in documents
        ],
        "questions": [
            {
                "ask": one.question,
                "answer": one.answer,
                "gold": [place(gold) for gold in one.gold],
            }
            for one in asked
        ],
    }


def injections() -> Data:
    """The injection demo: the planted texts, what the model answered in every way, and the rules that look for orders."""
    from ..evaluation.attacks import load_attempts, planted_passage

    attacks = load_injections()
    numbers = {attack.id: number for number, attack in enumerate(attacks)}
    rates, attempts = {}, []
    for condition, tries in load_attempts().items():
        hits = sum(one.succeeded for one in tries)
        rates[condition] = [hits, len(tries), *wilson_interval(hits, len(tries))]
        for one in tries:
            number = numbers[one.injection.id]
            attempts.append(
                {
                    "condition": condition,
                    "attack": number,
                    "question": attacks[number].questions.index(one.question),
                    "text": one.text,
                    "reached": one.reached,
                    "succeeded": one.succeeded,
                }
            )
    return {
        "attacks": [
            {
                "technique": one.technique,
                "title": attacked_document(one).title,
                "goal": one.goal,
                "harm": one.harm,
                "questions": one.questions,
                "text": planted_passage(one).text,
                "planted": find_span(planted_passage(one).text, one.span),
            }
            for one in attacks
        ],
        "rates": rates,
        "attempts": attempts,
        "rules": RULES,
    }


# --- the calculator -------------------------------------------------------------------------------------------------


def share(hits: Sequence[bool]) -> Interval:
    """A share, the ends of its 95 % interval, and of how many."""
    low, high = wilson_interval(sum(hits), len(hits))
    return [sum(hits) / len(hits), low, high, len(hits)]


def mean(values: Sequence[float]) -> Interval:
    """A mean, the ends of its 95 % interval, and of how many."""
    return [sum(values) / len(values), *interval_of(values), len(values)]


def calculator() -> Data:
    """The calculator: what the shipped runs measured, and the price list."""
    from ..evaluation import fact_runs, freshness, ticket_runs
    from ..evaluation.marks import measures
    from ..evaluation.open_book import load_run
    from ..prices import load_prices

    run, facts, tickets = load_run(), fact_runs.load_runs(), ticket_runs.load_runs()
    fresh, _ = freshness.load_run()
    marks = [one for one in run.marks("retrieved") if one.question.answerable]
    by_program = next(one for one in measures(run.marks("retrieved", attributed=True)) if one.name == "citation precision")
    costs = {}
    for name, condition in (("open", "retrieved"), ("closed", "closed")):  # SQLite's: its closed book has a count of tokens
        ledger = run.ledger(condition, "sqlite")
        ms = sum(entry.total_ms for entry in ledger.entries) / len(ledger.entries)
        costs[name] = {"in": ledger.tokens_in, "out": ledger.tokens_out, "ms": ms}
    filed = {}
    for name, way in (("prompt", "rules, 5 shown"), ("trained", "trained")):
        tokens_in, tokens_out, ms = tickets.cost(way)
        filed[name] = {"in": tokens_in, "out": tokens_out, "ms": ms} | {
            mark: mean(tickets.shares(way, mark)) for mark in ticket_runs.MARKS
        }
    return {
        "machine": run.about["machine"],
        "model": run.about["model"],
        "prices": [
            {
                "name": one.name, "kind": one.kind, "day": str(one.as_of), "in": one.usd_per_million_in, "out": one.usd_per_million_out,
                "watts": one.watts, "kwh": one.usd_per_kwh,
            }
            for one in load_prices().values()
        ],
        "questions": costs,
        "tickets": filed,
        "right": {
            "closed": share(run.rights("closed")),
            "retrieved": share(run.rights("retrieved")),
            "gold": share(run.rights("gold")),
            "taught": mean(facts.shares("taught", "held out")),
            "trained wording": mean(facts.shares("taught", "trained")),
            "facts, open book": mean(facts.shares("open book 2025", "held out")),
        },
        "cites": {
            "model": share([one.citations > 0 for one in marks]),
            "program": [by_program.value, by_program.low, by_program.high, by_program.n],
        },
        "fresh": {"before": share([one.found_before for one in fresh]), "after": share([one.found_after for one in fresh])},
        "training": {
            "facts": [one["seconds"] for one in facts.about["trainings"].values()],
            "tickets": [one["seconds"] for one in tickets.about["trainings"].values()],
        },
        "general": {"before": mean(facts.shares("before", "general")), "after": mean(facts.shares("taught", "general"))},
    }  # fmt: skip


EXPLORABLES: dict[str, Callable[[], Data]] = {
    "words": words,
    "retrieval": retrieval,
    "chunking": chunking,
    "injections": injections,
    "calculator": calculator,
}
"""Each script by its name."""


def script(name: str) -> str:
    """A script that gives its data to the explorables."""
    return f"(window.courseBook ??= {{}}).{name} = {as_script(EXPLORABLES[name]())};\n"
