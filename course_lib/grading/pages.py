"""The pages of a run: feedback for a learner, the class at a glance, the integrity report. Self-contained; all text is escaped."""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..exercises.judge import FAILED, NOT_ATTEMPTED, PASSED

STYLE = """
:root{color-scheme:light dark;--ink:#1c2126;--paper:#fff;--quiet:#5b6570;--line:#d5dade;--good:#2e8b57;--bad:#c2551f;--none:#7a7f87}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--paper:#15181b;--quiet:#a2abb4;--line:#3a4148;--good:#58c088;--bad:#ee8a55}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64em;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin:0}h2{font-size:1.1em;margin:0}.quiet{color:var(--quiet)}code,pre{font-family:ui-monospace,monospace}
section{border:1px solid var(--line);border-left:6px solid var(--edge);border-radius:6px;padding:.8em 1em;margin:1em 0}
section p{margin:.4em 0 0;overflow-wrap:anywhere}table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}
th,td{border:1px solid var(--line);padding:.3em .6em;text-align:left;vertical-align:top}td.heat{text-align:center;min-width:3.2em;color:#10151a}
"""
EDGES = {PASSED: "var(--good)", FAILED: "var(--bad)", NOT_ATTEMPTED: "var(--none)"}
SIGNS = {PASSED: "✓", FAILED: "✗", NOT_ATTEMPTED: "○"}


