"""The commands of a workshop and of whoever learns alone: ``course room``, ``join``, ``leave``, ``start-at``, ``certificate``."""

from __future__ import annotations

import datetime
import os
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from .errors import CourseError
from .terminal import say

Folder = Annotated[
    Path | None, typer.Option(help="The folder of your copies of the labs.", show_default="~/open-book-closed-book")
]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")]


# --- a room ---------------------------------------------------------------------------------------------------------


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No second room writes the same file meanwhile."""
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"), timeout=0)
        lock.acquire()
    except Timeout as error:
        raise CourseError("A room is open on this machine already.", "stop it with Ctrl-C in its terminal first.") from error
    except OSError as error:
        raise CourseError(f"The room cannot be kept in {path} ({error}).", "set COURSE_DATA to another folder.") from error
    try:
        yield
    finally:
        lock.release()


def room(
    listen: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 lets the machines of the local network in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port.")] = 8787,
    seats: Annotated[int, typer.Option(min=1, max=200, help="The highest seat number.")] = 60,
    new: Annotated[bool, typer.Option("--new", help="Begin a new room with a new code; the old one is kept beside it.")] = False,
    browser: Browser = True,
) -> None:
    """For facilitators: a page that shows, live, which exercise each seat has passed. Ctrl-C stops it; the same command goes on."""
    from .room.server import RoomServer
    from .room.state import Room, room_file

    path = room_file()
    with _alone(path):
        if new and path.exists():
            kept = path.with_name(f"room-{datetime.datetime.now():%Y%m%d-%H%M%S}.json")
            os.replace(path, kept)
            say(f"The room before is now {kept}")
        held = Room(path, seats)
        if held.told:
            say(held.told)
        server = RoomServer(held, listen, port)
        try:
            shown = held.snapshot()
            host = "127.0.0.1" if listen in ("0.0.0.0", "::") else f"[{listen}]" if ":" in listen else listen
            page = f"http://{host}:{server.server_port}/"
            say(f"The room's page, on this machine only: {page}  ({len(shown['seats'])} seats so far)")
            for address in server.reached_at():
                say(f"Seats join with: course join {address} {shown['code']} SEAT")
            if listen.startswith("127.") or listen == "::1":
                say("Only this machine can join. For the machines of the local network: course room --listen 0.0.0.0")
            if browser:  # a browser in the terminal would keep the room waiting
                threading.Thread(target=webbrowser.open, args=[page], daemon=True).start()
            server.serve_forever()
        finally:
            server.server_close()


def join(
    address: Annotated[str | None, typer.Argument(help="The address on the facilitator's page.")] = None,
    code: Annotated[str | None, typer.Argument(help="The code on the facilitator's page.")] = None,
    seat: Annotated[int | None, typer.Argument(help="The number of your seat.")] = None,
) -> None:
    """Take a seat in a room: its page then shows which exercises you have passed. Without arguments: which seat you have."""
    from .exercises import seat as seats

    if address is None or code is None or seat is None:
        if address is not None:
            raise CourseError("An address, a code and a seat are needed.", "copy the line of the facilitator's page.")
        mine = seats.read_seat()
        if mine is None:
            say("You have no seat. Nothing is sent.")
            return
        say(f"You have seat {mine.seat} in the room at {mine.host}:{mine.port}. To give it back: course leave")
    else:
        mine = seats.join(address, code, seat)
        say(f"You have seat {mine.seat}. After each check the room is told: the exercise, passed or not, how many tries.")
        say("Never your code or your name. To stop that: course leave")
    try:
        problem = seats.tell_now()
    except OSError as error:
        problem = f"it does not answer at the moment ({error}); that changes nothing for your work"
    say(f"The room could not be told: {problem}" if problem else "The room has your progress.")


def leave() -> None:
    """Give up your seat: nothing is sent any more. Your progress stays yours."""
    from .exercises import seat as seats

    say("Nothing is sent any more." if seats.leave() else "You had no seat; nothing was sent.")


# --- in the middle --------------------------------------------------------------------------------------------------


def start_at(
    number: Annotated[str, typer.Argument(help="A lab: 7, 07 or 07_lora_on_cpu.", metavar="NN")],
    folder: Folder = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="JupyterLab's port.", show_default="the first free one from 8888")
    ] = None,
    browser: Browser = True,
    opens: Annotated[bool, typer.Option("--open/--no-open", help="Open the lab after the look.")] = True,
) -> None:
    """Enter the course at any lab: checks by hash that what it needs is there, then opens it. What you passed stays passed."""
    from . import cli, workspace
    from .artefacts import check_artefacts
    from .exercises.cards import progress_rows

    found, where = workspace.find_lab(number), workspace.workspace_folder(folder)
    sound, wrong = check_artefacts(found)
    for name in sound:
        say("OK  ", f"{name}: its hash is right", style=cli.COLOURS["OK"])
    for error in wrong:
        say("FIX ", f"{error.what} {error.todo}", style=cli.COLOURS["FIX"])
    if wrong:
        many = f"{len(wrong)} {'file' if len(wrong) == 1 else 'files'}"
        raise CourseError(f"{found.stem} lacks {many} that it needs.", "do what the lines above say, then run this again.")
    cli.prepare_models(thorough=True)
    before = [row for row in progress_rows() if row[0][:2] < found.stem[:2]]
    passed = sum(row[2] == "passed" for row in before)
    if before:
        say(f"You have passed {passed} of the {len(before)} exercises before it, and that stays so.")
        say("The lab builds on the course's own version of them: nothing of yours is needed.")
    if opens:
        cli.lab(found.stem, folder, port, browser)
        return
    for sentence in workspace.update(where):
        say(sentence)
    say(f"Ready: {where / found.name}. To open it: course lab {found.stem[:2]}")


# --- what was learned -----------------------------------------------------------------------------------------------


def write_page(path: Path, page: str, browser: bool) -> None:
    """Write a page, say where it is, open it. Raises :class:`CourseError`."""
    from .workspace import atomic_write

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, page.encode())
    except OSError as error:
        raise CourseError(f"The page could not be written to {path} ({error}).", "choose another place.") from error
    say(str(path))
    if browser:
        webbrowser.open(path.absolute().as_uri())


def certificate(
    name: Annotated[str | None, typer.Option(help="The name that it is made out to.")] = None,
    out: Annotated[Path | None, typer.Option(help="The page to write.", show_default="certificate.html beside your labs")] = None,
    verify: Annotated[Path | None, typer.Option(help="Look at such a page instead.", metavar="FILE")] = None,
    folder: Folder = None,
    browser: Browser = True,
) -> None:
    """Write a page that says what you have passed, each answer with its hash; or --verify such a page."""
    from .exercises import pages
    from .workspace import workspace_folder

    where = workspace_folder(folder)
    if verify is None:
        if name is None:
            raise CourseError("A certificate needs a name.", 'give it: course certificate --name "Ada Lovelace"')
        write_page(out or where / "certificate.html", pages.certificate_page(pages.certificate_data(name)), browser)
        return
    findings = pages.verify(verify, where)
    for speaks_for_it, sentence in findings:
        say("OK  " if speaks_for_it else "NOTE", sentence, style="green" if speaks_for_it else "yellow")
    say("It does not show who wrote the answers: nobody signed it. To be sure, collect the notebooks and grade them.")
    if not all(speaks_for_it for speaks_for_it, _ in findings):
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., None]] = {
    "room": room,
    "join": join,
    "leave": leave,
    "start-at": start_at,
    "certificate": certificate,
}
