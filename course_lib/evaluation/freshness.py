"""How fresh are the answers? Questions whose answer changed from one edition to the next, before the change and after it.

``python -m course_lib.evaluation.freshness`` asks them of the untouched model through the whole pipeline and writes the result
file. Only answers are stored: whoever reads the file computes the marks.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..corpus import Document, Passage, Question, gold_passages, load_documents, load_exam, load_passages
from ..generation import build_prompt, strip_citations
from ..ledger import Entry, record
from ..models import LANGUAGE_MODEL, LanguageModel, language_model
from ..pipeline import Answer, Assistant
from ..retrieval.live import LiveIndex
from ..retrieval.records import Record
from ..retrieval.stores.memory import MemoryStore
from . import shipped
from .answers import is_correct

RESULTS = shipped.RESULTS / "freshness.json"
COMMAND = "python -m course_lib.evaluation.freshness"


@dataclass(frozen=True)
class Pair:
    """A question with the answer of 2025 and that of 2026; ``stale`` and ``current`` are the ids of the passages that hold them."""

    old: Question
    new: Question
    stale: tuple[str, ...]
    current: tuple[str, ...]

    @property
    def question(self) -> str:
        """The wording, which is the same for both."""
        return self.new.question

    @property
    def replaced(self) -> bool:
        """Whether the old document is no longer in force. Where not, it stands beside the bulletin that overrules a sentence of it."""
        return all(not document.holds_in("2026") for document in self.documents("2025"))

    def documents(self, edition: str) -> list[Document]:
        """The documents that hold the answer of an edition."""
        names = {gold.doc for gold in (self.old if edition == "2025" else self.new).gold}
        return [one for one in load_documents(edition=None) if one.id in names]


@cache
def _passages() -> tuple[Passage, ...]:
    return tuple(load_passages(edition=None))


def load_pairs(split: str = "exam") -> list[Pair]:
    """The questions of a split whose answer changed, in the order of the exam.

    >>> pairs = load_pairs("dev")
    >>> len(pairs), pairs[0].old.answer, pairs[0].new.answer
    (18, 'every 4 weeks', 'every 2 weeks')
    """
    by_pair: dict[str, dict[str, Question]] = {}
    for question in load_exam(split, edition=None):
        if question.pair and question.edition:
            by_pair.setdefault(question.pair, {})[question.edition] = question
    return [Pair(one["2025"], one["2026"], _holders(one["2025"]), _holders(one["2026"])) for one in by_pair.values()]


def _holders(question: Question) -> tuple[str, ...]:
    return tuple(name for fact in gold_passages(question, _passages()) for name in fact)


def stale_share(rankings: Sequence[Sequence[str]], stale: Sequence[Collection[str]], current: Sequence[Collection[str]]) -> float:
    """The share of questions for which a stale passage stands before the first current one, 0 to 1.

    ``rankings`` has the ids found for each question, best first; ``stale`` and ``current`` the ids that hold its old and its new answer.
    Where nothing current is found, a stale passage at any rank counts.

    >>> stale_share([["old", "new"], ["new", "old"], ["other", "old"]], stale=[["old"]] * 3, current=[["new"]] * 3)
    0.6666666666666666

    Raises ``ValueError`` where there are no questions.
    """
    if not rankings:
        raise ValueError("a share needs at least one question")
    return sum(misleads(*one) for one in zip(rankings, stale, current, strict=True)) / len(rankings)


def misleads(ranking: Sequence[str], stale: Collection[str], current: Collection[str]) -> bool:
    """Whether a stale passage stands before the first current one.

    >>> misleads(["other", "old"], {"old"}, {"new"})
    True
    """
    first = next((name for name in ranking if name in stale or name in current), None)
    return first is not None and first not in current


# --- from a change to the changed answer --------------------------------------------------------------------------------


def change_and_ask(
    live: LiveIndex, assistant: Assistant, documents: Sequence[Document], question: str, remove: Collection[str] = ()
) -> tuple[Answer, Entry]:
    """Put documents into an index (and remove others), ask a question; the answer and the milliseconds of every stage.

    Stages: ``embed text`` and ``write`` of the change, then ``embed``, ``search``, ``prompt`` and ``generate`` of the question.
    """
    with record() as change:
        live.put(documents, remove=remove)
    answer = assistant.ask(question)
    ms = {"embed text": change.ms["embed"], "write": change.ms["write"], **answer.cost.ms}
    return answer, Entry(ms, answer.cost.tokens_in, answer.cost.tokens_out)


# --- the shipped run ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A changed question, asked before the change and after it. ``shown_…`` are the ids of the passages in the prompt."""

    pair: Pair
    before: str
    after: str
    shown_before: tuple[str, ...]
    shown_after: tuple[str, ...]

    @property
    def found_before(self) -> bool:
        """Whether the prompt held the answer of 2025, before the change."""
        return any(name in self.shown_before for name in self.pair.stale)

    @property
    def found_after(self) -> bool:
        """Whether the prompt held the answer of 2026, after the change."""
        return any(name in self.shown_after for name in self.pair.current)

    @property
    def right_before(self) -> bool:
        """Whether the model said what held in 2025, before the change."""
        return is_correct(self.pair.old, strip_citations(self.before))

    @property
    def right_after(self) -> bool:
        """Whether the model said what holds in 2026, after the change."""
        return is_correct(self.pair.new, strip_citations(self.after))


