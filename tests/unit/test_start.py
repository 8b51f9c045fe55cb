"""start.py, run for real in a small project that installs without a network."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

START = Path(__file__).parents[2] / "start.py"

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "fake-course"
version = "1"
dependencies = []
"""

# A build backend in the project itself, so that pip needs nothing from anywhere.
BACKEND = """
import os, sys, time, zipfile

def make(folder, files):
    name = "fake_course-1-py3-none-any.whl"
    info = "fake_course-1.dist-info/"
    meta = "Metadata-Version: 2.1\\nName: fake-course\\nVersion: 1\\nProvides-Extra: test\\n"
    if os.path.exists("needs.txt"):
        meta += "Requires-Dist: " + open("needs.txt").read()
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(info + "METADATA", meta)
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: fake\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    if os.path.exists("slow.txt"):
        open("building.txt", "w").close()
        time.sleep(60)
    if os.path.exists("full.txt"):
        raise OSError(28, "No space left on device")
    return make(folder, {"course_lib/cli.py": open("course_lib/cli.py").read(), "course_lib/__init__.py": ""})

def build_editable(folder, config_settings=None, metadata_directory=None):
    runner = "import sys; print('pytest', sys.argv[1:]); sys.exit(7)"
    return make(folder, {"fake.pth": os.getcwd(), "pytest/__init__.py": "", "pytest/__main__.py": runner})
"""

CLI = """
import sys
print("course", sys.argv[1:], __file__)
sys.exit(5 if "five" in sys.argv else 0)
"""


@pytest.fixture(scope="module")
def start() -> ModuleType:
    """start.py as a module."""
    spec = importlib.util.spec_from_file_location("start_under_test", START)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_project(folder: Path) -> Path:
    """A course in miniature."""
    for name, text in {
        "pyproject.toml": PYPROJECT,
        "constraints.txt": "",
        "backend.py": BACKEND,
        "course_lib/cli.py": CLI,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "course_lib/__init__.py").touch()
    shutil.copy(START, folder)
    return folder


