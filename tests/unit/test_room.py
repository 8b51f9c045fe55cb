"""The room: forty seats, one of them hostile, a server that dies; and a lab that never waits for any of it."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import course_lib
from course_lib import cli
from course_lib.errors import CourseError
from course_lib.exercises import seat as seats
from course_lib.exercises.progress import read_progress, record
from course_lib.exercises.registry import LABS, exercises_of, get_exercise
from course_lib.room import server as serving
from course_lib.room.server import RoomServer
from course_lib.room.state import Refused, Room, room_file

EXERCISES = [exercise.id for lab in LABS for exercise in exercises_of(lab)]
KEY, OTHER = "0" * 32, "f" * 32
SCRIPT = "<script>alert('seat')</script>"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(tmp_path: Path, clock: Clock) -> Room:
    return Room(tmp_path / "room" / "room.json", clock=clock)


@contextmanager
def served(room: Room, port: int = 0) -> Iterator[int]:
    """The room on loopback; its port."""
    server = RoomServer(room, port=port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.close()
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def state_of(port: int) -> dict[str, Any]:
    return json.loads(ask(port, "GET", "/state")[1])


def wait_until(true: Callable[[], Any], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "that did not happen in time"
        time.sleep(0.05)


def right(id: str) -> Callable[..., Any]:
    """A right answer to an exercise that is not the library's own function."""
    return lambda *args, **kwargs: get_exercise(id).reference(*args, **kwargs)


def take_seat(room: Room, port: int, number: int = 7) -> None:
    seats.join(f"127.0.0.1:{port}", room.code, number)


# --- a whole workshop -----------------------------------------------------------------------------------------------


class Learner(threading.Thread):
    """A seat that passes exercises one by one, tells the room each time, and goes on telling until the room has noted it."""

    def __init__(self, number: int, port: int, code: str) -> None:
        super().__init__(daemon=True)
        self.number, self.port, self.code = number, port, code
        self.key = f"{number:032x}"
        rng = random.Random(number)
        self.passes = EXERCISES[: rng.randint(3, 9)]
        self.tries = EXERCISES[len(self.passes)]
        self.joined, self.half, self.on, self.failed = threading.Event(), threading.Event(), threading.Event(), 0

    def say(self, path: str, **content: Any) -> None:
        deadline = time.monotonic() + 240
        while True:
            try:
                status, _ = seats.post("127.0.0.1", self.port, path, {"seat": self.number, "key": self.key, **content})
                if status == 200:
                    return
            except OSError:
                pass
            self.failed += 1
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def run(self) -> None:
        self.say("/join", code=self.code.lower())
        self.joined.set()
        done: dict[str, list[Any]] = {}
        for at, id in enumerate(self.passes):
            done[id] = ["passed", 1 + at]
            self.say("/tell", exercises=done)
            if at == 1:
                self.half.set()
                assert self.on.wait(240)
        self.say("/tell", exercises=done | {self.tries: ["failed", 3]})


