"""The gradebook as a learning platform imports it: Canvas, Moodle, or a plain table with a row for each learner.

The columns are those of the platforms' own exports: Canvas, "How do I import grades in the Gradebook?"; Moodle, "Grade import" (there
you choose at the import which column names the user and which grade item a column is).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..exercises.registry import LABS
from .intake import visible

WHO = {
    "canvas": ("Student", "ID", "SIS User ID", "SIS Login ID", "Section"),
    "moodle": ("Username", "ID number", "Email address", "First name", "Last name", "Surname", "Full name"),
    "plain": (),
}
"""The columns by which a platform knows a learner."""

ALONE = {"canvas": "SIS Login ID", "moodle": "Username", "plain": "learner"}
"""The one that a learner's name goes into where there is no roster."""

POINTS_POSSIBLE = "Points Possible"


@dataclass(frozen=True)
class Roster:
    """An export of the platform: its columns and its people."""

    columns: tuple[str, ...]
    people: tuple[Mapping[str, str], ...]


def read_roster(path: Path, kind: str) -> Roster:
    """The people in a CSV that the platform exported. Raises :class:`CourseError` where it names none of them."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read ({error}).", "name a CSV file in UTF-8 that the platform exported.") from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    columns = tuple(str(name) for name in reader.fieldnames or [])
    known = [name for name in columns if name in WHO[kind]] if WHO[kind] else list(columns)
    if not known:
        raise CourseError(f"{path} has none of the columns {', '.join(WHO[kind])}.", f"export the gradebook from {kind}.")
    people = [{name: str(row[name] or "").strip() for name in known} for row in reader]
    people = [one for one in people if any(one.values()) and one.get("Student") != POINTS_POSSIBLE]
    return Roster(columns, tuple(people))


def _names(person: Mapping[str, str]) -> set[str]:
    """What alone tells a person from others: not a first name, nor a section."""
    both = " ".join(filter(None, [person.get("First name"), person.get("Last name") or person.get("Surname")]))
    shared = {"Section", "First name", "Last name", "Surname"}
    values = [value for name, value in person.items() if name not in shared]
    return {visible(value).casefold() for value in [*values, both] if value}


def match(learner: str, people: Sequence[Mapping[str, str]]) -> Mapping[str, str] | None:
    """The one person that a folder or file name means: by a whole name or id, else by one of the parts between its ``_``.

    Canvas names downloads ``name_id_number_file``, Moodle folders ``Name_number_assignsubmission_file``. Where several would fit, or
    nobody does, it is nobody.

    >>> people = [{"Student": "Berg, Anna", "ID": "17"}, {"Student": "Cole, Ben", "ID": "18"}]
    >>> match("berg, anna", people)["ID"], match("berganna_17_4711", people)["ID"], match("17_18", people)
    ('17', '17', None)
    """
    own = [_names(one) for one in people]
    name = learner.strip().casefold()
    for wanted in ({name}, {part.strip() for part in name.split("_") if part.strip()}):
        fits = [one for one, values in zip(people, own, strict=True) if values & wanted]
        if len(fits) == 1:
            return fits[0]
        if fits:
            return None
    return None


def title(lab: str) -> str:
    """The name of a lab's column.

    >>> title("01")
    'Lab 01 chunk and embed'
    """
    return f"Lab {LABS[lab].replace('_', ' ')}" if lab in LABS else f"Lab {lab}"


def export(rows: Sequence[dict[str, Any]], kind: str, roster: Roster | None = None) -> tuple[str, list[str]]:
    """The points that count as CSV, and the learners who are not in the roster and therefore not in the table.

    A learner without a submission has no row, so the platform keeps what it has. Raises :class:`CourseError` for an unknown platform.
    """
    from .reports import by_learner, safe

    if kind not in WHO:
        raise CourseError(f"There is no platform {kind!r}.", f"choose one of {', '.join(WHO)}.")
    counted = [row for row in by_learner(rows) if row["lab"]]
    labs = {row["lab"]: max(one["of"] for one in counted if one["lab"] == row["lab"]) for row in counted}
    points: dict[str, dict[str, float]] = {}
    for row in counted:
        points.setdefault(row["learner"], {})[row["lab"]] = row["final"]
    if roster is not None:
        who = [name for name in roster.columns if roster.people and name in roster.people[0]]
        who = who or list(roster.columns)
    else:
        who = list(WHO[kind]) if kind == "canvas" else [ALONE[kind]]
    there = roster.columns if roster else ()
    named = [next((name for name in there if name.startswith(title(lab))), title(lab)) for lab in sorted(labs)]
    total = ["points", "of"] if kind == "plain" else []
    table: list[list[object]] = [[*who, *named, *total]]
    if kind == "canvas":
        table.append([POINTS_POSSIBLE if name == "Student" else "" for name in who] + [labs[lab] for lab in sorted(labs)])
    unknown: list[str] = []
    taken: list[Mapping[str, str]] = []
    for learner, got in points.items():
        person: Mapping[str, str] | None = {ALONE[kind]: learner, "Student": learner}
        if roster is not None:
            person = match(learner, roster.people)
        if person is None or any(person is one for one in taken):  # two names of one person are for people to sort out
            unknown.append(learner)
            continue
        taken.append(person)
        line: list[object] = [person.get(name, "") for name in who]
        line += [f"{got[lab]:g}" if lab in got else "" for lab in sorted(labs)]
        line += [f"{sum(got.values()):g}", sum(labs[lab] for lab in got)] if total else []
        table.append(line)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([safe(cell) for cell in line] for line in table)
    return stream.getvalue(), unknown
