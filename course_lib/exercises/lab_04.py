"""The exercises and the quiz of lab 04, evaluate."""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping, Sequence

from ..evaluation.marks import citation_scores, swap_passages
from ..ledger import Entry, Ledger
from ..prices import Price
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

Facts = Sequence[Sequence[str]]


# --- 04.1 -----------------------------------------------------------------------------------------------------------


def _none_is_zero(cited: Sequence[str], gold: Facts) -> tuple[float | None, float]:
    precision, recall = citation_scores(cited, gold)
    return precision or 0.0, recall


def _none_is_one(cited: Sequence[str], gold: Facts) -> tuple[float | None, float]:
    precision, recall = citation_scores(cited, gold)
    return (1.0 if precision is None else precision), recall


def _recall_of_passages(cited: Sequence[str], gold: Facts) -> tuple[float | None, float]:
    precision, _ = citation_scores(cited, gold)
    holders = {passage for fact in gold for passage in fact}
    return precision, len(holders & set(cited)) / max(len(holders), 1)


def _every_holder(cited: Sequence[str], gold: Facts) -> tuple[float | None, float]:
    precision, _ = citation_scores(cited, gold)
    return precision, sum(bool(fact) and set(fact) <= set(cited) for fact in gold) / len(gold)


def _facts_per_citation(cited: Sequence[str], gold: Facts) -> tuple[float | None, float]:
    _, recall = citation_scores(cited, gold)
    return (recall * len(gold) / len(cited) if cited else None), recall


def _turned_round(cited: Sequence[str], gold: Facts) -> tuple[float, float | None]:
    precision, recall = citation_scores(cited, gold)
    return recall, precision


def _both_none(cited: Sequence[str], gold: Facts) -> tuple[float | None, float | None]:
    return citation_scores(cited, gold) if cited or not gold else (None, None)


def _any_hit(cited: Sequence[str], gold: Facts) -> tuple[float | None, float]:
    precision, recall = citation_scores(cited, gold)
    return (None if precision is None else float(precision > 0)), recall


def _no_gold_is_nothing(cited: Sequence[str], gold: Facts) -> tuple[float | None, float]:
    return citation_scores(cited, gold) if gold else (0.0 if cited else None, 0.0)


def _citations_by_loops(cited: list[str], gold: list[list[str]]) -> tuple[float | None, float]:
    if len(gold) == 0:
        raise ValueError("no gold")
    right = 0
    for passage in cited:
        for fact in gold:
            if passage in fact:
                right += 1
                break
    found = 0
    for fact in gold:
        found += 1 if set(fact) & set(cited) else 0
    return (None if not cited else right / len(cited)), found / len(gold)


def _citations_by_sets(cited: list[str], gold: list[list[str]]) -> list[float | None]:
    if not gold:
        raise ValueError
    marked = set(cited)
    holders = set().union(*gold)
    recall = 1 - sum(marked.isdisjoint(fact) for fact in gold) / len(gold)
    return [len(marked & holders) / len(marked) if marked else None, recall]


