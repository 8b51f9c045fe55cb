"""What a question costs under a price list with dates, which a reader can replace by their own."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .errors import CourseError
from .ledger import Entry, Ledger

PRICES = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True)
class Price:
    """One line of a price list: either dollars per million tokens (hosted), or watts and dollars per kilowatt-hour (local)."""

    name: str
    kind: str
    as_of: datetime.date
    source: str = ""
    usd_per_million_in: float = 0.0
    usd_per_million_out: float = 0.0
    watts: float = 0.0
    usd_per_kwh: float = 0.0

    def cost(self, entry: Entry) -> float:
        """What one question costs in US dollars: its tokens where it is hosted, its electricity where it is local.

        A hosted model counts tokens with its own tokenizer, so this is an estimate: the course's counts are usually within a
        quarter of it. A local model's machine, and the people who mind it, are not in the figure.

        >>> price = Price("x", "hosted", datetime.date(2026, 1, 1), usd_per_million_in=2.5, usd_per_million_out=10.0)
        >>> price.cost(Entry(tokens_in=1000, tokens_out=100))
        0.0035
        """
        if self.kind == "local":
            return self.watts * entry.total_ms / 3.6e9 * self.usd_per_kwh
        return (entry.tokens_in * self.usd_per_million_in + entry.tokens_out * self.usd_per_million_out) / 1e6

    def cost_of(self, ledger: Ledger, questions: int = 1000) -> float:
        """What so many questions like those of the ledger cost in US dollars."""
        return sum(self.cost(entry) for entry in ledger.entries) / len(ledger.entries) * questions


def load_prices(path: Path | str = PRICES) -> dict[str, Price]:
    """Read a price list. Raises :class:`CourseError` that names the line of trouble.

    >>> sorted(load_prices())[:2]
    ['claude-sonnet-4.5', 'gpt-4o']
    """
    path = Path(path)
    todo = f"compare it with the course's own list, {PRICES.name}, and mend or delete yours."
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"The price list {path.name} cannot be read: {error}.", todo) from error
    prices = {}
    for name, row in table.items():
        try:
            price = Price(name, **row)
        except TypeError as error:
            raise CourseError(f"The price list {path.name}, entry {name!r}: {error}.", todo) from error
        _check(price, path, todo)
        prices[name] = price
    return prices


def _check(price: Price, path: Path, todo: str) -> None:
    numbers = (price.usd_per_million_in, price.usd_per_million_out, price.watts, price.usd_per_kwh)
    wrong = "kind must be local or hosted" if price.kind not in ("local", "hosted") else ""
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) and 0 <= number < 1e9 for number in numbers):
        wrong = "prices are numbers from 0 on"
    if not isinstance(price.as_of, datetime.date):
        wrong = "as_of is a day such as 2026-05-31"
    if wrong:
        raise CourseError(f"The price list {path.name}, entry {price.name!r}: {wrong}.", todo)
