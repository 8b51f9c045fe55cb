"""Tuning the search: what is trained on, hard negatives, the losses, the two trainings, their files and the run that ships."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest

from course_lib.corpus import Passage, load_exam, load_facts
from course_lib.corpus.documents import Document
from course_lib.errors import CourseError
from course_lib.evaluation import contains_answer, retriever_runs
from course_lib.finetune import pairs as p
from course_lib.finetune.negatives import Drawn, batches, draw, mine_negatives, right_ids
from course_lib.finetune.pairs import Pair
from course_lib.retrieval import Hit
from course_lib.retrieval.records import titled


def passage(name: str, text: str = "") -> Passage:
    document = Document(name, name.capitalize(), text or f"About {name}.")
    return Passage(f"{name}#0", document, 0, len(document.text))


# --- what is trained on ---------------------------------------------------------------------------------------------


def test_no_dev_or_exam_product_occurs_in_training():
    kept_back = p.products_of("dev") | p.products_of("exam")
    for pair in p.training_pairs():
        assert not p.names(pair.question, kept_back)
        assert not p.is_about(pair.passage, kept_back)
    for one in p.shelf_of("train"):  # negatives come from here
        assert not kept_back & {*one.document.products, one.document.id.rsplit("-", 1)[0]}
        assert not p.names(titled(one), kept_back)


def test_nothing_that_is_asked_on_dev_or_exam_is_trained_on():
    asked = {question.question for split in ("dev", "exam") for question in load_exam(split, edition=None)}
    gold = {
        (one.doc, one.span) for split in ("dev", "exam") for question in load_exam(split, edition=None) for one in question.gold
    }
    pairs = p.training_pairs()
    assert not asked & {pair.question for pair in pairs}
    assert not {doc for doc, _ in gold} & {pair.passage.document.id for pair in pairs}


def test_dev_and_training_share_no_passage_and_dev_has_no_exam_product():
    seen = {one.id for one in p.shelf_of("train")} & {one.id for one in p.shelf_of("dev")}
    assert not seen
    assert not any(p.is_about(one, p.products_of("exam")) for one in p.shelf_of("dev"))
    assert {pair.passage.id for pair in p.dev_pairs()} <= {one.id for one in p.shelf_of("dev")}


def test_a_pair_answers_its_question_and_stands_once():
    pairs = p.training_pairs()
    assert len({(pair.question, pair.passage.id) for pair in pairs}) == len(pairs)
    facts = {wording for split in ("taught", "unseen") for fact in load_facts(split) for wording in fact.wordings}
    for pair in pairs:
        assert pair.source == "exam" or contains_answer(pair.passage.text, list(pair.accepted)), pair
        assert (pair.source == "facts") <= (pair.question in facts)
    assert {pair.source for pair in pairs} == {"exam", "facts", "table"}


def test_both_editions_of_a_changed_answer_are_right():
    changed = [question for question in load_exam("train", edition=None) if question.type == "changed"]
    right = right_ids(p.training_pairs(), p.shelf_of("train"))
    by_question: dict[str, set[str]] = {}
    for pair in p.training_pairs():
        by_question.setdefault(pair.question, set()).add(pair.passage.id)
    for question in changed:
        assert len(by_question[question.question]) > 1, question.id
        assert by_question[question.question] <= right[question.question]


def test_a_question_by_rule_asks_for_the_row_it_was_made_from():
    shelf = p.shelf_of("train")
    made = p.table_pairs(shelf, per_table=2)
    assert made == p.table_pairs(shelf, per_table=2) != p.table_pairs(shelf, per_table=2, seed=1)
    assert max(sum(pair.passage.id == one.id for pair in made) for one in shelf) == 2
    for pair in made:
        assert any(pair.accepted[0] in cells for _, cells in p.table_rows(pair.passage.text))


def test_tables_of_other_kinds_are_left_alone():
    assert p.row_question(["Programme", "Temperature", "Time"], ["Wool", "20 °C", "41 min"], "Tarn W7") is None
    assert p.row_question(["Item", "Value"], ["Weight", ""], "Tarn W7") is None
    assert p.table_rows("| a row | of a table that began in another passage |") == []
    assert p.table_rows("| A | B |\n|---|---|\n| 1 |") == []


# --- hard negatives -------------------------------------------------------------------------------------------------


class Found:
    """A search that finds what it is told."""

    def __init__(self, hits):
        self.hits = hits

    def search_many(self, questions, k=5, where=None):
        return [[Hit(one, 1.0) for one in self.hits][:k] for _ in questions]


class Guide:
    """Vectors in a plane, by id; every question points along the first axis."""

    model = None

    def __init__(self, cosines):
        self.passages = list(cosines)
        self.vectors = np.array([[cosine, math.sqrt(1 - cosine**2)] for cosine in cosines.values()])


def test_a_negative_holds_no_accepted_answer_and_is_not_too_near(monkeypatch):
    gold, holds, near, far, other = (
        passage("gold", "Descale after 80 brews."),
        passage("holds", "Eighty brews, no more: eighty brews."),
        passage("near"),
        passage("far"),
        passage("other"),
    )
    shelf = [gold, holds, near, far, other]
    pair = Pair("How often?", gold, ("80 brews", "eighty brews"))
    monkeypatch.setattr("course_lib.finetune.negatives.embed_texts", lambda texts, model: np.array([[1.0, 0.0]] * len(texts)))
    guide = Guide(dict(zip(shelf, (0.6, 0.1, 0.58, 0.56, 0.2))))
    right = right_ids([pair], shelf)
    assert right["How often?"] == {"gold#0", "holds#0"}
    mined = mine_negatives([pair], Found(shelf), guide, right, count=2)
    assert mined == [[far, other]], "0.58 is above 95 % of 0.6, 0.56 is not"
    assert mine_negatives([pair], Found(shelf), guide, right, share=1.0) == [[near, far, other]]
    assert mine_negatives([pair], Found(shelf), guide, right, share=0.2) == [[]]


def test_holding_an_answer_is_what_marking_means_by_it():
    pairs, shelf = p.training_pairs()[::60], p.shelf_of("train")[::9]
    right = right_ids(pairs, shelf)
    for pair in pairs:
        others = [other for other in pairs if other.question == pair.question]
        accepted = [text for other in others for text in other.accepted]
        marked = {other.passage.id for other in others}
        assert right[pair.question] == marked | {one.id for one in shelf if contains_answer(titled(one), accepted)}


def drawn_for_training(seed: int) -> list[list[Drawn]]:
    pairs, shelf = p.training_pairs(), p.shelf_of("train")
    rng = random.Random(seed)
    return batches(draw(pairs, [[] for _ in pairs], right_ids(pairs, shelf), shelf, 1, rng), 16, rng)


def test_no_passage_of_a_batch_answers_another_of_its_questions():
    made = drawn_for_training(0)
    assert sorted(len(batch) for batch in made)[-1] == 16
    assert sum(map(len, made)) == len(p.training_pairs())
    for batch in made:
        for one in batch:
            beside = [other for other in batch if other is not one]
            shown = {name for other in beside for name in other.shown} | {negative.id for negative in one.negatives}
            assert not shown & one.right
            assert one.pair.passage.id in one.right
            for other in beside:
                assert not contains_answer(titled(other.pair.passage), list(one.pair.accepted))


def test_batches_follow_from_the_seed():
    assert drawn_for_training(0) == drawn_for_training(0) != drawn_for_training(1)


def test_a_shelf_without_wrong_passages_is_refused():
    gold = passage("gold")
    with pytest.raises(CourseError, match="too few wrong passages"):
        draw([Pair("Why?", gold)], [[]], {"Why?": frozenset(["gold#0"])}, [gold], 1, random.Random(0))


def test_mined_negatives_come_first():
    gold, hard, easy = passage("gold"), passage("hard"), passage("easy")
    (one,) = draw([Pair("Why?", gold)], [[hard]], {"Why?": frozenset(["gold#0"])}, [gold, hard, easy], 2, random.Random(0))
    assert one.negatives == (hard, easy)


# --- the losses, by hand --------------------------------------------------------------------------------------------


def test_the_ranking_loss_of_two_pairs_by_hand():
    import torch

    from course_lib.finetune import ranking_loss

    east, north = [1.0, 0.0], [0.0, 1.0]
    questions, passages, negatives = torch.tensor([east, north]), torch.tensor([east, north]), torch.tensor([north, north])
    # Cosines of question 1 with the four passages: 1, 0, 0, 0; of question 2: 0, 1, 1, 1.
    first = -math.log(math.e / (math.e + 3))
    second = -math.log(math.e / (3 * math.e + 1))
    assert float(ranking_loss(questions, passages, negatives, scale=1.0)) == pytest.approx((first + second) / 2, abs=1e-6)
    assert float(ranking_loss(5 * questions, passages, 2 * negatives, scale=1.0)) == pytest.approx((first + second) / 2, abs=1e-6)


def test_the_loss_in_numpy_is_the_librarys():
    import torch

    from course_lib.finetune import contrastive_loss, ranking_loss

    rows = np.random.default_rng(0).normal(size=(3, 5, 7))
    theirs = float(ranking_loss(*torch.from_numpy(rows)))
    assert contrastive_loss(rows[0], np.concatenate(rows[1:])) == pytest.approx(theirs, abs=1e-9)
    assert theirs > 1


def test_the_loss_against_a_shelf_leaves_out_what_is_right_too():
    import torch

    from course_lib.finetune.retriever import shelf_loss

    questions, shelf = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    all_three = -math.log(math.e / (math.e + 1 + math.exp(-1)))
    assert float(shelf_loss(questions, shelf, [0], [[0]], scale=1.0)) == pytest.approx(all_three, abs=1e-6)
    without = -math.log(math.e / (math.e + math.exp(-1)))
    assert float(shelf_loss(questions, shelf, [0], [[0, 1]], scale=1.0)) == pytest.approx(without, abs=1e-6)


# --- the two trainings, on a small model ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(models):
    """A model of the embedder's build, small and untrained, with the embedder's own tokenizer."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    from course_lib.models import EMBEDDER, Embedder

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522, hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4, initializer_range=0.2
    )
    return Embedder(BertModel(config).eval(), AutoTokenizer.from_pretrained(EMBEDDER.folder), "small", max_tokens=64)


