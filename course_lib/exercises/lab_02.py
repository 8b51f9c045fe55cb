"""The exercises and the quiz of lab 02, retrieve."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation.retrieval import ndcg_at_k
from ..retrieval.fusion import fusion_scores, reciprocal_rank_fusion
from ..retrieval.lexical import bm25_scores, filtered_top_k
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

# --- 02.1 -----------------------------------------------------------------------------------------------------------

Terms = Sequence[str]


def _bm25(
    idf: Callable[[int, int], float] = lambda n, df: math.log(1 + (n - df + 0.5) / (df + 0.5)),
    length: Callable[[Terms], int] = len,
    occurrences: bool = False,
    numerator: bool = False,
    once: bool = False,
    swapped: bool = False,
    short_favoured: bool = True,
) -> Callable[..., list[float]]:
    """BM25 with a part of it exchanged."""

    def scores(question: Terms, passages: Sequence[Terms], k1: float = 0.9, b: float = 0.4) -> list[float]:
        mean = sum(map(length, passages)) / len(passages)
        if swapped:
            k1, b = b, k1
        result = []
        for passage in passages:
            total = 0.0
            for term in dict.fromkeys(question) if once else question:
                tf = passage.count(term)
                df = sum(p.count(term) if occurrences else term in p for p in passages)
                ratio = length(passage) / mean if short_favoured else mean / max(length(passage), 1)
                weight = tf * (k1 + 1 if numerator else 1) / (tf + k1 * (1 - b + b * ratio)) if tf else 0.0
                total += idf(len(passages), df) * weight if df else 0.0
            result.append(total)
        return result

    return scores


def _no_saturation(question: Terms, passages: Sequence[Terms], k1: float = 0.9, b: float = 0.4) -> list[float]:
    found = []
    for passage in passages:
        total = 0.0
        for term in question:
            df = sum(term in p for p in passages)
            total += passage.count(term) * math.log(1 + (len(passages) - df + 0.5) / (df + 0.5))
        found.append(total)
    return found


def _no_length(question: Terms, passages: Sequence[Terms], k1: float = 0.9, b: float = 0.4) -> list[float]:
    return bm25_scores(question, passages, k1, 0.0)


def _bm25_by_arrays(question: Terms, passages: Sequence[Terms], k1: float = 0.9, b: float = 0.4) -> np.ndarray:
    counts = np.array([[passage.count(term) for term in question] for passage in passages], dtype=float)
    lengths = np.array([len(passage) for passage in passages], dtype=float)
    if not len(question):
        return np.zeros(len(passages))
    df = (counts > 0).sum(axis=0)
    idf = np.log1p((len(passages) - df + 0.5) / (df + 0.5))
    penalty = k1 * (1 - b + b * lengths / lengths.mean())
    return (idf * counts / np.maximum(counts + penalty[:, None], 1e-12)).sum(axis=1)


def _bm25_by_term(question: Terms, passages: Sequence[Terms], k1: float = 0.9, b: float = 0.4) -> list[float]:
    n, words = len(passages), sum(len(passage) for passage in passages)
    scores = [0.0] * n
    for term, times in Counter(question).items():
        rows = [row for row, passage in enumerate(passages) if term in passage]
        for row in rows:
            tf, relative = passages[row].count(term), len(passages[row]) * n / words
            idf = math.log((n + 1) / (len(rows) + 0.5))
            scores[row] += times * idf * tf / (tf + k1 * ((1 - b) + b * relative))
    return scores


@exercise("02.1", title="Score passages with BM25", points=3, minutes=10, difficulty=3, function="bm25_scores")
class ScoreWithBM25:
    """BM25 from counts."""

    reference = staticmethod(bm25_scores)
    public = [
        Case(["a"], [["a", "b"], ["b", "c"], ["c", "d"]], 0.9, 0.4, says="one term, held by one of three passages of one length"),
        Case(["a", "b"], [["a", "b", "b", "b"], ["b", "c"], ["b", "b", "d"]], 1.2, 0.0, says="b = 0: length does not count"),
        Case(["a"], [["a", "b"], ["a", "b", "c", "d", "c", "c"], ["d"]], 0.9, 0.75, says="a short and a long passage"),
        Case(["a", "a", "c"], [["a", "c"], ["a", "a"], ["b", "b"]], 0.9, 0.4, says="a term stands twice in the question"),
        Case(["x"], [["a"], ["b", "c"]], 0.9, 0.4, says="no passage holds the term"),
        Case(["a"], [["a", "a", "a"], [], ["b"]], 1.5, 0.5, says="a passage without terms"),
    ]  # fmt: skip

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Passages of many lengths with repeated terms; questions with repeated, frequent, rare and unknown terms."""
        cases = []
        for _ in range(6):
            passages = [rng.choices("aaabbcde", k=rng.randint(0, 9)) for _ in range(rng.randint(2, 6))]
            question = rng.choices("abcdex", k=rng.randint(1, 5))
            cases.append(
                Case(question, [["a", "b", "b"], *passages], rng.choice([0.5, 0.9, 1.2, 2.0]), rng.choice([0.3, 0.4, 0.75]))
            )
        term, other = rng.sample("abcd", 2)
        fixed = [[term, term, other], [other] * 4, [other, term, "z"], ["z"]]
        usual = [
            Case([term, other], fixed),
            Case([term, other, "z"], [[term, term, "z"], *fixed]),
        ]  # k1 and b as the header has them
        return [
            *cases,
            *usual,
            Case([term, term, other], fixed, 1.2, 0.75),
            Case([], fixed, 0.9, 0.4),
            Case(["x"], fixed, 0.9, 0.4),
        ]

    misconceptions = [
        Misconception(_bm25(idf=lambda n, df: 1.0), "Every term has the same weight here: multiply by idf, so that rare ones count more."),
        Misconception(
            _bm25(idf=lambda n, df: math.log(n / df)),
            "Your idf is ln(n / df), that of plain TF-IDF; BM25's here is ln(1 + (n - df + 0.5) / (df + 0.5)).",
        ),
        Misconception(
            _bm25(idf=lambda n, df: math.log((n - df + 0.5) / (df + 0.5))),
            "The 1 + inside the logarithm is missing: without it a frequent term has a negative weight.",
        ),
        Misconception(
            _bm25(idf=lambda n, df: math.log2(1 + (n - df + 0.5) / (df + 0.5))),
            "Use the natural logarithm (math.log), not that to base 2.",
        ),
        Misconception(
            _bm25(occurrences=True),
            "df is the number of passages that hold the term, however often; you count every occurrence.",
        ),
        Misconception(_no_saturation, "Your score grows with every repetition: divide tf by tf + k1 · (…), and it levels off."),
        Misconception(_no_length, "The length of the passage does not count in your score: use b and length / mean_length."),
        Misconception(_bm25(length=lambda passage: len(set(passage))), "length counts all terms of a passage, repeated ones too."),
        Misconception(_bm25(once=True), "A term that stands twice in the question counts twice."),
        Misconception(
            _bm25(numerator=True),
            "You multiply by k1 + 1, as some textbooks do. The order stays the same, but the scores asked for are without it.",
        ),
        Misconception(_bm25(swapped=True), "k1 and b have changed places."),
        Misconception(_bm25(short_favoured=False), "length / mean_length is upside down: it is the long passage that is held back."),
    ]  # fmt: skip
    alternatives = [_bm25_by_arrays, _bm25_by_term]
    hints = [
        "First count once for all: n = len(passages), the mean length, and for each term of the question in how many passages it stands.",
        "For one passage: add up, over the terms of the question, idf(term) * tf / (tf + k1 * (1 - b + b * length / mean_length)).",
        "tf is passage.count(term). Where it is 0 the term adds 0; skip it, and an empty passage gives no trouble.",
    ]


