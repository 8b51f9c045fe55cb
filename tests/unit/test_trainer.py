"""The trainer: its gradients are those of the plain computation, and a killed run ends with the same weights."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap

import pytest
import torch

from course_lib.errors import CourseError
from course_lib.finetune import Example, Recipe, make_example, merged, train, with_lora
from course_lib.finetune.halves import HiddenStates, split
from course_lib.finetune.lora import trained_parameters, twin
from course_lib.finetune.trainer import _Trainer
from course_lib.models import LanguageModel, language_model

SMALL = Recipe(
    layers=2, rank=4, alpha=8, epochs=2, batch_size=3, tokens_at_once=40, learning_rate=1e-2, dev_checks=2, precision="float32"
)


def small_model(seed: int = 0, layers: int = 4) -> LanguageModel:
    """A Llama of the course model's build, small and untrained."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=97, hidden_size=48, intermediate_size=96, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=128,
        initializer_range=0.1,
    )  # fmt: skip
    return LanguageModel(LlamaForCausalLM(config).eval(), None, "small")


def examples(count: int, seed: int = 0) -> list[Example]:
    """Conversations of random tokens and lengths; the answers repeat the prompt's first token, so that there is something to learn."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        prompt = [rng.randrange(97) for _ in range(rng.randint(2, 14))]
        answer = [prompt[0]] * rng.randint(1, 5)
        made.append(Example((*prompt, *answer), (*[False] * len(prompt), *[True] * len(answer))))
    return made


def noisy(lm: LanguageModel, seed: int = 1) -> None:
    """Give an adapter random weights: with B at zero half of the gradients would be zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for tensor in trained_parameters(lm.model).values():
            tensor.copy_(torch.randn_like(tensor) * 0.1)


def plain_gradients(lm: LanguageModel, some: list[Example]) -> tuple[float, dict[str, torch.Tensor]]:
    """The same by transformers alone: one example after the other, all layers, all logits, labels of -100 where nothing is trained."""
    lm.model.zero_grad()
    trained, total = sum(one.trained for one in some), 0.0
    for one in some:
        logits = lm.model(input_ids=torch.tensor([one.tokens]), use_cache=False).logits[0, :-1]
        labels = torch.tensor([token if on else -100 for token, on in zip(one.tokens, one.mask)])[1:]
        loss = torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum") / trained
        loss.backward()
        total += float(loss.detach())
    return total, {name: tensor.grad.clone() for name, tensor in trained_parameters(lm.model).items()}


