"""The explorer of lab 03: what goes into a prompt, how many tokens each part takes, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..corpus import Passage, Question, find_span, gold_passages
from ..evaluation.answers import abstains, is_correct
from ..evaluation.brackets import RandomSearch
from ..generation.citations import attribute, supporting_span
from ..generation.prompts import FEW_SHOT, GROUNDED, PLAIN, Prompt, Style, prompt_messages
from ..generation.safety import quoted
from ..models import LanguageModel
from ..pipeline import Answer, Assistant
from ..retrieval.fusion import Searcher
from .safe_html import INK, PAPER, card, escaped, passage_html

STYLES = {
    "plain: no rules": PLAIN,
    "grounded: cite and abstain, said": GROUNDED,
    "few-shot: said and shown": FEW_SHOT,
    "quoted: passages as data": quoted(),
}
SOURCES = {"retrieved by the search": "retrieved", "the gold passages, then retrieved": "gold", "drawn by chance": "random"}
ORDERS = {"best first": False, "best last": True}
MOST, DEPTH = 4, 12
TINTS = ("#dbeafe", "#dcfce7", "#fef3c7", "#fae8ff")  # one pale colour per passage; ink on each has a contrast above 12 to 1
GOOD, BAD, QUIET = "#17603a", "#8f2d14", "#4a5160"


class PromptExplorer:
    """Choose a question, which passages and how many, their order, the style and the budget: the prompt changes at once.

    The button asks the model, which takes some seconds; an answer is kept. Every control has a label for screen readers and works
    from the keyboard. Without a kernel the first prompt and its answer stay on the page.
    """

    def __init__(self, passages: Sequence[Passage], questions: Sequence[Question], search: Searcher, lm: LanguageModel) -> None:
        import ipywidgets as widgets

        self.passages, self.questions, self.search, self.lm = list(passages), list(questions), search, lm
        self.chance = RandomSearch(self.passages)
        self.answers: dict[tuple[Any, ...], Answer] = {}
        self._found: dict[tuple[str, int], list[Passage]] = {}
        wide, layout = {"description_width": "7em"}, widgets.Layout(width="36em", max_width="100%")

        def choice(description: str, options: Any, **more: Any) -> Any:
            return widgets.Dropdown(options=options, description=description, style=wide, layout=layout, **more)

        self.question = choice("Question", [(f"{one.type}: {one.question}", at) for at, one in enumerate(self.questions)])
        self.question.layout = widgets.Layout(width="52em", max_width="100%")
        self.source = choice("Passages are", list(SOURCES.items()))
        self.count = widgets.IntSlider(
            value=2, min=0, max=MOST, description="How many", style=wide, layout=layout, continuous_update=False
        )
        self.order = choice("Order", list(ORDERS.items()))
        self.style = choice("Style", list(STYLES.items()), value=GROUNDED)
        self.budget = widgets.IntSlider(
            value=1200, min=200, max=1600, step=50, description="Token budget", style=wide, layout=layout, continuous_update=False
        )
        self.ask = widgets.Button(
            description="Ask the model", tooltip="Generate the answer to this prompt; it takes some seconds", icon="play"
        )
        self.view, self.reply = widgets.HTML(), widgets.HTML()
        self.controls = (self.question, self.source, self.count, self.order, self.style, self.budget)
        for control in self.controls:
            control.observe(self._update, names="value")
        self.ask.on_click(self._answer)
        self.box = widgets.VBox([*self.controls, self.ask, self.reply, self.view])
        self._update()
        self._answer()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        live = self.box._repr_mimebundle_(**kwargs)
        data = live[0] if isinstance(live, tuple) else live
        told = f"[explorer] {self.asked.question}"
        return data | {"text/plain": told, "text/html": self.reply.value + self.view.value}

    @property
    def asked(self) -> Question:
        """The chosen question."""
        return self.questions[self.question.value]

    def chosen(self) -> list[Passage]:
        """The passages that the controls ask for, in the order in which they would be shown."""
        key = (self.source.value, self.question.value)
        if key not in self._found:
            search = self.chance if self.source.value == "random" else self.search
            found = [hit.passage for hit in search.search(self.asked.question, DEPTH)]
            if self.source.value == "gold":
                holding = {name for fact in gold_passages(self.asked, self.passages) for name in fact}
                gold = [passage for passage in self.passages if passage.id in holding]
                found = gold + [passage for passage in found if passage.id not in holding]
            self._found[key] = found
        first = self._found[key][: self.count.value]
        return first[::-1] if self.order.value else first

    def assistant(self) -> Assistant:
        """The pipeline with the chosen style and budget."""
        return Assistant(self.search, self.lm, style=self.style.value, budget=self.budget.value)

    def _key(self) -> tuple[Any, ...]:
        return (*(control.value for control in self.controls[:4]), id(self.style.value), self.budget.value)

    def _update(self, change: Any = None) -> None:
        try:
            prompt = self.assistant().prompt(self.asked.question, self.chosen())
        except ValueError as error:
            self.view.value, self.reply.value = "", card(f'<p role="status" style="margin:0">{escaped(str(error))}</p>')
            return
        parts = prompt_parts(self.asked.question, prompt, self.style.value, self.lm)
        self.view.value = render_prompt(prompt, parts, self.budget.value, self.style.value)
        made = self.answers.get(self._key())
        waiting = '<p role="status" style="margin:0">This prompt has not been asked yet: press "Ask the model".</p>'
        self.reply.value = render_answer(self.asked, made) if made else card(waiting)

    def _answer(self, button: Any = None) -> None:
        if self._key() not in self.answers:
            self.reply.value, self.ask.disabled = card('<p role="status" style="margin:0">The model is reading …</p>'), True
            try:
                (made,) = self.assistant().read_many([self.asked.question], [self.chosen()])
                self.answers[self._key()] = made
            except ValueError:
                pass  # the budget is too small, and the panel says so
            finally:
                self.ask.disabled = False
        self._update()


def prompt_parts(question: str, prompt: Prompt, style: Style, lm: LanguageModel) -> dict[str, int]:
    """How many tokens each part of a prompt adds, in order; they sum up to ``prompt.tokens``.

    The instructions are counted with the chat's own marks, and with the question: the first part is a prompt without passages.
    """
    without = lm.count_tokens(prompt_messages(question, (), Style(style.system, style.passage, style.user)))
    bare = lm.count_tokens(prompt_messages(question, (), style))
    parts = {"instructions and question": without}
    if bare > without:
        parts["examples"] = bare - without
    before = bare
    for number in range(1, len(prompt.passages) + 1):
        now = lm.count_tokens(prompt_messages(question, prompt.passages[:number], style))
        parts[f"passage [{number}]"] = now - before
        before = now
    return parts


def _tint(number: int) -> str:
    return TINTS[(number - 1) % len(TINTS)]


def render_prompt(prompt: Prompt, parts: Mapping[str, int], budget: int, style: Style) -> str:
    """The prompt as a card: a bar of its tokens against the budget, then every turn, passages in colour. All of it escaped."""
    number, pieces, told = 0, [], []
    for name, tokens in parts.items():
        number += name.startswith("passage")
        colour = _tint(number) if name.startswith("passage") else "#e5e7eb"
        width = 100 * tokens / max(budget, prompt.tokens)
        pieces.append(f'<div style="width:{width:.1f}%;background:{colour};border-right:1px solid {INK}"></div>')
        told.append(f"{name} {tokens}")
    bar = (
        f'<div aria-hidden="true" style="display:flex;height:1.1em;border:1px solid {INK};background:{PAPER};margin:.3em 0">'
        f"{''.join(pieces)}</div>"
    )
    left = f" Left out, because they do not fit: {len(prompt.left_out)}." if prompt.left_out else ""
    head = f"<strong>{prompt.tokens} of {budget} tokens</strong>: {escaped(', '.join(told))}.{left}"
    turns = "".join(_turn(message["role"], message["content"], prompt, style) for message in prompt.messages[:-1])
    last = _turn("user", prompt.messages[-1]["content"], prompt, style, coloured=True)
    return card(f'<p role="status" style="margin:0">{head}</p>{bar}{turns}{last}', "the prompt")


def _turn(role: str, content: str, prompt: Prompt, style: Style, coloured: bool = False) -> str:
    body = _coloured(content, prompt, style) if coloured else passage_html(content)
    return f'<div style="margin:.4em 0"><strong style="color:{QUIET}">{escaped(role)}</strong>{body}</div>'


def _coloured(content: str, prompt: Prompt, style: Style) -> str:
    """The last turn, each passage on its colour: found by how it was put in, so that what is shown is what was sent."""
    from ..generation.prompts import format_passages

    blocks, rest, sent = [], content, format_passages(prompt.passages, style)
    if prompt.passages and sent in content:
        before, rest = content.split(sent, 1)
        blocks.append(passage_html(before) if before.strip() else "")
        at = 0
        for number in range(1, len(prompt.passages) + 1):
            end = len(format_passages(prompt.passages[:number], style))
            look = f"background:{_tint(number)};border-left:4px solid {INK};padding:.2em .5em;margin:.2em 0"
            inner = passage_html(sent[at:end].strip("\n")).replace(f"background:{PAPER}", "background:transparent")
            blocks.append(f'<div style="{look}">{inner}</div>')
            at = end
    return "".join([*blocks, passage_html(rest.strip("\n"))])


def render_answer(question: Question, answer: Answer) -> str:
    """An answer as a card: whether it is right, what it cites, and the sentence of the document that each citation leads to.

    Where it cites nothing, the passage that shares most words stands in, and is said to.
    """
    silent = abstains(answer.words)
    right = is_correct(question, answer.words) and silent != question.answerable
    due = f"right answer: {question.answer}" if question.answerable else "the documents do not say"
    verdict = "abstains" if silent else "right" if right else "wrong"
    look = f"color:{GOOD if right else BAD};font-weight:bold"
    sign = "✓" if right else "✗"
    parts = [
        f'<p role="status" style="margin:0"><span style="{look}">{sign} {verdict}</span> ({escaped(due)})</p>',
        passage_html(answer.text or "(nothing)"),
    ]
    numbers = [answer.passages.index(passage) + 1 for passage in answer.cited]
    by_words = [] if numbers or silent else attribute(answer.words, answer.passages)
    if numbers:
        parts.append(f'<p style="margin:.4em 0 0">It cites {_listed(numbers)}. The sentence nearest to the answer in each:</p>')
    elif by_words:
        parts.append(
            f'<p style="margin:.4em 0 0">It cites nothing. A program attributes it to {_listed(by_words)}, by shared words:</p>'
        )
    else:
        parts.append('<p style="margin:.4em 0 0">It cites nothing, and no sentence stands behind it.</p>')
    parts += [_source(number, answer, question) for number in numbers or by_words]
    return card("".join(parts), "the answer")


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(f"[{number}]" for number in numbers)


def _source(number: int, answer: Answer, question: Question) -> str:
    """A passage with the sentence that an answer stands on, by its place in the document."""
    passage = answer.passages[number - 1]
    span = supporting_span(answer.words, passage.text)
    start = getattr(passage, "start", 0)
    document = getattr(passage, "document", None)
    spans = [gold.span for gold in question.gold if document is not None and gold.doc == document.id]
    holds = any(find_span(passage.text, one) for one in spans)
    place = f"characters {start + span[0]} to {start + span[1]}" if span else "no sentence shares a word"
    name = document.id if document is not None else passage.id
    about = f"[{number}] {passage.title} · {name}, {place}{' · ✓ holds the answer' if holds else ''}"
    marks = [(*span, f"[{number}]")] if span else []
    inner = passage_html(passage.text, marks).replace(f"background:{PAPER}", "background:transparent")
    look = f"background:{_tint(number)};border-left:4px solid {INK};padding:.2em .5em;margin:.3em 0"
    return f'<div style="{look}"><strong>{escaped(about)}</strong>{inner}</div>'
