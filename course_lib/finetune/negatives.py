"""Hard negatives: passages that a search takes for the answer, and that are safely wrong.

What a search finds besides the marked passage may be right as well, and training on it as wrong does harm (Qu et al. 2021, arXiv
2010.08191). Two rules leave such candidates out: one that holds an accepted answer, word for word; and one that the stock embedder
finds nearly as near to the question as the marked passage: above ``share`` of its similarity (the positive-aware mining of Moreira
et al. 2024, arXiv 2407.15831, with their 95 %). The second rule is blunt: where the stock embedder misjudges the marked passage,
it leaves out much that is wrong, and what is left stands deeper in the list and is easier.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..corpus import Passage
from ..errors import CourseError
from ..evaluation.answers import normalise_answer
from ..retrieval.dense import DenseIndex, embed_texts
from ..retrieval.fusion import Searcher
from ..retrieval.records import titled
from .pairs import Pair

SHARE = 0.95


def choose_negatives(
    found: Sequence[str], right: Collection[str], near: Mapping[str, float], marked: float, share: float = SHARE, count: int = 4
) -> list[str]:
    """The first ``count`` ids of a search's hits that are safely wrong; fewer where fewer are left.

    ``right`` are the ids that answer the question. ``near`` has each id's similarity to it, ``marked`` is that of its own passage:
    what is above ``share`` of it is left out.

    >>> choose_negatives(["a", "b", "c", "d"], right=["b"], near={"a": 0.58, "b": 0.6, "c": 0.5, "d": 0.1}, marked=0.6)
    ['c', 'd']
    """
    return [name for name in found if name not in right and near[name] <= share * marked][:count]


def right_ids(pairs: Sequence[Pair], shelf: Sequence[Passage]) -> dict[str, frozenset[str]]:
    """For each question the ids that must never be a negative for it: its marked passages, and all that hold an accepted answer."""
    words = {passage.id: f" {' '.join(normalise_answer(titled(passage)))} " for passage in shelf}
    right: dict[str, set[str]] = {}
    for pair in pairs:
        spellings = [f" {' '.join(normalise_answer(text))} " for text in pair.accepted]
        holding = {name for name, told in words.items() if any(text.strip() and text in told for text in spellings)}
        right.setdefault(pair.question, set()).update(holding, [pair.passage.id])
    return {question: frozenset(ids) for question, ids in right.items()}


def mine_negatives(
    pairs: Sequence[Pair],
    search: Searcher,
    guide: DenseIndex,
    right: Mapping[str, Collection[str]],
    count: int = 4,
    depth: int = 50,
    share: float = SHARE,
) -> list[list[Passage]]:
    """For each pair the first ``count`` hits of a search, ``depth`` deep, that both rules leave in; there may be fewer, or none.

    ``guide`` holds the stock embedder's vectors of every passage that may be found.
    """
    rows = {passage.id: row for row, passage in enumerate(guide.passages)}
    asked = [pair.question for pair in pairs]
    kept = []
    for pair, hits, query in zip(pairs, search.search_many(asked, depth), embed_texts(asked, guide.model), strict=True):
        cosines = guide.vectors @ query
        found = {hit.passage.id: hit.passage for hit in hits}
        near = {name: float(cosines[rows[name]]) for name in found}
        marked = float(cosines[rows[pair.passage.id]])
        kept.append([found[name] for name in choose_negatives(list(found), right[pair.question], near, marked, share, count)])
    return kept


@dataclass(frozen=True)
class Drawn:
    """A pair with the negatives that it has in one epoch; ``right`` are the ids that may stand beside it as no negative."""

    pair: Pair
    negatives: tuple[Passage, ...]
    right: frozenset[str]

    @property
    def shown(self) -> frozenset[str]:
        """The ids that it brings into a batch, where they are negatives for the others."""
        return frozenset([self.pair.passage.id, *(one.id for one in self.negatives)])


def draw(
    pairs: Sequence[Pair],
    mined: Sequence[Sequence[Passage]],
    right: Mapping[str, frozenset[str]],
    shelf: Sequence[Passage],
    each: int,
    rng: random.Random,
) -> list[Drawn]:
    """Each pair with ``each`` of its mined negatives; what is missing is drawn from the shelf, from what is not known to be right.

    Raises :class:`CourseError` where the shelf is too small for that.
    """
    drawn = []
    for pair, found in zip(pairs, mined, strict=True):
        chosen = rng.sample(list(found), min(each, len(found)))
        if len(chosen) < each:
            held = {one.id for one in chosen} | right[pair.question]
            safe = [one for one in shelf if one.id not in held]
            if len(chosen) + len(safe) < each:
                raise CourseError(
                    f"The shelf holds too few wrong passages for {pair.question!r}.",
                    "ask for fewer negatives, or take a larger shelf.",
                )
            chosen += rng.sample(safe, each - len(chosen))
        drawn.append(Drawn(pair, tuple(chosen), right[pair.question]))
    return drawn


def batches(drawn: Sequence[Drawn], size: int, rng: random.Random) -> list[list[Drawn]]:
    """Shuffled batches of at most ``size`` pairs, by :func:`share_out`."""
    shuffled = rng.sample(list(drawn), len(drawn))
    rows = share_out([one.shown for one in shuffled], [one.right for one in shuffled], size)
    made = [[shuffled[row] for row in batch] for batch in rows]
    rng.shuffle(made)
    return made


def share_out(shown: Sequence[Collection[str]], right: Sequence[Collection[str]], size: int) -> list[list[int]]:
    """Deal pairs into batches of at most ``size``: each, in its order, into the first one with room that it fits into, else a new one.

    ``shown`` has for each pair the ids that it brings into a batch, ``right`` those that answer its question. In a batch every
    passage is a negative for every other question. So one that answers two of its questions would teach the model to get one of
    them wrong: two pairs fit if neither brings what answers the other. Gives the numbers of the pairs.

    >>> share_out([["a"], ["b"], ["c"]], [["a", "c"], ["b"], ["c"]], size=2)
    [[0, 1], [2]]
    """
    brings, answers = [set(one) for one in shown], [set(one) for one in right]

    def fit(one: int, other: int) -> bool:
        return not brings[one] & answers[other] and not brings[other] & answers[one]

    made: list[list[int]] = []
    for row in range(len(brings)):
        room = (batch for batch in made if len(batch) < size)
        place = next((batch for batch in room if all(fit(row, other) for other in batch)), None)
        if place is None:
            made.append(place := [])
        place.append(row)
    return made
