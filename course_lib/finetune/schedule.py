"""Which examples make a step, and how large it is. All of it follows from the seed and the step's number, so that a run can go on
from any step."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence


def batch_rows(lengths: Sequence[int], size: int, number: int, seed: int = 0) -> list[int]:
    """The examples of step ``number`` (from 0): every example once in an epoch of ``ceil(len(lengths) / size)`` steps.

    An epoch's shuffled examples are sorted by length in pools of eight batches: a batch holds little padding, and still differs
    from epoch to epoch.

    >>> sorted(batch_rows([5, 90, 6, 88], 2, 0)), sorted(batch_rows([5, 90, 6, 88], 2, 1))
    ([0, 2], [1, 3])
    """
    epoch, at = divmod(number, math.ceil(len(lengths) / size))
    rng = random.Random(f"{seed}/{epoch}")
    order = rng.sample(range(len(lengths)), len(lengths))
    pools = [order[start : start + 8 * size] for start in range(0, len(order), 8 * size)]
    ordered = [row for pool in pools for row in sorted(pool, key=lambda row: lengths[row])]
    batches = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    rng.shuffle(batches)
    return batches[at]


def parts(rows: Iterable[int], lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Rows in groups of at most so many tokens, padding included; a longer row makes a group of its own.

    >>> list(parts([0, 1, 2], [10, 10, 30], tokens=60))
    [[0, 1], [2]]
    """
    group: list[int] = []
    for row in rows:
        longest = max(lengths[one] for one in (*group, row))
        if group and longest * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def learning_rate(number: int, total: int, peak: float, warmup: float = 0.1) -> float:
    """The learning rate of step ``number`` (from 0) of ``total``: a climb over the first ``warmup`` of the steps, then a cosine to a tenth.

    >>> [round(learning_rate(number, 21, 1.0, warmup=0.05), 2) for number in (0, 1, 11, 20)]
    [1.0, 1.0, 0.55, 0.11]
    """
    climb = max(1, round(warmup * total))
    if number < climb:
        return peak * (number + 1) / climb
    way = (number - climb) / max(1, total - climb)
    return peak * (0.1 + 0.9 * (1 + math.cos(math.pi * way)) / 2)


def is_check(number: int, a_pass: int, checks: int) -> bool:
    """Whether the dev loss is taken after step ``number`` (from 0): ``checks`` times in a pass, the last time at its end.

    >>> [number for number in range(10) if is_check(number, a_pass=5, checks=2)]
    [2, 4, 7, 9]
    """
    at = number % a_pass + 1
    return at * checks // a_pass > (at - 1) * checks // a_pass
