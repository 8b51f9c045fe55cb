"""The benchmark of trainers: what it counts, and what it does with the measurements. The training itself is not run here."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def finetune():
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("finetune")
    finally:
        sys.path.remove(str(FOLDER))


def row(system: str, seed: int, seconds: list[float], losses: list[float]) -> dict:
    return {
        "key": {"system": system, "seed": seed}, "seconds": seconds, "dev_losses": losses, "peak_bytes": 2e9,
        "tokens_per_second": 1000 / seconds[-1], "float32_rate": 1e11, "share": 0.5, "bfloat16": False, "threads": 2,
    }  # fmt: skip


def test_operations_are_those_that_pytorch_counts(finetune):
    """All layers trained, no padding, and the loss on every token: forward and the gradients of activations, counted by PyTorch."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=97, hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, attn_implementation="eager",
    )  # fmt: skip
    model = LlamaForCausalLM(config).requires_grad_(False)
    states = torch.randn(1, 20, 48, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        model(inputs_embeds=states, use_cache=False).logits.sum().backward()
    example = type("Example", (), {"__len__": lambda self: 20, "trained": 20})()
    attention = 6 * 48 * 3 * 20**2  # PyTorch counts all pairs of tokens, we count half: those that look back
    assert finetune.useful_operations(model, 3, [example]) + attention == counter.get_total_flops()


def test_a_half_written_row_is_passed_over(finetune, tmp_path):
    path = tmp_path / "rows.jsonl"
    assert finetune.read_rows(path) == []
    path.write_text('\n{"key": 1}\n\n{"key": 2, "sec\n{"key": 3}\n', encoding="utf-8")
    assert finetune.read_rows(path) == [{"key": 1}, {"key": 3}]


def test_a_row_counts_only_for_its_own_setting_and_with_the_scores_that_are_asked_for(finetune):
    own = {"key": {"system": "ours", "seed": 0}}
    assert finetune.usable(own, {"system": "ours", "seed": 0}, score=False)
    assert not finetune.usable(own, {"system": "ours", "seed": 0}, score=True)
    assert finetune.usable(own | {"scores": {}}, {"system": "ours", "seed": 0}, score=True)
    assert not finetune.usable(own, {"system": "ours", "seed": 1}, score=False)


def test_finished_rows_are_not_measured_again(finetune, tmp_path, monkeypatch):
    calls = []

    def run(command, **_):
        if "--write-data" in command:
            Path(command[command.index("--write-data") + 1]).write_text("{}")
            return SimpleNamespace(returncode=0)
        task = json.loads(command[-1])
        calls.append((task["system"], task["seed"]))
        if task["seed"] == 1 and len(calls) == 2:  # killed, or failed
            return SimpleNamespace(returncode=1)
        return SimpleNamespace(returncode=0, stdout=json.dumps({"seconds": [1.0], "dev_losses": [0.5]}))

    monkeypatch.setattr(finetune.subprocess, "run", run)  # the measurement itself takes minutes
    options = SimpleNamespace(
        systems=["ours"], seeds=[0, 1], layers=2, epochs=1, examples=None, score=False, fresh=False, rows=tmp_path / "rows.jsonl"
    )
    assert len(finetune.compare(options)) == 1
    assert len(finetune.compare(options)) == 2 and calls == [("ours", 0), ("ours", 1), ("ours", 1)]
    options.epochs = 2
    assert len(finetune.compare(options)) == 2 and len(calls) == 5
    options.fresh = True
    assert len(finetune.compare(options)) == 2 and len(calls) == 7


def test_the_table_compares_at_equal_loss_and_only_whole_seeds(finetune):
    rows = [
        row("ours", 0, [10.0, 20.0], [0.7, 0.4]),
        row("trl-same", 0, [40.0, 80.0], [0.8, 0.6]),
        row("ours", 1, [10.0, 20.0], [0.7, 0.4]),
    ]
    text = finetune.table(rows)
    ours, theirs = text.splitlines()[1:3]
    assert ours.split()[1:4] == ["1.00", "1.00", "1.00"] and theirs.split()[1:5] == ["4.00", "4.00", "1.00", "0.25"]
    assert "20.0 s to the same loss" in text and "0.600 nats" in text and text.endswith("Seeds: 0.")
    rows.append(row("trl-same", 1, [60.0, 120.0], [0.4, 0.3]))
    # ours is now as good as both at its last epoch, TRL at its first
    assert finetune.table(rows).splitlines()[2].split()[1:5] == ["5.00", "(4.00–6.00)", "3.50", "(3.00–4.00)"]
