"""Grade a class: hand submissions to workers, keep every result as it comes, go on where a run was stopped."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import queue
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..exercises.registry import exercises_of
from ..places import PACKAGE
from ..workspace import atomic_write
from .intake import Submission, submissions
from .sandbox import SLOWEST_START, Limits, choose_level

RESULTS, RUN = "results.jsonl", "run.json"
FOLDERS = "course-grading-"


class CannotResume(CourseError):
    """A run was begun in another way than it should go on."""


@dataclass(frozen=True)
class Options:
    """How a class is graded. ``seed`` −1 draws one; ``fork=False`` is how platforms without fork work.

    ``scheduler`` is the address of a Dask cluster to grade on, "" for this machine; ``seen`` holds, by key, when submissions that
    were here before had been handed in.
    """

    lab: str = ""
    only: tuple[str, ...] = ()
    jobs: int = 1
    sandbox: str = "auto"
    require_sandbox: bool = False
    seed: int = -1
    resume: bool = False
    limits: Limits = Limits()
    fork: bool = hasattr(os, "fork")
    scheduler: str = ""
    seen: Mapping[str, float] = field(default_factory=dict)


def tests_hash(lab: str) -> str:
    """A hash of what decides: the exercises of a lab (of all for ""), and the judge."""
    names = (
        [f"exercises/lab_{lab}.py"]
        if lab
        else sorted(f"exercises/{path.name}" for path in (PACKAGE / "exercises").glob("lab_*.py"))
    )
    names += ["exercises/judge.py", "grading/verdict.py", "grading/splice.py"]
    return hashlib.sha256(b"\0".join((PACKAGE / name).read_bytes() for name in names)).hexdigest()[:16]


def environment(level: str, limits: Limits) -> dict[str, str]:
    """What else could change a result: versions of Python, NumPy and the course, its programs for grading, isolation, limits."""
    from importlib.metadata import PackageNotFoundError, version

    from .. import __version__

    try:
        numpy = version("numpy")
    except PackageNotFoundError:
        numpy = "none"
    programs = hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted((PACKAGE / "grading").rglob("*.py"))))
    return {
        "course": __version__, "grading": programs.hexdigest()[:16], "isolation": level, "limits": json.dumps(asdict(limits)),
        "numpy": numpy, "python": f"{platform.python_implementation()} {platform.python_version()}",
    }  # fmt: skip


def environment_hash(level: str, limits: Limits) -> str:
    """A hash of :func:`environment`."""
    return hashlib.sha256(json.dumps(environment(level, limits)).encode()).hexdigest()[:16]


class Worker:
    """A worker process. Results come by :meth:`grade`; a process that dies or hangs is replaced."""

    def __init__(self, level: str, options: Options) -> None:
        self.level, self.options, self.process, self.folder = level, options, None, None
        exercises = max((len(exercises_of(options.lab)) if options.lab else 4), 4)
        self.patience = SLOWEST_START + 60 + exercises * (options.limits.wall + 10)

    process: subprocess.Popen[str] | None
    folder: Path | None

    def _start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{FOLDERS}{_machine()}-{os.getpid()}-"))
        self.folder.chmod(0o711)  # the room's own user passes through
        paths = os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.folder))
        self.process = process = subprocess.Popen(
            [sys.executable, "-m", "course_lib.grading.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, encoding="utf-8", start_new_session=os.name == "posix",
            env=os.environ | {"PYTHONPATH": paths} | temporary,
        )  # fmt: skip
        assert process.stdin
        first = {"level": self.level, "limits": asdict(self.options.limits), "fork": self.options.fork}
        process.stdin.write(json.dumps(first) + "\n")
        process.stdin.flush()

    def grade(self, task: dict[str, Any]) -> dict[str, Any]:
        """Grade one submission, in a second worker if the first dies of it."""
        from .runner import broken

        for _ in (1, 2):
            try:
                if self.process is None:
                    self._start()
                assert self.process and self.process.stdin
                self.process.stdin.write(json.dumps(task) + "\n")
                self.process.stdin.flush()
                if line := self._line():
                    return dict(json.loads(line))
            except (OSError, ValueError):
                pass
            self.close(kill=True)
        return {**broken(task["lab"], "the grading process stopped or hung on it"), "key": task["key"], "seconds": 0.0}

    def _line(self) -> str:
        assert self.process and self.process.stdout
        if os.name == "posix":
            if not select.select([self.process.stdout], [], [], self.patience)[0]:
                return ""
            return self.process.stdout.readline()
        lines: queue.Queue[str] = queue.Queue()
        stdout = self.process.stdout
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            return lines.get(timeout=self.patience)
        except queue.Empty:
            return ""

    def close(self, kill: bool = False) -> None:
        """End the process, and with it its room and its folder."""
        process, self.process = self.process, None
        folder, self.folder = self.folder, None
        if process is not None:
            self._end(process, kill)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _end(self, process: subprocess.Popen[str], kill: bool) -> None:
        if kill:
            _kill_tree(process)
        try:
            if process.stdin:
                process.stdin.close()
        except OSError:  # it is gone already, and what it started may not be
            _kill_tree(process)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            _kill_tree(process)
        if process.stdout:
            process.stdout.close()


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _kill_tree(process: subprocess.Popen[str]) -> None:
    import psutil

    try:
        victims = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        victims = []
    for victim in victims:
        try:
            victim.kill()
        except psutil.Error:
            continue
    process.kill()
    process.wait()


# --- the workers of this machine ------------------------------------------------------------------------------------

Task = dict[str, Any]  # "key", "content" in base64, "seed", "lab", "only"


def sweep(top: Path | None = None) -> None:
    """Remove the working folders that a killed run left in the temporary folder (POSIX; elsewhere none are recognised)."""
    import psutil

    first = f"{FOLDERS}{_machine()}-"
    for path in (top or Path(tempfile.gettempdir())).glob(f"{first}*"):
        owner = path.name.removeprefix(first).split("-")[0]
        try:
            mine = not path.is_symlink() and path.stat().st_uid == getattr(os, "getuid", lambda: -1)()
        except OSError:
            continue
        if mine and owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(path, ignore_errors=True)


def local_results(level: str, options: Options, tasks: Sequence[Task]) -> Generator[dict[str, Any], None, None]:
    """Results of tasks as workers of this machine give them, in the order in which they are done."""
    todo: queue.Queue[Task] = queue.Queue()
    done: queue.Queue[dict[str, Any]] = queue.Queue()
    for task in tasks:
        todo.put(task)
    stopping = threading.Event()

    def work() -> None:
        worker = Worker(level, options)
        try:
            while not stopping.is_set():
                try:
                    task = todo.get_nowait()
                except queue.Empty:
                    break
                done.put(worker.grade(task))
        finally:
            worker.close(kill=stopping.is_set())

    threads = [threading.Thread(target=work, daemon=True) for _ in range(max(1, min(options.jobs, len(tasks))))]
    for thread in threads:
        thread.start()
    given = 0
    try:
        while given < len(tasks):
            try:
                result = done.get(timeout=0.1)
            except queue.Empty:
                if any(thread.is_alive() for thread in threads) or not done.empty():
                    continue
                break  # all of them gave up
            given += 1
            yield result
        for thread in threads:
            thread.join(30)
    finally:
        if given < len(tasks):
            stopping.set()
            with _deaf():
                for thread in threads:
                    thread.join(30)


@contextmanager
def _deaf() -> Iterator[None]:
    """Without Ctrl-C, where this is the thread that hears it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# --- a run ----------------------------------------------------------------------------------------------------------


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """The results kept so far, by key; half a line at the end, of a run that was killed while writing, does not count."""
    kept = {}
    path = folder / RESULTS
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
            kept[str(row["key"])] = row
        except (ValueError, KeyError, TypeError):
            continue
    return kept