class Hostile(threading.Thread):
    """Somebody who wants to break the room: guesses, floods, lies, scripts, half requests and open connections.

    All from the address that the learners have too; so they join before: a lock after wrong codes holds for an address.
    """

    def __init__(self, number: int, port: int, code: str) -> None:
        super().__init__(daemon=True)
        self.number, self.port, self.code = number, port, code
        self.over, self.rounds = threading.Event(), 0
        self.answers: dict[str, set[int]] = {}

    def note(self, what: str, path: str, content: Any) -> None:
        with suppress(OSError):
            status, said = seats.post("127.0.0.1", self.port, path, content)
            self.answers.setdefault(what, set()).add(status)
            assert "script" not in json.dumps(said)

    def run(self) -> None:
        key, open_ones = "e" * 32, []
        while not self.over.is_set():
            self.note("own seat", "/join", {"seat": self.number, "key": key, "code": self.code})
            self.note("guess", "/join", {"seat": 3, "key": key, "code": "AAAAAAAA"})
            self.note("name", "/join", {"seat": SCRIPT, "key": key, "code": self.code})
            self.note("key", "/join", {"seat": self.number, "key": SCRIPT, "code": self.code})
            self.note("other seat", "/tell", {"seat": 5, "key": key, "exercises": {EXERCISES[20]: ["passed", 1]}})
            self.note("mark", "/tell", {"seat": self.number, "key": key, "exercises": {EXERCISES[0]: [SCRIPT, 1]}})
            self.note("id", "/tell", {"seat": self.number, "key": key, "exercises": {SCRIPT: ["passed", 1]}})
            for _ in range(25):
                self.note("flood", "/tell", {"seat": self.number, "key": key, "exercises": {}})
            for rubbish in (
                b"\0" * 5000,
                b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
                b"POST /tell HTTP/1.1\r\nContent-Le",
                f"GET /{SCRIPT} HTTP/1.1\r\n\r\n".encode(),
            ):
                with suppress(OSError):
                    one = socket.create_connection(("127.0.0.1", self.port), timeout=2)
                    one.sendall(rubbish)
                    open_ones.append(one)
            for one in open_ones[:-20]:
                one.close()
            del open_ones[:-20]
            self.rounds += 1


def start_room(port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "course_lib.cli", "room", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ.copy())
    assert process.stdout and "this machine only" in process.stdout.readline()
    return process


def test_forty_seats_one_hostile_and_the_room_killed_in_between() -> None:
    port = free_port()
    process = start_room(port)
    try:
        code = json.loads(room_file().read_text())["code"]
        learners = [Learner(number, port, code) for number in range(1, 41)]
        hostile = Hostile(41, port, code)
        for one in learners:
            one.start()
        assert all(one.joined.wait(240) for one in learners)
        hostile.start()
        assert all(one.half.wait(240) for one in learners)
        wait_until(lambda: hostile.rounds > 0)
        process.kill()
        process.wait()
        for one in learners:
            one.on.set()
        wait_until(lambda: all(one.failed for one in learners))  # each has something to tell, and nobody listens
        process = start_room(port)
        for one in learners:
            one.join(240)
            assert not one.is_alive()
        rounds = hostile.rounds
        wait_until(lambda: hostile.rounds > rounds)
        hostile.over.set()
        hostile.join(60)
        shown = state_of(port)
        on_disk = room_file().read_text()
    finally:
        process.kill()
        process.wait()
    for one, row in zip(learners, shown["seats"]):
        assert (row["seat"], row["passed"], row["trying"]) == (one.number, one.passes, [one.tries])
    assert {"own seat", "guess", "name", "key", "other seat", "mark", "id", "flood"} == hostile.answers.keys()
    assert len(shown["seats"]) <= 41 and all(row["passed"] == [] for row in shown["seats"][40:])
    assert "script" not in on_disk and "script" not in json.dumps(shown)
    for what in ("guess", "name", "key", "other seat", "mark"):
        assert 200 not in hostile.answers[what], what
    assert 429 in hostile.answers["guess"] | hostile.answers["flood"]


# --- a learner's lab ------------------------------------------------------------------------------------------------


@contextmanager
def hanging_server() -> Iterator[tuple[int, threading.Event]]:
    """A server that takes what is sent and never answers; its port, and an event: somebody has come."""
    listener = socket.create_server(("127.0.0.1", 0))
    came, held = threading.Event(), []

    def take() -> None:
        with suppress(OSError):
            while True:
                held.append(listener.accept()[0])
                came.set()

    threading.Thread(target=take, daemon=True).start()
    try:
        yield listener.getsockname()[1], came
    finally:
        listener.close()
        for one in held:
            one.close()


