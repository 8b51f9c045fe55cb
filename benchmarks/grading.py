"""Grading side by side: ``course grade`` in its sandbox, plain nbval, nbgrader and otter-grader, on the same class.

    python benchmarks/grading.py                        30 submissions of lab 01, three rounds; some minutes on two cores
    python benchmarks/grading.py --submissions 2 --rounds 1 --systems ours nbval      a quick look

Everybody gets the same notebooks: the lab's imports, one cell for each exercise, answers that are right, wrong or missing. The rivals'
notebooks also have a check after each answer: it calls the function on the very cases that we use, public and hidden, and compares as we
do; these checks are ordinary cells of the learner's own process, as these tools have it. nbgrader and otter-grader live in environments
of this benchmark's own, made on the first run, with the NumPy and the kernel of this one.

    ours        course grade, one worker, bubblewrap required; the command as people call it, reports included
    nbval       pytest --nbval-lax, one process for all notebooks: what the course offers without `course grade`, no isolation
    nbgrader    nbgrader autograde for the whole class; preparing the assignment is not timed
    otter       otter run, once for each submission; preparing the tests is not timed

Measured is the wall time of the commands, divided by the number of submissions; rounds take turns. Each tool must fail exactly the
exercises that are not right, or the benchmark stops: a fast grader that grades wrongly would be no comparison.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from classes import RIGHT, make_class
from peers import installed_here, peers

SYSTEMS = ("ours", "nbval", "nbgrader", "otter")
LIBRARIES = {"nbgrader": "nbgrader==0.9.6", "otter": "otter-grader[grading]==7.0.0"}
ASSIGNMENT, SEED = "lab", 7

CHECKS = '''"""What the checks of the rivals call: the cases, what is right, and how results are compared."""

from __future__ import annotations

import json
import math
from pathlib import Path

from course_room import wire

{functions}

CASES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def right(id, function):
    """Whether a function is right on all cases of an exercise."""
    for case in CASES[id]["cases"]:
        given = wire.loads(case["input"])
        try:
            result = plain(function(*given["args"], **given["kwargs"]))
        except Exception as error:
            if case["raises"] != type(error).__name__:
                return False
            continue
        if case["raises"] or not agree(result, wire.loads(case["expected"]), CASES[id]["tolerance"]):
            return False
    return True
'''


# --- what everybody gets ---------------------------------------------------------------------------------------------


def write_checks(folder: Path, lab: str) -> None:
    """The helpers that exist while grading, and the rivals' checks, as importable modules."""
    from course_lib.exercises.judge import Raised, agree, call_or_error, plain, plain_key
    from course_lib.exercises.registry import exercises_of
    from course_lib.grading.library import make_library
    from course_lib.grading.room import wire
    from course_lib.grading.splice import grading_cases

    make_library(folder)
    data: dict[str, Any] = {}
    for one in exercises_of(lab):
        cases = []
        for case in grading_cases(one, SEED):
            truth = call_or_error(one.reference, case)
            raised = isinstance(truth, Raised)
            given = wire.dumps({"args": tuple(case.args), "kwargs": dict(case.kwargs)})
            cases.append(
                {
                    "input": given,
                    "raises": str(truth) if raised else "",
                    "expected": "null" if raised else wire.dumps(plain(truth)),
                }
            )
        data[one.id] = {"cases": cases, "tolerance": one.tolerance}
    functions = "\n\n".join(inspect.getsource(one) for one in (plain, plain_key, agree))
    (folder / "course_checks.py").write_text(CHECKS.replace("{functions}", functions), encoding="utf-8")
    (folder / "course_checks.json").write_text(json.dumps(data), encoding="utf-8")


