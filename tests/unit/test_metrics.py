"""Measures of rankings, against trec_eval's through ir_measures; intervals of differences; the best and chance around it all."""

from __future__ import annotations

import random

import numpy as np
import pytest

from course_lib.corpus import gold_passages, load_exam, load_passages
from course_lib.evaluation import (
    OracleSearch,
    RandomSearch,
    average_precision,
    evaluate,
    ndcg_at_k,
    paired_difference,
    precision_at_k,
    rank,
    recall_at_k,
    recall_of,
    reciprocal_rank,
)
from course_lib.retrieval import BM25Index, DenseIndex, HybridIndex

NAMES = [f"d{number:02d}" for number in range(30)]


def random_run(rng):
    """Judgements and scores of one question: graded, with ties, with documents that nobody judged."""
    judged = {name: rng.choice([0, 0, 1, 1, 2, 3]) for name in rng.sample(NAMES, rng.randint(1, 15))}
    scores = {name: float(rng.choice([0, 0.25, 0.5, 1, 2])) for name in rng.sample(NAMES, rng.randint(1, 30))}
    return judged, scores


def test_the_measures_agree_with_trec_eval():
    ir = pytest.importorskip("ir_measures", reason="needs ir-measures, one of the test tools")
    rng = random.Random(0)
    drawn = {f"q{number}": random_run(rng) for number in range(300)}
    qrels = {name: judged for name, (judged, _) in drawn.items()}
    run = {name: scores for name, (_, scores) in drawn.items()}
    names = {"nDCG@10": ir.nDCG @ 10, "recall@5": ir.R @ 5, "RR": ir.RR, "precision@5": ir.P @ 5, "AP": ir.AP}
    truth = {(m.query_id, str(m.measure)): m.value for m in ir.iter_calc(list(names.values()), qrels, run)}
    with_relevant = 0
    for question, (judged, scores) in drawn.items():
        ranking, relevant = rank(scores), {name for name, grade in judged.items() if grade > 0}
        mine = {name: values[0] for name, values in evaluate([ranking], [judged]).items()}
        with_relevant += bool(relevant)
        mine["AP"] = average_precision(ranking, relevant) if relevant else 0.0
        for name, measure in names.items():
            assert mine[name] == pytest.approx(truth[question, str(measure)], abs=1e-6), (question, name)
    assert with_relevant > 200


def test_ties_go_as_in_trec_eval():
    assert rank({"a": 1.0, "c": 1.0, "b": 2.0, "d": 0.0}) == ["b", "c", "a", "d"]


def test_a_second_copy_of_an_id_changes_nothing():
    doubled, plain = ["a", "a", "b", "a", "c"], ["a", "b", "c"]
    for k in (1, 2, 3):
        assert recall_of(doubled, {"b", "c"}, k) == recall_of(plain, {"b", "c"}, k)
        assert recall_at_k(doubled, [["b"], ["c"]], k) == recall_at_k(plain, [["b"], ["c"]], k)
        assert precision_at_k(doubled, {"b", "c"}, k) == precision_at_k(plain, {"b", "c"}, k)
        assert ndcg_at_k(doubled, {"b": 1, "c": 2}, k) == ndcg_at_k(plain, {"b": 1, "c": 2}, k)
    assert reciprocal_rank(doubled, {"b"}) == 0.5 and average_precision(doubled, {"b", "c"}) == (1 / 2 + 2 / 3) / 2


def test_ends():
    assert reciprocal_rank([], {"a"}) == reciprocal_rank(["b"], {"a"}) == reciprocal_rank(["a"], set()) == 0.0
    assert ndcg_at_k(["a"], {"a": 0}, 5) == 0.0 and ndcg_at_k([], {"a": 1}, 5) == 0.0 and ndcg_at_k(["a"], {"a": 3}, 5) == 1.0
    assert precision_at_k([], {"a"}, 3) == 0.0 and recall_of([], {"a"}, 3) == 0.0
    assert ndcg_at_k(["x", "a"], {"x": -1, "a": 1}, 5) == ndcg_at_k(["x", "a"], {"a": 1}, 5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: recall_of(["a"], set(), 5),
        lambda: average_precision(["a"], set()),
        lambda: ndcg_at_k(["a"], {}, 5),
        lambda: ndcg_at_k(["a"], {"a": 1}, 0),
        lambda: recall_of(["a"], {"a"}, 0),
        lambda: precision_at_k(["a"], {"a"}, -1),
        lambda: evaluate([["a"]], [[]]),
        lambda: evaluate([["a"]], [{}]),
        lambda: evaluate([["a"]], []),
        lambda: paired_difference([1.0], [1.0, 2.0]),
        lambda: paired_difference([], []),
    ],
)
def test_what_has_no_answer_is_refused(call):
    with pytest.raises(ValueError):
        call()


