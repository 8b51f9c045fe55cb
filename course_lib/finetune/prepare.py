"""From raw tickets to training examples: clean, mask, de-duplicate, find wrong labels, split, and keep the sides apart."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from ..corpus.tickets import GoldTicket, RawTicket, load_gold_tickets, load_labelled_tickets, load_raw_tickets, split_of
from ..evaluation.intervals import wilson_interval
from ..models import LanguageModel
from .examples import Example, make_example
from .tickets import FIELDS_WEIGH, SHORT_PROMPT, house_json, ticket_messages, ticket_text

if TYPE_CHECKING:
    import numpy as np

Pair = tuple[int, int]
IGNORED = -100
"""The label of a token that the loss leaves out: what PyTorch's cross-entropy and Hugging Face's trainers skip."""

NEAR = 0.26
"""From this TF-IDF cosine on two tickets count as the same complaint: best on train and dev products among 0.10, 0.12, … 0.50."""

# --- clean and mask -------------------------------------------------------------------------------------------------

_TAGS = re.compile(r"</?(?:br|p|div|span|b|i|u|em|strong|a|font|table|tr|td|ul|li)\b[^<>]*>", re.IGNORECASE)
_QUOTE = re.compile(r"\s*>")
_DROPPED = re.compile(r"sent from my \w+\.?|-{2,}|-{2,} ?(?:forwarded|original)(?: message)? ?-{2,}", re.IGNORECASE)
_FACT = re.compile(r"\bQO[- ]?\d\d[- ]?\d+|\bE-?\d+\b", re.IGNORECASE)  # an order number, an error code
_STREETS = "Street|Road|Lane|Row|Court|Terrace|Steps|Wynd|Avenue|Close|Drive|Way|Square|Crescent|Place|Gardens"
_PERSONAL = (
    (re.compile(r"(?<![\w-])(?:\+44 ?|0)\d{2,4}[ -]?\d{3,4}[ -]?\d{3,4}(?![\w-])"), "[phone]"),
    (
        re.compile(
            rf"(?:\b[Ff]lat \d+[A-Za-z]?, )?\b\d{{1,4}}[A-Za-z]? (?:[A-Z][\w'’]+ ){{1,3}}(?:{_STREETS})\b"
            r"(?:, [A-Z]\w+(?: [A-Z]\w+)?)?"
        ),
        "[address]",
    ),
    (re.compile(r"\b((?:ending|ends)(?: in)?) \d{4}\b"), r"\1 [card]"),
)


def clean_text(text: str) -> str:
    """A text without HTML leftovers, quoted earlier mail, "Sent from my phone" and double spaces.

    A quoted line stays where it holds an order number or an error code that stands nowhere else in the text.

    >>> clean_text("Hello,<br>no tray &amp; no lid.  Ann\\n> It is order QO-25-000001.\\n> It came today.\\nSent from my phone")
    'Hello,\\nno tray & no lid. Ann\\n> It is order QO-25-000001.'
    """
    text = html.unescape(_TAGS.sub(lambda tag: "\n" if tag[0].lower().startswith("<br") else " ", text))
    lines = [re.sub(r"[ \t\xa0]+", " ", line).strip() for line in text.splitlines()]
    lines = [line for line in lines if not line or not _DROPPED.fullmatch(line)]
    known = {fact.upper() for line in lines if not _QUOTE.match(line) for fact in _FACT.findall(line)}
    kept = [line for line in lines if not _QUOTE.match(line) or {fact.upper() for fact in _FACT.findall(line)} - known]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def mask_personal(text: str) -> str:
    """A text with telephone numbers, street addresses and the last digits of a card replaced; names and order numbers stay.

    These are rules for the forms that occur here. They miss an address in small letters, or one that is told ("the yellow door").

    >>> mask_personal("Ring Jo, 07700 900123, at 4 Mill Lane, Skerrin. Card ending 1234, order QO-25-000001.")
    'Ring Jo, [phone], at [address]. Card ending [card], order QO-25-000001.'
    """
    for pattern, word in _PERSONAL:
        text = pattern.sub(word, text)
    return text


def clean_ticket(ticket: RawTicket) -> RawTicket:
    """A ticket with its subject and body cleaned and masked. The sender stays as it is: the reply greets by it."""
    return replace(
        ticket, subject=mask_personal(clean_text(ticket.subject)), body=mask_personal(clean_text(ticket.body)),
        product_field=ticket.product_field.strip(), order_field=ticket.order_field.strip(),
    )  # fmt: skip


def readable(ticket: RawTicket, fact: str) -> bool:
    """Whether an order number or an error code can be read in a ticket; case, spaces and hyphens do not count."""
    text, wanted = (re.sub(r"[\s-]", "", one).upper() for one in (ticket_text(ticket), fact))
    return wanted in text


# --- twice the same -------------------------------------------------------------------------------------------------


def exact_duplicates(texts: Sequence[str]) -> dict[int, int]:
    """The number of each text that was there before, with the number of the first text like it. Case and white space do not count.

    A text without words is nobody's duplicate.

    >>> exact_duplicates(["No lid.", "no  LID.", "No tray.", "No lid. "])
    {1: 0, 3: 0}
    """
    first: dict[str, int] = {}
    found = {}
    for number, text in enumerate(texts):
        form = " ".join(text.casefold().split())
        if form and first.setdefault(form, number) != number:
            found[number] = first[form]
    return found


def shingles(text: str, n: int = 3) -> set[tuple[str, ...]]:
    """All runs of ``n`` neighbouring words, in small letters; a shorter text is one run, an empty one has none.

    >>> sorted(shingles("The lid is gone", 3))
    [('lid', 'is', 'gone'), ('the', 'lid', 'is')]
    """
    words = text.casefold().split()
    return {tuple(words[start : start + n]) for start in range(max(len(words) - n + 1, 1))} if words else set()


def jaccard(one: str, other: str, n: int = 3) -> float:
    """The share of their shingles that two texts have in common, 0 to 1 (Broder 1997, resemblance); 0 where both are empty.

    >>> jaccard("the lid is gone", "the lid is here")
    0.3333333333333333
    """
    return _overlap(shingles(one, n), shingles(other, n))


def _overlap(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0


def jaccard_matrix(texts: Sequence[str], n: int = 3) -> np.ndarray:
    """:func:`jaccard` of every pair of texts, shape ``(len(texts), len(texts))``."""
    import numpy as np

    sets = [shingles(text, n) for text in texts]
    scores = np.array([[_overlap(one, other) if i < j else 0.0 for j, other in enumerate(sets)] for i, one in enumerate(sets)])
    return scores + scores.T + np.eye(len(sets))


def tfidf_matrix(texts: Sequence[str]) -> np.ndarray:
    """The cosine of every pair of texts, each a vector of TF-IDF weights (term frequencies damped by a logarithm)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    weights = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    return (weights @ weights.T).toarray()


