"""The plans of a workshop: half a day, one day, two days. Minutes of labs are the labs' own; only talks and breaks are set here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import CourseError
from ..exercises.registry import LABS, exercises_of
from .labs import Json, text_of
from .results import table

HARD = 3
"""The difficulty of the exercises that a room may leave out first."""


@dataclass(frozen=True)
class Section:
    """A part of a lab: where its clock begins, how many minutes it lasts, and which exercises are in it."""

    title: str
    begins: int
    minutes: int
    exercises: tuple[str, ...]


@dataclass(frozen=True)
class LabTimes:
    """What a lab says about its time: its sections, and in words how long its cells run and what memory they take."""

    number: str
    title: str
    runs: str
    sections: tuple[Section, ...]

    @property
    def minutes(self) -> int:
        """All of its sections together."""
        return sum(one.minutes for one in self.sections)


def sections_of(texts: list[str]) -> Iterator[Section]:
    """The sections that a lab's cells of text begin, by the line under each heading.

    >>> list(sections_of(["## Count\\n*minute 0 · 5 minutes*", "### Exercise 02.1 · Score", "## What you saw"]))
    [Section(title='Count', begins=0, minutes=5, exercises=('02.1',))]
    """
    parts = re.split(r"^## (?=.+\n\*minute)", "\n\n".join(texts), flags=re.MULTILINE)[1:]
    for part in parts:
        title, clock = part.split("\n")[:2]
        begins, minutes = re.findall(r"\d+", clock)
        yield Section(title, int(begins), int(minutes), tuple(re.findall(r"^### Exercise (\S+)", part, flags=re.MULTILINE)))


def lab_times(solution: Json, number: str) -> LabTimes:
    """The times that a lab's notebook states. Raises :class:`CourseError <course_lib.errors.CourseError>` where it states none."""
    texts = [text_of(cell) for cell in solution["cells"] if cell["cell_type"] == "markdown"]
    sections, runs = tuple(sections_of(texts)), re.search(r"runs in (.+)", texts[0])
    if not sections or not runs:
        raise CourseError(
            f"Lab {number} does not say how long it takes.", "give its sections a clock, and its first cell a line."
        )
    return LabTimes(number, texts[0].splitlines()[0].removeprefix("# "), runs[1], sections)


def all_times(root: Path) -> dict[str, LabTimes]:
    """The times of all labs, by number; ``root`` is the folder that holds ``solutions``."""
    return {
        number: lab_times(json.loads((root / "solutions" / f"{stem}.ipynb").read_text(encoding="utf-8")), number)
        for number, stem in LABS.items()
    }


# --- the plans ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pause:
    """Minutes without a lab: a talk, a break, a meal."""

    what: str
    minutes: int


@dataclass(frozen=True)
class Lab:
    """A lab in a plan, without the sections that are named: their cells are run, and that is all."""

    number: str
    without: tuple[str, ...] = ()


Stop = Pause | Lab


@dataclass(frozen=True)
class Plan:
    """A workshop: for each day what happens, in order, and the minutes that there are."""

    key: str
    title: str
    why: str
    days: tuple[tuple[Stop, ...], ...]
    hours: float  # of each day, meals included
    starts: int = 9 * 60  # minutes after midnight


COFFEE, LUNCH = Pause("break", 15), Pause("lunch", 60)
PLANS = (
    Plan(
        "half-day",
        "Half a day",
        "One question and its two answers: the model that guesses, the search that finds the page, the training that was meant to teach it "
        "the facts. People leave with three numbers that they measured, and know which of the two books they would open.",
        (
            (
                Pause("welcome: the question, and a show of hands", 10),
                Lab("00"),
                COFFEE,
                Lab("02", ("Another shelf, and your own questions",)),
                COFFEE,
                Lab("08", ("What others found",)),
                Pause("the hands again, and why they moved", 15),
            ),
        ),
        4,
    ),
    Plan(
        "one-day",
        "One day",
        "The same arc with the two labs that most teams need: whose fault a wrong answer is, and what training does well. LoRA by hand is "
        "shown from the front, and its exercises are for the evening.",
        (
            (
                Pause("welcome: the question, and a show of hands", 10),
                Lab("00"),
                COFFEE,
                Lab("02", ("Another shelf, and your own questions",)),
                LUNCH,
                Lab("04", ("Another shelf",)),
                COFFEE,
                Lab("07", ("LoRA by hand",)),
                COFFEE,
                Lab("08", ("What others found",)),
                Pause("the hands again, and the decision page", 15),
            ),
        ),
        8,
    ),
    Plan(
        "two-days",
        "Two days",
        "Every lab of the first nine, whole. The open book on the first day, the closed book on the second.",
        (
            (
                Pause("welcome: the question, and a show of hands", 10),
                Lab("00"),
                COFFEE,
                Lab("01"),
                COFFEE,
                Lab("02"),
                LUNCH,
                Lab("03"),
                COFFEE,
                Lab("04"),
                Pause("what the open book can do so far", 10),
            ),
            (
                Pause("yesterday in five numbers", 10),
                Lab("05"),
                COFFEE,
                Lab("06"),
                LUNCH,
                Lab("07"),
                COFFEE,
                Lab("08"),
                Pause("the hands again, and the decision page", 20),
            ),
        ),
        8,
    ),
)


