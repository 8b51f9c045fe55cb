"""The token view of lab 06: every token of a training example, and which of them the model is trained to write."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from ..finetune.examples import Example
from .safe_html import EDGE, INK, MARKED, card, escaped

READ, TRAINED = "read only", "trained on"
QUIET = "#4a5160"


def token_texts(tokenizer: Any, tokens: Sequence[int]) -> list[str]:
    """Each token as text. One that is only a part of a character is named, since it has no text of its own."""
    texts = [tokenizer.decode([token]) for token in tokens]
    return ["[part of a character]" if "\ufffd" in text else text for text in texts]


class TokenView:
    """An example as its tokens, shown as HTML in a notebook and as words anywhere else; it needs no kernel once it is shown.

    What is trained on has a colour, an underline and a heading of its own, so that it can be told without seeing colours, and without
    seeing at all. Whatever a token says is escaped.
    """

    def __init__(self, tokenizer: Any, example: Example, title: str = "") -> None:
        self.example, self.title = example, title
        self.texts = token_texts(tokenizer, example.tokens)

    @property
    def summary(self) -> str:
        """How many tokens there are, and how many of each kind."""
        many, trained = len(self.example), self.example.trained
        return f"{many} tokens: {many - trained} read only, {trained} trained on ({trained / many:.0%})"

    def __repr__(self) -> str:
        learned = "".join(text for text, on in zip(self.texts, self.example.mask, strict=True) if on)
        return f"[tokens] {self.title + ': ' if self.title else ''}{self.summary}. Trained on: {learned}"

    def _repr_html_(self) -> str:
        rows = zip(self.texts, self.example.tokens, self.example.mask, strict=True)
        numbered = [(place, *row) for place, row in enumerate(rows, start=1)]
        runs = [(on, list(run)) for on, run in groupby(numbered, key=lambda one: one[3])]
        body = "".join(_run(on, [(place, text, id) for place, text, id, _ in run]) for on, run in runs)
        named = f"<strong>{escaped(self.title)}</strong><br>" if self.title else ""
        return card(f'<p style="margin:0 0 .4em">{named}{escaped(self.summary)}</p>{_legend()}{body}', "training example")


def _legend() -> str:
    learned = f"background:{MARKED};color:{INK};border-bottom:2px solid #b35900;padding:0 .3em"
    plain = f"color:{INK};border-right:1px solid {EDGE};padding:0 .3em"
    return (
        f'<p style="margin:0 0 .5em;font-size:90%;color:{QUIET}"><span style="{learned}">trained on</span> '
        f'<span style="{plain}">read only</span> · a thin line ends each token · ⏎ is a line break · point at a token for its '
        "number</p>"
    )


def _run(on: bool, tokens: Sequence[tuple[int, str, int]]) -> str:
    """Neighbouring tokens of one kind, under a heading that says which."""
    name = TRAINED if on else READ
    look = f"background:{MARKED};color:{INK};border-bottom:2px solid #b35900" if on else f"color:{INK}"
    spans = "".join(
        f'<span title="token {place}, id {id}, {name}" style="{look};border-right:1px solid {EDGE if not on else "#b35900"}">'
        f"{escaped(text).replace(chr(10), '⏎' + chr(10))}</span>"
        for place, text, id in tokens
    )
    many = f"{len(tokens)} token{'s' if len(tokens) != 1 else ''}"
    flow = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.7;font-family:monospace;font-size:90%"
    return (
        f'<section aria-label="{name}, {many}"><div style="font-size:85%;color:{QUIET};margin-top:.4em">{name}, {many}</div>'
        f'<div style="{flow}">{spans}</div></section>'
    )