def _page(title: str, body: str) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{_e(title)}</title><style>{STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


def _e(value: object) -> str:
    return html.escape(str(value))


def feedback_name(row: dict[str, Any]) -> str:
    """A file name for the feedback on a submission, whatever the learner is called.

    >>> feedback_name({"learner": "../Änna", "file": "a.ipynb"})
    'nna-dd7e5c4b.html'
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", row["learner"]).strip("-")[:40] or "learner"
    return f"{plain}-{hashlib.sha256((row['learner'] + '/' + row['file']).encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.html"


def feedback_page(row: dict[str, Any]) -> str:
    """What the learner gets: what failed, the likely mistake, a hint; never a hidden case or a hidden input."""
    parts = [f"<h1>Lab {_e(row['lab'] or '?')}: {row['final']:g} of {row['of']} points</h1>"]
    parts.append(f'<p class="quiet">{_e(row["learner"])} · {_e(row["file"])}</p>')
    if row["reason"]:
        parts.append(f"<p>{_e(_not_graded(row))}</p>")
    if row["late"]:
        parts.append(f"<p>{_e(_lateness(row))}</p>")
    parts += [f"<p>Note: {_e(note)}.</p>" for note in row["notes"]]
    for one in row["exercises"]:
        if row["reason"] and one["state"] == NOT_ATTEMPTED and not one["why"]:
            continue  # it could not be seen, so it cannot be said to be missing
        lines = [one["message"]] if one["message"] else []
        if one["state"] == PASSED:
            lines.append(f"All {one['total']} cases are right, hidden ones included.")
        if one["misconception"]:
            lines.append(f"Likely: {one['misconception']}")
        if one["state"] == FAILED and one["hint"]:
            lines.append(f"Hint: {one['hint']}")
        if one["why"]:
            lines.append(f"Points set by your instructor: {one['why']}")
        lines += [note[0].upper() + note[1:] + "." for note in one["notes"] if not note.startswith("!")]
        paragraphs = "".join(f"<p>{_e(line)}</p>" for line in lines)
        sign, edge = SIGNS.get(one["state"], "○"), EDGES.get(one["state"], "var(--none)")
        head = f"{sign} {_e(one['exercise'])} {_e(one['title'])} · {_e(one['state'])} · {one['final']:g} of {one['of']}"
        parts.append(f'<section style="--edge:{edge}"><h2>{head}</h2>{paragraphs}</section>')
    parts.append('<p class="quiet">Points for an exercise come whole: for all of its cases, or not at all.</p>')
    return _page(f"Feedback for {row['learner']}", "".join(parts))


def _not_graded(row: dict[str, Any]) -> str:
    """Why not all was graded, and what to do about it."""
    from .runner import BROKEN

    if row["state"] == BROKEN:
        return f"This was not graded: {row['reason']}. That is not your fault; tell your instructor."
    return (
        f"This was not graded: {row['reason']}. Hand in the notebook of the lab itself, the .ipynb file with your answers in it."
    )


def _lateness(row: dict[str, Any]) -> str:
    """What being late did, in a sentence."""
    from .late import in_words

    cost = f"{row['lost']:.0%} of its points, {row['penalty']:g}, are taken off" if row["lost"] else "that costs no points"
    return f"Handed in {in_words(row['late'])} after it was due ({row['due'].replace('T', ', ')}): {cost}."


def _heat(share: float) -> str:
    """A colour from orange over yellow to green, light enough for dark text."""
    return f"hsl({25 + 105 * share:.0f} 70% {72 + 6 * share:.0f}%)"


def summary_page(rows: Sequence[dict[str, Any]]) -> str:
    """The class at a glance: a row for each learner, a column for each exercise; the commonest mistakes."""
    from .reports import by_learner

    counted = by_learner(rows)
    ids = sorted({one["exercise"] for row in counted for one in row["exercises"]})
    head = "".join(f"<th>{_e(id)}</th>" for id in ids)
    lines = []
    for row in counted:
        by_id = {one["exercise"]: one for one in row["exercises"]}
        cells = "".join(_heat_cell(by_id.get(id)) for id in ids)
        lines.append(f"<tr><th>{_e(row['learner'])}</th><td>{row['final']:g} of {row['of']}</td>{cells}</tr>")
    means = []
    for id in ids:
        states = [one["state"] for row in counted for one in row["exercises"] if one["exercise"] == id]
        share = states.count(PASSED) / len(states)
        means.append(f'<td class="heat" style="background:{_heat(share)}">{share:.0%}</td>')
    table = f"<table><tr><th>learner</th><th>points</th>{head}</tr>{''.join(lines)}<tr><th>passed</th><td></td>{''.join(means)}</tr></table>"
    mistakes = Counter(
        (one["exercise"], one["misconception"]) for row in counted for one in row["exercises"] if one["misconception"]
    )
    items = "".join(f"<li>{_e(id)}, {count} times: {_e(sentence)}</li>" for (id, sentence), count in mistakes.most_common(12))
    kinds = Counter(row["state"] for row in rows)
    said = ", ".join(f"{count} {_e(state)}" for state, count in sorted(kinds.items()))
    body = f"<h1>The class</h1><p>{len(rows)} submissions: {said}. Isolation: {_e(', '.join(sorted({row['isolation'] for row in rows})))}.</p>"
    body += table + '<p class="quiet">A cell is the share of cases that are right; points come for all of them only (✓).</p>'
    body += f"<h2>Commonest mistakes</h2><ul>{items}</ul>" if items else ""
    return _page("Class summary", body)


def _heat_cell(one: dict[str, Any] | None) -> str:
    if one is None:
        return "<td></td>"
    if one["state"] == NOT_ATTEMPTED:
        return '<td class="heat" style="background:#c9ced3" title="not attempted">○</td>'
    share = 1.0 if one["state"] == PASSED else one["passed"] / max(one["total"], 1)
    text = "✓" if one["state"] == PASSED else f"{share:.0%}"
    return f'<td class="heat" style="background:{_heat(share)}">{text}</td>'


def integrity_page(rows: Sequence[dict[str, Any]]) -> str:
    """What looked like tampering, and what it earned: points came from results alone."""
    from .reports import UNPROTECTED, suspicions
    from .sandbox import NONE

    lines = []
    for row in rows:
        by_id = {one["exercise"]: one for one in row["exercises"]}
        for id, says in suspicions(row):
            one = by_id[id]
            earned = "its results are right: points stand" if one["state"] == PASSED else "earned nothing"
            who = f"<td>{_e(row['learner'])}</td><td>{_e(row['file'])}</td>"
            lines.append(f"<tr>{who}<td>{_e(id)}</td><td>{_e(says)}</td><td>{earned}</td></tr>")
    body = "<h1>Integrity report</h1><p>None of this decides about points: a result counts if it is right, whatever the code around it does. "
    body += "It shows where a look may be worth it.</p>"
    if any(row["isolation"] == NONE for row in rows):
        body += f"<p><strong>Learner code ran {UNPROTECTED}</strong>: files and the network of this machine were in reach.</p>"
    head = "<tr><th>learner</th><th>file</th><th>exercise</th><th>what it looked like</th><th>what it earned</th></tr>"
    body += f"<table>{head}{''.join(lines)}</table>" if lines else "<p>Nothing looked like tampering.</p>"
    return _page("Integrity report", body)