@pytest.fixture(scope="module")
def data():
    from course_lib.finetune.retriever import RetrieverData

    pairs, shelf = p.training_pairs()[::40], p.shelf_of("train")
    return RetrieverData(
        pairs, [[] for _ in pairs], shelf, right_ids(pairs, shelf), p.dev_pairs()[::12], p.shelf_of("dev")[::2] + gold_of_dev()
    )


def gold_of_dev() -> tuple[Passage, ...]:
    there = {one.id for one in p.shelf_of("dev")[::2]}
    return tuple({pair.passage.id: pair.passage for pair in p.dev_pairs()[::12] if pair.passage.id not in there}.values())


def small_recipe(**changes):
    from course_lib.finetune.retriever import RECIPE

    small = {"layers": 2, "rank": 4, "alpha": 8, "batch_size": 4, "epochs": 1, "learning_rate": 5e-3}
    return replace(RECIPE, **(small | changes))


@pytest.fixture(scope="module")
def trained(small, data):
    from course_lib.finetune import train_retriever

    return train_retriever(data, small_recipe(), small, progress=False)


TEXTS = ["Short one.", "A rather longer text, with many more words in it than the other one has.", "Of middling length, say"]


@pytest.mark.parametrize("upper", [1, 3, 4])
def test_two_halves_make_what_the_embedder_makes(small, upper):
    import torch

    from course_lib.models.encoder import Halves
    from course_lib.models.load import unit_mean

    halves = Halves(small, upper)
    with torch.no_grad():
        vectors = unit_mean(*halves.upper(halves.lower(TEXTS))).numpy()
    assert np.allclose(vectors, small.encode(TEXTS), atol=1e-5)


