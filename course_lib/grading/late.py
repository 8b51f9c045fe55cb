"""When work came in, when it was due, and what being late costs. All of it is kept beside the gradebook, in ``late.json``."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..exercises.registry import LABS
from ..workspace import atomic_write
from .intake import visible

LATE = "late.json"
HOUR, DAY = 60, 24 * 60  # in minutes
LATEST = 250_000_000_000.0  # seconds, in the year 9892: a file may claim a time that no calendar has
UNITS = {"hour": HOUR, "day": DAY, "week": 7 * DAY}
NOT_ACCEPTED = "not accepted"

Table = list[dict[str, str]]


@dataclass(frozen=True)
class Policy:
    """What late work loses: a ``share`` of what it earned for each ``unit`` of minutes begun, of all of it after ``limit`` minutes.

    ``most`` is the largest share that is lost before the limit.
    """

    share: float
    unit: int = DAY
    limit: float = math.inf
    most: float = 1.0

    def lost(self, minutes: int) -> float:
        """The share lost by work that came so many minutes late.

        >>> policy = parse_policy("10%/day up to 3 days")
        >>> [policy.lost(minutes) for minutes in (0, 1, 24 * 60, 24 * 60 + 1, 3 * 24 * 60, 3 * 24 * 60 + 1)]
        [0.0, 0.1, 0.1, 0.2, 0.3, 1.0]
        """
        if minutes <= 0:
            return 0.0
        return 1.0 if minutes > self.limit else round(min(self.share * math.ceil(minutes / self.unit), self.most), 6)


def parse_policy(text: str) -> Policy:
    """A policy in words. Raises :class:`CourseError` that shows how it is written.

    >>> parse_policy("5% per hour, at most 50%")
    Policy(share=0.05, unit=60, limit=inf, most=0.5)
    >>> parse_policy("not accepted").lost(1)
    1.0
    """
    if text.strip().lower() == NOT_ACCEPTED:
        return Policy(1.0, limit=0)
    number = r"(\d+(?:\.\d+)?)"
    form = rf"{number}\s*%\s*(?:/|per|an?)\s*(hour|day|week)(?:,?\s*up to\s*{number}\s*(hour|day|week)s?)?(?:,?\s*at most\s*{number}\s*%)?"
    found = re.fullmatch(form, text.strip().lower())
    shares = [float(found[place] or 100) / 100 for place in (1, 5)] if found else []
    if found is None or not all(0 < share <= 1 for share in shares):
        raise CourseError(
            f"{text!r} is no late policy.", f"write it like 10%/day up to 3 days, 5%/hour at most 50%, or {NOT_ACCEPTED}."
        )
    limit = float(found[3]) * UNITS[found[4]] if found[3] else math.inf
    return Policy(shares[0], UNITS[found[2]], limit, shares[1])


def due_date(text: str) -> str:
    """A due date as it is kept. A date alone means its last minute; a time without an offset is that of the machine that grades.

    Raises :class:`CourseError` where it is none.

    >>> due_date("2027-03-31"), due_date("2027-03-31 18:00"), due_date("2027-03-31T18:00Z"), due_date("")
    ('2027-03-31T23:59', '2027-03-31T18:00', '2027-03-31T18:00+00:00', '')
    """
    text = text.strip()
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        text += "T23:59"
    try:
        return datetime.datetime.fromisoformat(text).isoformat(timespec="minutes") if text else ""
    except ValueError as error:
        raise CourseError(f"{text!r} is not a date.", "write it as 2027-03-31 or 2027-03-31T18:00.") from error


def moment(text: str) -> datetime.datetime:
    """A time with its offset. Raises :class:`ValueError` where ``text`` is no time of day.

    >>> moment("2027-03-31T18:00+01:00").isoformat(), moment("2027-03-31T18:00").tzinfo is None
    ('2027-03-31T18:00:00+01:00', False)
    """
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()):
        raise ValueError("it says no time of day")
    found = datetime.datetime.fromisoformat(text.strip())
    return found if found.tzinfo else found.astimezone()


def minutes_late(submitted: datetime.datetime, due: datetime.datetime) -> int:
    """Whole minutes between two times, 0 for what came in time. The due minute itself is in time to its end.

    >>> due = moment("2027-03-31T18:00Z")
    >>> [minutes_late(moment(f"2027-03-31T{time}Z"), due) for time in ("17:00:00", "18:00:59", "18:01:00", "19:00:30")]
    [0, 0, 1, 60]
    """
    return max(0, math.floor((submitted - due).total_seconds() / 60))


def in_words(minutes: int) -> str:
    """A time span for people.

    >>> in_words(5), in_words(125), in_words(24 * 60), in_words(50 * 60)
    ('5 min', '2 h 5 min', '1 day', '2 days 2 h')
    """
    days, rest = divmod(minutes, DAY)
    hours, left = divmod(rest, HOUR)
    parts = [f"{days} day{'s' if days > 1 else ''}"] if days else []
    parts += [f"{hours} h"] if hours else []
    return " ".join(parts + ([f"{left} min"] if left and not days else [])) or "0 min"


# --- tables of the instructor ---------------------------------------------------------------------------------------


def read_table(path: Path, needed: Sequence[str], known: Sequence[str] = ()) -> Table:
    """The rows of a CSV with a header, separated by commas or semicolons; columns that are not asked for are left out.

    Raises :class:`CourseError` where the file or a needed column is missing, or a needed cell is empty.
    """
    columns = ", ".join([*needed, *(f"{name} (may be left out)" for name in known)])
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read ({error}).", f"name a CSV file in UTF-8 with the columns {columns}.") from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    names = {str(name).strip().lower(): name for name in reader.fieldnames or []}
    if missing := [name for name in needed if name not in names]:
        raise CourseError(f"{path} has no column {', '.join(missing)}.", f"its first line must name the columns {columns}.")
    rows = []
    for raw in reader:
        row = {name: str(raw[names[name]] or "").strip() for name in (*needed, *known) if name in names}
        if not any(row.values()):
            continue
        if empty := [name for name in needed if not row[name]]:
            raise CourseError(f"Line {reader.line_num} of {path} has no {', '.join(empty)}.", "fill it in, or delete the line.")
        row["learner"] = visible(row["learner"])
        if row.get("lab"):
            row["lab"] = row["lab"][:2].zfill(2) if row["lab"][:2].isdecimal() else row["lab"].zfill(2)
            if row["lab"] not in LABS:
                raise CourseError(f"Line {reader.line_num} of {path} names no lab.", f"choose one of {', '.join(LABS)}.")
        rows.append(row)
    return rows


def read_extensions(path: Path) -> Table:
    """Due dates of single learners: ``learner,due`` and, if there is one, ``lab``. Raises :class:`CourseError`."""
    return [{**row, "due": due_date(row["due"])} for row in read_table(path, ("learner", "due"), ("lab",))]


def read_times(path: Path) -> Table:
    """Times of handing in: ``learner,submitted`` and, where there are several files, ``lab`` or ``file``. Raises :class:`CourseError`."""
    rows = read_table(path, ("learner", "submitted"), ("lab", "file"))
    for row in rows:
        try:
            row["submitted"] = moment(row["submitted"]).isoformat()
        except ValueError as error:
            raise CourseError(
                f"{row['submitted']!r} of {row['learner']} in {path} is no time ({error}).", "write it as 2027-03-31T18:00."
            ) from error
    return rows


# --- what a gradebook goes by ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lateness:
    """What is known about due dates: a policy in words, due dates by lab ("" for all), extensions, times of handing in."""

    policy: str = ""
    due: dict[str, str] = field(default_factory=dict)
    extensions: Table = field(default_factory=list)
    times: Table = field(default_factory=list)

    def with_these(
        self,
        policy: str | None = None,
        due: Mapping[str, str] | None = None,
        extensions: Path | None = None,
        times: Path | None = None,
    ) -> Lateness:
        """The same, with what is given in place of what was there. Raises :class:`CourseError` for what cannot be understood."""
        new: dict[str, Any] = {}
        if policy is not None:
            parse_policy(policy)
            new["policy"] = policy
        if due is not None:
            new["due"] = {lab: date for lab, one in due.items() if (date := due_date(one))}
        if extensions is not None:
            new["extensions"] = read_extensions(extensions)
        if times is not None:
            new["times"] = read_times(times)
        made = replace(self, **new)
        if (made.policy or made.extensions) and not made.due:
            raise CourseError(
                "There is no due date that anything could be late for.", "say --due DATE, or --release release.json."
            )
        return made

    def due_for(self, learner: str, lab: str) -> str:
        """When a learner's work was due, or ""."""
        best = {(one["learner"], one.get("lab", "")): one["due"] for one in self.extensions}
        return best.get((learner, lab)) or best.get((learner, "")) or self.due.get(lab) or self.due.get("", "")

    def submitted(self, row: Mapping[str, Any]) -> datetime.datetime | None:
        """When a row's file was handed in: by the times given, else by the file's own; ``None`` where neither is known."""
        fits = [
            one
            for one in self.times
            if one["learner"] == row["learner"]
            and one.get("lab", "") in ("", row["lab"])
            and one.get("file", "") in ("", row["file"])
        ]
        if fits:
            return moment(max(fits, key=lambda one: (bool(one.get("file")), bool(one.get("lab"))))["submitted"])
        changed = row.get("changed")
        return datetime.datetime.fromtimestamp(min(max(changed, 1.0), LATEST)).astimezone() if changed else None


