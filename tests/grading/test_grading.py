"""The parts of grading, one by one, and a run from release to gradebook."""

from __future__ import annotations

import copy
import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import attacks
import psutil
import pytest
from classroom import LIMITS, SEED, options, processes
from typer.testing import CliRunner

from course_lib import cli
from course_lib.errors import CourseError
from course_lib.exercises.judge import call_or_error, plain
from course_lib.exercises.registry import LABS, exercises_of
from course_lib.grading import find, library, release, reports
from course_lib.grading.grade import grade_folder, read_results
from course_lib.grading.room import wire
from course_lib.grading.sandbox import BWRAP, NONE, OPEN_FOLDERS, Room, bubblewrap_problem, choose_level
from course_lib.grading.splice import grading_cases, questions, splice
from course_lib.grading.verdict import judge_answers
from course_lib.workspace import shipped_labs

ALL = [exercise for lab in LABS for exercise in exercises_of(lab)]
LEVEL = NONE if bubblewrap_problem() else BWRAP
walled = pytest.mark.skipif(LEVEL == NONE, reason=str(bubblewrap_problem()))


def answers_of(function, cases):
    entries = []
    for case in cases:
        result = call_or_error(function, case)
        raised = type(result).__name__ == "Raised"
        entries.append(
            {"raised": str(result), "says": "", "line": ""} if raised else {"returned": json.loads(wire.dumps(result))}
        )
    return {"answers": entries}


# --- judging, for every exercise -------------------------------------------------------------------------------------


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_right_answers_survive_the_wire_and_wrong_ones_are_named(exercise):
    cases = grading_cases(exercise, SEED)
    assert judge_answers(exercise, cases, answers_of(exercise.reference, cases)).points == exercise.points
    for other in exercise.alternatives:
        assert judge_answers(exercise, cases, answers_of(other, cases)).points == exercise.points
    for misconception in exercise.misconceptions:
        made = judge_answers(exercise, cases, answers_of(misconception.wrong, cases))
        assert made.points == 0 and made.misconception and made.message


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_the_kernel_gets_inputs_and_no_expected_result(exercise):
    cases = grading_cases(exercise, SEED)
    sent = wire.loads(eval(questions(exercise, SEED)[1].split(", ", 1)[1][:-1]))
    hidden = cases[len(exercise.public) :]
    assert len(sent) == len(hidden)
    assert all(set(one) == {"args", "kwargs"} for one in sent)
    for one, case in zip(sent, hidden):
        packed = [json.loads(wire.dumps(value)) for value in (one["args"], copy.deepcopy(case.args))]
        assert packed[0] == packed[1]
    expected = [plain(call_or_error(exercise.reference, case)) for case in hidden]
    got = [
        plain(exercise.reference(*one["args"], **one["kwargs"])) for one, e in zip(sent, expected) if type(e).__name__ != "Raised"
    ]
    assert len(got) > 0


@pytest.mark.parametrize(
    "answers", [None, [], 3, {}, {"answers": []}, {"answers": [[]] * 41}, {"answers": [{"returned": {"array": 1}}] * 41}]
)
def test_malformed_answers_earn_nothing(answers):
    exercise = next(one for one in ALL if one.id == "01.3")
    assert judge_answers(exercise, grading_cases(exercise, SEED), answers).points == 0


# --- the room's library ----------------------------------------------------------------------------------------------


def test_no_reference_is_in_the_room(tmp_path):
    library.make_library(tmp_path)
    text = "\n".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.py"))
    for exercise in ALL:
        assert f"def {exercise.function}" not in text
        assert exercise.reference.__name__ == "<lambda>" or f"def {exercise.reference.__name__}" not in text


def test_the_room_provides_what_the_solutions_use():
    import ast

    from course_lib.notebooks.source import read_source

    given = {name for names in library.PROVIDED.values() for name in names} | {"check", "hint", "quiz", "progress"}
    for path in sorted((Path(library.PACKAGE).parent / "solutions").glob("*.py")):
        cells = [cell for cell in read_source(path).cells if cell.cell_type == "code"]
        trees = [tree for cell in cells if (tree := find.parse(cell.source)[1])]
        imported = {
            alias.asname or alias.name
            for tree in trees for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("course_lib") for alias in node.names
        }  # fmt: skip
        for cell in cells:
            if cell.metadata.get("exercise"):
                used = {node.id for node in ast.walk(find.parse(cell.source)[1]) if isinstance(node, ast.Name)}
                assert used & imported <= given, path.name


