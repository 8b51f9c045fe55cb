"""Grading on a Dask cluster: a scheduler and two workers as processes of their own."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attacks
import pytest
from classroom import options

from course_lib.errors import CourseError
from course_lib.grading import reports
from course_lib.grading.grade import grade_folder, read_results
from course_lib.grading.sandbox import BWRAP, NONE, bubblewrap_problem
from course_lib.places import PACKAGE

pytest.importorskip("distributed")
LEVEL = NONE if bubblewrap_problem() else BWRAP
PATIENCE = 300  # for processes to start on a machine that has much else to do


class Cluster:
    """A scheduler and its workers, started by the command line that people use."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, []
        self.file = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", self.file
        )
        until = time.monotonic() + PATIENCE
        while not self.file.exists() and time.monotonic() < until:
            assert self.scheduler.poll() is None, (self.folder / "scheduler-0.log").read_text()
            time.sleep(0.1)

    def _start(self, kind: str, *arguments: object, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", kind, *map(str, arguments)]
        paths = {"PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])}
        with (self.folder / f"{kind}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=os.environ | paths | environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    @property
    def address(self) -> str:
        import json

        return str(json.loads(self.file.read_text())["address"])

    def worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """One more worker, ready."""
        before = self.count()
        started = self._start(
            "worker",
            self.address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--local-directory",
            self.folder,
            **environment,
        )
        self.wait(before + 1)
        return started

    def count(self) -> int:
        from distributed import Client

        with Client(self.address, timeout=PATIENCE, set_as_default=False) as client:
            return len(client.nthreads())

    def wait(self, count: int) -> None:
        until = time.monotonic() + PATIENCE
        while self.count() != count:
            logs = {path.name: path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.log")}
            assert time.monotonic() < until, logs
            time.sleep(0.2)

    def end(self, process: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            pass
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        for process in reversed(self.processes):
            self.end(process)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.worker()
        made.worker()
        yield made
    finally:
        made.close()


@pytest.fixture
def few(tmp_path: Path) -> Path:
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(6):
        (folder / f"learner-{number}.ipynb").write_bytes(attacks.with_cell(attacks.RECALL if number % 2 else attacks.STUB))
    (folder / "broken.ipynb").write_bytes(b"{")
    return folder


def on(cluster: Cluster, **more: object):
    return dataclasses.replace(options(LEVEL), scheduler=cluster.address, **more)


def test_two_workers_of_a_cluster_write_the_gradebook_of_one_machine(cluster, few, tmp_path):
    books = {}
    for name, how in (("here", options(LEVEL)), ("there", on(cluster))):
        books[name] = tmp_path / f"{name}.csv"
        _, rows = grade_folder(few, reports.folder_of(books[name]), how)
        reports.write_reports(books[name], rows)
    assert books["there"].read_bytes() == books["here"].read_bytes()
    assert books["there"].read_text().count("\n") == 8


def test_a_run_goes_on_when_a_worker_is_killed(cluster, few, tmp_path):
    victim, killed = cluster.worker(), []

    def kill(done: int, total: int, left: float) -> None:
        if not killed:
            killed.append(done)
            cluster.end(victim, signal.SIGKILL)

    _, rows = grade_folder(few, tmp_path / "out", on(cluster), kill)
    assert killed and [row["state"] for row in rows] == ["not a notebook", *["graded"] * 6]
    assert len(read_results(tmp_path / "out")) == 7
    cluster.wait(2)


def test_a_worker_with_another_version_of_the_course_is_refused(cluster, few, tmp_path):
    other = tmp_path / "other" / "course_lib"
    other.mkdir(parents=True)
    for path in PACKAGE.iterdir():
        if path.name not in ("__init__.py", "__pycache__"):
            (other / path.name).symlink_to(path)
    text = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    from course_lib import __version__

    (other / "__init__.py").write_text(text.replace(__version__, "9.9"), encoding="utf-8")
    odd = cluster.worker(PYTHONPATH=str(other.parent))
    try:
        with pytest.raises(CourseError, match=f"differ: course ({__version__} and 9.9|9.9 and {__version__})"):
            grade_folder(few, tmp_path / "out", on(cluster))
        assert not (tmp_path / "out").exists()
    finally:
        cluster.end(odd)
        cluster.wait(2)


def test_a_worker_without_the_course_is_refused(cluster, few, tmp_path):
    empty = tmp_path / "empty" / "course_lib"
    empty.mkdir(parents=True)
    (empty / "__init__.py").write_text("")
    odd = cluster.worker(PYTHONPATH=str(empty.parent))
    try:
        with pytest.raises(CourseError, match="cannot grade"):
            grade_folder(few, tmp_path / "out", on(cluster))
    finally:
        cluster.end(odd)
        cluster.wait(2)


@pytest.mark.skipif(LEVEL == NONE, reason=str(bubblewrap_problem()))
def test_workers_that_are_not_isolated_alike_are_refused(cluster, few, tmp_path):
    (tmp_path / "bin").mkdir()
    for name in ("sh", "env"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    odd = cluster.worker(PATH=str(tmp_path / "bin"))  # no bwrap there
    try:
        with pytest.raises(CourseError, match="isolation"):
            grade_folder(few, tmp_path / "out", dataclasses.replace(on(cluster), sandbox="auto"))
        with pytest.raises(CourseError, match="bubblewrap is not installed"):
            grade_folder(few, tmp_path / "out", dataclasses.replace(on(cluster), sandbox="auto", require_sandbox=True))
    finally:
        cluster.end(odd)
        cluster.wait(2)


def test_a_cluster_that_is_not_there_is_named(few, tmp_path):
    with pytest.raises(CourseError, match="no Dask scheduler at"):
        grade_folder(few, tmp_path / "out", dataclasses.replace(options(LEVEL), scheduler="tcp://127.0.0.1:9"))


def test_a_scheduler_without_workers_is_named(few, tmp_path):
    alone = Cluster(tmp_path)
    try:
        with pytest.raises(CourseError, match="has no workers"):
            grade_folder(few, tmp_path / "out", on(alone))
    finally:
        alone.close()
