"""Due dates, late work and tables for learning platforms. Nothing is graded here: the results are made by hand."""

from __future__ import annotations

import csv
import html
import io
import json
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

from course_lib import cli
from course_lib.errors import CourseError
from course_lib.exercises.registry import exercises_of
from course_lib.grading import late, lms, release, reports
from course_lib.grading.grade import RESULTS, RUN
from course_lib.grading.intake import visible

DUE = "2027-03-31T18:00"
DAY = timedelta(days=1)


def handed_in(after: timedelta) -> float:
    return (datetime.fromisoformat(DUE) + after).timestamp()


def row(learner, points, after=timedelta(0), file="a.ipynb", lab="01"):
    """A result as grading leaves it: the first exercises have their points until ``points`` are given."""
    made = []
    for one in exercises_of(lab):
        got = min(points, one.points)
        points -= got
        made.append(
            {
                "exercise": one.id, "title": one.title, "state": "passed" if got else "failed", "points": got, "of": one.points, "message": "",
                "misconception": "", "hint": "", "passed": 1, "total": 1, "way": "id", "notes": [], "cases": [], "seconds": 0.1,
            }
        )  # fmt: skip
    return {
        "learner": learner, "file": file, "changed": handed_in(after), "lab": lab, "state": "graded", "reason": "", "notes": [], "exercises": made,
        "key": learner + file, "seconds": 1.0, "isolation": "bubblewrap", "submission": "s", "tests": "t", "environment": "e",
    }  # fmt: skip


def results_in(book, rows):
    folder = reports.folder_of(book)
    folder.mkdir(parents=True)
    (folder / RUN).write_text(json.dumps({"lab": "01", "only": [], "seed": 3, "cell": 10.0}))
    (folder / RESULTS).write_text("".join(json.dumps(one) + "\n" for one in rows))
    return folder


def table(text):
    return {one["learner"]: one for one in csv.DictReader(io.StringIO(text))}


def table_of(book):
    return table(book.read_text(encoding="utf-8"))


def course(*arguments):
    return CliRunner().invoke(cli.app, [str(one) for one in arguments])


# --- policies and dates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "hours", "lost"),
    [
        ("10%/day up to 3 days", [0, 1, 24, 25, 72, 73], [0, 0.1, 0.1, 0.2, 0.3, 1]),
        ("10% per day", [24 * 9, 24 * 10, 24 * 11], [0.9, 1, 1]),
        ("5%/hour at most 50%", [1, 10, 11, 1000], [0.05, 0.5, 0.5, 0.5]),
        ("12.5% a week, up to 2 weeks, at most 20%", [1, 24 * 8, 24 * 15], [0.125, 0.2, 1]),
        ("Not accepted", [0, 1], [0, 1]),
    ],
)
def test_what_a_policy_takes(policy, hours, lost):
    assert [late.parse_policy(policy).lost(60 * one) for one in hours] == lost


@pytest.mark.parametrize(
    "policy", ["", "10", "10%", "ten percent a day", "0%/day", "101%/day", "10%/day at most 0%", "-5%/day", "10%/day upto 3"]
)
def test_a_policy_that_cannot_be_understood_is_refused(policy):
    with pytest.raises(CourseError, match="no late policy"):
        late.parse_policy(policy)


def test_an_offset_counts_wherever_it_is_graded():
    due = late.moment("2027-03-31T18:00+02:00")
    assert late.minutes_late(late.moment("2027-03-31T16:30Z"), due) == 30
    assert late.minutes_late(late.moment("2027-03-31T17:30+02:00"), due) == 0


