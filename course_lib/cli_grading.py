"""The instructor's commands: ``course release``, ``course grade``, ``course regrade``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import CourseError
from .terminal import say

if TYPE_CHECKING:
    from .grading.late import Lateness

Book = Annotated[Path, typer.Option("--out", help="The gradebook to write; the rest goes to a folder of that name beside it.")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Workers on this machine.")]
Scheduler = Annotated[
    str, typer.Option(help="The address of a Dask scheduler: grade on its workers instead.", show_default="none")
]
Sandbox = Annotated[str, typer.Option(help="auto, bwrap or none.")]
Required = Annotated[bool, typer.Option("--require-sandbox", help="Refuse to grade without bubblewrap.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")]
Release = Annotated[
    Path | None, typer.Option(help="The release.json of what you handed out: grade its exercises only, by its due date.")
]
Late = Annotated[
    str | None, typer.Option(help='What late work loses: "10%/day up to 3 days", "5%/hour at most 50%", "not accepted".')
]
Due = Annotated[str | None, typer.Option(help="When it was due: 2027-03-31 or 2027-03-31T18:00.", show_default="the release's")]
Extensions = Annotated[Path | None, typer.Option(help="A CSV of later due dates: learner,due and, if need be, lab.")]
Times = Annotated[
    Path | None,
    typer.Option(
        help="A CSV of when work came in: learner,submitted and, if need be, lab or file.", show_default="the files' own times"
    ),
]
Lms = Annotated[str, typer.Option(help="Also write the points for canvas, moodle or plain.", show_default="none")]
RosterFile = Annotated[Path | None, typer.Option("--roster", help="With --lms: the CSV of people that the platform exported.")]


def _progress(done: int, total: int, left: float) -> None:
    if done == total or done == 1 or done % max(1, total // 20) == 0:
        minutes, seconds = divmod(round(left), 60)
        say(f"{done} of {total} graded" + (f", about {minutes} min {seconds:02} s left" if done < total else ""))


def _lab(number: str | None) -> str:
    from .exercises.registry import LABS, exercises_of

    if not number:
        return ""
    found = number.strip()[:2].zfill(2) if number.strip()[:2].isdecimal() else number.strip().zfill(2)
    if found not in LABS:
        raise CourseError(f"There is no lab {number!r}.", f"choose one of {', '.join(LABS)}.")
    exercises_of(found)
    return found


def _finish(book: Path, results: list[dict[str, Any]], lateness: Lateness, lms: str, roster: Path | None) -> None:
    """Write all reports, and say what there is to say."""
    from .grading.late import unknown_learners
    from .grading.reports import write_reports

    rows = write_reports(book, results)
    if strangers := unknown_learners(lateness, rows):
        say(f"Nothing arrived from {', '.join(strangers)}: are the names in your tables those of the gradebook?")
    _show(book, rows)
    if lms:
        _export(book, rows, lms, roster)


def _export(book: Path, rows: list[dict[str, Any]], lms: str, roster: Path | None) -> None:
    from .grading.lms import export, read_roster
    from .grading.reports import folder_of
    from .workspace import atomic_write

    text, unknown = export(rows, lms, read_roster(roster, lms) if roster else None)
    path = folder_of(book) / f"{lms}.csv"
    atomic_write(path, text.encode("utf-8", "replace"))
    say(f"For {lms}: {path}")
    if unknown:
        say(f"Not in it, since the roster has nobody or several of that name: {', '.join(unknown)}")


def _check_export(lms: str, roster: Path | None) -> None:
    """Before anything is graded: whether the export can be written. Raises :class:`CourseError`."""
    from .grading.lms import WHO, read_roster

    if (roster and not lms) or (lms and lms not in WHO):
        raise CourseError(f"--lms {lms or '(nothing)'} is no platform.", f"choose one of {', '.join(WHO)}.")
    if roster:
        read_roster(roster, lms)


def _show(book: Path, rows: list[dict[str, Any]]) -> None:
    from collections import Counter

    from .grading.reports import folder_of, suspicions

    states = Counter(row["state"] for row in rows)
    say(f"{len(rows)} submissions: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())) + ".")
    level = rows[0]["isolation"] if rows else "none"
    say(
        f"Isolation: {level}"
        + ("" if level != "none" else " (not protected: learner code could read files and use the network)")
        + "."
    )
    if late := sum(row["late"] > 0 for row in rows):
        say(f"{late} came late; {sum(row['penalty'] > 0 for row in rows)} of these lost points.")
    if suspicious := sum(bool(suspicions(row)) for row in rows):
        say(f"{suspicious} look like tampering: see {folder_of(book) / 'integrity.html'}")
    say(f"Gradebook: {book}. Feedback, summary, JUnit: {folder_of(book)}")


def grade(
    submissions: Annotated[Path, typer.Argument(help="A folder of notebooks, of zips, or with one folder per learner.")],
    out: Book = Path("gradebook.csv"),
    lab: Annotated[str | None, typer.Option(help="Grade this lab only.", show_default="each notebook's own")] = None,
    release: Release = None,
    late: Late = None,
    due: Due = None,
    extensions: Extensions = None,
    times: Times = None,
    lms: Lms = "",
    roster: RosterFile = None,
    jobs: Jobs = 1,
    scheduler: Scheduler = "",
    sandbox: Sandbox = "auto",
    require_sandbox: Required = False,
    seed: Annotated[int | None, typer.Option(min=0, help="For the hidden cases.", show_default="drawn once")] = None,
    resume: Resume = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for a cell.")] = 10.0,
) -> None:
    """Grade a class: run each learner's exercise cells in a sandbox under nbval, judge outside, write a gradebook."""
    from .grading.grade import Options, grade_all
    from .grading.intake import submissions as found_in
    from .grading.late import Lateness, keep_lateness, read_lateness
    from .grading.release import due_of_release, exercises_of_release
    from .grading.reports import folder_of
    from .grading.sandbox import Limits

    only = exercises_of_release(release) if release else ()
    dates = {"": due} if due is not None else due_of_release(release) if release else None
    before = read_lateness(folder_of(out)) if resume else Lateness()
    lateness = before.with_these(late, dates, extensions, times)
    _check_export(lms, roster)
    options = Options(
        lab=_lab(lab), only=only, jobs=jobs, sandbox=sandbox, require_sandbox=require_sandbox, seed=-1 if seed is None else seed, resume=resume,
        limits=Limits(cell=timeout, wall=timeout * 2), scheduler=scheduler,
    )  # fmt: skip
    arrived = found_in(submissions)
    keep_lateness(folder_of(out), lateness)
    _, rows = grade_all(arrived, folder_of(out), options, _progress)
    _finish(out, rows, lateness, lms, roster)


