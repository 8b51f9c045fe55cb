"""A LoRA trainer for a CPU.

Three things make it fast: the layers below the trained ones run once (:mod:`.halves`), logits are made only where the loss mask is on,
and a batch holds examples of like length. It goes on where it was stopped.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..models import LanguageModel
from ..places import cache_folder
from . import checkpoint
from .examples import Example
from .halves import HiddenStates, causal_model, padded, split
from .lora import trained_parameters, with_lora
from .recipe import Recipe, Run, Step
from .schedule import batch_rows, is_check, learning_rate, parts


def train(
    lm: LanguageModel,
    examples: Sequence[Example],
    recipe: Recipe | None = None,
    dev: Sequence[Example] = (),
    folder: Path | str | None = None,
    watch: Callable[[Run], None] | None = None,
    progress: bool = True,
    checkpoint_seconds: float = 20.0,
) -> Run:
    """Train a LoRA adapter; ``lm`` stays as it is, the run's ``lm`` has the adapter.

    With dev examples the adapter of the lowest dev loss is kept, without them the last one. With a ``folder`` the state is written
    there every ``checkpoint_seconds``: the same call goes on where a killed run was, and ends with the same weights. A finished
    run is loaded. ``watch`` is called after each step.

    Raises :class:`CourseError` where there are no examples, where the folder holds another run, or where the loss is not a number.
    """
    recipe = recipe or Recipe()
    if not examples:
        raise CourseError("There is nothing to train on: the list of examples is empty.", "make examples first.")
    tuned = with_lora(lm, recipe.layers, recipe.rank, recipe.alpha, recipe.targets, recipe.seed)
    trainer = _Trainer(tuned, examples, recipe, dev, Path(folder) if folder else None)
    trainer.resume()
    if not trainer.run.finished:
        trainer.go(watch, checkpoint_seconds, progress)
    trainer.keep_best()
    return trainer.run


def fingerprint(lm: LanguageModel, examples: Sequence[Example], recipe: Recipe, dev: Sequence[Example] = ()) -> str:
    """A hash of everything that a run follows from."""
    rows = [[example.tokens, example.mask, example.weights] for example in (*examples, *dev)]
    return sha256(json.dumps([lm.name, asdict(recipe), len(examples), rows]).encode()).hexdigest()


def run_folder(name: str, lm: LanguageModel, examples: Sequence[Example], recipe: Recipe, dev: Sequence[Example] = ()) -> Path:
    """A folder in the course's cache for the checkpoints of a run: another one for other data or another recipe."""
    return cache_folder() / "runs" / f"{name}-{fingerprint(lm, examples, recipe, dev)[:12]}"


