"""Fine-tuning side by side: our trainer and TRL's SFTTrainer with PEFT, on one machine, one after the other.

    python benchmarks/finetune.py                                       three seeds, three epochs; well over an hour on two cores
    python benchmarks/finetune.py --examples 16 --epochs 1 --seeds 0    a quick look

TRL lives in an environment of this benchmark's own, made on the first run, with the torch, transformers and PEFT of this one. All
systems get the same model (float32 on disk), the same tokens and loss mask (the prepared tickets for training, the loss on the desk's
JSON only), batches of 8, LoRA of rank 8 and alpha 16 without dropout, and a peak learning rate of 1e-3:

    ours           course_lib.finetune.train on the top layers; precision "auto"
    ours-float32   the same in float32
    trl-same       TRL with the same layers, matrices and schedule, without gradient checkpointing; examples grouped by length, each
                   batch as two halves of 4 whose gradients add up; bfloat16 autocast and frozen weights in bfloat16 where ours would
                   take bfloat16 too; the fastest settings of those tried, see trl_settings
    trl-stock      TRL with its own defaults on all layers ("all-linear"); with gradient checkpointing, in bfloat16 autocast, linear
                   decay without warm-up

Each process measures for itself whether bfloat16 is much faster here: the table says what it took.

What is measured, each system and seed in a process of its own:

    time       Of the training only. Ours counts from the call of train(), so the frozen layers' one pass and the building of the adapter
               are in it; TRL's counts from the call of trainer.train(), its preparation of the data is not in it.
    dev loss   In nats per trained token, at each epoch's end, on the prepared dev tickets. The adapters are put by during training;
               afterwards one function, the same for all, computes the loss in float32. It is in no time and in no peak memory.
    same loss  The time to the end of the first epoch at which a system is as good as the best loss that every system reached.
    memory     The peak resident memory of the process until training ends.
    tokens/s   The tokens of the training examples, padding not counted, times the epochs, divided by the time.
    share      The useful matrix operations a second, divided by what this machine makes in plain float32 products of the model's shape:
               each process measures that before it trains, and the highest counts for all. So bfloat16 can bring more than 100 %.

Useful operations are those that any trainer of these layers must make, so padding, recomputing and frozen layers below are not counted
(though their time is). For each matrix of a trained layer and each token: 2 operations a weight forward, and 2 for the gradient of its
input; none for the gradient of the weight itself, which is frozen. LoRA's own thin matrices (about 2 %) are left out. For attention: its
two products over the pairs of a token and those before it, forward and twice that backward. For the output matrix: as for the others, but
only for the tokens that are trained on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from peers import installed_here, peers

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = ("ours", "ours-float32", "trl-same", "trl-stock")
TRL = "trl==1.16.0"
SHARED = ("torch", "transformers", "peft", "accelerate")
BATCH_SIZE, RANK, ALPHA, LEARNING_RATE, WARMUP = 8, 8, 16.0, 1e-3, 0.1
MAX_TOKENS, NEW_TOKENS = 2048, 160

End = tuple[float, dict[str, Any]]  # the end of an epoch: seconds of training so far, and a copy of the adapter


# --- one system, in a process of its own -----------------------------------------------------------------------------


def examples_of(rows: Iterable[tuple[list[int], list[bool]]]) -> list[Any]:
    """Training examples from their form in a file."""
    from course_lib.finetune import Example

    return [Example(tuple(tokens), tuple(mask)) for tokens, mask in rows]


def adapter_copy(model: Any) -> dict[str, Any]:
    """The trained tensors of a model as they are now."""
    return {name: tensor.detach().float().clone() for name, tensor in model.named_parameters() if tensor.requires_grad}


def train_ours(lm: Any, examples: Sequence[Any], task: dict[str, Any]) -> list[End]:
    """Train with the course's trainer."""
    from course_lib.finetune import Recipe, Run, train

    recipe = Recipe(
        layers=task["layers"],
        rank=RANK,
        alpha=ALPHA,
        epochs=task["epochs"],
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        warmup=WARMUP,
        seed=task["seed"],
        precision="float32" if task["system"] == "ours-float32" else "auto",
    )
    ends: list[End] = []

    def watch(run: Run) -> None:
        if len(run.steps) % (run.total // recipe.epochs) == 0:
            ends.append((time.perf_counter() - began, adapter_copy(run.lm.model)))

    began = time.perf_counter()
    train(lm, examples, recipe, watch=watch, progress=False)
    return ends


def trl_settings(system: str, fast_bfloat16: bool) -> dict[str, Any]:
    """What SFTTrainer is told beyond what all systems share: nothing for the stock one.

    For ``trl-same`` these were tried, on two steps of 8 examples, one thread, a processor with bfloat16 products, one run each unless
    said: as below 31 s; without autocast, weights in bfloat16 32 s; whole batches of 8, 35 and 34 s; that without autocast 38 s, with
    random order 41 s, with weights in float32 43 s, all in float32 69 s. So the halves, bfloat16 and grouping help; autocast or not is
    within noise. torch.compile had not finished its first epoch after 150 s on a busy machine; quarters of 2 were not measured.
    """
    if system == "trl-stock":
        return {}
    return {
        "per_device_train_batch_size": BATCH_SIZE // 2,
        "gradient_accumulation_steps": 2,
        "gradient_checkpointing": False,
        "train_sampling_strategy": "group_by_length",
        "bf16": fast_bfloat16,
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        "warmup_steps": WARMUP,
        "logging_strategy": "no",
    }


def train_trl(lm: Any, examples: Sequence[Any], task: dict[str, Any]) -> list[End]:
    """Train with SFTTrainer and PEFT; the model is changed."""
    import torch
    from datasets import Dataset, disable_progress_bars
    from peft import LoraConfig
    from transformers import TrainerCallback, set_seed
    from trl import SFTConfig, SFTTrainer

    from course_lib.finetune.linear import chosen_dtype
    from course_lib.finetune.lora import ALL_LINEAR

    disable_progress_bars()
    same, depth = task["system"] == "trl-same", int(lm.model.config.num_hidden_layers)
    fast_bfloat16 = chosen_dtype("auto") == torch.bfloat16
    where: dict[str, Any] = {"target_modules": "all-linear"}
    if same:
        layers = list(range(depth - task["layers"], depth))
        where = {"target_modules": list(ALL_LINEAR), "layers_to_transform": layers, "layers_pattern": "layers"}
        if fast_bfloat16:
            lm.model.to(torch.bfloat16)
    ends: list[End] = []

    class Watch(TrainerCallback):
        def on_epoch_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            ends.append((time.perf_counter() - began, adapter_copy(others["model"])))

    set_seed(task["seed"])
    with tempfile.TemporaryDirectory() as folder:
        shared = {
            "output_dir": folder,
            "per_device_train_batch_size": BATCH_SIZE,
            "num_train_epochs": task["epochs"],
            "learning_rate": LEARNING_RATE,
            "seed": task["seed"],
            "max_length": MAX_TOKENS,
            "completion_only_loss": True,
            "use_cpu": True,
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
        }
        config = SFTConfig(**shared | trl_settings(task["system"], fast_bfloat16))
        columns = {
            "input_ids": [list(one.tokens) for one in examples],
            "completion_mask": [[int(on) for on in one.mask] for one in examples],
        }
        trainer = SFTTrainer(
            model=lm.model,
            args=config,
            train_dataset=Dataset.from_dict(columns),
            processing_class=lm.tokenizer,
            peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, task_type="CAUSAL_LM", **where),
            callbacks=[Watch()],
        )
        began = time.perf_counter()
        trainer.train()
    return ends


