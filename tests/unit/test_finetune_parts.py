"""The parts around the trainer: fast linear layers, adapters as files, the marks of tickets, the loss curve."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace

import pytest
import torch
from test_trainer import SMALL, equal, examples, noisy, small_model, weights

from course_lib.corpus.tickets import load_gold_tickets, load_raw_tickets
from course_lib.errors import CourseError
from course_lib.finetune import train, with_lora
from course_lib.finetune.adapters import ABOUT, CONFIG, WEIGHTS, adapter_about, load_adapter, save_adapter
from course_lib.finetune.linear import _attention, chosen_dtype, fast_linear, matrix_rate
from course_lib.finetune.recipe import Run, Step
from course_lib.finetune.tickets import (
    FIELDS,
    house_json,
    house_object,
    in_house_voice,
    mark_ticket,
    schema_problems,
    ticket_messages,
    ticket_scores,
    ticket_text,
)
from course_lib.widgets.training_plot import TrainingPlot, render

# --- fast linear layers ---


def test_fast_layers_give_the_same_in_float32_and_nearly_so_in_bfloat16_and_leave_no_trace():
    lm = with_lora(small_model(), 2, 4, 8)
    noisy(lm)
    tokens = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        plain = lm.model(input_ids=tokens).logits
        for dtype, near in ((torch.float32, 1e-5), (torch.bfloat16, 0.2)):
            with fast_linear(lm.model, dtype=dtype):
                fast = lm.model(input_ids=tokens).logits
            assert fast.dtype == torch.float32
            torch.testing.assert_close(fast, plain, atol=near, rtol=0)
            assert dtype == torch.float32 or not torch.equal(fast, plain), "the products were made in bfloat16"
        assert torch.equal(lm.model(input_ids=tokens).logits, plain)
    assert not any("forward" in vars(module) for module in lm.model.modules())
    assert lm.model.config._attn_implementation == small_model().model.config._attn_implementation


def test_the_merged_weight_follows_the_optimizer():
    lm = with_lora(small_model(), 2, 4, 8)
    tokens = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad(), fast_linear(lm.model, dtype=torch.float32):
        before = lm.model(input_ids=tokens).logits
        noisy(lm)
        after = lm.model(input_ids=tokens).logits
    assert (after - before).abs().max() > 1e-3


def test_gradients_in_bfloat16_point_where_those_in_float32_do():
    from course_lib.finetune.trainer import _Trainer

    lm, some = with_lora(small_model(), 3, 4, 8), examples(8)
    noisy(lm)
    found = []
    for precision in ("float32", "bfloat16"):
        trainer = _Trainer(lm, some, replace(SMALL, layers=3, precision=precision), [], None)
        with trainer.fast():
            trainer.gradients(range(8))
        found.append(torch.cat([tensor.grad.flatten() for tensor in trainer.weights.values()]))
        trainer.optimizer.zero_grad()
    assert torch.nn.functional.cosine_similarity(*found, dim=0) > 0.99
    assert not torch.equal(*found)


def test_the_attention_in_bfloat16_is_that_of_pytorch_and_knows_no_mask():
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 4, 9, 16), torch.randn(2, 2, 9, 16), torch.randn(2, 2, 9, 16)
    ours, _ = _attention(None, query, key, value, None)
    plain = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    torch.testing.assert_close(ours.float(), plain.transpose(1, 2), atol=0.03, rtol=0)
    with pytest.raises(ValueError, match="no other mask"):
        _attention(None, query, key, value, torch.zeros(9, 9))


def test_precision_is_one_of_three():
    assert chosen_dtype("auto") in (torch.float32, torch.bfloat16) and chosen_dtype("bfloat16") == torch.bfloat16
    assert matrix_rate(torch.float32) > 1e8
    with pytest.raises(ValueError, match="float64"):
        chosen_dtype("float64")


# --- adapters ---


def test_an_adapter_comes_back_from_its_folder(tmp_path):
    lm = small_model()
    run = train(lm, examples(8), SMALL, dev=examples(3, 4), progress=False)
    folder = save_adapter(run, tmp_path / "an adapter", {"command": "make it", "data": "abc"})
    assert {path.name for path in folder.iterdir()} == {WEIGHTS, CONFIG, ABOUT}
    assert "/" not in json.loads((folder / CONFIG).read_text())["base_model_name_or_path"]
    about = adapter_about(folder)
    assert about["recipe"]["seed"] == 0 and about["command"] == "make it" and about["steps"] == 6
    again = load_adapter(lm, folder)
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        trained, loaded, plain = (one.model(input_ids=tokens).logits for one in (run.lm, again, lm))
    torch.testing.assert_close(loaded, trained, atol=5e-3, rtol=0)
    assert (plain - trained).abs().max() > 0.02
    save_adapter(run, folder, {"command": "made again"})
    assert adapter_about(folder)["command"] == "made again" and list(tmp_path.iterdir()) == [folder]


def test_a_damaged_adapter_another_models_and_a_missing_one_are_refused(tmp_path):
    lm = small_model()
    folder = save_adapter(train(lm, examples(4), SMALL, progress=False), tmp_path / "a")
    with pytest.raises(CourseError, match="trained for small, not for other"):
        load_adapter(replace(lm, name="other"), folder)
    weights_file = folder / WEIGHTS
    held = bytearray(weights_file.read_bytes())
    held[-1] ^= 1
    weights_file.write_bytes(held)
    with pytest.raises(CourseError, match="do not match their hash"):
        load_adapter(lm, folder)
    with pytest.raises(CourseError, match="no-such"):
        load_adapter(lm, tmp_path / "no-such")
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="could not be written"):
        save_adapter(train(lm, examples(4), SMALL, progress=False), tmp_path / "file" / "x")


def test_loading_does_not_touch_the_model(tmp_path):
    lm = small_model()
    before = {name: tensor.clone() for name, tensor in lm.model.state_dict().items()}
    run = train(lm, examples(4), SMALL, progress=False)
    loaded = load_adapter(lm, save_adapter(run, tmp_path / "a"))
    assert equal(before, lm.model.state_dict()) and not hasattr(lm.model, "peft_config")
    assert weights(run.lm).keys() == {name for name in dict(loaded.model.named_parameters()) if "lora_" in name}


# --- tickets ---


TICKETS = list(zip(load_raw_tickets(), load_gold_tickets(), strict=True))
WANTED = house_object(*TICKETS[0])


def test_every_gold_ticket_keeps_the_house_schema_and_voice():
    for raw, gold in TICKETS:
        wanted = house_object(raw, gold)
        assert schema_problems(wanted) == [] and in_house_voice(gold.reply), gold.id
        assert mark_ticket(house_json(raw, gold), wanted).whole


def test_the_product_is_asked_for_where_the_ticket_names_it():
    """Nobody can name a product that the ticket does not; and the model number is left to the desk's list of customers."""
    assert WANTED["product"] == "Alder"
    unnamed = [(raw, gold) for raw, gold in TICKETS if gold.product and house_object(raw, gold)["product"] is None]
    assert 20 < len(unnamed) < 100
    assert not any(gold.product.split("-")[0] in ticket_text(raw).lower() for raw, gold in unnamed)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"issue": "flood"}, "issue is 'flood'"),
        ({"priority": None}, "priority is None"),
        ({"wants": "money"}, "wants is 'money'"),
        ({"product": "Alder K2"}, "product is 'Alder K2'"),
        ({"order_number": "18834"}, "order_number is '18834'"),
        ({"error_code": 21}, "error_code is 21"),
        ({"reply": None}, "the reply is no text"),
    ],
)
def test_what_breaks_the_schema_is_named(change, says):
    assert schema_problems(WANTED | change) == [says]