def test_a_provided_name_that_needs_the_course_is_refused():
    with pytest.raises(CourseError, match="leads out"):
        library.extract("from ..errors import CourseError\ndef f():\n    raise CourseError", ("f",))
    with pytest.raises(CourseError, match="no nothing"):
        library.extract("x = 1", ("nothing",))


# --- the room --------------------------------------------------------------------------------------------------------


def run(room, *sources, seconds=20):
    channel = room.open()
    said = [channel.read(seconds)]
    for number, source in enumerate(sources):
        channel.send({"id": number, "source": source})
        while (message := channel.read(seconds)) is not None and message["kind"] != "done":
            said.append(message)
    room.finish(channel)
    return [message for message in said if message and message["kind"] != "ready"]


@walled
def test_behind_the_wall_there_is_nothing_to_see_or_reach():
    source = "import os\nprint(sorted(os.listdir('/')), os.listdir('/work'), os.listdir('/room'), os.path.exists({0!r}), os.path.exists({1!r}))"
    with Room(BWRAP, LIMITS) as room:
        text = run(room, source.format(str(library.PACKAGE / "exercises"), __file__))[0]["text"]
        assert "False False" in text and "'home'" not in text and "course_lib" in text or "course_room" in text
        for attempt in ("open('/room/x', 'w')", "open('/x', 'w')", "open('/usr/x', 'w')"):
            assert run(room, attempt)[0]["raised"] in ("OSError", "PermissionError")
        assert run(room, "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)")[0]["kind"] == "error"


def test_calls_that_no_answer_needs_are_refused():
    calls = [
        "unshare(0x10000000)",
        "memfd_create(b'x', 0)",
        "shmget(0, 1 << 20, 0o600)",
        "semget(77, 1, 0o1600)",
        "msgget(77, 0o1600)",
        "ptrace(16, 1, 0, 0)",
        "setuid(0)",
        "mount(b'x', b'/', b'tmpfs', 0, 0)",
    ]
    with Room(LEVEL, LIMITS) as room:
        said = run(room, "import ctypes, socket\nc = ctypes.CDLL(None)\n" + "\n".join(f"print(c.{call})" for call in calls))
        assert said[0]["text"].split() == ["-1"] * len(calls)
        assert run(room, "import socket; socket.socket()")[0]["raised"] == "PermissionError"
        assert (
            run(room, "import threading\nt = threading.Thread(target=print, args=(1,)); t.start(); t.join()")[0]["text"] == "1\n"
        )


@walled
def test_what_one_exercise_leaves_the_next_does_not_find():
    with Room(BWRAP, LIMITS) as room:
        run(
            room,
            "open('note.txt', 'w').write('x'); import builtins, os; builtins.secret = 1\nfor p in ('/tmp', '/dev/shm'):\n  try: open(p + '/note', 'w')\n  except OSError: pass",
        )
        found = run(
            room,
            "import os, builtins; print(os.listdir('.'), hasattr(builtins, 'secret'), [p for p in ('/tmp/note', '/dev/shm/note') if os.path.exists(p)])",
        )
        assert found[0]["text"].strip() == "[] False []"


@walled
def test_killing_everything_in_sight_ends_oneself_only():
    with Room(BWRAP, LIMITS) as room:
        run(room, "import os, signal\nos.kill(-1, signal.SIGKILL)")
        first = room.process
        assert run(room, "print(6 * 7)")[0]["text"] == "42\n"
        assert room.process is first


def test_a_room_that_was_killed_is_replaced():
    with Room(LEVEL, LIMITS) as room:
        assert run(room, "print(1)")[0]["text"] == "1\n"
        room.process.kill()
        room.process.wait()
        assert run(room, "print(2)")[0]["text"] == "2\n"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="whose files they are is known to root only")
