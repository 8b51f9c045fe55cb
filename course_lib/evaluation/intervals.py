"""How sure a measured number is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share, from Wilson's score (1927, JASA 22:209); ``z=1.96`` for 95 %.

    Unlike a bootstrap it says something sensible when nothing, or everything, was right.

    >>> [round(end, 3) for end in wilson_interval(0, 20)], [round(end, 3) for end in wilson_interval(10, 20)]
    ([0.0, 0.161], [0.299, 0.701])

    Raises ``ValueError`` unless ``0 <= successes <= trials`` and ``trials > 0``.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"there cannot be {successes} successes in {trials} trials")
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def bootstrap_interval(values: Sequence[float], draws: int = 2000, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """The percentile bootstrap interval of a mean (Efron 1979): draw with replacement, average, take the quantiles.

    >>> low, high = bootstrap_interval([0, 1] * 50)
    >>> 0.35 < low < 0.5 < high < 0.65
    True

    Raises ``ValueError`` where there are no values.
    """
    import numpy as np

    if len(values) == 0:
        raise ValueError("an interval needs at least one value")
    numbers = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    means = np.array([numbers[rng.integers(0, len(numbers), len(numbers))].mean() for _ in range(draws)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Difference:
    """The mean difference between two systems over the same ``n`` questions, with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0: these questions show a difference."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{_signed(self.mean)} ({_signed(self.low)} to {_signed(self.high)})"


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # + 0.0 turns -0.0 into 0.0


def paired_difference(better: Sequence[float], worse: Sequence[float], draws: int = 2000, seed: int = 0) -> Difference:
    """How much higher the first system scores than the second on the same questions: mean and 95 % bootstrap interval.

    The questions are drawn with replacement, each with both its scores (the paired bootstrap; Efron & Tibshirani 1993). That
    a question is hard for both systems then widens nothing, and the interval is narrower than that of two separate means.

    >>> print(paired_difference([1, 1, 1, 0], [0, 1, 0, 0]))
    +0.50 (+0.00 to +1.00)

    Raises ``ValueError`` where the numbers of scores differ or there are none.
    """
    if len(better) != len(worse):
        raise ValueError(f"a pair needs two scores for each question, not {len(better)} scores and {len(worse)}")
    differences = [float(one) - float(other) for one, other in zip(better, worse, strict=True)]
    low, high = bootstrap_interval(differences, draws=draws, seed=seed)
    return Difference(sum(differences) / len(differences), low, high, len(differences))