def sit_at(port: int) -> None:
    seats.seat_file().parent.mkdir(parents=True, exist_ok=True)
    seats.seat_file().write_text(json.dumps({"host": "127.0.0.1", "port": port, "seat": 7, "key": KEY}))


def test_a_check_returns_while_the_room_still_hangs(monkeypatch, capsys):
    monkeypatch.setattr(seats, "PATIENCE", 600.0)  # the message hangs for as long as this test may take
    monkeypatch.setattr(seats, "AT_MOST", 600.0)
    monkeypatch.setattr(seats, "_messenger", None)
    monkeypatch.setenv("COURSE_STRICT", "0")
    with hanging_server() as (port, came):
        sit_at(port)
        for _ in range(3):
            course_lib.check("00.1", right("00.1"))
        said = capsys.readouterr()
        assert came.wait(120)
        assert seats._messenger is not None and seats._messenger.is_alive(), "the room was not asked in the background"
        assert said.out.count("passed the 3 public cases") == 3 and said.err == ""
        assert read_progress()["00.1"]["tries"] == 3


def test_a_message_to_a_room_that_hangs_ends_by_itself(monkeypatch):
    monkeypatch.setattr(seats, "AT_MOST", 0.3)
    monkeypatch.setattr(seats, "PATIENCE", 600.0)
    with hanging_server() as (port, _), pytest.raises(OSError):
        seats.post("127.0.0.1", port, "/tell", {})


def test_a_process_ends_while_the_room_still_hangs():
    code = (
        "import course_lib\nfrom course_lib.exercises.registry import get_exercise\n"
        "course_lib.check('00.1', lambda *a: get_exercise('00.1').reference(*a))\n"
    )
    with hanging_server() as (port, _):
        sit_at(port)
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"COURSE_STRICT": "0"}, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0 and "passed the 3 public cases" in done.stdout and done.stderr == ""


@pytest.mark.parametrize("damage", ["", "{", '{"host": 3}', '{"host": "127.0.0.1", "port": "x", "seat": 1, "key": ""}'])
def test_a_damaged_seat_file_stops_nothing(damage, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_STRICT", "0")
    seats.seat_file().parent.mkdir(parents=True)
    seats.seat_file().write_text(damage)
    course_lib.check("00.1", right("00.1"))
    assert "passed the 3 public cases" in capsys.readouterr().out


def test_a_dead_room_is_told_when_it_is_back(room, monkeypatch, capsys):
    monkeypatch.setattr(seats, "PAUSES", (0.05,) * 2000)
    monkeypatch.setattr(seats, "_messenger", None)
    monkeypatch.setenv("COURSE_STRICT", "0")
    with served(room) as port:
        take_seat(room, port)
    course_lib.check("00.1", right("00.1"))
    course_lib.check("00.3", lambda successes, trials: (0.0, 1.0))
    assert "passed the 3 public cases" in capsys.readouterr().out
    with served(room, port):
        wait_until(lambda: state_of(port)["seats"][0]["trying"] == ["00.3"])
        assert state_of(port)["seats"][0]["passed"] == ["00.1"]


def test_without_a_seat_nothing_is_sent(monkeypatch):
    monkeypatch.setattr(seats, "_messenger", None)
    monkeypatch.setenv("COURSE_STRICT", "0")
    course_lib.check("00.1", right("00.1"))
    assert seats._messenger is None


def test_what_is_sent_is_ids_outcomes_and_tries(monkeypatch):
    sent: list[Any] = []
    monkeypatch.setattr(seats, "post", lambda *args: sent.append(args) or (200, {}))
    sit_at(1)
    record("01.1", "passed", 2, answer="ab" * 32)
    record("01.2", "failed", 2)
    assert seats.tell_now() is None
    marks = {"01.1": ["passed", 1], "01.2": ["failed", 1]}
    assert sent == [("127.0.0.1", 1, "/tell", {"seat": 7, "key": KEY, "exercises": marks})]


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "http://93.184.216.34:8787/", "[2606:4700::1111]", "", ":", "127.0.0.1:99999", "a b"]
)
def test_an_address_outside_the_network_is_refused(address):
    with pytest.raises(CourseError):
        seats.find_address(address)


