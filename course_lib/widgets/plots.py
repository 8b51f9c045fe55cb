"""Plots with titles, units and a text for those who cannot see them."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..evaluation.closed_book import Score

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]


class Picture:
    """A finished plot: an image with its alternative text in a notebook, that text anywhere else."""

    def __init__(self, figure: Any, alt: str) -> None:
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
        self.png, self.alt = stream.getvalue(), alt

    def __repr__(self) -> str:
        return f"[plot] {self.alt}"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        return f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{data}" style="max-width:100%">'


def new_axes(title: str, x: str, y: str, width: float = 7.0, height: float = 3.6) -> tuple[Any, Any]:
    """A figure and its axes, in the look that all plots of the course share."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    return figure, axes


def plot_scores(scores: Sequence[Score], title: str) -> Picture:
    """Shares of right answers as points with their 95 % intervals, one row each."""
    figure, axes = new_axes(title, "right answers, % (line: 95 % interval)", "", height=0.45 * len(scores) + 1.2)
    for row, score in enumerate(scores):
        low, high = score.interval
        axes.plot([100 * low, 100 * high], [row, row], color=COLOURS[0], linewidth=2)
        axes.plot(100 * score.share, row, "o", color=COLOURS[1])
    axes.set_yticks(range(len(scores)), [f"{score.name} ({score.asked})" for score in scores])
    axes.set_xlim(-2, 102)
    axes.invert_yaxis()
    told = "; ".join(f"{score.name} {score.share:.0%} ({score.interval[0]:.0%} to {score.interval[1]:.0%})" for score in scores)
    return Picture(figure, f"{title}. Share of right answers with 95 % intervals: {told}.")


def plot_lines(
    lines: dict[str, list[tuple[float, float, float, float]]], title: str, x: str, y: str, ticks: Sequence[float] | None = None
) -> Picture:
    """Lines over a logarithmic x axis; a point is ``(x, value, low, high)``, the band its interval."""
    figure, axes = new_axes(title, x, y)
    for number, (name, points) in enumerate(lines.items()):
        xs, values, lows, highs = zip(*points, strict=True)
        axes.plot(xs, values, "o-", color=COLOURS[number], label=name)
        axes.fill_between(xs, lows, highs, color=COLOURS[number], alpha=0.15)
    axes.set_xscale("log")
    if ticks is not None:
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    axes.set_ylim(0, 1)
    axes.legend(frameon=False)
    told = "; ".join(f"{name}: " + ", ".join(f"{p[1]:.2f} at {p[0]:g}" for p in points) for name, points in lines.items())
    return Picture(figure, f"{title}. {told}.")


def plot_map(points: Any, groups: Sequence[str], title: str) -> Picture:
    """A map: points of shape ``(n, 2)``, coloured and marked by group. Its text says where each group's centre is."""
    figure, axes = new_axes(title, "first direction (no unit)", "second direction (no unit)", width=7.5, height=5.0)
    markers, told = "os^DvP*X", []
    for number, group in enumerate(sorted(set(groups))):
        rows = [row for row, name in enumerate(groups) if name == group]
        x, y = points[rows, 0], points[rows, 1]
        axes.scatter(
            x, y, s=22, label=group, alpha=0.8, color=COLOURS[number % len(COLOURS)], marker=markers[number % len(markers)]
        )
        told.append(f"{group} around ({x.mean():.2f}, {y.mean():.2f}), spread {(x.var() + y.var()) ** 0.5:.2f}")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return Picture(figure, f"{title}. {len(groups)} points: {'; '.join(told)}.")