def test_the_most_exact_entry_of_a_table_holds():
    made = late.Lateness(
        "10%/day", {"01": DUE},
        [{"learner": "anna", "due": "2027-04-02T18:00"}, {"learner": "anna", "lab": "01", "due": "2027-04-03T18:00"}],
        [
            {"learner": "anna", "submitted": "2027-04-09T18:00"},
            {"learner": "anna", "lab": "01", "submitted": "2027-04-04T18:00"},
            {"learner": "anna", "file": "b.ipynb", "submitted": "2027-04-01T18:00"},
        ],
    )  # fmt: skip
    assert made.due_for("anna", "01") == "2027-04-03T18:00" and made.due_for("anna", "02") == "2027-04-02T18:00"
    assert made.due_for("berta", "01") == DUE and made.due_for("berta", "02") == ""
    came = [made.submitted({"learner": "anna", "lab": "01", "file": file, "changed": 0}).day for file in ("a.ipynb", "b.ipynb")]
    assert came == [4, 1]
    assert made.submitted({"learner": "berta", "lab": "01", "file": "a", "changed": handed_in(DAY)}).day == 1
    assert made.submitted({"learner": "berta", "lab": "01", "file": "a", "changed": 0}) is None


# --- the gradebook ---------------------------------------------------------------------------------------------------


def test_late_work_loses_points_and_says_so(tmp_path):
    book = tmp_path / "book.csv"
    total = sum(one.points for one in exercises_of("01"))
    folder = results_in(book, [])
    late.keep_lateness(folder, late.Lateness("10%/day up to 3 days", {"01": DUE}))
    rows = [row("anna", total), row("berta", total, DAY * 1.5), row("carl", total, DAY * 4), row("dora", 0, DAY)]
    made = reports.write_reports(book, rows)
    assert [one["final"] for one in made] == [total, round(total * 0.8, 2), 0, 0]
    lines = table_of(book)
    assert lines["anna"]["minutes late"] == "0" and lines["anna"]["late penalty"] == "0"
    assert lines["berta"]["minutes late"] == str(36 * 60) and float(lines["berta"]["late penalty"]) == round(total * 0.2, 2)
    assert lines["berta"]["due"] == DUE and lines["berta"]["submitted"].startswith("2027-04-02T06:00")
    assert float(lines["berta"]["points"]) == round(total * 0.8, 2) and lines["berta"]["01.1"] == lines["anna"]["01.1"]
    assert lines["carl"]["points"] == "0"
    pages = {one: html.unescape(next((folder / "feedback").glob(f"{one}*")).read_text()) for one in lines}
    assert "Handed in 1 day 12 h after it was due (2027-03-31, 18:00): 20% of its points" in pages["berta"]
    assert "100% of its points" in pages["carl"] and "after it was due" not in pages["anna"]


def test_without_a_due_date_nothing_is_late_and_the_time_of_a_file_is_in_no_row(tmp_path):
    books = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for book, after in zip(books, (DAY, DAY * 9)):
        reports.write_reports(book, [row("anna", 3, after)])
    assert books[0].read_bytes() == books[1].read_bytes()
    assert table_of(books[0])["anna"]["submitted"] == table_of(books[0])["anna"]["late penalty"] == ""


def test_the_better_submission_counts_after_the_penalty(tmp_path):
    book = tmp_path / "book.csv"
    late.keep_lateness(reports.folder_of(book), late.Lateness("50%/day", {"": DUE}))
    made = reports.write_reports(book, [row("anna", 3, file="early.ipynb"), row("anna", 4, DAY, file="late.ipynb")])
    assert {one["file"]: one["counts"] for one in made} == {"early.ipynb": True, "late.ipynb": False}


