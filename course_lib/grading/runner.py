"""Grade one submission: its clean notebooks run under nbval, whose kernel is a process in the grading room.

This process has the answers and never runs learner code; the kernel runs learner code and has no answers.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from ..errors import CourseError
from ..exercises.judge import FAILED, NOT_ATTEMPTED, PASSED
from ..exercises.registry import LABS, Exercise, exercises_of, get_exercise
from ..workspace import shipped_labs
from .find import Answer, guess_lab, locate, read_cells
from .sandbox import Channel, Room
from .splice import ASKS, CARRIED, LEARNER, QUESTION, grading_cases, splice, write_notebook
from .verdict import Verdict, judge_answers, verdict

ALWAYS = "import json, math, random, re\nfrom collections import Counter, defaultdict\nimport numpy as np"
"""Imports that an answer may use without making them, beside those of its lab."""

GRADED, UNREADABLE, NOTHING, OTHER_LAB, BROKEN = "graded", "not a notebook", "no exercise found", "another lab", "grader failed"


class RoomKernel:
    """What nbval takes for a Jupyter kernel: one process in the room."""

    def __init__(self, room: Room, exercise: str) -> None:
        self.room, self.exercise, self.messages, self.number = room, exercise, deque[dict[str, Any]](), 0
        self.channel: Channel = room.open()
        self.channel.read(30)  # "ready", or the channel has ended and says why
        self.stopped, self.questions = False, 0
        self.errors: list[dict[str, Any]] = []

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        """Send a cell; returns the number that its messages will carry."""
        self.number += 1
        self.questions += source.startswith(ASKS)
        self.channel.send({"id": self.number, "source": source})
        return str(self.number)

    def _put(self, msg_type: str, **content: Any) -> None:
        self.messages.append({"msg_type": msg_type, "content": content, "parent_header": {"msg_id": str(self.number)}})

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Read until the cell is done or nothing more will come; then its messages are there."""
        until = time.monotonic() + min(timeout or self.room.limits.cell, self.room.limits.cell)
        while True:
            message = self.channel.read(max(0.0, until - time.monotonic()))
            if message is None:
                says = self.channel.ended.detail if self.channel.ended else ""
                self._put("error", ename="Ended", evalue=says, traceback=[])
                break
            kind = message.get("kind")
            if kind == "done" and message.get("id") == self.number:
                break
            if kind == "stream":
                self._put("stream", name="stdout", text=str(message.get("text"))[:20_000])
            elif kind == "answers":
                self._put("display_data", data={"text/plain": "", "course/answers": str(message.get("text"))}, metadata={})
            elif kind == "error":
                if self.questions < 2:  # after that, what an error says may hold hidden inputs
                    self.errors.append(message)
                self._put("error", ename=str(message.get("raised")), evalue=str(message.get("says")), traceback=[])
        self._put("status", execution_state="idle")

    def get_message(self, stream: str = "iopub", timeout: float | None = None) -> dict[str, Any]:
        """The next message. Raises ``queue.Empty``."""
        if not self.messages:
            raise Empty
        return self.messages.popleft()

    def await_idle(self, parent_id: str, timeout: float) -> None:
        """Throw away what is left of a cell."""
        self.messages.clear()

    def is_alive(self) -> bool:
        """Whether it was not stopped yet; a dead process answers each cell with an error."""
        return not self.stopped

    def interrupt(self) -> None:
        """Not needed: a cell that takes too long ends the process."""

    def stop(self) -> None:
        """End the process and everything that it started."""
        if not self.stopped:
            self.stopped = True
            self.left_running = self.room.finish(self.channel)


