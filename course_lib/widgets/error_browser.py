"""The browser of lab 04: go through the answers of a run, the wrong ones first, and see what the model had in front of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..corpus import Passage, find_span
from ..corpus.exam import TYPES, Question
from ..evaluation.marks import Mark
from ..evaluation.open_book import CONDITIONS, Reading, Run
from .safe_html import card, escaped, passage_html

GOOD, BAD, QUIET = "#17603a", "#9b2c10", "#4a5160"  # all readable on white: contrast 7 to 1 and more


@dataclass(frozen=True)
class Case:
    """One answer with its mark, and the answer to the same question with the gold passages."""

    reading: Reading
    mark: Mark
    gold_reading: Reading
    gold_mark: Mark


SHOW: dict[str, Callable[[Case], bool]] = {
    "wrong answers": lambda case: not case.mark.right,
    "wrong, and a fact was missing": lambda case: case.mark.blame == "retrieval",
    "wrong, with every fact in the prompt": lambda case: case.mark.blame == "reader",
    "wrong, and the gold passages mend it": lambda case: not case.mark.right and case.gold_mark.right,
    "right answers": lambda case: case.mark.right,
    "right, though a fact was missing": lambda case: case.mark.right and not case.mark.facts_shown,
    "all answers": lambda case: True,
}
"""What can be chosen to look at."""


class ErrorBrowser:
    """Three filters, a list of questions, two buttons; below, question, right answer, what the model said, and what it had read.

    Every control has a label for screen readers and works from the keyboard. Without a kernel the first failure stays on the page.
    """

    def __init__(self, run: Run, corpus: str = "quillfeather") -> None:
        import ipywidgets as widgets

        self.run, self.corpus, self.desk = run, corpus, run.desks[corpus]
        self._cases: dict[str, list[Case]] = {}
        self.shown: list[Case] = []
        wide, layout = {"description_width": "7em"}, widgets.Layout(width="34em", max_width="100%")
        conditions = [name for name in CONDITIONS if name != "closed"]
        self.condition = widgets.Dropdown(
            options=conditions, value="retrieved", description="Passages", style=wide, layout=layout
        )
        self.type = widgets.Dropdown(options=["all types", *TYPES], description="Type", style=wide, layout=layout)
        self.show = widgets.Dropdown(options=list(SHOW), description="Show", style=wide, layout=layout)
        self.question = widgets.Dropdown(
            description="Question", style=wide, layout=widgets.Layout(width="54em", max_width="100%")
        )
        self.back = widgets.Button(description="Previous", tooltip="The question before")
        self.next = widgets.Button(description="Next", tooltip="The question after")
        self.view = widgets.HTML()
        for control in (self.condition, self.type, self.show):
            control.observe(self._filter, names="value")
        self.question.observe(self._update, names="value")
        self.back.on_click(lambda _: self.move(-1))
        self.next.on_click(lambda _: self.move(1))
        buttons = widgets.HBox([self.back, self.next])
        self.box = widgets.VBox([self.condition, self.type, self.show, self.question, buttons, self.view])
        self._filter()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        live = self.box._repr_mimebundle_(**kwargs)
        data = live[0] if isinstance(live, tuple) else live
        return data | {"text/plain": f"[error browser] {len(self.shown)} {self.show.value}", "text/html": self.view.value}

    def cases(self, condition: str) -> list[Case]:
        """The answers under a condition, marked once."""
        if condition not in self._cases:
            both = [(self.run.readings(name, self.corpus), self.run.marks(name, self.corpus)) for name in (condition, "gold")]
            self._cases[condition] = [Case(*row) for row in zip(*both[0], *both[1], strict=True)]
        return self._cases[condition]

    def move(self, by: int) -> None:
        """Go so many questions on, or back where negative; stop at either end."""
        if self.shown:
            self.question.value = min(max(self.question.value + by, 0), len(self.shown) - 1)

    def _filter(self, change: Any = None) -> None:
        wanted, kind = SHOW[self.show.value], self.type.value
        self.shown = [
            case for case in self.cases(self.condition.value) if wanted(case) and kind in ("all types", case.mark.question.type)
        ]
        self.question.options = [(f"{at + 1}. {case.mark.question.question}", at) for at, case in enumerate(self.shown)]
        self.question.index = 0 if self.shown else None
        self._update()

    def _update(self, change: Any = None) -> None:
        at = self.question.value
        self.back.disabled, self.next.disabled = not at, at is None or at >= len(self.shown) - 1
        total = len(self.cases(self.condition.value))
        head = f"{len(self.shown)} of {total} answers: {self.show.value}, {self.type.value}."
        if at is None:
            self.view.value = card(f'<p role="status" style="margin:0">{escaped(head)} Choose another filter.</p>')
        else:
            self.view.value = card(
                f'<p role="status" style="margin:0;color:{QUIET}">{escaped(head)}</p>{self.render(self.shown[at])}'
            )

    def render(self, case: Case) -> str:
        """One answer, as HTML; whatever comes from documents, questions or the model is escaped."""
        question = case.mark.question
        right = question.answer if question.answerable else "(none: the documents do not say)"
        columns = [_answer(f"Read with: {case.reading.condition}", case.reading, case.mark)]
        if case.reading.condition != "gold":
            columns.append(_answer("Read with: gold", case.gold_reading, case.gold_mark))
        holders = {name for fact in self._gold(question) for name in fact}
        passages = "".join(
            _passage(number, self.desk.by_id[name], question, name in holders, name in case.reading.cited)
            for number, name in enumerate(case.reading.shown, start=1)
        )
        missing = [fact for fact in self._gold(question) if not set(fact) & set(case.reading.shown)]
        lost = "".join(_passage(0, self.desk.by_id[fact[0]], question, True, False) for fact in missing)
        lost = f'<h4 style="margin:.7em 0 .2em">Missing from the prompt</h4><ul style="{LIST}">{lost}</ul>' if missing else ""
        grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(17em,1fr));gap:.7em;margin-top:.5em"
        return (
            f'<p style="margin:.4em 0 0"><strong>{escaped(question.question)}</strong> ({escaped(question.type)})<br>'
            f"Right answer: <strong>{escaped(right)}</strong></p>"
            f'<div style="{grid}">{"".join(columns)}</div>'
            f'<h4 style="margin:.7em 0 .2em">In the prompt</h4><ol style="{LIST}">{passages}</ol>{lost}'
        )

    def _gold(self, question: Question) -> Any:
        return self.desk.golds[next(at for at, one in enumerate(self.desk.questions) if one.id == question.id)]


LIST = "margin:.2em 0;padding-left:1.6em"


def verdict(mark: Mark) -> str:
    """A mark in words.

    >>> from course_lib.corpus import Question
    >>> verdict(Mark(Question("q", "p", "single", "exam", "?", "x"), False, False, 0.0, True, 0, None, 0.0, True))
    '✗ wrong: it says that it does not know; every fact was in the prompt'
    """
    if mark.right:
        luck = "" if mark.facts_shown else ", though a fact was missing"
        return f"✓ right{luck}"
    silent = "it says that it does not know; " if mark.abstained else ""
    if not mark.question.answerable:
        return "✗ wrong: it should have said that it does not know"
    return f"✗ wrong: {silent}{'every fact was in the prompt' if mark.facts_shown else 'a fact was missing from the prompt'}"


def _answer(title: str, reading: Reading, mark: Mark) -> str:
    colour = GOOD if mark.right else BAD
    look = f"border-left:4px solid {colour};padding:0 .6em;min-width:0;overflow-wrap:anywhere"
    return (
        f'<section aria-label="{escaped(title)}" style="{look}"><div style="color:{QUIET}">{escaped(title)}</div>'
        f'{passage_html(reading.text)}<div style="color:{colour};font-weight:bold">{escaped(verdict(mark))}</div></section>'
    )


def _passage(number: int, passage: Passage, question: Question, holds: bool, cited: bool) -> str:
    spans = [gold.span for gold in question.gold if holds and gold.doc == passage.document.id]
    marks = [(start, end, "") for span in spans for start, end in find_span(passage.text, span)]
    signs = f'<span style="color:{GOOD};font-weight:bold"> ✓ holds a fact</span>' if holds else ""
    signs += f'<span style="color:{QUIET}"> · cited</span>' if cited else ""
    opened = " open" if marks and number else ""
    return (
        f'<li style="margin:.3em 0"><details{opened}><summary style="cursor:pointer">{escaped(passage.title)}{signs}</summary>'
        f'<div style="font-size:90%">{passage_html(passage.text, marks)}</div></details></li>'
    )