def kept(stop: Lab, times: LabTimes) -> list[Section]:
    """The sections of a lab that a plan keeps. Raises :class:`CourseError <course_lib.errors.CourseError>` for a section that the lab has not.

    >>> kept(Lab("02", ("B",)), LabTimes("02", "", "", (Section("A", 0, 5, ()), Section("B", 5, 7, ()))))
    [Section(title='A', begins=0, minutes=5, exercises=())]
    """
    if unknown := set(stop.without) - {one.title for one in times.sections}:
        raise CourseError(f"Lab {stop.number} has no section {sorted(unknown)[0]!r}.", "name the sections as the lab does.")
    return [one for one in times.sections if one.title not in stop.without]


def length(stop: Stop, times: Mapping[str, LabTimes]) -> int:
    """The minutes that a stop takes."""
    return stop.minutes if isinstance(stop, Pause) else sum(one.minutes for one in kept(stop, times[stop.number]))


def spare(plan: Plan, day: int, times: Mapping[str, LabTimes]) -> int:
    """The minutes of a day that the plan does not fill; negative where it is too long."""
    return round(plan.hours * 60) - sum(length(stop, times) for stop in plan.days[day])


def clock(minutes: int) -> str:
    """Minutes after midnight as people write them.

    >>> clock(9 * 60 + 5)
    '9:05'
    """
    return f"{minutes // 60}:{minutes % 60:02}"


def day_rows(plan: Plan, day: int, times: Mapping[str, LabTimes]) -> Iterator[list[str | int]]:
    """The rows of a day: when, what, minutes, exercises."""
    now = plan.starts
    for stop in plan.days[day]:
        minutes, done = length(stop, times), ""
        what = stop.what if isinstance(stop, Pause) else lab_link(times[stop.number])
        if isinstance(stop, Lab):
            done = " ".join(id for one in kept(stop, times[stop.number]) for id in one.exercises)
            what += "".join(f"; *{title}* is only run" for title in stop.without)
        yield [clock(now), what, minutes, done]
        now += minutes
    if left := spare(plan, day, times):
        yield [clock(now), "in reserve", left, ""]


def lab_link(lab: LabTimes) -> str:
    """A link to a lab's page from a page of the workshop."""
    return f"[{lab.title}](../labs/{LABS[lab.number]}.ipynb)"


def section_rows(plan: Plan, day: int, times: Mapping[str, LabTimes]) -> Iterator[list[str | int]]:
    """The same day, section by section of each lab."""
    now = plan.starts
    for stop in plan.days[day]:
        if isinstance(stop, Lab):
            at = now
            for one in kept(stop, times[stop.number]):
                yield [clock(at), stop.number, one.title, one.minutes, " ".join(one.exercises)]
                at += one.minutes
        now += length(stop, times)


def plan_page(plan: Plan, times: Mapping[str, LabTimes]) -> str:
    """A plan as a page of the book."""
    numbers = [stop.number for day in plan.days for stop in day if isinstance(stop, Lab)]
    each = " each day" if len(plan.days) > 1 else ""
    lines = [
        f"# {plan.title}",
        "",
        plan.why,
        "",
        f"{plan.hours:g} hours{each}, from {clock(plan.starts)} to {clock(plan.starts + round(plan.hours * 60))}; begin when you like.",
        "The minutes of a lab are those that the lab states; a plan that does not fit its hours fails the tests of the course.",
        "",
    ]
    for day in range(len(plan.days)):
        name = f"Day {day + 1}" if len(plan.days) > 1 else "The day"
        lines += [f"## {name}", "", *table(["from", "what", "minutes", "exercises"], list(day_rows(plan, day, times)), False)]
        lines += [f"### {name}, by section", ""]
        lines += table(["from", "lab", "section", "minutes", "exercises"], list(section_rows(plan, day, times)), False)
    lines += [
        "## Slides",
        "",
        *(slides_link(times[number]) for number in numbers),
        "",
        "What to say and what goes wrong is in the [facilitator's guide](index.md).",
        "",
    ]
    return "\n".join(lines)


def slides_link(lab: LabTimes) -> str:
    """An item of a list that leads to a lab's slides."""
    return f'- <a href="../slides/{LABS[lab.number]}.html">{lab.title}</a>'


def plans_table(times: Mapping[str, LabTimes]) -> str:
    """The plans side by side."""
    rows: list[list[str | int]] = []
    for plan in PLANS:
        labs = [stop for day in plan.days for stop in day if isinstance(stop, Lab)]
        work = sum(length(stop, times) for stop in labs)
        left = sum(spare(plan, day, times) for day in range(len(plan.days)))
        rows.append([f"[{plan.title}]({plan.key}.md)", " ".join(stop.number for stop in labs), work, left])
    return "\n".join(table(["plan", "labs", "minutes in labs", "minutes in reserve"], rows))


def speeds_table(times: Mapping[str, LabTimes]) -> str:
    """For each lab: its minutes, those of its exercises, those of somebody who needs twice as long for these, and what to leave out first.

    It is arithmetic on what the labs state.
    """
    rows: list[list[str | int]] = []
    for number, lab in times.items():
        exercises = exercises_of(number)
        work, hard = sum(one.minutes for one in exercises), [one for one in exercises if one.difficulty == HARD]
        first = ", ".join(f"{one.id} ({one.minutes})" for one in hard) or "–"
        rows.append([lab_link(lab), lab.minutes, work, lab.minutes + work, first])
    head = ["lab", "minutes", "of which exercises", "at half speed in the exercises", "leave out first (minutes)"]
    return "\n".join(table(head, rows))


def machine_table(times: Mapping[str, LabTimes]) -> str:
    """For each lab how long its cells run, as it states."""
    return "\n".join(table(["lab", "all its cells run"], [[lab_link(lab), lab.runs] for lab in times.values()], False))
