"""Search by words, and rankings put together."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import permutations

import pytest

from course_lib.corpus import load_exam, load_passages
from course_lib.retrieval import BM25Index, HybridIndex, Record, reciprocal_rank_fusion, tokenize
from course_lib.retrieval.fusion import fusion_scores
from course_lib.retrieval.lexical import STOPWORDS, bm25_scores, filtered_top_k
from course_lib.retrieval.records import matches

RECORDS = [
    Record("a", "The display shows E47: descale the boiler.", title="Corvid E6", metadata={"audience": "customer"}),
    Record("b", "The display shows E33: let it cool down.", title="Corvid E6", metadata={"audience": "staff"}),
    Record("c", "Order part QF-1122 for the wand.", title="Spare parts", metadata={"audience": "customer"}),
]


def ids(hits):
    return [hit.passage.id for hit in hits]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("the of and", []),
        ("E47", ["e47"]),
        ("corvid-e6", ["corvid-e6", "corvid", "e6"]),
        ("sqlite3_busy_timeout()", ["sqlite3_busy_timeout", "sqlite3", "busi", "timeout"]),
        ("low-heat", ["low", "heat"]),
        ("1.2 litres, 1,200 W; 91°C.", ["1.2", "litr", "1200", "w", "91", "c"]),
        ("1,2 and 3", ["1,2", "3"]),
        ("Don’t use the customer's", ["don't", "use", "custom"]),
        ("Käse ÉCLAIR 水 🫖 --- _ '", ["käse", "éclair", "水"]),
        ("descaling descaled descale", ["descal"] * 3),
    ],
)
def test_terms(text, expected):
    assert tokenize(text) == expected


def test_bm25_agrees_with_its_formula_on_the_whole_shelf():
    passages = load_passages()
    index = BM25Index(passages)
    terms = [tokenize(f"{passage.title}\n{passage.text}") for passage in passages]
    for question in load_exam("dev")[::12]:
        expected = bm25_scores(tokenize(question.question), terms)
        found = index.search(question.question, k=len(passages))
        assert {hit.passage.id: pytest.approx(hit.score) for hit in found} == {
            passage.id: score for passage, score in zip(passages, expected) if score > 0
        }
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_the_explanation_adds_up_to_the_score():
    index = BM25Index(RECORDS)
    question = "Corvid's display displays E47, why is the boiler descaled?"
    for hit in index.search(question):
        parts = index.explain(question, hit.passage.id)
        assert sum(part for _, part in parts) == pytest.approx(hit.score, abs=1e-12)
        assert [part for _, part in parts] == sorted((part for _, part in parts), reverse=True)
    words = [word for word, _ in index.explain(question, "a")]
    assert words.count("display") == 1 and "displays" not in words and "descaled" in words and "the" not in words
    assert index.explain("wombat", "a") == []
    with pytest.raises(KeyError):
        index.explain("wombat", "nobody")


def test_a_rare_word_counts_for_more_than_a_frequent_one():
    parts = dict(BM25Index(RECORDS).explain("display E47", "a"))
    assert parts["e47"] > parts["display"] > 0


def test_what_shares_no_word_is_not_found():
    index = BM25Index(RECORDS)
    assert ids(index.search("E33", k=3)) == ["b"]
    for nothing in ("", "   ", "the of and", "wombat", "水", "🫖", "'"):
        assert index.search(nothing) == []


@pytest.mark.parametrize("records", [[], [Record("x", "")], [Record("x", "the of"), Record("y", "🫖")]])
def test_a_shelf_without_words_finds_nothing(records):
    index = BM25Index(records)
    assert index.search("anything") == [] and index.search_many(["a", "b"]) == [[], []]
    assert index.search("anything", where={"audience": "customer"}) == []


def test_some_texts_may_be_empty():
    assert ids(BM25Index([Record("x", ""), Record("y", "a wombat")]).search("wombat")) == ["y"]


def test_titles_are_counted_where_wanted():
    assert ids(BM25Index(RECORDS).search("spare")) == ["c"]
    assert BM25Index(RECORDS, titles=False).search("spare") == []


def test_ties_keep_the_order_of_the_passages():
    names = [f"{number:03d}" for number in range(200)]
    random.Random(0).shuffle(names)
    index = BM25Index([Record(name, "the same wombat") for name in names])
    for k in (1, 7, 199, 200, 500):
        assert ids(index.search("wombat", k=k)) == names[:k]


def test_the_filter_acts_inside_the_search():
    rng = random.Random(1)
    words = "pump tank lid hose lamp".split()
    records = [
        Record(str(n), " ".join(rng.choices(words, k=rng.randint(1, 9))), metadata={"group": str(n % 10)}) for n in range(300)
    ]
    index = BM25Index(records)
    for where in ({"group": "3"}, {"group": ["3", "4"]}, {"group": "none"}, {"nothing": "3"}, {}):
        everything = index.search("pump lid", k=300)
        expected = [hit for hit in everything if matches(hit.passage.metadata, where)][:8]
        assert index.search("pump lid", k=8, where=where) == expected
    assert ids(BM25Index(RECORDS).search("display", where={"audience": "staff"})) == ["b"]


def test_many_questions_are_answered_as_one_by_one():
    index = BM25Index(RECORDS)
    questions = ["display", "", "QF 1122", "E33 boiler"]
    assert index.search_many(questions, k=2) == [index.search(question, k=2) for question in questions]


@pytest.mark.parametrize("bad", [{"k1": -0.1}, {"b": -0.1}, {"b": 1.1}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ValueError, match="k1 must be at least 0"):
        BM25Index(RECORDS, **bad)
    with pytest.raises(ValueError, match="k must be at least 1"):
        BM25Index(RECORDS).search("display", k=0)


def test_nothing_is_printed(capfd):
    BM25Index(RECORDS).search_many(["display"] * 200)
    assert capfd.readouterr() == ("", "")


def test_the_stopwords_are_lucenes():
    assert len(STOPWORDS) == 33 and {"the", "will", "with"} <= STOPWORDS and "what" not in STOPWORDS


def test_filtered_top_k_agrees_with_sorting():
    rng = random.Random(2)
    for _ in range(300):
        scores = [rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0]) for _ in range(rng.randint(0, 12))]
        allowed = [rng.random() < 0.6 for _ in scores]
        k = rng.randint(1, 14)
        expected = sorted((row for row, ok in enumerate(allowed) if ok), key=lambda row: (-scores[row], row))[:k]
        assert filtered_top_k(scores, allowed, k) == expected


def test_fusion_agrees_with_exact_fractions():
    rng = random.Random(3)
    for _ in range(200):
        rankings = [rng.sample("abcdefgh", rng.randint(0, 8)) for _ in range(rng.randint(1, 4))]
        votes = {}
        for ranking in rankings:
            for place, name in enumerate(ranking, start=1):
                votes[name] = votes.get(name, 0) + Fraction(1, 60 + place)
        assert reciprocal_rank_fusion(rankings) == sorted(votes, key=lambda name: (-votes[name], name))


def test_fusion_does_not_depend_on_the_order_of_the_searches():
    rankings = [["a", "b", "c", "d"], ["c", "a", "b"], ["d", "b", "a", "c"], ["b"]]
    assert len({tuple(reciprocal_rank_fusion(list(order))) for order in permutations(rankings)}) == 1
    assert reciprocal_rank_fusion([]) == [] and reciprocal_rank_fusion([[], []]) == []
    assert fusion_scores([["a", "b", "a"]]) == fusion_scores([["a", "b"]])


def test_hybrid_search_is_the_fusion_of_its_parts():
    with_titles, without = BM25Index(RECORDS), BM25Index(RECORDS, titles=False, k1=0.0)
    both = HybridIndex([with_titles, without])
    question = "Corvid display, part E33"
    rankings = [ids(index.search(question, k=50)) for index in (with_titles, without)]
    hits = both.search(question, k=3)
    assert ids(hits) == reciprocal_rank_fusion(rankings)
    assert [hit.score for hit in hits] == [fusion_scores(rankings)[hit.passage.id] for hit in hits]
    assert both.search_many([question, ""], k=3) == [hits, []]
    assert ids(both.search(question, where={"audience": "staff"})) == ["b"]


def test_hybrid_search_gives_as_many_as_were_asked_for():
    index = BM25Index([Record(f"{number:03d}", "wombat") for number in range(80)])
    assert len(HybridIndex([index], depth=10).search("wombat", k=70)) == 70
    assert len(HybridIndex([index, index]).search("wombat", k=5)) == 5


@pytest.mark.parametrize("bad", [{"indexes": []}, {"k": -1}, {"depth": 0}])
def test_an_impossible_hybrid_is_refused(bad):
    with pytest.raises(ValueError, match="hybrid search needs"):
        HybridIndex(**({"indexes": [BM25Index(RECORDS)]} | bad))
    with pytest.raises(ValueError, match="k must be"):
        HybridIndex([BM25Index(RECORDS)]).search("display", k=0)


def test_words_and_meaning_together_find_a_code_and_a_paraphrase(models):
    from course_lib.retrieval import hybrid

    index = hybrid(RECORDS)
    assert index.search("QF-1122", k=1)[0].passage.id == "c"
    assert index.search("the machine is too hot, what must I do?", k=1)[0].passage.id == "b"


def test_a_single_question_leaves_nothing_on_the_disk(models, tmp_path, monkeypatch):
    from course_lib.models import embedder
    from course_lib.retrieval import hybrid

    embedder()  # loaded from the usual place before the cache moves
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    index = hybrid(RECORDS)
    before = sorted(tmp_path.rglob("*"))
    assert index.search("QF-1122") == index.search("QF-1122") and sorted(tmp_path.rglob("*")) == before
