"""Grade a class: hand submissions to workers, keep every result as it comes, go on where a run was stopped."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import queue
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..exercises.registry import exercises_of
from ..places import PACKAGE
from ..workspace import atomic_write
from .intake import Submission, submissions
from .sandbox import Limits, choose_level

RESULTS, RUN = "results.jsonl", "run.json"


@dataclass(frozen=True)
class Options:
    """How a class is graded. ``seed`` −1 draws one; ``fork=False`` is how platforms without fork work."""

    lab: str = ""
    only: tuple[str, ...] = ()
    jobs: int = 1
    sandbox: str = "auto"
    require_sandbox: bool = False
    seed: int = -1
    resume: bool = False
    limits: Limits = Limits()
    fork: bool = hasattr(os, "fork")


def tests_hash(lab: str) -> str:
    """A hash of what decides: the exercises of a lab (of all for ""), and the judge."""
    names = (
        [f"exercises/lab_{lab}.py"]
        if lab
        else sorted(f"exercises/{path.name}" for path in (PACKAGE / "exercises").glob("lab_*.py"))
    )
    names += ["exercises/judge.py", "grading/verdict.py", "grading/splice.py"]
    return hashlib.sha256(b"\0".join((PACKAGE / name).read_bytes() for name in names)).hexdigest()[:16]


def environment_hash(level: str, limits: Limits) -> str:
    """A hash of what else could change a result: versions of Python, NumPy and the course, isolation, limits."""
    from importlib.metadata import PackageNotFoundError, version

    from .. import __version__

    try:
        numpy = version("numpy")
    except PackageNotFoundError:
        numpy = "none"
    return hashlib.sha256(json.dumps([sys.version, numpy, __version__, level, asdict(limits)]).encode()).hexdigest()[:16]


class Worker:
    """A worker process. Results come by :meth:`grade`; a process that dies or hangs is replaced."""

    def __init__(self, level: str, options: Options) -> None:
        self.level, self.options, self.process = level, options, None
        exercises = max((len(exercises_of(options.lab)) if options.lab else 4), 4)
        self.patience = 60 + exercises * (options.limits.wall + 10)

    process: subprocess.Popen[str] | None

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "course_lib.grading.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, encoding="utf-8", start_new_session=os.name == "posix",
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])},
        )  # fmt: skip
        assert process.stdin
        first = {"level": self.level, "limits": asdict(self.options.limits), "fork": self.options.fork}
        process.stdin.write(json.dumps(first) + "\n")
        process.stdin.flush()
        return process

    def grade(self, task: dict[str, Any]) -> dict[str, Any]:
        """Grade one submission, in a second worker if the first dies of it."""
        from .runner import broken

        for _ in (1, 2):
            self.process = self.process or self._start()
            try:
                assert self.process.stdin
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
        """End the process, and with it its room."""
        process, self.process = self.process, None
        if process is None:
            return
        if kill:
            _kill_tree(process)
        elif process.stdin:
            process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            _kill_tree(process)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


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


def _run_file(folder: Path, options: Options, level: str) -> dict[str, Any]:
    """What this run goes by; with ``resume`` that of the run to go on with. Raises :class:`CourseError` where they differ."""
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
            raise CourseError(
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


def grade_folder(
    source: Path, folder: Path, options: Options, on_done: Callable[[int, int, float], None] = lambda done, total, left: None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Grade all submissions in ``source`` and keep the results in ``folder``; returns what the run went by, and the rows.

    ``on_done(done, total, seconds left)`` is called after each. Raises :class:`CourseError` if grading cannot begin.
    """
    level = choose_level(options.sandbox, options.require_sandbox)
    arrived = submissions(source)
    folder.mkdir(parents=True, exist_ok=True)
    run = _run_file(folder, options, level)
    kept = read_results(folder) if options.resume else {}
    rows = {one.key: kept[one.key] for one in arrived if one.key in kept}
    left: queue.Queue[Submission] = queue.Queue()
    for one in arrived:
        if one.key not in rows:
            left.put(one)
    total, start, before = len(arrived), time.monotonic(), len(rows)
    lock, stopping = threading.Lock(), threading.Event()
    _mend_last_line(folder / RESULTS)
    with (folder / RESULTS).open("a", encoding="utf-8") as stream:

        def work() -> None:
            worker = Worker(level, options)
            try:
                while not stopping.is_set():
                    try:
                        one = left.get_nowait()
                    except queue.Empty:
                        break
                    row = _row(one, worker, options, run)
                    if stopping.is_set():
                        break
                    with lock:
                        _append(stream, row)
                        rows[one.key] = row
                        done = len(rows)
                        on_done(done, total, (time.monotonic() - start) / (done - before) * (total - done))
            finally:
                worker.close(kill=stopping.is_set())

        threads = [threading.Thread(target=work, daemon=True) for _ in range(max(1, min(options.jobs, left.qsize())))]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(0.1)
        except BaseException:
            stopping.set()
            before_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
            for thread in threads:
                thread.join(30)
            signal.signal(signal.SIGINT, before_handler)
            raise
    if len(rows) < total:
        raise CourseError(f"Only {len(rows)} of {total} submissions were graded.", "run the same command with --resume.")
    return run, [rows[one.key] for one in arrived]


def _mend_last_line(path: Path) -> None:
    """End a line that a killed run left half written, so that the next one stands alone."""
    if path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with path.open("ab") as stream:
            stream.write(b"\n")


def _row(one: Submission, worker: Worker, options: Options, run: dict[str, Any]) -> dict[str, Any]:
    from .runner import UNREADABLE, nothing

    if one.problem:
        result = {**nothing(options.lab, UNREADABLE, one.problem, options.only), "key": one.key, "seconds": 0.0}
    else:
        result = worker.grade(
            {
                "content": base64.b64encode(one.content).decode(),
                "seed": run["seed"],
                "lab": options.lab,
                "only": options.only,
                "key": one.key,
            }
        )
    return {
        "learner": one.learner, "file": one.name, "changed": one.changed, **result, "isolation": run["isolation"], "submission": one.sha256,
        "tests": run["tests"], "environment": run["environment"],
    }  # fmt: skip


def points(row: dict[str, Any]) -> tuple[int, int]:
    """What a row earned, and of how many points."""
    exercises: Sequence[dict[str, Any]] = row["exercises"]
    return sum(one["points"] for one in exercises), sum(one["of"] for one in exercises)