# --- joining --------------------------------------------------------------------------------------------------------


def test_join_tell_leave_from_the_terminal(room):
    run = lambda *arguments: CliRunner().invoke(cli.app, list(arguments))
    record("01.1", "passed", 2)
    with served(room) as port:
        wrong = run("join", f"127.0.0.1:{port}", "WRONG", "7")
        assert wrong.exit_code == 1 and "not the code of this room" in wrong.output and not seats.seat_file().exists()
        shouted = f"{room.code[:4].lower()}-{room.code[4:]}"
        joined = run("join", f"http://127.0.0.1:{port}/", shouted, "7")
        assert joined.exit_code == 0 and "You have seat 7" in joined.output and "The room has your progress" in joined.output
        assert state_of(port)["seats"][0]["passed"] == ["01.1"]
        assert "You have seat 7" in run("join").output
        assert run("join", f"127.0.0.1:{port}", room.code, "8").exit_code == 0
        assert [row["seat"] for row in state_of(port)["seats"]] == [8], "who moves leaves the old seat"
        assert "seat is a number from 1 to 60" in run("join", f"127.0.0.1:{port}", room.code, "61").output
        room.free(8)
        assert "This machine does not have seat 8" in run("join").output
    gone = run("join")
    assert gone.exit_code == 0 and "changes nothing for your work" in gone.output
    assert "Nothing is sent any more" in run("leave").output and "You have no seat" in run("join").output
    assert run("join", "127.0.0.1").exit_code == 1


def test_a_seat_belongs_to_one_machine(room):
    room.join(7, room.code, KEY, "a")
    room.join(7, room.code, KEY, "a")
    with pytest.raises(Refused, match="taken by another machine"):
        room.join(7, room.code, OTHER, "b")
    with pytest.raises(Refused, match="does not have seat 7"):
        room.tell(7, OTHER, {"01.1": ["passed", 1]})
    room.free(7)
    room.join(7, room.code, OTHER, "b")


def test_wrong_codes_are_slowed_down_address_by_address(room, clock):
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            room.join(1, "AAAAAAAA", KEY, "guesser")
        assert refused.value.status == 403
    waits = []
    for _ in range(8):
        with pytest.raises(Refused, match="Too many wrong codes") as refused:
            room.join(1, room.code, KEY, "guesser")  # even the right one: or each answer would be a free guess
        assert refused.value.status == 429
        waits.append(refused.value.wait)
        clock.now += refused.value.wait + 0.01
        with pytest.raises(Refused, match="not the code"):
            room.join(1, "AAAAAAAA", KEY, "guesser")
    assert waits == sorted(waits) and waits[0] == 2.0 and waits[-1] == 60.0
    room.join(1, room.code, KEY, "honest")
    room.tell(1, KEY, {"01.1": ["passed", 1]})


def test_many_addresses_of_guessers_fill_no_memory(room):
    for number in range(2000):
        with pytest.raises(Refused):
            room.join(1, "AAAAAAAA", KEY, str(number))
    assert len(room._guesses) <= 512


@pytest.mark.parametrize("number", [0, 61, -1, True, 1.0, "7", SCRIPT, None, [7], 10**30])
def test_a_seat_is_a_number(room, number):
    with pytest.raises(Refused, match="A seat is a number"):
        room.join(number, room.code, KEY, "a")
    assert room.snapshot()["seats"] == []


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"01.1": "passed"},
        {"01.1": [SCRIPT, 1]},
        {"01.1": ["passed", True]},
        {"01.1": ["passed", "1"]},
        {"01.2": ["passed", 1], "01.1": ["passed"]},
        {str(number): ["passed", 1] for number in range(201)},
    ],
)
def test_a_table_that_is_not_sound_counts_for_nothing(room, told):
    room.join(7, room.code, KEY, "a")
    with pytest.raises(Refused) as refused:
        room.tell(7, KEY, told)
    assert refused.value.status == 400 and room.snapshot()["seats"][0]["passed"] == []


