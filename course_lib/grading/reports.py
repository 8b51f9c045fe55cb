"""What a run leaves for people and programs: the gradebook, JUnit XML, and the pages of :mod:`.pages`.

All of it is made from the kept results and the overrides, so the same results give the same files.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..errors import CourseError
from ..exercises.judge import NOT_ATTEMPTED, PASSED
from ..workspace import atomic_write
from .grade import RUN, read_results
from .intake import visible
from .late import apply_lateness, read_lateness
from .sandbox import NONE

OVERRIDES = "overrides.json"
UNPROTECTED = "not protected"
FORMULA = "=+-@|%\uff1d\uff0b\uff0d\uff20"  # how a formula begins; the last four are the wide forms

Row = dict[str, Any]


def safe(value: object) -> str:
    """A value that no spreadsheet takes for a formula, not even one that splits a line at its semicolons.

    >>> safe("=cmd()"), safe("-1+2"), safe(" @SUM"), safe("anna"), safe(-3)
    ("'=cmd()", "'-1+2", "' @SUM", 'anna', '-3')
    >>> safe("x;=cmd()"), safe("\uff1dcmd()"), safe('x;"=cmd()')
    ("x;'=cmd()", "'\uff1dcmd()", 'x;"\\'=cmd()')
    """
    text = visible(str(value))
    if not isinstance(value, str):
        return text
    text = re.sub(rf"(;[\s\"]*)(?=[{re.escape(FORMULA)}])", r"\1'", text)
    return "'" + text if text.lstrip()[:1] in tuple(FORMULA) else text


def folder_of(gradebook: Path) -> Path:
    """The folder beside a gradebook that holds everything else."""
    return gradebook.with_suffix("") if gradebook.suffix else gradebook.with_name(gradebook.name + "-files")


# --- overrides ------------------------------------------------------------------------------------------------------


def read_overrides(folder: Path) -> list[dict[str, Any]]:
    """The points that the instructor set by hand. Raises :class:`CourseError` if the file is damaged."""
    path = folder / OVERRIDES
    try:
        return [dict(one) for one in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []
    except (ValueError, TypeError) as error:
        raise CourseError(f"{path} is damaged ({error}).", "mend it, or move it away.") from error


def add_override(folder: Path, learner: str, exercise: str, points: float, why: str, rows: Sequence[Row]) -> None:
    """Set points by hand. Raises :class:`CourseError` where no such row exists or the points are out of range."""
    there = [one for row in rows if row["learner"] == learner for one in row["exercises"] if one["exercise"] == exercise]
    if not there:
        known = ", ".join(sorted({row["learner"] for row in rows})[:8])
        raise CourseError(f"There is no exercise {exercise} of {learner!r} in this gradebook.", f"learners are: {known}.")
    if not 0 <= points <= there[0]["of"]:
        raise CourseError(f"{points:g} points are not possible for {exercise}.", f"give 0 to {there[0]['of']}.")
    kept = [one for one in read_overrides(folder) if (one["learner"], one["exercise"]) != (learner, exercise)]
    kept.append({"learner": learner, "exercise": exercise, "points": points, "why": why})
    atomic_write(folder / OVERRIDES, json.dumps(kept, indent=1).encode())


def apply_overrides(rows: Sequence[Row], overrides: Sequence[dict[str, Any]]) -> list[Row]:
    """The rows with ``final`` points for each exercise, in all, and ``overridden``: the ids set by hand."""
    by_hand = {(one["learner"], one["exercise"]): one for one in overrides}
    made = []
    for row in rows:
        exercises = []
        for one in row["exercises"]:
            hand = by_hand.get((row["learner"], one["exercise"]))
            exercises.append({**one, "final": hand["points"] if hand else one["points"], "why": hand["why"] if hand else ""})
        overridden = [one["exercise"] for one in exercises if (row["learner"], one["exercise"]) in by_hand]
        final = sum(one["final"] for one in exercises)
        made.append(
            {**row, "exercises": exercises, "final": final, "of": sum(one["of"] for one in exercises), "overridden": overridden}
        )
    return made


def mark_what_counts(rows: Sequence[Row]) -> list[Row]:
    """Of several submissions of one learner to one lab the best counts, of equals the last by name.

    With it count those that answer only what it does not: a lab may be handed in as several files.
    """
    taken: dict[tuple[str, str], set[str]] = {}
    counting = set()
    for row in sorted(rows, key=lambda row: (row["final"], row["file"]), reverse=True):
        who = (row["learner"], row["lab"])
        parts = {one["exercise"] for one in row["exercises"] if one["state"] != NOT_ATTEMPTED} | set(row["overridden"])
        if who not in taken or (parts and not parts & taken[who]):
            counting.add(row["key"])
            taken[who] = taken.get(who, set()) | parts
    return [{**row, "counts": row["key"] in counting} for row in rows]


def by_learner(rows: Sequence[Row]) -> list[Row]:
    """What counts, with one row for each learner and lab: several parts become one."""
    made: dict[tuple[str, str], Row] = {}
    for row in rows:
        who = (row["learner"], row["lab"])
        if row["counts"] and who in made:
            pairs = zip(made[who]["exercises"], row["exercises"], strict=True)
            exercises = [one if one["state"] != NOT_ATTEMPTED or one["final"] else other for one, other in pairs]
            row = {**made[who], "exercises": exercises, "final": round(made[who]["final"] + row["final"], 2)}
        if row["counts"]:
            made[who] = row
    return list(made.values())


# --- files ----------------------------------------------------------------------------------------------------------


def exercise_ids(rows: Sequence[Row]) -> list[str]:
    """All exercises of a gradebook, in order."""
    return sorted({one["exercise"] for row in rows for one in row["exercises"]})


def suspicions(row: Row) -> list[tuple[str, str]]:
    """What looked like tampering in a submission: exercise and sentence."""
    return [(one["exercise"], note[2:]) for one in row["exercises"] for note in one["notes"] if note.startswith("! ")]


def gradebook(rows: Sequence[Row]) -> str:
    """The gradebook as CSV: one row for each submission. Nothing in it depends on the time or the speed of the run.

    The points of an exercise are what it earned; ``points`` are their sum less the late penalty.
    """
    ids = exercise_ids(rows)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["learner", "lab", "file", "counts", "points", "of", "state", "reason", *ids, "overridden", "submitted", "due"]
        + ["minutes late", "late penalty", "isolation", "integrity", "submission", "tests", "environment"]
    )
    for row in rows:
        by_id = {one["exercise"]: f"{one['final']:g}" for one in row["exercises"]}
        reasons = [row["reason"]] if row["reason"] else []
        reasons += [
            f"{one['exercise']}: {one['message']}" for one in row["exercises"] if one["state"] not in (PASSED, NOT_ATTEMPTED)
        ]
        isolation = row["isolation"] + (f" ({UNPROTECTED}: files, network)" if row["isolation"] == NONE else "")
        cells = [
            row["learner"],
            row["lab"],
            row["file"],
            "yes" if row["counts"] else "no",
            f"{row['final']:g}",
            row["of"],
            row["state"],
        ]
        cells += [" · ".join([*reasons, *row["notes"]])[:1000] if not row["exercises"] or reasons or row["notes"] else ""]
        cells += [by_id.get(id, "") for id in ids]
        cells += [
            " ".join(row["overridden"]),
            row["submitted"],
            row["due"],
            row["late"] if row["due"] else "",
            f"{row['penalty']:g}" if row["due"] else "",
            isolation,
            len(suspicions(row)),
            row["submission"],
            row["tests"],
            row["environment"],
        ]
        writer.writerow([safe(cell) for cell in cells])
    return stream.getvalue()


def _xml(text: str) -> str:
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]", "?", text)


def junit(rows: Sequence[Row]) -> bytes:
    """JUnit XML: a suite for each submission, a case for each exercise. Only what a learner may see is in it."""
    suites = ElementTree.Element("testsuites")
    for row in rows:
        failures = sum(one["state"] != PASSED for one in row["exercises"])
        attributes = {"name": f"{row['learner']} {row['file']}", "tests": str(len(row["exercises"])), "failures": str(failures)}
        suite = ElementTree.SubElement(suites, "testsuite", {key: _xml(value) for key, value in attributes.items()})
        for one in row["exercises"]:
            case = ElementTree.SubElement(suite, "testcase", {"classname": f"lab {row['lab']}", "name": one["exercise"]})
            case.set("time", f"{one['seconds']:.3f}")
            if one["state"] != PASSED:
                failure = ElementTree.SubElement(case, "failure", {"message": _xml(visible(one["message"] or one["state"]))})
                failure.text = _xml(one["misconception"])
    return ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)


def write_reports(book: Path, results: Sequence[Row]) -> list[Row]:
    """Write the gradebook and all that goes with it; returns the rows with overrides applied."""
    from .pages import feedback_name, feedback_page, integrity_page, summary_page

    folder = folder_of(book)
    rows = mark_what_counts(apply_lateness(apply_overrides(results, read_overrides(folder)), read_lateness(folder)))
    (folder / "feedback").mkdir(parents=True, exist_ok=True)
    written = set()
    for row in rows:
        written.add(feedback_name(row))
        atomic_write(folder / "feedback" / feedback_name(row), feedback_page(row).encode("utf-8", "replace"))
    for old in (folder / "feedback").glob("*.html"):
        if old.name not in written:
            old.unlink()  # of a submission that is no longer there
    atomic_write(folder / "junit.xml", junit(rows))
    atomic_write(folder / "summary.html", summary_page(rows).encode("utf-8", "replace"))
    atomic_write(folder / "integrity.html", integrity_page(rows).encode("utf-8", "replace"))
    book.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(book, gradebook(rows).encode("utf-8", "replace"))
    return rows


def kept_rows(book: Path) -> tuple[dict[str, Any], list[Row]]:
    """What a gradebook was made by, and its results. Raises :class:`CourseError` where there are none."""
    folder = folder_of(book)
    if not (folder / RUN).exists():
        raise CourseError(f"There are no results beside {book}.", "grade first: course grade DIR --out " + str(book))
    rows = sorted(read_results(folder).values(), key=lambda row: (row["learner"], row["file"]))
    return dict(json.loads((folder / RUN).read_text(encoding="utf-8"))), rows