def test_a_question_whose_facts_no_passage_holds_scores_nothing():
    assert all(values == [0.0] for values in evaluate([["a"]], [[[]]]).values())
    assert all(values == [0.0] for values in evaluate([["a"]], [{"a": 0}]).values())


def test_facts_and_grades_agree_where_each_fact_has_one_passage():
    assert evaluate([["x", "a", "b"]], [[["a"], ["c"]]], k=2) == evaluate([["x", "a", "b"]], [{"a": 1, "c": 1, "x": 0}], k=2)


def test_the_interval_of_a_difference_covers_the_truth_as_often_as_it_says():
    rng, truth, covered = np.random.default_rng(0), 0.1, 0
    for trial in range(400):
        hard = rng.normal(0, 1, 60)  # shared by both systems: pairing takes it out
        covered_by = paired_difference(
            list(hard + truth + rng.normal(0, 0.3, 60)), list(hard + rng.normal(0, 0.3, 60)), draws=300, seed=trial
        )
        covered += covered_by.low <= truth <= covered_by.high
    assert 0.91 <= covered / 400 <= 0.98  # 95 % within three standard errors and the known shortfall at 60 questions


def test_pairing_narrows_the_interval():
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 1, 100)
    other = rng.permutation(hard)
    paired, unpaired = paired_difference(list(hard + 0.1), list(hard)), paired_difference(list(hard + 0.1), list(other))
    assert paired.high - paired.low < 0.01 < unpaired.high - unpaired.low


def test_a_difference_reads_as_a_sentence():
    same = paired_difference([0.5, 0.5], [0.5, 0.5])
    assert str(same) == "+0.00 (+0.00 to +0.00)" and not same.shown and same.n == 2
    assert str(paired_difference([0.0, 0.0], [0.25, 0.25])) == "-0.25 (-0.25 to -0.25)"
    assert paired_difference([1.0] * 9, [0.0] * 9).shown and paired_difference([0.0] * 9, [1.0] * 9).shown
    assert str(paired_difference([0.0], [0.001])) == "+0.00 (+0.00 to +0.00)"


def test_every_search_lies_between_chance_and_the_answer_key(models):
    passages = load_passages()
    questions = [
        question for question in load_exam("dev") if question.answerable and question.product in {"swift-n1", "teasel-g1"}
    ]
    golds = [gold_passages(question, passages) for question in questions]
    words, meaning = BM25Index(passages), DenseIndex(passages)
    searches = {
        "chance": RandomSearch(passages),
        "words": words,
        "meaning": meaning,
        "both": HybridIndex([words, meaning]),
        "key": OracleSearch(passages, questions),
    }
    means = {}
    for name, search in searches.items():
        found = search.search_many([question.question for question in questions], k=10)
        marks = evaluate([[hit.passage.id for hit in hits] for hits in found], golds)
        means[name] = {measure: float(np.mean(values)) for measure, values in marks.items()}
    for measure in ("recall@5", "RR", "nDCG@10", "precision@5"):
        for name in ("words", "meaning", "both"):
            assert means["chance"][measure] + 0.05 < means[name][measure] < means["key"][measure]
    assert means["key"]["recall@5"] == means["key"]["RR"] == means["key"]["nDCG@10"] == 1.0
    assert means["chance"]["recall@5"] < 0.1


def test_the_brackets_obey_filters_and_seeds():
    passages = load_passages(edition=None, audience=None, official=False)
    question = next(question for question in load_exam("dev") if question.gold)
    where = {"audience": "staff"}
    for search in (RandomSearch(passages), OracleSearch(passages, [question])):
        hits = search.search(question.question, k=4, where=where)
        assert len(hits) == 4 and all(hit.passage.document.audience == "staff" for hit in hits)
        assert len(search.search("anything", k=10_000)) == len(passages)
        assert search.search_many([question.question], k=4, where=where) == [hits]
    drawn = [[hit.passage.id for hit in RandomSearch(passages, seed).search("q", k=9)] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2] and len(set(drawn[0])) == 9