def code(source: str, id: str, **metadata: Any) -> dict[str, Any]:
    """A code cell."""
    return {"cell_type": "code", "id": id, "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


def book(cells: list[dict[str, Any]], lab: str) -> dict[str, Any]:
    """A notebook."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"cells": cells, "metadata": {**kernel, "course": {"lab": lab}}, "nbformat": 4, "nbformat_minor": 5}


class Class:
    """The submissions: answers by learner and exercise, and how many of them are not right."""

    def __init__(self, lab: str, count: int) -> None:
        from course_lib.exercises.registry import LABS, exercises_of
        from course_lib.grading.library import PROVIDED
        from course_lib.grading.mutants import solution_of
        from course_lib.grading.runner import ALWAYS

        self.name = LABS[lab]
        self.exercises = exercises_of(lab)
        helpers = [text for one in self.exercises for text in solution_of(one)[1] if not text.startswith(("import ", "from "))]
        provided = [f"from course_lib.{module} import {', '.join(names)}" for module, names in PROVIDED.items()]
        self.imports = "\n".join(dict.fromkeys([ALWAYS, *provided, *helpers]))
        made = make_class(lab, count, SEED)
        self.answers: dict[str, dict[str, str]] = {}
        for learner, (notebook, kinds) in made.items():
            cells = {cell["metadata"].get("exercise"): cell["source"] for cell in notebook["cells"]}
            self.answers[learner] = {id: "".join(cells[id]) for id in kinds}
        self.failing = sum(kind != RIGHT for _, kinds in made.values() for kind in kinds.values())

    def cells(self, answers: dict[str, str], checks: bool) -> list[dict[str, Any]]:
        """The cells of a submission, with the rivals' checks or without."""
        made = [code(self.imports, "imports")]
        if checks:
            made.append(code("from course_checks import right", "checks"))
        for one in self.exercises:
            id = one.id.replace(".", "-")
            made.append(code(answers[one.id], f"exercise-{id}", exercise=one.id))
            if checks:
                made.append(code(f'assert right("{one.id}", {one.function})', f"check-{id}"))
        return made

    def write(self, folder: Path, checks: bool) -> list[Path]:
        """Write a folder for each learner; returns the notebooks."""
        paths = []
        for learner, answers in self.answers.items():
            paths.append(folder / learner / f"{self.name}.ipynb")
            paths[-1].parent.mkdir(parents=True)
            paths[-1].write_text(json.dumps(book(self.cells(answers, checks), self.name)), encoding="utf-8")
        return paths


# --- the systems: prepare once, then run and count what failed -------------------------------------------------------


class Ours:
    """``course grade``."""

    def __init__(self, top: Path, library: Path, them: Class) -> None:
        self.top, self.lab = top, them.exercises[0].lab
        them.write(top / "in", checks=False)

    def run(self, turn: int) -> None:
        out = self.top / f"book-{turn}.csv"
        command = [
            sys.executable,
            "-m",
            "course_lib.cli",
            "grade",
            self.top / "in",
            "--out",
            out,
            "--lab",
            self.lab,
            "--require-sandbox",
        ]
        subprocess.run([*command, "--seed", str(SEED)], check=True, stdout=subprocess.DEVNULL)

    def failed(self, turn: int) -> int:
        text = (self.top / f"book-{turn}" / "results.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        return sum(one["state"] != "passed" for row in rows for one in row["exercises"])


class Nbval:
    """``pytest --nbval-lax`` on all notebooks."""

    def __init__(self, top: Path, library: Path, them: Class) -> None:
        self.top, self.notebooks = top, them.write(top / "in", checks=True)
        self.environment = os.environ | {"PYTHONPATH": str(library)}

    def run(self, turn: int) -> None:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--nbval-lax",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junitxml={self.top / f'{turn}.xml'}",
        ]
        subprocess.run([*command, *self.notebooks], cwd=self.top, env=self.environment, stdout=subprocess.DEVNULL)

    def failed(self, turn: int) -> int:
        cases = ElementTree.parse(self.top / f"{turn}.xml").getroot().iter("testcase")
        return sum(case.find("failure") is not None or case.find("error") is not None for case in cases)


class Nbgrader:
    """``nbgrader autograde``."""

    def __init__(self, top: Path, library: Path, them: Class) -> None:
        self.python = peers("nbgrader", [LIBRARIES["nbgrader"], *installed_here("ipykernel", "numpy")])
        programs = os.pathsep.join([str(Path(self.python).parent), os.environ["PATH"]])  # it calls alembic by name
        self.top, self.environment = top, os.environ | {"PYTHONPATH": str(library), "PATH": programs}
        path = top / "source" / ASSIGNMENT / f"{them.name}.ipynb"
        path.parent.mkdir(parents=True)
        cells = them.cells(next(iter(them.answers.values())), checks=True)
        points = {one.id.replace(".", "-"): one.points for one in them.exercises}
        for cell in cells:
            kind, _, id = cell["id"].partition("-")
            graded = kind == "check"
            if id:
                about = {
                    "schema_version": 3,
                    "grade": graded,
                    "solution": not graded,
                    "locked": graded,
                    "task": False,
                    "grade_id": cell["id"],
                }
                cell["metadata"] = {"nbgrader": about | ({"points": points[id]} if graded else {})}
        path.write_text(json.dumps(book(cells, them.name)), encoding="utf-8")
        self._nbgrader("generate_assignment", ASSIGNMENT)
        released = json.loads((top / "release" / ASSIGNMENT / f"{them.name}.ipynb").read_text(encoding="utf-8"))
        for learner, answers in them.answers.items():
            for cell in released["cells"]:
                kind, _, id = cell["metadata"].get("nbgrader", {}).get("grade_id", "").partition("-")
                if kind == "exercise":
                    cell["source"] = answers[id.replace("-", ".")]
            path = top / "submitted" / learner / ASSIGNMENT / f"{them.name}.ipynb"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(released), encoding="utf-8")

    def _nbgrader(self, *arguments: str) -> None:
        subprocess.run(
            [self.python, "-m", "nbgrader", *arguments], cwd=self.top, env=self.environment, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, turn: int) -> None:
        self._nbgrader("autograde", ASSIGNMENT, "--force")

    def failed(self, turn: int) -> int:
        program = (
            "from nbgrader.api import Gradebook\n"
            "with Gradebook('sqlite:///gradebook.db') as book:\n"
            "    grades = [g for s in book.assignment_submissions('lab') for n in s.notebooks for g in n.grades]\n"
            "    print(sum((g.auto_score or 0) < g.max_score for g in grades))"
        )
        done = subprocess.run(
            [self.python, "-c", program], cwd=self.top, env=self.environment, check=True, capture_output=True, text=True
        )
        return int(done.stdout.split()[-1])