# --- 02.2 -----------------------------------------------------------------------------------------------------------

Grades = Mapping[str, float]


def _dcg(grades: Sequence[float], discount: Callable[[int], float] = lambda place: math.log2(1 + place)) -> float:
    return sum(grade / discount(place) for place, grade in enumerate(grades, start=1))


def _ndcg(
    gain: Callable[[float], float] = lambda grade: grade,
    discount: Callable[[int], float] = lambda place: math.log2(1 + place),
    cut: bool = True,
    cut_ideal: bool = True,
    ideal_of: str = "judged",
    divide: bool = True,
) -> Callable[..., float]:
    """NDCG with a part of it exchanged."""

    def measure(ranking: Sequence[str], grades: Grades, k: int) -> float:
        found = [gain(grades.get(name, 0)) for name in (ranking[:k] if cut else ranking)]
        pool = [gain(grade) for grade in grades.values()] if ideal_of == "judged" else found
        ordered = sorted(pool, reverse=True)
        ideal = _dcg(ordered[:k] if cut_ideal else ordered, discount)
        if ideal_of == "as given":
            ideal = _dcg([gain(grade) for grade in grades.values()][:k], discount)
        return (_dcg(found, discount) / ideal if ideal else 0.0) if divide else _dcg(found, discount)

    return measure


