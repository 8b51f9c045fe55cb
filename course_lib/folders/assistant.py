"""A folder becomes an assistant: it answers from the files, names the exact place, and says when it does not know."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..errors import CourseError
from ..generation.citations import attribute, content_words, parse_citations, strip_citations, supporting_span
from ..generation.generate import Chat, Generated, generate_counted, generate_stream
from ..generation.prompts import ABSTENTION, Prompt, Style
from ..ledger import Entry, record
from ..models import language_model
from ..pipeline import Assistant
from .index import FolderIndex, shared_codes
from .reading import MOST_BYTES, Reading, find_folder, read_folder, state_of
from .texts import FilePassage, Place

DOCUMENTS = Style(
    "You answer questions from documents. Answer the question in one short sentence, using only the numbered passages. "
    "End with the number of the passage that you used, such as [2]. "
    f"If the passages do not hold the answer, say: {ABSTENTION}"
)
"""What the model is told: as :data:`~course_lib.generation.prompts.GROUNDED`, without the story's company."""

MIN_SIMILARITY = 0.30
"""A question whose nearest passage is farther than this is not put to the model.

Chosen on the questions for training and development. It silences 1 of 396 answerable questions on the Quillfeather documents and 1 of 29 on
SQLite's; of the questions that belong to the other collection 72 % and 89 %; but of the 87 near misses on the right topic only 2.
"""
MIN_SUPPORT = 0.3
"""An answer of whose own words fewer than this share stand in one of its passages is taken back.

On the shipped run of lab 04 that takes back 1 of 37 right answers, 34 % of 281 wrong ones, and 41 % of 73 to questions without an answer.
"""


class QuestionError(CourseError):
    """A question that cannot be put to the model: empty, or too long."""


@dataclass(frozen=True)
class Source:
    """Where an answer comes from: a passage of a file, and in it ``quote``, the words nearest to the answer, at ``place``.

    ``how``: ``cited`` by the model itself, ``attributed`` after the fact by shared words, or only ``shown`` to the model.
    """

    number: int
    file: str
    section: str
    place: Place
    quote: str
    how: str
    passage: FilePassage = field(repr=False)

    @property
    def name(self) -> str:
        """File, then section, then place."""
        return " › ".join(part for part in (self.file, self.section) if part) + f" ({self.place})"

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON knows it."""
        whole = self.passage.place()
        return {
            "number": self.number,
            "file": self.file,
            "section": self.section,
            "page": self.place.page,
            "lines": list(self.place.lines) if self.place.lines else None,
            "span": {"start": self.place.start, "end": self.place.end, "text": self.quote},
            "passage": {"start": whole.start, "end": whole.end, "text": self.passage.text},
            "how": self.how,
        }


@dataclass(frozen=True, repr=False)
class FolderAnswer:
    """An answer about a folder. ``sources`` are what it stands on, ``shown`` all passages that the model was given.

    Where it ``abstained``, ``reason`` says why and there are no sources.
    """

    question: str
    text: str
    abstained: bool
    reason: str
    sources: tuple[Source, ...]
    shown: tuple[Source, ...]
    similarity: float
    cost: Entry
    cut_off: bool = False

    @property
    def words(self) -> str:
        """The answer without citation marks."""
        return strip_citations(self.text)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON knows it."""
        return {
            "question": self.question,
            "answer": self.text,
            "abstained": self.abstained,
            "reason": self.reason,
            "sources": [source.as_dict() for source in self.sources],
            "shown": [source.as_dict() for source in self.shown],
            "similarity": round(self.similarity, 4),
            "cut_off": self.cut_off,
            "milliseconds": {name: round(ms, 1) for name, ms in self.cost.ms.items()},
            "tokens": {"prompt": self.cost.tokens_in, "answer": self.cost.tokens_out},
        }

    def __str__(self) -> str:
        lines = [self.text]
        if self.abstained and self.reason:
            lines[0] += f" ({self.reason})"
        for source in self.sources:
            lines.append(f"[{source.number}] {source.name}: “{' '.join(source.quote.split())}”")
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True)
class _Asked:
    """A question with its prompt, before the model has seen it."""

    question: str
    prompt: Prompt
    similarity: float
    cost: Entry


