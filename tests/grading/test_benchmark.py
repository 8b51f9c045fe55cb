"""The benchmark of graders: its class, its checks and its table. The graders themselves are not timed here."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.exercises.registry import exercises_of

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("grading")
    finally:
        sys.path.remove(str(FOLDER))


@pytest.mark.parametrize("lab", ["01", "02"])
def test_the_checks_of_the_rivals_tell_right_from_wrong(benchmark, tmp_path, lab):
    """In a process that has the room's helpers and nothing else of the course, as their kernels have."""
    benchmark.write_checks(tmp_path, lab)
    them = benchmark.Class(lab, 4)
    cells = [them.cells(answers, checks=True) for answers in them.answers.values()]
    programs = [
        "\n\n".join(cell["source"].replace("assert right", "print(right") + ")" * ("assert" in cell["source"]) for cell in one)
        for one in cells
    ]
    said = []
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said += done.stdout.split()
    assert len(said) == 4 * len(exercises_of(lab)) and said.count("False") == them.failing and 0 < them.failing < len(said)


def test_a_class_is_the_same_each_time_and_worth_what_it_says(benchmark, tmp_path):
    classes = importlib.import_module("classes")
    one, other = (classes.write_class(tmp_path / name, "01", 5, seed=3) for name in "ab")
    assert one == other and len(one) == 5
    for learner, worth in one.items():
        notebook = json.loads((tmp_path / "a" / learner / "01_chunk_and_embed.ipynb").read_text())
        sources = {cell["metadata"].get("exercise"): "".join(cell["source"]) for cell in notebook["cells"]}
        for id, points in worth.items():
            assert bool(points) != ("NotImplementedError" in sources[id] or "return None" in sources[id])


def test_rounds_are_compared_with_the_plain_one(benchmark):
    text = benchmark.table({"nbval": [10.0, 20.0], "ours": [5.0, 16.0]}, 10)
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["nbval", "1.00", "1.50"],
        ["ours", "0.65", "(0.50–0.80)", "1.05"],
    ]
