"""Every hostile, broken or honest submission gets its row, nobody else is touched, and nothing is left behind."""

from __future__ import annotations

import html
import json
from collections import Counter
from pathlib import Path

import attacks
import pytest

from course_lib.grading.pages import feedback_name
from course_lib.grading.reports import UNPROTECTED
from course_lib.grading.sandbox import NONE


def test_the_corpus_is_as_large_as_promised():
    families = Counter(one.family for one in attacks.CORPUS)
    assert sum(families[name] for name in ("forging", "robustness", "files")) >= 45
    assert len({one.name for one in attacks.CORPUS}) == len(attacks.CORPUS)


@pytest.mark.parametrize("one", attacks.CORPUS, ids=lambda one: f"{one.family}-{one.name}")
def test_each_submission_gets_its_row(graded, one):
    rows = graded.rows[one.name]
    assert len(rows) == one.rows
    row = rows[0]
    if one.wall and graded.level == NONE:
        assert row["exercises"][0]["points"] == one.points[0]
        assert UNPROTECTED in next(line for line in graded.gradebook if line["file"].lstrip("'") == row["file"])["isolation"]
        return
    assert (row["state"], tuple(e["points"] for e in row["exercises"])) == (one.state, one.points), row["exercises"]
    told = " ".join([row["reason"], *(e["message"] for e in row["exercises"])])
    assert one.says in told
    assert row["reason"] or row["state"] == "graded"
    assert len(json.dumps(row)) < 200_000
    for exercise in row["exercises"]:
        assert exercise["message"] or exercise["state"] == "passed"
        assert len(exercise["message"]) < 2_000


def test_one_row_for_each_submission(graded):
    assert len(graded.gradebook) == sum(one.rows for one in attacks.CORPUS)
    assert sum(line["counts"] == "yes" for line in graded.gradebook) == len(attacks.CORPUS)


def test_submissions_are_not_touched_and_nothing_runs_on(graded):
    assert graded.after == graded.before
    assert graded.left == []
    assert not list(Path(graded.folder).rglob("forged-*.csv"))
    assert not (graded.folder.parent / "escaped.ipynb").exists()


def test_forgers_are_in_the_integrity_report(graded):
    page = (graded.book.with_suffix("") / "integrity.html").read_text(encoding="utf-8")
    for name in ("always-equal", "drops-asserts", "imports-exercises", "patched-builtins", "skip-comment"):
        assert name in page
    assert "plain</td>" not in page


def test_names_that_a_spreadsheet_would_run_are_text(graded):
    text = graded.book.read_text(encoding="utf-8")
    assert "'=cmd()" in text and "\n=cmd()" not in text and "new\nline" not in text and ";=cmd()" not in text
    assert 'a;""\'=cmd()' in text


def test_feedback_is_escaped_and_tells_no_hidden_case(graded):
    pages = {path.name: path.read_text(encoding="utf-8") for path in (graded.book.with_suffix("") / "feedback").glob("*.html")}
    assert len(pages) == len(graded.gradebook)
    assert not [name for name, page in pages.items() if "<script" in page or "<b>bold" in page]
    assert any("&lt;script&gt;" in page for page in pages.values())
    for row in (row for rows in graded.rows.values() for row in rows):
        page = html.unescape(pages[feedback_name(row)])
        for exercise in row["exercises"]:
            public = {case["call"] for case in exercise["cases"] if not case["hidden"]}
            hidden = {case["call"] for case in exercise["cases"] if case["hidden"]} - public
            assert not [call for call in hidden if call in page]
