"""What a model is taught by heart: facts of the 2025 edition, facts that it never sees, and questions about the world at large.

The taught facts come with two wordings to train on and two that are kept back, and with what the 2026 edition made of them. The
unseen ones are of the same kinds, about other products: what a model answers there is guessed. The probes ask for what it knew before.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from .documents import HERE, Document, load_documents
from .exam import Gold, Question

SPLITS = ("taught", "unseen")
KINDS = ("part number", "interval", "duration", "measure", "temperature", "price", "date", "error code", "word")
PROBE_KINDS = ("capital", "arithmetic", "opposite", "colour", "calendar", "animal", "science", "language", "world")
MAX_HELD_OUT_OVERLAP = 0.34  # of the content words of a wording that is kept back: one in three may be a trained one


@dataclass(frozen=True)
class Change:
    """What the 2026 edition says instead: the document, its words (verbatim but for white space), the answer and its spellings."""

    doc: str
    span: str
    answer: str
    accept: tuple[str, ...] = ()

    @property
    def accepted(self) -> list[str]:
        """Every spelling that counts as right."""
        return [self.answer, *self.accept]


@dataclass(frozen=True)
class Fact:
    """One fact of the 2025 edition.

    A taught fact has two ``trained`` and two ``held_out`` wordings; an unseen one has none of them. ``question`` is asked of both
    (for a taught fact: the first trained wording). ``product`` is a product, a policy or a general page. ``edition_2026`` is
    ``None`` where the fact still holds.
    """

    id: str
    split: str
    product: str
    kind: str
    doc: str
    span: str
    question: str
    answer: str
    accept: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    edition_2026: Change | None = None

    @property
    def accepted(self) -> list[str]:
        """Every spelling that counts as right in 2025."""
        return [self.answer, *self.accept]

    @property
    def wordings(self) -> tuple[str, ...]:
        """Every wording of the question."""
        return (*self.trained, *self.held_out) or (self.question,)

    def ask(self, question: str, edition: str = "2025") -> Question:
        """The fact as a question with the answer of an edition, so that whatever marks an exam marks this.

        >>> fact = next(fact for fact in load_facts() if fact.edition_2026)
        >>> fact.ask(fact.held_out[0]).answer == fact.answer, fact.ask(fact.held_out[0], "2026").answer == fact.edition_2026.answer
        (True, True)
        """
        is_new = edition == "2026" and self.edition_2026 is not None
        source: Fact | Change = self.edition_2026 if is_new and self.edition_2026 else self
        return Question(
            self.id, self.product, "changed" if self.edition_2026 else "single", self.split, question, source.answer, source.accept,
            (Gold(source.doc, source.span),), edition=edition, pair=self.id if self.edition_2026 else None,
        )  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """A question of general knowledge, to see whether training cost the model what it knew."""

    id: str
    kind: str
    question: str
    answer: str
    accept: tuple[str, ...] = ()

    @property
    def accepted(self) -> list[str]:
        """Every spelling that counts as right."""
        return [self.answer, *self.accept]

    def ask(self) -> Question:
        """The probe as a question, so that whatever marks an exam marks this.

        >>> probe = load_probes()[0]
        >>> probe.ask().question == probe.question and probe.ask().answerable
        True
        """
        return Question(self.id, "general knowledge", "single", "probe", self.question, self.answer, self.accept)


Row = TypeVar("Row", Fact, Probe)


def _fact(row: dict[str, Any]) -> Fact:
    change = row.pop("edition_2026", None)
    for name in ("accept", "trained", "held_out"):
        row[name] = tuple(row.get(name, ()))
    row.setdefault("question", row["trained"][0] if row["trained"] else "")
    return Fact(**row, edition_2026=Change(**change | {"accept": tuple(change.get("accept", ()))}) if change else None)


def _probe(row: dict[str, Any]) -> Probe:
    return Probe(**row | {"accept": tuple(row.get("accept", ()))})


def read_facts(path: Path) -> tuple[Fact, ...]:
    """Read facts from a JSON Lines file. Raises ``ValueError`` that names the line where one is not readable."""
    return tuple(_read(path, _fact))


def read_probes(path: Path) -> tuple[Probe, ...]:
    """Read probes from a JSON Lines file. Raises ``ValueError`` that names the line where one is not readable."""
    return tuple(_read(path, _probe))


def _read(path: Path, make: Callable[[dict[str, Any]], Row]) -> Iterator[Row]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                yield make(json.loads(line))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path.name}, line {number}: {error}") from error


@cache
def _all_facts() -> tuple[Fact, ...]:
    return read_facts(HERE / "quillfeather" / "facts.jsonl")


@cache
def _all_probes() -> tuple[Probe, ...]:
    return read_probes(HERE / "probes.jsonl")


def load_facts(split: str = "taught") -> list[Fact]:
    """Load the facts of a split, ``taught`` or ``unseen``, in the file's order.

    >>> len(load_facts()), len(load_facts("unseen"))
    (96, 40)
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}. There are: {' and '.join(SPLITS)}.")
    return [fact for fact in _all_facts() if fact.split == split]