@pytest.mark.parametrize("upper", [0, 5])
def test_halves_that_cannot_be_are_refused(small, upper):
    from course_lib.models.encoder import Halves

    with pytest.raises(CourseError, match="has 4 layers"):
        Halves(small, upper)


def test_the_gradients_are_those_of_the_whole_embedder(small, data):
    """The kept states of the lower layers change nothing: the plain computation runs every layer for every text."""
    import torch

    from course_lib.finetune import ranking_loss
    from course_lib.finetune.lora import trained_parameters, with_lora
    from course_lib.finetune.retriever import Vectors, _texts
    from course_lib.models.encoder import Halves
    from course_lib.models.load import unit_mean

    recipe = small_recipe()
    lm = with_lora(small, recipe.layers, recipe.rank, recipe.alpha, recipe.targets, 0)
    weights = trained_parameters(lm.model)
    torch.manual_seed(1)
    with torch.no_grad():
        for tensor in weights.values():
            tensor.copy_(torch.randn_like(tensor) * 0.1)
    three = _texts(data.epoch(4, random.Random(0))[0])
    vectors = Vectors(Halves(lm, recipe.layers), [text for part in three for text in part], tokens_at_once=70)
    ranking_loss(*map(vectors, three)).backward()
    ours = {name: tensor.grad.clone() for name, tensor in weights.items()}
    lm.model.zero_grad()

    def plain(texts):
        batch = lm.tokenizer(texts, padding=True, truncation=True, max_length=lm.max_tokens, return_tensors="pt")
        return unit_mean(lm.model(**batch).last_hidden_state, batch["attention_mask"])

    ranking_loss(*map(plain, three)).backward()
    assert len(ours) == 2 * 2 * 6
    for name, tensor in weights.items():
        torch.testing.assert_close(ours[name], tensor.grad, atol=1e-5, rtol=1e-3)