class Otter:
    """``otter run`` for each submission."""

    def __init__(self, top: Path, library: Path, them: Class) -> None:
        self.python = peers("otter", [LIBRARIES["otter"], *installed_here("ipykernel", "numpy")])
        self.top, self.environment = top, os.environ | {"PYTHONPATH": str(library)}
        self.notebooks = them.write(top / "in", checks=False)
        with zipfile.ZipFile(top / "autograder.zip", "w") as archive:
            archive.writestr("otter_config.json", json.dumps({"lang": "python", "print_summary": False}))
            for one in them.exercises:
                test = (
                    "from otter.test_files import test_case\n\nOK_FORMAT = False\n\n"
                    f"name = {one.id!r}\npoints = {one.points}\n\n\n"
                    f"@test_case(points={one.points}, hidden=False)\ndef test_all(env):\n"
                    f"    from course_checks import right\n\n    assert right({one.id!r}, env[{one.function!r}])\n"
                )
                archive.writestr(f"tests/{one.function}.py", test)

    def run(self, turn: int) -> None:
        for path in self.notebooks:
            out = self.top / f"out-{turn}" / path.parent.name
            out.mkdir(parents=True)
            command = [self.python, "-m", "otter", "run", path, "-a", self.top / "autograder.zip", "-o", out, "--no-logo"]
            subprocess.run(
                command, cwd=self.top, env=self.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    def failed(self, turn: int) -> int:
        count = 0
        for path in (self.top / f"out-{turn}").rglob("results.json"):
            tests = json.loads(path.read_text(encoding="utf-8"))["tests"]
            count += sum(one["score"] < one["max_score"] for one in tests if one.get("max_score"))
        return count


KINDS: dict[str, Any] = {"ours": Ours, "nbval": Nbval, "nbgrader": Nbgrader, "otter": Otter}


# --- the comparison --------------------------------------------------------------------------------------------------


def table(seconds: dict[str, list[float]], count: int) -> str:
    """Seconds per submission as ratios to the first system, round by round; the median and the range.

    >>> print(table({"nbval": [10.0, 20.0], "ours": [5.0, 16.0]}, 10))
    system      ratio to nbval       seconds a submission
    nbval       1.00                 1.50
    ours        0.65 (0.50–0.80)     1.05
    """
    base = next(iter(seconds))
    lines = [f"{'system':<12}{'ratio to ' + base:<21}seconds a submission"]
    for system, own in seconds.items():
        ratios = [one / other for one, other in zip(own, seconds[base])]
        spread = f" ({min(ratios):.2f}–{max(ratios):.2f})" if system != base and len(ratios) > 1 else ""
        lines.append(f"{system:<12}{f'{statistics.median(ratios):.2f}' + spread:<21}{statistics.median(own) / count:.2f}")
    return "\n".join(lines)


def main() -> None:
    """Prepare all, let them take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=30)
    parser.add_argument("--lab", default="01")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--json", type=Path, help="also write the measurements to this file")
    options = parser.parse_args()
    chosen = sorted(
        options.systems, key=lambda one: (one != "nbval", SYSTEMS.index(one))
    )  # plain nbval is what others are measured by
    top = Path(tempfile.mkdtemp(prefix="benchmark-grading-"))
    try:
        (top / "library").mkdir()
        write_checks(top / "library", options.lab)
        them = Class(options.lab, options.submissions)
        systems = {}
        for name in chosen:
            (top / name).mkdir()
            systems[name] = KINDS[name](top / name, top / "library", them)
        seconds: dict[str, list[float]] = {name: [] for name in chosen}
        for turn in range(options.rounds):
            for name in random.Random(turn).sample(chosen, len(chosen)):
                start = time.perf_counter()
                systems[name].run(turn)
                seconds[name].append(time.perf_counter() - start)
                failed = systems[name].failed(turn)
                print(
                    f"round {turn + 1}, {name}: {seconds[name][-1] / options.submissions:.2f} s a submission",
                    file=sys.stderr,
                    flush=True,
                )
                if failed != them.failing:
                    raise SystemExit(f"{name} failed {failed} answers, not {them.failing}: this is no comparison.")
    finally:
        shutil.rmtree(top, ignore_errors=True)
    print(table(seconds, options.submissions))
    total = options.submissions * len(them.exercises)
    print(
        f"{options.submissions} submissions of lab {options.lab}, {total} answers, {them.failing} not right; all tools agree on them."
    )
    if options.json:
        options.json.write_text(
            json.dumps({"submissions": options.submissions, "seconds": seconds}, indent=1) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
