"""Which questions come back, and that an answer to one counts."""

from __future__ import annotations

import datetime

import pytest

import course_lib
from course_lib.exercises.progress import read_table
from course_lib.exercises.registry import LABS, quiz_of
from course_lib.exercises.spaced_recall import _rank, choose, drawn, earlier_questions, key_of, note_answer, quizzes_file

TODAY = datetime.date(2026, 11, 23)


def days_ago(many: int) -> str:
    return (TODAY - datetime.timedelta(days=many)).isoformat()


@pytest.mark.parametrize("lab", LABS)
def test_only_earlier_labs_are_asked_and_two_or_three_questions(lab):
    names = [key for key, _ in drawn(lab)]
    assert len(names) == len(set(names)) and (len(names) in (2, 3) if lab > "00" else names == [])
    assert all(name[:2] < lab for name in names)


def test_the_same_seed_gives_the_same_questions_and_another_seed_others():
    first = choose("08", {}, TODAY, seed=1)
    assert choose("08", {}, TODAY, seed=1) == first
    assert len({tuple(choose("08", {}, TODAY, seed=seed)) for seed in range(20)}) > 10


def test_wrong_comes_first_then_what_is_due_then_what_was_never_asked():
    names = list(earlier_questions("08"))
    never = names[7]
    table = {name: {"in a row": 3, "last": days_ago(2)} for name in names if name != never}  # due in six days
    table[names[20]] = {"in a row": 0, "last": days_ago(1)}
    table[names[3]] = {"in a row": 0, "last": days_ago(9)}
    table[names[12]] = {"in a row": 1, "last": days_ago(2)}
    table[names[15]] = {"in a row": 2, "last": days_ago(12)}
    assert choose("08", table, TODAY, many=5) == [names[3], names[20], names[15], names[12], never]
    for seed in range(5):
        assert choose("08", table, TODAY, seed=seed, many=5)[:5] == [names[3], names[20], names[15], names[12], never]


def test_a_right_answer_doubles_the_days_and_a_wrong_one_ends_that():
    key = key_of("01", 1)
    for _ in range(3):
        note_answer(key, True, TODAY)
    assert read_table(quizzes_file())[key] == {"in a row": 3, "last": TODAY.isoformat()}
    asked = lambda days: _rank(read_table(quizzes_file())[key], TODAY + datetime.timedelta(days=days))[0]
    assert [asked(days) for days in (1, 7, 8)] == [3, 3, 1]
    note_answer(key, False, TODAY)
    assert asked(0) == 0


def test_an_answer_is_noted_and_the_questions_stay_all_day(capsys):
    course_lib.recall("03")
    before = capsys.readouterr().out
    names = [key for key, _ in drawn("03")]
    for number, (_, question) in enumerate(drawn("03"), start=1):
        letter = "abcdef"[[option.right for option in question.options].index(number != 2)]
        course_lib.recall("03", number, letter)
    said = capsys.readouterr().out
    assert said.count("Right.") == 2 and said.count("Not quite.") == 1
    course_lib.recall("03")
    assert capsys.readouterr().out == before
    table = read_table(quizzes_file())
    assert [table[name]["in a row"] for name in names] == [1, 0, 1]
    tomorrow = [key for key, _ in drawn("03", today=datetime.date.today() + datetime.timedelta(days=1))]
    assert tomorrow[0] == names[1] and names[0] not in tomorrow and names[2] not in tomorrow


def test_the_quiz_of_a_lab_counts_too(capsys):
    wrong = "abcdef"[[option.right for option in quiz_of("00")[1].options].index(False)]
    course_lib.quiz("00", 2, wrong)
    assert drawn("05")[0][0] == key_of("00", 2)


def test_nonsense_is_answered_and_counts_for_nothing(capsys):
    for number, letter in ((0, "a"), (99, "a"), ("x", "a"), (1, "z"), (1, ""), (1, "ab"), (1, 3), (None, "a")):
        course_lib.quiz("00", number, letter)
        course_lib.recall("02", number, letter)
    assert "has questions 1 to" in capsys.readouterr().out
    assert all(name.startswith("drawn for") for name in read_table(quizzes_file()))
    course_lib.recall("00")
    assert "no lab before this one" in capsys.readouterr().out


@pytest.mark.parametrize(
    "row",
    [{}, {"last": 3}, {"last": "yesterday", "in a row": 2}, {"in a row": "x", "last": "2026-11-01"}, {"last": "2030-01-01"}],
)
def test_a_strange_row_stops_nothing(row):
    names = list(earlier_questions("02"))
    assert len(choose("02", dict.fromkeys(names, row), TODAY)) == 3


def test_a_disk_that_cannot_be_written_to_stops_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "file" / "below"))
    course_lib.recall("02")
    course_lib.recall("02", 1, "a")
    said = capsys.readouterr()
    assert said.out.startswith("Before lab 02, from earlier labs: choose") and "could not be saved" in said.err