def test_regrading_keeps_the_policy_and_the_points_by_hand(tmp_path):
    book = tmp_path / "book.csv"
    results_in(book, [row("anna", 2, DAY), row("berta", 2, DAY), row("carl", 2, DAY)])
    (tmp_path / "later.csv").write_text("\ufefflearner;due;why\nberta;2027-04-02;ill\n;;\nnobody;2027-04-02;\n", encoding="utf-8")
    done = course("regrade", book, "--late", "50%/day", "--due", DUE, "--extensions", tmp_path / "later.csv")
    assert done.exit_code == 0 and "Nothing arrived from nobody" in done.output and "2 came late" in done.output
    assert {name: one["points"] for name, one in table_of(book).items()} == {"anna": "1", "berta": "2", "carl": "1"}
    first = book.read_bytes()
    assert course("regrade", book).exit_code == 0 and book.read_bytes() == first
    assert course("regrade", book, "--override", "anna 01.2 1 by mail").exit_code == 0
    lines = table_of(book)
    assert lines["anna"]["points"] == "1.5" and lines["anna"]["overridden"] == "01.2" and lines["berta"]["points"] == "2"
    (tmp_path / "times.csv").write_text(f"learner,submitted\nanna,{DUE}\n", encoding="utf-8")
    assert course("regrade", book, "--times", tmp_path / "times.csv").exit_code == 0
    assert table_of(book)["anna"]["points"] == "3" and table_of(book)["carl"]["points"] == "1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,due\nanna,2027-04-02\n", "no column learner"),
        ("learner,due\nanna,soon\n", "'soon' is not a date"),
        ("learner,due\nberta,2027-04-02\nanna,\n", "Line 3"),
        ("learner,due,lab\nanna,2027-04-02,77\n", "names no lab"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_line(tmp_path, text, says):
    (tmp_path / "later.csv").write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=says):
        late.read_extensions(tmp_path / "later.csv")


def test_a_time_without_a_time_of_day_is_refused(tmp_path):
    (tmp_path / "times.csv").write_text("learner,submitted\nanna,2027-04-02\n", encoding="utf-8")
    with pytest.raises(CourseError, match="no time of day"):
        late.read_times(tmp_path / "times.csv")
    with pytest.raises(CourseError, match="cannot be read"):
        late.read_times(tmp_path / "none.csv")


def test_what_cannot_hold_is_refused_before_anything_is_graded(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ipynb").write_text("{}")
    book = tmp_path / "book.csv"
    for arguments in (
        ["--late", "10%/day"],
        ["--late", "ten", "--due", DUE],
        ["--due", "soon"],
        ["--lms", "blackbird"],
        ["--roster", tmp_path / "none.csv"],
        ["--lms", "canvas", "--roster", tmp_path / "none.csv"],
        ["--times", tmp_path / "none.csv"],
    ):
        done = course("grade", tmp_path / "in", "--out", book, *arguments)
        assert done.exit_code == 1 and "What to do" in done.output, arguments
    assert not reports.folder_of(book).exists()


def test_a_release_carries_its_due_date_to_grading(tmp_path):
    release.release(["00", "01"], tmp_path, due="2027-03-31")
    assert release.due_of_release(tmp_path / "release.json") == {"00": "2027-03-31T23:59", "01": "2027-03-31T23:59"}
    release.release(["01"], tmp_path / "undated")
    assert release.due_of_release(tmp_path / "undated" / "release.json") == {}


# --- learning platforms ----------------------------------------------------------------------------------------------

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Lab 01 chunk and embed (4711)\n"
    "    Points Possible,,,,,4\n"
    '"Berg, Anna",17,s17,anna,A,\n"Cole, Ben",18,s18,ben,A,\n"Cole, Cy",19,s19,cy,A,\n'
)
MOODLE = "First name,Last name,ID number,Email address\nAnna,Berg,17,anna@uni\nAnna,Cole,18,ac@uni\n"


def counted(*rows):
    return reports.mark_what_counts(late.apply_lateness(reports.apply_overrides(rows, []), late.Lateness()))


def test_canvas_gets_its_own_columns_back(tmp_path):
    (tmp_path / "canvas.csv").write_text(CANVAS, encoding="utf-8")
    rows = counted(row("anna", 3), row("coleben_18_4711", 2), row("stranger", 2), row("anna", 1, file="b.ipynb"), row("17", 4))
    text, unknown = lms.export(rows, "canvas", lms.read_roster(tmp_path / "canvas.csv", "canvas"))
    lines = list(csv.reader(io.StringIO(text)))
    of = str(sum(one.points for one in exercises_of("01")))
    assert lines == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lab 01 chunk and embed (4711)"],
        ["Points Possible", "", "", "", "", of],
        ["Berg, Anna", "17", "s17", "anna", "A", "3"],
        ["Cole, Ben", "18", "s18", "ben", "A", "2"],
    ]
    assert unknown == ["stranger", "17"]


