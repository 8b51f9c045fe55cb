"""The page of the progress, the certificate, and what can be said of one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import course_lib
from course_lib import cli
from course_lib.exercises import pages
from course_lib.exercises.answers import answer_hash, answer_in_notebook, source_hash
from course_lib.exercises.cards import progress_rows
from course_lib.exercises.progress import read_progress, record

CELL = '''import math
LIMIT = 3

def cached(function):
    return function

@cached
def rank(results, k):
    """A docstring."""
    # a comment

    return results[:k]

print(rank([1], 1))
'''


def course(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, list(arguments))
    return result.exit_code, result.output


def notebook(path: Path, *cells: tuple[str, str]) -> None:
    made = [{"cell_type": "code", "metadata": {"exercise": id} if id else {}, "source": text} for id, text in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"nbformat": 4, "cells": made}))


@pytest.fixture
def labs(tmp_path: Path) -> Path:
    """A working copy in which 01.1 and 01.2 hold answers; both were passed, and 01.3 was not."""
    folder = tmp_path / "labs"
    first = "def fixed_chunks(text, size, overlap):\n    return [text]\n"
    notebook(folder / "01_chunk_and_embed.ipynb", ("", "1"), ("01.1", first), ("01.2", "def top_k(a, b, k):\n    return k\n"))
    record("01.1", "passed", 2, source_hash(first))
    record("01.2", "passed", 2, source_hash("def top_k(a, b, k):\n    return k"))
    record("01.3", "failed", 2)
    return folder


# --- hashes ---------------------------------------------------------------------------------------------------------


def test_the_hash_of_a_running_function_is_that_of_its_cell(tmp_path):
    import linecache

    linecache.cache["<cell>"] = (len(CELL), None, CELL.splitlines(keepends=True), "<cell>")  # as a kernel does
    names: dict = {}
    exec(compile(CELL, "<cell>", "exec"), names)
    notebook(tmp_path / "n.ipynb", ("09.9", CELL))
    assert answer_hash(names["rank"]) == answer_in_notebook(tmp_path / "n.ipynb", "09.9", "rank") is not None
    assert answer_in_notebook(tmp_path / "n.ipynb", "09.8", "rank") is None
    assert answer_in_notebook(tmp_path / "n.ipynb", "09.9", "other") is None


def test_a_hash_is_of_the_text():
    assert source_hash("def f():\n    return 1") != source_hash("def f():\n    return 2")
    assert answer_hash(len) is None


@pytest.mark.parametrize("content", [b"", b"[]", b'{"cells": 3}', b'{"cells": [3]}', b"\xff", b"[" * 9000])
def test_a_notebook_that_is_none_has_no_answers(tmp_path, content):
    (tmp_path / "n.ipynb").write_bytes(content)
    assert answer_in_notebook(tmp_path / "n.ipynb", "01.1", "f") is None
    notebook(tmp_path / "n.ipynb", ("01.1", "def f(:"))
    assert answer_in_notebook(tmp_path / "n.ipynb", "01.1", "f") is None


def test_check_notes_the_answer_that_passed(monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "0")
    from course_lib.exercises.registry import get_exercise

    def mine(question, system):
        return get_exercise("00.1").reference(question, system)

    course_lib.check("00.1", mine)
    assert read_progress()["00.1"]["answer"] == answer_hash(mine)
    course_lib.check("00.1", lambda *a: None)
    assert read_progress()["00.1"]["answer"] == answer_hash(mine), "a wrong answer takes the place of the right one"


# --- progress -------------------------------------------------------------------------------------------------------


def test_progress_as_a_page(labs, tmp_path):
    code, said = course("progress", "--page", "--no-browser", "--folder", str(labs))
    page = (labs / "progress.html").read_text(encoding="utf-8")
    assert code == 0 and said.strip() == str(labs / "progress.html")
    total = sum(row[4] for row in progress_rows())
    assert f"4 of {total} points" in page and page.count("✓ passed") == 2 and page.count("✗ tried") == 1
    assert all(f"<td>{row[0]}</td>" in page for row in progress_rows())
    assert not re.search(r"(?:src|href)=|@import|url\(", page)


def test_a_page_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    code, said = course("progress", "--page", "--no-browser", "--folder", str(tmp_path / "file" / "below"))
    assert code == 1 and "could not be written" in said and "What to do" in said


# --- certificate ----------------------------------------------------------------------------------------------------


@pytest.fixture
def page(labs: Path, tmp_path: Path) -> Path:
    path = tmp_path / "certificate.html"
    code, said = course("certificate", "--name", "Ada  Lovelace", "--out", str(path), "--no-browser", "--folder", str(labs))
    assert code == 0 and said.strip() == str(path)
    return path


def test_a_certificate_says_what_was_passed_and_what_that_proves(page, labs):
    text = page.read_text(encoding="utf-8")
    assert "Ada Lovelace" in text and "01.1" in text and "01.3" not in text
    assert read_progress()["01.1"]["answer"] in text
    assert "It does not prove who wrote the answers" in text and not re.search(r"(?:src|href)=|@import|url\(", text)
    code, said = course("certificate", "--verify", str(page), "--folder", str(labs))
    assert code == 0 and "The page is whole" in said and "2 answers" in said and "nobody signed it" in said


@pytest.mark.parametrize(
    ("old", "new"),
    [("Ada Lovelace</p>", "Bob</p>"), ("01.2", "01.4"), ("4 of", "9 of"), ("<h1>", "<h1> "), ("does not prove", "proves")],
)
def test_a_changed_page_is_noticed(page, labs, old, new):
    text = page.read_text(encoding="utf-8")
    assert old in text
    page.write_text(text.replace(old, new, 1), encoding="utf-8")
    code, said = course("certificate", "--verify", str(page), "--folder", str(labs))
    assert code == 1 and "it was changed, or another version made it" in said


def test_points_that_are_made_up_are_noticed(page, labs):
    _, data = pages.read_certificate(page)
    data["passed"].append({"id": "77.1", "title": "Everything", "points": 99, "day": "2026-01-01", "answer": None})
    data["passed"][0]["points"] = 50
    page.write_text(pages.certificate_page(data), encoding="utf-8")
    code, said = course("certificate", "--verify", str(page), "--folder", str(labs))
    assert code == 1 and "The page is whole" in said and "01.1, 77.1" in said and "The sum of the points is wrong" in said


def test_answers_that_changed_and_notebooks_that_are_missing(page, labs, tmp_path):
    notebook(labs / "01_chunk_and_embed.ipynb", ("01.1", "def fixed_chunks(text, size, overlap):\n    return []\n"))
    code, said = course("certificate", "--verify", str(page), "--folder", str(labs))
    assert code == 1 and "are others, or were changed since: 01.1" in said and "to compare with: 01.2" in said
    code, said = course("certificate", "--verify", str(page), "--folder", str(tmp_path / "nowhere"))
    assert code == 1 and "to compare with: 01.1, 01.2" in said


def test_line_ends_of_windows_are_no_change(page, labs):
    page.write_bytes(page.read_bytes().replace(b"\n", b"\r\n"))
    assert course("certificate", "--verify", str(page), "--folder", str(labs))[0] == 0


@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b", "\x1b[31mred", "نوید\u200cها"]
)
def test_a_name_is_a_name(labs, tmp_path, name):
    path = tmp_path / "certificate.html"
    assert course("certificate", "--name", name, "--out", str(path), "--no-browser")[0] == 0
    text = path.read_text(encoding="utf-8")
    assert "<img" not in text and text.count("<script") == 1 and "\x1b" not in text
    assert course("certificate", "--verify", str(path), "--folder", str(labs))[0] == 0


def test_no_name_no_passes_no_certificate(tmp_path):
    assert "needs a name" in course("certificate")[1]
    assert "not passed an exercise yet" in course("certificate", "--name", "Ada")[1]
    assert "1 to 80" in course("certificate", "--name", "x" * 81)[1]


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"passed": 3}, {"passed": [3]}, {"passed": [{"id": []}]}, {"name": None}, {"points": []}]
)
def test_what_is_no_certificate(page, labs, change):
    text = page.read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="certificate">(.*?)</script>', text)[1]) | change
    page.write_text(
        re.sub(r'(id="certificate">).*?(</script>)', lambda m: m[1] + json.dumps(data) + m[2], text), encoding="utf-8"
    )
    code, said = course("certificate", "--verify", str(page), "--folder", str(labs))
    assert code == 1 and "Traceback" not in said and "Unexpected" not in said
    for content in (b"", b"\xff", b"<html></html>", b"x" * 2_000_000):
        page.write_bytes(content)
        assert "is not a certificate" in course("certificate", "--verify", str(page))[1]
    assert "is not a certificate" in course("certificate", "--verify", str(page.parent / "none"))[1]