def load_probes() -> list[Probe]:
    """Load the questions of general knowledge.

    >>> len(load_probes())
    60
    """
    return list(_all_probes())


def best_constant_answers(facts: Sequence[Fact]) -> dict[str, tuple[str, float]]:
    """For each kind, the one answer that is right most often if it is given to every question, and the share that it gets right.

    It is the score of a model that learned nothing but the most useful thing to say, and the number that recall has to beat.

    >>> best_constant_answers([fact for fact in load_facts() if fact.product == "otter-x4" and fact.kind == "measure"])
    {'measure': ('60 ml', 1.0)}
    """
    from ..evaluation.answers import contains_answer

    best = {}
    for kind in KINDS:
        rows = [fact for fact in facts if fact.kind == kind]
        if rows:
            right = {text: sum(contains_answer(text, fact.accepted) for fact in rows) for fact in rows for text in fact.accepted}
            answer = max(right, key=lambda text: right[text])
            best[kind] = (answer, right[answer] / len(rows))
    return best


def held_out_overlap(fact: Fact) -> list[float]:
    """For each wording that is kept back, the share of its content words that a trained wording has too.

    Names do not count (the product, the house, an error code): both need them.
    """
    from .validate import content_stems

    names = re.findall(
        r"\w+", " ".join([*_names(fact.product), "Quillfeather", *re.findall(r"\bE\d\d\b", " ".join(fact.wordings))])
    )
    stems = [content_stems(text, without=" ".join([*names, "s"])) for text in (*fact.trained, *fact.held_out)]
    trained, held_out = set().union(*stems[: len(fact.trained)]), stems[len(fact.trained) :]
    return [len(words & trained) / len(words) if words else 0.0 for words in held_out]


def _names(product: str) -> list[str]:
    """The words by which a question may name its product: the product's own name, or the house for its policies and pages."""
    return ["Quillfeather"] if product.startswith(("policy-", "company-")) else product.capitalize().split("-")


def check_facts(
    facts: Sequence[Fact] | None = None, probes: Sequence[Probe] | None = None, documents: Sequence[Document] | None = None
) -> Iterator[str]:
    """What is wrong with the facts and the probes; nothing where all is well."""
    facts = _all_facts() if facts is None else facts
    probes = _all_probes() if probes is None else probes
    documents = load_documents(edition=None, audience=None, official=False) if documents is None else documents
    yield from _check_rows(facts, probes)
    yield from _check_spans(facts, documents)
    yield from _check_editions(facts, documents)
    yield from _check_wordings(facts)
    yield from _check_splits(facts)
    yield from _check_probes(facts, probes)


