"""What is deleted is never found again, over every question of the exam; what was current is marked as such."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from course_lib.corpus import load_documents, load_exam
from course_lib.errors import CourseError
from course_lib.evaluation.freshness import RESULTS, Asked, change_and_ask, load_pairs, load_run, misleads, stale_share
from course_lib.generation import build_prompt
from course_lib.models import embedder, language_model
from course_lib.pipeline import Assistant
from course_lib.retrieval import DenseIndex
from course_lib.retrieval.live import LiveIndex
from course_lib.retrieval.stores import MemoryStore


@pytest.fixture(scope="module")
def shelf():
    """Some documents, so that embedding takes a moment only."""
    return [one for one in load_documents(edition=None) if one.family in ("", "company") or "policy" in one.id]


@pytest.fixture(scope="module")
def questions():
    return [one.question for one in load_exam("all", edition=None)]


def documents_found(index, questions, k, where=None):
    return {hit.passage.metadata["document"] for hits in index.search_many(questions, k, where) for hit in hits}


def test_a_deleted_document_is_never_found_again(models, shelf, questions):
    live = LiveIndex(MemoryStore(384), embedder())
    live.put(shelf, cached=True)
    yesterday = DenseIndex([passage for one in shelf for passage in live.records(one)])
    assert "policy-returns-2025" in documents_found(live, questions, 5)
    live.remove("policy-returns-2025")
    assert live.store.count({"document": "policy-returns-2025"}) == 0
    assert "policy-returns-2025" not in documents_found(live, questions, 20)
    assert "policy-returns-2025" in documents_found(yesterday, questions, 5)  # a copy is a copy
    live.put([one for one in shelf if one.id == "policy-returns-2025"])
    assert "policy-returns-2025" in documents_found(live, questions, 5)


def test_a_filter_keeps_each_edition_to_itself(models, shelf, questions):
    live = LiveIndex(MemoryStore(384), embedder())
    live.put(shelf, cached=True)
    for year, other in (("2025", "2026"), ("2026", "2025")):
        found = documents_found(live, questions, 20, {"editions": year})
        assert f"policy-returns-{year}" in found and f"policy-returns-{other}" not in found


def test_pairs_are_the_same_question_with_two_answers():
    for split, number in (("train", 24), ("dev", 18), ("exam", 24)):
        pairs = load_pairs(split)
        assert len(pairs) == number
        for pair in pairs:
            assert pair.old.question == pair.new.question and pair.old.answer != pair.new.answer
            assert pair.stale and pair.current and not set(pair.stale) & set(pair.current)
            assert pair.replaced == ("policy" in pair.new.product)


def test_a_question_misleads_where_the_first_that_counts_is_stale():
    assert misleads(["x", "old", "new"], ["old"], ["new"]) and misleads(["old"], ["old"], ["new"])
    assert (
        not misleads(["new", "old"], ["old"], ["new"])
        and not misleads(["x"], ["old"], ["new"])
        and not misleads([], ["o"], ["n"])
    )
    assert stale_share([["old"], ["new"]], [["old"]] * 2, [["new"]] * 2) == 0.5
    with pytest.raises(ValueError, match="at least one"):
        stale_share([], [], [])
    with pytest.raises(ValueError):
        stale_share([["a"]], [], [])


def test_from_a_change_to_the_changed_answer(models):
    """The passage in the prompt is the new one, and the model's words follow from it: with another passage it says other words."""
    lm, live = language_model(), LiveIndex(MemoryStore(384), embedder())
    policy = next(one for one in load_documents() if one.id == "policy-warranty-2026")
    question = next(
        pair.question for pair in load_pairs() if pair.new.id.startswith("policy-warranty") and "register" in pair.question
    )
    live.put([policy])
    assistant = Assistant(live, lm, k=2, max_new_tokens=24)
    first = assistant.ask(question)
    edited = replace(policy, text=policy.text.replace("90 days", "77 days"))
    answer, cost = change_and_ask(live, assistant, [edited], question)
    shown = " ".join(passage.text for passage in answer.passages)
    assert "77 days" in shown and "90 days" not in shown
    assert "90 days" in " ".join(passage.text for passage in first.passages)
    assert set(cost.ms) == {"embed text", "write", "embed", "search", "prompt", "generate"}
    assert (cost.tokens_in, cost.tokens_out) == (answer.cost.tokens_in, answer.cost.tokens_out) and cost.tokens_in > 100
    assert answer.prompt.messages == build_prompt(question, answer.passages, lm.count_tokens).messages


def test_the_shipped_run_is_whole():
    asked, about = load_run()
    assert len(asked) == 24 and about["model"] and about["seconds"] > 0
    assert all(one.before and one.after and len(one.shown_before) <= 3 for one in asked)
    assert not any(name.startswith("policy-returns-2025") for one in asked for name in one.shown_after)
    assert sum(one.found_after for one in asked) > sum(name in one.shown_before for one in asked for name in one.pair.current)


def test_a_damaged_run_is_refused(tmp_path):
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    content["rows"][0]["after"] = "90 days"
    damaged = tmp_path / "freshness.json"
    damaged.write_text(json.dumps(content))
    with pytest.raises(CourseError, match="its hash differs"):
        load_run(damaged)


def test_marks_follow_the_words():
    pair = next(one for one in load_pairs() if one.new.answer == "90 days")
    asked = Asked(pair, "It is 28 days [1].", "You have ninety days.", pair.stale, ())
    assert asked.right_before and asked.found_before and not asked.found_after
    assert not Asked(pair, "90 days", "28 days", (), ()).right_after