def test_marks_are_those_of_a_program_that_reads_the_answer():
    right = WANTED
    assert schema_problems([right]) == ["it is not an object"] and "keys" in schema_problems({})[0]
    assert schema_problems(dict(reversed(right.items())))[0].startswith("the keys are reply")
    wrong = mark_ticket(json.dumps(right | {"issue": "leak", "reply": "Sorry!"}), right)
    assert (wrong.valid, wrong.fields_right, wrong.whole, wrong.voice) == (True, len(FIELDS) - 1, False, False)
    for answer in ("", "null", "{", json.dumps(right) + " Anything else?", json.dumps(right | {"more": 1})):
        assert mark_ticket(answer, right).valid is False
    scores = ticket_scores([wrong, mark_ticket("", right)])
    assert scores == {"valid": 0.5, "fields": 5 / 12, "whole": 0.0, "voice": 0.0}
    with pytest.raises(ValueError, match="at least one"):
        ticket_scores([])


def test_a_ticket_as_the_model_reads_it():
    ticket = next(one for one in load_raw_tickets() if not one.order_field and one.product_field)
    text = ticket_text(ticket)
    assert ticket.subject in text and ticket.body.strip() in text and f"Product: {ticket.product_field}" in text
    assert "Order:" not in text.splitlines()[:4]
    assert [one["role"] for one in ticket_messages(ticket)] == ["system", "user"]


# --- the curve ---


def test_the_curve_grows_and_says_what_it_shows():
    run = Run(None, SMALL, 10)
    assert "step 0 of 10" in render(run)
    run.steps += [Step(1, 3.0, 1e-3, 100, 1.0), Step(2, 2.0, 1e-3, 200, 2.0, 2.5)]
    shown = render(run)
    assert "step 2 of 10 · loss 2.00 · dev loss 2.50 · 100 tokens a second · about 8 s left" in shown
    assert "role='img'" in shown and "aria-label='Loss by step: step 2" in shown and shown.count("<circle") == 1
    run.stopped = "<b>no</b>"
    assert "&lt;b&gt;" in render(run) and "<b>" not in render(run)


def test_the_plot_is_drawn_at_once_then_seldom_and_at_the_end():
    plot, run = TrainingPlot(seconds=1000), Run(None, SMALL, 3)
    assert "Waiting" in plot.html
    for number in (1, 2, 3):
        run.steps.append(Step(number, 3.0, 1e-3, 100 * number, 1.0 * number))
        plot(run)
        assert f"step {1 if number < 3 else 3} of 3" in plot.html
    assert "finished in 3 s" in plot.html


def test_the_last_drawing_is_the_output_of_the_cell():
    import nbformat
    from nbclient import NotebookClient

    source = """
    from IPython.display import display
    from course_lib.finetune.recipe import Recipe, Run, Step
    from course_lib.widgets.training_plot import TrainingPlot
    plot, run = TrainingPlot(seconds=0), Run(None, Recipe(), 2)
    display(plot)
    for number in (1, 2):
        run.steps.append(Step(number, 3.0, 1e-3, 100 * number, 1.0 * number))
        plot(run)
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(source))])
    NotebookClient(notebook, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert "step 2 of 2" in output["data"]["text/html"] and "<svg" in output["data"]["text/html"]
