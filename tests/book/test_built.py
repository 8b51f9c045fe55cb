"""The built book: every page is there, every link leads somewhere, nothing is fetched, no rule of axe-core is broken."""

from __future__ import annotations

import importlib.util

import pytest

from course_lib.book.browser import find_chromium, pdf, visit_all
from course_lib.book.build import AXE, BUILD, book_folder
from course_lib.book.check import check_page, check_pages, expected_pages, pages_of, parsed
from course_lib.exercises.registry import LABS

needs_jupyter_book = pytest.mark.skipif(
    importlib.util.find_spec("jupyter_book") is None, reason="the book needs the extra `book`"
)
pytestmark = [pytest.mark.slow, needs_jupyter_book]
needs_chromium = pytest.mark.skipif(find_chromium() is None, reason="no Chromium here; set COURSE_CHROMIUM to its path")


def test_every_page_is_there_and_whole(built_book):
    source = book_folder() / BUILD / "source"
    assert check_pages(built_book, source) == []
    assert len(expected_pages(source)) > 30 and {f"labs/{stem}.html" for stem in LABS.values()} <= set(expected_pages(source))


def test_a_lab_page_shows_outputs_and_folds_answers(built_book):
    tree = parsed(built_book / "labs" / f"{LABS['02']}.html")
    folded = [one.get_text(" ", strip=True) for one in tree.select("details.hide > summary")]
    assert any("Show an answer to 02.1" in text for text in folded) and len(folded) == 4
    assert tree.select("a[href*='glossary.html#term-']") and tree.select("math") and tree.select("course-quiz script")
    assert "215 of 215 in the first 5" in tree.get_text()
    assert not tree.select("script[src*='require'], script[src*='MathJax'], [type*='widget']")


def test_the_check_finds_what_is_wrong(built_book, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<h1 id="here">x</h1><img src="a.png"><a href="none.html">x</a><a href="#there">x</a><a href="#here">x</a>'
        '<script src="https://example.org/x.js"></script><link rel="stylesheet" href="//example.org/x.css"><a href="../../etc/passwd">x</a>',
        encoding="utf-8",
    )
    found = list(check_page(page, tmp_path))
    for part in ("no words", "none.html", "#there", "example.org/x.js", "example.org/x.css", "../../etc/passwd"):
        assert sum(part in one for one in found) == 1, part
    assert len(found) == 6


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_asks_for_anything_outside_or_breaks_a_rule(built_book, dark):
    faults = []
    visits = list(visit_all(built_book, (book_folder() / AXE).read_text(encoding="utf-8"), dark))
    for one in visits:
        faults += [f"{one.page} ({one.how}): {what}" for what in (*one.outside, *one.errors, *one.violations)]
    assert len(visits) == (1 if dark else 3) * len(pages_of(built_book))
    assert faults == []


@needs_chromium
def test_the_pdf_opens_and_has_an_outline(built_book, tmp_path):
    from pypdf import PdfReader

    order = ["index.html", f"labs/{LABS['02']}.html"]
    pages = pdf(built_book, tmp_path / "book.pdf", order)
    reader = PdfReader(tmp_path / "book.pdf")
    text = "".join(page.extract_text() for page in reader.pages)
    assert len(reader.pages) == pages > 5 and len([one for one in reader.outline if not isinstance(one, list)]) == 2
    assert "idf[term]" in text, "the folded answer is printed"
