"""The measures, against values worked out elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.corpus import load_documents, load_exam
from course_lib.errors import CourseError
from course_lib.evaluation import (
    abstains,
    bootstrap_interval,
    contains_answer,
    is_correct,
    mean_recall,
    token_f1,
    wilson_interval,
)
from course_lib.evaluation.chunking import within_budget
from course_lib.evaluation.closed_book import load_results, save_results, score_by_type


def test_wilson_agrees_with_scipy():
    from scipy.stats import binomtest

    for right, asked in ((0, 20), (7, 9), (130, 260), (1, 1), (400, 401)):
        interval = binomtest(right, asked).proportion_ci(method="wilson")
        assert wilson_interval(right, asked, z=1.959963984540054) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_bootstrap_agrees_with_scipy():
    from scipy.stats import bootstrap

    values = np.random.default_rng(1).random(150)
    theirs = bootstrap((values,), np.mean, n_resamples=5000, method="percentile", random_state=2).confidence_interval
    assert bootstrap_interval(list(values), draws=5000) == pytest.approx((theirs.low, theirs.high), abs=0.006)


@pytest.mark.parametrize(("right", "asked"), [(1, 0), (3, 2), (-1, 5)])
def test_impossible_shares_are_refused(right, asked):
    with pytest.raises(ValueError, match="cannot be"):
        wilson_interval(right, asked)


@pytest.mark.parametrize(
    ("text", "accepted", "expected"),
    [
        ("It is 1,200 W.", ["1200 W"], True),
        ("It is 1.2 litres", ["1.2 l"], False),
        ("QF-1164", ["qf 1164"], True),
        ("about 0.5", ["5"], False),
        ("the hose", ["hose"], True),
        ("anything", [""], False),
        ("anything", [], False),
        ("naïve café", ["café"], True),
    ],
)
def test_contains_answer(text, accepted, expected):
    assert contains_answer(text, accepted) is expected


def test_every_gold_span_would_be_marked_right_and_another_would_not():
    """An oracle scores 1 and a system that always abstains scores only the unanswerable ones."""
    questions = [q for q in load_exam("all", edition=None) if q.type != "comparison"]
    for question in questions:
        oracle = question.gold[-1].span if question.answerable else "I do not know."
        assert is_correct(question, oracle), question.id
        assert is_correct(question, "I do not know.") is (not question.answerable)


def test_abstaining_is_recognised():
    yes = [
        "I don't know.",
        "I’m not able to say.",
        "The manual does not mention it.",
        "That is not stated in the passages.",
        "There is no information about that.",
    ]
    no = [
        "It is 91 °C.",
        "I'm sorry for the trouble. Press the button.",
        "Do not open the lid.",
        "You do not need to descale it.",
        "",
    ]
    assert all(map(abstains, yes)) and not any(map(abstains, no))


def test_token_f1_ends():
    assert token_f1("a cup", "the cup") == 1.0 and token_f1("", "cup") == 0.0 and token_f1("tea", "cup") == 0.0


def test_recall_is_bracketed_by_an_oracle_and_a_blind_retriever():
    golds = [[["a"], ["b"]], [["c", "d"]]]
    assert mean_recall([["a", "b"], ["d", "x"]], golds, k=2) == 1.0
    assert mean_recall([["x", "y"], ["x", "y"]], golds, k=2) == 0.0


def test_the_budget_keeps_at_least_one():
    from course_lib.corpus import chunk_document
    from course_lib.retrieval import Hit

    hits = [Hit(passage, 0.5) for passage in chunk_document(load_documents()[0])]
    assert len(within_budget(hits, words=1)) == 1
    assert sum(len(hit.passage.text.split()) for hit in within_budget(hits, words=400)) <= 400


def test_the_shipped_results_are_whole_and_scored_anew(tmp_path):
    questions, answers, about = load_results()
    scores = {score.name: score for score in score_by_type(questions, answers)}
    assert scores["all"].asked == len(questions) >= 240
    assert scores["answerable"].share < 0.15, "nobody has taught the model anything about Quillfeather"
    assert about["model_sha256"].startswith("b179c9523d0e")
    path = tmp_path / "results.json"
    save_results(path, questions, answers, about)
    assert load_results(path)[1] == answers
    path.write_text(path.read_text().replace(answers[0][:12], "forged words", 1))
    with pytest.raises(CourseError, match="hash differs"):
        load_results(path)
    with pytest.raises(CourseError, match="python -m course_lib.evaluation.closed_book"):
        load_results(tmp_path / "missing.json")
