"""The wall around learner code, as high as the machine allows, and the connection through it.

With bubblewrap: no network, a minimal read-only file system, a process namespace for each exercise, a small disk in memory. Without
it: limits on time, memory, processes, output and file size only, and the gradebook says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..places import PACKAGE
from .library import make_library

BWRAP, NONE = "bubblewrap", "none"
ROOM, WORK = "/room", "/work"
OPEN_FOLDERS = ("/dev/shm", "/run/lock", "/tmp", "/var/tmp")
MB = 1 << 20
SLOWEST_START = 180.0  # seconds: on a machine that is busy with something else


@dataclass(frozen=True)
class Limits:
    """What one exercise may use: seconds for a cell and in all, bytes of memory, disk and output, processes."""

    cell: float = 10.0
    wall: float = 20.0
    memory: int = 1536 * MB
    disk: int = 64 * MB
    output: int = 8 * MB
    processes: int = 48

    def by_name(self, others: int = 0) -> dict[str, int]:
        """The limits that the system itself enforces. ``others`` counts the user's processes that were there before."""
        return {
            "RLIMIT_AS": self.memory,
            "RLIMIT_CPU": int(self.wall) + 2,
            "RLIMIT_FSIZE": self.disk // 2,
            "RLIMIT_NPROC": others + self.processes,
            "RLIMIT_NOFILE": 256,
            "RLIMIT_CORE": 0,
        }


@dataclass
class Ended:
    """Why a connection is over: ``reason`` is empty where the exercise simply ended."""

    reason: str = ""
    detail: str = ""


@dataclass
class Channel:
    """The connection to one exercise. Reading is bounded in time and in bytes."""

    socket: socket.socket
    limits: Limits
    watch: Any  # () -> str: what is wrong with the processes in the room, or ""
    ended: Ended | None = None
    until: float = 0.0
    taken: int = 0
    rest: bytearray = field(default_factory=bytearray)
    broken: str = ""
    ready: bool = False
    code: int = 0

    def send(self, message: dict[str, Any]) -> None:
        """Send one message; if the other side is gone, this ends."""
        try:
            self.socket.settimeout(5)
            self.socket.sendall((json.dumps(message) + "\n").encode())
        except OSError:
            self._drain()

    def read(self, seconds: float) -> dict[str, Any] | None:
        """The next message, or ``None`` when there will be none: ``ended`` then says why."""
        until = min(time.monotonic() + seconds, self.until)
        while self.ended is None:
            if (end := self.rest.find(b"\n")) >= 0:
                line = bytes(self.rest[:end])
                del self.rest[: end + 1]
                if (message := self._message(line)) is not None:
                    return message
                continue
            if time.monotonic() > until:
                self.end("time", f"it was stopped after {seconds:g} seconds")
            elif problem := self.watch():
                self.end("processes" if "processes" in problem else "memory", problem)
            else:
                self._receive()
        return None

    def _receive(self) -> None:
        self.socket.settimeout(0.05)
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return
        except OSError:
            data = b""
        self.taken += len(data)
        self.rest += data
        if not data:
            self._died()
        elif self.taken > self.limits.output:
            self.end("output", f"it sent more than {self.limits.output // MB} MB")

    def _message(self, line: bytes) -> dict[str, Any] | None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return None  # half a line of somebody who was killed, or noise
        if not isinstance(message, dict):
            return None
        if message.get("kind") == "ended":
            code = message.get("code")  # a large one would be a forged one, and could tell what the learner must not see
            self.code = code if isinstance(code, int) and -64 <= code < 256 else 0
            return None
        if message.get("kind") == "broken":
            self.broken = "" if self.ready else str(message.get("says"))[:300]  # once learner code runs, it could say this
            return None
        self.ready = True
        return message

    def _drain(self) -> None:
        """The other side hung up: read what it said last."""
        while self.ended is None and time.monotonic() < self.until:
            self._receive()

    def _died(self) -> None:
        for line in bytes(self.rest).split(b"\n"):
            self._message(line)
        if self.broken:
            self.end("room", self.broken)
        elif self.code == -signal.SIGKILL or self.code == -getattr(signal, "SIGXCPU", 24):
            self.end("killed", "it was killed: too much memory or time, or it killed itself")
        elif self.code < 0:
            name = signal.Signals(-self.code).name if -self.code in set(signal.Signals) else str(-self.code)
            self.end("crashed", f"Python crashed ({name})")
        else:
            self.end("ended", "it ended Python before the answers were there")

    def finish(self, until: float) -> None:
        """Say that no more cells will come, and wait until the keeper has put everything away."""
        if self.ended is None:
            try:
                self.socket.shutdown(socket.SHUT_WR)
                self.socket.settimeout(0.05)
                while time.monotonic() < until:
                    try:
                        if not self.socket.recv(1 << 16):
                            break
                    except TimeoutError:
                        continue
            except OSError:
                pass
        self.end("finished")

    def end(self, reason: str, detail: str = "") -> None:
        """Hang up; the keeper then ends the processes."""
        if self.ended is None:
            self.ended = Ended(reason, detail)
            self.rest.clear()
        self.socket.close()