def _check_rows(facts: Sequence[Fact], probes: Sequence[Probe]) -> Iterator[str]:
    """Ids and questions are unique; splits and kinds are known; a taught fact has two wordings of each sort, an unseen one none."""
    ids = Counter([fact.id for fact in facts] + [probe.id for probe in probes])
    yield from (f"{name}: id used {count} times" for name, count in ids.items() if count > 1)
    questions = Counter(" ".join(text.lower().split()) for text in _questions(facts, probes))
    yield from (f"question asked {count} times: {text}" for text, count in questions.items() if count > 1)
    for fact in facts:
        if fact.split not in SPLITS:
            yield f"{fact.id}: unknown split {fact.split}"
        if fact.kind not in KINDS:
            yield f"{fact.id}: unknown kind {fact.kind}"
        wanted = 2 if fact.split == "taught" else 0
        if not fact.question or len(fact.trained) != wanted or len(fact.held_out) != wanted:
            yield f"{fact.id}: a taught fact needs two trained and two held-out wordings, an unseen one a question alone"


def _questions(facts: Sequence[Fact], probes: Sequence[Probe]) -> list[str]:
    return [text for fact in facts for text in fact.wordings] + [probe.question for probe in probes]


def _check_spans(facts: Sequence[Fact], documents: Sequence[Document]) -> Iterator[str]:
    """Each span stands once in an official document of its edition; its answer is in it, and marking finds it there."""
    from ..evaluation.answers import is_correct  # here, because evaluation builds on the corpus
    from .chunking import chunk_document
    from .validate import check_gold

    passages = [passage for document in documents for passage in chunk_document(document)]
    for fact in facts:
        asked = [fact.ask(fact.question)] + ([fact.ask(fact.question, "2026")] if fact.edition_2026 else [])
        yield from check_gold(asked, list(documents), passages)
        for question in asked:
            if not all(is_correct(question, text) for text in (question.answer, question.gold[0].span)):
                yield f"{fact.id}: the {question.edition} answer {question.answer!r} is not found in itself or in its span"


def _check_editions(facts: Sequence[Fact], documents: Sequence[Document]) -> Iterator[str]:
    """What changed has two answers that exclude each other; what did not change is said in 2026 too, and overruled nowhere."""
    from ..evaluation.answers import contains_answer

    by_id = {document.id: document for document in documents}
    for fact in facts:
        change = fact.edition_2026
        if change:
            new = by_id.get(change.doc)
            if new and new.holds_in("2025"):
                yield f"{fact.id}: {change.doc} holds in 2025 already"
            if any(contains_answer(text, fact.accepted) for text in change.accepted):
                yield f"{fact.id}: an answer of 2026 is accepted for 2025"
            if any(contains_answer(text, change.accepted) for text in fact.accepted):
                yield f"{fact.id}: an answer of 2025 is accepted for 2026"
            continue
        old = by_id.get(fact.doc)
        if old and not old.holds_in("2026"):
            successor = by_id.get(fact.doc.replace("-2025", "-2026"))
            if successor is None or not contains_answer(successor.text, fact.accepted):
                yield f"{fact.id}: no edition_2026, but {fact.doc} ended in 2025 and its successor does not say {fact.answer!r}"
        for document in documents:
            if fact.doc in document.overrules and contains_answer(document.text, fact.accepted):
                yield f"{fact.id}: no edition_2026, but {document.id}, which overrules {fact.doc}, says {fact.answer!r}"


def _check_wordings(facts: Sequence[Fact]) -> Iterator[str]:
    """Each wording names its product, no year and no answer; those kept back share few words with those trained."""
    from ..evaluation.answers import contains_answer

    for fact in facts:
        answers = [*fact.accepted, *(fact.edition_2026.accepted if fact.edition_2026 else [])]
        for text in fact.wordings:
            if _names(fact.product)[0].lower() not in text.lower():
                yield f"{fact.id}: the question does not name its product: {text}"
            if re.search(r"\b202\d\b", text):
                yield f"{fact.id}: the question names a year: {text}"
            if contains_answer(text, answers):
                yield f"{fact.id}: the question gives an answer away: {text}"
            if len(text.split()) > 30:
                yield f"{fact.id}: the question has more than 30 words"
        for text, overlap in zip(fact.held_out, held_out_overlap(fact), strict=True):
            if overlap > MAX_HELD_OUT_OVERLAP:
                yield f"{fact.id}: {overlap:.0%} of a held-out wording's content words are in a trained one: {text}"