def support(answer: str, question: str, passages: list[FilePassage]) -> float:
    """The share of an answer's own words, those of the question left out, that stand in the passage that holds most of them.

    1 where it has no words of its own. That words are shared does not prove an answer; that none are, speaks against it.

    >>> from course_lib.retrieval import Record
    >>> support("It holds 1.2 litres", "How much does the tank hold?", [Record("a", "The tank takes 1.2 litres.")])  # not: holds
    0.6666666666666666
    """
    own = content_words(strip_citations(answer)) - content_words(question)
    return max((len(own & content_words(passage.text)) / len(own) for passage in passages), default=0.0) if own else 1.0


class FolderAssistant:
    """Answers questions about a folder; made by :func:`ask_folder`."""

    def __init__(
        self,
        folder: str | Path,
        lm: Chat | None = None,
        *,
        k: int = 3,
        max_new_tokens: int = 48,
        budget: int = 1200,
        max_file_mb: float = MOST_BYTES / 1e6,
        min_similarity: float = MIN_SIMILARITY,
        min_support: float = MIN_SUPPORT,
        progress: bool = False,
    ) -> None:
        if k < 1 or max_new_tokens < 1:
            raise ValueError("k and max_new_tokens must be at least 1")
        self.max_file_mb, self.progress = max_file_mb, progress
        self.min_similarity, self.min_support = min_similarity, min_support
        self._lm, self._k, self._max_new_tokens, self._budget = lm, k, max_new_tokens, budget
        self._read(find_folder(folder))

    def _read(self, folder: Path) -> None:
        state = state_of(folder)  # before reading: what changes meanwhile is seen the next time
        reading = read_folder(folder, self.max_file_mb)
        self.index = FolderIndex(reading.files, progress=self.progress)
        self.reading, self.state = reading, state

    @property
    def lm(self) -> Chat:
        """The model that answers; the course's own is loaded when it is first needed."""
        if self._lm is None:
            self._lm = language_model()
        return self._lm

    def refresh(self) -> bool:
        """Read the folder again if anything in it has changed; return whether it had. Only what changed is embedded.

        Raises :class:`CourseError` where the folder is gone; what was read before then stays.
        """
        folder = find_folder(self.reading.folder)
        if state_of(folder) == self.state:
            return False
        self._read(folder)
        return True

    def ask(self, question: str, max_new_tokens: int | None = None) -> FolderAnswer:
        """Answer one question. Raises :class:`QuestionError` where it is empty or too long."""
        asked = self._prepare(question)
        if isinstance(asked, FolderAnswer):
            return asked
        most = max_new_tokens or self._max_new_tokens
        (made,) = generate_counted(self.lm, [asked.prompt.messages], most)
        return self._finish(asked, made, most)

    def stream(
        self, question: str, max_new_tokens: int | None = None, stop: Callable[[], bool] = lambda: False
    ) -> Generator[str, None, FolderAnswer]:
        """:meth:`ask`, piece by piece as the model writes; the whole answer is the generator's return value.

        An answer that is taken back when it is complete has been read by then: its text then ends with that news.
        ``stop`` is asked between tokens.
        """
        asked = self._prepare(question)
        if isinstance(asked, FolderAnswer):
            yield asked.text
            return asked
        most = max_new_tokens or self._max_new_tokens
        made = yield from generate_stream(self.lm, asked.prompt.messages, most, stop)
        answer = self._finish(asked, made, most)
        if answer.abstained and answer.text != made.text:
            yield f"{' ' if made.text else ''}{answer.text} ({answer.reason})"
        return answer

    def _prepare(self, question: str) -> _Asked | FolderAnswer:
        question = " ".join(question.encode("utf-8", "replace").decode("utf-8").split())
        if not question:
            raise QuestionError("The question is empty.", "ask something.")
        with record() as cost:
            hits = self.index.search(question, self._k)
            passages: list[FilePassage] = [hit.passage for hit in hits]
            similarity = self.index.similarity(question)
            reason = ""
            if not passages:
                reason = "the folder holds no passage about this"
            elif similarity < self.min_similarity and not shared_codes(question, passages):
                reason = (
                    f"nothing in the folder is near the question: {similarity:.2f}, and {self.min_similarity:.2f} is asked for"
                )
            else:
                try:
                    prompt = self._assistant().prompt(question, passages)
                except ValueError:
                    raise QuestionError("The question is too long.", "shorten it to what you want to know.") from None
                if not prompt.passages:
                    reason = "the passages found are too long for the prompt"
        if reason:
            return FolderAnswer(question, ABSTENTION, True, reason, (), (), similarity, cost)
        return _Asked(question, prompt, similarity, cost)

    def _assistant(self) -> Assistant:
        return Assistant(self.index, self.lm, self._k, None, DOCUMENTS, self._budget, self._max_new_tokens)

    def _finish(self, asked: _Asked, made: Generated, most: int) -> FolderAnswer:
        from ..evaluation.answers import abstains

        passages = cast(list[FilePassage], list(asked.prompt.passages))
        cost = Entry({**asked.cost.ms, "generate": made.ms}, made.tokens_in, made.tokens_out)
        cited, how = parse_citations(made.text, len(passages)), "cited"
        if not cited:
            cited, how = attribute(made.text, passages), "attributed"
        text, reason = made.text, ""
        if not content_words(strip_citations(text)):
            text, reason = (
                (text, "")
                if strip_citations(text).strip(" .").lower() in ("yes", "no")
                else (ABSTENTION, "the model wrote no words")
            )
        elif abstains(text):
            reason = "the model found no answer in the passages"
        elif (share := support(text, asked.question, passages)) < self.min_support:
            reason = f"the model's words are not in the passages: {share:.0%} of them"
            text = ABSTENTION
        shown = tuple(
            source_of(number, passage, made.text, how if number in cited and not reason else "shown")
            for number, passage in enumerate(passages, start=1)
        )
        sources = () if reason else tuple(shown[number - 1] for number in cited)
        cut_off = made.tokens_out >= most
        return FolderAnswer(asked.question, text, bool(reason), reason, sources, shown, asked.similarity, cost, cut_off)

    def __repr__(self) -> str:
        return f"{self.reading.folder.name}: {self.reading.summary}; {len(self.index.passages):,} passages"


