"""The loss while a model learns: a curve that grows with every step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..finetune.recipe import Run
from .safe_html import INK, PAPER, card, escaped

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 560, 210, 44, 34, 14
TRAIN, PALE, DEV, DASHES = "#0072B2", "#A9CCE3", "#B34700", "stroke-dasharray='5 4'"


class TrainingPlot:
    """Shows a run as it goes: give it to ``train`` as ``watch``.

    It is drawn anew once in ``seconds`` at most, and when the run ends, so that it takes no time from the training. The last drawing is
    the cell's output, so it is there without a kernel, too.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds, self.drawn = seconds, -1.0
        self.html = card("<p role='status'>Waiting for the first step …</p>")
        self.shown: Any = None

    def __call__(self, run: Run) -> None:
        """Take note of a step."""
        now = time.monotonic()
        if run.finished or self.drawn < 0 or now - self.drawn >= self.seconds:
            self.html, self.drawn = render(run), now
            if self.shown is not None:
                self.shown.update(self._drawing())

    def _ipython_display_(self) -> None:
        from IPython.display import display

        self.shown = display(self._drawing(), display_id=True)

    def _drawing(self) -> Any:
        from IPython.display import HTML

        return HTML(self.html)


def told(run: Run) -> str:
    """The run in a sentence.

    >>> from course_lib.finetune.recipe import Step
    >>> told(Run(None, None, 9, [Step(1, 2.5, 0.001, 900, 3.0, 2.25)]))
    'step 1 of 9 · loss 2.50 · dev loss 2.25 · 300 tokens a second · about 24 s left'
    """
    if not run.steps:
        return f"step 0 of {run.total}"
    step = run.steps[-1]
    parts = [f"step {step.number} of {run.total}", f"loss {step.loss:.2f}"]
    if run.dev_losses:
        parts.append(f"dev loss {run.dev_losses[-1]:.2f}")
    parts.append(f"{step.tokens / step.seconds:.0f} tokens a second")
    if run.stopped:
        parts.append(f"stopped early: {run.stopped}")
    elif run.finished:
        parts.append(f"finished in {run.seconds:.0f} s")
    else:
        parts.append(f"about {step.seconds / step.number * (run.total - step.number):.0f} s left")
    return " · ".join(parts)


def running_mean(values: Sequence[float], width: int = 10) -> list[float]:
    """For each value the mean of it and of those before it, ``width`` at most: what a batch of two tickets makes noisy, gets readable.

    >>> running_mean([4.0, 2.0, 0.0], width=2)
    [4.0, 3.0, 1.0]
    """
    return [sum(values[max(0, end - width) : end]) / min(end, width) for end in range(1, len(values) + 1)]


def render(run: Run) -> str:
    """The curve and the sentence below it, as HTML."""
    losses = [step.loss for step in run.steps] + run.dev_losses
    top = max([1.0, *losses]) * 1.05
    train = [(step.number, step.loss) for step in run.steps]
    smooth = list(zip((number for number, _ in train), running_mean([step.loss for step in run.steps]), strict=True))
    dev = [(step.number, step.dev_loss) for step in run.steps if step.dev_loss is not None]
    across, up = (WIDTH - LEFT - 10) / max(1, run.total), (HEIGHT - BOTTOM - TOP) / top

    def place(x: float, y: float) -> str:
        return f"{LEFT + x * across:.1f},{HEIGHT - BOTTOM - y * up:.1f}"

    def line(points: Sequence[tuple[float, float]], colour: str, dashes: str = "") -> str:
        joined = " ".join(place(x, y) for x, y in points)
        return f"<polyline points='{joined}' fill='none' stroke='{colour}' stroke-width='2' {dashes}/>"

    marks = "".join(
        f"<line x1='{LEFT}' x2='{WIDTH - 10}' y1='{HEIGHT - BOTTOM - y * up:.1f}' y2='{HEIGHT - BOTTOM - y * up:.1f}' stroke='#d5d9e0'/>"
        f"<text x='{LEFT - 6}' y='{HEIGHT - BOTTOM - y * up + 4:.1f}' text-anchor='end' font-size='11' fill='{INK}'>{y:g}</text>"
        for y in ticks(top)
    )
    dots = "".join(
        f"<circle cx='{place(x, y).split(',')[0]}' cy='{place(x, y).split(',')[1]}' r='3.5' fill='{DEV}'/>" for x, y in dev
    )
    names = (
        f"<text x='{LEFT}' y='{HEIGHT - 6}' font-size='11' fill='{INK}'>steps, 0 to {run.total}; loss in nats: </text>"
        f"<text x='{LEFT + 240}' y='{HEIGHT - 6}' font-size='11' fill='{TRAIN}'>— training, mean of 10</text>"
        f"<text x='{LEFT + 380}' y='{HEIGHT - 6}' font-size='11' fill='{DEV}'>- ● - dev, not trained on</text>"
    )
    words = escaped(told(run))
    picture = (
        f"<svg role='img' aria-label='Loss by step: {words}' viewBox='0 0 {WIDTH} {HEIGHT}' style='max-width:100%;background:{PAPER}'"
        f" width='{WIDTH}' height='{HEIGHT}'>{marks}{line(train, PALE)}{line(smooth, TRAIN)}{line(dev, DEV, DASHES)}{dots}{names}</svg>"
    )
    return card(f"{picture}<p role='status' style='margin:.3em 0 0'>{words}</p>")


def ticks(top: float) -> list[float]:
    """Round numbers for an axis from 0 to ``top``.

    >>> ticks(2.6), ticks(9)
    ([0, 1, 2], [0, 2, 4, 6, 8])
    """
    width = 1 if top < 4 else 2 if top < 10 else 5
    return [step * width for step in range(int(top / width) + 1)]
