"""The error browser shows what the marks say, moves by its controls, and shows documents and answers as text."""

from __future__ import annotations

import datetime

import pytest

from course_lib.corpus import Document, Gold, Question, chunk_document
from course_lib.evaluation.open_book import Desk, Reading, Run
from course_lib.generation import GROUNDED
from course_lib.widgets.error_browser import SHOW, ErrorBrowser, verdict

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)"> & [click](javascript:alert(3))'


def make_run():
    texts = {
        "d": f"# D\n\nThe answer is 42 & more. {HOSTILE}",
        "e": "# E\n\nNothing here.",
        "f": f"# F\n\nThe other is 7. {HOSTILE}",
    }
    documents = [
        Document(name, f"Title {name} {HOSTILE}", text, valid_from=datetime.date(2025, 1, 1)) for name, text in texts.items()
    ]
    passages = [passage for document in documents for passage in chunk_document(document, lambda text: [(0, len(text))])]
    questions = [
        Question("q1", "p", "single", "exam", f"What is it? {HOSTILE}", "42", gold=(Gold("d", "The answer is 42 & more"),)),
        Question("q2", "p", "table", "exam", "What is the other?", "7", gold=(Gold("f", "The other is 7."),)),
        Question("q3", "p", "unanswerable", "exam", "How blue?", ""),
        Question("q4", "p", "single", "exam", "And again?", "42", gold=(Gold("d", "The answer is 42 & more"),)),
    ]
    desk = Desk("quillfeather", questions, passages, GROUNDED, "")
    shown = {"retrieved": ["d#0", "e#0", "d#0", "e#0"], "gold": ["d#0", "f#0", "d#0", "d#0"], "random": ["e#0"] * 4}
    said = {
        "retrieved": [f"It is 41 [1] {HOSTILE}", "It is 8.", "Very blue.", "It is 42."],
        "gold": ["It is 42.", "It is 7.", "I do not know.", "It is 42."],
        "random": ["No."] * 4,
    }
    readings = [
        Reading(question, "quillfeather", condition, text, (name,))
        for condition in shown
        for question, name, text in zip(questions, shown[condition], said[condition])
    ]
    return Run(readings, {}, [desk])


@pytest.fixture
def browser():
    return ErrorBrowser(make_run())


def test_it_opens_on_the_first_failure_with_its_passages(browser):
    page = browser.view.value
    assert "3 of 4 answers: wrong answers, all types." in page
    assert "<strong>42</strong>" in page and "It is 41" in page
    assert "✗ wrong: every fact was in the prompt" in page and "✓ right" in page
    assert "The answer is 42 &amp; more</mark>" in page and "✓ holds a fact" in page and "· cited" in page


def test_whatever_others_wrote_is_escaped(browser):
    for number in range(len(browser.shown)):
        browser.question.value = number
        page = browser.view.value
        assert "<script" not in page and "<img" not in page and "href" not in page
    assert "&lt;script&gt;" in page or "&lt;img" in page


def test_a_missing_fact_is_shown_with_its_place(browser):
    browser.show.value = "wrong, and a fact was missing"
    page = browser.view.value
    assert "1 of 4 answers" in page and "Missing from the prompt" in page and "The other is 7.</mark>" in page


def test_every_filter_counts_what_it_names(browser):
    counts = {}
    for name in SHOW:
        browser.show.value = name
        counts[name] = len(browser.shown)
    assert list(counts.values()) == [3, 1, 2, 3, 1, 1, 4]
    browser.type.value = "single"
    assert len(browser.shown) == 2
    browser.condition.value = "random"
    browser.show.value = "right answers"
    assert browser.shown == [] and "Choose another filter" in browser.view.value
    assert browser.back.disabled and browser.next.disabled
    browser.show.value = "all answers"
    assert len(browser.shown) == 2 and browser.question.value == 0


def test_the_buttons_move_and_stop_at_the_ends(browser):
    assert browser.back.disabled and not browser.next.disabled
    browser.next.click()
    assert browser.question.value == 1 and "What is the other?" in browser.view.value
    for _ in range(9):
        browser.next.click()
    assert browser.question.value == 2 and browser.next.disabled and not browser.back.disabled
    browser.move(-9)
    assert browser.question.value == 0


def test_the_gold_condition_is_not_shown_twice(browser):
    browser.condition.value = "gold"
    browser.show.value = "all answers"
    assert browser.view.value.count("<section") == 1


def test_controls_have_labels_and_a_page_without_a_kernel_shows_the_first(browser):
    labels = [child.description for child in browser.box.children[:4]]
    assert labels == ["Passages", "Type", "Show", "Question"]
    assert browser.back.description == "Previous" and browser.next.tooltip
    bundle = browser._repr_mimebundle_()
    assert "What is it?" in bundle["text/html"] and "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == "[error browser] 3 wrong answers"


def test_verdicts_in_words():
    run = make_run()
    said = [verdict(mark) for mark in run.marks("retrieved")]
    assert said == [
        "✗ wrong: every fact was in the prompt",
        "✗ wrong: a fact was missing from the prompt",
        "✗ wrong: it should have said that it does not know",
        "✓ right, though a fact was missing",
    ]