# --- what the machine offers ----------------------------------------------------------------------------------------


def readable_folders() -> list[str]:
    """The folders that Python needs: the system's libraries, this Python, and its packages; none within another."""
    wanted = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", sys.base_prefix, sys.prefix]
    wanted += [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    wanted += [str(Path(sysconfig.get_path("stdlib"))), os.path.realpath(sys.executable)]
    kept: list[str] = []
    for path in sorted({path for path in wanted if os.path.exists(path)}, key=len):
        if not any(path == one or path.startswith(one + "/") for one in kept):
            kept.append(path)
    return kept


def bubblewrap_command(room: Path, limits: Limits, uid: int | None) -> list[str]:
    """How the warm parent is started behind the wall. It alone keeps the right to make namespaces; its children give it up."""
    command = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN"]
    if uid is None:
        command += ["--unshare-user"]
    else:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_KILL", "CAP_SYS_RESOURCE"):
            command += ["--cap-add", capability]
    folders = readable_folders()
    for parent in sorted({str(parent) for folder in folders for parent in Path(folder).parents if parent != Path("/")}):
        if not any(parent == folder or parent.startswith(folder + "/") for folder in folders):
            command += ["--perms", "0755", "--dir", parent]
    for folder in folders:
        command += ["--symlink", os.readlink(folder), folder] if os.path.islink(folder) else ["--ro-bind", folder, folder]
    own = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").exists() else PACKAGE  # a clone has solutions and tests beside it
    if any(str(own).startswith(folder + "/") for folder in folders):
        command += ["--tmpfs", str(own)]
        if sys.prefix.startswith(f"{own}{os.sep}"):
            command += ["--ro-bind", sys.prefix, sys.prefix]  # an environment in the clone
        command += ["--remount-ro", str(own)]
    command += ["--proc", "/proc", "--dev", "/dev", "--ro-bind", str(room), ROOM]
    command += ["--dir", "/tmp", "--size", str(MB), "--tmpfs", WORK]
    command += ["--remount-ro", "/dev", "--remount-ro", "/"]  # what one exercise left there, the next would find
    for name, value in _environment(WORK).items():
        command += ["--setenv", name, value]
    return [*command, "--chdir", WORK, "--", *_python(ROOM)]


def _environment(home: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "LD_LIBRARY_PATH") if name in os.environ}
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
    quiet = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
    return {
        **kept,
        **threads,
        **quiet,
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "IPYTHONDIR": f"{home}/.ipython",
        "LANG": "C.UTF-8",
    }


def _python(room: str, call: str = "main()") -> list[str]:
    hidden = "" if room == ROOM else f"sys.path[:] = [p for p in sys.path if p != {str(PACKAGE.parent)!r}]; "
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {room!r}); {hidden}from course_room import warm; warm.{call}"]


@lru_cache
def bubblewrap_problem() -> str | None:
    """Why bubblewrap cannot be used here, or ``None``: it is tried out, not only looked for."""
    if not sys.platform.startswith("linux"):
        return "bubblewrap exists on Linux only"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    try:
        with Room(BWRAP, Limits(wall=SLOWEST_START)) as room:
            channel = room.open()
            if (first := channel.read(SLOWEST_START)) is None or first.get("kind") != "ready":
                return f"bubblewrap does not work here: {channel.ended.detail if channel.ended else 'no answer'}"
    except CourseError as error:
        return error.what
    return None


