"""The notebooks are what their sources say, and they run: solutions under nbval, labs to their end, all without a network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_lib.errors import CourseError
from course_lib.exercises.registry import LABS, exercises_of
from course_lib.notebooks import rules
from course_lib.notebooks.build import drift, main
from course_lib.notebooks.source import make_lab, read_source, remove_solution, without_markers

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def in_an_empty_network(command: list[str]) -> list[str]:
    """The command in a network namespace that has loopback and nothing else, where the machine allows one.

    It goes on as who it is: inside, a user who looks like root could not start PostgreSQL.
    """
    ways = [["--net"], ["--user", "--map-current-user", "--keep-caps", "--net"], ["--map-root-user", "--net"]]
    for way in ways if shutil.which("unshare") and shutil.which("ip") else []:
        wrapper = ["unshare", *way, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        if subprocess.run([*wrapper, "true"], capture_output=True).returncode == 0:
            return [*wrapper, *command]
    return command


def run_nbval(notebook: Path, tmp_path: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run one notebook under nbval, watched for network use; return the run and what was tried to reach."""
    log = tmp_path / "network.log"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE / "no_network"), os.environ.get("PYTHONPATH", "")]),
        "COURSE_NETWORK_LOG": str(log),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    environment.pop("COURSE_STRICT", None)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(notebook.parent),
        "-q",
        "-rA",
        *options,
        str(notebook),
    ]
    done = subprocess.run(
        in_an_empty_network(command),
        env=environment,
        capture_output=True,
        text=True,
        cwd=notebook.parent,
        timeout=2400,
        stdin=subprocess.DEVNULL,
    )
    print(done.stdout[-6000:], done.stderr[-2000:])
    return done, log.read_text() if log.exists() else ""


@pytest.mark.parametrize("lab", LABS)
def test_notebooks_are_what_their_source_makes(lab):
    assert drift(lab) == []


@pytest.mark.parametrize("lab", LABS)
def test_a_solution_passes_nbval_without_a_network(lab, tmp_path, models):
    solution = tmp_path / f"{LABS[lab]}.ipynb"
    shutil.copy(ROOT / "solutions" / solution.name, solution)
    done, reached = run_nbval(solution, tmp_path, "--nbval", "--nbval-cell-timeout=900")
    cells = sum(cell.cell_type == "code" for cell in nbformat.read(solution, 4).cells)
    assert done.returncode == 0
    assert f"{cells} passed" in done.stdout
    assert reached == ""


def skip_training(path):
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(r"^TRAIN = True$", "TRAIN = False", cell.source, flags=re.M)
    nbformat.write(notebook, path)


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_runs_to_its_end_and_only_complains_of_what_is_missing(lab, tmp_path, models):
    """Without training, as for a learner who takes the adapters that ship; the solutions above train."""
    path = tmp_path / f"{LABS[lab]}.ipynb"
    shutil.copy(ROOT / "labs" / path.name, path)
    skip_training(path)
    done, reached = run_nbval(path, tmp_path, "--nbval-lax", "--nbval-cell-timeout=900")
    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    checks = [number for number, cell in enumerate(code) if re.search(r"^check\(", cell.source, flags=re.M)]
    failed = [int(number) for number in re.findall(r"^FAILED .*Cell (\d+)", done.stdout, flags=re.M)]
    assert sorted(failed) == checks
    assert f"{len(code) - len(checks)} passed" in done.stdout
    for exercise in exercises_of(lab):
        assert f"{exercise.id} {exercise.title} · not attempted yet" in done.stdout
    assert reached == ""


def test_the_network_watch_notices(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)")]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "loud.ipynb"
    nbformat.write(notebook, path)
    done, reached = run_nbval(path, tmp_path, "--nbval-lax")
    assert done.returncode == 1
    assert "192.0.2.1" in reached


def test_a_wrong_answer_fails_its_cell_under_nbval(tmp_path, models):
    source = read_source(ROOT / "solutions" / "00_start_here.py")
    lab = make_lab(source)
    lab.cells = [
        cell for cell in lab.cells if "exercise" in cell.metadata or "check(" in cell.source or "import check" in cell.source
    ]
    lab.cells = [cell for cell in lab.cells if cell.cell_type == "code"][:3]
    lab.cells[1].source = 'def chat_messages(question, system):\n    return [{"role": "user", "content": question.strip()}]'
    path = tmp_path / "wrong.ipynb"
    nbformat.write(lab, path)
    done, _ = run_nbval(path, tmp_path, "--nbval-lax")
    assert done.returncode == 1 and "2 passed" in done.stdout
    assert "00.1 Ask politely · 0 of 3 public cases are right so far" in done.stdout