def test_without_a_wall_nothing_is_left_where_everybody_may_write():
    folders = [Path(one) for one in OPEN_FOLDERS if os.path.isdir(one)]
    with Room(NONE, LIMITS) as room:
        name = f"left-{room.uid}"
        source = f"import os\nfor one in {list(map(str, folders))}:\n    os.makedirs(one + '/{name}/deep')\n    open(one + '/{name}/deep/file', 'w')\nprint('made')"
        assert run(room, source)[0]["text"] == "made\n"
        assert all((folder / name).exists() for folder in folders)
    assert not [folder for folder in folders if (folder / name).exists()]


def test_without_fork_a_fresh_process_does_the_same():
    with Room(NONE, LIMITS, fork=False) as room:
        assert run(room, "x = 1\nprint(x)", "print(x + 1)")[-1]["text"] == "2\n"


def test_levels_that_cannot_be_had_are_refused(monkeypatch):
    monkeypatch.setattr("course_lib.grading.sandbox.bubblewrap_problem", lambda: "bubblewrap is not installed")
    assert choose_level("auto", False) == NONE
    for asked, required in (("auto", True), ("bwrap", False), ("none", True), ("chroot", False)):
        with pytest.raises(CourseError):
            choose_level(asked, required)


# --- release, grade, regrade, resume ---------------------------------------------------------------------------------


def test_from_release_to_gradebook(tmp_path):
    from course_lib.notebooks.source import read_source, without_markers

    course = CliRunner()
    done = course.invoke(
        cli.app,
        ["release", "01", "--out", str(tmp_path / "out"), "--due", "2027-03-31", "--exercise", "01.3", "--exercise", "01.1"],
    )
    assert done.exit_code == 0, done.output
    note = json.loads((tmp_path / "out" / "release.json").read_text())
    assert note["points"] == {"01.1": 2, "01.3": 2} and note["due"] == "2027-03-31T23:59"
    handed = json.loads((tmp_path / "out" / "01_chunk_and_embed.ipynb").read_text())
    assert not [cell for cell in handed["cells"] if cell["metadata"].get("exercise") == "01.2"]
    source = Path(library.PACKAGE).parent / "solutions" / "01_chunk_and_embed.py"
    right = {
        cell.metadata["exercise"]: cell.source
        for cell in without_markers(read_source(source)).cells
        if cell.metadata.get("exercise")
    }
    due = datetime.fromisoformat(note["due"])
    for learner, solve, hours in (("anna", ["01.1", "01.3"], -1), ("berta", ["01.3"], 30), ("carl", [], 0)):
        folder = tmp_path / "in" / learner
        folder.mkdir(parents=True)
        mine = json.loads(json.dumps(handed))
        for cell in mine["cells"]:
            if cell["metadata"].get("exercise") in solve:
                cell["source"] = right[cell["metadata"].pop("exercise")] + "\n"  # the editor lost the id
        path = folder / "01_chunk_and_embed.ipynb"
        path.write_text(json.dumps(mine))
        came = (due + timedelta(hours=hours)).timestamp()
        os.utime(path, (came, came))
    book = tmp_path / "grades" / "book.csv"
    done = course.invoke(
        cli.app,
        [
            "grade",
            str(tmp_path / "in"),
            "--out",
            str(book),
            "--jobs",
            "2",
            "--seed",
            "3",
            "--release",
            str(tmp_path / "out" / "release.json"),
            "--late",
            "10%/day up to 3 days",
        ],
    )
    assert done.exit_code == 0, done.output
    table = {row["learner"]: row for row in csv.DictReader(book.open(encoding="utf-8"))}
    assert {name: row["points"] for name, row in table.items()} == {"anna": "4", "berta": "1.6", "carl": "0"}
    assert table["berta"]["01.3"] == "2" and table["berta"]["of"] == "4" and "01.2" not in table["berta"]
    first = book.read_bytes()
    done = course.invoke(cli.app, ["regrade", str(book), "--override", "carl 01.1 1 oral exam"])
    assert done.exit_code == 0, done.output
    table = {row["learner"]: row for row in csv.DictReader(book.open(encoding="utf-8"))}
    assert table["carl"]["points"] == "1" and table["carl"]["overridden"] == "01.1"
    second = book.read_bytes()
    for path in (tmp_path / "in").rglob("*.ipynb"):
        os.utime(path)  # copied, say: when it was handed in is known from before
    done = course.invoke(cli.app, ["regrade", str(book), str(tmp_path / "in")])
    assert done.exit_code == 0, done.output
    assert book.read_bytes() == second != first
    suites = ElementTree.parse(reports.folder_of(book) / "junit.xml").getroot()
    assert len(suites) == 3 and len(suites.findall(".//testcase")) == 6
    assert "oral exam" in "".join(path.read_text() for path in (reports.folder_of(book) / "feedback").glob("carl*"))


