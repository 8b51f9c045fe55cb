"""The exercises and the quiz of lab 09, tune the retriever."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile

import numpy as np

from ..finetune.negatives import choose_negatives, share_out
from ..finetune.retriever import contrastive_loss
from ..retrieval.rerank import reranked
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

# --- 09.1 -----------------------------------------------------------------------------------------------------------

Array = np.ndarray


def _unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _shares(scores: Array, axis: int = 1) -> Array:
    powers = np.exp(scores)
    return powers / powers.sum(axis=axis, keepdims=True)


def _cosines(questions: Array, passages: Array) -> Array:
    return _unit(questions) @ _unit(passages).T


def _own(shares: Array) -> Array:
    return np.diagonal(shares)


def _plain_products(questions: Array, passages: Array, scale: float) -> float:
    products = scale * questions @ passages.T
    products -= products.max(axis=1, keepdims=True)
    return float(-np.log(_own(_shares(products))).mean())


def _one_length_for_all(questions: Array, passages: Array, scale: float) -> float:
    scores = scale * (questions / np.linalg.norm(questions)) @ (passages / np.linalg.norm(passages)).T
    return float(-np.log(_own(_shares(scores))).mean())


def _scale_forgotten(questions: Array, passages: Array, scale: float) -> float:
    return contrastive_loss(questions, passages, 1.0)


def _scale_divides(questions: Array, passages: Array, scale: float) -> float:
    return contrastive_loss(questions, passages, 1 / scale)


def _negatives_left_out(questions: Array, passages: Array, scale: float) -> float:
    return contrastive_loss(questions, passages[: len(questions)], scale)


def _over_questions(questions: Array, passages: Array, scale: float) -> float:
    return float(-np.log(_own(_shares(scale * _cosines(questions, passages), axis=0))).mean())


def _over_everything(questions: Array, passages: Array, scale: float) -> float:
    powers = np.exp(scale * _cosines(questions, passages))
    return float(-np.log(_own(powers / powers.sum())).mean())


def _summed(questions: Array, passages: Array, scale: float) -> float:
    return len(questions) * contrastive_loss(questions, passages, scale)


def _minus_forgotten(questions: Array, passages: Array, scale: float) -> float:
    return -contrastive_loss(questions, passages, scale)


def _own_left_out_below(questions: Array, passages: Array, scale: float) -> float:
    powers = np.exp(scale * _cosines(questions, passages))
    own = _own(powers)
    others = powers.sum(axis=1) - own
    return float(-np.log(own / np.where(others > 0, others, 1.0)).mean())


def _mean_then_log(questions: Array, passages: Array, scale: float) -> float:
    return float(-np.log(_own(_shares(scale * _cosines(questions, passages))).mean()))


def _to_base_two(questions: Array, passages: Array, scale: float) -> float:
    return contrastive_loss(questions, passages, scale) / math.log(2)


def _loss_by_loops(questions: Array, passages: Array, scale: float) -> float:
    total = 0.0
    for row, question in enumerate(questions.tolist()):
        scores = []
        for passage in passages.tolist():
            product = sum(p * q for p, q in zip(question, passage, strict=True))
            scores.append(scale * product / (math.hypot(*question) * math.hypot(*passage)))
        total += math.log(sum(math.exp(score) for score in scores)) - scores[row]
    return total / len(questions)


def _loss_by_gaps(questions: Array, passages: Array, scale: float) -> float:
    gaps = []
    for row, cosines in enumerate(_cosines(questions, passages)):
        gaps.append(np.log(np.exp(scale * (cosines - cosines[row])).sum()))
    return float(np.mean(gaps))


def _random_rows(rng: random.Random, rows: int, width: int) -> Array:
    return np.array([[rng.choice([-1, 1]) * rng.randint(1, 9) / 4 for _ in range(width)] for _ in range(rows)])


@exercise("09.1", title="The loss of a batch", points=3, minutes=10, difficulty=3, function="contrastive_loss")
class LossOfABatch:
    """Each question against every passage of the batch."""

    reference = staticmethod(contrastive_loss)
    public = [
        Case(
            np.array([[1.0, 0.0], [0.0, 2.0]]),
            np.array([[2.0, 0.0], [0.0, 1.0]]),
            3.0,
            says="two questions, each along its own passage",
        ),
        Case(
            np.array([[1.0, 0.0], [0.0, 1.0]]),
            np.array([[0.0, 3.0], [1.0, 0.0]]),
            2.0,
            says="two questions, each along the other's passage",
        ),
        Case(
            np.array([[1.0, 0.0], [1.0, 2.0]]),
            np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.5], [-1.0, 0.0]]),
            4.0,
            says="two questions, and two hard negatives",
        ),
        Case(
            np.array([[3.0, 4.0]]), np.array([[4.0, 3.0]]), 5.0, says="one question alone with its passage: nothing to tell apart"
        ),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random batches with and without hard negatives, of many widths, lengths and scales."""
        cases = []
        for extra in (0, 0, 1, 2, 3, 5):
            count, width = rng.randint(2, 5), rng.randint(2, 6)
            scale = rng.choice([0.5, 2.0, 3.0, 10.0])
            cases.append(Case(_random_rows(rng, count, width), _random_rows(rng, count + extra, width), scale))
        return [*cases, Case(_random_rows(rng, 1, 3), _random_rows(rng, 4, 3), 2.0)]

    misconceptions = [
        Misconception(_plain_products, "You take plain products: divide each row by its length first, so that they are cosines."),
        Misconception(
            _one_length_for_all,
            "You divide by the length of the whole matrix: each row has its own, np.linalg.norm(rows, axis=1, keepdims=True).",
        ),
        Misconception(_scale_forgotten, "scale is not used: multiply the cosines by it before the softmax."),
        Misconception(_scale_divides, "You divide by scale: it multiplies (its inverse is what people call the temperature)."),
        Misconception(
            _negatives_left_out,
            "The rows of passages beyond the questions are hard negatives: they belong into every question's sum.",
        ),
        Misconception(
            _over_questions, "Your softmax runs over the questions: for each question, the *passages* are to share its belief."
        ),
        Misconception(_over_everything, "You divide by the sum of the whole table: each question, so each row, has its own sum."),
        Misconception(_summed, "You add the losses up: return their mean over the questions."),
        Misconception(_minus_forgotten, "The sign: the logarithm of a share is below zero, and the loss is minus that."),
        Misconception(_own_left_out_below, "A question's own passage belongs into the sum below as well: only so is it a share."),
        Misconception(_mean_then_log, "You average the shares and then take the logarithm: take it of each, then the mean."),
        Misconception(_to_base_two, "Use the natural logarithm, np.log."),
    ]
    alternatives = [_loss_by_loops, _loss_by_gaps]
    hints = [
        "Divide each row by np.linalg.norm(rows, axis=1, keepdims=True); then questions @ passages.T holds the cosines, a row a question.",
        "np.exp(scale * cosines), divided by its sum over axis=1 with keepdims=True: the share of each passage.",
        "np.diagonal(shares) are the shares of the right ones. The loss is -np.log of them, and then the mean.",
    ]