def test_training_is_the_same_twice_and_leaves_the_stock_embedder_as_it_is(small, data, trained):
    from course_lib.finetune import train_retriever
    from course_lib.finetune.lora import trained_parameters

    before = small.encode(TEXTS)
    again = train_retriever(data, small_recipe(), small, progress=False)
    assert [step.loss for step in again.steps] == [step.loss for step in trained.steps]
    one, other = trained_parameters(again.lm.model), trained_parameters(trained.lm.model)
    assert all(np.array_equal(one[name].detach(), other[name].detach()) for name in one)
    assert np.array_equal(small.encode(TEXTS), before)
    assert not hasattr(small.model, "peft_config")


def fitted(dev_losses: list[float], **changes):
    """Eight steps that pull a number from 0 towards 1, with these losses on dev: before, and after every second step."""
    import torch

    from course_lib.finetune.fit import fit
    from course_lib.finetune.recipe import Run

    number, told, seen = torch.zeros(1, requires_grad=True), iter(dev_losses), []

    def dev_loss_of():
        seen.append(float(number.detach()))
        return next(told)

    run = Run(None, small_recipe(dev_checks=4, **changes), 8)
    fit(run, {"number": number}, [None] * 8, lambda batch: ((1 - number).square().sum(), 10), dev_loss_of, progress=False)
    return run, float(number.detach()), seen


def test_the_weights_of_the_lowest_dev_loss_are_kept_in_half_precision():
    import torch

    run, kept, seen = fitted([0.9, 0.8, 0.3, 0.5, 0.4])
    assert seen == sorted(seen) and len(run.steps) == 8 and run.dev_losses == [0.8, 0.3, 0.5, 0.4]
    assert kept == float(torch.tensor(seen[2]).half()) != seen[2]
    assert [step.tokens for step in run.steps] == [10 * at for at in range(1, 9)]
    assert [step.loss for step in run.steps] == sorted((step.loss for step in run.steps), reverse=True)


def test_training_that_never_gains_leaves_the_weights_of_the_start():
    run, kept, _ = fitted([0.2, 0.8, 0.3, 0.5, 0.4])
    assert kept == 0.0 and run.dev_loss_before == 0.2


def test_training_stops_where_dev_gains_no_more():
    run, kept, seen = fitted([0.9, 0.3, 0.5, 0.4, 0.1], patience=2)
    assert len(run.steps) == 6 and run.stopped == "no better dev loss 2 times in a row" and run.finished
    assert kept == pytest.approx(seen[1], rel=1e-3)


def test_a_loss_that_is_no_number_is_said():
    import torch

    from course_lib.finetune.fit import fit
    from course_lib.finetune.recipe import Run

    number = torch.zeros(1, requires_grad=True)
    with pytest.raises(CourseError, match="became nan at step 1"):
        fit(
            Run(None, small_recipe(), 1),
            {"n": number},
            [None],
            lambda _: ((number / number).sum(), 1),
            lambda: 1.0,
            progress=False,
        )


def test_training_moves_the_embedder(small, trained):
    assert len(trained.dev_losses) == small_recipe().dev_checks and len(trained.steps) == trained.total
    if min(trained.dev_losses) < trained.dev_loss_before:
        assert not np.allclose(trained.lm.encode(TEXTS), small.encode(TEXTS), atol=1e-4)
    else:
        assert np.allclose(trained.lm.encode(TEXTS), small.encode(TEXTS), atol=1e-6)