def _finished(folder: Path) -> dict[str, dict[str, Any]]:
    """The results that a resumed run does not make again: all but those of a grader that failed."""
    from .runner import BROKEN

    return {key: row for key, row in read_results(folder).items() if row.get("state") != BROKEN}


def _run_file(folder: Path, options: Options, level: str) -> dict[str, Any]:
    """What this run goes by; with ``resume`` that of the run to go on with. Raises :class:`CannotResume` where they differ."""
    path = folder / RUN
    now: dict[str, Any] = {
        "lab": options.lab, "cell": options.limits.cell, "only": list(options.only), "isolation": level, "tests": tests_hash(options.lab),
        "environment": environment_hash(level, options.limits),
    }  # fmt: skip
    if options.resume and path.exists():
        before = dict(json.loads(path.read_text(encoding="utf-8")))
        changed = [name for name, value in now.items() if before.get(name) != value]
        changed += ["seed"] if options.seed not in (-1, before["seed"]) else []
        if changed:
            raise CannotResume(
                f"The run in {folder} cannot be resumed: {', '.join(changed)} changed.", "grade anew, without --resume."
            )
        return before
    now["seed"] = options.seed if options.seed >= 0 else secrets.randbelow(1 << 31)
    (folder / RESULTS).unlink(missing_ok=True)
    atomic_write(path, json.dumps(now, indent=1).encode())
    return now


