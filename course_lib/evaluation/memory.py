"""What a model has by heart: guessing, staleness, forgetting.

The functions take plain marks, answers and days, so that they serve whatever model was asked.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

EDITIONS = ("old", "new", "both", "neither")
"""What an answer may say of a fact that changed, in the order of :func:`by_edition`."""


def guess_bar(kinds: Sequence[str], answers: Sequence[str]) -> float:
    """The share of questions, 0 to 1, that are right if each kind's most frequent answer is given to all questions of that kind.

    It is the score of a guesser who has learned the answers of each kind but not which product has which. ``answers`` are the right
    ones, compared as they are. Without questions it is 0.

    >>> guess_bar(["price", "price", "price", "date"], ["£4", "£9", "£4", "2 May"])
    0.75

    Raises ``ValueError`` where a question has no kind or no answer.
    """
    if len(kinds) != len(answers):
        raise ValueError("each question needs a kind and an answer")
    by_kind: dict[str, Counter[str]] = {}
    for kind, answer in zip(kinds, answers, strict=True):
        by_kind.setdefault(kind, Counter())[answer] += 1
    return sum(max(counts.values()) for counts in by_kind.values()) / len(kinds) if kinds else 0.0


def says_one_of(answer: str, spellings: Sequence[str]) -> bool:
    """Whether one of the spellings stands in an answer, with no letter or digit next to it. Case does not count, nor how much white space.

    >>> says_one_of("After 60\\nDays.", ["60 days"]), says_one_of("After 160 days.", ["60 days"])
    (True, False)
    """
    text = " ".join(answer.casefold().split())
    wanted = [" ".join(spelling.casefold().split()) for spelling in spellings]
    return any(re.search(rf"(?<![^\W_]){re.escape(words)}(?![^\W_])", text) for words in wanted if words)


def by_edition(answers: Sequence[str], old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]) -> dict[str, int]:
    """How many answers say what held before a change, what holds now, both, or neither of them.

    ``old`` and ``new`` hold the accepted spellings of each question's two answers; see :func:`says_one_of` for what counts.

    >>> by_edition(["80 brews", "Every 60 brews.", "80, no, 60 brews"], [["80"]] * 3, [["60 brews"]] * 3)
    {'old': 1, 'new': 1, 'both': 1, 'neither': 0}

    Raises ``ValueError`` where the lists differ in length.
    """
    counts = dict.fromkeys(EDITIONS, 0)
    for answer, before, now in zip(answers, old, new, strict=True):
        is_old, is_new = says_one_of(answer, before), says_one_of(answer, now)
        counts["both" if is_old and is_new else "old" if is_old else "new" if is_new else "neither"] += 1
    return counts


def forgotten(before: Sequence[bool], after: Sequence[bool]) -> tuple[int, int, float]:
    """What a training run cost: questions lost, questions gained, and the share of what was right before that was lost, 0 to 1.

    ``before`` and ``after`` say whether the same questions, in the same order, were right. The share is 0 where nothing was.

    >>> forgotten([True, True, False, False], [True, False, True, False])
    (1, 1, 0.5)

    Raises ``ValueError`` where the lists differ in length.
    """
    if len(before) != len(after):
        raise ValueError("each question needs a mark before and a mark after")
    pairs = Counter((bool(one), bool(other)) for one, other in zip(before, after, strict=True))
    lost, known = pairs[True, False], pairs[True, False] + pairs[True, True]
    return lost, pairs[False, True], lost / known if known else 0.0


def stale_days(changes: Sequence[float], retrained: Sequence[float], until: float) -> float:
    """The mean number of days for which a change is not in a model that learns it at the next retraining.

    ``changes`` and ``retrained`` are days on one scale, in any order. A retraining is done at once and knows every change of its own
    day or earlier. A change that none has caught by ``until`` counts up to there; changes after ``until`` do not count. Without
    changes it is 0.

    >>> stale_days([2, 5, 9], retrained=[5, 30], until=10)
    1.3333333333333333
    """
    runs = sorted(day for day in retrained if day <= until)
    waits = []
    for day in changes:
        if day <= until:
            following = bisect_left(runs, day)
            waits.append((runs[following] if following < len(runs) else until) - day)
    return sum(waits) / len(waits) if waits else 0.0