def _no_guard(ranking: Sequence[str], grades: Grades, k: int) -> float:
    return _dcg([grades.get(name, 0) for name in ranking[:k]]) / _dcg(sorted(grades.values(), reverse=True)[:k])


def _judged_only(ranking: Sequence[str], grades: Grades, k: int) -> float:
    return ndcg_at_k([name for name in ranking if name in grades], grades, k)


def _must_be_judged(ranking: Sequence[str], grades: Grades, k: int) -> float:
    ideal = _dcg(sorted(grades.values(), reverse=True)[:k])
    return _dcg([grades[name] for name in ranking[:k]]) / ideal if ideal else 0.0


def _ndcg_by_arrays(ranking: Sequence[str], grades: Grades, k: int) -> float:
    discounts = 1 / np.log(np.arange(2, k + 2))  # the base of the logarithm cancels out
    found = np.array([grades.get(name, 0) for name in ranking[:k]], dtype=float)
    best = np.sort(np.array(list(grades.values()), dtype=float))[::-1][:k]
    ideal = float(best @ discounts[: len(best)])
    return float(found @ discounts[: len(found)]) / ideal if ideal > 0 else 0.0


def _ndcg_by_loop(ranking: Sequence[str], grades: Grades, k: int) -> float:
    reached = ideal = 0.0
    best = sorted(grades.values())
    for place in range(k):
        if place < len(ranking) and ranking[place] in grades:
            reached += grades[ranking[place]] / math.log2(place + 2)
        if best:
            ideal += best.pop() / math.log2(place + 2)
    return 0.0 if ideal == 0 else reached / ideal


