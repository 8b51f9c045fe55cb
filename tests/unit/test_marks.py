"""The marks of RAG answers, against cases worked out by hand; the rule for comparisons, against every comparison of the course."""

from __future__ import annotations

import pytest

from course_lib.corpus import Gold, Question, load_exam
from course_lib.evaluation import is_correct
from course_lib.evaluation.answers import chooses, other_candidate
from course_lib.evaluation.marks import (
    Swap,
    abstention_scores,
    by_type,
    citation_scores,
    mark,
    mean,
    measures,
    share,
    swap_passages,
)

ASKED = Question("q", "p", "single", "exam", "How hot?", "91 °C", accept=("91 degrees",), gold=(Gold("d", "at 91 °C"),))
UNASKABLE = Question("u", "p", "unanswerable", "exam", "How blue?", "")
COMPARED = Question(
    "c", "p", "comparison", "exam", "Which is quieter, the Corvid E6 or the Wren M3?", "Wren M3", ("Wren",), (Gold("d", "x"),)
)


@pytest.mark.parametrize(
    ("cited", "gold", "expected"),
    [
        ([], [["a"]], (None, 0.0)),
        (["a"], [["a"]], (1.0, 1.0)),
        (["a", "b"], [["a", "b"]], (1.0, 1.0)),
        (["a"], [["a"], ["a", "b"]], (1.0, 1.0)),
        (["x", "y", "a"], [["a"], ["b"]], (1 / 3, 0.5)),
        (["x"], [[]], (0.0, 0.0)),
    ],
)
def test_citations(cited, gold, expected):
    assert citation_scores(cited, gold) == pytest.approx(expected)


def test_citations_without_gold_are_refused():
    with pytest.raises(ValueError, match="gold"):
        citation_scores(["a"], [])


def test_abstention_scores_and_their_gaps():
    assert abstention_scores([True, False, True, False], [False, False, True, True]) == (0.5, 0.5)
    assert abstention_scores([False], [False]) == (None, 0.0)
    assert abstention_scores([True], [True]) == (0.0, None)


def test_a_right_answer_needs_no_gold_in_the_prompt_and_has_no_blame():
    lucky = mark(ASKED, "It is 91°C.", shown=["x"], cited=[], gold=[["a"]])
    assert lucky.right and not lucky.facts_shown and lucky.blame == ""


@pytest.mark.parametrize(
    ("shown", "gold", "blame"),
    [
        (["a"], [["a"]], "reader"),
        (["b"], [["a", "b"]], "reader"),
        (["b"], [["a"]], "retrieval"),
        (["a"], [["a"], ["b"]], "retrieval"),
        ([], [["a"]], "retrieval"),
        (["a"], [["a"], []], "retrieval"),
    ],
)
def test_a_wrong_answer_is_blamed_by_what_the_prompt_held(shown, gold, blame):
    assert mark(ASKED, "It is cold.", shown, [], gold).blame == blame


def test_who_abstains_is_right_only_where_there_is_no_answer():
    assert not mark(ASKED, "I do not know, perhaps 91 °C.", ["a"], [], [["a"]]).right
    silent, loud = mark(UNASKABLE, "I do not know.", ["a"], [], []), mark(UNASKABLE, "Very blue.", ["a"], [], [])
    assert silent.right and not loud.right and loud.blame == "reader"
    assert silent.citation_precision is None and silent.citation_recall is None


def test_exact_and_f1_take_the_best_of_the_accepted_answers():
    marked = mark(ASKED, "91 degrees", ["a"], ["a"], [["a"]])
    assert (marked.exact, marked.f1, marked.citations) == (True, 1.0, 1)


# --- comparisons ------------------------------------------------------------------------------------------------------

OTHERS = {
    "zephyr-p5-18": "sedge", "sedge-d3-18": "zephyr", "swift-n1-18": "breeze", "fennel-h4-18": "marten", "marten-c8-18": "fennel",
    "alder-k2-18": "bramble", "bramble-c4-18": "alder", "teasel-g1-18": "espresso", "corvid-e6-18": "corvid", "wren-m3-18": "airy",
    "rime-f7-18": "gannet", "gannet-d6-18": "glass", "plover-b2-18": "code", "hoar-z3-18": "skua", "skua-i2-18": "skua",
    "policy-returns-22": "northern", "policy-warranty-22": "second", "policy-shipping-22": "northern", "policy-repair-22": "mainland",
    "policy-privacy-22": "photographs", "ember-o5-18": "kiln", "kiln-i4-18": "front", "thrush-t2-18": "wholemeal",
    "osprey-a6-18": "dunlin", "dunlin-r1-18": "osprey", "harrier-v8-18": "mole", "mole-r3-18": "harrier", "stoat-h1-18": "burst",
    "otter-x4-18": "otter", "lapwing-f2-18": "scrub", "tarn-w7-18": "tarn", "beck-d5-18": "down", "sike-s2-18": "gentle",
    "linnet-p3-18": "silk", "ghyll-w9-18": "ghyll", "sqlite-q-016": "stored", "sqlite-q-033": "vacuum", "sqlite-q-064": "replace",
    "sqlite-q-065": "soft",
}  # fmt: skip