@pytest.fixture
def few(tmp_path) -> Path:
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(12):
        (folder / f"learner-{number:02}.ipynb").write_bytes(attacks.with_cell(attacks.RECALL if number % 2 else attacks.STUB))
    return folder


RUN = (
    "import sys; sys.path.insert(0, sys.argv[1]); from classroom import options; from pathlib import Path\n"
    "from course_lib.grading.grade import grade_folder; from course_lib.grading.reports import folder_of, write_reports\n"
    "book = Path(sys.argv[3]); resume = sys.argv[5:] == ['resume']\n"
    "write_reports(book, grade_folder(Path(sys.argv[2]), folder_of(book), options(sys.argv[4], resume=resume))[1])"
)


def kill_everything_of(process):
    """As a power cut would: its whole group, and the workers, which have groups of their own."""
    below = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    for one in below:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def test_a_killed_run_resumes_to_the_same_gradebook(few, tmp_path):
    whole, part, temporary = tmp_path / "whole.csv", tmp_path / "part.csv", tmp_path / "temporary"
    _, rows = grade_folder(few, reports.folder_of(whole), options(LEVEL))
    reports.write_reports(whole, rows)
    running = processes()
    temporary.mkdir()
    results = reports.folder_of(part) / "results.jsonl"
    command = [sys.executable, "-c", RUN, str(Path(__file__).parent), str(few), str(part), LEVEL]
    environment = os.environ | {"PYTHONPATH": str(Path(library.PACKAGE).parent), "TMPDIR": str(temporary)}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    until = time.monotonic() + 120
    while time.monotonic() < until and not (results.exists() and results.read_text().count("\n") >= 6):
        time.sleep(0.02)
    kill_everything_of(process)
    with results.open("a") as stream:
        stream.write('{"key": "half a li')
    assert 6 <= len(read_results(reports.folder_of(part))) < 12 and not part.exists()
    assert list(temporary.glob("course-grading-*"))
    subprocess.run([*command, "resume"], env=environment, check=True, timeout=240)
    assert part.read_bytes() == whole.read_bytes()
    keys = [json.loads(line)["key"] for line in results.read_text().splitlines() if line.endswith("}")]
    assert len(keys) == len(set(keys)) == 12
    until = time.monotonic() + 60
    while processes() - running and time.monotonic() < until:
        time.sleep(0.1)
    assert not processes() - running
    assert not list(temporary.iterdir())


def test_what_the_grader_failed_on_is_tried_again_when_resumed(few, tmp_path):
    for path in sorted(few.iterdir())[2:]:
        path.unlink()
    _, rows = grade_folder(few, tmp_path / "out", options(LEVEL))
    results = tmp_path / "out" / "results.jsonl"
    results.write_text("".join(json.dumps({**row, "state": "grader failed"} if row is rows[0] else row) + "\n" for row in rows))
    _, again = grade_folder(few, tmp_path / "out", options(LEVEL, resume=True))
    assert [row["state"] for row in again] == ["graded", "graded"]
    assert again[0]["exercises"][0]["points"] == rows[0]["exercises"][0]["points"]


