"""Two pages that are made on the learner's machine: progress, and a certificate that can be checked."""

from __future__ import annotations

import datetime
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..widgets.safe_html import escaped
from ..workspace import lab_title
from .answers import answer_in_notebook
from .cards import progress_rows
from .judge import PASSED
from .progress import read_progress
from .registry import LABS, get_exercise

FORMAT = 1
MOST_BYTES = 1_000_000
JOINERS = "\u200c\u200d"  # without width, and part of how some names are written
Row = tuple[str, str, str, int, int]  # of progress_rows

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --panel: #f3f5f8; --ink: #1a1f2a; --quiet: #4a5160; --line: #c3c9d4; }
:root { --passed: #19693f; --failed: #8f3505; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #12161c; --panel: #1d232d; --ink: #eef1f6; --quiet: #b4bccb; --line: #465063; }
  :root { --passed: #74d6a0; --failed: #ffc194; }
}
body { margin: 0 auto; padding: 2rem 1.2rem; max-width: 52rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { line-height: 1.15; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 1.6rem 0 .3rem; }
.name { font-size: 1.6rem; font-weight: 700; margin: .8rem 0 0; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--quiet); padding-bottom: .2rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child { white-space: nowrap; }
table.fixed { table-layout: fixed; }
.fixed th:first-child { width: 21%; } .fixed th:nth-child(3) { width: 30%; } .fixed th:last-child { width: 16%; }
.day { white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.passed { color: var(--passed); font-weight: 700; }
td.failed { color: var(--failed); font-weight: 700; }
code { font: .85em ui-monospace, Consolas, monospace; overflow-wrap: anywhere; }
progress { width: 100%; height: 1rem; accent-color: var(--passed); }
.seal { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .9rem; }
@media print { tr { break-inside: avoid; } body { padding: 0; } }
"""


def _page(title: str, body: str) -> str:
    """A whole page that asks nobody for anything."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], marks: Sequence[str] = ()) -> str:
    """A table of HTML; the last column holds numbers. ``marks`` are classes of the cells of the third column, all columns then fixed."""
    ends = [""] * (len(heads) - 1) + [' class="number"']
    top = "".join(f'<th scope="col"{end}>{escaped(head)}</th>' for head, end in zip(heads, ends, strict=True))
    body = []
    for at, row in enumerate(rows):
        cells = list(ends)
        if marks and marks[at]:
            cells[2] = f' class="{escaped(marks[at])}"'
        body.append("<tr>" + "".join(f"<td{end}>{cell}</td>" for cell, end in zip(row, cells, strict=True)) + "</tr>")
    fixed = ' class="fixed"' if marks else ""
    return f"<table{fixed}>\n<caption>{escaped(caption)}</caption>\n<tr>{top}</tr>\n" + "\n".join(body) + "\n</table>"


# --- progress -------------------------------------------------------------------------------------------------------


def progress_page(rows: Sequence[Row]) -> str:
    """What was passed so far, lab by lab, as a page."""
    earned, total = sum(row[3] for row in rows), sum(row[4] for row in rows)
    signs = {"passed": "✓ passed", "failed": "✗ tried, not passed yet"}
    parts = [
        "<h1>Your progress</h1>",
        f'<p class="quiet">Open Book, Closed Book · {datetime.date.today().isoformat()}</p>',
        f'<p id="sum">{earned} of {total} points</p><progress aria-labelledby="sum" value="{earned}" max="{total}"></progress>',
    ]
    for number, name in LABS.items():
        mine = [row for row in rows if row[0].split(".")[0] == number]
        got, there = sum(row[3] for row in mine), sum(row[4] for row in mine)
        cells = [
            [escaped(id), escaped(title), escaped(signs.get(state, "○ not attempted")), f"{points} of {of}"]
            for id, title, state, points, of in mine
        ]
        marks = [state if state in signs else "" for _, _, state, _, _ in mine]
        parts += [
            f"<h2>Lab {number} · {escaped(lab_title(name))}</h2>",
            _table(f"{got} of {there} points", ("exercise", "title", "state", "points"), cells, marks),
        ]
    return _page("Your progress · Open Book, Closed Book", "\n".join(parts))


# --- certificate ----------------------------------------------------------------------------------------------------


def certificate_data(name: str) -> dict[str, Any]:
    """What a certificate says, as data. Raises :class:`CourseError` where nothing has been passed yet or the name cannot be used."""
    from .. import __version__

    shown = "".join(sign for sign in " ".join(name.split()) if sign.isprintable() or sign in JOINERS)
    if not 1 <= len(shown) <= 80:
        raise CourseError(
            "A certificate needs a name of 1 to 80 characters.", 'give it: course certificate --name "Ada Lovelace"'
        )
    state = read_progress()
    passed: list[dict[str, Any]] = []
    rows = progress_rows()
    for id, title, outcome, points, _ in rows:
        if outcome == PASSED:
            day, answer = str(state[id].get("passed", ""))[:10], state[id].get("answer")
            passed.append({"id": id, "title": title, "points": points, "day": day, "answer": str(answer) if answer else None})
    if not passed:
        raise CourseError("You have not passed an exercise yet.", "begin with: course lab")
    return {
        "format": FORMAT,
        "course": f"open-book-closed-book {__version__}",
        "name": shown,
        "made": datetime.date.today().isoformat(),
        "points": sum(row[3] for row in rows),
        "of": sum(row[4] for row in rows),
        "passed": passed,
    }


def seal(data: dict[str, Any]) -> str:
    """The sha256 of everything that a certificate says.

    >>> seal({"a": 1, "b": 2}) == seal({"b": 2, "a": 1}) != seal({"a": 1, "b": 3})
    True
    """
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def certificate_page(data: dict[str, Any]) -> str:
    """A certificate as a page: the same page for the same data. The data are in it too, for :func:`verify`."""
    cells = [
        [
            escaped(one["id"]),
            escaped(one["title"]) + "<br>" + (f"<code>{escaped(one['answer'])}</code>" if one["answer"] else "not recorded"),
            f'<span class="day">{escaped(one["day"])}</span>',
            escaped(str(one["points"])),
        ]
        for one in data["passed"]
    ]
    embedded = json.dumps(data, sort_keys=True).replace("<", "\\u003c").replace("&", "\\u0026")
    points = escaped(f"{data['points']} of {data['of']} points")
    body = [
        "<h1>Open Book, Closed Book</h1>",
        '<p class="quiet">RAG or fine-tuning? A course that measures every claim on your own laptop.</p>',
        f'<p class="name">{html.escape(data["name"])}</p>',
        f"<p>has passed the public cases of {_many(len(data['passed']))}: {points}.</p>",
        _table("Each with the SHA-256 of the answer", ("exercise", "answer", "passed on", "points"), cells),
        "<h2>What this shows, and what it does not</h2>",
        f'<p class="seal">Made on {escaped(str(data["made"]))} with {escaped(str(data["course"]))}. '
        f"Seal: <code>{seal(data)}</code></p>",
        "<p><code>course certificate --verify FILE</code> tells whether the page is whole, and whether the answers in a folder of "
        "notebooks are the ones named here. Give the seal to somebody on the day, and they can tell later that nothing was changed.</p>",
        "<p>It was made on the learner's own machine and nobody signed it. It does not prove who wrote the answers, nor that they were "
        "written without help: anybody can make such a page. For that, collect the notebooks and grade them.</p>",
        f'<script type="application/json" id="certificate">{embedded}</script>',
    ]
    return _page("Certificate · Open Book, Closed Book", "\n".join(body))


def read_certificate(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a certificate and its data. Raises :class:`CourseError` where it is none."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise ValueError("it is too long")
        text = raw.decode("utf-8").replace("\r\n", "\n")
        found = re.search(r'<script type="application/json" id="certificate">(.*?)</script>', text, re.DOTALL)
        data = json.loads(found[1]) if found else None
        if not isinstance(data, dict) or data["format"] != FORMAT:
            raise ValueError("it holds no certificate of this course")
        for one in data["passed"]:
            for value in (one["id"], one["title"], one["day"], one["answer"] or ""):
                if not (isinstance(value, str) and value.isprintable()):
                    raise ValueError("it names an exercise in no way that the course does")
            _ = one["points"] + 0
        if not (isinstance(data["name"], str) and str(data["course"]).isprintable()):
            raise ValueError("it has no name")
        certificate_page(data)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CourseError(f"{path} is not a certificate ({error}).", "name a page that course certificate has made.") from error
    return text, data


def verify(path: Path, labs: Path) -> list[tuple[bool, str]]:
    """What can be said of a certificate: sentences, and whether each speaks for it.

    ``labs`` is the folder of the notebooks with which the answers are compared. Raises :class:`CourseError` where it is no certificate.
    """
    text, data = read_certificate(path)
    found: list[tuple[bool, str]] = []
    whole = certificate_page(data) == text
    found.append(
        (True, f"The page is whole: it is what its data make. Seal: {seal(data)}")
        if whole
        else (
            False,
            f"The page is not what {data.get('course')} makes of its data here: it was changed, or another version made it.",
        )
    )
    known = {row[0]: row for row in progress_rows()}
    odd = [
        one["id"]
        for one in data["passed"]
        if one["id"] not in known or (one["title"], one["points"]) != (known[one["id"]][1], known[one["id"]][4])
    ]
    if odd:
        found.append((False, f"This version of the course has no such exercises, or they give other points: {_some(odd)}."))
    if data["points"] != sum(one["points"] for one in data["passed"]):
        found.append((False, "The sum of the points is wrong."))
    same: list[str] = []
    other: list[str] = []
    missing: list[str] = []
    for one in data["passed"]:
        if one["id"] in odd or not one["answer"]:
            continue
        exercise = get_exercise(one["id"])
        there = answer_in_notebook(labs / f"{LABS[exercise.lab]}.ipynb", exercise.id, exercise.function)
        (missing if there is None else same if there == one["answer"] else other).append(one["id"])
    if same:
        found.append((True, f"{len(same)} answers in {labs} are the ones that it names."))
    if other:
        found.append((False, f"These answers in {labs} are others, or were changed since: {_some(other)}."))
    if missing:
        found.append((False, f"There is no answer in {labs} to compare with: {_some(missing)}."))
    return found


def _many(exercises: int) -> str:
    return "this exercise" if exercises == 1 else f"these {exercises} exercises"


def _some(ids: Sequence[str]) -> str:
    return ", ".join(str(id) for id in ids[:20]) + (" …" if len(ids) > 20 else "")