def read_lateness(folder: Path) -> Lateness:
    """What a gradebook goes by. Raises :class:`CourseError` if the file is damaged."""
    path = folder / LATE
    try:
        return Lateness(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Lateness()
    except (ValueError, TypeError) as error:
        raise CourseError(f"{path} is damaged ({error}).", "say the due date and the policy again.") from error


def keep_lateness(folder: Path, lateness: Lateness) -> None:
    """Keep it beside the results."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / LATE, json.dumps(asdict(lateness), indent=1, ensure_ascii=False).encode())


def apply_lateness(rows: Sequence[dict[str, Any]], lateness: Lateness) -> list[dict[str, Any]]:
    """The rows with ``submitted``, ``due``, ``late`` (minutes), ``penalty`` (points), and ``final`` points less the penalty.

    Where no due date is known these are empty and nothing is taken off. Points set by hand count before the penalty.

    >>> row = {"learner": "anna", "lab": "01", "file": "a.ipynb", "changed": 0, "final": 5}
    >>> times = [{"learner": "anna", "submitted": "2027-04-01T18:30:00+00:00"}]
    >>> made = apply_lateness([row], Lateness("10%/day", {"01": "2027-03-31T18:00+00:00"}, [], times))[0]
    >>> made["late"], made["penalty"], made["final"]
    (1470, 1.0, 4.0)
    """
    policy = parse_policy(lateness.policy) if lateness.policy else None
    made = []
    for row in rows:
        due = lateness.due_for(row["learner"], row["lab"])
        came = lateness.submitted(row) if due else None
        late = minutes_late(came, moment(due)) if came else 0
        lost = policy.lost(late) if policy else 0.0
        final = round(row["final"] * (1 - lost) + 1e-9, 2) if lost else row["final"]
        about = {"submitted": came.isoformat(timespec="minutes") if came else "", "due": due, "late": late, "lost": lost}
        made.append({**row, **about, "penalty": round(row["final"] - final, 2), "final": final})
    return made


def unknown_learners(lateness: Lateness, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The learners whom the tables name and of whom nothing arrived: they may be misspelt."""
    there = {row["learner"] for row in rows}
    return sorted({one["learner"] for one in (*lateness.extensions, *lateness.times)} - there)