def source_of(number: int, passage: FilePassage, answer: str, how: str) -> Source:
    """A passage as a source of an answer: the sentence in it that shares most words with the answer, and its place in the file.

    The heading is no sentence. Where no sentence shares a word, it is the passage without its heading.
    """
    text = passage.text
    body = max(0, passage.section.body - passage.start)  # where the heading ends
    body += len(text[body:]) - len(text[body:].lstrip())
    start, end = (body + at for at in supporting_span(answer, text[body:]) or (0, len(text) - body))
    return Source(number, passage.file.file, passage.heading, passage.place(start, end), passage.text[start:end], how, passage)


def ask_folder(folder: str | Path, lm: Chat | None = None, **options: Any) -> FolderAssistant:
    """Read a folder of Markdown, HTML, text and PDF files; what comes back answers questions: ``ask_folder("docs").ask("How …?")``.

    ``lm`` is the model that answers (the course's own, or a :class:`~course_lib.generation.remote.RemoteModel`); ``options`` are those of
    :class:`FolderAssistant`. What could not be read is in ``.reading.notices``, one line each.
    Raises :class:`CourseError` where the folder does not exist, or nothing in it can be read.
    """
    assistant = FolderAssistant(folder, lm, **options)
    if not assistant.index.passages:
        raise nothing_to_read(assistant.reading)
    return assistant


def nothing_to_read(reading: Reading) -> CourseError:
    """The error for a folder without a single word."""
    lost = [str(notice) for notice in reading.notices if not notice.used]
    why = f" {lost[0]}." if len(lost) == 1 else f" {lost[0]}; and {len(lost) - 1} more." if lost else ""
    skipped = (
        f" Skipped: {', '.join(f'{count} {reason}' for reason, count in sorted(reading.skipped.items()))}."
        if reading.skipped
        else ""
    )
    return CourseError(
        f"There is nothing to read in {reading.folder}.{why}{skipped}",
        "put Markdown, HTML, text or PDF files into it, or name another folder.",
    )