def test_saved_and_loaded_gives_the_same_vectors(small, trained, tmp_path):
    from course_lib.finetune import tuned_embedder
    from course_lib.finetune.adapters import WEIGHTS, load_adapter, save_adapter

    folder = save_adapter(trained, tmp_path / "retriever", {"command": "a test"})
    assert np.array_equal(load_adapter(small, folder).encode(TEXTS), trained.lm.encode(TEXTS))
    tuned = tuned_embedder(folder, small)
    assert np.allclose(tuned.encode(TEXTS), trained.lm.encode(TEXTS), atol=1e-5)
    assert tuned.name.startswith("small+") and tuned.name == tuned_embedder(folder, small).name
    with pytest.raises(CourseError, match="was trained for small, not for other"):
        tuned_embedder(folder, replace(small, name="other"))
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1] + b"x")
    with pytest.raises(CourseError, match="do not match their hash"):
        tuned_embedder(folder, small)


def test_a_reranker_is_trained_saved_and_loaded(small, data, tmp_path):
    from course_lib.finetune import load_reranker, train_reranker
    from course_lib.finetune.adapters import HEAD, save_adapter
    from course_lib.finetune.reranker import RerankerData, head_of
    from course_lib.retrieval import RerankedIndex, Reranker

    dev = draw(data.dev, [[] for _ in data.dev], right_ids(data.dev, data.dev_shelf), data.dev_shelf, 4, random.Random(0))
    lists = RerankerData(data.pairs, data.mined, data.shelf, data.right, dev)
    lists = replace(lists, dev=lists.epoch(99, random.Random(0))[0])  # judged by what it learns, so that something is kept
    run, cross = train_reranker(lists, small, small_recipe(), progress=False)
    assert min(run.dev_losses) < run.dev_loss_before
    again, _ = train_reranker(lists, small, small_recipe(), progress=False)
    assert [step.loss for step in run.steps] == [step.loss for step in again.steps]
    assert len(run.steps) == math.ceil(len(data.pairs) / 4)

    question, hits = data.dev[0].question, [Hit(one, 0.0) for one in data.dev_shelf[:7]]
    folder = save_adapter(run, tmp_path / "reranker", {}, head_of(cross))
    loaded = load_reranker(folder, small)
    ranked = loaded.rerank(question, hits)
    assert [hit.passage.id for hit in ranked] == [hit.passage.id for hit in cross.rerank(question, hits)]
    assert [hit.score for hit in ranked] == pytest.approx([hit.score for hit in cross.rerank(question, hits)], abs=1e-3)
    assert ranked != Reranker(small, small, 2).rerank(question, hits)

    index = RerankedIndex(Found(data.dev_shelf), loaded, depth=5)
    (found,) = index.search_many([question], k=9)
    assert {hit.passage.id for hit in found[:5]} == {one.id for one in data.dev_shelf[:5]}
    assert [hit.passage.id for hit in found[5:]] == [one.id for one in data.dev_shelf[5:9]]
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True) and scores[5] == -math.inf

    (folder / HEAD).write_bytes(b"damaged")
    with pytest.raises(CourseError, match="do not match their hash"):
        load_reranker(folder, small)


def test_a_reranker_reads_both_at_once_and_one_passage_as_it_reads_many(small):
    from course_lib.retrieval import Reranker

    cross = Reranker(small, small, 2)
    together = cross.score("Which lamp?", TEXTS)
    assert [cross.score("Which lamp?", [text])[0] for text in TEXTS] == pytest.approx(together, abs=1e-3)
    assert cross.score("Which lamp?", []) == [] and cross.rerank("Which lamp?", []) == []
    asked, *told = small.encode(["Which lamp?", *TEXTS])
    apart = [20 * float(asked @ one) for one in told]
    halves = [whole - half for whole, half in zip(together, apart)]
    assert all(-20.001 <= half <= 20.001 for half in halves), "untrained, the other half is a cosine times 20 as well"
    assert halves != pytest.approx(apart, abs=1e-3), "the upper layers saw both"


# --- the run that ships ---------------------------------------------------------------------------------------------


