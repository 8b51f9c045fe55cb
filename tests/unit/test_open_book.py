"""The shipped open-book run: whole, made with what is here now, remade by its command, and gone on with where it was stopped."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from course_lib.corpus import sample_by_type
from course_lib.errors import CourseError
from course_lib.evaluation import closed_book, shipped
from course_lib.evaluation.open_book import (
    CONDITIONS,
    RESULTS,
    Run,
    for_sqlite,
    load_desk,
    load_run,
    made_with,
    rows_of,
)
from course_lib.evaluation.second_reading import RESULTS as SECOND
from course_lib.evaluation.second_reading import load_second_reading
from course_lib.models import language_model
from course_lib.pipeline import Assistant
from course_lib.retrieval import BM25Index, hybrid


@pytest.fixture(scope="module")
def run() -> Run:
    return load_run()


def share_right(run, condition, corpus):
    marks = [mark for mark in run.marks(condition, corpus) if mark.question.answerable]
    return sum(mark.right for mark in marks) / len(marks)


def test_every_question_was_asked_under_every_condition(run):
    for corpus, count in (("quillfeather", 318), ("sqlite", 73)):
        asked = [question.id for question in run.desks[corpus].questions]
        assert len(asked) == count
        for condition in CONDITIONS:
            readings = run.readings(condition, corpus)
            assert [one.question.id for one in readings] == asked
            assert all(len(one.shown) <= Assistant.k or condition == "gold" for one in readings)
    assert RESULTS.stat().st_size < 1_500_000
    assert run.about["model_sha256"].startswith("b179c9523d0e")


def test_the_prompts_held_what_their_condition_says(run):
    for corpus, desk in run.desks.items():
        for gold, reading, found in zip(desk.golds, run.readings("gold", corpus), run.readings("retrieved", corpus)):
            assert all(set(fact) & set(reading.shown) for fact in gold)
            assert gold or reading.shown == found.shown[:1]
            assert len(set(reading.shown)) == len(reading.shown) <= max(len(gold), 1)
        assert all(reading.shown == () for reading in run.readings("closed", corpus))
        for reading in run.readings("random", corpus):
            assert set(reading.shown) <= set(desk.by_id)


def test_the_score_lies_between_chance_and_an_oracle(run):
    for corpus in run.desks:
        shares = {condition: share_right(run, condition, corpus) for condition in CONDITIONS}
        assert shares["random"] <= shares["retrieved"] <= shares["gold"] or shares["retrieved"] - shares["gold"] < 0.1, shares
        assert shares["random"] < shares["gold"], shares


def test_marks_can_count_what_a_program_cites(run):
    own = [mark.citations for mark in run.marks("gold")]
    found = [mark.citations for mark in run.marks("gold", attributed=True)]
    assert sum(found) > sum(own) and max(found) == 1


def test_the_ledger_of_a_run(run):
    ledger = run.ledger("retrieved")
    assert len(ledger.entries) == 318 and 300 < ledger.tokens_in < Assistant.budget and 0 < ledger.tokens_out <= 48
    with pytest.raises(CourseError, match="closed"):
        run.ledger("closed")
    with pytest.raises(CourseError, match="choose one of closed, gold, random, retrieved"):
        run.readings("guessed")


def test_another_exam_prompt_or_corpus_is_noticed(run, tmp_path):
    desks = list(run.desks.values())
    now = made_with(desks)
    other_style = [replace(desks[0], style=replace(desks[0].style, system="Be brief.")), desks[1]]
    assert {name for name, value in made_with(other_style).items() if value != now[name]} == {"prompt"}
    fewer = [replace(desks[0], questions=desks[0].questions[1:]), desks[1]]
    assert {name for name, value in made_with(fewer).items() if value != now[name]} == {"exam"}
    fewer = [replace(desks[0], passages=desks[0].passages[1:]), desks[1]]
    assert {name for name, value in made_with(fewer).items() if value != now[name]} == {"passages"}


def test_a_damaged_or_outdated_file_says_how_to_remake_it(tmp_path):
    path = tmp_path / "open_book.json"
    with pytest.raises(CourseError, match="python -m course_lib.evaluation.open_book"):
        load_run(path)
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    content["rows"][0]["answer"] = "forged"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CourseError, match="hash differs"):
        load_run(path)
    content = json.loads(RESULTS.read_text(encoding="utf-8")) | {"prompt_sha256": "0"}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CourseError, match="another version of the prompt"):
        load_run(path)


def test_rows_are_written_one_a_line_and_read_as_they_were(tmp_path):
    rows = [{"id": "ä", "answer": "two\nlines"}, {"id": "b", "answer": "«x»"}]
    path = tmp_path / "rows.json"
    shipped.write_rows(path, rows, {"model": "m"}, {"exam": "1"})
    assert shipped.read_rows(path, {"exam": "1"}, "remake") == (rows, {"model": "m"})
    assert sum(line.startswith('{"id"') for line in path.read_text(encoding="utf-8").splitlines()) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["rows.json"]
    with pytest.raises(CourseError, match="another version of the exam"):
        shipped.read_rows(path, {"exam": "2"}, "remake")
    with pytest.raises(CourseError, match="cannot be used"):
        shipped.read_rows(path, {"corpus": "1"}, "remake")


def test_sqlite_is_not_asked_as_quillfeather():
    desk = load_desk("sqlite")
    assert "Quillfeather" not in desk.style.system + desk.closed_system and "SQLite" in desk.style.system
    assert "numbered passages" in desk.style.system, "the instructions stay"
    with pytest.raises(ValueError, match="role"):
        for_sqlite("You are a pirate.")


def test_a_stopped_run_goes_on_and_asks_nothing_twice(models, tmp_path, monkeypatch):
    monkeypatch.setattr("course_lib.evaluation.open_book.CHUNK", 1)
    whole = load_desk("quillfeather")
    desk = replace(whole, questions=[q for q in whole.questions if q.id in ("osprey-a6-13", "corvid-e6-01")])
    search, partial = BM25Index(desk.passages), tmp_path / "partial.jsonl"
    rows = rows_of(language_model(), desk, search, partial)
    assert [(row["condition"], row["id"]) for row in rows] == [
        (condition, question.id) for condition in ("gold", "retrieved", "random") for question in desk.questions
    ]
    lines = partial.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 6
    nobody = replace(language_model(), model=None)  # whatever is asked again now fails
    assert rows_of(nobody, desk, search, partial) == rows
    partial.write_text("\n".join([*lines[:5], lines[5][:20]]), encoding="utf-8")
    with pytest.raises(AttributeError):
        rows_of(nobody, desk, search, partial)


def test_a_sample_asked_now_gives_the_shipped_answers(models, run):
    """Other processors round differently, so of eight answers two may differ; what is found may not."""
    desk = run.desks["quillfeather"]
    wanted = {question.id for question in sample_by_type(desk.questions, per_type=1, seed=8)}
    rows = [at for at, question in enumerate(desk.questions) if question.id in wanted]
    assistant = desk.assistant(language_model(), hybrid(desk.passages))
    questions = [desk.questions[at].question for at in rows]
    hits = assistant.search.search_many(questions, assistant.k, assistant.where)
    shipped_ids = [run.readings("retrieved")[at].shown for at in rows]
    same = [tuple(hit.passage.id for hit in found) == ids for found, ids in zip(hits, shipped_ids)]
    assert sum(same) >= len(rows) - 1
    gold = [run.readings("gold")[at] for at in rows]
    made = assistant.read_many(questions, [[desk.by_id[name] for name in one.shown] for one in gold])
    one_more = run.readings("retrieved")[rows[0]]
    made += assistant.read_many(questions[:1], [[desk.by_id[name] for name in one_more.shown]])
    equal = [answer.text == reading.text for answer, reading in zip(made, [*gold, one_more])]
    assert len(equal) == 8 and sum(equal) >= 6, [(a.text, r.text) for a, r in zip(made, [*gold, one_more])]


def test_the_closed_book_file_is_read_by_the_same_rules():
    questions, answers, _ = closed_book.load_results()
    assert len(questions) == len(answers) == 318


def test_the_second_reading_is_of_these_answers_and_gives_its_reasons(run, tmp_path):
    second = load_second_reading(run)
    assert len({one.question.id for one in second}) == 80
    assert sum(one.marked for one in second) == 40, "half of them marked right"
    for one in second:
        assert bool(one.why) == (one.marked != one.right), one
    path = tmp_path / "second.json"
    content = json.loads(SECOND.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"answers_sha256": "0"}), encoding="utf-8")
    with pytest.raises(CourseError, match="another version of the answers"):
        load_second_reading(run, path)
    with pytest.raises(CourseError, match="missing.json cannot be used"):
        load_second_reading(run, tmp_path / "missing.json")


def test_pairs_of_conditions_are_of_the_same_questions(run):
    for corpus, count in (("quillfeather", 260), ("sqlite", 58)):
        assert {len(run.rights(condition, corpus)) for condition in CONDITIONS} == {count}
    report = run.report("sqlite", only=("right",))
    assert [line.split()[0] for line in report.splitlines()] == ["right", "closed", "random", "retrieved", "gold"]
