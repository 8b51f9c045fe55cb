"""A learner's seat in a room: tell the facilitator's page which exercises are passed, and never wait for it.

What is told: the seat's number; for each exercise its id, passed or failed, and the number of tries. Never code, a name or an answer.
It is told whole each time, so nothing that once got lost stays lost. The other side is :mod:`course_lib.room`.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import CourseError
from ..places import data_folder
from .progress import locked, progress_file, read_progress

PORT = 8787
PATIENCE = 2.0  # seconds for each step of a message
AT_MOST = 5.0  # seconds for a message in all, whatever the other side does
PAUSES = (1.0, 5.0, 20.0, 60.0, 300.0)  # seconds before each further attempt; after the last, it waits for the next check


@dataclass(frozen=True)
class Seat:
    """Where a seat's progress is sent. ``key`` is this machine's own secret: nobody else can speak for the seat."""

    host: str
    port: int
    seat: int
    key: str


# --- the note on this machine ---------------------------------------------------------------------------------------


def seat_file() -> Path:
    """Where the seat is noted; without the file nothing is ever sent."""
    return data_folder() / "seat.json"


def read_seat() -> Seat | None:
    """The seat that this machine has, or ``None``."""
    try:
        row = json.loads(seat_file().read_text(encoding="utf-8"))
        return Seat(str(row["host"]), int(row["port"]), int(row["seat"]), str(row["key"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def leave() -> bool:
    """Forget the seat; return whether there was one. Nothing is sent from then on."""
    there = seat_file().exists()
    seat_file().unlink(missing_ok=True)
    return there


# --- the address ----------------------------------------------------------------------------------------------------


def find_address(given: str) -> tuple[str, int]:
    """The IP address and port that ``192.168.1.20:8787``, a URL or a name means.

    Raises :class:`CourseError` if there is no such place, or if it lies outside the local network: progress is not sent there.

    >>> find_address("http://127.0.0.1:9000/"), find_address("[::1]")
    (('127.0.0.1', 9000), ('::1', 8787))
    """
    example = "take the address that the facilitator's page shows, such as 192.168.1.20:8787."
    try:
        parts = urlsplit(given if "//" in given else f"//{given}")
        host, port = parts.hostname or "", parts.port or PORT
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0] if host else ""
    except (OSError, ValueError) as error:
        raise CourseError(f"{given!r} is not an address that can be found ({error}).", example) from error
    if not found:
        raise CourseError(f"{given!r} is not an address.", example)
    if not is_local(str(found)):
        raise CourseError(f"{given!r} ({found}) is not in your local network; progress is not sent anywhere else.", example)
    return str(found), port


def is_local(address: str) -> bool:
    """Whether an IP address belongs to this machine or to a private network.

    >>> [is_local(address) for address in ("127.0.0.1", "192.168.1.20", "fe80::1%eth0", "::ffff:8.8.8.8", "8.8.8.8", "x")]
    [True, True, True, False, False, False]
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    inner = getattr(found, "ipv4_mapped", None) or found
    return not (inner.is_global or inner.is_multicast)


# --- messages -------------------------------------------------------------------------------------------------------


def post(host: str, port: int, path: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Send JSON; return the status and the answer. It takes ``AT_MOST`` seconds. Raises :class:`OSError`.

    Straight to the address: no proxy, no redirection.
    """
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(host, port, timeout=PATIENCE)

    def give_up() -> None:
        with suppress(OSError, AttributeError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    limit = threading.Timer(AT_MOST, give_up)
    limit.daemon = True
    limit.start()
    try:
        connection.request("POST", path, json.dumps(content), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = json.loads(answer.read(4096) or b"{}")
        return answer.status, said if isinstance(said, dict) else {}
    except (HTTPException, ValueError, RecursionError) as error:
        raise ConnectionError(f"what answers there is not a room ({type(error).__name__})") from error
    finally:
        limit.cancel()
        connection.close()


def join(address: str, code: str, number: int) -> Seat:
    """Take a seat and note it; raises :class:`CourseError` where the room cannot be reached or refuses."""
    import secrets

    from ..workspace import atomic_write

    host, port = find_address(address)
    before = read_seat()
    seat = Seat(host, port, number, before.key if before else secrets.token_hex(16))
    try:
        status, said = post(host, port, "/join", {"code": code, "seat": number, "key": seat.key})
    except OSError as error:
        raise CourseError(
            f"The room at {host}:{port} does not answer ({error}).",
            "compare the address with the facilitator's page; both machines must be in the same network.",
        ) from error
    if status != 200:
        raise CourseError(
            "The room said: " + _said(said, "error", f"it answered {status}."), _said(said, "todo", "ask the facilitator.")
        )
    try:
        seat_file().parent.mkdir(parents=True, exist_ok=True)
        atomic_write(seat_file(), json.dumps(asdict(seat)).encode())
    except OSError as error:
        raise CourseError(f"Your seat could not be noted in {seat_file()} ({error}).", "set COURSE_DATA elsewhere.") from error
    return seat


def tell_now() -> str | None:
    """Send what is passed and tried; return why that did not succeed, or ``None``. Raises :class:`OSError` where nobody answers."""
    seat = read_seat()
    if seat is None:
        return None
    with locked(progress_file()):  # Windows lets nobody replace a file that is being read
        table = read_progress()
    marks = {id: [row["state"], row.get("tries", 1)] for id, row in table.items() if row.get("state") in ("passed", "failed")}
    status, said = post(seat.host, seat.port, "/tell", {"seat": seat.seat, "key": seat.key, "exercises": marks})
    if status in (429, 503):
        raise ConnectionError(f"the room has too much to do ({status})")
    return None if status == 200 else _said(said, "error", f"The room answered {status}.")


def _said(answer: dict[str, Any], what: str, otherwise: str) -> str:
    """A sentence of an answer, fit for a terminal whoever wrote it."""
    return "".join(sign for sign in str(answer.get(what) or otherwise)[:300] if sign.isprintable())


# --- in the background ----------------------------------------------------------------------------------------------

_news = threading.Event()
_starting = threading.Lock()
_messenger: threading.Thread | None = None


def tell() -> None:
    """Have the room told, if there is a seat. Returns at once, whatever the room does, and never raises."""
    global _messenger
    with suppress(Exception):  # nothing of this is worth a learner's cell
        if not seat_file().exists():
            return
        _news.set()
        with _starting:
            if _messenger is None or not _messenger.is_alive():
                _messenger = threading.Thread(target=_carry, name="course-room", daemon=True)
                _messenger.start()


def _carry() -> None:
    """Carry messages for as long as this process lives, one at a time; after a failure again, after longer and longer pauses."""
    failures = 0
    while True:
        _news.wait(PAUSES[failures - 1] if 0 < failures <= len(PAUSES) else None)
        _news.clear()
        try:
            tell_now()
            failures = 0
        except Exception:
            failures += 1
