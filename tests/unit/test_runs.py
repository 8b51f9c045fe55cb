"""What ships of labs 07 and 08: runs, adapters, and that training again gives what they say."""

from __future__ import annotations

import json
import re

import pytest

from course_lib.corpus import load_facts
from course_lib.corpus.tickets import load_gold_tickets, load_labelled_tickets, split_of
from course_lib.evaluation import fact_runs, ticket_runs
from course_lib.evaluation.cached import cached
from course_lib.finetune import Example, make_example, merged, run_folder, train
from course_lib.finetune.adapters import SHIPPED, WEIGHTS, adapter_about
from course_lib.finetune.prepare import NAMES, prepared_tickets, renamed, training_examples, training_tickets
from course_lib.finetune.tickets import FIELDS, house_json, house_object, ticket_messages, ticket_text
from course_lib.generation import chat_messages, generate

KEPT_BACK = {gold.product.split("-")[0] for gold in load_gold_tickets() if gold.product and split_of(gold) != "train"}


# --- what is trained on ---------------------------------------------------------------------------------------------


def test_no_training_ticket_names_a_product_of_dev_or_exam():
    for pairs in (training_tickets(), renamed(training_tickets())):
        texts = [f"{ticket_text(ticket)} {house_json(ticket, gold)}".lower() for ticket, gold in pairs]
        assert not [text for text in texts for name in KEPT_BACK if re.search(rf"\b{name}\b", text)]
    assert not KEPT_BACK & {name.lower() for name in NAMES}


def test_the_tickets_labelled_later_are_new():
    old = {ticket_text(ticket) for split in ("train", "dev", "exam") for ticket, _ in prepared_tickets(split)}
    more = load_labelled_tickets()
    assert not old & {ticket_text(ticket) for ticket, _ in more}
    numbers = [gold.order_number for _, gold in more if gold.order_number]
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & {gold.order_number for gold in load_gold_tickets()}


def test_an_answer_can_be_read_out_of_its_ticket():
    """The reply names no product and no model that the ticket does not name."""
    for split in ("train", "dev", "exam"):
        for ticket, gold in prepared_tickets(split):
            if gold.product:
                text, made = ticket_text(ticket).lower(), house_object(ticket, gold)
                name, model = gold.product.split("-")
                assert (made["product"] is None) == (name not in text)
                assert name in text or name.capitalize() not in made["reply"]
                assert re.search(rf"\b{model}\b", text) or f"{name.capitalize()} {model.upper()}" not in made["reply"]


def test_an_invented_name_stands_wherever_the_old_one_stood_and_nothing_else_changes():
    before = training_tickets()
    for (ticket, gold), (other, changed) in zip(before, renamed(before), strict=True):
        was, now = house_object(ticket, gold), house_object(other, changed)
        assert [was[name] for name in FIELDS[1:]] == [now[name] for name in FIELDS[1:]]
        old = (gold.product or "no product").split("-")[0]
        assert not re.search(rf"\b{old}\b", f"{other.subject} {other.body} {other.product_field}".lower())
        assert now["product"] is None or now["product"] in NAMES or now["product"].capitalize() in NAMES
        assert len(other.body.split()) == len(ticket.body.split())
    assert renamed(before, seed=1) != renamed(before, seed=2)
    assert renamed(before, seed=1) == renamed(before, seed=1)


def test_fields_weigh_more_than_the_reply(models):
    from course_lib.models import language_model

    lm = language_model()
    pair = training_tickets(1)[0]
    (one,) = training_examples(lm, [pair], fields_weigh=3.0)
    texts = [lm.tokenizer.decode([token]) for token, on in zip(one.tokens, one.mask, strict=True) if on]
    heavy = "".join(text for text, weight in zip(texts, one.weights, strict=True) if weight == 3.0)
    assert set(one.weights) == {1.0, 3.0}
    assert house_json(*pair).startswith(heavy.rstrip(' "')) and heavy.endswith((", ", ', "', ","))
    (plain,) = training_examples(lm, [pair], fields_weigh=1.0)
    assert plain.weights == () and plain.tokens == one.tokens and sum(plain.counted) == plain.trained
    whole = make_example(lm, ticket_messages(pair[0]), house_json(*pair), weigh=lambda at: 1.0 + at)
    assert whole.weights[0] == 1.0 and whole.weights[-1] == 1.0 + len(house_json(*pair))


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 0.0), (1.0, 1.0, 1.0)])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match="as many weights"):
        Example((5, 6, 7), (False, True, True), weights)


# --- parts that are kept --------------------------------------------------------------------------------------------


