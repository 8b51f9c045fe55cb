"""``course db start|stop|status``: what they say, and their exit codes."""

from __future__ import annotations

import numpy as np
import pytest
from of_servers import ROOT_USER
from typer.testing import CliRunner

from course_lib import cli
from course_lib.retrieval import Record
from course_lib.retrieval.stores import PostgresStore


def db(*arguments):
    result = CliRunner().invoke(cli.app, ["db", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def folder(server_folder, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(server_folder.parent))
    monkeypatch.delenv("COURSE_DSN", raising=False)
    return server_folder


def test_start_status_stop_each_twice(folder, template):
    code, says = db("status")
    assert code == 3 and "no database yet" in says and "course db start" in says
    code, says = db("stop")
    assert code == 0 and "does not run" in says
    assert not folder.exists()
    template(folder)
    code, says = db("status")
    assert code == 3 and "does not run" in says and str(folder) in says
    for again in (False, True):
        code, says = db("start")
        assert code == 0 and ("already" in says) is again
        assert "course db stop" in says and ("nobody" in says) is ROOT_USER
        dsn = next(line for line in says.splitlines() if line.startswith("Connection string: ")).split(": ", 1)[1]
    store = PostgresStore(dsn, 4, "numbers")
    store.add([Record("a", ""), Record("b", "")], np.eye(4)[:2])
    store.build_index()
    PostgresStore(dsn, 7, "empty").close()
    store.close()
    code, says = db("status")
    assert code == 0
    for part in (
        "PostgreSQL 18 runs",
        f"Folder: {folder} (",
        " MB)",
        dsn,
        "No program uses it now; it goes on until course db stop",
    ):
        assert part in says
    assert "Table empty: 0 rows, dimension 7, " in says and "exact search" in says
    assert "Table numbers: 2 rows, dimension 4, " in says and "HNSW index" in says
    code, says = db("stop")
    assert code == 0 and "Stopped." in says
    code, says = db("stop")
    assert code == 0 and "does not run" in says
    assert db("status")[0] == 3


def test_what_goes_wrong_is_said_without_a_traceback(open_folder, monkeypatch):
    (open_folder / "a file").write_text("")
    monkeypatch.setenv("COURSE_DATA", str(open_folder / "a file"))
    code, says = db("start")
    assert code == 1 and "Error:" in says and "What to do: set COURSE_DATA" in says


def test_another_server_that_the_labs_use_is_mentioned_without_its_password(folder, monkeypatch):
    monkeypatch.setenv("COURSE_DSN", "postgresql://me:hunter2@db.example/course")
    code, says = db("status")
    assert "the labs use me@db.example/course instead" in says and "hunter2" not in says
