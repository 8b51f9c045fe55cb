"""What moves: the explorer's panel says what the numbers say, and shows documents as text."""

from __future__ import annotations

import re

import pytest

from course_lib.corpus import Document, Gold, Question, chunk_document, fixed_chunks, load_documents, load_exam
from course_lib.evaluation.chunking import ChunkingScore, evaluate_chunker
from course_lib.retrieval import Hit
from course_lib.widgets.chunk_explorer import EXCERPT, ChunkExplorer, render
from course_lib.widgets.plots import Picture, new_axes, plot_lines

HOSTILE = "# T\n\n" + "before it <img src=x onerror=alert(1)> " * 20 + "the answer is 42 & more " + "after it " * 80


@pytest.fixture
def question():
    return Question("q", "p", "single", "dev", "What is <b>it</b>?", "42", gold=(Gold("d", "the answer is 42 & more"),))


def test_the_panel_marks_the_answer_and_escapes_documents(question):
    passages = chunk_document(Document("d", "A <script> title", HOSTILE), lambda text: [(0, len(text))])
    score = ChunkingScore("x", passages, [[Hit(passages[0], 0.5)]], [1.0], [1.0], 0.0)
    page = render(score, [question], 0)
    assert "<mark>the answer is 42 &amp; more</mark>" in page and "✓ holds the answer" in page
    assert "<script" not in page and "<img" not in page and "the whole chunk" in page
    first = re.search(r"<div[^>]*>(.*?)</div>", page, flags=re.S)
    assert "<mark>" in first[1] and len(first[1]) < 3 * EXCERPT


def test_the_explorer_computes_a_setting_once_and_shows_it(models):
    questions = [q for q in load_exam("dev") if q.product == "thrush-t2" and q.answerable]
    explorer = ChunkExplorer([d for d in load_documents() if d.id == "manual-thrush-t2"], questions)
    first = explorer.view.value
    explorer.size.value = 40
    second = explorer.view.value
    explorer.size.value = 80
    assert explorer.view.value == first != second
    assert len(explorer.scores) == 2
    explorer.question.value = 1
    assert questions[1].answer in explorer.view.value
    assert {control.description for control in explorer.box.children[:4]} == {
        "Words per chunk", "Overlap", "Title in front of every chunk", "Question",
    }  # fmt: skip


def test_a_chunker_is_scored_between_nothing_and_everything(models):
    questions = [q for q in load_exam("dev") if q.product == "thrush-t2" and q.answerable]
    documents = [d for d in load_documents() if "thrush-t2" in d.products]
    whole = evaluate_chunker("whole", lambda text: [(0, len(text))], documents, questions)
    words = evaluate_chunker("words", lambda text: fixed_chunks(text, 1), documents, questions)
    assert sum(whole.at_k) == len(questions) and whole.lost == 0.0
    assert sum(words.at_k) == 0 and words.lost == 1.0
    assert "recall@5" in str(whole)


def test_a_picture_carries_its_text():
    figure, _ = new_axes("Title", "x (s)", "y (1)")
    picture = Picture(figure, 'a "quoted" <text>')
    assert picture.png.startswith(b"\x89PNG") and 'alt="a &quot;quoted&quot; &lt;text&gt;"' in picture._repr_html_()
    told = plot_lines({"a": [(1, 0.5, 0.4, 0.6)]}, "T", "x", "y", ticks=[1]).alt
    assert "0.50 at 1" in told
