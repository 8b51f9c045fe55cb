"""The built wheel is the whole course: it works in a fresh environment, in an empty folder, with no clone in reach."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(command: list[str | Path], **kwargs) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900, **kwargs
    )
    print(done.stdout[-3000:], done.stderr[-3000:])
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT])
    assert done.returncode == 0
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A new environment with the wheel in it (its dependencies are borrowed), and an empty folder."""
    folder = tmp_path_factory.mktemp("fresh")
    assert run([sys.executable, "-m", "venv", folder / "venv"]).returncode == 0
    scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    purelib = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).stdout.strip()
    # A path in a .pth file comes after the environment's own packages, and .pth files in it (the editable install) do not count.
    (Path(purelib) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert run([python, "-m", "pip", "install", "--no-deps", "--no-index", wheel]).returncode == 0
    (folder / "empty").mkdir()
    return scripts, folder / "empty"


def test_the_wheel_holds_labs_solutions_corpus_and_constraints(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "course_lib/bundled/labs/01_chunk_and_embed.ipynb",
        "course_lib/bundled/solutions/01_chunk_and_embed.ipynb",
        "course_lib/bundled/constraints.txt",
        "course_lib/corpus/quillfeather/docs/brewing/manual-corvid-e6.md",
        "course_lib/corpus/quillfeather/tickets/raw-air.jsonl",
        "course_lib/corpus/sqlite/NOTICE.md",
        "course_lib/corpus/sqlite/exam.jsonl",
        "course_lib/results/closed_book.json",
        "course_lib/room/page.html",
        "course_lib/room/room.css",
        "course_lib/room/room.js",
    ):
        assert wanted in names
    assert sum(name.startswith("course_lib/corpus/sqlite/docs/") for name in names) >= 150
    assert not [name for name in names if "tests/" in name or ".draft." in name or "__pycache__" in name]


def test_the_package_comes_from_the_wheel_and_imports_nothing_heavy(fresh):
    scripts, empty = fresh
    code = "import course_lib, sys; print(course_lib.__file__, {'torch', 'transformers', 'matplotlib', 'sklearn'} & set(sys.modules))"
    done = run([scripts / "python", "-c", code], cwd=empty)
    assert str(scripts.parent) in done.stdout and "set()" in done.stdout


def test_commands_work_without_a_clone(fresh, models):
    scripts, empty = fresh
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["COURSE_HOME"] = str(empty / "work")
    assert run([scripts / "course", "--help"], cwd=empty, env=environment).returncode == 0
    doctor = run([scripts / "course", "doctor"], cwd=empty, env=environment)
    assert "FIX" not in doctor.stdout and doctor.returncode == 0
    assert run([scripts / "course", "reset", "00", "--yes"], cwd=empty, env=environment).returncode == 0
    checked = run([scripts / "course", "check", "00"], cwd=empty, env=environment)
    assert checked.returncode == 1 and "00.1" in checked.stdout and "not attempted" in checked.stdout
    assert run([scripts / "course", "solution", "01"], cwd=empty, env=environment).returncode == 0
    assert (empty / "work" / "solutions" / "01_chunk_and_embed.ipynb").exists()
    building = run([scripts / "course", "build", "01"], cwd=empty, env=environment)
    assert building.returncode == 1 and "in a clone of the course" in building.stderr
