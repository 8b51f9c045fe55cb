"""The instructor's commands: ``course release``, ``course grade``, ``course regrade``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import CourseError

Book = Annotated[Path, typer.Option("--out", help="The gradebook to write; the rest goes to a folder of that name beside it.")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Workers on this machine.")]
Sandbox = Annotated[str, typer.Option(help="auto, bwrap or none.")]
Required = Annotated[bool, typer.Option("--require-sandbox", help="Refuse to grade without bubblewrap.")]


def _say(*parts: str) -> None:
    from .cli import say

    say(*parts)


def _progress(done: int, total: int, left: float) -> None:
    if done == total or done == 1 or done % max(1, total // 20) == 0:
        minutes, seconds = divmod(round(left), 60)
        _say(f"{done} of {total} graded" + (f", about {minutes} min {seconds:02} s left" if done < total else ""))


def _lab(number: str | None) -> str:
    from .exercises.registry import LABS, exercises_of

    if not number:
        return ""
    found = number.strip()[:2].zfill(2) if number.strip()[:2].isdecimal() else number.strip().zfill(2)
    if found not in LABS:
        raise CourseError(f"There is no lab {number!r}.", f"choose one of {', '.join(LABS)}.")
    exercises_of(found)
    return found


def _show(book: Path, rows: list[dict[str, Any]]) -> None:
    from collections import Counter

    from .grading.reports import folder_of, suspicions

    states = Counter(row["state"] for row in rows)
    _say(f"{len(rows)} submissions: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())) + ".")
    level = rows[0]["isolation"] if rows else "none"
    _say(
        f"Isolation: {level}"
        + ("" if level != "none" else " (not protected: learner code could read files and use the network)")
        + "."
    )
    if suspicious := sum(bool(suspicions(row)) for row in rows):
        _say(f"{suspicious} look like tampering: see {folder_of(book) / 'integrity.html'}")
    _say(f"Gradebook: {book}. Feedback, summary, JUnit: {folder_of(book)}")


def grade(
    submissions: Annotated[Path, typer.Argument(help="A folder of notebooks, of zips, or with one folder per learner.")],
    out: Book = Path("gradebook.csv"),
    lab: Annotated[str | None, typer.Option(help="Grade this lab only.", show_default="each notebook's own")] = None,
    release: Annotated[
        Path | None, typer.Option(help="The release.json of what you handed out: grade its exercises only.")
    ] = None,
    jobs: Jobs = 1,
    sandbox: Sandbox = "auto",
    require_sandbox: Required = False,
    seed: Annotated[int | None, typer.Option(min=0, help="For the hidden cases.", show_default="drawn once")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for a cell.")] = 10.0,
) -> None:
    """Grade a class: run each learner's exercise cells in a sandbox under nbval, judge outside, write a gradebook."""
    from .grading.grade import Options, grade_folder
    from .grading.release import exercises_of_release
    from .grading.reports import folder_of, write_reports
    from .grading.sandbox import Limits

    only = exercises_of_release(release) if release else ()
    options = Options(
        lab=_lab(lab), only=only, jobs=jobs, sandbox=sandbox, require_sandbox=require_sandbox, seed=-1 if seed is None else seed, resume=resume,
        limits=Limits(cell=timeout, wall=timeout * 2),
    )  # fmt: skip
    _, rows = grade_folder(submissions, folder_of(out), options, _progress)
    _show(out, write_reports(out, rows))


def regrade(
    gradebook: Annotated[Path, typer.Argument(help="A gradebook that `course grade` wrote.")],
    submissions: Annotated[
        Path | None, typer.Argument(help="Grade these again; without it, only the reports are written.")
    ] = None,
    override: Annotated[
        list[str] | None, typer.Option(help='Points by hand, with the reason: "anna 01.2 2 accepted by mail".')
    ] = None,
    jobs: Jobs = 1,
    sandbox: Sandbox = "auto",
    require_sandbox: Required = False,
) -> None:
    """Set points by hand, or grade again with the same hidden cases; points set by hand stay."""
    from .grading.grade import Options, grade_folder
    from .grading.reports import add_override, folder_of, kept_rows, write_reports
    from .grading.sandbox import Limits

    run, rows = kept_rows(gradebook)
    if submissions is not None:
        options = Options(
            lab=run["lab"], only=tuple(run["only"]), jobs=jobs, sandbox=sandbox, require_sandbox=require_sandbox, seed=run["seed"],
            limits=Limits(cell=run["cell"], wall=run["cell"] * 2),
        )  # fmt: skip
        _, rows = grade_folder(submissions, folder_of(gradebook), options, _progress)
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
    _show(gradebook, write_reports(gradebook, rows))


def release(
    labs: Annotated[list[str], typer.Argument(help="The labs to hand out.", metavar="LAB...")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write them to.")],
    exercise: Annotated[list[str] | None, typer.Option(help="Only these exercises, such as 01.2.")] = None,
    due: Annotated[str, typer.Option(help="When it is due: 2027-03-31 or 2027-03-31T18:00.")] = "",
) -> None:
    """Write the labs that you hand out, with markers, points, the date and a version stamp."""
    from .grading.release import release as make

    note = make(labs, out, exercise or [], due)
    _say(
        f"Release {note['version']}: {', '.join(note['labs'])}, {note['total']} points"
        + (f", due {note['due']}" if note["due"] else "")
    )
    _say(f"It is in {os.fspath(out)}.")


COMMANDS: list[Callable[..., None]] = [release, grade, regrade]