def test_folders_of_runs_that_are_gone_are_removed_and_others_are_not(tmp_path):
    from course_lib.grading.grade import FOLDERS, _machine, sweep

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        name: tmp_path / f"{FOLDERS}{name}"
        for name in (f"{_machine()}-{gone.pid}-a", f"{_machine()}-{os.getpid()}-b", f"elsewhere-{gone.pid}-c")
    }
    for folder in names.values():
        (folder / "room").mkdir(parents=True)
    sweep(tmp_path)
    assert [folder.exists() for folder in names.values()] == [False, True, True]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root has a room with a user of its own")
def test_without_a_wall_a_private_temporary_folder_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "private").mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    with Room(NONE, LIMITS) as room:
        assert run(room, "open('x', 'w').write('here')\nprint(open('x').read())")[0]["text"] == "here\n"


def test_a_run_is_resumed_as_it_was_begun_or_not_at_all(few, tmp_path):
    for path in sorted(few.iterdir())[1:]:
        path.unlink()
    grade_folder(few, tmp_path / "out", options(LEVEL))
    with pytest.raises(CourseError, match="seed changed"):
        grade_folder(few, tmp_path / "out", options(LEVEL, resume=True, seed=SEED + 1))


@pytest.mark.parametrize(
    "damage", [{"learner": "nobody", "exercise": "01.1", "points": 1}, {"learner": "a", "exercise": "01.1", "points": 3}]
)
def test_an_override_must_fit(tmp_path, damage):
    rows = [{"learner": "a", "exercises": [{"exercise": "01.1", "of": 2}]}]
    with pytest.raises(CourseError):
        reports.add_override(tmp_path, **damage, why="", rows=rows)


def test_release_refuses_what_it_does_not_know(tmp_path):
    for arguments in ({"labs": ["77"]}, {"labs": []}, {"labs": ["01"], "only": ["09.9"]}, {"labs": ["01"], "due": "soon"}):
        with pytest.raises(CourseError):
            release.release(folder=tmp_path, **arguments)
    (tmp_path / "01_chunk_and_embed.ipynb").write_text("mine")
    with pytest.raises(CourseError, match="is there already"):
        release.release(["01"], tmp_path)


def test_commands_answer_in_sentences(tmp_path):
    for arguments in (
        ["grade", str(tmp_path / "none")],
        ["grade", str(tmp_path)],
        ["grade", str(tmp_path), "--lab", "77"],
        ["regrade", str(tmp_path / "x.csv")],
    ):
        done = CliRunner().invoke(cli.app, arguments)
        assert done.exit_code == 1 and "What to do" in done.output


def test_a_released_lab_is_found_by_its_markers_alone(tmp_path):
    release.release(["00"], tmp_path)
    cells, _, _ = find.read_cells((tmp_path / shipped_labs()["00"].name).read_bytes())
    bare = [find.Cell(cell.kind, cell.source) for cell in cells]
    assert {answer.way for answer in find.locate(bare, exercises_of("00")).values()} == {"marker"}


def test_a_clean_notebook_has_nothing_of_the_learners_but_the_cell():
    exercise = next(one for one in ALL if one.id == "01.3")
    cells, _, _ = find.read_cells(attacks.with_cell(attacks.RECALL, attacks.code("evil()"), tags=["raises-exception"]))
    made = splice(find.locate(cells, [exercise])[exercise.id], exercise, SEED)
    assert [cell.metadata["course"] for cell in made.cells] == ["learner", "question", "question"]
    assert "evil" not in json.dumps(made) and "tags" not in json.dumps(made.cells[0].metadata)


# --- what a reader must stand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"array": [1, 2], "dtype": "' + "i4," * 1000 + 'i4"}',
        '{"dict": [' + ", ".join(f"[{number}, 0]" for number in range(3000)) + "]}",
        '{"set": [' + ", ".join(map(str, range(3000))) + "]}",
        '{"dict": 3}',
        '{"foreign": 1}',
    ],
    ids=["structure", "keys", "set", "no pairs", "half"],
)
def test_values_that_no_writer_makes_are_refused(text):
    with pytest.raises(ValueError):
        wire.loads(text)


def test_an_array_of_texts_is_no_wider_than_these():
    assert wire.loads('{"array": ["a"], "dtype": "<U500000000"}') == ["a"]