def regrade(
    gradebook: Annotated[Path, typer.Argument(help="A gradebook that `course grade` wrote.")],
    submissions: Annotated[
        Path | None, typer.Argument(help="Grade these again; without it, only the reports are written.")
    ] = None,
    override: Annotated[
        list[str] | None, typer.Option(help='Points by hand, with the reason: "anna 01.2 2 accepted by mail".')
    ] = None,
    late: Late = None,
    due: Due = None,
    extensions: Extensions = None,
    times: Times = None,
    lms: Lms = "",
    roster: RosterFile = None,
    jobs: Jobs = 1,
    scheduler: Scheduler = "",
    sandbox: Sandbox = "auto",
    require_sandbox: Required = False,
    resume: Resume = False,
) -> None:
    """Set points by hand, change what late work loses, or grade again with the same hidden cases; points set by hand stay."""
    from .grading.grade import Options, grade_all
    from .grading.intake import submissions as found_in
    from .grading.late import keep_lateness, read_lateness
    from .grading.reports import add_override, folder_of, kept_rows
    from .grading.sandbox import Limits

    run, rows = kept_rows(gradebook)
    lateness = read_lateness(folder_of(gradebook)).with_these(late, {"": due} if due is not None else None, extensions, times)
    _check_export(lms, roster)
    arrived = found_in(submissions) if submissions is not None else []
    keep_lateness(folder_of(gradebook), lateness)
    if arrived:
        options = Options(
            lab=run["lab"], only=tuple(run["only"]), jobs=jobs, sandbox=sandbox, require_sandbox=require_sandbox, seed=run["seed"],
            resume=resume, limits=Limits(cell=run["cell"], wall=run["cell"] * 2), scheduler=scheduler,
            seen={row["key"]: row["changed"] for row in rows},
        )  # fmt: skip
        _, rows = grade_all(arrived, folder_of(gradebook), options, _progress)
    for text in override or []:
        words = text.split()
        try:
            place = next(
                at for at, word in enumerate(words) if at and word[:2].isdecimal() and word[2:3] == "." and at + 1 < len(words)
            )
            learner, exercise, points, why = (
                " ".join(words[:place]),
                words[place],
                float(words[place + 1]),
                " ".join(words[place + 2 :]),
            )
        except (StopIteration, ValueError):
            raise CourseError(
                f"{text!r} is no override.", 'write learner, exercise, points, reason: "anna 01.2 2 by mail".'
            ) from None
        add_override(folder_of(gradebook), learner, exercise, points, why, rows)
    _finish(gradebook, rows, lateness, lms, roster)


def release(
    labs: Annotated[list[str], typer.Argument(help="The labs to hand out.", metavar="LAB...")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write them to.")],
    exercise: Annotated[list[str] | None, typer.Option(help="Only these exercises, such as 01.2.")] = None,
    due: Annotated[str, typer.Option(help="When it is due: 2027-03-31 (to its end) or 2027-03-31T18:00.")] = "",
) -> None:
    """Write the labs that you hand out, with markers, points, the date and a version stamp."""
    from .grading.release import release as make

    note = make(labs, out, exercise or [], due)
    say(
        f"Release {note['version']}: {', '.join(note['labs'])}, {note['total']} points"
        + (f", due {note['due']}" if note["due"] else "")
    )
    say(f"It is in {os.fspath(out)}.")


COMMANDS: list[Callable[..., None]] = [release, grade, regrade]