def test_labs_hold_no_answers_and_no_outputs():
    for stem in LABS.values():
        lab, solution = (nbformat.read(ROOT / folder / f"{stem}.ipynb", 4) for folder in ("labs", "solutions"))
        assert [cell.id for cell in lab.cells] == [cell.id for cell in solution.cells]
        for theirs, ours in zip(lab.cells, solution.cells):
            assert "SOLUTION" not in theirs.source + ours.source
            if theirs.cell_type == "code":
                assert theirs.outputs == [] and theirs.execution_count is None
            if "exercise" in theirs.metadata:
                assert "raise NotImplementedError" in theirs.source and "NotImplementedError" not in ours.source
        assert lab.metadata.kernelspec.name == "python3"
        assert all(cell.source.strip() for cell in lab.cells)


def test_cell_ids_stay_when_other_cells_change():
    path = ROOT / "solutions" / "00_start_here.py"
    before = {cell.source: cell.id for cell in read_source(path).cells}
    changed = path.read_text().replace(
        "# %% [markdown]\n# ## The model\n", "# %% [markdown]\n# A new cell.\n\n# %% [markdown]\n# ## The model\n"
    )
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / path.name
        other.write_text(changed)
        after = {cell.source: cell.id for cell in read_source(other).cells}
    assert len(after) == len(before) + 1
    assert all(after[source] == id for source, id in before.items())


# --- the generator refuses --------------------------------------------------------------------------------------------


def problems_after(change):
    source = read_source(ROOT / "solutions" / "01_chunk_and_embed.py")
    for cell in source.cells:
        cell.source = change(cell.source)
    return rules.source_problems(source, "01")


def test_the_source_as_it_is_has_no_problem():
    assert problems_after(lambda text: text) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("**You will**", "You may", "objectives"),
        ("75 minutes", "a while", "the lab's minutes"),
        ("75 minutes", "90 minutes", "add up to 75 minutes"),
        ("Before you run", "When you ran", "predict"),
        ('quiz("01")', 'print("01")', "a quiz"),
        ("## What you saw", "## The end", "recap"),
        ("**Where this breaks", "**Why this works", "Where this breaks"),
        ("**Next", "**Last", "pointer on"),
        ("*minute 23 · 13 minutes*", "", "no running clock"),
        ("●●○ · 12 minutes · 2 points", "12 minutes", "difficulty, minutes, points"),
        ('check("01.2", top_k)', "pass", 'no check("01.2"'),
        ('hint("01.3")', "", 'no hint("01.3")'),
        ("### Exercise 01.4 · Keep sentences whole", "### Exercise 01.4", "no heading"),
        ("import numpy as np", "import numpy as np\n" + "x = 1\n" * 31, "more than 30"),
    ],
)
def test_the_generator_refuses(old, new, complaint):
    found = problems_after(lambda text: text.replace(old, new))
    assert any(complaint in problem for problem in found), found


def test_the_generator_refuses_an_exercise_cell_without_id_or_markers():
    source = read_source(ROOT / "solutions" / "01_chunk_and_embed.py")
    cell = next(cell for cell in source.cells if cell.metadata.get("exercise") == "01.2")
    del cell.metadata["exercise"]
    assert any("has no exercise id" in problem for problem in rules.source_problems(source, "01"))
    with pytest.raises(CourseError, match="exactly one pair"):
        remove_solution("def f():\n    return 1", "01.2")


def test_a_recap_may_only_state_what_was_printed():
    notebook = nbformat.read(ROOT / "solutions" / "01_chunk_and_embed.ipynb", 4)
    assert list(rules.check_recap(notebook)) == []
    head, recap = notebook.cells[-1].source.split("## What you saw")
    notebook.cells[-1].source = f"{head}## What you saw{re.sub(r'0[.][0-9]+', '0.99', recap, count=1)}"
    assert list(rules.check_recap(notebook)) == ["the recap states 0.99, which no cell printed"]


def test_drift_is_noticed(tmp_path, monkeypatch):
    for name in ("labs", "solutions"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setattr("course_lib.notebooks.build.repository", lambda: tmp_path)
    assert drift("00") == []
    source = tmp_path / "solutions" / "00_start_here.py"
    source.write_text(source.read_text().replace("You cannot break anything", "You can break nothing"))
    assert len(drift("00")) == 2
    assert main(["00"], check=True) == 1
    main(["00"], run=False)
    assert [problem for problem in drift("00") if "in labs" in problem] == []


def test_the_solution_is_valid_after_markers_go():
    source = read_source(ROOT / "solutions" / "01_chunk_and_embed.py")
    for cell in without_markers(source).cells:
        if cell.cell_type == "code":
            compile(cell.source, "cell", "exec")


def test_notebook_files_hold_nothing_of_the_machine():
    for path in [*(ROOT / "labs").glob("*.ipynb"), *(ROOT / "solutions").glob("*.ipynb")]:
        notebook = json.loads(path.read_text())
        for cell in notebook["cells"]:
            assert set(cell["metadata"]) <= {"exercise", "tags"}
            for output in cell.get("outputs", []):
                told = "".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/plain", ""))
                assert not re.search(r"(?<![\w.~/])/(?:\w+/)+\w|[A-Z]:\\", told), told