def choose_level(asked: str, required: bool) -> str:
    """The isolation to use: ``"bubblewrap"`` or ``"none"``. Raises :class:`CourseError` where what is asked for is not there."""
    if asked not in ("auto", "bwrap", "none"):
        raise CourseError(f"There is no sandbox {asked!r}.", "choose auto, bwrap or none.")
    problem = None if asked == "none" else bubblewrap_problem()
    if asked == "none" and required:
        raise CourseError("--require-sandbox and --sandbox none contradict each other.", "leave one of them out.")
    if problem and (required or asked == "bwrap"):
        raise CourseError(f"Nothing was graded: {problem}.", "install it, or grade elsewhere, or leave --require-sandbox out.")
    return NONE if asked == "none" or problem else BWRAP


# --- the room -------------------------------------------------------------------------------------------------------


class Room:
    """A grading room: a warm parent behind the wall that starts a process for each exercise.

    Use it as a context manager; nothing of it is left afterwards. ``fork=False`` starts a fresh process each time instead.
    """

    def __init__(self, level: str, limits: Limits | None = None, fork: bool = hasattr(os, "fork")) -> None:
        self.level, self.limits, self.fork = level, limits or Limits(), fork
        if level == BWRAP and not fork:
            raise CourseError("Bubblewrap needs fork.", "use --sandbox none.")
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        self.uid = 1_000_000 + os.getpid() if root else None  # as root, learner code runs as a user that owns nothing
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None
        self.channels: list[Channel] = []
        self.colds: list[subprocess.Popen[bytes]] = []
        self.base: set[int] = set()
        self.look = 0.0

    def __enter__(self) -> Room:
        self.folder = Path(tempfile.mkdtemp(prefix="course-room-"))
        self.folder.chmod(0o755)
        self.library = self.folder / "room"
        self.library.mkdir()
        make_library(self.library)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        """Start the warm parent and wait until it is warm. Raises :class:`CourseError` with what it said instead."""
        ours, theirs = socket.socketpair()
        if self.level == BWRAP:
            command, environment = bubblewrap_command(self.library, self.limits, self.uid), dict(os.environ)
        else:
            command, environment = _python(str(self.library), self._main()), _environment(str(self.folder))
        with tempfile.TemporaryFile() as said, theirs:
            self.process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=said, env=environment, start_new_session=True
            )
            theirs.close()
            ours.settimeout(SLOWEST_START)
            try:
                warm = ours.recv(4096)
            except OSError:
                warm = b""
            if not warm:
                ours.close()
                self.close()
                said.seek(0)
                last = said.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                raise CourseError(f"The grading room could not be started: {last[0][:300]}.", "try --sandbox none.")
        self.control = ours
        self.base = {process.pid for process in self._processes()}  # bubblewrap's own and the warm parent

    def _main(self) -> str:
        """As root without bubblewrap, the room's own user must still reach Python, which may lie in root's home."""
        return f"main({[*readable_folders(), str(self.folder)]!r})" if self.uid is not None else "main()"

    def open(self) -> Channel:
        """Start a process for one exercise. Raises :class:`CourseError` where the room cannot be started."""
        own = self.folder / f"work-{secrets.token_hex(4)}"
        if self.level == NONE:
            own.mkdir(mode=0o700)
            if self.uid is not None:
                os.chown(own, self.uid, self.uid)
        others = self._others() if self.level == NONE and self.uid is None else 0
        disks = [WORK, "/dev/shm", *(["/tmp"] if not any(one.startswith("/tmp/") for one in readable_folders()) else [])]
        order = {
            "namespaces": self.level == BWRAP, "disks": disks, "folder": WORK, "own_folder": str(own), "disk": self.limits.disk,
            "limits": self.limits.by_name(others), "uid": self.uid, "wall": self.limits.wall + 1,
        }  # fmt: skip
        connection = self._warm(order) if self.fork else self._cold(order)
        channel = Channel(connection, self.limits, self._watch, until=time.monotonic() + self.limits.wall)
        self.channels.append(channel)
        return channel

    def _warm(self, order: dict[str, Any]) -> socket.socket:
        for attempt in (1, 2):
            if self.process is None or self.process.poll() is not None:
                self.close()
                self._start()
            ours, theirs = socket.socketpair()
            assert self.control is not None
            try:
                with theirs:
                    socket.send_fds(self.control, [json.dumps(order).encode()], [theirs.fileno()])
                return ours
            except OSError:  # somebody killed it: a new one
                ours.close()
                self.close()
                if attempt == 2:
                    raise
        raise AssertionError

    def _cold(self, order: dict[str, Any]) -> socket.socket:
        secret = secrets.token_hex(16)
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(60)
            call = f"cold({server.getsockname()[1]}, {secret!r})"
            self.colds.append(
                subprocess.Popen(
                    _python(str(self.library), call), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, env=_environment(str(self.folder)), start_new_session=True,
                )
            )  # fmt: skip
            connection, _ = server.accept()
        connection.settimeout(10)
        shown = b""
        while len(shown) < len(secret) + 1 and (more := connection.recv(len(secret) + 1 - len(shown))):
            shown += more
        if shown.strip() != secret.encode():
            raise CourseError("Something else connected to the grading room.", "start again.")
        connection.sendall((json.dumps(order) + "\n").encode())
        return connection

    # --- watching and ending

    def _processes(self) -> Iterator[Any]:
        import psutil

        for one in [self.process, *self.colds]:
            if one is not None and one.poll() is None:
                try:
                    parent = psutil.Process(one.pid)
                    yield from parent.children(recursive=True)
                    if one is not self.process:
                        yield parent
                except psutil.Error:
                    continue

    def _watch(self) -> str:
        """What is wrong with the processes in the room, or nothing. It looks five times a second."""
        import psutil

        if time.monotonic() < self.look:
            return ""
        self.look = time.monotonic() + 0.2
        memory = count = 0
        for process in self._processes():
            try:
                memory += _own_memory(process)
                count += 1
            except psutil.Error:
                continue
        if memory > self.limits.memory:
            return f"it took more than {self.limits.memory // MB} MB of memory"
        if count > self.limits.processes + 4:
            return "it started too many processes"
        return ""

    def _others(self) -> int:
        import psutil

        mine = os.getuid() if hasattr(os, "getuid") else -1
        count = 0
        for process in psutil.process_iter():
            try:
                count += process.num_threads() if process.uids().real == mine else 0
            except (psutil.Error, AttributeError):
                continue
        return count

    def finish(self, channel: Channel) -> bool:
        """End one exercise and wait until nothing of it runs. Returns whether something had been left running."""
        patience = time.monotonic() + 3
        channel.finish(patience)
        while self._running():
            if time.monotonic() > patience:
                self.close()
                return True
            time.sleep(0.02)
        for folder in self.folder.glob("work-*"):
            shutil.rmtree(folder, ignore_errors=True)
        return False

    def _running(self) -> Sequence[Any]:
        import psutil

        running = []
        for process in self._processes():
            try:
                if process.pid not in self.base and process.status() != psutil.STATUS_ZOMBIE:
                    running.append(process)
            except psutil.Error:
                continue
        return running

    def close(self) -> None:
        """Kill the warm parent and everything below it."""
        for channel in self.channels:
            channel.end("closed")
        self.channels.clear()
        if self.control is not None:
            self.control.close()
            self.control = None
        for one in [self.process, *self.colds]:
            if one is None:
                continue
            _end_below(one.pid)
            one.kill()
            one.wait()
        self.process, self.colds = None, []
        if self.level == NONE:
            self._end_strays()

    def _end_strays(self) -> None:
        """As root: whatever still runs as the room's own user, or lies where everybody may write."""
        import psutil

        if self.uid is None:
            return
        for process in psutil.process_iter():
            try:
                if process.uids().real == self.uid:
                    process.kill()
            except (psutil.Error, AttributeError):
                continue
        for path in (path for top in OPEN_FOLDERS if os.path.isdir(top) for path in Path(top).iterdir()):
            with contextlib.suppress(OSError):
                if path.lstat().st_uid == self.uid:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _own_memory(process: Any) -> int:
    """Bytes of memory that a process has beside files: on Linux its own and what it shares with others."""
    try:
        with open(f"/proc/{process.pid}/status", encoding="latin-1") as stream:
            found = re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", stream.read(), re.M)
        return sum(map(int, found)) * 1024
    except OSError:
        return int(process.memory_info().rss)


def _end_below(pid: int, patience: float = 5.0) -> None:
    """Stop, then kill, everything below a process, until nothing is left."""
    import psutil

    until = time.monotonic() + patience
    while time.monotonic() < until:
        try:
            victims = psutil.Process(pid).children(recursive=True)
        except psutil.Error:
            return
        if not [victim for victim in victims if _alive(victim)]:
            return
        for send in ("suspend", "kill"):
            for victim in victims:
                try:
                    getattr(victim, send)()
                except psutil.Error:
                    continue


def _alive(process: Any) -> bool:
    import psutil

    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