def _append(stream: Any, row: dict[str, Any]) -> None:
    """Add one line, on the disk before anything else happens."""
    stream.write(json.dumps(row) + "\n")
    stream.flush()
    os.fsync(stream.fileno())


Progress = Callable[[int, int, float], None]


def grade_folder(
    source: Path, folder: Path, options: Options, on_done: Progress = lambda done, total, left: None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Grade all submissions in ``source`` and keep the results in ``folder``; returns what the run went by, and the rows.

    ``on_done(done, total, seconds left)`` is called after each. Raises :class:`CourseError` if grading cannot begin.
    """
    return grade_all(submissions(source), folder, options, on_done)


def grade_all(
    arrived: Sequence[Submission], folder: Path, options: Options, on_done: Progress = lambda done, total, left: None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Grade submissions; see :func:`grade_folder`."""
    with ExitStack() as alone, hands_of(options) as (level, results):
        folder.mkdir(parents=True, exist_ok=True)
        alone.enter_context(_alone(folder))
        run = _run_file(folder, options, level)
        kept = _finished(folder) if options.resume else {}
        rows = {one.key: kept[one.key] for one in arrived if one.key in kept}
        left = {one.key: one for one in arrived if one.key not in rows}
        total, start, before = len(arrived), time.monotonic(), len(rows)
        _mend_last_line(folder / RESULTS)
        with (folder / RESULTS).open("a", encoding="utf-8") as stream:

            def keep(result: dict[str, Any]) -> None:
                row = _row(left[result["key"]], result, options, run)
                _append(stream, row)
                rows[row["key"]] = row
                done = len(rows)
                on_done(done, total, (time.monotonic() - start) / (done - before) * (total - done))

            for one in left.values():
                if one.problem:
                    keep(_unread(one, options))
            tasks = [_task(one, options, run["seed"]) for one in left.values() if not one.problem]
            with closing(results(tasks)) as coming:
                for result in coming:
                    keep(result)
    if missing := [one for one in arrived if one.key not in rows]:
        raise CourseError(f"{len(missing)} of {total} submissions were not graded.", "run the same command with --resume.")
    return run, [rows[one.key] for one in arrived]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else writes to the folder meanwhile. Raises :class:`CourseError` where somebody does."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise CourseError(f"Another run is writing to {folder}.", "wait for it, or choose another --out.") from None


@contextmanager
def hands_of(options: Options) -> Iterator[tuple[str, Callable[[Sequence[Task]], Generator[dict[str, Any], None, None]]]]:
    """The isolation there is and the function that grades: on this machine, or on the cluster that the options name.

    Raises :class:`CourseError` where the isolation or the cluster that is asked for cannot be had.
    """
    if options.scheduler:
        from .cluster import Cluster

        with Cluster(options) as cluster:
            yield cluster.level, cluster.results
    else:
        level = choose_level(options.sandbox, options.require_sandbox)
        sweep()
        yield level, lambda tasks: local_results(level, options, tasks)


def _mend_last_line(path: Path) -> None:
    """End a line that a killed run left half written, so that the next one stands alone."""
    if path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with path.open("ab") as stream:
            stream.write(b"\n")


def _unread(one: Submission, options: Options) -> dict[str, Any]:
    from .runner import UNREADABLE, nothing

    return {**nothing(options.lab, UNREADABLE, one.problem, options.only), "key": one.key, "seconds": 0.0}


def _task(one: Submission, options: Options, seed: int) -> Task:
    content = base64.b64encode(one.content).decode()
    return {"content": content, "seed": seed, "lab": options.lab, "only": options.only, "key": one.key}


def _row(one: Submission, result: dict[str, Any], options: Options, run: dict[str, Any]) -> dict[str, Any]:
    changed = options.seen.get(one.key, one.changed)
    return {
        "learner": one.learner, "file": one.name, "changed": changed, **result, "isolation": run["isolation"], "submission": one.sha256,
        "tests": run["tests"], "environment": run["environment"],
    }  # fmt: skip