@exercise("04.1", title="Score the citations", points=2, minutes=8, difficulty=2, function="citation_scores")
class ScoreTheCitations:
    """Precision and recall of what an answer cites."""

    reference = staticmethod(citation_scores)
    public = [
        Case(["a", "x"], [["a", "b"], ["c"]], says="one of two citations holds a fact, one of two facts is cited"),
        Case([], [["a"]], says="nothing is cited"),
        Case(["b", "a"], [["a", "b"]], says="both cited passages hold the same fact"),
        Case(["a"], [["a"], ["a", "c"]], says="one passage holds both facts"),
        Case(["x", "y"], [["a"]], says="nothing that is cited helps"),
        Case(["c"], [["a", "b"], ["c"], []], says="a fact that no passage holds"),
        Case(["a"], [], says="there is no gold"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Facts with one or more holders, shared holders, citations that help and that do not, none at all, and no gold."""
        names = list("abcdefgh")
        cases = []
        for _ in range(8):
            gold = [rng.sample(names[:5], rng.randint(1, 3)) for _ in range(rng.randint(1, 3))]
            cases.append(Case(rng.sample(names, rng.randint(1, 4)), gold))
        cited = rng.sample(names[:5], 2)
        cases += [Case(list(cited), [list(cited)]), Case([cited[0]], [[cited[0]], [cited[0], "h"]])]
        return [*cases, Case([], [["a"], ["b"]]), Case([rng.choice(names)], []), Case([], [])]

    misconceptions = [
        Misconception(_none_is_zero, "An answer that cites nothing has no precision: return None, so that a mean leaves it out."),
        Misconception(_none_is_one, "An answer that cites nothing has no precision, not a perfect one: return None."),
        Misconception(
            _both_none, "Where nothing is cited recall is 0, not None: the facts were there to cite, and none of them was."
        ),
        Misconception(
            _recall_of_passages, "Recall counts facts, not passages: a second passage with the same fact need not be cited."
        ),
        Misconception(_every_holder, "One cited passage is enough for a fact: any of its passages, not all."),
        Misconception(
            _facts_per_citation, "Precision counts citations: how many of the cited passages hold a fact, whichever it is."
        ),
        Misconception(_any_hit, "Precision is a share of the citations, not whether any of them is right."),
        Misconception(_turned_round, "Precision comes first, then recall."),
        Misconception(_no_gold_is_nothing, "Without gold there is nothing to compare with: raise ValueError."),
    ]
    alternatives = [_citations_by_loops, _citations_by_sets]
    hints = [
        "Precision goes through the citations and asks of each: does it hold any fact? Recall goes through the facts: is any holder cited?",
        "{passage for fact in gold for passage in fact} is the set of all passages that hold a fact.",
        "Guard first: no gold raises ValueError; no citations make precision None. sum(… for …) / len(…) does the rest.",
    ]


# --- 04.2 -----------------------------------------------------------------------------------------------------------


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def paired_interval(
    better: Sequence[float], worse: Sequence[float], draws: Sequence[Sequence[int]]
) -> tuple[float, float, float]:
    """The mean difference of paired marks and its 95 % bootstrap interval over given draws of question numbers.

    >>> paired_interval([1, 1], [0, 1], [[0, 0], [1, 1]])
    (0.5, 0.025, 0.975)
    """
    if len(better) != len(worse) or not better:
        raise ValueError("both systems need a mark for each question")
    gains = [one - other for one, other in zip(better, worse, strict=True)]
    means = [sum(gains[at] for at in draw) / len(draw) for draw in draws]
    return sum(gains) / len(gains), _quantile(means, 0.025), _quantile(means, 0.975)


def _interval_of(means: Sequence[float], middle: float) -> tuple[float, float, float]:
    return middle, _quantile(means, 0.025), _quantile(means, 0.975)


def _gains(better: Sequence[float], worse: Sequence[float]) -> list[float]:
    if len(better) != len(worse) or not better:
        raise ValueError
    return [one - other for one, other in zip(better, worse, strict=True)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _drawn_apart(better: Sequence[float], worse: Sequence[float], draws: Sequence[Sequence[int]]) -> tuple[float, float, float]:
    middle = _mean(_gains(better, worse))
    others = [*draws[1:], draws[0]]
    means = [_mean([better[i] for i in one]) - _mean([worse[i] for i in other]) for one, other in zip(draws, others, strict=True)]
    return _interval_of(means, middle)


def _separate_ends(better: Sequence[float], worse: Sequence[float], draws: Sequence[Sequence[int]]) -> tuple[float, float, float]:
    middle = _mean(_gains(better, worse))
    ones, others = ([_mean([marks[i] for i in draw]) for draw in draws] for marks in (better, worse))
    return middle, _quantile(ones, 0.025) - _quantile(others, 0.025), _quantile(ones, 0.975) - _quantile(others, 0.975)


def _smallest_and_largest(better: Sequence[float], worse: Sequence[float], draws: Sequence[Sequence[int]]) -> tuple[float, ...]:
    gains = _gains(better, worse)
    means = [_mean([gains[i] for i in draw]) for draw in draws]
    return _mean(gains), min(means), max(means)


def _ninety_percent(
    better: Sequence[float], worse: Sequence[float], draws: Sequence[Sequence[int]]
) -> tuple[float, float, float]:
    gains = _gains(better, worse)
    means = [_mean([gains[i] for i in draw]) for draw in draws]
    return _mean(gains), _quantile(means, 0.05), _quantile(means, 0.95)


def _middle_of_draws(
    better: Sequence[float], worse: Sequence[float], draws: Sequence[Sequence[int]]
) -> tuple[float, float, float]:
    gains = _gains(better, worse)
    means = [_mean([gains[i] for i in draw]) for draw in draws]
    return _interval_of(means, _mean(means))


def _other_way(better: Sequence[float], worse: Sequence[float], draws: Sequence[Sequence[int]]) -> tuple[float, float, float]:
    return paired_interval(worse, better, draws)


def _without_repeats(
    better: Sequence[float], worse: Sequence[float], draws: Sequence[Sequence[int]]
) -> tuple[float, float, float]:
    gains = _gains(better, worse)
    return _interval_of([_mean([gains[i] for i in set(draw)]) for draw in draws], _mean(gains))


def _no_length_check(
    better: Sequence[float], worse: Sequence[float], draws: Sequence[Sequence[int]]
) -> tuple[float, float, float]:
    count = min(len(better), len(worse))
    if len(better) == len(worse):
        return paired_interval(better, worse, draws)
    gains = [one - other for one, other in zip(better, worse, strict=False)]
    means = [_mean([gains[i] for i in draw if i < count] or [0.0]) for draw in draws]
    return _interval_of(means, _mean(gains) if gains else 0.0)


def _interval_by_numpy(better: list[float], worse: list[float], draws: list[list[int]]) -> tuple[float, float, float]:
    import numpy as np

    if len(better) != len(worse) or len(better) == 0:
        raise ValueError("pairs")
    gains = np.array(better, dtype=float) - np.array(worse, dtype=float)
    low, high = np.quantile(gains[np.array(draws)].mean(axis=1), [0.025, 0.975])
    return float(gains.mean()), float(low), float(high)


def _interval_by_means(better: list[float], worse: list[float], draws: list[list[int]]) -> list[float]:
    import numpy as np

    if not better or len(better) != len(worse):
        raise ValueError
    ones, others = np.array(better, dtype=float), np.array(worse, dtype=float)
    means = []
    for draw in draws:
        means.append(ones[list(draw)].mean() - others[list(draw)].mean())
    return [ones.mean() - others.mean(), *np.percentile(means, [2.5, 97.5])]


def _draws(rng: random.Random, questions: int, count: int) -> list[list[int]]:
    return [[rng.randrange(questions) for _ in range(questions)] for _ in range(count)]


@exercise("04.2", title="How sure is a difference?", points=3, minutes=12, difficulty=3, function="paired_interval")
class HowSureIsADifference:
    """The paired bootstrap, with the draws given."""

    reference = staticmethod(paired_interval)
    public = [
        Case(
            [1, 1, 0, 1], [0, 1, 0, 0], [[0, 1, 2, 3], [0, 0, 3, 3], [1, 2, 2, 1], [3, 1, 0, 2], [0, 2, 2, 2]], says="five draws"
        ),
        Case([1, 0, 1], [1, 0, 1], [[0, 0, 1], [2, 2, 2], [0, 1, 1]], says="the same marks: whatever is drawn, no difference"),
        Case([0.5, 1.0], [1.0, 0.0], [[0, 0], [1, 1], [0, 1], [1, 1]], says="marks that are shares"),
        Case([1, 0, 1], [0, 1], [[0, 1, 1], [1, 1, 0]], says="a mark is missing"),
        Case([], [], [[]], says="no questions"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Marks of many systems, forty draws each, and marks that do not pair."""
        cases = []
        for _ in range(5):
            n = rng.randint(3, 9)
            better = [rng.choice([0, 1, 1]) for _ in range(n)]
            worse = [rng.choice([0, 0, 1, 0.5]) for _ in range(n)]
            cases.append(Case(better, worse, _draws(rng, n, 40)))
        return [
            *cases,
            Case([1, 0, 1, 1], [0, 1], _draws(rng, 2, 5)),
            Case([1, 0], [0, 1, 1], _draws(rng, 2, 5)),
            Case([], [], []),
        ]

    misconceptions = [
        Misconception(
            _drawn_apart,
            "You draw the questions of the two systems apart: take both marks of a drawn question, so that pairs stay pairs.",
        ),
        Misconception(
            _separate_ends,
            "The interval of a difference is not the difference of two intervals: subtract first, then take quantiles.",
        ),
        Misconception(
            _smallest_and_largest, "You return the smallest and the largest mean: the ends are the 2.5 % and the 97.5 % quantile."
        ),
        Misconception(_ninety_percent, "Those are the ends of a 90 % interval: 95 % leaves 2.5 % out at either end."),
        Misconception(
            _middle_of_draws,
            "The difference is the one you measured, over all questions once; the draws only tell how sure it is.",
        ),
        Misconception(_without_repeats, "A question that was drawn twice counts twice: do not make a set of a draw."),
        Misconception(_other_way, "The sign is turned round: how much higher does the first system score than the second?"),
        Misconception(_no_length_check, "Where a mark is missing nothing can be paired: raise ValueError."),
    ]
    alternatives = [_interval_by_numpy, _interval_by_means]
    hints = [
        "First make one list: for each question, its first mark minus its second. The rest is about that list alone.",
        "For each draw: the mean of the gains at its question numbers. That gives as many means as there are draws.",
        "low, high = np.quantile(means, [0.025, 0.975]), and the difference itself is the mean of all gains.",
    ]


# --- 04.3 -----------------------------------------------------------------------------------------------------------


def failure_shares(retrieved: Sequence[bool], gold: Sequence[bool]) -> tuple[float, float]:
    """Of the questions that failed with retrieved passages, the share that is retrieval's and the share that is the reader's.

    >>> failure_shares([True, False, False, False], [True, True, False, False])
    (0.3333333333333333, 0.6666666666666666)
    """
    return swap_passages(retrieved, gold).shares


def _of_all_questions(retrieved: Sequence[bool], gold: Sequence[bool]) -> tuple[float, float]:
    swap = swap_passages(retrieved, gold)
    return (swap.gold_only / len(gold), swap.neither / len(gold)) if gold else (0.0, 0.0)


def _net_gain(retrieved: Sequence[bool], gold: Sequence[bool]) -> tuple[float, float]:
    swap = swap_passages(retrieved, gold)
    share = (swap.gold_only - swap.retrieved_only) / swap.failures if swap.failures else 0.0
    return (share, 1 - share) if swap.failures else (0.0, 0.0)


def _lucky_ones_too(retrieved: Sequence[bool], gold: Sequence[bool]) -> tuple[float, float]:
    swap = swap_passages(retrieved, gold)
    return ((swap.gold_only + swap.retrieved_only) / swap.failures, swap.neither / swap.failures) if swap.failures else (0.0, 0.0)


def _every_gold_failure(retrieved: Sequence[bool], gold: Sequence[bool]) -> tuple[float, float]:
    swap = swap_passages(retrieved, gold)
    wrong = swap.neither + swap.retrieved_only
    return (swap.gold_only / swap.failures, wrong / swap.failures) if swap.failures else (0.0, 0.0)


def _reader_first(retrieved: Sequence[bool], gold: Sequence[bool]) -> tuple[float, float]:
    retrieval, reader = failure_shares(retrieved, gold)
    return reader, retrieval


def _counts(retrieved: Sequence[bool], gold: Sequence[bool]) -> tuple[float, float]:
    swap = swap_passages(retrieved, gold)
    return swap.gold_only, swap.neither


def _nothing_failed(retrieved: Sequence[bool], gold: Sequence[bool]) -> tuple[float, float]:
    swap = swap_passages(retrieved, gold)
    return swap.gold_only / swap.failures, swap.neither / swap.failures


def _cut_to_the_shorter(retrieved: Sequence[bool], gold: Sequence[bool]) -> tuple[float, float]:
    count = min(len(retrieved), len(gold))
    return failure_shares(retrieved[:count], gold[:count])


def _shares_by_lists(retrieved: list[bool], gold: list[bool]) -> tuple[float, float]:
    if len(retrieved) != len(gold):
        raise ValueError("pairs")
    mended = [bool(other) for one, other in zip(retrieved, gold, strict=True) if not one]
    if not mended:
        return 0.0, 0.0
    return sum(mended) / len(mended), mended.count(False) / len(mended)


def _shares_by_counter(retrieved: list[bool], gold: list[bool]) -> list[float]:
    from collections import Counter

    pairs = Counter(zip(retrieved, gold, strict=True))
    failures = pairs[False, True] + pairs[False, False]
    return [pairs[False, True] / failures, 1 - pairs[False, True] / failures] if failures else [0, 0]


def _marks(rng: random.Random, count: int) -> tuple[list[bool], list[bool]]:
    return [rng.random() < 0.5 for _ in range(count)], [rng.random() < 0.5 for _ in range(count)]


@exercise("04.3", title="Whose fault is it?", points=2, minutes=8, difficulty=2, function="failure_shares")
class WhoseFault:
    """Retrieval errors against reading errors, by swapping the passages."""

    reference = staticmethod(failure_shares)
    public = [
        Case([True, False, False, False, False], [True, True, False, False, False], says="four failures, gold mends one"),
        Case(
            [False, True, True, False, False],
            [True, False, False, False, True],
            says="two that only the retrieved ones got right",
        ),
        Case([True, True], [True, False], says="nothing failed"),
        Case([False, False, True], [True, True, True], says="gold mends every failure"),
        Case([False, True], [True], says="a mark is missing"),
        Case([], [], says="no questions"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Marks by chance, all four pairs among them; nothing failed; marks that do not pair."""
        cases = []
        for _ in range(6):
            one, other = _marks(rng, rng.randint(4, 14))
            pairs = [False, False, True, True, False], [False, True, False, True, False]
            cases.append(Case(one + pairs[0], other + pairs[1]))
        return [*cases, Case([True] * 3, [False, True, True]), Case([False, True, False], [True, True]), Case([], [])]

    misconceptions = [
        Misconception(_of_all_questions, "You divide by all questions: these are shares of the failures."),
        Misconception(
            _net_gain,
            "You subtract the lucky hits: a question that only the retrieved passages got right is no failure, so it counts nowhere.",
        ),
        Misconception(
            _lucky_ones_too,
            "You count every question where the two differ: one that the retrieved passages got right is no failure.",
        ),
        Misconception(
            _every_gold_failure,
            "The reader's failures are those wrong both times; a question that retrieval got right is no failure.",
        ),
        Misconception(_reader_first, "Retrieval's share comes first, then the reader's."),
        Misconception(_counts, "Return shares, from 0 to 1, not counts."),
        Misconception(_nothing_failed, "Where nothing failed there is nothing to divide by: return (0.0, 0.0)."),
        Misconception(
            _cut_to_the_shorter, "Where a mark is missing nothing can be compared: raise ValueError (zip with strict=True does)."
        ),
    ]
    alternatives = [_shares_by_lists, _shares_by_counter]
    hints = [
        "Look only at the questions that failed with the retrieved passages. Of those, ask the gold marks.",
        "[right for failed, right in … if not failed] is a list of the gold marks of the failures.",
    ]


# --- 04.4 -----------------------------------------------------------------------------------------------------------

TODAY = datetime.date(2026, 1, 1)


def cost_per_thousand(entries: Sequence[Mapping[str, float]], price: Mapping[str, object]) -> float:
    """What 1,000 questions like those of the entries cost in US dollars; see :meth:`course_lib.prices.Price.cost_of`.

    >>> hosted = {"kind": "hosted", "usd_per_million_in": 2.0, "usd_per_million_out": 10.0}
    >>> round(cost_per_thousand([{"tokens_in": 600, "tokens_out": 20, "ms": 900}], hosted), 6)
    1.4
    """
    rows = [Entry({"all": row["ms"]}, int(row["tokens_in"]), int(row["tokens_out"])) for row in entries]
    return Price("", as_of=TODAY, **price).cost_of(Ledger(rows))  # type: ignore[arg-type]


def _hosted(entries: Sequence[Mapping[str, float]], into: float, out: float) -> float:
    return sum(row["tokens_in"] * into + row["tokens_out"] * out for row in entries)


def _local(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    return sum(row["ms"] for row in entries) / 3.6e9 * price["watts"] * price["usd_per_kwh"]


def _guard(entries: Sequence[Mapping[str, float]]) -> None:
    if not entries:
        raise ValueError


def _one_price(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    _guard(entries)
    if price["kind"] == "local":
        return cost_per_thousand(entries, price)
    return _hosted(entries, price["usd_per_million_in"], price["usd_per_million_in"]) / 1e6 / len(entries) * 1000


def _prices_per_thousand(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    return cost_per_thousand(entries, price) * (1 if price["kind"] == "local" else 1000)


def _of_these_questions(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    return cost_per_thousand(entries, price) * len(entries) / 1000


def _not_a_mean(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    return cost_per_thousand(entries, price) * len(entries)


def _one_question(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    return cost_per_thousand(entries, price) / 1000


def _ms_are_seconds(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    return cost_per_thousand(entries, price) * (1000 if price["kind"] == "local" else 1)


def _kilowatt_seconds(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    return cost_per_thousand(entries, price) * (3600 if price["kind"] == "local" else 1)


def _local_is_free(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    _guard(entries)
    return 0.0 if price["kind"] == "local" else cost_per_thousand(entries, price)


def _no_entries_cost_nothing(entries: Sequence[Mapping[str, float]], price: Mapping[str, float]) -> float:
    return cost_per_thousand(entries, price) if entries else 0.0


def _cost_by_means(entries: list[dict], price: dict) -> float:
    if len(entries) == 0:
        raise ValueError("no entries")
    mean = {name: sum(row[name] for row in entries) / len(entries) for name in ("tokens_in", "tokens_out", "ms")}
    if price["kind"] == "hosted":
        each = mean["tokens_in"] * price["usd_per_million_in"] + mean["tokens_out"] * price["usd_per_million_out"]
        return each / 1000
    hours = mean["ms"] / 1000 / 3600
    return 1000 * hours * price["watts"] / 1000 * price["usd_per_kwh"]


def _cost_by_entry(entries: list[dict], price: dict) -> float:
    if not entries:
        raise ValueError

    def one(row: dict) -> float:
        if price["kind"] == "local":
            return float(row["ms"] / 3_600_000 * price["watts"] / 1000 * price["usd_per_kwh"])
        return float(
            (row["tokens_in"] * price["usd_per_million_in"] + row["tokens_out"] * price["usd_per_million_out"]) / 1_000_000
        )

    return 1000 * sum(map(one, entries)) / len(entries)


def _hosted_price(into: float, out: float) -> dict[str, object]:
    return {"kind": "hosted", "usd_per_million_in": into, "usd_per_million_out": out}


def _local_price(watts: float, kwh: float) -> dict[str, object]:
    return {"kind": "local", "watts": watts, "usd_per_kwh": kwh}


def _entries(rng: random.Random, count: int) -> list[dict[str, int]]:
    return [
        {"tokens_in": rng.randint(40, 900), "tokens_out": rng.randint(3, 48), "ms": rng.randint(300, 9000)} for _ in range(count)
    ]


@exercise("04.4", title="What do a thousand questions cost?", points=2, minutes=8, difficulty=2, function="cost_per_thousand")
class CostOfAThousand:
    """From a ledger and a price to dollars."""

    reference = staticmethod(cost_per_thousand)
    public = [
        Case(
            [{"tokens_in": 600, "tokens_out": 20, "ms": 900}, {"tokens_in": 400, "tokens_out": 40, "ms": 1500}],
            _hosted_price(2.0, 10.0),
            says="two questions, a hosted model",
        ),
        Case([{"tokens_in": 1000, "tokens_out": 0, "ms": 10}], _hosted_price(3.0, 15.0), says="a prompt and no answer"),
        Case(
            [{"tokens_in": 600, "tokens_out": 20, "ms": 1800}, {"tokens_in": 600, "tokens_out": 20, "ms": 5400}],
            _local_price(50, 0.30),
            says="two questions, your own machine",
        ),
        Case([], _hosted_price(2.0, 10.0), says="no entries, hosted"),
        Case([], _local_price(50, 0.30), says="no entries, local"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Ledgers of two to six entries under hosted and local prices, and an empty one."""
        cases = []
        for _ in range(3):
            into = rng.choice([0.15, 1.0, 2.5, 3.0])
            cases.append(Case(_entries(rng, rng.randint(2, 6)), _hosted_price(into, into * rng.randint(3, 5))))
            cases.append(
                Case(_entries(rng, rng.randint(2, 6)), _local_price(rng.randint(15, 250), rng.choice([0.12, 0.3, 0.42])))
            )
        return [*cases, Case([], _hosted_price(1.0, 4.0))]

    misconceptions = [
        Misconception(_one_price, "The tokens of the answer have a price of their own: usd_per_million_out."),
        Misconception(_prices_per_thousand, "Hosted prices are per million tokens: you divide by a thousand."),
        Misconception(_of_these_questions, "That is the cost of these entries: divide by their number and multiply by 1,000."),
        Misconception(_not_a_mean, "Divide by the number of entries: 1,000 questions like these, not 1,000 times all of them."),
        Misconception(_one_question, "That is the cost of one question: multiply by 1,000."),
        Misconception(
            _ms_are_seconds,
            "A factor of 1,000 is missing where it is local: ms are thousandths of a second, watts thousandths of a kilowatt.",
        ),
        Misconception(_kilowatt_seconds, "A kilowatt-hour is 3,600 kilowatt-seconds: turn the time into hours."),
        Misconception(_local_is_free, "A local model costs electricity: hours × kilowatts × usd_per_kwh."),
        Misconception(
            _no_entries_cost_nothing,
            "Nothing can be said of 1,000 questions like none: raise ValueError where there are no entries.",
        ),
    ]
    alternatives = [_cost_by_means, _cost_by_entry]
    hints = [
        "Work out one question first: hosted, (tokens in × price in + tokens out × price out) / 1,000,000.",
        "Local: ms / 3,600,000 are hours, watts / 1,000 are kilowatts; hours × kilowatts × usd_per_kwh are dollars.",
        "Add up all entries, divide by their number, multiply by 1,000.",
    ]


add_quiz(
    "04",
    [
        QuizQuestion(
            "Of the 48 failures that the gold passages mended, 40 had every fact in the prompt already. What would you try in the search?",
            [
                Option(
                    "Show more passages, so that no fact is missing.",
                    False,
                    "Eight of these lacked a fact. More passages would also bring more of what led the other forty astray.",
                ),
                Option(
                    "Show fewer passages, with the right one among them.",
                    True,
                    "What hurt was what stood beside the right passage, or the longer prompt. A reranker aims at that in lab 09; then measure again.",
                ),
                Option(
                    "Nothing: the reader is to blame.",
                    False,
                    "For most failures it is. But these 48 it answers rightly with other passages in front of it.",
                ),
            ],
        ),
        QuizQuestion(
            "Two systems scored 20 % (15 % to 25 %) and 26 % (21 % to 32 %) on the same questions. The intervals overlap. Is there a difference?",
            [
                Option(
                    "No: overlapping intervals mean no difference.",
                    False,
                    "They answered the same questions. What is hard for both widens each interval and not their difference.",
                ),
                Option(
                    "You cannot tell from these two intervals: compare question by question.",
                    True,
                    "The paired difference has an interval of its own, often narrower. Look whether that one holds zero.",
                ),
                Option(
                    "Yes: 26 is more than 20.",
                    False,
                    "Drawn anew, the same exam could have said otherwise. Only the interval of the difference tells.",
                ),
            ],
        ),
        QuizQuestion(
            "An answer cites nothing. What is its citation precision?",
            [
                Option(
                    "0",
                    False,
                    "Then a system that cites rarely but rightly would look bad, and precision would measure recall once more.",
                ),
                Option("1: it has cited nothing wrong.", False, "Then silence would be the best citation."),
                Option(
                    "It has none; the mean leaves it out, and recall counts it as 0.",
                    True,
                    "That is why the two are always reported together, with the share of answers that cite at all.",
                ),
            ],
        ),
        QuizQuestion(
            "Why is the question's prompt the larger part of the bill of a hosted model here?",
            [
                Option("Tokens of a prompt are dearer.", False, "They are cheaper, usually by a factor of four or five."),
                Option(
                    "There are many more of them: three passages against a short answer.",
                    True,
                    "So fewer or shorter passages save money, if the answers stay as good. Now you can measure that.",
                ),
                Option("The search is paid by the token.", False, "The search runs on your machine and took a few milliseconds."),
            ],
        ),
    ],
)
