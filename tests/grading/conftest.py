"""The whole corpus is graded once for each level of isolation; the tests look at what came of it."""

from __future__ import annotations

import csv
import os
from typing import Any

import attacks
import pytest
from classroom import Class, hashes, options, processes

from course_lib.grading.grade import grade_folder
from course_lib.grading.reports import folder_of, write_reports
from course_lib.grading.sandbox import BWRAP, NONE, bubblewrap_problem


@pytest.fixture(scope="session", params=[BWRAP, NONE])
def graded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Class:
    """The corpus, graded."""
    if request.param == BWRAP and (problem := bubblewrap_problem()):
        pytest.skip(problem)
    folder = tmp_path_factory.mktemp("handed-in")
    folder.chmod(0o755)
    for one in attacks.CORPUS:
        attacks.write(one, folder)
    before, running = hashes(folder), processes()
    book = tmp_path_factory.mktemp("out") / "gradebook.csv"
    _, results = grade_folder(folder, folder_of(book), options(request.param))
    rows = write_reports(book, results)
    left = [str(pid) for pid in processes() - running]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["learner"], []).append(row)
    with book.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    os.sync()
    return Class(request.param, folder, book, by_name, table, before, hashes(folder), left)