def comparisons():
    return [q for corpus in ("quillfeather", "sqlite") for q in load_exam("all", corpus, edition=None) if q.type == "comparison"]


def test_the_other_candidate_of_every_comparison_is_known():
    assert {question.id: other_candidate(question) for question in comparisons()} == OTHERS


def test_a_comparison_is_won_by_deciding():
    for question in comparisons():
        answer, other = question.answer, OTHERS[question.id]
        assert chooses(question, f"It is {answer}."), question.id
        assert chooses(question, f"{answer} is more so than {other}."), question.id
        for echo in (
            f"{answer} and {other} both.",
            f"Not {other} but {answer}.",
            f"{other} is more so than {answer}.",
            question.question,
        ):
            assert not chooses(question, echo), (question.id, echo)


def test_the_mark_of_a_comparison_is_stricter_than_the_plain_rule():
    echo = "Both the Corvid E6 and the Wren M3 are quiet."
    assert is_correct(COMPARED, echo)
    assert not mark(COMPARED, echo, ["a"], [], [["a"]]).right
    assert mark(COMPARED, "The Wren M3 is quieter than the Corvid E6.", ["a"], [], [["a"]]).right
    assert not mark(COMPARED, "The Corvid E6 is quieter than the Wren M3.", ["a"], [], [["a"]]).right


def test_a_comparison_whose_candidates_cannot_be_read_falls_back_to_naming_the_right_one():
    odd = Question("c", "p", "comparison", "exam", "Which of the two is quieter?", "Wren M3", (), (Gold("d", "x"),))
    assert other_candidate(odd) is None
    assert chooses(odd, "The Wren M3.") and not chooses(odd, "The Corvid.")


# --- swapping ---------------------------------------------------------------------------------------------------------


def test_swapping_counts_every_pair_once():
    swap = swap_passages([True, True, False, False, False], [True, False, True, False, False])
    assert swap == Swap(both=1, gold_only=1, retrieved_only=1, neither=2)
    assert swap.failures == 3 and swap.shares == pytest.approx((1 / 3, 2 / 3))


def test_swapping_without_failures_or_pairs():
    assert swap_passages([True], [False]).shares == (0.0, 0.0)
    assert swap_passages([], []).shares == (0.0, 0.0)
    with pytest.raises(ValueError):
        swap_passages([True], [])


def test_the_two_ways_to_blame_need_not_agree():
    """A distractor misleads the reader: every fact was there, and yet better passages mend it."""
    with_three = mark(ASKED, "It is 80 °C.", ["a", "x", "y"], [], [["a"]])
    with_gold = mark(ASKED, "It is 91 °C.", ["a"], [], [["a"]])
    assert with_three.blame == "reader"
    assert swap_passages([with_three.right], [with_gold.right]).shares == (1.0, 0.0)


# --- measures ---------------------------------------------------------------------------------------------------------


def test_measures_leave_out_what_has_no_value():
    silent = [mark(ASKED, "It is cold.", ["a"], [], [["a"]])]
    assert [one.name for one in measures(silent)] == ["right", "exact", "token F1", "cites at all", "citation recall"]
    assert share("x", []) is None and mean("x", []) is None and measures([]) == []


def test_measures_by_hand():
    marks = [
        mark(ASKED, "It is 91 °C.", ["a", "b"], ["a", "b"], [["a"]]),
        mark(ASKED, "It is cold.", ["a"], [], [["a"]]),
        mark(ASKED, "I do not know.", ["a"], [], [["a"]]),
        mark(UNASKABLE, "I do not know.", ["a"], [], []),
    ]
    values = {one.name: (one.value, one.n) for one in measures(marks)}
    assert values["right"] == (pytest.approx(1 / 3), 3)
    assert values["citation precision"] == (0.5, 1)
    assert values["citation recall"] == (pytest.approx(1 / 3), 3)
    assert values["cites at all"] == (pytest.approx(1 / 3), 3)
    assert values["abstention precision"] == (0.5, 2)
    assert values["abstention recall"] == (1.0, 1)
    assert all(one.low <= one.value <= one.high for one in measures(marks))
    assert list(by_type(marks, lambda one: one.right)) == ["single", "unanswerable"]
    assert "(6.1% to 79.2%, 3 questions)" in str(measures(marks)[0])
