"""The open-book exam of the untouched model: asked once in full under several conditions, shipped with the course.

``python -m course_lib.evaluation.open_book`` asks everything again and writes the result file. A run that is stopped goes on where
it was. Only answers are stored: whoever reads the file computes the marks.

The conditions differ in what the prompt holds, and in nothing else:

``closed``     no passage
``gold``       the passages that hold the answer, as if the search were perfect (an unanswerable question gets the first retrieved one)
``retrieved``  the three that hybrid search finds
``random``     three drawn by chance
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..corpus import Passage, Question, gold_passages, load_exam, load_passages
from ..errors import CourseError
from ..generation import SUPPORT_DESK, Style, attribute, build_prompt, chat_messages, parse_citations, strip_citations
from ..generation.generate import generate_counted
from ..generation.safety import FOR_CUSTOMERS
from ..ledger import Entry, Ledger
from ..models import LANGUAGE_MODEL, LanguageModel, language_model
from ..pipeline import Assistant
from ..places import cache_folder
from ..retrieval.fusion import Searcher
from ..retrieval.records import Filter, Record
from . import closed_book, shipped
from .brackets import RandomSearch
from .marks import Facts, Mark, mark, measures

RESULTS = shipped.RESULTS / "open_book.json"
COMMAND = "python -m course_lib.evaluation.open_book"
CONDITIONS = ("closed", "gold", "retrieved", "random")
REPORTED = ("closed", "random", "retrieved", "gold")
SEED = 4
CHUNK = 24

QUILLFEATHER = "You are the support assistant of Quillfeather, a maker of home appliances. Answer the customer's question"
SQLITE = "You are an assistant who answers questions about the database engine SQLite. Answer the user's question"


@dataclass(frozen=True)
class Desk:
    """A corpus with its exam, and how its questions are put to the model. ``golds`` has one list of facts for each question."""

    corpus: str
    questions: list[Question] = field(repr=False)
    passages: list[Passage] = field(repr=False)
    style: Style = field(repr=False)
    closed_system: str = field(repr=False)
    where: Filter | None = None

    @cached_property
    def by_id(self) -> dict[str, Passage]:
        """The passages by id."""
        return {passage.id: passage for passage in self.passages}

    @cached_property
    def golds(self) -> list[Facts]:
        """For each question, the ids of the passages that hold each of its facts."""
        return [gold_passages(question, self.passages) for question in self.questions]

    def gold_shown(self, found: Sequence[Sequence[Passage]]) -> list[list[Passage]]:
        """What the ``gold`` condition shows: one passage for each fact, each once; without facts, the first that was found."""
        shown = []
        for gold, hits in zip(self.golds, found, strict=True):
            ids = dict.fromkeys(fact[0] for fact in gold)
            shown.append([self.by_id[name] for name in ids] or list(hits[:1]))
        return shown

    def retrieved(self, search: Searcher) -> list[list[Passage]]:
        """What a search finds for each question."""
        hits = search.search_many([question.question for question in self.questions], Assistant.k, self.where)
        return [[hit.passage for hit in one] for one in hits]

    def assistant(self, lm: LanguageModel, search: Searcher) -> Assistant:
        """The pipeline of the course over this corpus."""
        return Assistant(search, lm, where=self.where, style=self.style)


def for_sqlite(text: str) -> str:
    """A system message of Quillfeather's desk with another role; the instructions stay.

    >>> for_sqlite(QUILLFEATHER + " in one short sentence.")[-64:]
    "engine SQLite. Answer the user's question in one short sentence."

    Raises ``ValueError`` where the role is not in it: a prompt about appliances must not be tried on SQLite by mistake.
    """
    if QUILLFEATHER not in text:
        raise ValueError("the system message does not begin with the role that is to be replaced")
    return text.replace(QUILLFEATHER, SQLITE)


@cache
def load_desk(corpus: str) -> Desk:
    """``quillfeather`` with the questions of split ``exam``; ``sqlite`` with all of its questions, since nothing was tuned on them."""
    style = Assistant.style
    if corpus == "quillfeather":
        return Desk(corpus, load_exam("exam"), load_passages(), style, SUPPORT_DESK, FOR_CUSTOMERS)
    style = replace(style, system=for_sqlite(style.system))
    return Desk(corpus, load_exam("all", corpus), load_passages(corpus), style, for_sqlite(SUPPORT_DESK))


def made_with(desks: Sequence[Desk]) -> dict[str, str]:
    """The hashes of what the answers depend on: the questions, the passages, the prompt."""
    samples = [Record("a", "Some words.", "A title"), Record("b", "Other words.")]
    prompts = [build_prompt("A question?", samples, lambda messages: 0, style=desk.style).messages for desk in desks]
    how = [Assistant.k, Assistant.budget, Assistant.max_new_tokens, SEED, [desk.closed_system for desk in desks]]
    return {
        "exam": shipped.digest([closed_book.exam_hash(desk.questions) for desk in desks]),
        "passages": shipped.digest([[p.id, p.title, p.text] for desk in desks for p in desk.passages]),
        "prompt": shipped.digest([prompts, how]),
    }


@dataclass(frozen=True)
class Reading:
    """One answer of the run: ``text`` as the model wrote it, ``shown`` the ids of the passages in its prompt, in order.

    ``ms`` is the time of its batch divided by the batch's size: what it cost, not how long a person would have waited.
    """

    question: Question
    corpus: str
    condition: str
    text: str
    shown: tuple[str, ...]
    tokens_in: int = 0
    tokens_out: int = 0
    ms: float = 0.0

    @property
    def words(self) -> str:
        """The answer without its citation marks."""
        return strip_citations(self.text)

    @property
    def cited(self) -> tuple[str, ...]:
        """The ids of the passages that it names."""
        return tuple(self.shown[number - 1] for number in parse_citations(self.text, len(self.shown)))


class Run:
    """Readings of one or two corpora under several conditions, with their marks."""

    def __init__(self, readings: Sequence[Reading], about: dict[str, Any], desks: Sequence[Desk]) -> None:
        self.about, self.desks = about, {desk.corpus: desk for desk in desks}
        self._readings: dict[tuple[str, str], list[Reading]] = {}
        for reading in readings:
            self._readings.setdefault((reading.corpus, reading.condition), []).append(reading)

    def readings(self, condition: str, corpus: str = "quillfeather") -> list[Reading]:
        """The readings under a condition, in the order of the exam."""
        if (corpus, condition) not in self._readings:
            there = ", ".join(sorted({name for _, name in self._readings}))
            raise CourseError(f"There are no readings of {corpus!r} under {condition!r}.", f"choose one of {there}.")
        return self._readings[corpus, condition]

    def marks(self, condition: str, corpus: str = "quillfeather", attributed: bool = False) -> list[Mark]:
        """The marks under a condition, in the order of the exam.

        With ``attributed`` an answer cites what :func:`~course_lib.generation.attribute` finds, not what the model wrote.
        """
        desk = self.desks[corpus]
        golds = {question.id: gold for question, gold in zip(desk.questions, desk.golds, strict=True)}
        marks = []
        for one in self.readings(condition, corpus):
            cited = one.cited
            if attributed:
                cited = tuple(one.shown[number - 1] for number in attribute(one.text, [desk.by_id[name] for name in one.shown]))
            marks.append(mark(one.question, one.words, one.shown, cited, golds[one.question.id]))
        return marks

    def rights(self, condition: str, corpus: str = "quillfeather") -> list[bool]:
        """Whether each answerable question was answered rightly, in the order of the exam: what is compared in pairs."""
        return [one.right for one in self.marks(condition, corpus) if one.question.answerable]

    def report(self, corpus: str = "quillfeather", attributed: bool = False, only: Sequence[str] = ()) -> str:
        """Every measure (or ``only`` those named) under every condition, with 95 % intervals, as a text."""
        found = {name: {one.name: one for one in measures(self.marks(name, corpus, attributed))} for name in REPORTED}
        lines = []
        for measure in only or dict.fromkeys(name for row in found.values() for name in row):
            lines.append(measure)
            lines += [f"  {condition:<10} {str(row[measure])[20:]}" for condition, row in found.items() if measure in row]
        return "\n".join(lines)

    def ledger(self, condition: str, corpus: str = "quillfeather") -> Ledger:
        """What the readings under a condition cost. Their milliseconds are shares of a batch's time.

        Raises :class:`CourseError` for Quillfeather's closed book, whose file holds no tokens.
        """
        readings = self.readings(condition, corpus)
        if not all(one.tokens_in for one in readings):
            raise CourseError(f"Nobody counted the tokens of {corpus!r} under {condition!r}.", "choose another condition.")
        return Ledger([Entry({"generate": one.ms}, one.tokens_in, one.tokens_out) for one in readings])


def rows_of(
    lm: LanguageModel, desk: Desk, search: Searcher, partial: Path | None = None, progress: bool = False
) -> list[dict[str, Any]]:
    """Put a desk's whole exam under every condition; one row per answer, conditions and questions in order.

    Questions are read in chunks of similar length. Each chunk is written to ``partial`` when it is done and taken from there when
    the run is started again. Quillfeather's ``closed`` condition is a result file of its own (:mod:`.closed_book`).
    """
    from tqdm import tqdm

    assistant = desk.assistant(lm, search)
    found = desk.retrieved(search)
    blind = RandomSearch(desk.passages, SEED)
    shown: dict[str, list[list[Passage]]] = {
        "closed": [[] for _ in desk.questions],
        "gold": desk.gold_shown(found),
        "retrieved": found,
        "random": desk.retrieved(blind),
    }
    if desk.corpus == "quillfeather":
        del shown["closed"]
    done = _read_partial(partial)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    jobs = [(condition, chunk) for condition in shown for chunk in _chunks(shown[condition])]
    for condition, chunk in tqdm(jobs, desc=desk.corpus, unit="chunk", disable=not progress):
        key = [desk.corpus, condition, [desk.questions[at].id for at in chunk]]
        made = done.get(shipped.digest(key))
        if made is None:
            questions = [desk.questions[at].question for at in chunk]
            made = _read(assistant, desk, questions, [shown[condition][at] for at in chunk], condition)
            if partial is not None:
                with partial.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps({"key": key, "rows": made}) + "\n")
        for at, row in zip(chunk, made, strict=True):
            name = desk.questions[at].id
            rows[condition, name] = {"corpus": desk.corpus, "condition": condition, "id": name} | row
    return [rows[condition, question.id] for condition in shown for question in desk.questions]


def _chunks(shown: Sequence[Sequence[Passage]]) -> Iterator[list[int]]:
    order = sorted(range(len(shown)), key=lambda at: (sum(len(passage.text) for passage in shown[at]), at))
    return (order[start : start + CHUNK] for start in range(0, len(order), CHUNK))


def _read(
    assistant: Assistant, desk: Desk, questions: list[str], passages: list[list[Passage]], condition: str
) -> list[dict[str, Any]]:
    if condition == "closed":
        made = generate_counted(
            assistant.lm, [chat_messages(one, desk.closed_system) for one in questions], Assistant.max_new_tokens
        )
        return [_row(one.text, [], one.tokens_in, one.tokens_out, one.ms) for one in made]
    answers = assistant.read_many(questions, passages)
    return [
        _row(one.text, [p.id for p in one.passages], one.cost.tokens_in, one.cost.tokens_out, one.cost.ms["generate"])
        for one in answers
    ]


def _row(text: str, shown: list[str], tokens_in: int, tokens_out: int, ms: float) -> dict[str, Any]:
    return {"answer": text, "shown": shown, "tokens_in": tokens_in, "tokens_out": tokens_out, "ms": round(ms)}


def _read_partial(partial: Path | None) -> dict[str, list[dict[str, Any]]]:
    """The finished chunks of a run that was stopped; a line that is not whole was being written at that moment."""
    done = {}
    if partial is not None and partial.exists():
        for line in partial.read_text(encoding="utf-8").splitlines():
            try:
                chunk = json.loads(line)
                done[shipped.digest(chunk["key"])] = chunk["rows"]
            except (ValueError, KeyError, TypeError):
                continue
    return done


def load_run(path: Path = RESULTS) -> Run:
    """The shipped run. Raises :class:`CourseError` where its file is missing, damaged, or was made with something else.

    Quillfeather's closed-book answers come from their own file.
    """
    desks = [load_desk("quillfeather"), load_desk("sqlite")]
    rows, about = shipped.read_rows(path, made_with(desks), COMMAND)
    questions = {question.id: question for desk in desks for question in desk.questions}
    readings = [
        Reading(
            questions[row["id"]],
            row["corpus"],
            row["condition"],
            row["answer"],
            tuple(row["shown"]),
            row["tokens_in"],
            row["tokens_out"],
            row["ms"],
        )
        for row in rows
    ]
    asked, answers, _ = closed_book.load_results()
    readings += [Reading(question, "quillfeather", "closed", text, ()) for question, text in zip(asked, answers, strict=True)]
    return Run(readings, about, desks)


def main() -> None:
    """Ask everything and write the result file."""
    from ..retrieval import hybrid

    shipped.command_line(__doc__)
    lm, desks = language_model(), [load_desk("quillfeather"), load_desk("sqlite")]
    hashes = made_with(desks)
    about = {"model": lm.name, "model_sha256": LANGUAGE_MODEL.sha256, **shipped.about_this_run()}
    partial = cache_folder() / "runs" / f"open_book-{shipped.digest([hashes, about])[:16]}.jsonl"
    partial.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for desk in desks:
        rows += rows_of(lm, desk, hybrid(desk.passages), partial, progress=True)
    about["seconds"] = round(sum(row["ms"] for row in rows) / 1000)
    shipped.write_rows(RESULTS, rows, about, hashes)
    partial.unlink()
    run = load_run()
    for desk in desks:
        print(f"\n{desk.corpus}\n{run.report(desk.corpus)}")
    print(f"\n{about['seconds']} s of reading, written to {RESULTS}")


if __name__ == "__main__":
    main()