class Grading:
    """A pytest plug-in: nbval's cells run in the room, the answers are judged here."""

    def __init__(self, room: Room, answers: dict[str, Answer], seed: int) -> None:
        self.room, self.answers, self.seed = room, answers, seed
        self.verdicts: dict[str, Verdict] = {}
        self.parts: dict[str, list[Any]] = {}
        self.kernels: list[RoomKernel] = []
        self.started: dict[str, float] = {}

    def kernel(self, name: str, **_: Any) -> RoomKernel:
        """In place of nbval's ``RunningKernel``; the name of the kernel says which exercise it serves."""
        exercise = name.removeprefix("course-")
        self.started[exercise] = time.perf_counter()
        self.kernels.append(RoomKernel(self.room, exercise))
        return self.kernels[-1]

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Whatever marks a learner's source carries, no cell is skipped; their own may raise, since the answers decide."""
        for item in items:
            tolerant = item.cell.metadata.get("course") in (CARRIED, LEARNER)
            item.options = {"skip": False, "check": False, "check_exception": tolerant}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: Any) -> Generator[None, None, None]:
        """After nbval ran a question, take the answers; after the last one, judge them: a wrong answer fails the cell."""
        yield
        if item.cell.metadata.get("course") != QUESTION:
            return
        exercise = get_exercise(item.parent.kernel.exercise)
        parts = self.parts.setdefault(exercise.id, [])
        parts.append(_answers(item.test_outputs))
        if len(parts) == 2:
            made = judge_answers(exercise, grading_cases(exercise, self.seed), _join(parts))
            self.verdicts[exercise.id] = made
            if made.state != PASSED:
                raise AssertionError(f"{exercise.id}: {made.message}")

    def finish(self, kernel: RoomKernel) -> None:
        """Stop a kernel; where its exercise has no verdict yet, say why."""
        kernel.stop()
        exercise, answer = get_exercise(kernel.exercise), self.answers[kernel.exercise]
        if exercise.id not in self.verdicts:
            self.verdicts[exercise.id] = verdict(exercise, FAILED, _why(kernel, exercise))
        made = self.verdicts[exercise.id]
        made.seconds = round(time.perf_counter() - self.started[exercise.id], 3)
        if kernel.left_running:
            answer.notes.append("! something was still running afterwards, and was ended")

    def pytest_runtest_teardown(self, item: Any, nextitem: Any) -> None:
        """End the processes of an exercise before the next begins."""
        if (nextitem is None or nextitem.parent is not item.parent) and item.parent.kernel is not None:
            self.finish(item.parent.kernel)


def _answers(outputs: Sequence[Any] | None) -> Any:
    for output in reversed(outputs or []):
        if text := output.get("data", {}).get("course/answers"):
            try:
                return json.loads(text)
            except (ValueError, RecursionError, MemoryError):
                return None
    return None


def _join(parts: Sequence[Any]) -> Any:
    """The answers to the public and to the hidden question, as one."""
    if any(isinstance(part, dict) and "no function" in part for part in parts):
        return {"no function": None}
    lists = [part["answers"] for part in parts if isinstance(part, dict) and isinstance(part.get("answers"), list)]
    return {"answers": [entry for one in lists for entry in one]} if len(lists) == len(parts) else None


def _why(kernel: RoomKernel, exercise: Exercise) -> str:
    """Why no answers came, in a sentence for the learner."""
    ended = kernel.channel.ended
    if ended and ended.reason not in ("", "finished"):
        return f"No result: {ended.detail}."
    for error in kernel.errors:
        name, says, line = str(error.get("raised"))[:80], str(error.get("says"))[:200], str(error.get("line"))[:120]
        at = f" in line {str(error['number'])[:8]}" if error.get("number") else ""
        if name != "NameError" or exercise.function not in says:
            return f"The cell raised {name}: {says}{at}" + (f": {line}" if line else "")
    return f"The cell defines no function {exercise.function}."


