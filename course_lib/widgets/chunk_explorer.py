"""The explorer of lab 01: move the length and the overlap of chunks, and see what is found."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import partial
from typing import Any

from ..corpus import Document, Question, find_span, fixed_chunks
from ..corpus.chunking import Span
from ..evaluation.chunking import BUDGET, ChunkingScore, K, evaluate_chunker
from ..evaluation.intervals import bootstrap_interval
from ..retrieval import Hit

SIZES = (20, 40, 80, 160, 320)
OVERLAPS = (0, 25, 50)
EXCERPT = 320  # characters of a hit that are shown at once


class ChunkExplorer:
    """Two sliders, a switch and a list of questions; below them, the score of all questions and the hits of the chosen one.

    A setting is embedded when it is first chosen, which takes some seconds, and kept. Every control has a label for screen readers
    and works from the keyboard.
    """

    def __init__(self, documents: Sequence[Document], questions: Sequence[Question]) -> None:
        import ipywidgets as widgets

        self.documents, self.questions = list(documents), list(questions)
        self.scores: dict[tuple[int, int, bool], ChunkingScore] = {}
        wide = {"description_width": "9em"}
        layout = widgets.Layout(width="34em", max_width="100%")
        self.size = widgets.SelectionSlider(
            options=SIZES, value=80, description="Words per chunk", style=wide, layout=layout, continuous_update=False
        )
        self.overlap = widgets.SelectionSlider(
            options=[(f"{percent} %", percent) for percent in OVERLAPS], value=25, description="Overlap", style=wide, layout=layout,
            continuous_update=False,
        )  # fmt: skip
        self.titles = widgets.Checkbox(value=False, description="Title in front of every chunk", style=wide, layout=layout)
        self.question = widgets.Dropdown(
            options=[(question.question, number) for number, question in enumerate(self.questions)],
            description="Question", style=wide, layout=widgets.Layout(width="52em", max_width="100%"),
        )  # fmt: skip
        self.view = widgets.HTML()
        controls = (self.size, self.overlap, self.titles, self.question)
        for control in controls:
            control.observe(self._update, names="value")
        self.box = widgets.VBox([*controls, self.view])
        self._update()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.box)

    def score(self) -> ChunkingScore:
        """The score of the chosen setting; computed once."""
        size, percent, titles = self.size.value, self.overlap.value, self.titles.value
        key = (size, percent, titles)
        if key not in self.scores:
            self.view.value = '<p role="status">Cutting and embedding …</p>'
            chunker = partial(fixed_chunks, size=size, overlap=size * percent // 100)
            self.scores[key] = evaluate_chunker(f"{size} words", chunker, self.documents, self.questions, titles=titles)
        return self.scores[key]

    def _update(self, change: Any = None) -> None:
        self.view.value = render(self.score(), self.questions, self.question.value)


def render(score: ChunkingScore, questions: Sequence[Question], number: int) -> str:
    """The panel below the controls, as HTML; whatever comes from documents is escaped."""
    lines = []
    for label, values in ((f"recall@{K}", score.at_k), (f"recall in {BUDGET} words", score.in_budget)):
        low, high = bootstrap_interval(values, draws=500)
        lines.append(f"<strong>{label} {sum(values) / len(values):.2f}</strong> ({low:.2f} to {high:.2f})")
    head = f"{' · '.join(lines)} · {len(score.passages)} chunks · {score.lost:.0%} of the facts cut in two"
    question = questions[number]
    items = "".join(_hit_item(hit, question) for hit in score.hits[number][:K])
    return f'<p role="status">{head}</p><p>Answer: {html.escape(question.answer)}</p><ol>{items}</ol>'


def _hit_item(hit: Hit, question: Question) -> str:
    """One hit: score, title, whether it holds the answer, and the part of it that matters; all of it behind a fold."""
    passage = hit.passage
    marks = [span for gold in question.gold if gold.doc == passage.document.id for span in find_span(passage.text, gold.span)]
    middle = sum(marks[0]) // 2 if marks else 0
    start = max(0, min(middle - EXCERPT // 2, len(passage.text) - EXCERPT))
    sign = "✓ holds the answer" if marks else "not the answer"
    parts = [
        f"<strong>{hit.score:.2f}</strong> {html.escape(passage.title)} · {sign}",
        _marked(passage.text, marks, start, start + EXCERPT),
    ]
    if len(passage.text) > EXCERPT:
        whole = _marked(passage.text, marks, 0, len(passage.text))
        parts.append(f'<details><summary style="cursor:pointer">the whole chunk</summary>{whole}</details>')
    return f'<li style="margin:.4em 0">{"".join(parts)}</li>'


def _marked(text: str, marks: Sequence[Span], start: int, end: int) -> str:
    """A part of a text with the answer marked, escaped."""
    pieces, at, end = ["… " if start else ""], start, min(end, len(text))
    for a, b in sorted(marks):
        if at <= a and b <= end:
            pieces += [html.escape(text[at:a]), f"<mark>{html.escape(text[a:b])}</mark>"]
            at = b
    pieces += [html.escape(text[at:end]), " …" if end < len(text) else ""]
    return f'<div style="white-space:pre-line;font-size:90%;line-height:1.35">{"".join(pieces)}</div>'