def peak_memory() -> int:
    """The largest resident memory that this process had, in bytes."""
    if os.name == "nt":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    status = Path("/proc/self/status")
    if status.exists():  # Linux: what getrusage says there holds for the program that started this one, too
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def useful_operations(model: Any, layers: int, examples: Sequence[Any]) -> int:
    """The floating point operations of one epoch, counted as this module says."""
    import torch

    trained = model.model.layers[-layers:]
    weights = sum(one.weight.numel() for one in trained.modules() if isinstance(one, torch.nn.Linear))
    config = model.config
    width = config.num_attention_heads * (getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    linear = 4 * weights * sum(len(one) for one in examples)
    attention = 6 * width * layers * sum(len(one) ** 2 for one in examples)
    return linear + attention + 4 * model.lm_head.weight.numel() * sum(one.trained for one in examples)


def dev_loss(lm: Any, examples: Sequence[Any]) -> float:
    """The loss per trained token in nats, by transformers and PEFT alone, in float32."""
    import torch

    total = 0.0
    for start in range(0, len(examples), BATCH_SIZE):
        some = examples[start : start + BATCH_SIZE]
        tokens = torch.nn.utils.rnn.pad_sequence([torch.tensor(one.tokens) for one in some], batch_first=True)
        labels = [torch.where(torch.tensor(one.mask), torch.tensor(one.tokens), -100) for one in some]
        wanted = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)[:, 1:]
        with torch.no_grad():
            logits = lm.model(input_ids=tokens, use_cache=False).logits[:, :-1]  # padding stands behind: nothing sees it
            total += float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum"))
    return total / sum(one.trained for one in examples)


