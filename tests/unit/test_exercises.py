"""The checks are themselves checked: right answers pass, each misconception fails with its own sentence."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import course_lib
from course_lib.errors import CourseError
from course_lib.exercises import CheckFailed, cards
from course_lib.exercises.judge import FAILED, NOT_ATTEMPTED, PASSED, agree, judge, plain
from course_lib.exercises.progress import progress_file, read_progress, record
from course_lib.exercises.registry import LABS, exercises_of, get_exercise, quiz_of

EXERCISES = [exercise for lab in LABS for exercise in exercises_of(lab)]
WRONG = [(exercise, misconception) for exercise in EXERCISES for misconception in exercise.misconceptions]
RIGHT = [(exercise, other) for exercise in EXERCISES for other in exercise.alternatives]


def hidden_cases(exercise, seeds=range(12)):
    return [case for seed in seeds for case in exercise.hidden(random.Random(seed))]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_the_reference_passes_all_cases(exercise):
    assert judge(exercise, exercise.reference).state == PASSED
    assert judge(exercise, exercise.reference, hidden_cases(exercise)).state == PASSED


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_there_is_enough_to_test_with(exercise):
    assert len(exercise.misconceptions) >= 3
    assert len(exercise.alternatives) >= 2
    assert 2 <= len(exercise.hints) <= 3
    assert len(exercise.public) >= 3
    assert len({m.sentence for m in exercise.misconceptions}) >= 3


@pytest.mark.parametrize(("exercise", "other"), RIGHT, ids=lambda x: getattr(x, "id", None) or getattr(x, "__name__", ""))
def test_other_right_answers_pass(exercise, other):
    assert judge(exercise, other).details == ()
    assert judge(exercise, other, hidden_cases(exercise)).details == ()


@pytest.mark.parametrize(("exercise", "misconception"), WRONG, ids=lambda x: getattr(x, "id", None) or x.wrong.__name__)
def test_a_wrong_answer_fails_with_its_own_sentence(exercise, misconception):
    outcome = judge(exercise, misconception.wrong)
    assert outcome.state == FAILED
    assert outcome.misconception == misconception.sentence


@pytest.mark.parametrize(("exercise", "misconception"), WRONG, ids=lambda x: getattr(x, "id", None) or x.wrong.__name__)
def test_hidden_cases_of_any_seed_catch_a_wrong_answer(exercise, misconception):
    missed = [seed for seed in range(12) if judge(exercise, misconception.wrong, hidden_cases(exercise, [seed])).state == PASSED]
    assert len(missed) <= 1, f"the hidden cases of seeds {missed} let it pass"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
@pytest.mark.parametrize(
    "answer",
    [lambda *a, **k: None, lambda *a, **k: 1 / 0, lambda: 1, lambda *a, **k: object()],
    ids=["none", "crash", "arity", "object"],
)
def test_nonsense_fails_with_an_explanation(exercise, answer):
    outcome = judge(exercise, answer)
    assert outcome.state == FAILED
    assert outcome.details


def test_a_stub_is_not_a_mistake():
    def stub(*args, **kwargs):
        raise NotImplementedError("01.1: not attempted yet")

    outcome = judge(get_exercise("01.1"), stub)
    assert outcome.state == NOT_ATTEMPTED
    assert "not attempted yet" in repr(cards.outcome_card(outcome))


def test_something_that_is_no_function_is_named():
    assert "not a function" in judge(get_exercise("01.1"), "fixed_chunks").details[0]


def test_a_function_that_spoils_its_arguments_does_not_spoil_the_next_case():
    exercise = get_exercise("01.3")

    def greedy(ranking, gold, k):
        result = exercise.reference(ranking, gold, k)
        ranking.clear()
        gold.clear()
        return result

    assert judge(exercise, greedy).state == PASSED
    assert judge(exercise, exercise.reference).state == PASSED


def test_comparison_is_strict_about_kinds_and_lenient_about_rounding():
    import numpy as np

    assert agree(plain(np.float32(0.1)), 0.1, 1e-6)
    assert agree(plain((np.int64(3), [1.0])), [3, [1]])
    assert not agree(True, 1) and not agree("1", 1) and not agree([1], 1) and not agree({"a": 1}, {"b": 1})
    assert agree(float("nan"), float("nan")) and not agree(float("nan"), 0.0)


def test_check_fails_the_cell_under_a_test_runner_only(monkeypatch, capsys):
    def wrong(ranking, gold, k):
        return 0.0

    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(CheckFailed, match="01.3"):
        course_lib.check("01.3", wrong)
    monkeypatch.setenv("COURSE_STRICT", "0")
    course_lib.check("01.3", wrong)
    assert "of 5 public cases are right" in capsys.readouterr().out


def test_under_nbval_check_is_strict_by_default(monkeypatch):
    monkeypatch.delenv("COURSE_STRICT", raising=False)
    monkeypatch.setenv("PYTEST_VERSION", "9")  # pytest sets it, and the kernel that nbval starts inherits it
    with pytest.raises(CheckFailed):
        course_lib.check("01.3", lambda *args: 0.0)


def test_an_unknown_exercise_is_answered_with_the_known_ones():
    with pytest.raises(CourseError, match=r"01\.1, 01\.2"):
        course_lib.check("01.9", print)
    with pytest.raises(CourseError, match="there are labs " + ", ".join(LABS)):
        course_lib.check("77.1", print)


def test_the_librarys_own_function_earns_nothing(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_STRICT", "0")
    course_lib.check("00.1", get_exercise("00.1").reference)
    assert "the library's own chat_messages" in capsys.readouterr().out
    assert read_progress() == {}
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(CheckFailed, match="library's own"):
        course_lib.check("00.1", get_exercise("00.1").reference)


def test_two_mistakes_at_once_still_name_one():
    def neither_overlap_nor_guard(text, size, overlap):
        from course_lib.corpus.chunking import word_spans

        words = word_spans(text)
        return [(words[i][0], words[min(i + size, len(words)) - 1][1]) for i in range(0, len(words), size)]

    assert "do not overlap" in judge(get_exercise("01.1"), neither_overlap_nor_guard).misconception


def test_no_diagnosis_rather_than_a_wrong_one():
    assert judge(get_exercise("01.3"), lambda ranking, gold, k: 0.123).misconception is None


def test_results_are_shown_as_they_were_returned():
    shown = judge(get_exercise("01.1"), lambda text, size, overlap: [(0, 1)]).details[0]
    assert "returned [(0, 1)]; expected [(0, 7), (8, 18), (19, 27)]" in shown
    assert "generator" in judge(get_exercise("01.1"), lambda *a: (x for x in ())).details[0]


def test_hints_come_one_at_a_time(capsys):
    exercise = get_exercise("01.2")
    for number, text in enumerate(exercise.hints, start=1):
        course_lib.hint("01.2")
        said = capsys.readouterr().out
        assert f"hint {number} of {len(exercise.hints)}" in said and text in said
    course_lib.hint("01.2")
    assert "all" in capsys.readouterr().out


@pytest.mark.parametrize("lab", LABS)
def test_a_quiz_explains_every_option_and_has_one_right(lab, capsys):
    questions = quiz_of(lab)
    assert len(questions) >= 3
    page = cards.QuizCard(lab, questions)._repr_html_()
    import html

    for number, question in enumerate(questions, start=1):
        assert sum(option.right for option in question.options) == 1
        for letter, option in zip("abcdef", question.options):
            assert html.escape(option.because) in page
            course_lib.quiz(lab, number, letter)
            assert option.because in capsys.readouterr().out
    course_lib.quiz(lab, 99, "a")
    assert "has questions 1 to" in capsys.readouterr().out


def test_progress_keeps_what_was_passed(capsys):
    record("01.1", PASSED, 2)
    record("01.1", FAILED, 2)
    record("01.2", FAILED, 2)
    state = read_progress()
    assert (state["01.1"]["state"], state["01.1"]["points"], state["01.1"]["tries"]) == (PASSED, 2, 2)
    assert state["01.2"]["state"] == FAILED
    course_lib.progress()
    possible = sum(exercise.points for lab in LABS for exercise in exercises_of(lab))
    assert f"2 of {possible} points" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"01.1": 3}'])
def test_a_damaged_progress_file_is_set_aside(damage, capsys):
    progress_file().parent.mkdir(parents=True, exist_ok=True)
    progress_file().write_text(damage, encoding="utf-8")
    record("01.1", PASSED, 2)
    assert read_progress()["01.1"]["points"] == 2
    assert "could not be read" in capsys.readouterr().err
    assert progress_file().with_suffix(".damaged.json").read_text() == damage


def test_progress_that_cannot_be_saved_stops_nothing(tmp_path, monkeypatch, capsys):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    monkeypatch.setenv("COURSE_DATA", str(blocker / "below"))
    monkeypatch.setenv("COURSE_STRICT", "0")
    course_lib.check("00.1", lambda question, system: get_exercise("00.1").reference(question, system))
    captured = capsys.readouterr()
    assert "passed the 3 public cases" in captured.out and "could not be saved" in captured.err


def test_progress_of_many_processes_at_once_is_whole(tmp_path):
    import os
    import subprocess
    import sys

    code = "from course_lib.exercises.progress import record\nimport sys\nfor n in range(10): record(f'{sys.argv[1]}.{n}', 'passed', 1)"
    processes = [subprocess.Popen([sys.executable, "-c", code, str(p)], env=os.environ.copy()) for p in range(4)]
    assert all(process.wait(timeout=60) == 0 for process in processes)
    assert len(json.loads(Path(progress_file()).read_text())) == 40


def test_what_a_learner_made_is_escaped_in_cards():
    outcome = judge(get_exercise("00.1"), lambda question, system: "<script>alert(1)</script>")
    page = cards.outcome_card(outcome)._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page
