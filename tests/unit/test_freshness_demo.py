"""The demo of lab 05: each button changes the store, asks again, and shows documents, models and people as text."""

from __future__ import annotations

import pytest

from course_lib.corpus import Document
from course_lib.ledger import Entry
from course_lib.models import embedder, language_model
from course_lib.pipeline import Answer, Assistant
from course_lib.retrieval import Record
from course_lib.retrieval.live import LiveIndex
from course_lib.retrieval.stores import MemoryStore
from course_lib.widgets.freshness_demo import FreshnessDemo, Look, changed_spans, render

RETURNS = Document("returns", "Returns", "# Returns\n\n## Time\n\nYou have 30 days to send it back.\n\n## Place\n\nMill Lane 4.")
CARE = Document("care", "Care", "# Care\n\nWipe it with a damp cloth.")


@pytest.fixture(scope="module")
def lm(models):
    return language_model()


@pytest.fixture
def demo(lm):
    live = LiveIndex(MemoryStore(384), embedder())
    live.put([RETURNS, CARE])
    examples = [(RETURNS, "How many days do I have to send it back?", "30 days"), (CARE, "How do I clean it?", "damp cloth")]
    return FreshnessDemo(live, Assistant(live, lm, k=2, max_new_tokens=6), examples)


def test_a_saved_change_is_found_and_marked_beside_the_old_answer(demo):
    assert demo.editor.value == "## Time\n\nYou have 30 days to send it back."
    demo.editor.value = demo.editor.value.replace("30", "45")
    demo.save.click()
    page = demo.view.value
    assert ">45<sup> new</sup></mark> days" in page and "30 days" in page
    assert page.index("Before") < page.index("30 days") < page.index(">Now<") < page.index(">45<")
    assert "write to the store" in page and "generate" in page and "found at rank 1 of 2" in page
    assert demo.live.store.get(["returns#0"])[0].text.endswith("You have 45 days to send it back.")
    assert demo.live.store.get(["returns#1"])[0].text.endswith("Mill Lane 4.")


def test_delete_and_restore(demo):
    demo.delete.click()
    assert demo.live.store.count({"document": "returns"}) == 0
    assert "no passage of returns was found; at rank 1 of 1:" in demo.view.value
    demo.editor.value = "something else"
    demo.restore.click()
    assert demo.live.store.count({"document": "returns"}) == 2
    assert demo.editor.value == "## Time\n\nYou have 30 days to send it back."
    assert "You restored the document." in demo.view.value
    demo.delete.click()
    demo.question.value = 1
    assert demo.editor.value.endswith("damp cloth.") and "Before" not in demo.view.value
    demo.question.value = 0  # the deleted document is put back
    assert "30 days" in demo.view.value


def test_the_box_holds_the_passage_with_the_answer_and_a_miss_is_said(lm):
    live = LiveIndex(MemoryStore(384), embedder())
    live.put([RETURNS, CARE])
    demo = FreshnessDemo(live, Assistant(live, lm, k=1, max_new_tokens=2), [(RETURNS, "How many days do I have?", "Mill Lane")])
    assert demo.editor.value == "## Place\n\nMill Lane 4."
    assert "the passage in the box was not found; another one of returns at rank 1 of 1:" in demo.view.value
    with pytest.raises(ValueError, match="does not hold"):
        FreshnessDemo(live, demo.assistant, [(RETURNS, "How many days?", "no such words")])


def test_nothing_found_is_said(demo):
    demo.live.store.delete(where={})
    demo.delete.click()
    assert "Nothing was found." in demo.view.value


def test_an_empty_passage_is_refused_and_changes_nothing(demo):
    demo.editor.value = "  \n"
    demo.save.click()
    assert 'role="alert"' in demo.view.value and "The passage is empty." in demo.view.value
    assert demo.live.store.count({"document": "returns"}) == 2


def test_a_text_that_the_store_refuses_changes_nothing(demo):
    demo.editor.value = "45 days \0"
    demo.save.click()
    assert "NUL" in demo.view.value and 'role="alert"' in demo.view.value
    assert "30 days" in demo.live.store.get(["returns#0"])[0].text


def test_what_a_person_wrote_is_shown_as_text(demo):
    demo.editor.value = "You have 30 days <img src=x onerror=alert(1)> & <script>alert(2)</script> to send it back."
    demo.save.click()
    assert "<img" not in demo.view.value and "<script" not in demo.view.value
    assert "&lt;img src=x onerror=alert(1)&gt;" in demo.view.value


def test_what_the_model_and_titles_say_is_escaped():
    document = Document("d<b>", "T", "text")
    passage = Record("d#0", "text <i>", "A <u>title</u>", {"document": "d<b>"})
    other = Record("e#0", "text", "E", {"document": "e"})
    cost = Entry({"generate": 1.0})
    for one in (passage, other):
        answer = Answer("q", "<script>alert(1)</script>", (one,), (), None, cost)
        page = render(None, Look("You <em>did</em> it", answer, cost.ms), document, 0)
        assert "<script" not in page and "<u>" not in page and "<i>" not in page and "<em>" not in page and "d<b>" not in page


def test_controls_have_labels_and_the_page_works_without_a_kernel(demo):
    assert (demo.question.description, demo.editor.description) == ("Question", "Passage")
    assert all(button.description and button.tooltip for button in (demo.save, demo.delete, demo.restore))
    bundle = demo._repr_mimebundle_()
    assert "30 days" in bundle["text/html"] and "application/vnd.jupyter.widget-view+json" in bundle
    assert demo.asked in bundle["text/plain"]


def test_changed_words_are_found_whatever_the_white_space():
    new = "a  b\nX c"
    assert [new[start:end] for start, end in changed_spans("a b c d", new)] == ["X"]
    assert changed_spans("a b", "") == [] == changed_spans("a b", "a b")