def run(project: Path, *arguments: str, python: str = sys.executable, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run start.py there, with no package index in reach."""
    env = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project)} | environment
    command = [python, "start.py", *arguments]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was started once."""
    folder = make_project(tmp_path_factory.mktemp("with space"))
    done = run(folder, "01", "--port", "9000")
    assert done.returncode == 0, done.stderr
    assert "course ['lab', '01', '--port', '9000']" in done.stdout
    assert ".venv" in done.stdout.splitlines()[-1]  # the installed course ran, not the one beside start.py
    return folder


def copy_project(project: Path, folder: Path) -> Path:
    """The same project with its environment somewhere else, faster than a new one."""
    make_project(folder)
    shutil.copytree(project / ".venv", folder / ".venv", symlinks=True)
    return folder


# --- which Python ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 6), (3, 10), (3, 14), (4, 0)])
def test_other_pythons_are_refused(start: ModuleType, version: tuple[int, int]) -> None:
    with pytest.raises(
        start.Trouble, match=rf"This is Python {version[0]}\.{version[1]} .*\n.*install Python 3\.13 from your system's"
    ):
        start.check_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_tested_pythons_are_welcome(start: ModuleType, version: tuple[int, int]) -> None:
    start.check_python(version)


def find_python(version: str) -> str:
    found = [str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")] + [
        shutil.which(f"python{version}") or ""
    ]
    for path in filter(None, found):
        asked = subprocess.run([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True)
        if asked.stdout.strip() == version:
            return path
    pytest.skip(f"no Python {version} on this machine")


@pytest.mark.parametrize("version", ["3.6", "3.8", "3.10", "3.14"])
def test_a_real_other_python_gets_the_sentence(tmp_path: Path, version: str) -> None:
    done = run(make_project(tmp_path), python=find_python(version))
    assert done.returncode == 1
    assert f"This is Python {version} " in done.stderr and "python.org's installer" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_without_ensurepip_it_names_the_package(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    with pytest.raises(start.Trouble, match="ensurepip is missing.\n.*apt install python3-venv"):
        start.check_modules()


# --- installing -----------------------------------------------------------------------------------------------------


def test_the_second_start_installs_nothing(project: Path) -> None:
    done = run(project, "five")
    assert done.stdout.startswith("course ['lab', 'five']"), done.stdout + done.stderr
    assert done.returncode == 5  # the course's own exit code


def test_a_changed_course_is_installed_again(project: Path) -> None:
    source = project / "course_lib/cli.py"
    source.write_text(CLI + "# changed\n")
    assert "Installing" in run(project).stdout
    installed = next((project / ".venv").glob("[lL]ib/**/course_lib/cli.py"))
    assert installed.read_text().endswith("# changed\n")
    source.write_text("raise SystemExit(9)")
    (project / "full.txt").touch()
    try:
        done = run(project)
        assert done.returncode == 0 and "The disk is full" in done.stderr
        assert "the version that was installed before is used" in done.stderr
    finally:
        (project / "full.txt").unlink()
        source.write_text(CLI)


def test_changed_constraints_are_installed_again(project: Path) -> None:
    run(project)
    (project / "constraints.txt").write_text("# another\n")
    assert "Installing" in run(project).stdout
    assert "Installing" not in run(project).stdout


def test_test_prepares_and_runs_pytest_on_an_editable_install(project: Path) -> None:
    done = run(project, "test", "-k", "this")
    assert done.returncode == 7
    assert "course ['prepare'] " + str(project / "course_lib") in done.stdout
    assert done.stdout.splitlines()[-1] == "pytest ['-k', 'this']"
    assert "Installing" not in run(project).stdout  # serves the course as well


def test_an_environment_whose_python_vanished_is_made_anew(
    project: Path, tmp_path: Path, start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_project(project, tmp_path) / ".venv"
    start.make_environment(str(folder))
    assert start.is_sound(str(folder)) and capsys.readouterr().out == ""
    for path in (folder / "bin").glob("python*"):
        path.unlink()
    (folder / "left").touch()
    commands: list[list[str]] = []
    monkeypatch.setattr(start, "wait_for", lambda command, said=None, environment=None: commands.append(command))
    start.make_environment(str(folder))
    assert "is broken: it is made anew" in capsys.readouterr().out
    assert commands == [[sys.executable, "-m", "venv", str(folder)]]
    assert [path.name for path in folder.iterdir()] == ["course-made-here"]


def test_a_folder_of_somebody_else_is_never_removed(tmp_path: Path) -> None:
    make_project(tmp_path / "project")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    done = run(tmp_path / "project", "--venv", str(theirs))
    assert done.returncode == 1 and "name another folder with --venv" in done.stderr
    assert [path.name for path in theirs.iterdir()] == ["thesis.txt"]


def test_a_package_that_cannot_be_had(
    project: Path, tmp_path: Path, start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_project(project, tmp_path)
    (tmp_path / "constraints.txt").write_text("# newer\n")
    (tmp_path / "needs.txt").write_text("no-such-package\n")
    done = run(tmp_path)
    assert done.returncode == 1
    said = done.stderr.split("Installing did not work.")[1]
    assert "No matching distribution found for no-such-package" in said
    assert all(word in said for word in ("connect to the internet", "HTTPS_PROXY", "PIP_INDEX_URL", "goes on from there"))
    assert (tmp_path / ".venv").exists() and not (tmp_path / ".venv/course-installed").exists()
    monkeypatch.setattr(start, "wait_for", lambda command, said=None, environment=None: 0)
    start.make_environment(str(tmp_path / ".venv"))
    assert "is unfinished: it is made anew" in capsys.readouterr().out


def test_what_pip_said_last_is_what_is_told(start: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["WARNING: Retrying", "ERROR: first", "ERROR: Could not find torch", "note: something"]
    assert "The reason given: Could not find torch\n" in start.explain(said, str(tmp_path), "It failed.", "mend it.")
    assert "no reason given" in start.explain([], str(tmp_path), "It failed.", "mend it.")
    full = start.explain(
        ["ERROR: Could not install: [Errno 28] No space left on device"], str(tmp_path / "not/there"), "It failed.", "mend it."
    )
    assert full.startswith("The disk is full") and "--venv" in full
    monkeypatch.setattr(start.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1))
    assert start.explain(["Error: ensurepip failed"], str(tmp_path), "It failed.", "mend it.").startswith("The disk is full")


def test_the_torch_index_is_asked_first(start: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(start, "make_environment", lambda folder: None)
    monkeypatch.setattr(start, "wait_for", lambda command, said=None, environment=None: calls.append(command) or 0)
    start.install(str(tmp_path), False, "https://torch.example/cpu")
    tails = [call[call.index("-c") :] for call in calls]
    assert tails == [
        ["-c", "constraints.txt", "--extra-index-url", "https://torch.example/cpu", "torch"],
        ["-c", "constraints.txt", "."],
    ]


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_stopped_while_installing(project: Path, tmp_path: Path) -> None:
    copy_project(project, tmp_path)
    (tmp_path / "constraints.txt").write_text("# newer\n")
    (tmp_path / "slow.txt").touch()
    env = os.environ | {"PIP_NO_INDEX": "1"}
    command = [sys.executable, "start.py"]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "building.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.rstrip().endswith("Stopped. Run the same command again: it goes on from here.")
    assert not (tmp_path / ".venv/course-installed").exists()  # so that the next start makes a new one
