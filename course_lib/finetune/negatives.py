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


def too_near(candidate: float, marked: float, share: float = SHARE) -> bool:
    """Whether a candidate's similarity to a question is above a share of that of the marked passage.

    >>> too_near(0.58, marked=0.60), too_near(0.50, marked=0.60)
    (True, False)
    """
    return candidate > share * marked


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
        near = guide.vectors @ query
        marked = float(near[rows[pair.passage.id]])
        found = [hit.passage for hit in hits if hit.passage.id not in right[pair.question]]
        kept.append([one for one in found if not too_near(float(near[rows[one.id]]), marked, share)][:count])
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

    def fits(self, other: Drawn) -> bool:
        """Whether two pairs may share a batch: neither brings what answers the other's question."""
        return not (self.shown & other.right or other.shown & self.right)


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
    """Shuffled batches of at most ``size`` pairs: each pair goes into the first one with room that it fits into.

    In a batch every passage is a negative for every other question, so a passage that answers two of its questions would teach
    the model to get one of them wrong.
    """
    made: list[list[Drawn]] = []
    for one in rng.sample(list(drawn), len(drawn)):
        place = next((batch for batch in made if len(batch) < size and all(one.fits(other) for other in batch)), None)
        if place is None:
            made.append(place := [])
        place.append(one)
    rng.shuffle(made)
    return made
