"""An adapter leaves the course: whole or not at all, with its card, and transformers gets from it what the course had."""

from __future__ import annotations

import hashlib
import json
import re
import resource
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from test_trainer import SMALL, noisy, small_model
from typer.testing import CliRunner

from course_lib import cli
from course_lib.errors import CourseError
from course_lib.finetune import merged, with_lora
from course_lib.finetune.adapters import ABOUT, CARD, CONFIG, WEIGHTS, adapter_about, load_adapter, save_adapter, whole_folder
from course_lib.finetune.export import export_adapter, export_model, model_card
from course_lib.finetune.recipe import Run
from course_lib.models import LANGUAGE_MODEL, LanguageModel, language_model

TOKENS = torch.tensor([[5, 6, 7, 8, 9]])


@pytest.fixture
def lm() -> LanguageModel:
    return small_model()


@pytest.fixture
def adapter(lm, tmp_path):
    """An adapter with random weights, which change every answer."""
    tuned = with_lora(lm, 3, 4, 8)
    noisy(tuned)
    return save_adapter(Run(tuned, SMALL, 0), tmp_path / "mine", {"command": "make it", "licence": "CC0-1.0"})


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=TOKENS).logits


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def disk_of(size: int):
    """No file may grow beyond so many bytes: what a full disk does, at a place that the test chooses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# --- a whole model ----------------------------------------------------------------------------------------------------


def test_transformers_loads_the_merged_model_with_the_same_logits(lm, adapter, tmp_path):
    from transformers import AutoModelForCausalLM

    folder = export_model(lm, adapter, tmp_path / "out" / "merged")
    loaded = AutoModelForCausalLM.from_pretrained(folder).eval()
    assert (logits(loaded) - logits(merged(load_adapter(lm, adapter)).model)).abs().max() <= 1e-5
    assert (logits(loaded) - logits(lm.model)).abs().max() > 1e-2, "the adapter is in it"
    assert not hasattr(loaded, "peft_config") and not any("lora" in name for name in loaded.state_dict())
    assert str(tmp_path) not in (folder / "config.json").read_text()


def test_the_folder_says_what_is_in_it(lm, adapter, tmp_path):
    folder = export_model(lm, adapter, tmp_path / "merged")
    about = json.loads((folder / ABOUT).read_text())
    assert set(about["files"]) | {ABOUT} == {path.name for path in folder.iterdir()}
    for name, digest in about["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert about["adapter_sha256"] == adapter_about(adapter)["weights_sha256"] != about["weights_sha256"]
    card = (folder / CARD).read_text()
    assert about["adapter_sha256"] in card and "- command: make it" in card and "- rank: 4" in card
    assert "Adapter: CC0-1.0." in card and 'base_model: "small"' in card and str(tmp_path) not in card


def test_a_card_names_the_courses_own_base_and_no_ones_folders(adapter):
    about = adapter_about("tickets")
    card = model_card(about, "tickets", merged=True)
    assert f"licence: {LANGUAGE_MODEL.licence}" in card and LANGUAGE_MODEL.sha256 in card
    assert f"Adapter: {about['licence']}." in card and about["weights_sha256"] in card and about["data_sha256"] in card
    elsewhere = model_card({"model": "/home/me/models/Otter", "weights_sha256": "x\n# y"}, "a\n# b")
    assert "/home" not in elsewhere and "for Otter" in elsewhere and "Adapter: not stated." in elsewhere
    assert re.findall(r"^# .*", elsewhere, re.M) == ["# a # b, for Otter"]


# --- the adapter alone ------------------------------------------------------------------------------------------------


def test_an_exported_adapter_is_one_again(lm, adapter, tmp_path):
    folder = export_adapter(adapter, tmp_path / "alone")
    assert {path.name for path in folder.iterdir()} == {WEIGHTS, CONFIG, ABOUT, CARD}
    assert torch.equal(logits(load_adapter(lm, folder).model), logits(load_adapter(lm, adapter).model))
    assert "a LoRA adapter" in (folder / CARD).read_text()


# --- what is in the way, and where there is no room --------------------------------------------------------------------


def test_nothing_that_is_there_is_lost(lm, adapter, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / ABOUT).write_text('{"weights_sha256": "x"}')
    (theirs / "diary.txt").write_text("dear diary")
    (tmp_path / "file").write_text("a file")
    run = Run(with_lora(lm, 1, 2, 4), SMALL, 0)
    for write in (
        lambda place: export_model(lm, adapter, place, replace=True),
        lambda place: export_adapter(adapter, place, replace=True),
        lambda place: save_adapter(run, place),
    ):
        for place in (theirs, tmp_path / "file"):
            with pytest.raises(CourseError, match="did not write"):
                write(place)
    assert (theirs / "diary.txt").read_text() == "dear diary" and (tmp_path / "file").read_text() == "a file"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_the_course_wrote_is_replaced_only_if_asked(lm, adapter, tmp_path):
    folder = export_model(lm, adapter, tmp_path / "out")
    before = contents(folder)
    with pytest.raises(CourseError, match="--replace"):
        export_adapter(adapter, folder)
    assert contents(folder) == before
    assert set(contents(export_adapter(adapter, folder, replace=True))) == {WEIGHTS, CONFIG, ABOUT, CARD}
    assert contents(export_model(lm, adapter, folder, replace=True)) == before
    (tmp_path / "empty").mkdir()
    export_adapter(adapter, tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "mine", "out"], "no leftovers"


def test_a_full_disk_leaves_what_was_there(lm, adapter, tmp_path):
    folder = export_model(lm, adapter, tmp_path / "out")
    before = contents(folder)
    largest = (adapter / WEIGHTS).stat().st_size
    assert largest < 100_000 < (folder / "model.safetensors").stat().st_size
    with disk_of(100_000), pytest.raises(CourseError, match="The merged model could not be written"):
        export_model(lm, adapter, folder, replace=True)
    with disk_of(largest - 1):
        with pytest.raises(CourseError, match="The adapter could not be written"):
            export_adapter(adapter, folder, replace=True)
        with pytest.raises(CourseError, match="The adapter could not be written"):
            save_adapter(Run(with_lora(lm, 3, 4, 8), SMALL, 0), adapter)
    assert contents(folder) == before and adapter_about(adapter)["command"] == "make it"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]
    with pytest.raises(CourseError, match=r"needs [\d,]+ MB, and [\d,]+ MB are free"):
        with whole_folder(tmp_path / "huge", "The model", need=10**18):
            raise AssertionError("it must not begin")
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="could not be written"):
        export_adapter(adapter, tmp_path / "file" / "below")


# --- adapters that cannot be used -------------------------------------------------------------------------------------


def rewrite(folder, tensors):
    """Other weights under a hash that is right: a file that is whole, and wrong."""
    from safetensors.torch import save_file

    save_file(tensors, folder / WEIGHTS)
    about = json.loads((folder / ABOUT).read_text())
    about["weights_sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / ABOUT).write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda one: (one / WEIGHTS).write_bytes((one / WEIGHTS).read_bytes()[:-1]), "weights do not match"),
        (lambda one: (one / CONFIG).write_text((one / CONFIG).read_text().replace('"r": 4', '"r": 5')), "configuration does not"),
        (lambda one: (one / CONFIG).write_text("{"), "is not JSON"),
        (lambda one: (one / CONFIG).write_text("[]"), "configuration does not"),
        (lambda one: (one / ABOUT).write_bytes(b"\xff"), "is not JSON"),
        (lambda one: (one / ABOUT).write_text("[]"), "indices"),
        (lambda one: (one / ABOUT).write_text("{}"), "does not say its weights_sha256"),
        (lambda one: (one / WEIGHTS).unlink(), f"there is no {WEIGHTS}"),
        (lambda one: (one / ABOUT).unlink(), f"there is no {ABOUT}"),
        (lambda one: rewrite(one, {}), "its matrices are not those"),
        (lambda one: rewrite(one, {"base_model.model.x.lora_A.weight": torch.zeros(2, 2)}), "its matrices are not those"),
    ],
)
def test_damage_is_one_clear_line(lm, adapter, damage, says):
    damage(adapter)
    with pytest.raises(CourseError, match=says) as caught:
        load_adapter(lm, adapter)
    assert "\n" not in caught.value.what and caught.value.todo


def test_matrices_of_another_shape_are_one_clear_line(lm, adapter, tmp_path):
    from safetensors.torch import load_file

    rewrite(adapter, {name: tensor[:, :1].contiguous() for name, tensor in load_file(adapter / WEIGHTS).items()})
    with pytest.raises(CourseError, match="does not fit small") as caught:
        load_adapter(lm, adapter)
    assert "\n" not in caught.value.what
    with pytest.raises(CourseError, match="trained for small, not for other"):
        export_model(replace(lm, name="other"), adapter, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- the commands -----------------------------------------------------------------------------------------------------


def course(*arguments):
    result = CliRunner().invoke(cli.app, list(map(str, arguments)))
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def own_model(lm, tmp_path, monkeypatch):
    """The small model as a folder that ``COURSE_LM`` names, with a tokenizer that knows a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", "<end>", "the", "tank", "holds", "1.2", "litres", "kettle", "water"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<end>", pad_token="<end>")
    fast.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    folder = tmp_path / "small"
    lm.model.save_pretrained(folder)
    fast.save_pretrained(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_LM", "small")
    language_model.cache_clear()
    yield folder
    language_model.cache_clear()


def test_the_commands_from_an_adapter_to_an_assistant(own_model, adapter, models, tmp_path, monkeypatch):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "kettle.md").write_text("# Kettle\n\nThe tank of the kettle holds 1.2 litres of water.\n")
    code, out, _ = course("adapter", "show", "mine")
    assert code == 0 and "make it" in out and "recipe rank" in out
    code, out, _ = course("adapter", "merge", "mine", "whole")
    assert code == 0 and "COURSE_LM=whole" in out
    code, out, err = course("adapter", "merge", "mine", "whole")
    assert code == 1 and "is there already" in err and "--replace" in err
    question = "How much water does the tank of the kettle hold?"
    answers = []
    for environment, options in (("small", ["--adapter", "mine"]), ("whole", []), ("small", [])):
        monkeypatch.setenv("COURSE_LM", environment)
        language_model.cache_clear()
        code, out, err = course("ask", docs, question, "--json", "--max-tokens", 8, *options)
        assert code == 0, err
        answers.append(json.loads(out))
    assert answers[0]["shown"] and answers[0]["tokens"]["answer"] == 8
    assert [answers[0][key] for key in ("answer", "tokens", "sources")] == [
        answers[1][key] for key in ("answer", "tokens", "sources")
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ask", ".", "x", "--adapter", "tickets", "--base-url", "http://127.0.0.1:9/v1"], "leave one of them out"),
        (["ask", ".", "x", "--adapter", "nowhere"], "there is no such folder"),
        (["serve", ".", "--adapter", "nowhere"], "there is no such folder"),
        (["ask", ".", "x", "--adapter", "mine"], f"trained for small, not for {LANGUAGE_MODEL.name}"),
        (["adapter", "merge", "mine", "out"], f"trained for small, not for {LANGUAGE_MODEL.name}"),
        (["adapter", "show", "nowhere"], "Adapters that ship with the course: facts, reranker, retriever, tickets"),
        (["adapter", "export", "tickets", "."], "is there already"),
    ],
)
def test_mistakes_are_said_before_anything_large_is_loaded(arguments, says, adapter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_LM", raising=False)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "no cache"))
    code, out, err = course(*arguments)
    assert code == 1 and says in err and "What to do:" in err and out == ""


@pytest.mark.slow
def test_the_courses_own_model_with_a_shipped_adapter(models, tmp_path, monkeypatch):
    """545 MB are written, read again by transformers, and give the logits that the course gets."""
    from transformers import AutoModelForCausalLM

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_LM", raising=False)
    code, out, err = course("adapter", "merge", "tickets", "whole")
    assert code == 0, err
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "whole", dtype=torch.float32).eval()
    assert (logits(loaded) - logits(merged(load_adapter(language_model(), "tickets")).model)).abs().max() <= 1e-5
    assert (logits(loaded) - logits(language_model().model)).abs().max() > 1e-2
    hello = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    before = language_model().tokenize(hello)
    monkeypatch.setenv("COURSE_LM", "whole")
    language_model.cache_clear()
    try:
        assert language_model().tokenize(hello) == before, "the chat's form is in the folder too"
    finally:
        language_model.cache_clear()
