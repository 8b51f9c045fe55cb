"""The command line: ``course lab``, ``doctor``, ``check``, ``progress``, ``solution``, ``reset``, ``db``, ``prepare``, ``build``, ``book``;
those for documents of one's own are in :mod:`.cli_folders`, the instructor's in :mod:`.cli_grading`, those of a workshop in
:mod:`.cli_workshop`.

Commands import what they need when they run, so that ``course --help`` answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from . import cli_folders, cli_grading, cli_workshop
from .errors import CourseError
from .terminal import console, lively, say

if TYPE_CHECKING:
    from .models import ModelSource

STOPPED = "Stopped. Nothing is lost; the same command goes on from here."
COLOURS = {"OK": "green", "NOTE": "yellow", "FIX": "bold red", "passed": "green", "failed": "red", "not attempted": "dim"}


# --- talking --------------------------------------------------------------------------------------------------------


def show_table(title: str, rows: Sequence[tuple[str, str, str, int, int]]) -> None:
    """Exercises as a table on a terminal, as aligned lines elsewhere. Rows are those of :func:`exercises.cards.progress_rows`."""
    terminal = console()
    if not lively(terminal):
        say(title)
        for id, name, state, earned, points in rows:
            say(f"  {id}  {state:<13}  {earned} of {points} points  {name}")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("exercise", "title", "state", "points", title=title, title_justify="left", title_style="bold")
    for id, name, state, earned, points in rows:
        table.add_row(id, Text(name), Text(state, COLOURS.get(state, "")), f"{earned} of {points}")
    terminal.print(table)


# --- what can go wrong ----------------------------------------------------------------------------------------------


class _Course(typer.core.TyperGroup):
    """Every command ends in one of the ways that the course promises: no traceback unless asked for."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CourseError as error:
            say("Error:", error.what, style="bold red", stderr=True)
            say("What to do:", error.todo, style="bold", stderr=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            say(STOPPED, stderr=True)
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if hasattr(error, "exit_code") or getattr(error, "errno", None) == errno.EPIPE:
                raise  # a usage error, or a reader such as head that has seen enough: typer knows what to do
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                say("Error:", "There is no room left on the disk.", style="bold red", stderr=True)
                say("What to do:", "make some and run this again; course grade goes on with --resume.", style="bold", stderr=True)
                raise typer.Exit(1) from None
            if os.environ.get("COURSE_DEBUG") == "1":
                import traceback

                traceback.print_exc()
            says = str(error).strip().splitlines()
            text = f"{type(error).__name__}{': ' + says[0] if says else ''}."
            say("Unexpected:", text, "Run: course doctor (or this again with --debug)", style="bold red", stderr=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Course,
    name="course",
    help="Open Book, Closed Book: RAG and fine-tuning, measured on your own laptop. Begin with: course lab",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Folder = Annotated[
    Path | None, typer.Option(help="The folder of your copies of the labs.", show_default="~/open-book-closed-book")
]
Lab = Annotated[str, typer.Argument(help="A lab: 1, 01 or 01_chunk_and_embed.", metavar="NN")]


@app.callback()
def _options(debug: Annotated[bool, typer.Option("--debug", help="Show where an unexpected error comes from.")] = False) -> None:
    if debug:
        os.environ["COURSE_DEBUG"] = "1"


def main() -> None:
    """The entry point; ``--debug`` may stand anywhere."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an old Windows terminal has no ✓
    arguments = sys.argv[1:]
    if "--debug" in arguments:
        arguments = ["--debug", *(one for one in arguments if one != "--debug")]
    try:
        app(args=arguments, prog_name="course")
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        sys.exit(130)


# --- models ---------------------------------------------------------------------------------------------------------

# Where each stage of `models.prepare` lies on one bar, so that it never runs backwards.
STAGES = {
    "waiting for another window to finish": (0.0, 0.0),
    "downloading": (0.0, 0.6),
    "unpacking": (0.6, 0.65),
    "converting": (0.65, 0.9),
    "saving": (0.9, 0.97),
    "checking": (0.97, 1.0),
    "ready": (1.0, 1.0),
}


@contextmanager
def _reporting(source: ModelSource) -> Iterator[Callable[[str, float], None]]:
    """Show how the preparation of a model goes on: a bar on a terminal, a line per stage elsewhere."""
    terminal, named = console(), f"{source.key} {source.name}"
    if not lively(terminal):
        seen: list[str] = []

        def line(stage: str, done: float) -> None:
            if stage not in seen:
                seen.append(stage)
                say(f"{named}: {stage}")

        yield line
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.fields[stage]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=terminal) as progress:
        task = progress.add_task(named, total=1.0, stage="")

        def bar(stage: str, done: float) -> None:
            start, end = STAGES.get(stage, (0.0, 0.0))
            progress.update(task, completed=start + (end - start) * done, stage=stage)

        yield bar


def prepare_models(thorough: bool = False) -> None:
    """Make both models ready, or those of them that are not replaced by others. Raises :class:`CourseError`.

    ``thorough`` hashes every file first, and so finds damage that left a file's size and date as they were.
    """
    from . import models
    from .places import cache_folder

    for source, variable in ((models.LANGUAGE_MODEL, "COURSE_LM"), (models.EMBEDDER, "COURSE_EMBEDDER")):
        if other := os.environ.get(variable):
            say(f"{source.key}: {other}, as {variable} says")
            continue
        try:
            if thorough and models.problem_with(source) is None and (problem := models.problem_with(source, thorough=True)):
                say(f"{source.key} {source.name}: {problem}; it is made anew")
                (source.folder / "manifest.json").unlink()
            if models.problem_with(source) is None:
                say(f"{source.key} {source.name}: ready")
                continue
            with _reporting(source) as report:
                models.prepare(source, report)
        except OSError as error:
            cache = cache_folder()
            raise CourseError(
                f"The {source.key} could not be kept in {cache} ({error}).", "set COURSE_CACHE to another folder."
            ) from error


@app.command()
def prepare() -> None:
    """Fetch and check the two models (once; about 180 MB), so that everything after it works without a network."""
    prepare_models(thorough=True)


# --- labs -----------------------------------------------------------------------------------------------------------


@app.command()
def lab(
    number: Lab = "00",
    folder: Folder = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="JupyterLab's port.", show_default="the first free one from 8888")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
) -> None:
    """Open a lab in JupyterLab: prepares what is missing, copies the labs, starts. Ctrl-C stops it."""
    from . import jupyter, workspace

    found, where = workspace.find_lab(number), workspace.workspace_folder(folder)
    chosen = jupyter.choose_port(port)
    prepare_models()
    for sentence in workspace.update(where):
        say(sentence)
    if port is None:
        chosen = jupyter.free_port()  # preparing may have taken minutes
    say(f"JupyterLab starts on port {chosen} with {found.name}. Your work is in {where}. To stop: Ctrl-C here.")
    jupyter.serve(where, found.name, chosen, browser)
    again = f"course lab {found.stem[:2]}" + (f" --folder {folder}" if folder else "")
    say(f"Stopped. Your work is in {where}. To come back: {again}")


@app.command()
def reset(
    number: Lab, folder: Folder = None, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Put a lab back as it came. Your version is kept in backups/."""
    from . import workspace

    found, where = workspace.find_lab(number), workspace.workspace_folder(folder)
    if not yes and (where / found.name).exists():
        if not _somebody_is_here():
            raise CourseError(f"This puts {found.name} in {where} back as it came, and nobody is here to ask.", "add --yes.")
        if not typer.confirm(f"Put {found.name} back as it came? Your version is kept in {where / 'backups'}."):
            say("Nothing was changed.")
            return
    kept = workspace.reset(where, found)
    say(f"{where / found.name} is as it came." + (f" Your version is now {kept}" if kept else ""))


def _somebody_is_here() -> bool:
    return bool(sys.stdin and sys.stdin.isatty())


@app.command()
def solution(number: Lab, folder: Folder = None) -> None:
    """Copy a lab's solution to solutions/ in your working copy, and say where it is."""
    from . import workspace

    target, kept = workspace.copy_solution(workspace.workspace_folder(folder), workspace.find_lab(number))
    if kept:
        say(f"The copy that you had changed is now {kept}")
    say(str(target))


# --- exercises ------------------------------------------------------------------------------------------------------


@app.command()
def progress(
    page: Annotated[bool, typer.Option("--page", help="As a page, progress.html beside your labs.")] = False,
    folder: Folder = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
) -> None:
    """Show what you have passed so far."""
    from .exercises.cards import progress_rows

    rows = progress_rows()
    if page:
        from .exercises.pages import progress_page
        from .workspace import workspace_folder

        cli_workshop.write_page(workspace_folder(folder) / "progress.html", progress_page(rows), browser)
        return
    for number in sorted({row[0].split(".")[0] for row in rows}):
        mine = [row for row in rows if row[0].split(".")[0] == number]
        show_table(f"Lab {number}: {_points(mine)}", mine)
    say(f"In all: {_points(rows)}")


def _points(rows: Sequence[tuple[str, str, str, int, int]]) -> str:
    return f"{sum(row[3] for row in rows)} of {sum(row[4] for row in rows)} points"


@app.command()
def check(
    number: Annotated[str | None, typer.Argument(help="A lab; without it, all.", metavar="[NN]")] = None,
    folder: Folder = None,
    timeout: Annotated[int, typer.Option(min=1, help="Seconds for a lab.")] = 600,
) -> None:
    """Run your notebook from top to bottom without a window and show which exercises pass. Your file is only read."""
    from . import workspace

    where = workspace.workspace_folder(folder)
    wanted = [workspace.find_lab(number)] if number is not None else list(workspace.shipped_labs().values())
    mine = [where / path.name for path in wanted if (where / path.name).exists()]
    if not mine:
        missing = "There are no labs" if number is None else f"There is no {wanted[0].name}"
        puts = f"course lab {wanted[0].stem[:2]} puts it there" if number is not None else "course lab 00 puts them there"
        raise CourseError(f"{missing} of yours in {where}.", f"{puts}; --folder names another folder.")
    fine = [_check_lab(path, where, timeout) for path in mine]
    raise typer.Exit(0 if all(fine) else 1)


def _check_lab(notebook: Path, where: Path, timeout: int) -> bool:
    """Check one lab and show what came of it; return whether every exercise passed."""
    import tempfile

    from .exercises.judge import NOT_ATTEMPTED, PASSED
    from .exercises.registry import LABS, exercises_of
    from .jupyter import read_notebook, run_notebook

    read_notebook(notebook)  # complain about the learner's file, not about the copy
    number = notebook.stem[:2]
    with tempfile.TemporaryDirectory(prefix="course-check-", ignore_cleanup_errors=True) as scratch:
        copy, results = Path(scratch) / notebook.name, Path(scratch) / "results.jsonl"
        copy.write_bytes(notebook.read_bytes())
        environment = os.environ | {"COURSE_STRICT": "0", "COURSE_RESULTS": str(results)}
        with _cells(notebook.name) as on_cell:
            run = run_notebook(copy, where, environment, timeout, on_cell)
        outcomes = _read_results(results)
    rows, messages, silent = [], [], []
    for exercise in exercises_of(number) if number in LABS else []:
        state, message = outcomes.get(exercise.id, (NOT_ATTEMPTED, ""))
        rows.append((exercise.id, exercise.title, state, exercise.points if state == PASSED else 0, exercise.points))
        if state != PASSED and message:
            messages.append(message)
        elif state != PASSED:
            silent.append(exercise.id)
    show_table(f"{notebook.name}: {_points(rows)}", rows)
    if silent:
        messages.append(f"No check ran for {', '.join(silent)}.")
    for message in [*messages, *run.raised, *([run.stopped] if run.stopped else [])]:
        for line in message.splitlines():
            say("  " + line)
    return not messages and run.stopped is None


@contextmanager
def _cells(name: str) -> Iterator[Callable[[int, int], None]]:
    """Say which cell runs: in place on a terminal, in one line elsewhere."""
    terminal = console()
    if not lively(terminal):
        say(f"{name}: running …")
        yield lambda number, total: None
        return
    with terminal.status(f"{name}: starting …") as status:
        yield lambda number, total: status.update(f"{name}: cell {number} of {total} …")


def _read_results(path: Path) -> dict[str, tuple[str, str]]:
    """State and message by exercise, as ``check`` noted them; the last attempt counts."""
    import json

    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
            found[str(row["id"])] = (str(row["state"]), str(row["message"]))
        except (ValueError, KeyError, TypeError):
            continue  # a kernel that died while writing
    return found


# --- the database ---------------------------------------------------------------------------------------------------

db = typer.Typer(
    help="The embedded PostgreSQL of lab 05: start, stop, status.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_folders.adapters, name="adapter")
app.add_typer(db, name="db")


@db.command()
def start() -> None:
    """Start the database and leave it running; show how to connect to it. If it runs already, this changes nothing."""
    from . import database

    database.start(say)


@db.command()
def stop() -> None:
    """Stop the database. Its data stays. If it does not run, this changes nothing."""
    from . import database

    database.stop(say)


@db.command()
def status() -> None:
    """Show whether the database runs, its version, folder and size, and its tables. Exit code: 0 if it runs, 3 if not."""
    from . import database

    raise typer.Exit(0 if database.status(say) else 3)


# --- the book -------------------------------------------------------------------------------------------------------

book = typer.Typer(
    help="The Jupyter Book: build, open, check, print. For authors, in a clone of the course.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(book, name="book")


@book.command("build")
def book_build() -> None:
    """Make the pages from the executed solutions. Warnings count as errors."""
    from .book.build import build as build_book

    say(f"The book begins at {build_book(say)}")


@book.command("open")
def book_open() -> None:
    """Open the book in your browser; build it first where it is not there."""
    import webbrowser

    from .book.build import book_folder, html_folder
    from .book.build import build as build_book

    first = html_folder(book_folder()) / "index.html"
    if not first.exists():
        build_book(say)
    if not webbrowser.open(first.as_uri()):
        raise CourseError("No browser could be opened.", f"open this file in one: {first}")
    say(str(first))


@book.command("check")
def book_check() -> None:
    """Look over the built pages: links, pictures, and in Chromium every request and the rules of axe-core."""
    from .book.browser import visit_all
    from .book.build import AXE, book_folder, built
    from .book.check import check_pages

    html = built()
    problems = check_pages(html, book_folder() / "_build" / "source")
    for dark in (False, True):
        for one in visit_all(html, (book_folder() / AXE).read_text(encoding="utf-8"), dark):
            problems += [f"{one.page} ({one.how}): {what}" for what in (*one.outside, *one.errors, *one.violations)]
    for problem in problems:
        say(problem)
    say(f"{len(problems)} faults." if problems else "No fault found.")
    raise typer.Exit(1 if problems else 0)


@book.command("pdf")
def book_pdf(target: Annotated[Path, typer.Argument(help="The file to write.")] = Path("open-book-closed-book.pdf")) -> None:
    """Print the built book into one PDF, with Chromium."""
    from .book.browser import pdf
    from .book.build import book_folder, built
    from .book.check import expected_pages

    pages = pdf(built(), target, expected_pages(book_folder() / "_build" / "source"))
    say(f"{pages} pages in {target.resolve()}")


@book.command("slides")
def book_slides(folder: Annotated[Path, typer.Argument(help="The folder to write into.")] = Path("slides")) -> None:
    """Make slides for a room from the executed solutions, one deck for each lab. They need a browser and nothing else."""
    from .book.build import book_folder
    from .book.slides import write

    for page in write(book_folder(), folder):
        say(str(page.resolve()))


@book.command("results")
def book_results() -> None:
    """Print the page of measured results, computed from the result files that ship with the course."""
    from .book.results import page

    print(page(), end="")


# --- the rest -------------------------------------------------------------------------------------------------------


@app.command()
def doctor(folder: Folder = None) -> None:
    """Look at this machine, one line per check: OK, NOTE, or FIX and what to do."""
    from .doctor import FIX, diagnose
    from .workspace import workspace_folder

    broken = 0
    for finding in diagnose(workspace_folder(folder)):
        say(f"{finding.state:<4}", finding.text, style=COLOURS[finding.state])
        broken += finding.state == FIX
    if broken:
        say(f"{broken} {'thing needs' if broken == 1 else 'things need'} fixing.")
        raise typer.Exit(1)
    say("Ready.")


@app.command()
def version() -> None:
    """Show the version of the course, and of Python."""
    from . import __version__

    say(f"open-book-closed-book {__version__}, Python {sys.version.split()[0]}")


@app.command()
def build(
    labs: Annotated[list[str] | None, typer.Argument(help="Labs; without them, all.", metavar="[NN]...")] = None,
    run: Annotated[bool, typer.Option("--run/--no-run", help="Execute the solutions.")] = True,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; say what differs.")] = False,
) -> None:
    """For authors: make solutions and labs from their sources."""
    from .notebooks.build import main as build_main

    raise typer.Exit(build_main(list(labs or []), run, check))


for _command in (*cli_folders.COMMANDS, *cli_grading.COMMANDS):
    app.command()(_command)
for _name, _command in cli_workshop.COMMANDS.items():
    app.command(_name)(_command)


if __name__ == "__main__":
    main()