def test_moodle_finds_people_by_both_names_but_not_by_one(tmp_path):
    (tmp_path / "moodle.csv").write_text(MOODLE, encoding="utf-8")
    roster = lms.read_roster(tmp_path / "moodle.csv", "moodle")
    text, unknown = lms.export(counted(row("Anna Berg_99_assignsubmission_file", 3), row("cole", 2)), "moodle", roster)
    assert list(csv.reader(io.StringIO(text)))[1:] == [["Anna", "Berg", "17", "anna@uni", "3"]] and unknown == ["cole"]


def test_parts_of_a_lab_count_together():
    total = sum(one.points for one in exercises_of("01"))
    first, rest, again = row("anna", total, file="1.ipynb"), row("anna", total, file="2.ipynb"), row("anna", 1, file="3.ipynb")
    for place, (one, other) in enumerate(zip(first["exercises"], rest["exercises"])):
        (other if place == 0 else one).update(state="not attempted", points=0)
    rows = counted(first, again, rest, row("ben", 1))
    assert [one["file"] for one in rows if one["counts"]] == ["1.ipynb", "2.ipynb", "a.ipynb"]
    (whole, _) = reports.by_learner(rows)
    assert whole["final"] == total and all(one["points"] for one in whole["exercises"])
    assert table(lms.export(rows, "plain")[0])["anna"]["points"] == str(total)


def test_a_time_that_no_calendar_has_is_late():
    came = [late.Lateness().submitted({"learner": "anna", "changed": seconds}) for seconds in (2.0**60, -(2.0**60))]
    assert [one.year for one in came] in ([9892, 1970], [9892, 1969])


def test_accents_are_the_same_however_they_are_written(tmp_path):
    (tmp_path / "moodle.csv").write_text("Username\n\u00e9mile\n", encoding="utf-8")
    roster = lms.read_roster(tmp_path / "moodle.csv", "moodle")
    assert lms.export(counted(row(visible("e\u0301mile"), 3)), "moodle", roster)[1] == []


def test_tables_without_a_roster_name_learners_as_they_came():
    rows = counted(row("anna", 3), row("anna", 2, lab="02", file="c.ipynb"), row("=ben()", 1))
    text, unknown = lms.export(rows, "plain")
    lines = table(text)
    assert unknown == [] and lines["anna"]["points"] == "5" and lines["anna"]["Lab 02 retrieve"] == "2" and "'=ben()" in lines
    assert list(csv.reader(io.StringIO(lms.export(rows, "moodle")[0])))[0][0] == "Username"
    assert table_of_canvas(lms.export(rows, "canvas")[0])["anna"][-2:] == ["3", "2"]


def table_of_canvas(text):
    return {line[3]: line for line in csv.reader(io.StringIO(text))}


def test_a_roster_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("Who,What\na,b\n", encoding="utf-8")
    with pytest.raises(CourseError, match="none of the columns"):
        lms.read_roster(tmp_path / "other.csv", "canvas")
    with pytest.raises(CourseError, match="no platform"):
        lms.export([], "blackbird")


def test_the_command_writes_the_table_beside_the_gradebook(tmp_path):
    book = tmp_path / "book.csv"
    folder = results_in(book, [row("anna", 2), row("zoe", 2)])
    (tmp_path / "canvas.csv").write_text(CANVAS, encoding="utf-8")
    done = course("regrade", book, "--lms", "canvas", "--roster", tmp_path / "canvas.csv")
    assert done.exit_code == 0 and "nobody or several of that name: zoe" in done.output
    assert "anna,A,2" in (folder / "canvas.csv").read_text(encoding="utf-8")
