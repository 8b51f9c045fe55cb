"""The effort meter of lab 06: what the examples cost in people's time, from your own decisions and from named assumptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from ..corpus.tickets import ISSUES, GoldTicket, RawTicket
from ..evaluation.intervals import wilson_interval
from ..finetune.tickets import ticket_text
from .safe_html import EDGE, INK, PAPER, card, escaped, passage_html

CLAIM = (40, 100)
"""Hours to clean, label and validate, in the article that the course puts to the test."""

ASSUMED = "assumed"
QUIET = "#4a5160"
RULES = (
    "The main problem decides. Safety (smoke, shock, a burning smell, cracked glass, somebody hurt) beats all others; error_code only "
    "if a code is shown and is the main point."
)
INPUTS = {
    "label": ("Read and label a ticket, seconds", 3600.0),
    "reply": ("Write its other fields and the reply, seconds", 3600.0),
    "second": ("Read by a second person too, % of tickets", 100.0),
    "differ": ("Labels on which the two differ, %", 100.0),
    "talk": ("Talk over each of these, seconds", 3600.0),
    "rules": ("Rules to clean, mask, de-duplicate, hours", 1000.0),
}
"""What the bill is made of, with the largest number that a field takes."""


@dataclass(frozen=True)
class Effort:
    """What one ticket takes, in seconds and percent, and the hours that are spent once; ``sources`` says where a number comes from.

    The defaults are assumptions, not measurements; they are shown as such.
    """

    label: float = 45.0
    reply: float = 120.0
    second: float = 100.0
    differ: float = 15.0
    talk: float = 120.0
    rules: float = 8.0
    sources: dict[str, str] = field(default_factory=dict)

    def source(self, name: str) -> str:
        """Where a number comes from."""
        return self.sources.get(name, ASSUMED)

    def hours(self, tickets: int) -> dict[str, float]:
        """People's hours by step for so many tickets.

        >>> Effort(label=36, reply=0, second=50, differ=10, talk=360, rules=2).hours(100)
        {'rules': 2, 'label': 1.0, 'reply': 0.0, 'second': 0.5, 'talk': 0.5}
        """
        again = tickets * self.second / 100
        return {
            "rules": self.rules,
            "label": tickets * self.label / 3600,
            "reply": tickets * self.reply / 3600,
            "second": again * self.label / 3600,
            "talk": again * self.differ / 100 * self.talk / 3600,
        }

    def tickets_in(self, hours: float) -> int | None:
        """How many tickets these hours pay for; ``None`` where a ticket costs nothing."""
        each = sum(self.hours(1).values()) - self.rules
        return max(0, int((hours - self.rules) / each + 1e-9)) if each > 0 else None


@dataclass(frozen=True)
class Decision:
    """A label that a person chose, and how many seconds it took."""

    ticket: str
    chosen: str
    seconds: float


class EffortMeter:
    """Label some tickets; each decision is timed. Below, the bill for all tickets, for 1,000 and for 10,000.

    Before the first decision the bill rests on assumptions, each named as one and each to be changed in its field. ``tickets`` are
    pairs of a ticket and its clean labels; ``total`` is the number of tickets there are. Every control has a label and works from
    the keyboard; without a kernel the bill stays on the page.
    """

    def __init__(
        self, tickets: Sequence[tuple[RawTicket, GoldTicket]], total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        import ipywidgets as widgets

        if not tickets or total < 1:
            raise ValueError("the meter needs at least one ticket")
        self.tickets, self.total, self.clock = list(tickets), total, clock
        self.effort, self.decisions = Effort(), list[Decision]()
        self._shown: float | None = None  # when the ticket came into view; nobody is timed before the start
        self._filling = False
        wide = {"description_width": "25em"}
        layout = widgets.Layout(width="34em", max_width="100%")
        self.ticket = widgets.HTML()
        self.choice = widgets.Dropdown(
            options=[("choose …", ""), *((issue, issue) for issue in ISSUES)], description="Issue", disabled=True,
            layout=widgets.Layout(width="22em", max_width="100%"),
        )  # fmt: skip
        self.next = widgets.Button(description="Start", tooltip="Show the next ticket; your label of this one is timed and kept")
        self.fields = {
            name: widgets.BoundedFloatText(
                value=getattr(self.effort, name), min=0, max=most, description=label, style=wide, layout=layout
            )
            for name, (label, most) in INPUTS.items()
        }
        self.view = widgets.HTML()
        self.next.on_click(self._press)
        for name, control in self.fields.items():
            control.observe(lambda change, name=name: self._edit(name, change["new"]), names="value")
        row = widgets.HBox([self.choice, self.next], layout=widgets.Layout(flex_flow="wrap"))
        self.box = widgets.VBox([self.ticket, row, self.view, *self.fields.values()])
        self._show()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        live = self.box._repr_mimebundle_(**kwargs)
        data = live[0] if isinstance(live, tuple) else live
        return data | {"text/plain": f"[meter] {self.told}", "text/html": self.view.value}

    @property
    def told(self) -> str:
        """What was measured so far, in a sentence."""
        if not self.decisions:
            return "No ticket labelled yet: every number below is an assumption."
        seconds = [decision.seconds for decision in self.decisions]
        gold = {ticket.id: (ticket.agent_label, clean.issue) for ticket, clean in self.tickets}
        desk, reader = (sum(gold[one.ticket][who] == one.chosen for one in self.decisions) for who in (0, 1))
        many = len(seconds)
        low, high = wilson_interval(reader, many)
        return (
            f"You labelled {many}: median {median(seconds):.0f} s, from {min(seconds):.0f} to {max(seconds):.0f} s. Same label as the desk: "
            f"{desk} of {many}; as a careful reader: {reader} of {many} ({low:.0%} to {high:.0%})."
        )

    def _press(self, button: Any = None) -> None:
        """Keep the label of the ticket in view, then show the next one. Without a label nothing is lost."""
        if self._shown is not None:
            if not self.choice.value:
                self._show("Choose an issue first; the clock runs on.")
                return
            ticket = self.tickets[len(self.decisions)][0]
            self.decisions.append(Decision(ticket.id, self.choice.value, self.clock() - self._shown))
            self._measure()
        done = len(self.decisions) == len(self.tickets)
        self.choice.value = ""
        self.choice.disabled = self.next.disabled = done
        self.next.description = "Next"
        self._show()
        self._shown = None if done else self.clock()
        if not done:
            self.choice.focus()

    def _measure(self) -> None:
        """Put what was measured in the place of what was assumed."""
        many = len(self.decisions)
        gold = {clean.id: clean.issue for _, clean in self.tickets}
        differ = 100 * sum(gold[one.ticket] != one.chosen for one in self.decisions) / many
        for name, value in (("label", median(one.seconds for one in self.decisions)), ("differ", differ)):
            self._set(name, round(value, 1), f"measured, {many} decision{'s' if many > 1 else ''} of yours")
            self._filling = True
            self.fields[name].value = round(value, 1)
            self._filling = False

    def _set(self, name: str, value: float, source: str) -> None:
        self.effort = replace(self.effort, **{name: value}, sources={**self.effort.sources, name: source})

    def _edit(self, name: str, value: float) -> None:
        if not self._filling:
            self._set(name, value, "your number")
            self._show(keep=True)

    def _show(self, warning: str = "", keep: bool = False) -> None:
        self.view.value = render_bill(self.effort, self.total, self.told)
        if keep:
            return
        number, many = len(self.decisions), len(self.tickets)
        if number == many:
            inner = (
                f'<p role="status" style="margin:0">All {many} are labelled. The reading time in the bill below is yours.</p>'
                f"{_compared(self.decisions, self.tickets)}"
            )
        elif self.next.description == "Start":
            inner = (
                f'<p role="status" style="margin:0">{many} tickets wait. Press Start, read, choose the issue, press Next: from the keyboard '
                f"with the arrows, Tab and Enter. The clock runs only while a ticket is in view.</p>"
            )
        else:
            alert = f'<p role="alert" style="margin:0 0 .3em"><strong>{escaped(warning)}</strong></p>' if warning else ""
            inner = (
                f'{alert}<p role="status" style="margin:0 0 .3em">Ticket {number + 1} of {many}</p>'
                f"{passage_html(ticket_text(self.tickets[number][0]))}"
            )
        rules = f'<p style="margin:.5em 0 0;font-size:90%;color:{QUIET}">{escaped(RULES)}</p>'
        self.ticket.value = card(inner + rules, "ticket")


def _compared(decisions: Sequence[Decision], tickets: Sequence[tuple[RawTicket, GoldTicket]]) -> str:
    """Each decision beside the desk's and the careful reader's, as HTML; where you and the reader differ, it says so in words."""
    items = "".join(
        f"<li>{escaped(ticket.subject or '(no subject)')}: you <strong>{one.chosen}</strong>, desk {ticket.agent_label}, "
        f"reader {clean.issue}{'' if one.chosen == clean.issue else ' · read it again'}</li>"
        for one, (ticket, clean) in zip(decisions, tickets, strict=False)
    )
    return f'<ol style="margin:.4em 0 0">{items}</ol>'


def render_bill(effort: Effort, total: int, told: str) -> str:
    """The bill as HTML: hours by step for all tickets, for 1,000 and for 10,000, each number with where it comes from."""
    sizes = [total, 1_000, 10_000]
    names = {
        "rules": ("rules to clean, mask, de-duplicate", ["rules"]),
        "label": ("read and label", ["label"]),
        "reply": ("write the other fields and the reply", ["reply"]),
        "second": ("a second reader", ["second", "label"]),
        "talk": ("talk over what differs", ["differ", "talk"]),
    }
    bills = [effort.hours(size) for size in sizes]
    cell = f"text-align:right;padding:.1em .6em;border-bottom:1px solid {EDGE}"
    first = f"text-align:left;font-weight:normal;padding:.1em .6em .1em 0;border-bottom:1px solid {EDGE}"
    rows = ""
    for step, (name, inputs) in names.items():
        sources = " and ".join(dict.fromkeys(effort.source(one) for one in inputs))
        numbers = "".join(f'<td style="{cell}">{bill[step]:,.1f}</td>' for bill in bills)
        rows += f'<tr><th scope="row" style="{first}">{name}</th>{numbers}<td style="{first};color:{QUIET}">{escaped(sources)}</td></tr>'
    sums = "".join(f'<td style="{cell}"><strong>{sum(bill.values()):,.1f}</strong></td>' for bill in bills)
    rows += f'<tr><th scope="row" style="{first}"><strong>together</strong></th>{sums}<td style="{first}"></td></tr>'
    head = "".join(f'<th scope="col" style="{cell}">{size:,} tickets</th>' for size in sizes)
    few, many = (effort.tickets_in(hours) for hours in CLAIM)
    buys = "any number of tickets" if few is None or many is None else f"{few:,} to {many:,} tickets"
    table = (
        f'<table style="border-collapse:collapse;background:{PAPER};color:{INK}"><caption style="text-align:left;color:{INK}">'
        f'People\'s hours</caption><tr><th scope="col" style="{first}">step</th>{head}'
        f'<th scope="col" style="{first}">where the number comes from</th></tr>{rows}</table>'
    )
    claim = (
        f"The claim: {CLAIM[0]} to {CLAIM[1]} hours to clean, label and validate. At these numbers that pays for {buys}. "
        "The machine's minutes for training stand in lab 07, which measures them."
    )
    return card(
        f'<p role="status" style="margin:0 0 .5em">{escaped(told)}</p>{table}<p style="margin:.5em 0 0">{claim}</p>', "bill"
    )
