"""The explorer of lab 02: one question, three searches side by side, and for each hit why it was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..corpus import Passage, Question, find_span, gold_passages
from ..corpus.chunking import sentence_spans
from ..evaluation.intervals import bootstrap_interval
from ..generation.safety import FOR_CUSTOMERS
from ..retrieval import BM25Index, DenseIndex, Filter, Hit, HybridIndex, Searcher
from .plots import COLOURS, Picture, new_axes
from .safe_html import card, escaped, passage_html

if TYPE_CHECKING:
    import numpy as np

K, DEPTH = 5, 50
NAMES = {"bm25": "Words (BM25)", "dense": "Meaning (dense)", "hybrid": "Both (hybrid)"}
GOOD, QUIET = "#17603a", "#4a5160"  # both readable on white: contrast 7 and 8 to 1


class RetrievalExplorer:
    """A box to ask in, a list of examples, a filter; below, the first five hits of BM25, of dense search and of their fusion.

    A passage that holds the answer of an example is marked; for a question of your own nobody knows. Every control has a label
    for screen readers and works from the keyboard. Without a kernel the first example's hits stay on the page.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        questions: Sequence[Question],
        bm25: BM25Index | None = None,
        dense: DenseIndex | None = None,
    ) -> None:
        import ipywidgets as widgets

        self.passages, self.questions = list(passages), list(questions)
        self.bm25, self.dense = bm25 or BM25Index(self.passages), dense or DenseIndex(self.passages)
        self.hybrid = HybridIndex([self.bm25, self.dense], depth=DEPTH)
        self._known = {question.question: question for question in self.questions}
        self._sentences: dict[str, tuple[list[str], np.ndarray]] = {}
        wide, layout = {"description_width": "6em"}, widgets.Layout(width="52em", max_width="100%")
        options = [(f"{question.type}: {question.question}", question.question) for question in self.questions]
        self.examples = widgets.Dropdown(options=options, description="Example", style=wide, layout=layout)
        self.ask = widgets.Text(
            value=self.examples.value or "", description="Question", placeholder="type a question, then press Enter",
            continuous_update=False, style=wide, layout=layout,
        )  # fmt: skip
        self.only = widgets.Checkbox(
            value=False,
            description="Only what a customer may read today",
            indent=False,
            layout=widgets.Layout(margin="0 0 0 6.5em"),
        )
        self.view = widgets.HTML()
        self.examples.observe(self._choose, names="value")
        self.ask.observe(self._update, names="value")
        self.only.observe(self._update, names="value")
        self.box = widgets.VBox([self.examples, self.ask, self.only, self.view])
        self._update()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        live = self.box._repr_mimebundle_(**kwargs)
        data = live[0] if isinstance(live, tuple) else live
        return data | {"text/plain": f"[explorer] {self.ask.value}", "text/html": self.view.value}

    @property
    def where(self) -> Filter | None:
        """The filter that is switched on, if any."""
        return FOR_CUSTOMERS if self.only.value else None

    def search(self, question: str) -> dict[str, list[Hit]]:
        """The first hits of each search, more of them than are shown."""
        searches: dict[str, Searcher] = {"bm25": self.bm25, "dense": self.dense, "hybrid": self.hybrid}
        return {name: search.search(question, DEPTH, self.where) for name, search in searches.items()}

    def closest_sentence(self, question: str, passage: Passage) -> tuple[str, float]:
        """The sentence of a passage that is most similar to a question, and its cosine similarity, -1 to 1."""
        vectors = self._embedded(question, [passage])
        texts, rows = self._sentences[passage.id]
        scores = rows @ vectors
        best = int(scores.argmax())
        return texts[best], float(scores[best])

    def _embedded(self, question: str, passages: Sequence[Passage]) -> np.ndarray:
        """The question's vector, shape ``(d,)``; the sentences of the passages are embedded along with it and kept."""
        new = [passage for passage in passages if passage.id not in self._sentences]
        cut = [[passage.text[a:b] for a, b in sentence_spans(passage.text)] or [passage.text] for passage in new]
        vectors = self.dense.model.encode([question, *(text for texts in cut for text in texts)])
        at = 1
        for passage, texts in zip(new, cut, strict=True):
            self._sentences[passage.id] = texts, vectors[at : at + len(texts)]
            at += len(texts)
        return vectors[0]

    def _choose(self, change: Any) -> None:
        self.ask.value = change["new"]

    def _update(self, change: Any = None) -> None:
        question = self.ask.value.strip()
        if not question:
            self.view.value = card('<p role="status" style="margin:0">Type a question, or choose an example.</p>')
            return
        self.view.value = card('<p role="status" style="margin:0">Searching …</p>')
        found = self.search(question)
        self._embedded(question, [hit.passage for hit in found["dense"][:K]])
        known = self._known.get(question)
        why = {
            "bm25": [why_words(self.bm25.explain(question, hit.passage.id)) for hit in found["bm25"][:K]],
            "dense": [why_meaning(*self.closest_sentence(question, hit.passage)) for hit in found["dense"][:K]],
            "hybrid": [why_both(hit.passage.id, found["bm25"], found["dense"]) for hit in found["hybrid"][:K]],
        }
        gold = {name for fact in gold_passages(known, self.passages) for name in fact} if known else set()
        self.view.value = render(found, why, known, gold)


