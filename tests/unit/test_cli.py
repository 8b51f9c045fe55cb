"""The command line: what it says, and the codes it ends with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from course_lib import cli, jupyter, models, workspace
from course_lib.doctor import Finding
from course_lib.errors import CourseError

# The course with the labs of a test in the place of its own.
RUNNER = """
import pathlib, sys
import course_lib.workspace
top = pathlib.Path(sys.argv.pop(1))
course_lib.workspace.bundled = lambda name: top / name
from course_lib.cli import main
main()
"""


def notebook(*sources: str) -> str:
    cells = [{"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "outputs": [], "execution_count": None, "source": text}
             for n, text in enumerate(sources)]  # fmt: skip
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "mine", "display_name": ""}}, "cells": cells}
    )


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two labs as shipped; cache, progress and working copy in folders of the test; no model is needed."""
    top = tmp_path / "package"
    for folder in ("labs", "solutions"):
        (top / folder).mkdir(parents=True)
        for name in ("00_start_here", "01_chunk_and_embed"):
            (top / folder / f"{name}.ipynb").write_text(notebook(f"# {name}"))
    monkeypatch.setattr(workspace, "bundled", lambda name: top / name)
    for variable, folder in (("COURSE_CACHE", "cache"), ("COURSE_DATA", "data"), ("COURSE_HOME", "home")):
        monkeypatch.setenv(variable, str(tmp_path / folder))
    monkeypatch.setenv("COURSE_LM", "/models/a")
    monkeypatch.setenv("COURSE_EMBEDDER", "/models/b")
    monkeypatch.delenv("COURSE_DEBUG", raising=False)
    return top


@pytest.fixture
def home(package: Path, tmp_path: Path) -> Path:
    """The working copy."""
    workspace.update(tmp_path / "home")
    return tmp_path / "home"


def course(*arguments: str, **options: Any) -> tuple[int, str]:
    """Run a command in this process: exit code and everything it said."""
    result = CliRunner().invoke(cli.app, list(arguments), **options)
    return result.exit_code, result.output


def spawn(package: Path, *arguments: str) -> subprocess.Popen[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-c", RUNNER, str(package), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


# --- the ways to end ------------------------------------------------------------------------------------------------


def test_help_loads_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "nbclient", "jupyter_client", "course_lib.models"}
    code = f"import sys; from course_lib.cli import main\ntry: main()\nfinally: print('loaded', {heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("loaded set()\n")
    for command in ("lab", "doctor", "check", "progress", "solution", "reset", "prepare", "version", "build", "room", "start-at"):
        assert re.search(rf"\b{command}\b", done.stdout), command


def test_as_a_module_and_version() -> None:
    done = subprocess.run([sys.executable, "-m", "course_lib.cli", "version"], capture_output=True, text=True)
    assert done.returncode == 0 and re.fullmatch(r"open-book-closed-book \d+\.\d+\.\d+, Python 3\.1\d\.\d+\n", done.stdout)


def test_a_course_error_is_two_sentences_and_1(package: Path) -> None:
    assert course("lab", "nine") == (
        1,
        "Error: There is no lab 'nine'.\nWhat to do: choose one of 00_start_here, 01_chunk_and_embed.\n",
    )


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["lab", "--port", "99999"], ["lab", "--port", "x"], ["reset"], ["check", "--timeout", "0"]]
)
def test_usage_errors_are_2(package: Path, arguments: list[str]) -> None:
    code, said = course(*arguments)
    assert code == 2 and "Usage:" in said and "Traceback" not in said


