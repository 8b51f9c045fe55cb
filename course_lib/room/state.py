"""What a room knows: who sits where, and which exercises each seat has passed or tried. On disk before a seat is told "noted"."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..exercises.registry import LABS, Exercise, exercises_of
from ..places import data_folder
from ..workspace import atomic_write, lab_title

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without I, O, 0 and 1, which look alike on a wall
MOST_SEATS = 200
MOST_EXERCISES, MOST_TRIES = 200, 999  # in one message; of one exercise
BURST, PER_SECOND = 20.0, 1.0  # messages of one seat
FREE_GUESSES, LONGEST_LOCK = 3, 60.0  # wrong codes from one address before it must wait; seconds
MOST_ADDRESSES = 512
STUCK_FOR = 3600.0  # seconds after its last try a seat no longer counts as stuck: it went home


class Refused(Exception):
    """A message that is not accepted: the HTTP status, what is wrong, what to do, and after how many seconds to try again."""

    def __init__(self, status: int, error: str, todo: str = "", wait: float = 0.0) -> None:
        super().__init__(error)
        self.status, self.error, self.todo, self.wait = status, error, todo, wait


def room_file() -> Path:
    """Where a room is kept."""
    return data_folder() / "room.json"


def new_code() -> str:
    """A code to join with: eight of 32 signs, 40 bits."""
    return "".join(secrets.choice(LETTERS) for _ in range(8))


def plain_code(typed: str) -> str:
    """A code as it is compared: what people add or shout does not matter.

    >>> plain_code(" k7qm-3xpd ")
    'K7QM3XPD'
    """
    return re.sub(r"[^A-Z0-9]", "", typed.upper())


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Room:
    """The seats of a room, kept in a file. Every method may be called from any thread.

    ``clock`` gives seconds since 1970. Raises :class:`CourseError` where the file cannot be written.
    """

    def __init__(self, path: Path, seats: int = 60, clock: Callable[[], float] = time.time) -> None:
        self.path, self.many, self.clock = path, seats, clock
        self.code = new_code()
        self.seats: dict[int, dict[str, Any]] = {}
        self.told: str | None = None  # what the facilitator should know
        self.known: dict[str, Exercise] = {one.id: one for lab in LABS for one in exercises_of(lab)}
        self.labs = labs_shown(list(self.known.values()))
        self._lock = threading.Lock()
        self._rates: dict[int, tuple[float, float]] = {}  # by seat: messages left, at what time
        self._guesses: dict[str, tuple[int, float]] = {}  # by address: wrong codes, locked until
        self._read()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(self.seats)
        except OSError as error:
            raise CourseError(f"The room cannot be kept in {path} ({error}).", "set COURSE_DATA to another folder.") from error

    # --- the file ---

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            code, seats = plain_code(content["code"]), {int(number): dict(row) for number, row in content["seats"].items()}
            for row in seats.values():
                row["key"], row["heard"], row["exercises"] = str(row["key"]), float(row["heard"]), dict(row["exercises"])
                for mark in row["exercises"].values():
                    _ = mark["state"], mark["tries"] + 0, mark["since"] + 0.0
            if not code:
                raise ValueError("it has no code")
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            aside = self.path.with_suffix(".damaged.json")
            try:
                os.replace(self.path, aside)
            except OSError:
                pass
            self.told = f"The file of the room could not be read ({error}). It is now {aside}; a new room with a new code begins."
            return
        self.code, self.seats = code, seats

    def _write(self, seats: dict[int, dict[str, Any]]) -> None:
        content = {"format": 1, "code": self.code, "seats": {str(number): row for number, row in sorted(seats.items())}}
        atomic_write(self.path, json.dumps(content).encode())

    def _keep(self, seats: dict[int, dict[str, Any]]) -> None:
        """Write first; only what is on disk counts."""
        try:
            self._write(seats)
        except OSError as error:
            self.told = f"The room could not be saved ({error}). The seats keep their progress and send it again."
            raise Refused(503, "The room cannot be saved at the moment.", "nothing; this machine tries again.", 5.0) from error
        self.seats, self.told = seats, None

    # --- what seats say ---

    def join(self, seat: Any, code: Any, key: Any, address: str) -> int:
        """Give a seat to the machine that holds ``key``; return its number. Raises :class:`Refused`."""
        with self._lock:
            self._check_code(code, address)
            number, secret = self._number(seat), self._key(key)
            row = self.seats.get(number)
            if row and row["key"] != secret:
                raise Refused(
                    409,
                    f"Seat {number} is taken by another machine.",
                    "take the number of your own seat; if this is it, ask the facilitator to free it.",
                )
            if row is None:
                self._slow_down(number)
                seats = {other: one for other, one in self.seats.items() if one["key"] != secret}  # who moves leaves the old seat
                self._keep(seats | {number: {"key": secret, "heard": self.clock(), "exercises": {}}})
            return number

    def tell(self, seat: Any, key: Any, exercises: Any) -> None:
        """Take a seat's progress. What was passed stays passed. Raises :class:`Refused`, and then nothing of it counts."""
        with self._lock:
            number, secret = self._number(seat), self._key(key)
            row = self.seats.get(number)
            if row is None or not hmac.compare_digest(row["key"], secret):
                raise Refused(403, f"This machine does not have seat {number} in this room.", "join again: course join")
            self._slow_down(number)
            merged = self._merge(row["exercises"], exercises)
            if merged == row["exercises"]:
                row["heard"] = self.clock()
            else:
                self._keep(self.seats | {number: row | {"heard": self.clock(), "exercises": merged}})

    def free(self, seat: Any) -> None:
        """Take a seat from its machine, so that another may join with the number. Raises :class:`Refused`."""
        with self._lock:
            number = self._number(seat)
            if number not in self.seats:
                raise Refused(404, f"Nobody sits at {number}.")
            self._keep({other: row for other, row in self.seats.items() if other != number})

    def _number(self, seat: Any) -> int:
        if type(seat) is not int or not 1 <= seat <= self.many:
            raise Refused(400, f"A seat is a number from 1 to {self.many}.", "take the number of your own seat.")
        return seat

    @staticmethod
    def _key(key: Any) -> str:
        if not isinstance(key, str) or not re.fullmatch(r"[0-9a-f]{32}", key):
            raise Refused(400, "That is not a key.", "join with: course join")
        return _hash(key)

    def _check_code(self, code: Any, address: str) -> None:
        """Refuse a wrong code, and after three of them any code from that address for 2, 4, 8, … up to 60 seconds."""
        now = self.clock()
        wrong, until = self._guesses.get(address, (0, 0.0))
        if now < until:
            raise Refused(429, "Too many wrong codes from this machine.", f"wait {until - now:.0f} seconds.", until - now)
        typed = plain_code(code) if isinstance(code, str) and len(code) <= 40 else ""
        if hmac.compare_digest(typed, self.code):
            self._guesses.pop(address, None)
            return
        wrong += 1
        lock = min(2.0 ** min(wrong - FREE_GUESSES + 1, 10), LONGEST_LOCK) if wrong >= FREE_GUESSES else 0.0
        self._guesses.pop(address, None)  # the latest stands last
        self._guesses[address] = (wrong, now + lock)
        while len(self._guesses) > MOST_ADDRESSES:
            self._guesses.pop(next(iter(self._guesses)))
        raise Refused(403, "That is not the code of this room.", "compare it with the facilitator's page.", lock)

    def _slow_down(self, number: int) -> None:
        left, then = self._rates.get(number, (BURST, 0.0))
        now = self.clock()
        left = min(BURST, left + max(0.0, now - then) * PER_SECOND)
        self._rates[number] = (max(left - 1.0, 0.0), now)
        if left < 1.0:
            raise Refused(429, "That was too much at once.", "nothing; this machine tries again.", 1.0)

    def _merge(self, old: dict[str, Any], told: Any) -> dict[str, Any]:
        """What is known of a seat's exercises with what it tells now. Ids that the course does not have are left out."""
        if not isinstance(told, dict) or len(told) > MOST_EXERCISES:
            raise Refused(400, "That is not a table of exercises.")
        merged, now = dict(old), self.clock()
        for id, mark in told.items():
            if not (isinstance(mark, list) and len(mark) == 2 and mark[0] in ("passed", "failed") and type(mark[1]) is int):
                raise Refused(400, "A mark is passed or failed, and a number of tries.")
            if id not in self.known:
                continue
            before = merged.get(id, {"state": "", "tries": 0, "since": now, "last": now})
            state = "passed" if "passed" in (mark[0], before["state"]) else "failed"
            tries = max(before["tries"], min(max(mark[1], 1), MOST_TRIES))
            if (state, tries) != (before["state"], before["tries"]):
                merged[id] = {"state": state, "tries": tries, "since": before["since"], "last": now}
        return merged

    # --- what the page shows ---

    def snapshot(self) -> dict[str, Any]:
        """Everything that the page shows: the labs with their exercises, and the seats with their marks."""
        with self._lock:
            now = self.clock()
            seats = [self._shown(number, row, now) for number, row in sorted(self.seats.items())]
            told, code = self.told, f"{self.code[:4]}-{self.code[4:]}"
        return {"code": code, "told": told, "most": self.many, "labs": self.labs, "seats": seats}

    def _shown(self, number: int, row: dict[str, Any], now: float) -> dict[str, Any]:
        marks = {id: mark for id, mark in row["exercises"].items() if id in self.known}
        shown: dict[str, Any] = {
            "seat": number,
            "passed": sorted(id for id, mark in marks.items() if mark["state"] == "passed"),
            "trying": sorted(id for id, mark in marks.items() if mark["state"] != "passed"),
            "quiet": int((now - row["heard"]) // 60),
            "stuck": None,
            "at": None,
        }
        if marks:
            latest = max(marks, key=lambda id: (marks[id]["last"], id))
            shown["at"], mark = latest, marks[latest]
            overdue = now - mark["since"] > 60 * self.known[latest].minutes and now - mark["last"] < STUCK_FOR
            if mark["state"] != "passed" and overdue:
                shown["stuck"] = latest
        return shown


def labs_shown(exercises: Sequence[Exercise]) -> list[dict[str, Any]]:
    """The labs with their exercises as the page needs them."""
    labs = []
    for number, name in LABS.items():
        mine = [{"id": one.id, "title": one.title, "minutes": one.minutes} for one in exercises if one.lab == number]
        labs.append({"number": number, "name": lab_title(name), "exercises": mine})
    return labs