def scores(lm: Any, data: dict[str, Any]) -> dict[str, float]:
    """The marks on the dev tickets, answered with the adapter merged into the weights."""
    from course_lib.finetune import merged
    from course_lib.finetune.tickets import mark_ticket, ticket_scores
    from course_lib.generation.generate import generate

    answers = generate(merged(lm), data["messages"], max_new_tokens=NEW_TOKENS)
    return dict(ticket_scores([mark_ticket(answer, wanted) for answer, wanted in zip(answers, data["wanted"])]))


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Train one system, then judge what came out of it."""
    import torch

    from course_lib.finetune import with_lora
    from course_lib.finetune.linear import chosen_dtype, matrix_rate
    from course_lib.models import language_model

    data = json.loads(Path(task["data"]).read_text(encoding="utf-8"))
    examples, dev = examples_of(data["train"]), examples_of(data["dev"])
    rate = matrix_rate(torch.float32, seconds=1.0)
    lm = language_model()
    language_model.cache_clear()  # whoever trains has the model for itself
    layers = int(lm.model.config.num_hidden_layers) if task["system"] == "trl-stock" else task["layers"]
    operations, tokens = useful_operations(lm.model, layers, examples), sum(len(one) for one in examples)
    ours = task["system"].startswith("ours")
    ends = (train_ours if ours else train_trl)(lm, examples, task)
    memory = peak_memory()
    del lm

    judged = with_lora(language_model(), layers, RANK, ALPHA)
    own = {name: tensor for name, tensor in judged.model.named_parameters() if tensor.requires_grad}

    def give(weights: dict[str, Any]) -> None:
        if own.keys() != weights.keys():
            raise ValueError("the adapter does not have the tensors that it should have")
        with torch.no_grad():
            for name, tensor in weights.items():
                own[name].copy_(tensor)

    losses = []
    for _, weights in ends:
        give(weights)
        losses.append(dev_loss(judged, dev))
    result: dict[str, Any] = {
        "seconds": [end[0] for end in ends],
        "dev_losses": losses,
        "tokens_per_second": tokens * task["epochs"] / ends[-1][0],
        "peak_bytes": memory,
        "float32_rate": rate,
        "operations_per_second": operations * task["epochs"] / ends[-1][0],
        "layers_trained": layers,
        "bfloat16": task["system"] != "ours-float32"
        and (chosen_dtype("auto") == torch.bfloat16 or task["system"] == "trl-stock"),
        "threads": torch.get_num_threads(),
    }
    if task["score"]:
        give(ends[losses.index(min(losses))][1])
        result["scores"] = scores(judged, data)
    return result


# --- the comparison --------------------------------------------------------------------------------------------------


def write_data(path: Path, count: int | None) -> None:
    """The examples as tokens and masks, and the dev tickets as prompts, for all systems alike; ``count`` of each, or all."""
    from course_lib.finetune import prepared_tickets, training_examples
    from course_lib.finetune.tickets import house_object, ticket_messages
    from course_lib.models import language_model

    lm, data = language_model(), {}
    for split in ("train", "dev"):
        pairs = prepared_tickets(split)[:count]
        data[split] = [[one.tokens, one.mask] for one in training_examples(lm, pairs)]
    data |= {"wanted": [house_object(*pair) for pair in pairs], "messages": [ticket_messages(ticket) for ticket, _ in pairs]}
    path.write_text(json.dumps(data), encoding="utf-8")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The finished measurements; a line that a killed run left half written is passed over."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def usable(row: dict[str, Any], key: dict[str, Any], score: bool) -> bool:
    """Whether a row answers what is asked: the same setting, and scores if they are wanted."""
    return row["key"] == key and ("scores" in row or not score)


def digest(paths: Iterable[Path]) -> str:
    """A short hash over some files."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:12]