def test_ids_that_the_course_does_not_have_are_left_out(room):
    room.join(7, room.code, KEY, "a")
    room.tell(7, KEY, {SCRIPT: ["passed", 1], "77.1": ["passed", 1], "01.1": ["failed", 10**9]})
    assert room.snapshot()["seats"][0]["trying"] == ["01.1"]
    assert SCRIPT not in room.path.read_text() and "77.1" not in room.path.read_text()


def test_one_seat_cannot_flood_and_the_others_do_not_notice(room, clock):
    room.join(7, room.code, KEY, "a")
    room.join(8, room.code, OTHER, "a")
    statuses = []
    for _ in range(100):
        try:
            room.tell(7, KEY, {})
            statuses.append(200)
        except Refused as refused:
            statuses.append(refused.status)
    assert statuses.count(200) <= 20 and set(statuses) == {200, 429}
    room.tell(8, OTHER, {"01.1": ["passed", 1]})
    clock.now += 5
    room.tell(7, KEY, {"01.1": ["passed", 1]})
    assert [row["passed"] for row in room.snapshot()["seats"]] == [["01.1"], ["01.1"]]


# --- what it keeps and shows ----------------------------------------------------------------------------------------


def test_what_was_passed_stays_passed_and_survives_a_restart(room, clock):
    room.join(7, room.code, KEY, "a")
    room.tell(7, KEY, {"01.1": ["passed", 2]})
    room.tell(7, KEY, {"01.1": ["failed", 1], "01.2": ["failed", 4]})
    again = Room(room.path, clock=clock)
    assert again.code == room.code and again.snapshot() == room.snapshot()
    assert again.snapshot()["seats"][0]["passed"] == ["01.1"]
    again.tell(7, KEY, {"01.2": ["passed", 5]})


def test_what_cannot_be_saved_is_not_acknowledged(room):
    room.join(7, room.code, KEY, "a")
    room.path.unlink()
    (room.path / "in the way").mkdir(parents=True)
    with pytest.raises(Refused) as refused:
        room.tell(7, KEY, {"01.1": ["passed", 1]})
    assert refused.value.status == 503
    assert room.snapshot()["seats"][0]["passed"] == [] and "could not be saved" in room.snapshot()["told"]
    (room.path / "in the way").rmdir()
    room.path.rmdir()
    room.tell(7, KEY, {"01.1": ["passed", 1]})
    assert room.snapshot()["told"] is None and Room(room.path).snapshot()["seats"][0]["passed"] == ["01.1"]


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"code": "", "seats": {}}', '{"code": "ABCDEFGH", "seats": {"x": {}}}', "[" * 9000]
)
def test_a_damaged_room_is_set_aside(tmp_path, damage):
    path = tmp_path / "room.json"
    path.write_text(damage)
    room = Room(path)
    assert "could not be read" in room.snapshot()["told"] and path.with_suffix(".damaged.json").read_text() == damage
    room.join(1, room.code, KEY, "a")


def test_stuck_is_longer_than_the_exercise_takes(room, clock):
    room.join(7, room.code, KEY, "a")
    minutes = get_exercise("01.2").minutes
    room.tell(7, KEY, {"01.1": ["passed", 1], "01.2": ["failed", 1]})
    stuck = lambda: room.snapshot()["seats"][0]["stuck"]
    clock.now += 60 * minutes - 1
    assert stuck() is None
    clock.now += 2
    assert stuck() == "01.2" and room.snapshot()["seats"][0]["quiet"] == minutes
    room.tell(7, KEY, {"01.2": ["failed", 2]})
    assert stuck() == "01.2"
    clock.now += 3601
    assert stuck() is None, "somebody who went home is not stuck"
    room.tell(7, KEY, {"01.2": ["passed", 3]})
    assert stuck() is None and room.snapshot()["seats"][0]["at"] == "01.2"