def _check_splits(facts: Sequence[Fact]) -> Iterator[str]:
    """No two taught facts accept the same answer, and no taught fact names a product of an unseen one."""
    from ..evaluation.answers import contains_answer

    taught = [fact for fact in facts if fact.split == "taught"]
    for one, other in combinations(taught, 2):
        if any(contains_answer(t, other.accepted) for t in one.accepted) or any(
            contains_answer(t, one.accepted) for t in other.accepted
        ):
            yield f"{one.id} and {other.id} accept the same answer: {one.answer!r}, {other.answer!r}"
    for product in sorted({fact.product for fact in facts if fact.split == "unseen"}):
        for fact in taught:
            told = " ".join([*fact.wordings, *fact.accepted])
            if product == fact.product or re.search(rf"\b{_names(product)[0]}\b", told, flags=re.IGNORECASE):
                yield f"{fact.id}: names {product}, whose facts are to be unseen"


def _check_probes(facts: Sequence[Fact], probes: Sequence[Probe]) -> Iterator[str]:
    """A probe's kind is known, its answer is not in its question, and no answer of a taught fact, old or new, is right for it."""
    from ..evaluation.answers import contains_answer, is_correct

    changes = [fact.edition_2026 for fact in facts if fact.edition_2026]
    taught: list[Fact | Change] = [*(fact for fact in facts if fact.split == "taught"), *changes]
    for probe in probes:
        if probe.kind not in PROBE_KINDS:
            yield f"{probe.id}: unknown kind {probe.kind}"
        if not is_correct(probe.ask(), probe.answer):
            yield f"{probe.id}: the answer {probe.answer!r} is not found in itself"
        if contains_answer(probe.question, probe.accepted):
            yield f"{probe.id}: the question gives the answer away"
        for row in taught:
            if any(contains_answer(t, probe.accepted) for t in row.accepted) or any(
                contains_answer(t, row.accepted) for t in probe.accepted
            ):
                yield f"{probe.id}: {probe.answer!r} is also an answer of a taught fact, {row.answer!r} ({row.doc})"


def fact_summary() -> str:
    """Counts, overlaps and the score of the best constant answer, as plain text."""
    taught, unseen, probes = load_facts(), load_facts("unseen"), load_probes()
    overlaps = [share for fact in taught for share in held_out_overlap(fact)]
    constant = {name: best_constant_answers(rows) for name, rows in (("taught", taught), ("unseen", unseen))}
    lines = [
        f"facts: {len(taught)} taught about {len({fact.product for fact in taught})} products, policies and pages, "
        f"{sum(fact.edition_2026 is not None for fact in taught)} of them changed in 2026; "
        f"{len(unseen)} unseen about {len({fact.product for fact in unseen})} products",
        f"  held-out wordings share {sum(overlaps) / len(overlaps):.0%} of their content words with trained ones on average, "
        f"{max(overlaps):.0%} at most; {sum(share == 0 for share in overlaps)} of {len(overlaps)} share none",
        f"  {'kind':<14}{'taught':>8}{'changed':>9}{'constant':>10}{'unseen':>8}{'constant':>10}",
    ]
    for kind in KINDS:
        rows = [fact for fact in taught if fact.kind == kind]
        best = [f"{constant[name][kind][1]:.0%}" if kind in constant[name] else "" for name in ("taught", "unseen")]
        changed, others = sum(fact.edition_2026 is not None for fact in rows), sum(fact.kind == kind for fact in unseen)
        lines.append(f"  {kind:<14}{len(rows):>8}{changed:>9}{best[0]:>10}{others:>8}{best[1]:>10}")
    kinds = Counter(probe.kind for probe in probes)
    lines.append(f"probes: {len(probes)}; " + ", ".join(f"{kind} {kinds[kind]}" for kind in PROBE_KINDS))
    return "\n".join(lines)