# --- 09.2 -----------------------------------------------------------------------------------------------------------

Names = Sequence[str]
Near = Mapping[str, float]


def _answers_kept(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return choose_negatives(found, [], near, marked, share, count)


def _near_kept(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return [name for name in found if name not in right][:count]


def _cut_first(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return choose_negatives(found[:count], right, near, marked, share, count)


def _share_as_bar(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return choose_negatives(found, right, near, 1.0, share, count)


def _bar_left_out(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return [name for name in found if name not in right and near[name] < share * marked][:count]


def _share_ignored(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return choose_negatives(found, right, near, marked, 1.0, count)


def _taken_off(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return [name for name in found if name not in right and near[name] <= marked - (1 - share)][:count]


def _turned_round(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return [name for name in found if name not in right and near[name] > share * marked][:count]


def _by_similarity(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    kept = choose_negatives(found, right, near, marked, share, len(found))
    return sorted(kept, key=lambda name: -near[name])[:count]


def _stops_at_first(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return list(takewhile(lambda name: name not in right and near[name] <= share * marked, found))[:count]


def _all_of_them(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    return choose_negatives(found, right, near, marked, share, len(found))


def _easiest(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    kept = choose_negatives(found, right, near, marked, share, len(found))
    return kept[max(0, len(kept) - count) :]


def _chosen_by_loop(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> list[str]:
    kept: list[str] = []
    for name in found:
        if len(kept) == count:
            break
        if name in set(right) or not near[name] <= share * marked:
            continue
        kept.append(name)
    return kept


def _chosen_by_sets(found: Names, right: Names, near: Near, marked: float, share: float, count: int) -> tuple[str, ...]:
    out = set(right) | {name for name, value in near.items() if value > share * marked}
    return tuple(filter(lambda name: name not in out, found))[:count]


@exercise("09.2", title="Hard, but not right", points=2, minutes=7, difficulty=2, function="choose_negatives")
class HardButNotRight:
    """Negatives that are wrong for sure."""

    reference = staticmethod(choose_negatives)
    public = [
        Case(["a", "b", "c"], [], {"a": 0.3, "b": 0.2, "c": 0.25}, 0.8, 0.5, 2, says="all are safe: the first two"),
        Case(
            ["a", "b", "c", "d"], ["a", "c"], {"a": 0.3, "b": 0.1, "c": 0.2, "d": 0.35}, 0.8, 0.5, 2, says="two hold the answer"
        ),
        Case(
            ["a", "b", "c", "d"],
            ["x"],
            {"a": 0.7, "b": 0.45, "c": 0.2, "d": 0.3},
            0.8,
            0.5,
            3,
            says="two are too near: above 0.4",
        ),
        Case(["a", "b", "c"], [], {"a": 0.5, "b": 0.25, "c": 0.125}, 0.5, 0.5, 3, says="b is at 0.25 exactly, and stays"),
        Case(
            ["d", "a", "b", "c"],
            ["b"],
            {"a": 0.1, "b": 0.2, "c": 0.15, "d": 0.05},
            0.5,
            0.75,
            2,
            says="in the order of the search, not of the similarity",
        ),
        Case(["a", "b"], ["a"], {"a": 0.1, "b": 0.9}, 0.6, 0.9, 4, says="none is left"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random hits of which some hold the answer and some are too near; one at the bar; none; fewer than asked for."""
        cases = []
        for _ in range(8):
            found = rng.sample("abcdefghijkl", rng.randint(4, 10))
            near = {name: rng.randint(1, 15) / 16 for name in found}
            right = [*rng.sample(found, rng.randint(1, 2)), "z"]
            cases.append(Case(found, right, near, rng.randint(8, 15) / 16, rng.choice([0.5, 0.75]), rng.randint(1, 4)))
        one, two, three, four = rng.sample("abcdef", 4)
        near = {one: 0.9375, two: 0.375, three: 0.25, four: 0.3125}
        return [
            *cases,
            Case([one, two, three, four], [], near, 0.75, 0.5, 3, says="one at the bar"),
            Case([two, one, four, three], [three], near, 0.5, 0.75, 2),
            Case([one], [one], near, 1.0, 1.0, 2),
            Case([], [], {}, 0.5, 0.5, 2),
        ]

    misconceptions = [
        Misconception(_answers_kept, "Some of your negatives hold the answer: leave out what is in right."),
        Misconception(_near_kept, "You never look at near: what is nearly as near as the marked passage may well be right too."),
        Misconception(_cut_first, "You take the first count and filter then: filter first, or too few are left."),
        Misconception(_share_as_bar, "Your bar is share alone: it is share times the similarity of the marked passage."),
        Misconception(_bar_left_out, "What is exactly at the bar stays: only what is above it goes."),
        Misconception(_share_ignored, "Your bar is marked itself: multiply it by share."),
        Misconception(_taken_off, "You take 1 - share off the marked similarity: it is to be multiplied by share."),
        Misconception(_turned_round, "You keep what is too near and leave out the rest: the comparison is the wrong way round."),
        Misconception(_by_similarity, "You sort by similarity: the order of the search is to stay."),
        Misconception(_stops_at_first, "You stop at the first hit that must go: leave it out and go on."),
        Misconception(_all_of_them, "You return all that are left: cut the list after count."),
        Misconception(_easiest, "You take the last ones: the first ones are the hard ones."),
    ]
    alternatives = [_chosen_by_loop, _chosen_by_sets]
    hints = [
        "Two conditions on each name of found: not in right, and near[name] not above share * marked.",
        "A list comprehension keeps the order; cut it with [:count] at the end.",
    ]


# --- 09.3 -----------------------------------------------------------------------------------------------------------

Sets = Sequence[Collection[str]]
Rows = list[list[int]]


def _dealt(shown: Sets, right: Sets, size: int, fits: str = "both", looks: str = "all", batches: str = "all") -> Rows:
    """Batches dealt with a part of the rule exchanged."""
    brings, answers = [set(one) for one in shown], [set(one) for one in right]

    def fit(new: int, old: int) -> bool:
        there, back = not brings[new] & answers[old], not brings[old] & answers[new]
        same, alike = not brings[new] & brings[old], not answers[new] & answers[old]
        return {"both": there and back, "there": there, "back": back, "shown": same, "right": alike, "either": there or back}[
            fits
        ]

    made: Rows = []
    for row in range(len(brings)):
        tried = made[-1:] if batches == "last" else made
        for batch in tried:
            others = batch[-1:] if looks == "last" else batch[:1] if looks == "first" else batch
            if len(batch) < size and all(fit(row, other) for other in others):
                batch.append(row)
                break
        else:
            if not made or batches != "one":
                made.append([row])
    return made


def _no_look(shown: Sets, right: Sets, size: int) -> Rows:
    return [list(range(start, min(start + size, len(shown)))) for start in range(0, len(shown), size)]


def _new_brings_only(shown: Sets, right: Sets, size: int) -> Rows:
    return _dealt(shown, right, size, fits="there")


def _old_brings_only(shown: Sets, right: Sets, size: int) -> Rows:
    return _dealt(shown, right, size, fits="back")


def _one_way_is_enough(shown: Sets, right: Sets, size: int) -> Rows:
    return _dealt(shown, right, size, fits="either")


def _same_shown(shown: Sets, right: Sets, size: int) -> Rows:
    return _dealt(shown, right, size, fits="shown")


def _same_right(shown: Sets, right: Sets, size: int) -> Rows:
    return _dealt(shown, right, size, fits="right")


def _looks_at_last(shown: Sets, right: Sets, size: int) -> Rows:
    return _dealt(shown, right, size, looks="last")


def _looks_at_first(shown: Sets, right: Sets, size: int) -> Rows:
    return _dealt(shown, right, size, looks="first")


def _last_batch_only(shown: Sets, right: Sets, size: int) -> Rows:
    return _dealt(shown, right, size, batches="last")


def _one_too_many(shown: Sets, right: Sets, size: int) -> Rows:
    return share_out(shown, right, size + 1)


def _size_forgotten(shown: Sets, right: Sets, size: int) -> Rows:
    return share_out(shown, right, len(shown))


def _largest_first(shown: Sets, right: Sets, size: int) -> Rows:
    return sorted(share_out(shown, right, size), key=len, reverse=True)


def _from_one(shown: Sets, right: Sets, size: int) -> Rows:
    return [[row + 1 for row in batch] for batch in share_out(shown, right, size)]


def _clash_dropped(shown: Sets, right: Sets, size: int) -> Rows:
    kept = [
        row
        for row in range(len(shown))
        if not any(set(shown[row]) & set(right[other]) or set(shown[other]) & set(right[row]) for other in range(row))
    ]
    return [kept[start : start + size] for start in range(0, len(kept), size)]


def _shared_by_sums(shown: Sets, right: Sets, size: int) -> Rows:
    made: Rows = []
    held: list[tuple[set[str], set[str]]] = []
    for row, (brings, answers) in enumerate(zip(shown, right, strict=True)):
        for batch, (there, wanted) in zip(made, held, strict=True):
            if len(batch) < size and there.isdisjoint(answers) and wanted.isdisjoint(brings):
                break
        else:
            batch, (there, wanted) = [], (set(), set())
            made.append(batch)
            held.append((there, wanted))
        batch.append(row)
        there.update(brings)
        wanted.update(answers)
    return made


def _shared_by_places(shown: Sets, right: Sets, size: int) -> Rows:
    places: dict[int, int] = {}
    for row in range(len(shown)):
        place = 0
        while True:
            others = [other for other, there in places.items() if there == place]
            clash = [other for other in others if set(shown[row]) & set(right[other]) or set(shown[other]) & set(right[row])]
            if len(others) < size and not clash:
                break
            place += 1
        places[row] = place
    return [[row for row in places if places[row] == place] for place in range(max(places.values(), default=-1) + 1)]


@exercise("09.3", title="Who may share a batch?", points=3, minutes=10, difficulty=3, function="share_out")
class WhoMayShareABatch:
    """No passage of a batch answers another of its questions."""

    reference = staticmethod(share_out)
    public = [
        Case([[name] for name in "abcde"], [[name] for name in "abcde"], 2, says="no clash: two, two, and one"),
        Case([["a"], ["b"], ["c"]], [["a", "b"], ["b"], ["c"]], 3, says="the second brings what answers the first"),
        Case([["a"], ["b"], ["c"]], [["a"], ["a", "b"], ["c"]], 3, says="the first brings what answers the second"),
        Case(
            [["a", "n"], ["b", "n"], ["c", "m"]],
            [["a"], ["b"], ["c", "n"]],
            4,
            says="two may bring the same wrong passage; the third's answer is among the negatives",
        ),
        Case(
            [["a"], ["b"], ["c"], ["d"], ["e"]],
            [["a"], ["b"], ["a", "c"], ["d"], ["c", "e"]],
            3,
            says="the fourth goes back to the first batch, which has room",
        ),
        Case([["a"], ["b"], ["c"]], [["a"], ["b"], ["b", "c"]], 3, says="the third clashes with the second"),
        Case([["a"], ["b"]], [["a", "b"], ["a", "b"]], 2, says="each brings what answers the other"),
        Case([["a"], ["b"], ["c"]], [["a", "b", "c"], ["b"], ["c"]], 2, says="the first stays alone, and its batch the first"),
        Case([["a"], ["b"]], [["a", "x"], ["b", "x"]], 2, says="x answers both, but nobody brings it"),
        Case([], [], 4, says="no pairs"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random pairs with hard negatives, of which some answer other questions; sizes from 1 up."""
        cases = []
        for size in (1, 2, 2, 3, 3, 4):
            names = rng.sample("abcdefghijklmnop", rng.randint(5, 8))
            right = [[name, *rng.sample([one for one in names if one != name], rng.choice([0, 0, 1]))] for name in names]
            shown = [
                [name, *rng.sample([one for one in "qrst" + "".join(names) if one not in own], rng.choice([0, 1]))]
                for name, own in zip(names, right, strict=True)
            ]
            cases.append(Case(shown, right, size))
        a, b, c, d, e = rng.sample("abcdefgh", 5)
        return [
            *cases,
            Case([[a], [b], [c], [d], [e]], [[a], [b], [a, c], [d], [c, e]], 3),
            Case([[a], [b, e], [c], [d]], [[a], [b], [c, e], [d, a]], 4),
            Case([[a], [b], [c, d]], [[a, d], [b], [c]], 4),
            Case([[a], [b]], [[a, e], [b, e]], 2),
            Case([[a, e], [b, e]], [[a], [b]], 2),
            Case([[a], [b], [c], [d]], [[a], [a, b], [a, c], [a, d]], 2),
        ]

    misconceptions = [
        Misconception(
            _no_look, "You cut the pairs into equal parts: look first whether a passage answers another of the questions."
        ),
        Misconception(
            _new_brings_only, "You look only at what the new pair brings: a passage that is there already may answer it."
        ),
        Misconception(
            _old_brings_only, "You look only at what is there already: the new pair may bring what answers an old question."
        ),
        Misconception(_one_way_is_enough, "One direction is enough for you: neither may bring what answers the other."),
        Misconception(_same_shown, "You compare what both bring: two pairs may well bring the same *wrong* passage."),
        Misconception(_same_right, "You compare what is right for both: that does harm only if one of them brings it."),
        Misconception(_looks_at_last, "You look only at the last pair of a batch: every pair in it counts."),
        Misconception(_looks_at_first, "You look only at the first pair of a batch: every pair in it counts."),
        Misconception(_last_batch_only, "You look only into the last batch: an earlier one may have room."),
        Misconception(_one_too_many, "Your batches take one pair too many: there is room while len(batch) < size."),
        Misconception(_size_forgotten, "Your batches have no upper end: at most size pairs go into one."),
        Misconception(_largest_first, "Leave the batches in the order in which they were opened."),
        Misconception(_from_one, "The first pair has number 0."),
        Misconception(_clash_dropped, "You drop the pairs that clash: each opens a new batch where none has place for it."),
    ]
    alternatives = [_shared_by_sums, _shared_by_places]
    hints = [
        "Two pairs fit if set(shown[one]) & set(right[other]) is empty, and so it is with one and other exchanged.",
        "For each pair go through the batches made so far, from the first; stop at one with room in which it fits all pairs.",
        "for batch in batches: if …: batch.append(row); break. The else of a for loop runs where no break did: batches.append([row]).",
    ]


# --- 09.4 -----------------------------------------------------------------------------------------------------------


def _lowest_first(ranking: Names, scores: Sequence[float]) -> list[str]:
    return reranked(ranking, [-score for score in scores])


def _rest_dropped(ranking: Names, scores: Sequence[float]) -> list[str]:
    return reranked(ranking, scores)[: len(scores)]


def _rest_scores_zero(ranking: Names, scores: Sequence[float]) -> list[str]:
    return reranked(ranking, [*scores, *[0.0] * (len(ranking) - len(scores))])


def _rest_first(ranking: Names, scores: Sequence[float]) -> list[str]:
    return [*ranking[len(scores) :], *reranked(ranking, scores)[: len(scores)]]


def _ties_by_name(ranking: Names, scores: Sequence[float]) -> list[str]:
    pairs = sorted(zip(scores, ranking), key=lambda pair: (-pair[0], pair[1]))  # noqa: B905  # as learners write it
    return [*(name for _, name in pairs), *ranking[len(scores) :]]


def _ties_backwards(ranking: Names, scores: Sequence[float]) -> list[str]:
    order = sorted(range(len(scores)), key=lambda row: scores[row])[::-1]
    return [*(ranking[row] for row in order), *ranking[len(scores) :]]


def _one_lost_on_ties(ranking: Names, scores: Sequence[float]) -> list[str]:
    by_score = dict(zip(scores, ranking))  # noqa: B905
    return [*(by_score[score] for score in sorted(by_score, reverse=True)), *ranking[len(scores) :]]


def _only_the_best(ranking: Names, scores: Sequence[float]) -> list[str]:
    if not scores:
        return list(ranking)
    best = ranking[max(range(len(scores)), key=lambda row: scores[row])]
    return [best, *(name for name in ranking if name != best)]


def _order_as_places(ranking: Names, scores: Sequence[float]) -> list[str]:
    order = sorted(range(len(scores)), key=lambda row: -scores[row])
    places = [""] * len(scores)
    for row, place in enumerate(order):
        places[place] = ranking[row]
    return [*places, *ranking[len(scores) :]]


def _untouched(ranking: Names, scores: Sequence[float]) -> list[str]:
    return list(ranking)


def _by_insertion(ranking: Names, scores: Sequence[float]) -> list[str]:
    made: list[tuple[float, str]] = []
    for name, score in zip(ranking, scores):  # noqa: B905
        place = sum(other >= score for other, _ in made)
        made.insert(place, (score, name))
    return [name for _, name in made] + list(ranking[len(made) :])


def _by_argsort(ranking: Names, scores: Sequence[float]) -> list[str]:
    order = np.argsort(-np.array(scores, dtype=float), kind="stable")
    return [ranking[row] for row in [*order, *range(len(scores), len(ranking))]]


@exercise("09.4", title="Rank once more", points=2, minutes=5, difficulty=1, function="reranked")
class RankOnceMore:
    """The first hits in a new order, the rest as it was."""

    reference = staticmethod(reranked)
    public = [
        Case(["a", "b", "c"], [0.1, 0.7, 0.4], says="all were read"),
        Case(["d", "c", "b", "a"], [0.5, 0.9], says="only two were read"),
        Case(["a", "b", "c", "d"], [-3.0, -1.5, -2.0], says="scores below zero, and one that was not read"),
        Case(["d", "a", "c", "b"], [1.0, 2.0, 1.0, 2.0], says="ties: as they were"),
        Case(["b", "d", "a", "c", "e"], [0.2, 0.9, 0.4, 0.6], says="all four change places"),
        Case(["a", "b"], [], says="nothing was read"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random rankings with scores above and below zero, with ties, for some or all of the hits."""
        cases = []
        for _ in range(8):
            ranking = rng.sample("abcdefghijkl", rng.randint(5, 9))
            scores = [rng.randint(-4, 4) / 2 for _ in range(rng.randint(3, len(ranking)))]
            cases.append(Case(ranking, scores))
        ranking = rng.sample("abcdefgh", 6)
        return [
            *cases,
            Case(ranking, [-2.0, -1.0, -3.0, -1.0]),
            Case(ranking, [0.2, 0.9, 0.4, 0.6]),
            Case(sorted(ranking, reverse=True), [1.0, 1.0, 2.0]),
            Case(ranking, []),
            Case([], []),
        ]

    misconceptions = [
        Misconception(_lowest_first, "The highest score comes first: sort by minus the score."),
        Misconception(_rest_dropped, "What was not read is gone: it follows in its old order."),
        Misconception(_rest_scores_zero, "You give what was not read the score 0, so it passes by whatever has less: it stays behind."),
        Misconception(_rest_first, "What was not read stands in front: it follows behind what was read."),
        Misconception(_ties_by_name, "On a tie you go by the alphabet: the order of the first search is to stay."),
        Misconception(_ties_backwards, "On a tie the later one comes first: sort by minus the score rather than backwards."),
        Misconception(_one_lost_on_ties, "With the score as the key of a dictionary, one of two equal ones is lost."),
        Misconception(_only_the_best, "You move the best one to the front only: put all that were read in order."),
        Misconception(_order_as_places, "order[0] is the number of the *best* one: take ranking[order[0]] first, ranking[order[1]] second."),
        Misconception(_untouched, "You return the ranking as it came: the scores are to put it in order."),
    ]  # fmt: skip
    alternatives = [_by_insertion, _by_argsort]
    hints = [
        "order = sorted(range(len(scores)), key=lambda row: -scores[row]) keeps the old order where scores are equal.",
        "First ranking[row] for each row of order, then ranking[len(scores):].",
    ]


add_quiz(
    "09",
    [
        QuizQuestion(
            "You tuned the embedder. What must be done to the index of your passages?",
            [
                Option(
                    "Nothing: questions and passages are still texts.",
                    False,
                    "Its vectors come from the old embedder. A cosine between vectors of two embedders means little.",
                ),
                Option(
                    "It has to be made anew: every passage is embedded once more.",
                    True,
                    "Tuning moved the passages as well as the questions. This is a cost of tuning that nobody sees in a notebook of one page.",
                ),
                Option(
                    "Only passages about the tuned products are embedded anew.",
                    False,
                    "Then vectors of two embedders would lie in one index, and be compared with one question.",
                ),
            ],
        ),
        QuizQuestion(
            "A hard negative turns out to answer the question in other words. What does training on it do?",
            [
                Option(
                    "It teaches the embedder to push a right passage away.",
                    True,
                    "The loss cannot know. Hence the two rules: no accepted answer in it, and not nearly as near as the marked passage.",
                ),
                Option(
                    "Nothing: the softmax finds out which one is right.",
                    False,
                    "The softmax only knows which row we called right. Everything else is pushed away.",
                ),
                Option(
                    "It makes training slower, and no more.",
                    False,
                    "A step takes as long with a right negative as with a wrong one. What it teaches is the trouble.",
                ),
            ],
        ),
        QuizQuestion(
            "The right passage stands at place 35. The reranker reads the first 20. What can it do?",
            [
                Option(
                    "Lift it to the top, since it reads better than the embedder.",
                    False,
                    "It never sees it. A reranker puts in order what the search has found.",
                ),
                Option(
                    "Nothing, until the search finds it earlier or the reranker reads deeper.",
                    True,
                    "Reading deeper takes more time for each question; a better search does not. That is why the two are tuned together.",
                ),
                Option(
                    "Give it the middle score of those it has read.",
                    False,
                    "It has no score for what it has not read; such hits stay behind, in their old order.",
                ),
            ],
        ),
        QuizQuestion(
            "On your exam the tuned search gains 6 points, on a stranger's documents it loses 4. What do you tell your colleagues?",
            [
                Option(
                    "Tuning does not work.",
                    False,
                    "It worked where it was tuned for. Whether that counts depends on where they search.",
                ),
                Option(
                    "Use it for these documents, keep the stock one for others.",
                    True,
                    "Both numbers are true at once. An embedder tuned to one domain is a tool for that domain.",
                ),
                Option(
                    "Average it: 1 point gained on either.",
                    False,
                    "Nobody searches the average of two shelves. Report each, with its interval.",
                ),
            ],
        ),
    ],
)