# --- over HTTP ------------------------------------------------------------------------------------------------------


def test_the_page_is_for_this_machine_and_asks_nobody(room):
    with served(room) as port:
        status, page, headers = ask(port, "GET", "/")
        assert status == 200 and "default-src 'none'" in headers["Content-Security-Policy"]
        for path in ("/room.css", "/room.js", "/state"):
            assert ask(port, "GET", path)[0] == 200
        for host in ("evil.example", f"evil.example:{port}", "", "[", "127.0.0.1.evil.example"):
            assert ask(port, "GET", "/state", Host=host)[0] == 403
        for path in ("/../state.py", "/state.py", "/room.json", "/state?x", "/%73tate"):
            assert ask(port, "GET", path)[0] == 404
    assert not re.search(rb"(?:href|src)=\"(?!/|data:,)", page)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"[]", {}, 400),
        (b"{", {}, 400),
        (b"\xff\xfe{}", {}, 400),
        (b"[" * 16000, {}, 400),
        (b"{}", {}, 403),
        (b"{}", {"Content_Length": "99999999"}, 413),
        (b"{}", {"Content_Length": "9" * 40}, 413),
        (b"{}", {"Content_Length": "-1"}, 411),
        (b"{}", {"Content_Length": "two"}, 411),
        (b"2\r\n{}\r\n0\r\n\r\n", {"Transfer_Encoding": "chunked"}, 411),
    ],
)
def test_messages_that_are_none(room, body, headers, status):
    with served(room) as port:
        got, said, _ = ask(port, "POST", "/join", body, **headers)
        assert got == status and set(json.loads(said)) == {"error", "todo"}
        assert state_of(port)["seats"] == []


def test_freeing_a_seat_needs_the_page(room):
    room.join(7, room.code, KEY, "a")
    with served(room) as port:
        body = b'{"seat": 7}'
        assert ask(port, "POST", "/free", body)[0] == 403
        assert ask(port, "POST", "/free", body, X_Room="free", Host="evil.example")[0] == 403
        assert ask(port, "POST", "/free", body, X_Room="free")[0] == 200
        assert ask(port, "POST", "/free", body, X_Room="free")[0] == 404
        assert state_of(port)["seats"] == []


def test_who_sends_nothing_is_put_out(room, monkeypatch):
    monkeypatch.setattr(serving, "LONGEST", 0.2)
    with served(room) as port, socket.create_connection(("127.0.0.1", port), timeout=120) as slow:
        slow.sendall(b"POST /tell HTTP/1.1\r\n")
        assert slow.recv(1000) == b""


def test_one_address_cannot_hold_all_connections(room, monkeypatch):
    monkeypatch.setattr(serving, "OPEN_EACH", 3)
    with served(room) as port:
        held = [socket.create_connection(("127.0.0.1", port), timeout=120) for _ in range(3)]
        for one in held:
            one.sendall(b"GET /")
        with socket.create_connection(("127.0.0.1", port), timeout=120) as fourth, suppress(ConnectionError):
            assert fourth.recv(10) == b""
        for one in held:
            one.close()
        wait_until(lambda: _answers(port))


def _answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/state")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def test_a_port_that_is_taken_and_a_second_room():
    run = lambda *arguments: CliRunner().invoke(cli.app, ["room", "--no-browser", *arguments])
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = run("--port", str(other.getsockname()[1]))
        assert taken.exit_code == 1 and "--port" in taken.output
    port = free_port()
    process = start_room(port)
    try:
        assert "open on this machine already" in run("--port", str(free_port())).output
    finally:
        process.kill()
        process.wait()
