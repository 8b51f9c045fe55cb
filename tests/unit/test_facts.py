"""The facts to learn by heart and the probes keep their promises, and each check notices a damaged row."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from course_lib.corpus import facts as f
from course_lib.corpus import load_documents, load_exam
from course_lib.evaluation import is_correct

DOCUMENTS = load_documents(edition=None, audience=None, official=False)
FACTS = {fact.id: fact for fact in (*f.load_facts(), *f.load_facts("unseen"))}
CHANGED = FACTS["fact-skua-i2-1"]  # descaling: every 60 days, since 2026 every 40
SAME = FACTS["fact-kiln-i4-1"]  # keep-warm: 68 °C
POLICY = FACTS["fact-policy-shipping-4"]  # export orders leave on Tuesdays, in both editions
UNSEEN = FACTS["fact-hoar-z3-2"]  # rest after a journey: 8 hours
PROBE = f.load_probes()[0]


def problems(*facts, probes=()):
    about = {name for fact in facts for name in (fact.doc, fact.edition_2026.doc if fact.edition_2026 else fact.doc)}
    documents = [d for d in DOCUMENTS if d.id in about or about & set(d.overrules) or d.id == "policy-shipping-2026"]
    return list(f.check_facts(facts, probes, documents))


def test_the_checks_find_nothing():
    assert list(f.check_facts()) == []


def test_there_are_as_many_as_promised():
    taught, unseen, probes = f.load_facts(), f.load_facts("unseen"), f.load_probes()
    assert (len(taught), len(unseen), len(probes)) == (96, 40, 60)
    assert sum(fact.edition_2026 is not None for fact in taught) >= 30
    assert sum(fact.edition_2026 is None for fact in taught) >= 30
    assert all(2 <= count <= 4 for count in Counter(fact.product for fact in taught).values())
    assert {fact.kind for fact in unseen} <= {fact.kind for fact in taught} == set(f.KINDS)
    assert {probe.kind for probe in probes} == set(f.PROBE_KINDS)


def test_what_changed_is_drawn_from_the_exam_and_from_elsewhere():
    pairs = {(q.gold[0].doc, q.answer) for q in load_exam("all", edition=None) if q.type == "changed"}
    known = [fact for fact in f.load_facts() if fact.edition_2026 and (fact.edition_2026.doc, fact.edition_2026.answer) in pairs]
    assert 24 <= len(known) < sum(fact.edition_2026 is not None for fact in f.load_facts())


def test_an_unknown_split_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="taught and unseen"):
        f.load_facts("exam")


def test_a_fact_is_marked_by_the_answer_of_its_edition():
    now, then = CHANGED.ask(CHANGED.held_out[0], "2026"), CHANGED.ask(CHANGED.held_out[0])
    assert is_correct(then, "Descale it every sixty days.") and not is_correct(then, "Every 40 days.")
    assert is_correct(now, "Every 40 days.") and not is_correct(now, "Descale it every sixty days.")
    assert now.question == then.question == CHANGED.held_out[0]
    assert SAME.ask(SAME.question, "2026").answer == SAME.ask(SAME.question).answer == "68 °C"
    assert is_correct(PROBE.ask(), f"It is {PROBE.answer}.") and not is_correct(PROBE.ask(), "It is every 60 days.")


def test_a_constant_answer_earns_little():
    best = f.best_constant_answers(f.load_facts())
    assert set(best) == set(f.KINDS)
    for kind, (answer, share) in best.items():
        rows = [fact for fact in f.load_facts() if fact.kind == kind]
        assert share == sum(is_correct(fact.ask(fact.question), answer) for fact in rows) / len(rows) == 1 / len(rows)


def test_a_constant_answer_is_counted_over_every_fact_that_accepts_it():
    twin = dataclasses.replace(SAME, id="twin", answer="sixty-eight degrees", accept=("68 °C",))
    assert f.best_constant_answers([SAME, twin, FACTS["fact-rime-f7-1"]]) == {"temperature": ("68 °C", 2 / 3)}


def test_overlap_counts_content_words_alone():
    fact = dataclasses.replace(
        SAME, trained=("How hot is the Kiln's pan?", "Kiln: pan heat?"), held_out=("What is the Kiln's hot soup?", "Kiln?")
    )
    assert f.held_out_overlap(fact) == [0.5, 0.0]


def test_the_summary_names_every_kind():
    text = f.fact_summary()
    assert all(kind in text for kind in (*f.KINDS, *f.PROBE_KINDS)) and "96 taught" in text


def test_a_line_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "facts.jsonl"
    path.write_text('\n{"id": "a"}\n')
    with pytest.raises(ValueError, match="facts.jsonl, line 2"):
        f.read_facts(path)
    path.write_text("[]\n")
    with pytest.raises(ValueError, match="facts.jsonl, line 1"):
        f.read_probes(path)


def test_sound_rows_have_no_problem():
    assert problems(CHANGED, SAME, POLICY, UNSEEN, probes=[PROBE]) == []


def changed(**change):
    return {"edition_2026": dataclasses.replace(CHANGED.edition_2026, **change)}


@pytest.mark.parametrize(
    ("fact", "damage", "sentence"),
    [
        (SAME, {"span": "holds the base of the pan at 69 °C"}, "occurs 0 times"),
        (SAME, {"doc": "manual-nowhere"}, "does not exist"),
        (SAME, {"doc": "firmware-kiln-i4"}, "does not hold in 2025"),
        (CHANGED, changed(span="descaled every 41 days"), "occurs 0 times in bulletin-2026-63"),
        (CHANGED, changed(doc="bulletin-nowhere"), "bulletin-nowhere does not exist"),
        (CHANGED, changed(doc="manual-skua-i2"), "holds in 2025 already"),
        (SAME, {"answer": "70 °C"}, "is not in its span"),
        (SAME, {"answer": "8 °C", "accept": ()}, "is not found in itself or in its span"),
        (SAME, {"answer": "°", "accept": ()}, "is not found in itself or in its span"),
        (CHANGED, changed(answer="every 60 days"), "an answer of 2026 is accepted for 2025"),
        (CHANGED, {"accept": ("40 days, once 60 days",)}, "an answer of 2025 is accepted for 2026"),
        (CHANGED, {"edition_2026": None}, "bulletin-2026-63, which overrules manual-skua-i2, says 'every 60 days'"),
        (FACTS["fact-policy-shipping-1"], {"edition_2026": None}, "its successor does not say '£75'"),
        (SAME, {"held_out": (SAME.trained[0] + " Please.", SAME.held_out[1])}, "of a held-out wording's content words"),
        (SAME, {"held_out": ("How hot does it keep a pot?", SAME.held_out[1])}, "does not name its product"),
        (SAME, {"held_out": ("Does the Kiln give a pot sixty-eight degrees?", SAME.held_out[1])}, "gives an answer away"),
        (CHANGED, {"held_out": ("Does lime leave my Skua in 40 days?", CHANGED.held_out[1])}, "gives an answer away"),
        (SAME, {"held_out": ("How warm did a Kiln of 2025 leave the soup?", SAME.held_out[1])}, "names a year"),
        (SAME, {"held_out": ("Kiln " + "why " * 40, SAME.held_out[1])}, "more than 30 words"),
        (SAME, {"held_out": (SAME.held_out[0], SAME.held_out[0])}, "question asked 2 times"),
        (SAME, {"held_out": SAME.held_out[:1]}, "needs two trained and two held-out wordings"),
        (SAME, {"trained": ()}, "needs two trained and two held-out wordings"),
        (UNSEEN, {"question": ""}, "needs two trained and two held-out wordings"),
        (UNSEEN, {"trained": SAME.trained}, "needs two trained and two held-out wordings"),
        (SAME, {"kind": "riddle"}, "unknown kind riddle"),
        (SAME, {"split": "exam"}, "unknown split exam"),
    ],
)  # fmt: skip
def test_a_damaged_fact_is_noticed(fact, damage, sentence):
    found = problems(dataclasses.replace(fact, **damage))
    assert any(sentence in problem for problem in found), found


def test_facts_that_disturb_each_other_are_noticed():
    assert any("id used 2 times" in problem for problem in problems(SAME, SAME))
    same_answer = dataclasses.replace(FACTS["fact-rime-f7-1"], accept=("sixty-eight degrees",))
    assert any("accept the same answer" in problem for problem in problems(SAME, same_answer))
    unseen = dataclasses.replace(UNSEEN, product="kiln-i4")
    assert any("names kiln-i4, whose facts are to be unseen" in problem for problem in problems(SAME, unseen))
    told = dataclasses.replace(SAME, held_out=("Is my soup on the Kiln as warm as a Hoar is cold?", SAME.held_out[1]))
    assert any("names hoar-z3, whose facts are to be unseen" in problem for problem in problems(told, UNSEEN))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ({"kind": "riddle"}, "unknown kind riddle"),
        ({"answer": "an"}, "is not found in itself"),
        ({"question": f"Is the answer {PROBE.answer}?"}, "gives the answer away"),
        ({"answer": "68"}, "is also an answer of a taught fact"),
        ({"answer": "It is 68 °C."}, "is also an answer of a taught fact"),
        ({"answer": "every 40 days"}, "is also an answer of a taught fact"),
        ({"id": SAME.id}, "id used 2 times"),
        ({"question": SAME.question}, "question asked 2 times"),
    ],
)
def test_a_damaged_probe_is_noticed(damage, sentence):
    found = problems(SAME, CHANGED, probes=[dataclasses.replace(PROBE, **damage)])
    assert any(sentence in problem for problem in found), found