def run_nbval(notebooks: Sequence[Path], folder: Path, plugin: Grading) -> None:
    """Run notebooks under nbval with a plug-in of ours. What pytest prints is not needed."""
    import nbval.plugin

    before, nbval.plugin.RunningKernel = nbval.plugin.RunningKernel, plugin.kernel
    plugins = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    arguments = ["-p", "nbval.plugin", "--nbval-lax", f"--nbval-cell-timeout={plugin.room.limits.wall}"]
    arguments += ["--color=no", "-q", "--tb=no"]
    arguments += ["-c", os.devnull, f"--rootdir={folder}", f"--confcutdir={folder}", "--capture=no"]
    idle = "cacheprovider doctest unraisableexception threadexception warnings logging faulthandler pastebin stepwise junitxml"
    for name in idle.split():
        arguments += ["-p", f"no:{name}"]  # parts of pytest that take time and do nothing here
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            pytest.main([*arguments, *map(str, notebooks)], plugins=[plugin])
    finally:
        nbval.plugin.RunningKernel = before
        os.environ.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
        os.environ.update({} if plugins is None else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": plugins})
        for kernel in plugin.kernels:
            kernel.stop()


def lab_cells(lab: str) -> list[str]:
    """The code cells of a lab as handed out, without its exercises."""
    path = shipped_labs().get(lab)
    cells = read_cells(path.read_bytes())[0] if path else []
    return [ALWAYS, *(cell.source for cell in cells if cell.kind == "code" and not cell.exercise)]


def grade_notebook(content: bytes, room: Room, seed: int, lab: str = "", only: Sequence[str] = ()) -> dict[str, Any]:
    """Grade one notebook. Never raises for what a submission holds: the result's ``state`` and ``reason`` say what it was.

    ``lab`` is the one expected ("" for whichever it is), ``only`` limits the exercises.
    """
    notes: list[str] = []
    try:
        cells, named, version = read_cells(content)
    except ValueError as error:
        return nothing(lab, UNREADABLE, str(error), only)
    here = named or guess_lab(cells)
    if not here:
        return nothing(lab, NOTHING, "no exercise of any lab was found in it", only)
    exercises = [one for one in exercises_of(lab or here) if not only or one.id in only]
    answers = locate(cells, exercises, lab_cells(lab or here))
    if not any(answer.found for answer in answers.values()):
        says = f"this is lab {here} ({LABS[here]})" if lab and here != lab else "none of its exercises was found"
        return nothing(lab or here, OTHER_LAB if lab and here != lab else NOTHING, says, only)
    if (shipped := shipped_labs().get(lab or here)) and version and version != read_cells(shipped.read_bytes())[2]:
        notes.append("made from another version of the lab")
    plugin = Grading(room, answers, seed)
    folder = Path(tempfile.mkdtemp(prefix="course-notebooks-"))
    try:
        paths = []
        for exercise in exercises:
            if answers[exercise.id].found:
                paths.append(folder / f"exercise-{exercise.id.replace('.', '-')}.ipynb")
                write_notebook(splice(answers[exercise.id], exercise, seed), paths[-1])
        run_nbval(paths, folder, plugin)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _result(lab or here, GRADED, "", exercises, answers, plugin.verdicts, notes)


def nothing(lab: str, state: str, reason: str, only: Sequence[str] = ()) -> dict[str, Any]:
    """The result of a submission in which there is nothing to grade, and why."""
    exercises = [one for one in (exercises_of(lab) if lab else []) if not only or one.id in only]
    return _result(lab, state, reason, exercises, {}, {}, [])


def _result(
    lab: str,
    state: str,
    reason: str,
    exercises: Sequence[Exercise],
    answers: dict[str, Answer],
    verdicts: dict[str, Verdict],
    notes: list[str],
) -> dict[str, Any]:
    rows = []
    for exercise in exercises:
        answer = answers.get(exercise.id)
        if exercise.id in verdicts:
            made = verdicts[exercise.id]
        elif answer is None or not answer.found:
            made = verdict(exercise, NOT_ATTEMPTED, "There is no cell that answers it.")
        else:
            made = verdict(exercise, FAILED, "It could not be run.")
            state, reason = BROKEN, f"exercise {exercise.id} could not be run"
        made.way, made.notes = (answer.way, answer.notes) if answer else ("", [])
        rows.append(made.as_dict())
    return {"lab": lab, "state": state, "reason": reason, "notes": notes, "exercises": rows}


def broken(lab: str, reason: str) -> dict[str, Any]:
    """The result of a submission that could not be graded for a reason that is not its own."""
    try:
        return nothing(lab, BROKEN, reason)
    except CourseError:
        return nothing("", BROKEN, reason)