def test_a_dictionary_with_too_many_keys_is_no_answer():
    assert isinstance(wire.loads(wire.dumps({number: 0 for number in range(2001)})), wire.Foreign)
    assert len(wire.loads(wire.dumps({number: 0 for number in range(2000)}))) == 2000


def test_a_zip_cannot_fill_the_memory_or_the_gradebook(tmp_path):
    import zipfile

    from course_lib.grading.intake import submissions

    for name, count, size in (("heavy", 5, 19 << 20), ("many", 60, 1)):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(count):
                archive.writestr(f"{number:02}.ipynb", b" " * size)
    found = submissions(tmp_path)
    heavy, many = ([one for one in found if one.learner == name] for name in ("heavy", "many"))
    assert len(heavy) == 5 and sum(len(one.content) for one in heavy) <= 80 << 20 and "the rest was not read" in heavy[0].problem
    assert len(many) == 41 and "the rest was not read" in next(one.problem for one in many if one.name == "many.zip")
    assert all(one.changed == (tmp_path / f"{one.learner}.zip").stat().st_mtime for one in found)


def test_two_runs_do_not_write_to_one_folder(few, tmp_path):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(CourseError, match="Another run is writing"):
        grade_folder(few, tmp_path / "out", options(LEVEL))
    assert not read_results(tmp_path / "out")


@walled
def test_of_a_clone_within_reach_nothing_is_seen(monkeypatch, tmp_path):
    """As when the course is checked out somewhere below the folders that Python needs."""
    from course_lib.grading import sandbox

    (tmp_path / "clone" / "course_lib").mkdir(parents=True)
    (tmp_path / "clone" / "solutions").mkdir()
    tmp_path.chmod(0o755)
    (tmp_path / "clone" / "pyproject.toml").write_text("")
    (tmp_path / "beside").mkdir()
    folders = sandbox.readable_folders()
    monkeypatch.setattr(sandbox, "readable_folders", lambda: [*folders, str(tmp_path)])
    monkeypatch.setattr(sandbox, "PACKAGE", tmp_path / "clone" / "course_lib")
    with Room(BWRAP, LIMITS) as room:
        said = run(
            room, f"import os; print(os.listdir({str(tmp_path / 'clone')!r}), os.path.exists({str(tmp_path / 'beside')!r}))"
        )
    assert said[0]["text"] == "[] True\n"


@pytest.mark.parametrize("lab", LABS)
def test_the_worked_solutions_earn_all_points_in_the_room(lab):
    from course_lib.grading.runner import grade_notebook
    from course_lib.places import bundled

    content, before = (bundled("solutions") / f"{LABS[lab]}.ipynb").read_bytes(), dict(os.environ)
    with Room(LEVEL, LIMITS) as room:
        made = grade_notebook(content, room, SEED)
    left = {name for name in before.keys() | os.environ.keys() if before.get(name) != os.environ.get(name)}
    assert left <= {"PYTEST_VERSION", "PYTEST_CURRENT_TEST"}  # what a pytest within pytest writes
    assert (
        made["lab"] == lab
        and [(one["exercise"], one["state"], one["message"]) for one in made["exercises"] if one["state"] != "passed"] == []
    )


def test_nobody_who_handed_in_something_is_overlooked(tmp_path):
    from course_lib.grading.intake import submissions

    for name in (
        "anna/01_chunk_and_embed.ipynb",
        "berta/answers.docx",
        "dora.ipynb.txt",
        "march/results.jsonl",
        "emil/deep/a (1).ipynb.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "nothing").mkdir()
    found = {one.learner: one.problem for one in submissions(tmp_path)}
    assert found == {"anna": "", "berta": "there is no notebook in the folder", "dora": "", "emil": ""}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root opens every folder")
def test_a_folder_that_cannot_be_opened_is_a_row(tmp_path):
    from course_lib.grading.intake import submissions

    (tmp_path / "anna.ipynb").write_text("{}")
    (tmp_path / "closed").mkdir(mode=0)
    found = {one.learner: one.problem for one in submissions(tmp_path)}
    assert "cannot be read" in found["closed"] and found["anna"] == ""