def pairs_above(scores: np.ndarray, threshold: float) -> list[Pair]:
    """The pairs ``(i, j)`` with ``i < j`` whose score reaches the threshold; ``scores`` has shape ``(n, n)``."""
    import numpy as np

    rows, columns = np.nonzero(np.triu(scores, 1) >= threshold)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if i < j]


def known_pairs(gold: Sequence[GoldTicket]) -> set[Pair]:
    """The pairs of numbers that a careful person called the same complaint (``duplicate_of``)."""
    number = {ticket.id: n for n, ticket in enumerate(gold)}
    both = [(number[ticket.id], number[ticket.duplicate_of]) for ticket in gold if ticket.duplicate_of in number]
    return {(min(pair), max(pair)) for pair in both}


@dataclass(frozen=True)
class Search:
    """How a search for something did: how many it found, how many of these are right, how many there are to find."""

    right: int
    found: int
    there: int

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where there is nothing at all."""
        return 2 * self.right / max(self.found + self.there, 1)

    def __str__(self) -> str:
        parts = [f"{name} {_told(self.right, of)}" for name, of in (("precision", self.found), ("recall", self.there)) if of]
        return ", ".join(parts)


def _told(count: int, of: int) -> str:
    low, high = wilson_interval(count, of)
    return f"{count} of {of} = {count / of:.2f} ({low:.2f} to {high:.2f})"


def mark_pairs(found: Collection[Pair], known: Collection[Pair], rows: Collection[int]) -> Search:
    """Count the found pairs against the known ones, both of them only as far as they lie wholly in ``rows``.

    >>> print(mark_pairs([(0, 1), (0, 2)], {(0, 1), (5, 6)}, rows={0, 1, 2}))
    precision 1 of 2 = 0.50 (0.09 to 0.91), recall 1 of 1 = 1.00 (0.21 to 1.00)
    """
    inside = set(rows)
    mine, wanted = ({pair for pair in pairs if inside.issuperset(pair)} for pairs in (found, known))
    return Search(len(mine & wanted), len(mine), len(wanted))


def best_threshold(
    scores: np.ndarray,
    known: Collection[Pair],
    rows: Collection[int],
    thresholds: Sequence[float],
    ignored: Collection[Pair] = (),
) -> float:
    """The threshold whose pairs have the highest F1 among ``rows``; the lowest one on a tie. ``ignored`` pairs are left out."""
    left = set(ignored)
    return max(thresholds, key=lambda one: mark_pairs(set(pairs_above(scores, one)) - left, set(known) - left, rows).f1)


def repeats(tickets: Sequence[RawTicket], threshold: float = NEAR) -> dict[int, int]:
    """The number of each ticket that repeats an earlier one, exactly or nearly, with the number of that one.

    It looks at tickets *before* they are cleaned: a quoted earlier mail is what gives a second letter away.
    """
    found = exact_duplicates([ticket.body for ticket in tickets])
    for earlier, later in pairs_above(tfidf_matrix([ticket_text(ticket) for ticket in tickets]), threshold):
        found.setdefault(later, earlier)
    return dict(sorted(found.items()))


# --- labels that are wrong ------------------------------------------------------------------------------------------


def label_belief(vectors: np.ndarray, labels: Sequence[str], seed: int = 0, folds: int = 5) -> list[float]:
    """How much a model that has not seen a ticket believes its label: out-of-fold probabilities, 0 to 1.

    Logistic regression (scikit-learn's defaults) on ``vectors`` of shape ``(n, d)`` learns from the other folds. Small numbers are
    worth a look: so begins confident learning (Northcutt, Jiang & Chuang 2021, JAIR 70).
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    classes, known = np.unique(labels, return_inverse=True)
    cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    model = LogisticRegression(max_iter=1000)
    beliefs = cross_val_predict(model, vectors, known, cv=cut, method="predict_proba")
    assert beliefs.shape == (len(labels), len(classes))
    return [float(row[label]) for row, label in zip(beliefs, known, strict=True)]


def found_by_review(belief: Sequence[float], wrong: Sequence[bool], numbers: Sequence[int]) -> list[int]:
    """How many wrong labels a person meets among the first ``n`` reviewed, the least believed first; one count for each ``n``.

    >>> found_by_review([0.9, 0.1, 0.4], [False, True, True], [1, 2, 3])
    [1, 2, 2]
    """
    order = sorted(range(len(belief)), key=lambda row: (belief[row], row))
    return [sum(wrong[row] for row in order[:n]) for n in numbers]


def found_by_chance(wrong: int, total: int, n: int) -> tuple[float, int, int]:
    """The same for a review in random order: the mean, and the ends of the middle 95 % (hypergeometric distribution)."""
    from scipy.stats import hypergeom

    low, high = hypergeom(total, wrong, n).ppf([0.025, 0.975])
    return n * wrong / total, int(low), int(high)


# --- splits and leaks -----------------------------------------------------------------------------------------------


def group_split(groups: Sequence[str | None], wanted: int) -> tuple[list[int], list[int]]:
    """Rows for training and for the test, no group on both sides.

    Groups go to the test whole, in alphabetical order, until it has at least ``wanted`` rows; the rest is for training, and so is
    every row whose group is ``None``. Both lists are in ascending order.

    >>> group_split(["oven", "fan", None, "fan", "hob"], wanted=1)
    ([0, 2, 4], [1, 3])
    """
    test: list[int] = []
    for group in sorted({group for group in groups if group is not None}):
        if len(test) >= wanted:
            break
        test += [row for row, own in enumerate(groups) if own == group]
    return sorted(set(range(len(groups))) - set(test)), sorted(test)


def deal(groups: Sequence[str], seed: int, folds: int = 5) -> list[int]:
    """A fold for each row, drawn at random by group: rows of one group get the same."""
    import random

    names = sorted(set(groups))
    random.Random(seed).shuffle(names)
    fold = {name: number % folds for number, name in enumerate(names)}
    return [fold[group] for group in groups]


def across(pairs: Collection[Pair], sides: Sequence[object]) -> list[Pair]:
    """The pairs whose two rows lie on different sides of a split: what leaks."""
    return sorted((i, j) for i, j in pairs if sides[i] != sides[j])


def leaks(train: Sequence[str], test: Sequence[str], threshold: float = NEAR) -> list[tuple[int, int, float]]:
    """Where a test text nearly stands among the training texts: its number, that of the nearest one, and their TF-IDF cosine."""
    if not train or not test:
        return []
    scores = tfidf_matrix([*train, *test])[len(train) :, : len(train)]
    best = [(row, int(scores[row].argmax())) for row in range(len(test))]
    return [(row, near, float(scores[row, near])) for row, near in best if scores[row, near] >= threshold]


def marks_under(vectors: np.ndarray, labels: Sequence[str], folds: Sequence[int], kind: str = "nearest") -> list[bool]:
    """Whether each row is labelled right by a model that learned from the other folds.

    ``kind`` is ``"nearest"`` (the label of the nearest vector, by cosine) or ``"logistic"``. ``vectors`` has shape ``(n, d)``, each of
    length one.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    known, sides, right = np.array(labels), np.array(folds), np.zeros(len(labels), dtype=bool)
    for fold in np.unique(sides):
        train, test = sides != fold, sides == fold
        if kind == "nearest":
            guess = known[train][np.argmax(vectors[test] @ vectors[train].T, axis=1)]
        else:
            guess = LogisticRegression(max_iter=1000).fit(vectors[train], known[train]).predict(vectors[test])
        right[test] = guess == known[test]
    return [bool(one) for one in right]


def customers(gold: Sequence[GoldTicket]) -> list[str]:
    """For each ticket the id of the first one of the same customer about the same thing."""
    before = {ticket.id: ticket.duplicate_of for ticket in gold}
    first = []
    for ticket in gold:
        id = ticket.id
        while (earlier := before.get(id)) is not None:
            id = earlier
        first.append(id)
    return first


def by_group(runs: Sequence[Sequence[bool]], groups: Sequence[str]) -> list[float]:
    """The share right of each group over several runs, so that each customer counts once, however often they wrote.

    >>> by_group([[True, True, False]], ["ann", "ann", "bob"])
    [1.0, 0.0]
    """
    marks: dict[str, list[bool]] = {}
    for run in runs:
        for mark, group in zip(run, groups, strict=True):
            marks.setdefault(group, []).append(mark)
    return [sum(own) / len(own) for own in marks.values()]


def share_right(
    vectors: np.ndarray, labels: Sequence[str], groups: Sequence[str], counted: Sequence[str], kind: str, seeds: int = 5
) -> list[float]:
    """For each of ``counted`` (the customers, in order of appearance) the share labelled right, over folds dealt out by ``groups``."""
    return by_group([marks_under(vectors, labels, deal(groups, seed), kind) for seed in range(seeds)], counted)


# --- the result -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _kept() -> tuple[tuple[RawTicket, GoldTicket], ...]:
    raw = load_raw_tickets()
    again = repeats(raw)
    pairs = zip(raw, load_gold_tickets(), strict=True)
    return tuple((clean_ticket(ticket), gold) for number, (ticket, gold) in enumerate(pairs) if number not in again)


def prepared_tickets(split: str) -> list[tuple[RawTicket, GoldTicket]]:
    """The tickets of ``"train"``, ``"dev"`` or ``"exam"``: cleaned, masked, without repeats, each with its clean labels; by id.

    Repeats are those that :func:`repeats` finds, not those that the gold labels name, so a few are missed and a few are taken for one.

    Raises ``ValueError`` for any other split.
    """
    if split not in ("train", "dev", "exam"):
        raise ValueError(f"a split is train, dev or exam, not {split!r}")
    return [(ticket, gold) for ticket, gold in _kept() if split_of(gold) == split]


def training_tickets(count: int | None = None) -> list[tuple[RawTicket, GoldTicket]]:
    """All tickets to train on, in a fixed shuffled order: the prepared ones, and those that were labelled with care from the start.

    A ticket that mentions a product of dev or exam, even by the way, is left out. ``count`` takes the first so many, so that a smaller
    set is a part of every larger one.

    >>> len(training_tickets()), training_tickets(10) == training_tickets(20)[:10]
    (423, True)
    """
    pairs = [*prepared_tickets("train"), *((clean_ticket(ticket), gold) for ticket, gold in load_labelled_tickets())]
    kept_back = {gold.product.split("-")[0] for gold in load_gold_tickets() if gold.product and split_of(gold) != "train"}
    others = re.compile(rf"\b(?:{'|'.join(sorted(kept_back))})\b", re.IGNORECASE)
    pairs = [(ticket, gold) for ticket, gold in pairs if not others.search(f"{ticket_text(ticket)} {gold.reply}")]
    return random.Random(0).sample(pairs, len(pairs))[:count]


NAMES = tuple(
    """Heron Kestrel Curlew Rowan Birch Willow Maple Aspen Hazel Juniper Clover Thistle Bracken Sorrel Yarrow Tansy Campion Burdock
    Nettle Badger Hare Vole Shrew Weasel Polecat Beaver Lynx Pike Perch Tench Trout Grayling Minnow Loach Heath Moor Fell Dale Glen
    Loch Brook Burn Mere Fen Cove Reef Shoal Dune Crag Scree Cairn Flint Slate Shale Basalt Granite Quartz Agate Amber Coral Pearl
    Copper Pewter Cobalt Garnet Opal Topaz Comet Meteor Nova Orbit Mistral Sirocco Squall Gale Sleet Puffin Gull Petrel Siskin
    Bunting Dipper Knot Ruff Snipe Teal Smew Scoter Merlin Hobby Buzzard Magpie Jackdaw Raven Rook Starling Swallow Pipit Wagtail
    Larch Spruce Cedar Cypress Yew Holly Ivy Laurel Myrtle Bay Lime Walnut Chestnut Quince Medlar Damson Bullace Sloe""".split()
)
"""Invented product names: none is a product of Quillfeather."""


def renamed(
    pairs: Sequence[tuple[RawTicket, GoldTicket]], seed: int = 0, names: Sequence[str] = NAMES
) -> list[tuple[RawTicket, GoldTicket]]:
    """The tickets, each about a product with another, invented name and model number wherever it is named.

    With a dozen product names in training a model learns the dozen by heart. With a new name in every ticket only copying helps.
    """
    rng = random.Random(seed)
    return [(_with_name(ticket, gold, rng, names) if gold.product else (ticket, gold)) for ticket, gold in pairs]


def _with_name(ticket: RawTicket, gold: GoldTicket, rng: random.Random, names: Sequence[str]) -> tuple[RawTicket, GoldTicket]:
    assert gold.product is not None
    old, old_model = gold.product.split("-")
    new, model = rng.choice(names), f"{rng.choice('ABCDEFGHKLMNPRSTVWXZ')}{rng.randint(1, 9)}"

    def exchange(text: str) -> str:
        for before, after in ((old, new), (old_model, model)):
            text = re.sub(
                rf"(?<![A-Za-z0-9-]){before}(?![A-Za-z0-9])",
                lambda hit, after=after: after.lower() if hit[0].islower() else after.upper() if hit[0].isupper() else after,  # type: ignore[misc]
                text,
                flags=re.IGNORECASE,
            )
        return text

    parts = {name: exchange(getattr(ticket, name)) for name in ("subject", "body", "product_field")}
    return (
        replace(ticket, **parts),
        replace(gold, product=f"{new}-{model}".lower(), reply=exchange(gold.reply)),
    )


def training_labels(prompt: Sequence[int], answer: Sequence[int], length: int, filler: int) -> tuple[list[int], list[int]]:
    """Tokens and labels of one example, both ``length`` long: prompt, answer, then filler.

    The label of an answer's token is the token itself, that of every other place is -100, which the loss leaves out. It goes by place
    and not by token: the mark that ends the answer is trained on even where the filler is the same token.

    >>> training_labels([5, 6], [7, 2], length=6, filler=2)
    ([5, 6, 7, 2, 2, 2], [-100, -100, 7, 2, -100, -100])

    Raises ``ValueError`` where prompt and answer do not fit.
    """
    empty = length - len(prompt) - len(answer)
    if empty < 0:
        raise ValueError(f"{len(prompt) + len(answer)} tokens do not fit into {length}")
    return (
        [*prompt, *answer, *[filler] * empty],
        [*[IGNORED] * len(prompt), *answer, *[IGNORED] * empty],
    )


def training_examples(
    lm: LanguageModel,
    pairs: Sequence[tuple[RawTicket, GoldTicket]],
    system: str = SHORT_PROMPT,
    fields_weigh: float = FIELDS_WEIGH,
) -> list[Example]:
    """Chat-formatted examples, the desk's JSON as the answer and the loss on the answer alone; its fields weigh more than its reply."""
    made = []
    for ticket, gold in pairs:
        answer = house_json(ticket, gold)
        reply = answer.index('"reply"')
        weigh = partial(_weight, reply=reply, fields=fields_weigh) if fields_weigh != 1 else None
        made.append(make_example(lm, ticket_messages(ticket, system), answer, weigh=weigh))
    return made


def _weight(at: int, reply: int, fields: float) -> float:
    return fields if at < reply else 1.0
