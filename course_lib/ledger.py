"""The ledger: what each question cost, in milliseconds by stage and in tokens.

Wherever time is spent there is a ``with stage("search"):``. It costs nothing unless somebody is writing:

>>> with record() as entry:
...     with stage("search"):
...         pass
>>> list(entry.ms), entry.tokens_in
(['search'], 0)
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

STAGES = ("embed text", "write", "embed", "search", "rerank", "prompt", "generate")


@dataclass
class Entry:
    """What one question cost: ``ms`` by stage, tokens of the prompt (``tokens_in``) and of the answer (``tokens_out``)."""

    ms: dict[str, float] = field(default_factory=dict)
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def total_ms(self) -> float:
        """Milliseconds of all stages."""
        return sum(self.ms.values())


@dataclass
class _Clock:
    entry: Entry
    inner: list[float]  # for each stage that is open: milliseconds already taken by the stages inside it


_clock: ContextVar[_Clock | None] = ContextVar("ledger", default=None)


@contextmanager
def record() -> Iterator[Entry]:
    """Collect the stages that happen inside, in this thread, into one entry."""
    clock = _Clock(Entry(), [])
    token = _clock.set(clock)
    try:
        yield clock.entry
    finally:
        _clock.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the time spent inside as a stage's. A stage within a stage is taken off the outer one, so that stages add up."""
    clock = _clock.get()
    if clock is None:
        yield
        return
    clock.inner.append(0.0)
    start = time.perf_counter()
    try:
        yield
    finally:
        spent = (time.perf_counter() - start) * 1000
        own = spent - clock.inner.pop()
        clock.entry.ms[name] = clock.entry.ms.get(name, 0.0) + own
        if clock.inner:
            clock.inner[-1] += spent


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share of the values lies, with linear interpolation between neighbours.

    >>> percentile([4, 1, 3, 2], 0.5), percentile([1, 2], 1.0)
    (2.5, 2.0)

    Raises ``ValueError`` where there are no values.
    """
    if not values or not 0 <= share <= 1:
        raise ValueError("a percentile needs at least one value and a share from 0 to 1")
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (at - low))


@dataclass(frozen=True)
class StageRow:
    """One line of the ledger's table: median and 95th percentile of a stage in milliseconds, and its share of all time."""

    stage: str
    p50_ms: float
    p95_ms: float
    share: float


class Ledger:
    """The entries of many questions, and what they add up to."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        if not entries:
            raise ValueError("a ledger needs at least one entry")
        self.entries = list(entries)

    @property
    def tokens_in(self) -> float:
        """Mean tokens of a prompt."""
        return sum(entry.tokens_in for entry in self.entries) / len(self.entries)

    @property
    def tokens_out(self) -> float:
        """Mean tokens of an answer."""
        return sum(entry.tokens_out for entry in self.entries) / len(self.entries)

    def rows(self) -> list[StageRow]:
        """One row per stage in the order of the work, then one for the whole question.

        >>> ledger = Ledger([Entry({"search": 1.0, "generate": 9.0}), Entry({"search": 3.0, "generate": 7.0})])
        >>> [(row.stage, row.p50_ms, round(row.share, 2)) for row in ledger.rows()]
        [('search', 2.0, 0.2), ('generate', 8.0, 0.8), ('all', 10.0, 1.0)]
        """
        seen = {name for entry in self.entries for name in entry.ms}
        names = [name for name in STAGES if name in seen] + sorted(seen - set(STAGES))
        total = sum(entry.total_ms for entry in self.entries) or 1.0
        rows = []
        for name in names:
            times = [entry.ms.get(name, 0.0) for entry in self.entries]
            rows.append(StageRow(name, percentile(times, 0.5), percentile(times, 0.95), sum(times) / total))
        whole = [entry.total_ms for entry in self.entries]
        return [*rows, StageRow("all", percentile(whole, 0.5), percentile(whole, 0.95), 1.0)]

    def __str__(self) -> str:
        lines = [f"{'stage':<10} {'p50 ms':>9} {'p95 ms':>9} {'share':>7}"]
        lines += [f"{row.stage:<10} {row.p50_ms:>9.1f} {row.p95_ms:>9.1f} {row.share:>7.1%}" for row in self.rows()]
        lines.append(f"tokens: {self.tokens_in:.0f} in, {self.tokens_out:.0f} out (means over {len(self.entries)} questions)")
        return "\n".join(lines)