def ask_before_and_after(lm: LanguageModel, pairs: Sequence[Pair], progress: bool = False) -> list[dict[str, Any]]:
    """Ask each question of an index of 2025, bring the index to 2026, and ask again; one row for each pair."""
    live = LiveIndex(MemoryStore(384))
    assistant = Assistant(live, lm)
    old, new = load_documents(edition="2025"), load_documents(edition="2026")
    live.put(old, cached=True, progress=progress)
    before = assistant.ask_many([pair.question for pair in pairs], progress)
    live.sync(old, new)
    after = assistant.ask_many([pair.question for pair in pairs], progress)
    return [
        {
            "id": pair.new.id,
            "before": one.text,
            "after": other.text,
            "shown_before": [passage.id for passage in one.passages],
            "shown_after": [passage.id for passage in other.passages],
        }
        for pair, one, other in zip(pairs, before, after, strict=True)
    ]


def made_with(pairs: Sequence[Pair]) -> dict[str, str]:
    """The hashes of what the answers depend on: the questions, the passages, the prompt."""
    prompt = build_prompt("A question?", [Record("a", "Some words.", "A title")], lambda messages: 0, style=Assistant.style)
    return {
        "exam": shipped.digest([[pair.new.id, pair.question] for pair in pairs]),
        "passages": shipped.digest([[passage.id, passage.title, passage.text] for passage in _passages()]),
        "prompt": shipped.digest([prompt.messages, Assistant.k, Assistant.budget, Assistant.max_new_tokens]),
    }


def load_run(path: Path = RESULTS) -> tuple[list[Asked], dict[str, Any]]:
    """The shipped answers and what is known about the run.

    Raises :class:`CourseError <course_lib.errors.CourseError>` where the file is missing, damaged, or was made with something else.
    """
    pairs = load_pairs("exam")
    rows, about = shipped.read_rows(path, made_with(pairs), COMMAND)
    return [
        Asked(pair, row["before"], row["after"], tuple(row["shown_before"]), tuple(row["shown_after"]))
        for pair, row in zip(pairs, rows, strict=True)
    ], about


def main() -> None:
    """Ask all changed questions of the exam and write the result file."""
    shipped.command_line(__doc__)
    lm, pairs = language_model(), load_pairs("exam")
    start = time.perf_counter()
    rows = ask_before_and_after(lm, pairs, progress=True)
    seconds = round(time.perf_counter() - start)
    about = {"model": lm.name, "model_sha256": LANGUAGE_MODEL.sha256, "seconds": seconds, **shipped.about_this_run()}
    shipped.write_rows(RESULTS, rows, about, made_with(pairs))
    asked, _ = load_run()
    for name in ("found_before", "found_after", "right_before", "right_after"):
        print(f"{name:<13} {sum(getattr(one, name) for one in asked):>2} of {len(asked)}")
    print(f"{seconds} s, written to {RESULTS}")


if __name__ == "__main__":
    main()