def weights(lm: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in trained_parameters(lm.model).items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# --- the gradients ---


@pytest.mark.parametrize("layers", [1, 3, 4])
@pytest.mark.parametrize("tokens_at_once", [1, 30, 4096])
def test_gradients_are_those_of_the_plain_computation(layers, tokens_at_once):
    lm, some = with_lora(small_model(), layers, 4, 8), examples(7)
    noisy(lm)
    trainer = _Trainer(
        lm, some, Recipe(layers=layers, rank=4, alpha=8, tokens_at_once=tokens_at_once, precision="float32"), [], None
    )
    with trainer.fast():
        loss = trainer.gradients(range(7))
    ours = {name: tensor.grad.clone() for name, tensor in trainer.weights.items()}
    plain_loss, plain = plain_gradients(lm, some)
    assert loss == pytest.approx(plain_loss, abs=1e-5)
    for name, gradient in plain.items():
        assert gradient.abs().max() > 1e-4
        torch.testing.assert_close(ours[name], gradient, atol=1e-5, rtol=0)


def test_the_gradient_test_would_notice_a_wrong_mask():
    lm, some = with_lora(small_model(), 2, 4, 8), examples(3)
    noisy(lm)
    trainer = _Trainer(lm, [Example(one.tokens, (False, *[True] * (len(one) - 1))) for one in some], SMALL, [], None)
    with trainer.fast():
        trainer.gradients(range(3))
    ours = {name: tensor.grad.clone() for name, tensor in trainer.weights.items()}
    _, plain = plain_gradients(lm, some)
    assert any((ours[name] - plain[name]).abs().max() > 1e-3 for name in plain)


@pytest.mark.slow
def test_gradients_of_the_real_model(models):
    base = language_model()
    lm = with_lora(base, 20, 8, 16)
    noisy_small = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in trained_parameters(lm.model).values():
            tensor.copy_(torch.randn(tensor.shape, generator=noisy_small) * 0.02)
    pairs = [("What is two and two?", "Four."), ("Name a colour that the sky has on a clear day.", "Blue, mostly.")]
    some = [make_example(lm, [{"role": "user", "content": question}], answer) for question, answer in pairs]
    trainer = _Trainer(lm, some, Recipe(layers=20, rank=8, alpha=16, precision="float32"), [], None)
    with trainer.fast():
        loss = trainer.gradients([0, 1])
    ours = {name: tensor.grad.clone() for name, tensor in trainer.weights.items()}
    # The plain computation is made in float64: in float32 it is itself 3e-5 away from that, further than ours.
    lm.model.double()
    plain_loss, plain = plain_gradients(lm, some)
    assert loss == pytest.approx(plain_loss, abs=1e-5)
    largest = max(float(gradient.abs().max()) for gradient in plain.values())
    for name, gradient in plain.items():
        torch.testing.assert_close(ours[name].double() / largest, gradient / largest, atol=1e-5, rtol=0)


# --- the halves ---


def test_two_halves_are_the_whole_and_share_its_weights():
    lm = small_model()
    bottom, top = split(lm.model, 3)
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        states = top(inputs_embeds=bottom(input_ids=tokens).last_hidden_state).last_hidden_state
        whole = lm.model.model(input_ids=tokens).last_hidden_state
    torch.testing.assert_close(states, whole)
    assert len(lm.model.model.layers) == 4 and bottom.layers[0] is lm.model.model.layers[0]


def test_hidden_states_in_a_file_are_the_same(tmp_path):
    lm, some = small_model(), examples(9)
    bottom, _ = split(lm.model, 2)
    inside, outside = HiddenStates(bottom, some, batch_size=4), HiddenStates(bottom, some, batch_size=2, large=0)
    for row, example in enumerate(some):
        assert inside[row].shape == (len(example), 48)
        torch.testing.assert_close(inside[row], outside[row])
    assert inside.bytes == 4 * 48 * sum(map(len, some))


def test_a_model_of_another_build_is_refused():
    with pytest.raises(CourseError, match="list of layers"):
        split(torch.nn.Linear(2, 2), 1)
    with pytest.raises(CourseError, match="4 layers"):
        with_lora(small_model(), 5, 4, 8)
    with pytest.raises(CourseError, match="does not fit"):
        with_lora(small_model(), 2, 4, 8, targets=["no_such_matrix"])


# --- training ---


def test_it_learns_and_leaves_the_model_as_it_was():
    lm, some = small_model(), [Example((*one.tokens[:-1], 7), (*[False] * (len(one) - 1), True)) for one in examples(24)]
    before = {name: tensor.clone() for name, tensor in lm.model.state_dict().items()}
    run = train(lm, some, Recipe(layers=4, rank=8, alpha=16, epochs=12, learning_rate=2e-2), progress=False)
    assert run.steps[-1].loss < run.steps[0].loss / 2
    assert run.finished and len(run.steps) == run.total == 36
    assert equal(before, lm.model.state_dict()) and not any("lora" in name for name in lm.model.state_dict())
    assert run.lm.model.get_base_model().model.embed_tokens.weight is lm.model.model.embed_tokens.weight, (
        "it takes no second copy"
    )


def test_an_untrained_adapter_changes_nothing_and_merging_changes_nothing_either():
    lm = small_model()
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        plain = lm.model(input_ids=tokens).logits
        tuned = with_lora(lm, 2, 4, 8)
        torch.testing.assert_close(tuned.model(input_ids=tokens).logits, plain)
        noisy(tuned)
        changed = tuned.model(input_ids=tokens).logits
        assert (changed - plain).abs().max() > 1e-3
        torch.testing.assert_close(merged(tuned).model(input_ids=tokens).logits, changed, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(tuned.model(input_ids=tokens).logits, changed)
        torch.testing.assert_close(lm.model(input_ids=tokens).logits, plain)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    lm, some = small_model(), examples(10)
    first, again = (weights(train(lm, some, SMALL, progress=False).lm) for _ in range(2))
    assert equal(first, again)
    assert not equal(first, weights(train(lm, some, Recipe(**vars(SMALL) | {"seed": 1}), progress=False).lm))


def test_the_best_adapter_on_dev_is_kept_and_training_stops_when_it_gets_no_better():
    """Dev examples that contradict the training ones: their loss rises while the other falls."""
    lm, some = small_model(), examples(12)
    contrary = [Example(one.tokens, one.mask) for one in examples(6, seed=5)]
    contrary = [Example((*one.tokens[:-1], (one.tokens[-1] + 1) % 97), one.mask) for one in contrary]
    recipe = Recipe(
        layers=4, rank=8, alpha=16, epochs=40, batch_size=4, learning_rate=3e-2, patience=3, dev_checks=1, precision="float32"
    )
    run = train(lm, some, recipe, dev=contrary, progress=False)
    assert run.stopped and len(run.steps) < run.total
    judge = _Trainer(run.lm, some, recipe, contrary, None)
    assert judge.dev_loss() == pytest.approx(min(run.dev_losses), rel=1e-4)
    assert run.dev_losses[-1] > min(run.dev_losses)


# --- stopping and going on ---

PROGRAM = """
import os, sys
sys.path.insert(0, {tests!r})
from test_trainer import SMALL, examples, small_model
from course_lib.finetune import train
def watch(run):
    if len(run.steps) == {step}:
        os._exit(9)
train(small_model(), examples(10), SMALL, dev=examples(4, 3), folder={folder!r}, watch=watch, progress=False, checkpoint_seconds={every})
"""


@pytest.mark.parametrize(("step", "every"), [(1, 0), (3, 0), (7, 0), (5, 1000)])
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(tmp_path, step, every):
    """Killed at once after a step, with a checkpoint after every step or with none yet."""
    folder = tmp_path / "a run"
    program = PROGRAM.format(tests=os.path.dirname(__file__), step=step, folder=str(folder), every=every)
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=120, capture_output=True, text=True)
    assert killed.returncode == 9, killed.stderr
    assert (folder / "checkpoint.pt").exists() == (every == 0)
    lm, some, dev = small_model(), examples(10), examples(4, 3)
    seen: list[int] = []
    went_on = train(lm, some, SMALL, dev, folder, watch=lambda run: seen.append(len(run.steps)), progress=False)
    whole = train(lm, some, SMALL, dev, progress=False)
    assert seen[0] == (step + 1 if every == 0 else 1)
    assert equal(weights(went_on.lm), weights(whole.lm))
    assert [(one.number, one.loss, one.tokens, one.dev_loss) for one in went_on.steps] == [
        (one.number, one.loss, one.tokens, one.dev_loss) for one in whole.steps
    ]


def test_an_interrupted_run_goes_on_and_a_finished_one_is_loaded(tmp_path):
    lm, some = small_model(), examples(10)

    def interrupt(run):
        if len(run.steps) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(lm, some, SMALL, folder=tmp_path, watch=interrupt, progress=False, checkpoint_seconds=1000)
    seen: list[int] = []
    run = train(lm, some, SMALL, folder=tmp_path, watch=lambda run: seen.append(len(run.steps)), progress=False)
    assert seen == [5, 6, 7, 8]
    again = train(lm, some, SMALL, folder=tmp_path, watch=lambda run: seen.append(0), progress=False)
    assert seen == [5, 6, 7, 8] and equal(weights(run.lm), weights(again.lm))
    assert again.seconds == run.seconds > 0


def test_another_run_in_the_folder_and_a_damaged_checkpoint_are_refused_and_left(tmp_path):
    lm, some = small_model(), examples(6)
    train(lm, some, SMALL, folder=tmp_path, progress=False)
    file = tmp_path / "checkpoint.pt"
    held = file.read_bytes()
    for others in (some[:5], examples(6, 9)):
        with pytest.raises(CourseError, match="another recipe"):
            train(lm, others, SMALL, folder=tmp_path, progress=False)
    with pytest.raises(CourseError, match="another recipe"):
        train(lm, some, Recipe(**vars(SMALL) | {"rank": 5}), folder=tmp_path, progress=False)
    assert file.read_bytes() == held
    file.write_bytes(held[: len(held) // 2])
    with pytest.raises(CourseError, match="damaged"):
        train(lm, some, SMALL, folder=tmp_path, progress=False)


def test_a_checkpoint_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CourseError, match="could not be written"):
        train(small_model(), examples(4), SMALL, folder=tmp_path / "file", progress=False)


def test_nothing_to_train_on_and_a_loss_that_runs_away_are_said():
    with pytest.raises(CourseError, match="empty"):
        train(small_model(), [], SMALL)
    with pytest.raises(CourseError, match="lower learning rate"):
        train(small_model(), examples(6), Recipe(**vars(SMALL) | {"learning_rate": 1e30, "epochs": 9}), progress=False)


@pytest.mark.parametrize(
    ("tokens", "mask", "says"),
    [((1, 2), (False,), "mask for each"), ((1, 2), (False, False), "empty"), ((1, 2), (True, True), "first token")],
)
def test_examples_that_cannot_be_trained_on(tokens, mask, says):
    with pytest.raises(ValueError, match=says):
        Example(tokens, mask)


def test_a_twin_has_modules_of_its_own_and_the_same_tensors():
    lm = small_model()
    other = twin(lm.model)
    assert other.model.layers[0] is not lm.model.model.layers[0]
    assert other.model.layers[0].mlp.up_proj.weight is lm.model.model.layers[0].mlp.up_proj.weight
