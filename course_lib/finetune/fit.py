"""The training loop of the retriever and the reranker. Such a run takes two minutes, so it is made in one piece and not resumed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..errors import CourseError
from .recipe import Run, Step
from .schedule import is_check, learning_rate

Batch = TypeVar("Batch")


def fit(
    run: Run,
    weights: Mapping[str, Any],
    batches: Sequence[Batch],
    loss_of: Callable[[Batch], tuple[Any, int]],
    dev_loss_of: Callable[[], float],
    watch: Callable[[Run], None] | None = None,
    progress: bool = True,
) -> None:
    """Train ``weights``, one step a batch, and note every step in ``run``.

    ``loss_of`` gives a batch's loss, as a tensor, and the tokens read for it. The dev loss is taken before the first step and then
    ``dev_checks`` times in an epoch; training stops where it has been no better ``patience`` times in a row, and the weights of
    the lowest one are kept, which are those of the start if training never gained. At the end they are rounded to half precision,
    in which they are stored: what is measured is what is stored.

    Raises :class:`CourseError` where the loss is not a number.
    """
    import torch
    from tqdm import tqdm

    recipe, checks = run.recipe, run.recipe.dev_checks * run.recipe.epochs
    optimizer = torch.optim.AdamW(list(weights.values()), lr=recipe.learning_rate, weight_decay=0.0)
    began, tokens = time.perf_counter(), 0
    before = dev_loss_of()
    lowest, best = before, _copied(weights)
    run.dev_loss_before = before
    for number, batch in enumerate(tqdm(batches, desc="training", unit="step", disable=not progress)):
        optimizer.zero_grad()
        loss, read = loss_of(batch)
        if not math.isfinite(float(loss.detach())):
            raise CourseError(
                f"The loss became {float(loss.detach())} at step {number + 1}: training has gone astray.",
                "choose a lower learning rate.",
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), recipe.clip)
        rate = learning_rate(number, len(batches), recipe.learning_rate, recipe.warmup)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        tokens += read
        dev_loss = dev_loss_of() if is_check(number, len(batches), checks) else None
        run.steps.append(Step(number + 1, float(loss.detach()), rate, tokens, time.perf_counter() - began, dev_loss))
        if dev_loss is not None and dev_loss < lowest:
            lowest, best = dev_loss, _copied(weights)
        if no_better([before, *run.dev_losses], recipe.patience):
            run.stopped = f"no better dev loss {recipe.patience} times in a row"
        if watch:
            watch(run)
        if run.stopped:
            break
    with torch.no_grad():
        for name, tensor in weights.items():
            tensor.copy_(best[name].half().float())


def no_better(losses: Sequence[float], patience: int) -> bool:
    """Whether the last ``patience`` losses are all above the lowest one.

    >>> no_better([0.9, 0.5, 0.6, 0.7], patience=2), no_better([0.9, 0.5, 0.6, 0.5], patience=2)
    (True, False)
    """
    return len(losses) > patience and min(losses[-patience:]) > min(losses)


def _copied(weights: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}