class _Trainer:
    """The state of a run, and what changes it."""

    def __init__(
        self, lm: LanguageModel, examples: Sequence[Example], recipe: Recipe, dev: Sequence[Example], folder: Path | None
    ) -> None:
        import torch

        from .linear import chosen_dtype

        self.recipe, self.folder = recipe, folder
        self.examples, self.count = [*examples, *dev], len(examples)  # those to train on come first
        self.lengths = [len(example) for example in self.examples]
        self.a_pass = math.ceil(self.count / recipe.batch_size)
        self.run = Run(lm, recipe, self.a_pass * recipe.epochs)
        self.bottom, self.top = split(lm.model, recipe.layers)
        self.head = causal_model(lm.model).lm_head
        self.dtype = chosen_dtype(recipe.precision)
        self.weights = trained_parameters(lm.model)
        self.optimizer = torch.optim.AdamW(self.weights.values(), lr=recipe.learning_rate, weight_decay=0.0)
        self.best: dict[str, Any] | None = None
        self.states: HiddenStates | None = None
        self.whole = True
        self.fingerprint = fingerprint(lm, examples, recipe, dev)

    def go(self, watch: Callable[[Run], None] | None, checkpoint_seconds: float, progress: bool) -> None:
        """Make the steps that are left."""
        from tqdm import tqdm

        run, began = self.run, time.perf_counter()
        self.compute_states(progress)
        run.cache_seconds += time.perf_counter() - began
        before = run.steps[-1].seconds if run.steps else 0.0
        began = saved = time.perf_counter()
        with (
            tqdm(total=run.total, initial=len(run.steps), desc="training", unit="step", disable=not progress) as bar,
            self.fast(),
            self.kept(),
        ):
            while not run.finished:
                number = len(run.steps)
                rows = batch_rows(self.lengths[: self.count], self.recipe.batch_size, number, self.recipe.seed)
                loss, rate = self.step(number, rows)
                dev_loss = self.dev_loss() if is_check(number, self.a_pass, self.recipe.dev_checks) else None
                tokens = sum(self.lengths[row] for row in rows) + (run.steps[-1].tokens if run.steps else 0)
                seconds = before + time.perf_counter() - began
                run.steps.append(Step(number + 1, loss, rate, tokens, seconds, dev_loss))
                self.judge()
                self.whole = True
                if run.finished or time.perf_counter() - saved >= checkpoint_seconds:
                    self.save()
                    saved = time.perf_counter()
                bar.set_postfix_str(f"loss {loss:.3f}, {tokens / seconds:.0f} tokens/s", refresh=False)
                bar.update()
                if watch:
                    watch(run)

    def compute_states(self, progress: bool = False) -> None:
        """Run the frozen layers, once."""
        from .linear import fast_linear

        with fast_linear(self.bottom, dtype=self.dtype):
            self.states = HiddenStates(self.bottom, self.examples, progress=progress)

    def fast(self) -> contextlib.AbstractContextManager[None]:
        """Within it, the trained half computes in the way that suits a CPU."""
        from .linear import fast_linear

        return fast_linear(self.top, self.head, dtype=self.dtype)

    def step(self, number: int, rows: Sequence[int]) -> tuple[float, float]:
        """One step of the optimizer on some examples: the loss per trained token before it, and the learning rate."""
        import torch

        self.optimizer.zero_grad()
        loss = self.gradients(rows)
        if not math.isfinite(loss):
            raise CourseError(
                f"The loss became {loss} at step {number + 1}: training has gone astray.", "choose a lower learning rate."
            )
        torch.nn.utils.clip_grad_norm_(self.weights.values(), self.recipe.clip)
        rate = learning_rate(number, self.run.total, self.recipe.learning_rate, self.recipe.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.whole = False  # from here to the note of the step, weights and notes do not agree
        self.optimizer.step()
        return loss, rate

    def gradients(self, rows: Sequence[int]) -> float:
        """Add the gradients of the mean loss over the trained tokens of some examples, by their weights; that loss, in nats a token."""
        counted, total = sum(sum(self.examples[row].counted) for row in rows), 0.0
        for part in parts(rows, self.lengths, self.recipe.tokens_at_once):
            loss = self.summed_loss(part) / counted
            loss.backward()
            total += float(loss.detach())
        return total

    def summed_loss(self, rows: Sequence[int]) -> Any:
        """The loss of some examples, summed over their trained tokens by weight: logits are made only where the next token is trained on."""
        import torch

        from .linear import summed_token_loss

        if self.states is None:
            self.compute_states()
        assert self.states is not None
        some = [self.examples[row] for row in rows]
        out = self.top(inputs_embeds=padded([self.states[row] for row in rows]), use_cache=False).last_hidden_state
        where = padded([torch.tensor([*one.mask[1:], False]) for one in some])
        wanted = torch.tensor([token for one in some for token, on in zip(one.tokens, one.mask, strict=True) if on])
        counted = torch.tensor([weight for one in some for weight in one.counted])
        return summed_token_loss(out[where], self.head, wanted, counted)

    def dev_loss(self) -> float | None:
        """The loss per trained token, by weight, on the dev examples; ``None`` without any."""
        import torch

        rows = sorted(range(self.count, len(self.examples)), key=lambda row: self.lengths[row])
        if not rows:
            return None
        with torch.no_grad():
            total = sum(float(self.summed_loss(part)) for part in parts(rows, self.lengths, self.recipe.tokens_at_once))
        return total / sum(sum(self.examples[row].counted) for row in rows)

    def judge(self) -> None:
        """Keep a copy of the adapter if its dev loss is the best one yet; stop where it has not been for too long."""
        losses, patience = self.run.dev_losses, self.recipe.patience
        if losses and self.run.steps[-1].dev_loss == min(losses):
            self.best = {name: tensor.detach().clone() for name, tensor in self.weights.items()}
        if len(losses) > patience and min(losses[-patience:]) > min(losses):
            self.run.stopped = f"no better dev loss {patience} times in a row"

    def keep_best(self) -> None:
        """Give the model the adapter of the lowest dev loss, where there is one."""
        self._give(self.best or {})

    def _give(self, weights: Mapping[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for name, tensor in weights.items():
                self.weights[name].copy_(tensor)

    # --- stopping and going on ---

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Where a person stops the run, write its state before it ends."""
        try:
            yield
        except KeyboardInterrupt:
            if self.whole:
                self.save()
            way = "The same call goes on from here." if self.folder else "Without a folder nothing is kept."
            print(f"Stopped after step {len(self.run.steps)} of {self.run.total}. {way}")
            raise

    def save(self) -> None:
        """Write the state after the last step, if the run has a folder."""
        if self.folder is not None:
            state = {
                "fingerprint": self.fingerprint,
                "dtype": self.dtype,
                "weights": {name: tensor.detach() for name, tensor in self.weights.items()},
                "best": self.best,
                "optimizer": self.optimizer.state_dict(),
                "steps": [asdict(step) for step in self.run.steps],
                "cache_seconds": self.run.cache_seconds,
                "stopped": self.run.stopped,
            }
            checkpoint.write(self.folder, state)

    def resume(self) -> None:
        """Go on from the folder's state, if there is one."""
        if self.folder is None or (state := checkpoint.read(self.folder, self.fingerprint)) is None:
            return
        self.dtype = state["dtype"]  # a busy machine might choose otherwise now, and the weights would not be the same
        self._give(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]
        self.run.steps = [Step(**step) for step in state["steps"]]
        self.run.cache_seconds, self.run.stopped = state["cache_seconds"], state["stopped"]