def why_words(parts: Sequence[tuple[str, float]]) -> str:
    """Which words two texts share and what each adds to the score.

    >>> why_words([("e47", 4.08), ("display", 1.21)])
    'shares: e47 4.1, display 1.2'
    """
    return "shares: " + ", ".join(f"{word} {part:.1f}" for word, part in parts)


def why_meaning(sentence: str, cosine: float) -> str:
    """The closest sentence of a passage, shortened where it is long."""
    words = " ".join(sentence.split())
    return f"closest sentence ({cosine:.2f}): {words if len(words) <= 140 else words[:139] + '…'}"


def why_both(name: str, bm25: Sequence[Hit], dense: Sequence[Hit]) -> str:
    """At which rank each of the two searches has a passage."""
    ranks = []
    for label, hits in (("words", bm25), ("meaning", dense)):
        rank = rank_of(hits, {name})
        ranks.append(f"{label}: rank {rank}" if rank else f"{label}: not in the first {DEPTH}")
    return ", ".join(ranks)


def rank_of(hits: Sequence[Hit], names: set[str]) -> int | None:
    """The first rank, from 1, at which one of some ids stands; ``None`` where none does."""
    return next((rank for rank, hit in enumerate(hits, start=1) if hit.passage.id in names), None)


def render(
    found: Mapping[str, Sequence[Hit]], why: Mapping[str, Sequence[str]], question: Question | None, gold: set[str]
) -> str:
    """The panel below the controls, as HTML. All that comes from documents, the question too, is escaped."""
    if question is None:
        head = "Your own question: nobody knows which passage holds its answer, so none is marked."
    else:
        places = []
        for name, label in NAMES.items():
            rank = rank_of(found[name], gold)
            places.append(f"{label}: rank {rank}" if rank else f"{label}: not in the first {DEPTH}")
        head = f"Answer: {question.answer}. First passage that holds it or a part of it: {'; '.join(places)}."
    columns = "".join(_column(name, found[name][:K], why[name], question, gold) for name in NAMES)
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(15em,1fr));gap:.7em;margin-top:.5em"
    return card(f'<p role="status" style="margin:0">{escaped(head)}</p><div style="{grid}">{columns}</div>')


def _column(name: str, hits: Sequence[Hit], why: Sequence[str], question: Question | None, gold: set[str]) -> str:
    items = "".join(_item(hit, reason, question, gold) for hit, reason in zip(hits, why, strict=True))
    body = (
        f'<ol style="margin:.3em 0 0;padding-left:1.5em">{items}</ol>' if items else '<p style="margin:.3em 0">Nothing found.</p>'
    )
    look = f"border-top:3px solid {COLOURS[list(NAMES).index(name)]};padding-top:.3em;min-width:0;overflow-wrap:anywhere"
    return f'<section aria-label="{NAMES[name]}" style="{look}"><strong>{NAMES[name]}</strong>{body}</section>'


def _item(hit: Hit, reason: str, question: Question | None, gold: set[str]) -> str:
    passage, digits = hit.passage, 4 if hit.score < 0.1 else 2
    spans = [g.span for g in question.gold if g.doc == passage.document.id] if question and passage.id in gold else []
    marks = [(start, end, "") for span in spans for start, end in find_span(passage.text, span)]
    sign = f'<div style="color:{GOOD};font-weight:bold">✓ holds the answer</div>' if passage.id in gold else ""
    kind = [] if passage.document.audience == "customer" else ["staff only"]
    kind += [] if passage.document.holds_in("2026") else ["out of date"]
    kind += [] if passage.document.source == "official" else [passage.document.source]
    note = f" ({', '.join(kind)})" if kind else ""
    return (
        f'<li style="margin:.45em 0"><strong>{hit.score:.{digits}f}</strong> {escaped(passage.title)}{escaped(note)}{sign}'
        f'<div style="font-size:90%;color:{QUIET}">{escaped(reason)}</div>'
        f'<details><summary style="cursor:pointer;font-size:90%">the passage</summary>'
        f'<div style="font-size:90%">{passage_html(passage.text, marks)}</div></details></li>'
    )


def plot_groups(values: Mapping[str, Mapping[str, Sequence[float]]], title: str, x: str) -> Picture:
    """Means with their 95 % intervals: one row for each group, one colour and mark for each system.

    ``values[system][group]`` holds a score for each question; every system has the same groups.
    """
    groups = list(next(iter(values.values())))
    figure, axes = new_axes(title, x, "", height=0.6 * len(groups) + 1.2)
    told = []
    for number, (system, scores) in enumerate(values.items()):
        rows = [row + (number - (len(values) - 1) / 2) * 0.22 for row in range(len(groups))]
        means = [sum(scores[group]) / len(scores[group]) for group in groups]
        ends = [bootstrap_interval(scores[group]) for group in groups]
        axes.hlines(rows, [low for low, _ in ends], [high for _, high in ends], color=COLOURS[number], linewidth=2)
        axes.plot(means, rows, "os^Dv"[number % 5], color=COLOURS[number], label=system)
        told.append(f"{system}: " + ", ".join(f"{group} {mean:.2f}" for group, mean in zip(groups, means, strict=True)))
    axes.set_yticks(range(len(groups)), groups)
    axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="x", alpha=0.25)
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return Picture(figure, f"{title}. {'; '.join(told)}.")