def test_an_unexpected_error_is_one_line_unless_debugged(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a bug\nwith two lines")

    monkeypatch.setattr(workspace, "find_lab", broken)
    code, said = course("lab")
    assert (code, said) == (1, "Unexpected: ZeroDivisionError: a bug. Run: course doctor (or this again with --debug)\n")
    monkeypatch.setenv("COURSE_DEBUG", "1")
    code, said = course("lab")
    assert code == 1 and "Traceback" in said and said.endswith("(or this again with --debug)\n")


def test_debug_may_stand_anywhere(package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(workspace, "find_lab", lambda asked: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["course", "lab", "1", "--debug"])
    monkeypatch.setenv("COURSE_DEBUG", "0")  # so that it is put back afterwards
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1 and "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_130(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "prepare_models", interrupted)
    assert course("lab") == (130, "Stopped. Nothing is lost; the same command goes on from here.\n")


def test_no_colour_off_a_terminal_and_long_lines_are_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    cli.say("FIX", "[bold]no markup[/bold] " + "x" * 300, style="bold red")
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "[bold]no markup" in out and "\x1b" not in out


# --- models ---------------------------------------------------------------------------------------------------------


def test_stages_are_lines_off_a_terminal(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(source: Any, report: Any) -> bool:
        for stage, done in (("downloading", 0.1), ("downloading", 0.9), ("converting", 0.1), ("ready", 1.0)):
            report(stage, done)
        return True

    monkeypatch.delenv("COURSE_LM")
    monkeypatch.setattr(models, "prepare", fake)
    code, said = course("prepare")
    named = "language model SmolLM2-135M-Instruct"
    assert code == 0
    assert said.splitlines() == [
        f"{named}: downloading",
        f"{named}: converting",
        f"{named}: ready",
        "embedder: /models/b, as COURSE_EMBEDDER says",
    ]


def test_a_bar_never_runs_backwards() -> None:
    ends = [0.0]
    for start, end in cli.STAGES.values():
        assert ends[-1] <= end and start <= end
        ends.append(end)
    assert ends[-1] == 1.0


def test_prepare_finds_damage_that_only_a_hash_shows(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_LM")
    source = models.LANGUAGE_MODEL
    source.folder.mkdir(parents=True)
    weights = source.folder / "weights"
    weights.write_text("weights")
    models.files.write_manifest(source.folder, source)
    changed = weights.stat().st_mtime_ns
    weights.write_text("weighty")
    os.utime(weights, ns=(changed, changed))
    made: list[Any] = []
    monkeypatch.setattr(models, "prepare", lambda source, report: made.append(models.problem_with(source)))
    cli.prepare_models()
    assert made == []  # quick: size and date are as noted
    code, said = course("prepare")
    assert code == 0 and "weights does not match its hash; it is made anew" in said and made == ["manifest.json is missing"]


def test_a_cache_that_cannot_be_used(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_LM")
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    code, said = course("prepare")
    assert code == 1 and "cannot write to" in said and "set COURSE_CACHE" in said


# --- lab ------------------------------------------------------------------------------------------------------------


def listen() -> Any:
    import socket

    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


def test_a_busy_port_names_a_free_one(package: Path) -> None:
    with listen() as taken:
        port = taken.getsockname()[1]
        code, said = course("lab", "--port", str(port))
    assert code == 1 and f"Port {port} is in use." in said
    free = int(re.findall(r"--port (\d+)", said)[0])
    assert jupyter.port_problem(free) is None and free != port
    assert not Path(os.environ["COURSE_HOME"]).exists()  # said before anything was done


def test_no_port_is_free() -> None:
    with listen() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CourseError, match="is free"):
            jupyter.free_port(port, port)


@pytest.fixture
def server(package: Path) -> Iterator[tuple[subprocess.Popen[str], str, str, str]]:
    """A lab that is open: the process, its address, its token, and what was said so far."""
    rogue = Path(os.environ["COURSE_CACHE"]).parent / "rogue" / "kernels" / "python3"
    rogue.mkdir(parents=True)
    (rogue / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "rogue", "language": "python"}))
    os.environ["JUPYTER_PATH"] = str(rogue.parents[1])  # somebody's other kernel of the same name
    try:
        process = spawn(package, "lab", "1", "--no-browser", "--port", str(jupyter.free_port(18888, 18999)))
    finally:
        del os.environ["JUPYTER_PATH"]
    said = ""
    while not (found := re.search(r"(http://127\.0\.0\.1:\d+)/(\S+)\?token=(\w+)", said)):
        line = process.stdout.readline() if process.stdout else ""
        assert line, said
        said += line
    assert found[2] == "lab/tree/01_chunk_and_embed.ipynb"
    yield process, found[1], found[3], said
    if process.poll() is None:
        process.terminate()  # takes JupyterLab along
        process.communicate(timeout=30)


def get(address: str, token: str | None, data: bytes | None = None) -> str:
    headers = {"Authorization": f"token {token}"} if token else {}
    for _ in range(100):
        try:
            with urllib.request.urlopen(urllib.request.Request(address, data=data, headers=headers), timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.code)
        except OSError:
            time.sleep(0.1)
    raise AssertionError("no answer")


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_a_lab_opens_and_ctrl_c_closes_it(server: tuple[subprocess.Popen[str], str, str, str]) -> None:
    process, address, token, said = server
    assert "2 labs were copied to" in said and "JupyterLab starts on port" in said
    assert get(f"{address}/api/kernels", None) == "403"
    specs = json.loads(get(f"{address}/api/kernelspecs", token))["kernelspecs"]
    assert list(specs) == ["python3"] and specs["python3"]["spec"]["argv"][0] == sys.executable
    page = get(f"{address}/lab", token)
    assert '"@jupyterlab/apputils-extension:announcements"' in page and re.search(r'"news":\s*{"disabled":\s*true', page)
    assert json.loads(get(f"{address}/lab/api/update", token)) == {"notification": None}
    assert json.loads(get(f"{address}/lab/api/news", token)) == {"news": []}
    get(f"{address}/api/kernels", token, b'{"name": "python3"}')
    children = psutil.Process(process.pid).children(recursive=True)
    assert sum("ipykernel_launcher" in " ".join(child.cmdline()) for child in children) == 1
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert re.search(r"Stopped. Your work is in \S+home. To come back: course lab 01\n$", rest)
    assert psutil.wait_procs(children, timeout=5)[1] == []


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_a_closed_terminal_closes_the_lab(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang_up = "import os, signal, time; os.kill(os.getppid(), signal.SIGHUP); time.sleep(60)"
    monkeypatch.setattr(jupyter, "lab_command", lambda *_: [sys.executable, "-c", hang_up])
    before = signal.getsignal(signal.SIGHUP)
    started = time.monotonic()
    code, said = course("lab", "--folder", os.environ["COURSE_HOME"])
    assert code == 0 and time.monotonic() - started < 20
    assert said.endswith(f"To come back: course lab 00 --folder {os.environ['COURSE_HOME']}\n")
    assert signal.getsignal(signal.SIGHUP) == before


def test_jupyterlab_that_fails(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jupyter, "lab_command", lambda *_: [sys.executable, "-c", "raise SystemExit(3)"])
    code, said = course("lab")
    assert code == 1 and "JupyterLab stopped by itself (code 3)." in said


# --- reset and solution ---------------------------------------------------------------------------------------------


def test_reset_needs_a_yes(home: Path) -> None:
    mine = home / "01_chunk_and_embed.ipynb"
    mine.write_text("my work")
    code, said = course("reset", "1")
    assert code == 1 and "nobody is here to ask" in said and "--yes" in said and mine.read_text() == "my work"
    code, said = course("reset", "1", "--yes")
    kept = next((home / "backups").iterdir())
    assert code == 0 and said == f"{mine} is as it came. Your version is now {kept}\n" and kept.read_text() == "my work"


def test_reset_asks_on_a_terminal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = home / "01_chunk_and_embed.ipynb"
    mine.write_text("my work")
    monkeypatch.setattr(cli, "_somebody_is_here", lambda: True)
    code, said = course("reset", "1", input="n\n")
    assert code == 0 and said.endswith("Nothing was changed.\n") and mine.read_text() == "my work"
    code, said = course("reset", "1", input="y\n")
    assert code == 0 and mine.read_text() != "my work"


def test_a_solution_is_copied(home: Path) -> None:
    target = home / "solutions" / "01_chunk_and_embed.ipynb"
    assert course("solution", "1") == (0, f"{target}\n") and target.exists()
    target.write_text("changed")
    code, said = course("solution", "1")
    assert code == 0 and "The copy that you had changed is now" in said


# --- check and progress ---------------------------------------------------------------------------------------------

ALL_RIGHT = """
from course_lib import check as check_own
from course_lib.exercises.registry import exercises_of
check = lambda id, function: check_own(id, lambda *args: function(*args))
for one in exercises_of("00"):
    check(one.id, one.reference)
"""
FIRST_TWO = """
from course_lib import check as check_own
from course_lib.exercises.registry import exercises_of
check = lambda id, function: check_own(id, lambda *args: function(*args))
first, second, *_ = exercises_of("00")
check(first.id, first.misconceptions[0].wrong)
check(first.id, first.reference)
check(second.id, second.misconceptions[0].wrong)
"""


def test_check_shows_states_messages_and_errors(home: Path) -> None:
    mine = home / "00_start_here.ipynb"
    mine.write_text(notebook("# nothing\n", "", FIRST_TWO, "1 / 0", "import os; print(os.getcwd(), file=open('where.txt', 'w'))"))
    before = mine.read_bytes()
    code, said = course("check", "0")
    assert code == 1
    assert re.search(r"^  00\.1  passed +1 of 1 points", said, re.M) and re.search(r"^  00\.2  failed +0 of 2 points", said, re.M)
    assert re.search(r"^  00\.3  not attempted", said, re.M)
    assert "No check ran for 00.3." in said and "Likely: " in said
    assert "Code cell 3 (1 / 0) raised ZeroDivisionError: division by zero" in said
    assert mine.read_bytes() == before
    assert (home / "where.txt").read_text() == f"{home}\n"  # paths in a notebook mean what they mean in JupyterLab
    code, said = course("progress")
    assert code == 0 and "Lab 00: 1 of " in said and re.search(r"^In all: 1 of \d+ points$", said, re.M)


def test_check_is_0_when_everything_passes(home: Path) -> None:
    (home / "00_start_here.ipynb").write_text(notebook(ALL_RIGHT))
    code, said = course("check", "00")
    assert code == 0, said
    assert "failed" not in said and "not attempted" not in said


def test_check_stops_at_its_limit(home: Path) -> None:
    (home / "00_start_here.ipynb").write_text(notebook("import time", "time.sleep(60)", "print('never')"))
    code, said = course("check", "0", "--timeout", "1")
    assert code == 1 and "Stopped after 1 s, at code cell 2 (time.sleep(60))." in said and "KeyboardInterrupt" not in said


def test_check_survives_a_kernel_that_dies(home: Path) -> None:
    (home / "00_start_here.ipynb").write_text(notebook(ALL_RIGHT, "import os; os._exit(9)"))
    code, said = course("check", "0")
    assert code == 1 and "Python died at code cell 2" in said
    assert "failed" not in said and "not attempted" not in said  # what was checked before counts


@pytest.mark.parametrize("content", ["", '{"cells": [', "[]", '{"nbformat": 4, "nbformat_minor": 5, "cells": [{"source": "x"}]}'])
def test_check_of_what_is_no_notebook(home: Path, content: str) -> None:
    mine = home / "00_start_here.ipynb"
    mine.write_text(content)
    code, said = course("check", "0")
    assert code == 1 and f"Error: {mine} cannot be read as a notebook" in said and "course reset 00" in said


def test_check_without_a_working_copy(package: Path, tmp_path: Path) -> None:
    code, said = course("check", "--folder", str(tmp_path / "none"))
    assert code == 1 and "There are no labs of yours in" in said and "course lab 00 puts" in said
    code, said = course("check", "1", "--folder", str(tmp_path / "none"))
    assert code == 1 and "There is no 01_chunk_and_embed.ipynb of yours in" in said and "course lab 01 puts" in said


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_in_a_check(home: Path, package: Path) -> None:
    (home / "00_start_here.ipynb").write_text(notebook("open('running.txt', 'w').close()", "import time; time.sleep(60)"))
    process = spawn(package, "check", "0")
    deadline = time.monotonic() + 30
    while not (home / "running.txt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    kernels = psutil.Process(process.pid).children(recursive=True)
    assert kernels
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 130 and said.endswith("Stopped. Nothing is lost; the same command goes on from here.\n")
    assert psutil.wait_procs(kernels, timeout=5)[1] == []


def test_results_of_a_kernel_that_died_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "results"
    assert cli._read_results(path) == {}
    path.write_text(
        '{"id": "1", "state": "failed", "message": "a"}\n3\n{"id": "1", "state": "passed", "message": "b"}\n{"id": "2", "st'
    )
    assert cli._read_results(path) == {"1": ("passed", "b")}


# --- doctor and build -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "code", "last"),
    [("OK NOTE", 0, "Ready."), ("OK FIX", 1, "1 thing needs fixing."), ("FIX FIX", 1, "2 things need fixing.")],
)
def test_doctor_says_what_to_fix(package: Path, monkeypatch: pytest.MonkeyPatch, states: str, code: int, last: str) -> None:
    from course_lib import doctor

    monkeypatch.setattr(doctor, "diagnose", lambda folder: [Finding(state, f"about {state}") for state in states.split()])
    ended, said = course("doctor")
    assert ended == code and said.splitlines() == [f"{state:<4} about {state}" for state in states.split()] + [last]


def test_doctor_for_real(package: Path) -> None:
    code, said = course("doctor")
    assert all(line.startswith(("OK   ", "NOTE ", "FIX  ")) for line in said.splitlines()[:-1])
    for word in (
        "Python 3.1",
        "torch ",
        "GB of memory",
        "GB of disk",
        "language model",
        "embedder",
        "cache folder",
        "port 8888",
        "ipykernel",
    ):
        assert word in said, word
    assert code == int("\nFIX" in "\n" + said)


def test_build_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    from course_lib.notebooks import build

    calls: list[Any] = []
    monkeypatch.setattr(build, "main", lambda labs, run, check: calls.append((labs, run, check)) or 3)
    assert course("build", "00", "01", "--no-run")[0] == 3 and course("build", "--check")[0] == 3
    assert calls == [(["00", "01"], False, False), ([], True, True)]
