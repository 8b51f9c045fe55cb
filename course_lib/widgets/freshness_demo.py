"""The demo of lab 05: change a document, ask again, and see what it took."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..corpus import Document, find_span
from ..corpus.chunking import Span
from ..errors import CourseError
from ..ledger import record
from ..pipeline import Answer, Assistant
from ..retrieval.live import LiveIndex
from ..retrieval.records import Text
from .safe_html import EDGE, card, escaped, passage_html

QUIET = "#4a5160"
STAGES = {
    "embed text": "embed the document",
    "write": "write to the store",
    "embed": "embed the question",
    "search": "search",
    "prompt": "build the prompt",
    "generate": "generate",
}


@dataclass(frozen=True)
class Look:
    """What was seen at one moment: what had been done before, the answer, and the milliseconds by stage."""

    after: str
    answer: Answer
    ms: Mapping[str, float]


class FreshnessDemo:
    """A passage of a document to edit, a question about it, and buttons: save, delete, restore; each asks the question anew.

    Below: the answer before and the answer now, each with the passage that was found and the milliseconds of every stage. Words that
    the document did not have at first are marked. ``examples`` are documents that are in the index, each with a question and with words
    of the passage that is to be edited. Every control has a label for screen readers and works from the keyboard; without a kernel the last
    answers stay on the page.
    """

    def __init__(self, live: LiveIndex, assistant: Assistant, examples: Sequence[tuple[Document, str, str]]) -> None:
        import ipywidgets as widgets

        self.live, self.assistant, self.examples = live, assistant, list(examples)
        self.before: Look | None = None
        self.now: Look | None = None
        wide, layout = {"description_width": "6em"}, widgets.Layout(width="52em", max_width="100%")
        self.question = widgets.Dropdown(
            options=[(question, number) for number, (_, question, _) in enumerate(self.examples)],
            description="Question", style=wide, layout=layout,
        )  # fmt: skip
        tall = widgets.Layout(width="52em", max_width="100%", height="13em")
        self.editor = widgets.Textarea(description="Passage", style=wide, layout=tall)
        self.save, self.delete, self.restore = (
            widgets.Button(description=name, tooltip=tip, layout=widgets.Layout(width="auto"))
            for name, tip in (
                ("Save and ask", "Put the edited passage into the store, then ask the question"),
                ("Delete and ask", "Delete the whole document from the store, then ask the question"),
                ("Restore and ask", "Put the document back as it was at first, then ask the question"),
            )
        )
        self.view = widgets.HTML()
        buttons = widgets.HBox(
            [self.save, self.delete, self.restore], layout=widgets.Layout(margin="0 0 0 6.5em", flex_flow="wrap")
        )
        self.box = widgets.VBox([self.question, self.editor, buttons, self.view])
        self.question.observe(self._choose, names="value")
        self.save.on_click(lambda button: self._act("You saved the passage", self._saved))
        self.delete.on_click(lambda button: self._act("You deleted the document", self._deleted))
        self.restore.on_click(lambda button: self._act("You restored the document", self._restored))
        self._choose()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        live = self.box._repr_mimebundle_(**kwargs)
        data = live[0] if isinstance(live, tuple) else live
        return data | {"text/plain": f"[demo] {self.asked}", "text/html": self.view.value}

    @property
    def document(self) -> Document:
        """The document of the chosen example, as it was at first."""
        return self.examples[self.question.value][0]

    @property
    def asked(self) -> str:
        """The chosen question."""
        return self.examples[self.question.value][1]

    def _choose(self, change: Any = None) -> None:
        """Another example: its document as it was at first, and the passage of it that holds the given words."""
        document, _, words = self.examples[self.question.value]
        place = find_span(document.text, words)
        spans = [(int(str(one.metadata["start"])), int(str(one.metadata["end"]))) for one in self.live.records(document)]
        if not place or not spans:
            raise ValueError(f"{document.id} does not hold the words {words!r}")
        self._span: Span = next((span for span in spans if span[0] <= place[0][0] < span[1]), spans[0])
        self.before = self.now = None
        self._act("", self._restored)

    def _edited(self) -> Document:
        start, end = self._span
        if not self.editor.value.strip():
            raise CourseError("The passage is empty.", "write something, or press Delete and ask.")
        return replace(self.document, text=self.document.text[:start] + self.editor.value.strip() + self.document.text[end:])

    def _saved(self) -> None:
        self.live.put([self._edited()])

    def _deleted(self) -> None:
        self.live.remove(self.document.id)

    def _restored(self) -> None:
        self.live.put([self.document])
        self.editor.value = self.document.text[self._span[0] : self._span[1]]

    def _act(self, what: str, change: Any) -> None:
        """Change something, ask, and show both moments. A bad input is said, and changes nothing."""
        self.view.value = card('<p role="status" style="margin:0">Working: change, search, read …</p>')
        try:
            with record() as cost:
                change()
            answer = self.assistant.ask(self.asked)
        except CourseError as error:
            self.view.value = card(f'<p role="alert" style="margin:0">{escaped(error.what)} {escaped(error.todo)}</p>')
            return
        ms = {"embed text": cost.ms.get("embed", 0.0), "write": cost.ms.get("write", 0.0)} if what else {}
        self.before, self.now = self.now, Look(what, answer, {**ms, **answer.cost.ms})
        self.view.value = render(self.before, self.now, self.document, self._span[0])


def changed_spans(old: str, new: str) -> list[Span]:
    """The words of ``new`` that ``old`` does not have at that place, as offsets into ``new``; neighbours are joined.

    >>> new = "You have 60 days, or more."
    >>> [new[a:b] for a, b in changed_spans("You have 45 days.", new)]
    ['60 days, or more.']
    """
    words = [match.span() for match in re.finditer(r"\S+", new)]
    matcher = difflib.SequenceMatcher(None, old.split(), new.split(), autojunk=False)
    return [
        (words[first][0], words[last - 1][1]) for tag, _, _, first, last in matcher.get_opcodes() if tag in ("replace", "insert")
    ]


def render(before: Look | None, now: Look, document: Document, start: int) -> str:
    """The panel below the controls, as HTML; the edited passage is the one that begins at ``start`` in the document.

    All that comes from documents, from the model or from a person is escaped."""
    head = f"{now.after}. " if now.after else ""
    spent = sum(now.ms.values())
    reading = now.ms.get("generate", 0.0)
    told = f"{head}{spent:,.0f} ms until the answer; {spent - reading:,.0f} ms of them before the model began to read and write."
    columns = "".join(
        _column(label, look, document, start) for label, look in (("Before", before), ("Now", now)) if look is not None
    )
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(20em,1fr));gap:.9em;margin-top:.5em"
    return card(f'<p role="status" style="margin:0">{escaped(told)}</p><div style="{grid}">{columns}</div>')


def _column(label: str, look: Look, document: Document, start: int) -> str:
    said = escaped(look.answer.text or "(nothing)")
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal;padding:0 .8em 0 0">{name}</th>'
        f'<td style="text-align:right">{look.ms[stage]:,.1f} ms</td></tr>'
        for stage, name in STAGES.items()
        if stage in look.ms
    )
    return (
        f'<section aria-label="{label}" style="border-top:3px solid {EDGE};padding-top:.3em;min-width:0;overflow-wrap:anywhere">'
        f"<strong>{label}</strong>{_found(look.answer.passages, document, start)}"
        f'<p style="margin:.5em 0 .2em"><strong>The model said:</strong> {said}</p>'
        f'<table style="font-size:90%;color:{QUIET};border-collapse:collapse">{rows}</table></section>'
    )


def _found(passages: Sequence[Text], document: Document, start: int) -> str:
    """The edited passage if it was found, else one of its document, else what came first; with its rank and its new words."""
    if not passages:
        return '<p style="margin:.3em 0">Nothing was found.</p>'
    ours = [one for one in passages if one.metadata.get("document") == document.id]
    edited = [one for one in ours if one.metadata.get("start") == start]
    passage = (edited or ours or list(passages))[0]
    rank = f"rank {list(passages).index(passage) + 1} of {len(passages)}"
    if edited:
        note = f"found at {rank}"
    elif ours:
        note = f"the passage in the box was not found; another one of {document.id} at {rank}"
    else:
        note = f"no passage of {document.id} was found; at {rank}"
    marks = [(a, b, "new") for a, b in changed_spans(document.text, passage.text)] if ours else []
    return (
        f'<p style="margin:.3em 0"><span style="color:{QUIET}">{escaped(note)}:</span> {escaped(passage.title)}</p>'
        f'<div style="font-size:90%;max-height:16em;overflow:auto;border-left:3px solid {EDGE};padding-left:.6em" tabindex="0" '
        f'role="region" aria-label="the passage">{passage_html(passage.text, marks)}</div>'
    )
