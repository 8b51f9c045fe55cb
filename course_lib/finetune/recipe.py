"""What a training run is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .lora import ALL_LINEAR


@dataclass(frozen=True)
class Recipe:
    """What a training run is, apart from its data.

    LoRA of ``rank`` on the top ``layers``, on the matrices ``targets``. ``batch_size`` examples make one step; of these at most
    ``tokens_at_once`` run together, the rest follow and their gradients add up. The learning rate climbs over the first ``warmup``
    of the steps, then falls along a cosine to a tenth. Gradients longer than ``clip`` are shortened. With dev examples the loss on
    them is taken ``dev_checks`` times in an epoch; after ``patience`` times without a new best one training stops. ``precision`` is that
    of the matrix products: float32, bfloat16, or auto, which takes bfloat16 where this machine is much faster with it.
    """

    layers: int = 20
    rank: int = 16
    alpha: float = 32.0
    targets: tuple[str, ...] = ALL_LINEAR
    epochs: int = 2
    batch_size: int = 8
    tokens_at_once: int = 1024
    learning_rate: float = 1e-3
    warmup: float = 0.1
    clip: float = 1.0
    dev_checks: int = 2
    patience: int = 4
    seed: int = 0
    precision: str = "auto"


@dataclass(frozen=True)
class Step:
    """One step: ``loss`` per trained token (nats), the same on the dev examples where it was taken, ``tokens`` read so far."""

    number: int
    loss: float
    learning_rate: float
    tokens: int
    seconds: float
    dev_loss: float | None = None


@dataclass
class Run:
    """A training run: the model as it is now, and what happened. ``stopped`` says why it ended before its last step.

    ``lm`` is a language model or an embedder. ``dev_loss_before`` is the dev loss before the first step, where it was taken.
    """

    lm: Any
    recipe: Recipe
    total: int
    steps: list[Step] = field(default_factory=list)
    cache_seconds: float = 0.0
    stopped: str = ""
    dev_loss_before: float | None = None

    @property
    def seconds(self) -> float:
        """How long it took, the frozen layers included; the time before a stop counts, the pause does not."""
        return self.cache_seconds + (self.steps[-1].seconds if self.steps else 0.0)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return bool(self.stopped) or len(self.steps) == self.total

    @property
    def dev_losses(self) -> list[float]:
        """The losses on the dev examples, in order."""
        return [step.dev_loss for step in self.steps if step.dev_loss is not None]
