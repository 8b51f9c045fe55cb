"""How sure a measured number is."""

from __future__ import annotations

import math
from collections.abc import Sequence


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
