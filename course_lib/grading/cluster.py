"""Grading on a Dask cluster: the workers of :mod:`.grade`, started where the cluster's machines are; judging is the same.

Every machine must have the same course, the same versions and the same isolation, or nothing is graded: a row may not depend on
where it was made. A machine that joins later is held to that too.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import CourseError
from .grade import Options, Task, Worker, environment, tests_hash
from .sandbox import Limits, choose_level

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT, LONELY, IDLE = 30.0, 120.0, 60.0
"""Seconds: to reach the scheduler, to wait for a worker when all are gone, to keep a warm worker that nobody needs."""

SAME = "install the same version of the course, and the same isolation, on every machine of the cluster."


# --- on the cluster's machines --------------------------------------------------------------------------------------


def about(setting: Mapping[str, Any]) -> dict[str, str]:
    """What must be the same on all machines, or ``{"problem": …}`` where a machine cannot do what is asked for."""
    limits = Limits(**setting["limits"])
    try:
        level = choose_level(setting["sandbox"], setting["require_sandbox"])
        return {**environment(level, limits), "tests": tests_hash(setting["lab"])}
    except CourseError as error:
        return {"problem": error.what.rstrip(".")}


_lock = threading.Lock()
_seen: dict[str, dict[str, str]] = {}
_idle: dict[str, list[tuple[float, Worker]]] = {}


def grade_there(task: Task, setting: dict[str, Any], wanted: dict[str, str]) -> dict[str, Any]:
    """Grade one submission on this machine; ``{"refused": why}`` where the machine is not as it must be."""
    name = repr(sorted(setting.items()))
    with _lock:
        if name not in _seen:
            _seen[name] = about(setting)
        mine = _seen[name]
        free = _idle.setdefault(name, [])
        worker = free.pop()[1] if free else None
    if mine != wanted:
        return {"refused": difference(wanted, mine)}
    if worker is None:
        worker = Worker(wanted["isolation"], Options(lab=setting["lab"], limits=Limits(**setting["limits"])))
    try:
        return worker.grade(task)
    finally:
        with _lock:
            _idle[name].append((time.monotonic(), worker))
        timer = threading.Timer(IDLE + 1, close_idle)
        timer.daemon = True
        timer.start()


def close_idle(seconds: float = IDLE) -> None:
    """End the workers that had nothing to do for so many seconds."""
    old = []
    with _lock:
        for name, free in _idle.items():
            old += [worker for since, worker in free if time.monotonic() - since >= seconds]
            _idle[name] = [one for one in free if one[1] not in old]
    for worker in old:
        worker.close()


# --- on the instructor's --------------------------------------------------------------------------------------------


def difference(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """In what two machines differ.

    >>> difference({"course": "1", "numpy": "2.4"}, {"course": "2", "numpy": "2.4"})
    'course 1 and 2'
    >>> difference({"course": "1"}, {"problem": "bubblewrap is not installed"})
    'bubblewrap is not installed'
    """
    if problem := one.get("problem") or other.get("problem"):
        return problem
    names = sorted({*one, *other})
    return "; ".join(f"{name} {one.get(name)} and {other.get(name)}" for name in names if one.get(name) != other.get(name))


class Cluster:
    """A connection to a Dask scheduler whose workers grade. Raises :class:`CourseError` where they cannot, or not alike.

    Use it as a context manager. ``level`` is the isolation that all workers have.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.setting = {
            "sandbox": options.sandbox, "require_sandbox": options.require_sandbox, "lab": options.lab, "limits": asdict(options.limits),
        }  # fmt: skip
        self.client = self._connect(options.scheduler)
        try:
            self.wanted = self._alike(self._ask())
        except BaseException:
            self.client.close()
            raise
        self.level = self.wanted["isolation"]

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.client.close()

    @staticmethod
    def _connect(address: str) -> Client:
        try:
            from distributed import Client
        except ImportError:
            raise CourseError("--scheduler needs Dask.", 'pip install "open-book-closed-book[grade-cluster]"') from None
        try:
            return Client(address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise CourseError(
                f"There is no Dask scheduler at {address} ({type(error).__name__}).",
                "start one: dask scheduler, then dask worker ADDRESS",
            ) from error

    def _ask(self) -> dict[str, Any]:
        try:
            return dict(self.client.run(about, self.setting, on_error="return"))
        except Exception as error:  # a worker that lacks the course cannot even say so
            raise CourseError(f"The cluster cannot grade ({type(error).__name__}: {str(error)[:200]}).", SAME) from error

    def _alike(self, found: Mapping[str, Any]) -> dict[str, str]:
        if not found:
            raise CourseError(f"The scheduler at {self.options.scheduler} has no workers.", "start some: dask worker ADDRESS")
        for address, one in sorted(found.items()):
            if not isinstance(one, dict):
                raise CourseError(f"The worker {address} cannot grade ({type(one).__name__}: {str(one)[:200]}).", SAME)
            if "problem" in one:
                raise CourseError(f"The worker {address} cannot grade: {one['problem']}.", SAME)
        mine = environment("", self.options.limits) | {"tests": tests_hash(self.options.lab)}
        first = dict(found[min(found)])
        for address, one in sorted(found.items()):
            if one != first:
                raise CourseError(f"The workers {min(found)} and {address} differ: {difference(first, one)}.", SAME)
        ours = mine | {"isolation": first.get("isolation", "")}
        if ours != first:  # this machine judges nothing, but its gradebook says by what was graded
            raise CourseError(f"This machine and the workers differ: {difference(ours, first)}.", SAME)
        return first

    def results(self, tasks: Sequence[Task]) -> Generator[dict[str, Any], None, None]:
        """Results of tasks in the order in which they are done. A task whose worker is lost is done by another.

        Raises :class:`CourseError` where the cluster is gone or a worker is not like the others.
        """
        done: queue.Queue[Future] = queue.Queue()
        waiting, running = iter(tasks), dict[Any, tuple["Future", Task]]()
        run = secrets.token_hex(4)  # the scheduler may still know results of an earlier run
        ahead = 2 * sum(self.client.nthreads().values())

        def hand_out() -> None:
            task = next(waiting, None)
            if task is not None:
                future = self.client.submit(grade_there, task, self.setting, self.wanted, key=f"grade-{run}-{task['key']}")
                running[future.key] = (future, task)
                future.add_done_callback(done.put)

        try:
            for _ in range(max(1, ahead)):
                hand_out()
            lonely = time.monotonic()
            while running:
                try:
                    future = done.get(timeout=0.5)
                except queue.Empty:
                    if self._workers():
                        lonely = time.monotonic()
                    if time.monotonic() - lonely > LONELY:
                        raise CourseError(
                            "The cluster has no workers any more.", "start some, and run it again with --resume."
                        ) from None
                    continue
                _, task = running.pop(future.key)
                yield self._result(future, task)
                hand_out()
        finally:
            try:
                self.client.cancel([future for future, _ in running.values()], force=True)
            except Exception:  # the cluster is gone, and what it was doing with it
                pass

    def _workers(self) -> int:
        """How many there are now. Raises :class:`CourseError` where the scheduler has gone."""
        lost = CourseError("The connection to the Dask scheduler was lost.", "run it again with --resume.")
        if self.client.status != "running":
            raise lost
        try:
            return len(self.client.nthreads())
        except OSError as error:
            raise lost from error

    def _result(self, future: Future, task: Task) -> dict[str, Any]:
        from distributed import KilledWorker

        from .runner import broken

        try:
            result = dict(future.result())
        except KilledWorker:
            return {**broken(task["lab"], "several workers of the cluster were lost over it"), "key": task["key"], "seconds": 0.0}
        except Exception as error:
            raise CourseError(
                f"The cluster stopped grading ({type(error).__name__}: {str(error)[:200]}).", "run it again with --resume."
            ) from error
        if "refused" in result:
            raise CourseError(f"A worker that joined the cluster differs from the others: {result['refused']}.", SAME)
        return result