def test_a_run_is_read_back_with_its_marks(tmp_path):
    from course_lib.evaluation import shipped

    rows = []
    for corpus in retriever_runs.CORPORA:
        shelf = retriever_runs.load_shelf(corpus)
        assert all(any(fact) for fact in shelf.golds), "every question can be answered from the shelf"
        for name in ("stock", "tuned, seed 0", "tuned, seed 1"):
            for question, gold in zip(shelf.questions, shelf.golds):
                right = [fact[0] for fact in gold]
                wrong = [one.id for one in shelf.passages[:12] if one.id not in {name for fact in gold for name in fact}]
                ranking = {"stock": wrong, "tuned, seed 0": right, "tuned, seed 1": wrong}[name][:10]
                rows.append({"system": name, "corpus": corpus, "question": question.id, "ranking": ranking})
    path = tmp_path / "retriever.json"
    shipped.write_rows(path, rows, {}, retriever_runs.made_with())
    runs = retriever_runs.load_runs(path)
    for corpus in retriever_runs.CORPORA:
        assert set(runs.marks("stock", corpus, "recall@5")) == {0.0}
        assert set(runs.marks("tuned", corpus, "recall@5")) == {0.5}
        assert str(runs.gain("tuned", "stock", corpus, "recall@5")) == "+0.50 (+0.50 to +0.50)"
        assert runs.keys("tuned") == ["tuned, seed 0", "tuned, seed 1"] and runs.keys("stock") == ["stock"]
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"pairs_sha256": "0"}))
    with pytest.raises(CourseError, match="another version of the pairs"):
        retriever_runs.load_runs(path)


def test_exam_questions_of_the_run_are_about_products_that_no_training_saw():
    seen = p.products_of("train") | p.products_of("dev")
    assert not {question.product for question in retriever_runs.load_shelf("quillfeather").questions} & seen


def test_without_its_file_the_run_says_how_to_make_it(tmp_path):
    with pytest.raises(CourseError, match="retriever.json cannot be used") as said:
        retriever_runs.load_runs(tmp_path / "retriever.json")
    assert retriever_runs.COMMAND in str(said.value)


def test_an_adapter_that_is_not_there_is_named(small, tmp_path):
    from course_lib.finetune import load_reranker, tuned_embedder

    for load in (tuned_embedder, load_reranker):
        with pytest.raises(CourseError, match="The adapter missing cannot be used"):
            load(tmp_path / "missing", small)


# --- what ships -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["retriever", "reranker"])
def test_the_adapters_ship_with_all_that_made_them(name):
    from course_lib.finetune import Recipe, reranker, retriever
    from course_lib.finetune.adapters import SHIPPED, adapter_about

    module, about = {"retriever": retriever, "reranker": reranker}[name], adapter_about(name)
    recipe = {key: tuple(value) if isinstance(value, list) else value for key, value in about["recipe"].items()}
    assert Recipe(**recipe) == module.RECIPE and about["recipe"]["seed"] == 0
    assert about["command"] == retriever_runs.COMMAND
    assert sum(path.stat().st_size for path in (SHIPPED / module.SHIPS_AS).iterdir()) <= 6_000_000


def test_the_shipped_run_has_three_seeds_and_every_question():
    from course_lib.finetune.adapters import adapter_about

    runs = retriever_runs.load_runs()
    assert len(runs.keys("stock")) == 1 and len(runs.keys("tuned")) == len(runs.keys("tuned, reranked")) == 3
    assert len(runs.rankings) == 7 * len(retriever_runs.CORPORA)
    for (_, corpus), rankings in runs.rankings.items():
        there = {one.id for one in retriever_runs.load_shelf(corpus).passages}
        assert len(rankings) == len(retriever_runs.load_shelf(corpus).questions)
        assert all(len(set(ids)) == retriever_runs.KEPT and set(ids) <= there for ids in rankings)
    for system, name in (("tuned", "retriever"), ("tuned, reranked", "reranker")):
        seeds = [runs.about["trainings"][key]["weights_sha256"] for key in runs.keys(system)]
        assert len(set(seeds)) == 3 and seeds[0] == adapter_about(name)["weights_sha256"]


def test_the_shipped_adapters_give_the_shipped_rankings(models):
    from course_lib.finetune import load_reranker
    from course_lib.retrieval import DenseIndex, RerankedIndex

    runs, shelf, cross = retriever_runs.load_runs(), retriever_runs.load_shelf("sqlite"), load_reranker()
    index = DenseIndex(shelf.passages, cross.first)
    asked = [question.question for question in shelf.questions[:3]]
    for system, search in (("tuned", index), ("tuned, reranked", RerankedIndex(index, cross))):
        found = [[hit.passage.id for hit in hits] for hits in search.search_many(asked, retriever_runs.KEPT)]
        kept = runs.rankings[f"{system}, seed 0", "sqlite"][:3]
        assert [ids[0] for ids in found] == [ids[0] for ids in kept]
        assert all(len(set(one) & set(other)) >= 9 for one, other in zip(found, kept)), "but for near ties at the end"