def test_a_part_is_made_once_for_its_inputs_and_again_when_it_is_damaged(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"rows": [len(made)]}

    assert cached("a", {"n": 1}, make, tmp_path) == cached("a", {"n": 1}, make, tmp_path) == {"rows": [1]}
    assert cached("a", {"n": 2}, make, tmp_path) == {"rows": [2]}
    for path in tmp_path.glob("*.json"):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"value": {"rows": [99]}}))
    assert cached("a", {"n": 1}, make, tmp_path) == {"rows": [3]}
    assert cached("a", {"n": 2}, make, tmp_path) == {"rows": [4]}
    for path in tmp_path.glob("*.json"):
        path.write_text("{")
    assert cached("a", {"n": 1}, make, tmp_path) == {"rows": [5]}
    assert cached("a", {"n": 1}, make, tmp_path) == {"rows": [5]}
    assert not list(tmp_path.glob("*.partial"))


def test_a_part_that_fails_is_not_kept(tmp_path):
    def fail():
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        cached("a", {}, fail, tmp_path)
    assert cached("a", {}, lambda: 1, tmp_path) == 1


# --- what ships -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "module", "digest"),
    [
        ("tickets", ticket_runs, ticket_runs.data_digest),
        ("facts", fact_runs, lambda: fact_runs.made_with()["facts"]),
    ],
)
def test_an_adapter_ships_with_all_that_made_it(name, module, digest):
    about = adapter_about(name)
    assert (SHIPPED / name / WEIGHTS).stat().st_size <= 6_000_000
    assert about["command"] == module.COMMAND
    assert about["data_sha256"] == digest(), f"the data has changed since: {module.COMMAND}"
    assert about["recipe"]["seed"] == 0
    recipe = {key: tuple(value) if isinstance(value, list) else value for key, value in about["recipe"].items()}
    assert type(module.RECIPE)(**recipe) == module.RECIPE


def test_the_shipped_runs_have_three_seeds_and_every_question():
    tickets, facts = ticket_runs.load_runs(), fact_runs.load_runs()
    assert len(tickets.ways("trained")) == len(facts.ways("taught")) == 3
    assert {len(filed) for filed in tickets.filings.values()} == {len(prepared_tickets("exam"))}
    assert {len(right) for right in tickets.probes.values()} == {60}
    for way in ("before", *facts.ways("taught"), "taught anew"):
        assert len(facts.said[way]) == len(fact_runs.items())
    assert all(one["seconds"] > 0 and one["steps"] > 0 for one in tickets.about["trainings"].values())
    texts = [tuple(one.text for one in tickets.filings[way]) for way in tickets.ways("trained")]
    assert len(set(texts)) == 3, "another seed gives other answers"


def test_training_the_ticket_adapter_again_gives_the_shipped_scores(models):
    """As lab 07 does it, on 37 exam tickets: within the spread of the shipped seeds and what another machine's rounding may change."""
    from course_lib.models import language_model

    lm, runs = language_model(), ticket_runs.load_runs()
    examples, dev = training_examples(lm, renamed(training_tickets())), ticket_runs.dev_examples(lm)
    folder = run_folder("lab-07", lm, examples, ticket_runs.RECIPE, dev)
    run = train(lm, examples, ticket_runs.RECIPE, dev, folder, progress=False)
    pairs = prepared_tickets("exam")[::3]
    texts = generate(merged(run.lm), [ticket_messages(ticket) for ticket, _ in pairs], ticket_runs.MAX_NEW_TOKENS, 37)
    filed = [ticket_runs.Filing("again", *pair, text, 0, 0, 0.0).marks for pair, text in zip(pairs, texts, strict=True)]
    for mark in ("valid", "fields"):
        again = sum(ticket_runs._mark(one, mark) for one in filed) / len(filed)
        shipped = [sum(runs.shares(way, mark)[::3]) / len(pairs) for way in runs.ways("trained")]
        assert min(shipped) - 0.12 <= again <= max(shipped) + 0.12, mark


def test_teaching_the_facts_again_gives_the_shipped_recall(models):
    from course_lib.evaluation.answers import is_correct
    from course_lib.models import language_model

    lm, runs, facts = language_model(), fact_runs.load_runs(), load_facts()
    examples = fact_runs.fact_examples(lm, facts)
    folder = run_folder("lab-08", lm, examples, fact_runs.RECIPE)
    run = train(lm, examples, fact_runs.RECIPE, folder=folder, progress=False)
    questions = [fact.trained[0] for fact in facts]
    texts = generate(merged(run.lm), [chat_messages(one) for one in questions], fact_runs.MAX_NEW_TOKENS, fact_runs.BATCH)
    marks = [is_correct(fact.ask(fact.trained[0]), text) for fact, text in zip(facts, texts, strict=True)]
    shipped = [sum(runs.shares(way, "trained")) / len(facts) for way in runs.ways("taught")]
    assert min(shipped) - 0.08 <= sum(marks) / len(marks) <= max(shipped) + 0.08
