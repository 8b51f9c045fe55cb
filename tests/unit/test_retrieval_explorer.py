"""The explorer of lab 02: three searches beside each other, the reasons they give, and documents shown as text."""

from __future__ import annotations

import re

import pytest

from course_lib.corpus import Document, Gold, Question, chunk_document, load_exam, load_passages
from course_lib.retrieval import Hit
from course_lib.widgets.retrieval_explorer import DEPTH, K, RetrievalExplorer, plot_groups, rank_of, render, why_both, why_meaning

HOSTILE = "<img src=x onerror=alert(1)> the answer is <b>42</b> & more </div></section>"


def passage(name="d", text=HOSTILE, title="A <script>alert(1)</script> title", **about):
    return chunk_document(Document(name, title, text, **about), lambda text: [(0, len(text))])[0]


@pytest.fixture(scope="module")
def shelf():
    return [p for p in load_passages(edition=None, audience=None, official=False) if p.document.family == "brewing"]


@pytest.fixture
def explorer(models, shelf):
    questions = [q for q in load_exam("all") if q.product == "teasel-g1" and q.answerable]
    return RetrievalExplorer(shelf, questions)


def test_the_panel_shows_documents_and_questions_as_text():
    one = passage()
    question = Question("q", "p", "single", "dev", "<u>what</u>", "<i>42</i>", gold=(Gold("d", "the answer is <b>42</b>"),))
    hits = {"bm25": [Hit(one, 3.0)], "dense": [Hit(one, 0.5)], "hybrid": [Hit(one, 1 / 61)]}
    page = render(hits, dict.fromkeys(hits, ["<s>reason</s>"]), question, {one.id})
    for tag in ("<script", "<img", "<u>", "<i>", "<s>", "<b>"):
        assert tag not in page
    assert "&lt;s&gt;reason" in page and "<mark" in page and "the answer is &lt;b&gt;42" in page
    assert page.count("✓ holds the answer") == 3 and page.count("<section") == page.count("</section>") == 3
    assert "0.0164" in page and "3.00" in page


def test_marks_only_where_the_answer_is_known():
    one, other = passage(), passage("e", "nothing of that kind", "Other")
    hits = {name: [Hit(other, 0.9), Hit(one, 0.5)] for name in ("bm25", "dense", "hybrid")}
    reasons = dict.fromkeys(hits, ["", ""])
    own = render(hits, reasons, None, set())
    assert "✓" not in own and "Your own question" in own
    question = Question("q", "p", "single", "dev", "?", "42", gold=(Gold("d", "the answer is <b>42</b>"),))
    assert "Words (BM25): rank 2; Meaning (dense): rank 2" in render(hits, reasons, question, {one.id})
    assert f"not in the first {DEPTH}" in render(hits | {"bm25": []}, reasons | {"bm25": []}, question, {one.id})
    assert "Nothing found." in render(hits | {"bm25": []}, reasons | {"bm25": []}, question, {one.id})


def test_what_a_customer_must_not_see_is_named():
    import datetime

    old = passage("o", "text", "Old", valid_to=datetime.date(2025, 12, 31))
    hits = {
        name: [Hit(passage(audience="staff", source="community"), 0.9), Hit(old, 0.1)] for name in ("bm25", "dense", "hybrid")
    }
    page = render(hits, dict.fromkeys(hits, ["", ""]), None, set())
    assert "(staff only, community)" in page and "(out of date)" in page


def test_reasons():
    hits = [Hit(passage("a"), 0.9), Hit(passage("b"), 0.8)]
    assert rank_of(hits, {"b#0"}) == 2 and rank_of(hits, {"z"}) is None
    assert why_both("a#0", hits, hits[1:]) == f"words: rank 1, meaning: not in the first {DEPTH}"
    assert len(why_meaning("word " * 100, 0.5)) < 180 and why_meaning("a\n  b", 0.5).endswith(": a b")


def test_every_move_changes_the_panel(explorer):
    first = explorer.view.value
    assert first.count("<li") == 3 * K and "shares:" in first and "closest sentence (" in first and "words: rank" in first
    explorer.examples.value = explorer.questions[3].question
    assert explorer.ask.value == explorer.questions[3].question and explorer.questions[3].answer in explorer.view.value
    second = explorer.view.value
    explorer.ask.value = "QF-1146"
    assert "Your own question" in explorer.view.value and "qf-1146" in explorer.view.value
    explorer.only.value = True
    assert "staff only" not in explorer.view.value and "out of date" not in explorer.view.value
    explorer.ask.value = "  "
    assert "Type a question" in explorer.view.value
    explorer.only.value = False
    explorer.ask.value = explorer.questions[0].question
    assert explorer.view.value == first != second


def test_any_text_may_be_asked(explorer):
    for text in ("the", "🫖", "<script>alert(1)</script>", "x" * 3000, '" onclick="x'):
        explorer.ask.value = text
        assert "<script" not in explorer.view.value and "<section" in explorer.view.value


def test_the_closest_sentence_is_one_of_the_passage(explorer):
    text, cosine = explorer.closest_sentence("How heavy is it?", explorer.passages[0])
    assert text in explorer.passages[0].text and -1 <= cosine <= 1
    assert explorer.closest_sentence(text, explorer.passages[0]) == (text, pytest.approx(1, abs=1e-4))


def test_it_can_be_operated_and_read_without_a_mouse_or_a_kernel(explorer):
    assert [control.description for control in explorer.box.children[:3]] == [
        "Example", "Question", "Only what a customer may read today",
    ]  # fmt: skip
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/html"] == explorer.view.value and "application/vnd.jupyter.widget-view+json" in bundle
    page = explorer.view.value
    assert re.findall(r'<section aria-label="([^"]+)"', page) == ["Words (BM25)", "Meaning (dense)", "Both (hybrid)"]
    assert 'role="status"' in page and "background:#ffffff;color:#1f2430" in page


def test_a_plot_tells_its_numbers():
    values = {
        "words": {"codes": [1.0, 0.5], "paraphrase": [0.0, 0.0]},
        "meaning": {"codes": [0.5, 0.5], "paraphrase": [1.0, 0.5]},
    }
    picture = plot_groups(values, "Title", "nDCG@10")
    assert picture.alt == "Title. words: codes 0.75, paraphrase 0.00; meaning: codes 0.50, paraphrase 0.75."
    assert picture.png.startswith(b"\x89PNG")