def compare(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure what is not there yet, seed by seed, and append each row to the file of rows as it is finished."""
    versions = [TRL, *installed_here(*SHARED)]
    others = ""
    if any(system.startswith("trl") for system in options.systems):
        others = peers("finetune", versions, "platformdirs", "-c", str(ROOT / "constraints.txt"))
    rows = [] if options.fresh else read_rows(options.rows)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment["PYTHONWARNINGS"] = "ignore::FutureWarning"  # TRL's own, about names of settings
    wanted = []
    with tempfile.TemporaryDirectory() as work:
        data = Path(work) / "data.json"
        count = [] if options.examples is None else ["--examples", str(options.examples)]
        subprocess.run([sys.executable, __file__, "--write-data", str(data), *count], check=True, env=environment)
        code = digest((ROOT / "course_lib" / "finetune").glob("*.py"))
        for seed in options.seeds:
            for system in options.systems:
                key: dict[str, Any] = {"system": system, "seed": seed, "layers": options.layers, "epochs": options.epochs}
                key |= {"data": digest([data]), "versions": versions, "threads": os.environ.get("OMP_NUM_THREADS", "all")}
                if system.startswith("ours"):
                    key["code"] = code
                else:
                    key["settings"] = trl_settings(system, True)
                row = next((one for one in reversed(rows) if usable(one, key, options.score)), None)
                if row is None:
                    task = {"system": system, "seed": seed, "layers": options.layers, "epochs": options.epochs}
                    task |= {"data": str(data), "score": options.score}
                    python = sys.executable if system.startswith("ours") else others
                    command = [python, __file__, "--task", json.dumps(task)]
                    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
                    if done.returncode:
                        print(f"{system} (seed {seed}) failed.", file=sys.stderr)
                        continue
                    row = {"key": key, **json.loads(done.stdout.splitlines()[-1])}
                    options.rows.parent.mkdir(parents=True, exist_ok=True)
                    with options.rows.open("a", encoding="utf-8") as file:
                        file.write(f"\n{json.dumps(row)}\n")  # the first line break ends what a killed run may have left
                    loss = row["dev_losses"][-1]
                    print(
                        f"  {system}, seed {seed}: {row['seconds'][-1]:.0f} s, dev loss {loss:.3f}", file=sys.stderr, flush=True
                    )
                wanted.append(row)
    return wanted


def with_shares(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each with its share of the highest float32 rate that any of them met: on a busy machine one may have met a low one.

    >>> [row["share"] for row in with_shares([{"operations_per_second": 4, "float32_rate": rate} for rate in (2, 8)])]
    [0.5, 0.5]
    """
    rate = max((row["float32_rate"] for row in rows), default=0.0)
    return [row | {"share": row["operations_per_second"] / rate} for row in rows]


def same_loss(rows: Sequence[dict[str, Any]]) -> float:
    """The lowest dev loss that each of some rows reached at the end of an epoch.

    >>> same_loss([{"dev_losses": [0.9, 0.5]}, {"dev_losses": [0.8, 0.6, 0.7]}])
    0.6
    """
    return max(min(row["dev_losses"]) for row in rows)


def seconds_to(row: dict[str, Any], loss: float) -> float:
    """The time at the end of the first epoch with a dev loss no higher than some other.

    >>> seconds_to({"dev_losses": [0.9, 0.5], "seconds": [10.0, 20.0]}, 0.6)
    20.0
    """
    return next(seconds for seconds, own in zip(row["seconds"], row["dev_losses"]) if own <= loss)


def spread(values: Sequence[float], form: str) -> str:
    """Mean and range, or the one value there is.

    >>> spread([1.0, 2.0], ".1f"), spread([1.0], ".1f")
    ('1.5 (1.0–2.0)', '1.0')
    """
    if not values:
        return "–"
    mean = f"{sum(values) / len(values):{form}}"
    return mean if len(values) == 1 else f"{mean} ({min(values):{form}}–{max(values):{form}})"


def figures(row: dict[str, Any], loss: float) -> tuple[float, float, float, float]:
    """Seconds an epoch, seconds to a dev loss, peak gigabytes, tokens a second."""
    epoch = row["seconds"][-1] / len(row["seconds"])
    return epoch, seconds_to(row, loss), row["peak_bytes"] / 1e9, row["tokens_per_second"]


def table(rows: list[dict[str, Any]]) -> str:
    """Ratios to ours at the same seed: mean and, over several seeds, range. Share, dev loss and scores stand as they are.

    For the times and the memory more than 1 is worse than ours, for tokens a second less than 1 is. A seed that not every system has
    finished is left out.
    """
    systems = [system for system in SYSTEMS if any(row["key"]["system"] == system for row in rows)]
    of = {(row["key"]["system"], row["key"]["seed"]): row for row in rows}
    seeds = [seed for seed in dict.fromkeys(seed for _, seed in of) if all((system, seed) in of for system in systems)]
    if not seeds:
        return "No seed has been finished by every system."
    goal = {seed: same_loss([of[system, seed] for system in systems]) for seed in seeds}
    base = {seed: figures(of[systems[0], seed], goal[seed]) for seed in seeds}
    names = ["s an epoch", "to same loss", "memory", "tokens/s"]
    lines = [
        f"{'ratio to ' + systems[0]:<22}"
        + "".join(f"{name:<20}" for name in (*names, "share of float32", "best dev loss", "whole right"))
    ]
    for system in systems:
        own = [of[system, seed] for seed in seeds]
        got = {seed: figures(of[system, seed], goal[seed]) for seed in seeds}
        cells = [spread([got[seed][at] / base[seed][at] for seed in seeds], ".2f") for at in range(4)]
        cells.append(spread([row["share"] * 100 for row in own], ".0f") + " %")
        cells.append(spread([min(row["dev_losses"]) for row in own], ".3f"))
        cells.append(spread([row["scores"]["whole"] for row in own if "scores" in row], ".2f"))
        low = sum(row["bfloat16"] for row in own)
        name = system + ("" if not low else " (bfloat16)" if low == len(own) else f" (bf16 {low} of {len(own)})")
        lines.append((f"{name:<22}" + "".join(f"{cell:<20}" for cell in cells)).rstrip())
    means = [spread([base[seed][at] for seed in seeds], form) for at, form in enumerate((".1f", ".1f", ".2f", ".0f"))]
    rate = f"{max(row['float32_rate'] for row in rows) / 1e9:.0f}"
    lines += [
        f"1.00 is {means[0]} s an epoch, {means[1]} s to the same loss, {means[2]} GB, {means[3]} tokens/s; "
        f"100 % is {rate} GFLOP/s on {of[systems[0], seeds[0]]['threads']} thread(s).",
        f"Same loss: {spread(list(goal.values()), '.3f')} nats a token. Seeds: {', '.join(map(str, seeds))}.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Compare, or (with --task) be one of the compared."""
    from course_lib.places import cache_folder

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=20, help="how many of the top layers are trained (20)")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--examples", type=int, help="only so many tickets for training and for the dev loss; all without it")
    parser.add_argument("--score", action="store_true", help="also let each tuned model file the dev tickets (not timed)")
    parser.add_argument("--fresh", action="store_true", help="measure again what is in the file of rows")
    parser.add_argument("--rows", type=Path, help="the file of finished rows; without it, one in the course's cache")
    parser.add_argument("--json", type=Path, help="also write the measurements to this file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--write-data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(measure(json.loads(options.task))))
        return
    if options.write_data:
        write_data(options.write_data, options.examples)
        return
    options.rows = options.rows or cache_folder() / "benchmark-finetune.jsonl"
    rows = with_shares(compare(options))
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