@exercise("02.2", title="Reward what stands high", points=2, minutes=7, difficulty=2, function="ndcg_at_k")
class RewardWhatStandsHigh:
    """Normalised discounted cumulative gain."""

    reference = staticmethod(ndcg_at_k)
    public = [
        Case(["a", "b", "c"], {"a": 1}, 3, says="the one relevant passage stands first"),
        Case(["x", "b", "a"], {"a": 1, "b": 3, "c": 2}, 3, says="grades, one of them not found, and an id that nobody judged"),
        Case(["x", "a", "b"], {"b": 2, "a": 1, "c": 1, "d": 3}, 2, says="more relevant passages than places"),
        Case(["x", "y"], {"a": 1}, 2, says="nothing found"),
        Case(["a", "b"], {"a": 0, "b": 0}, 2, says="nothing is relevant"),
        Case(["b"], {"b": 1, "a": 2}, 5, says="a ranking shorter than k"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random rankings and grades; rankings shorter and longer than k; nothing found; nothing relevant."""
        cases = []
        for _ in range(8):
            ranking = rng.sample("abcdefghij", rng.randint(0, 10))
            grades = {name: rng.choice([0, 1, 2, 3]) for name in rng.sample("abcdefghijxyz", rng.randint(1, 8))}
            cases.append(Case(ranking, grades, rng.randint(1, 7)))
        first, second, third = rng.sample("abcdef", 3)
        fixed = {third: 1, first: 3, second: 2}
        return [
            *cases,
            Case(["x", second, third, first], fixed, 3),
            Case([first, "q"], {first: 0}, 2),
            Case([second, first], fixed, 1),
        ]

    misconceptions = [
        Misconception(_ndcg(divide=False), "This is DCG, not yet normalised: divide by the DCG of the best possible ranking."),
        Misconception(
            _ndcg(ideal_of="found"),
            "Your best ranking knows only what was found: it must hold everything judged, or a search is not blamed for what it missed.",
        ),
        Misconception(_ndcg(ideal_of="as given"), "Sort the grades for the best ranking, highest first."),
        Misconception(_ndcg(cut_ideal=False), "The best ranking has only k places too: cut its grades after k."),
        Misconception(_ndcg(cut=False), "Only the first k passages count."),
        Misconception(_ndcg(gain=lambda grade: float(grade > 0)), "A grade of 3 gains three times as much as a grade of 1: use the grade."),
        Misconception(_ndcg(gain=lambda grade: 2.0**grade - 1), "You use 2^grade - 1, another definition of the gain; here it is the grade itself."),
        Misconception(_ndcg(discount=float), "You divide by the rank; divide by log2(1 + rank)."),
        Misconception(_ndcg(discount=lambda place: math.log2(2 + place)), "Your discount is one place off: at rank 1 it is log2(2) = 1."),
        Misconception(_judged_only, "An id that nobody judged takes a place all the same: it gains nothing and pushes the rest down."),
        Misconception(_must_be_judged, "Some ids were never judged: grades.get(name, 0) gives them 0."),
        Misconception(_no_guard, "Where every grade is 0 the best ranking gains 0: return 0.0 before you divide."),
    ]  # fmt: skip
    alternatives = [_ndcg_by_arrays, _ndcg_by_loop]
    hints = [
        "Write a small function for the DCG of a list of grades, and use it twice: for what was found, and for the best possible order.",
        "enumerate(names, start=1) gives the ranks; grades.get(name, 0) gives the grade, 0 for what nobody judged.",
        "The best order is sorted(grades.values(), reverse=True)[:k]. If its DCG is 0, return 0.0.",
    ]


# --- 02.3 -----------------------------------------------------------------------------------------------------------

Rankings = Sequence[Sequence[str]]


def _by_votes(votes: Mapping[str, float]) -> list[str]:
    return sorted(votes, key=lambda name: (-votes[name], name))


def _ranks_from_zero(rankings: Rankings, k: int = 60) -> list[str]:
    votes: dict[str, float] = {}
    for ranking in rankings:
        for place, name in enumerate(ranking):
            votes[name] = votes.get(name, 0.0) + 1 / (k + place)
    return _by_votes(votes)


def _shared_only(rankings: Rankings, k: int = 60) -> list[str]:
    shared = set.intersection(*map(set, rankings)) if rankings else set()
    return [name for name in reciprocal_rank_fusion([list(ranking) for ranking in rankings], k) if name in shared]


def _unstable_ties(rankings: Rankings, k: int = 60) -> list[str]:
    votes = fusion_scores(rankings, k)
    return sorted(votes, key=lambda name: -round(votes[name], 12))


def _ties_backwards(rankings: Rankings, k: int = 60) -> list[str]:
    votes = fusion_scores(rankings, k)
    return sorted(votes, key=lambda name: (round(votes[name], 12), name), reverse=True)


def _worst_first(rankings: Rankings, k: int = 60) -> list[str]:
    votes = fusion_scores(rankings, k)
    return sorted(votes, key=lambda name: (votes[name], name))


def _best_rank_only(rankings: Rankings, k: int = 60) -> list[str]:
    votes: dict[str, float] = {}
    for ranking in rankings:
        for place, name in enumerate(ranking, start=1):
            votes[name] = max(votes.get(name, 0.0), 1 / (k + place))
    return _by_votes(votes)


def _last_rank_only(rankings: Rankings, k: int = 60) -> list[str]:
    votes: dict[str, float] = {}
    for ranking in rankings:
        for place, name in enumerate(ranking, start=1):
            votes[name] = 1 / (k + place)
    return _by_votes(votes)


def _adds_ranks(rankings: Rankings, k: int = 60) -> list[str]:
    ranks: dict[str, int] = {}
    for ranking in rankings:
        for place, name in enumerate(ranking, start=1):
            ranks[name] = ranks.get(name, 0) + place
    return sorted(ranks, key=lambda name: (ranks[name], name))


def _always_sixty(rankings: Rankings, k: int = 60) -> list[str]:
    return _by_votes(fusion_scores(rankings, 60))


def _no_constant(rankings: Rankings, k: int = 60) -> list[str]:
    return _by_votes(fusion_scores(rankings, 0))


def _with_scores(rankings: Rankings, k: int = 60) -> list[tuple[str, float]]:
    votes = fusion_scores(rankings, k)
    return [(name, votes[name]) for name in _by_votes(votes)]


def _fusion_by_index(rankings: Rankings, k: int = 60) -> list[str]:
    names = sorted({name for ranking in rankings for name in ranking})
    votes = {name: sum(1 / (k + 1 + ranking.index(name)) for ranking in rankings if name in ranking) for name in names}
    return sorted(names, key=votes.__getitem__, reverse=True)  # a stable sort: on a tie the alphabet stands


def _fusion_by_counter(rankings: Rankings, k: int = 60) -> list[str]:
    votes: Counter[str] = Counter()
    for ranking in rankings:
        votes.update({name: 1.0 / (k + place) for place, name in enumerate(ranking, 1)})  # type: ignore[arg-type]
    return [name for _, name in sorted((-vote, name) for name, vote in votes.items())]


@exercise("02.3", title="Fuse rankings", points=2, minutes=8, difficulty=2, function="reciprocal_rank_fusion")
class FuseRankings:
    """Reciprocal rank fusion."""

    reference = staticmethod(reciprocal_rank_fusion)
    public = [
        Case([["a", "b"], ["b", "c"]], says="b has two votes"),
        Case([["b", "c"], ["a", "d"]], says="two ties: b and a, c and d"),
        Case([["a", "c", "b"], ["x", "b", "y", "z"], ["q"]], 1, says="k = 1: the best two ranks against one"),
        Case([["a", "b", "c", "d"], ["e", "f", "g", "b"]], 1, says="k = 1: first once, or second and fourth"),
        Case([["b", "d", "c", "a"], ["a", "d", "c"]], 2, says="k = 2: every rank counts for more"),
        Case([["p", "q"]], 60, says="one ranking stays as it is"),
        Case([[], ["a"]], 60, says="one search found nothing"),
        Case([], 60, says="no rankings"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random rankings that overlap; only cases in which rounding decides no tie."""
        cases: list[Case] = []
        while len(cases) < 8:
            rankings = [rng.sample("abcdefgh", rng.randint(1, 6)) for _ in range(rng.choice([2, 2, 3]))]
            k = rng.choice([0, 1, 2, 5, 60])
            orders = {tuple(_fusion_by_index(one, k)) for one in (rankings, rankings[::-1], rankings[1:] + rankings[:1])}
            if orders == {tuple(reciprocal_rank_fusion(rankings, k))}:
                cases.append(Case(rankings, k))
        a, b, c, d, e, f, g = rng.sample("abcdefg", 7)
        return [
            *cases,
            Case([[a, b, c, d], [e, f, g, b]], 1),
            Case([[a, b, c, d], [d, b, c]], 2),
            Case([sorted([a, b], reverse=True), sorted([c, d], reverse=True)], 60),
            Case([[max(a, b)], [min(a, b)]], 60),
            Case([[a, b, c], [d, c, b]], 60),
            Case([[], []], 60),
        ]

    misconceptions = [
        Misconception(_ranks_from_zero, "Your first passage received 1/k: ranks start at 1, so that it receives 1/(k + 1)."),
        Misconception(_shared_only, "A passage that only one search found still has a vote."),
        Misconception(_always_sixty, "You use 60 whatever k is."),
        Misconception(_no_constant, "You add up 1/rank: k is missing below the fraction line."),
        Misconception(_unstable_ties, "On a tie the order must not depend on which ranking came first: sort ties by id."),
        Misconception(_ties_backwards, "On a tie the id that comes first in the alphabet goes first; reverse=True turns that round too."),
        Misconception(_worst_first, "Best first: the passage with the most votes leads."),
        Misconception(_best_rank_only, "You keep only the best vote of a passage: add its votes up."),
        Misconception(_last_rank_only, "The vote of the last ranking overwrites the ones before: add them up."),
        Misconception(_adds_ranks, "You add up ranks, so that being found twice counts against a passage. Add up 1/(k + rank)."),
        Misconception(_with_scores, "Return the ids alone, without their votes."),
    ]  # fmt: skip
    alternatives = [_fusion_by_index, _fusion_by_counter]
    hints = [
        "Collect votes in a dictionary: votes[name] = votes.get(name, 0.0) + what this rank is worth.",
        "enumerate(ranking, start=1) gives rank 1 to the first passage.",
        "sorted(votes, key=lambda name: (-votes[name], name)) puts the most votes first and settles ties by id.",
    ]


# --- 02.4 -----------------------------------------------------------------------------------------------------------


def _filters_afterwards(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    return [row for row in filtered_top_k(scores, [True] * len(scores), k) if allowed[row]]


def _renumbered(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    kept = [score for score, ok in zip(scores, allowed, strict=True) if ok]
    return filtered_top_k(kept, [True] * len(kept), k)


def _zeroed(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    masked = [score if ok else 0.0 for score, ok in zip(scores, allowed, strict=True)]
    return [row for row in filtered_top_k(masked, [True] * len(masked), k) if allowed[row]]


def _fills_up(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    masked = [score if ok else -math.inf for score, ok in zip(scores, allowed, strict=True)]
    return filtered_top_k(masked, [True] * len(masked), k)


def _lowest_first(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    rows = [row for row, ok in enumerate(allowed) if ok]
    return sorted(rows, key=lambda row: (scores[row], row))[:k]


def _later_row_first(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    rows = [row for row, ok in enumerate(allowed) if ok]
    return sorted(rows, key=lambda row: (scores[row], row), reverse=True)[:k]


def _positive_only(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    return filtered_top_k(scores, [ok and score > 0 for score, ok in zip(scores, allowed, strict=True)], k)


def _the_forbidden(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    return filtered_top_k(scores, [not ok for ok in allowed], k)


def _in_order_of_rows(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    return sorted(filtered_top_k(scores, allowed, k))


def _top_by_sorting(scores: Sequence[float], allowed: Sequence[bool], k: int) -> list[int]:
    pairs = sorted((-score, row) for row, (score, ok) in enumerate(zip(scores, allowed, strict=True)) if ok)
    return [row for _, row in pairs[:k]]


def _top_by_arrays(scores: Any, allowed: Any, k: int) -> np.ndarray:
    values, mask = np.array(scores, dtype=float), np.array(allowed, dtype=bool)
    order = np.argsort(-values, kind="stable")
    return order[mask[order]][:k]


@exercise("02.4", title="Filter inside the search", points=1, minutes=5, difficulty=1, function="filtered_top_k")
class FilterInside:
    """The best of what is allowed."""

    reference = staticmethod(filtered_top_k)
    public = [
        Case([0.9, 0.8, 0.7, 0.6], [False, False, True, True], 2, says="the two best are not allowed"),
        Case([0.2, 0.9, 0.5, 0.7], [True, False, True, True], 3, says="best first"),
        Case([0.5, 0.9, 0.5, 0.5], [True, True, True, True], 3, says="a tie"),
        Case([-0.2, 0.4, -0.1, -0.3], [True, False, True, True], 2, says="a cosine may be negative"),
        Case([0.3, 0.2, 0.1], [False, True, False], 2, says="fewer are allowed than asked for"),
        Case([0.3, 0.2], [False, False], 2, says="nothing is allowed"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Scores with ties and below zero; many, few and none allowed."""
        cases = []
        for share in (0.2, 0.4, 0.5, 0.6, 0.8, 0.8):
            scores = [rng.choice([-0.75, -0.5, -0.25, 0.25, 0.5, 0.75]) for _ in range(rng.randint(4, 12))]
            cases.append(Case(scores, [rng.random() < share for _ in scores], rng.randint(1, 5)))
        low, high = sorted(rng.sample([0.1, 0.2, 0.3, 0.4], 2))
        fixed = [
            ([-high, -low, high, -high], [True, True, False, True], 2),
            ([low, high, low, high], [True, True, True, True], 3),
        ]
        fixed += [
            ([low, high], [False, False], 1),
            ([low, high, 0.9], [True, True, False], 5),
            ([high, 0.9, low], [True, False, True], 1),
        ]
        return [*cases, *(Case(*one) for one in fixed)]

    misconceptions = [
        Misconception(
            _filters_afterwards, "You take the best k first and filter then: what is allowed but stood lower is lost. Filter before."
        ),
        Misconception(_renumbered, "These are positions in the filtered list: return the row numbers in scores."),
        Misconception(_zeroed, "A score of 0 for what is not allowed still beats a negative score: leave those rows out altogether."),
        Misconception(_fills_up, "Rows that are not allowed came back in: where fewer than k are allowed, return fewer."),
        Misconception(_lowest_first, "Best first: the highest score leads."),
        Misconception(_later_row_first, "On a tie the lower row comes first; reverse=True turns that round too."),
        Misconception(_positive_only, "A negative score may still be among the best: leave out only what is not allowed."),
        Misconception(_the_forbidden, "allowed is True for the rows that may be returned."),
        Misconception(_in_order_of_rows, "Order the rows by score, best first, not by their number."),
    ]  # fmt: skip
    alternatives = [_top_by_sorting, _top_by_arrays]
    hints = [
        "Make a list of the rows that are allowed. Sort only those.",
        "sorted(rows, key=lambda row: -scores[row]) keeps the lower row first on a tie, because Python's sort is stable.",
    ]


add_quiz(
    "02",
    [
        QuizQuestion(
            "A customer types nothing but a part number. Which search do you expect to find it?",
            [
                Option(
                    "The one that counts words.",
                    True,
                    "A part number is a rare word: BM25 gives it a large weight, and one passage holds it.",
                ),
                Option(
                    "The one that compares meanings.",
                    False,
                    "A number has hardly a meaning of its own: its embedding is near those of all the other part numbers.",
                ),
                Option(
                    "The hybrid, for it has both.",
                    False,
                    "It has both votes, and one of them is noise here. You saw it fall well behind BM25 alone.",
                ),
            ],
        ),
        QuizQuestion(
            "Two searches have the same recall@5, but one has the higher nDCG@10. What does that tell you?",
            [
                Option(
                    "It puts the right passages higher up.",
                    True,
                    "Recall counts what is there; nDCG also asks how high it stands. That matters if the reader sees few passages.",
                ),
                Option(
                    "It finds more.",
                    False,
                    "Within the first five it finds exactly as much. It may differ in the order, and in places six to ten.",
                ),
                Option("One of the two must be wrong.", False, "They ask different questions of the same ranking."),
            ],
        ),
        QuizQuestion(
            "Why does rank fusion add up 1/(60 + rank) and not the scores?",
            [
                Option("To save time.", False, "Adding scores would cost the same."),
                Option(
                    "A BM25 score and a cosine have no common scale.",
                    True,
                    "A sum would mostly be BM25, whose numbers are larger. Ranks of different searches compare.",
                ),
                Option("Scores are secret in most systems.", False, "You have them here. They still do not compare."),
            ],
        ),
        QuizQuestion(
            "A search returns its best 5 passages, and then the staff notes among them are thrown away. What is the harm?",
            [
                Option(
                    "None: the customer sees no staff note.",
                    False,
                    "True, but the places of the notes stay empty, and a passage that stood sixth may have had the answer.",
                ),
                Option(
                    "Fewer than 5 are left, and the next best ones are never looked at.",
                    True,
                    "So filter inside the search: rank only what passes.",
                ),
                Option("The scores become wrong.", False, "The scores of those that remain are the same as before."),
            ],
        ),
        QuizQuestion(
            "Somebody reports a new search with a recall@5 of 0.62. What do you ask first?",
            [
                Option(
                    "What chance and what BM25 score on the same questions.",
                    True,
                    "A number means something between its brackets: what needs no skill, and what is possible.",
                ),
                Option(
                    "How many dimensions the vectors have.",
                    False,
                    "It tells you what the search costs, not whether 0.62 is good.",
                ),
                Option(
                    "Nothing: above 0.5 is good.",
                    False,
                    "On the paraphrases 0.6 was far ahead; on plain questions it would be a failure.",
                ),
            ],
        ),
    ],
)
