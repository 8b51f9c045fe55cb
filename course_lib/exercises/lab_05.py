"""The exercises and the quiz of lab 05, keep it fresh."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ..evaluation.freshness import stale_share
from ..retrieval.live import changes
from ..retrieval.visible import may_see, valid_on
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

# --- 05.1 -----------------------------------------------------------------------------------------------------------

Prints = Mapping[str, str]
Todo = dict[str, list[str]]


def _everything_again(old: Prints, new: Prints) -> Todo:
    return changes(old, new) | {"update": sorted(old.keys() & new.keys())}


def _no_deletes(old: Prints, new: Prints) -> Todo:
    return changes(old, new) | {"delete": []}


def _ids_only(old: Prints, new: Prints) -> Todo:
    return changes(old, new) | {"update": []}


def _swapped(old: Prints, new: Prints) -> Todo:
    return changes(new, old)


def _updated_is_added(old: Prints, new: Prints) -> Todo:
    todo = changes(old, new)
    return todo | {"add": sorted(todo["add"] + todo["update"])}


def _updated_is_deleted(old: Prints, new: Prints) -> Todo:
    todo = changes(old, new)
    return todo | {"delete": sorted(todo["delete"] + todo["update"])}


def _as_given(old: Prints, new: Prints) -> Todo:
    return {
        "add": [id for id in new if id not in old],
        "update": [id for id in new if id in old and old[id] != new[id]],
        "delete": [id for id in old if id not in new],
    }


def _known_texts(old: Prints, new: Prints) -> Todo:
    todo = changes(old, new)
    return todo | {"add": [id for id in todo["add"] if new[id] not in old.values()]}


def _changes_by_loop(old: Prints, new: Prints) -> Todo:
    todo: Todo = {"add": [], "update": [], "delete": []}
    for id in sorted({*old, *new}):
        if id not in old:
            todo["add"].append(id)
        elif id not in new:
            todo["delete"].append(id)
        elif old[id] != new[id]:
            todo["update"].append(id)
    return todo


def _changes_by_items(old: Prints, new: Prints) -> Todo:
    gone = {id for id, _ in old.items() - new.items()}
    come = {id for id, _ in new.items() - old.items()}
    return {"delete": sorted(gone - come), "add": sorted(come - gone), "update": sorted(gone & come)}


@exercise("05.1", title="What has changed?", points=2, minutes=7, difficulty=1, function="changes")
class WhatHasChanged:
    """Add, update, delete: from the fingerprints of two collections."""

    reference = staticmethod(changes)
    public = [
        Case({"faq": "5c", "manual": "a1"}, {"faq": "5c", "manual": "b7"}, says="one document was edited"),
        Case({"returns-2025": "3e"}, {"returns-2026": "3f"}, says="one went, one came"),
        Case({"m": "1", "b": "2"}, {"z": "8", "m": "1", "c": "9", "b": "2"}, says="two are new, and not in order"),
        Case({"faq": "5c"}, {"faq": "5c", "faq-copy": "5c"}, says="a second document with the same text"),
        Case({"b": "1", "a": "2", "c": "3"}, {"b": "4", "a": "5", "c": "6"}, says="all were edited"),
        Case({"a": "1"}, {}, says="nothing is left"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random collections of up to eight documents with few different fingerprints; and empty ones."""
        cases = [Case({}, {})]
        for _ in range(10):
            ids = [f"{rng.choice(['manual', 'faq', 'policy'])}-{number}" for number in range(8)]
            old = {id: rng.choice("xyz") for id in rng.sample(ids, rng.randint(1, 7))}
            new = {id: rng.choice("xyz") for id in rng.sample(ids, rng.randint(1, 7))}
            cases.append(Case(old, new))
        return cases

    misconceptions = [
        Misconception(
            _everything_again,
            "You update every document that both have: one with the same fingerprint need not be embedded again.",
        ),
        Misconception(_no_deletes, "You delete nothing: what is no longer in new would be found for ever."),
        Misconception(_ids_only, "You compare ids alone: a document with the same id and another fingerprint was edited."),
        Misconception(_swapped, "You have it the wrong way round: what is only in new is added, what is only in old deleted."),
        Misconception(_updated_is_added, "A document that was edited is an update, not an addition too."),
        Misconception(_updated_is_deleted, "A document that was edited is an update, not a deletion too."),
        Misconception(_as_given, "Sort the ids of each list: dictionaries keep the order in which they were filled."),
        Misconception(
            _known_texts, "Documents are told apart by id: a new id is an addition even if another document has the same text."
        ),
    ]
    alternatives = [_changes_by_loop, _changes_by_items]
    hints = [
        "Three groups of ids: only in new, only in old, in both. Dictionary keys can be subtracted: new.keys() - old.keys().",
        "Of the ids in both (old.keys() & new.keys()) only those with old[id] != new[id] are updates.",
        "Return a dictionary with the keys 'add', 'update' and 'delete', each a sorted list.",
    ]


# --- 05.2 -----------------------------------------------------------------------------------------------------------

Dated = Sequence[Mapping[str, Any]]


def _held(
    begun: Callable[[Any, str], bool] = lambda first, day: first is None or first <= day,
    open: Callable[[Any, str], bool] = lambda last, day: last is None or day <= last,
) -> Callable[[Dated, str], list[str]]:
    """:func:`valid_on` with one of its two conditions exchanged."""

    def held(documents: Dated, day: str) -> list[str]:
        return [one["id"] for one in documents if begun(one["valid_from"], day) and open(one["valid_to"], day)]

    return held


def _named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = name
    return function


_excludes_last = _named("_excludes_last", _held(open=lambda last, day: last is None or day < last))
_excludes_first = _named("_excludes_first", _held(begun=lambda first, day: first is None or first < day))
_no_start_is_never = _named("_no_start_is_never", _held(begun=lambda first, day: first is not None and first <= day))
_no_end_is_never = _named("_no_end_is_never", _held(open=lambda last, day: last is not None and day <= last))
_ignores_start = _named("_ignores_start", _held(begun=lambda first, day: True))
_ignores_end = _named("_ignores_end", _held(open=lambda last, day: True))


def _years(documents: Dated, day: str) -> list[str]:
    cut = [one | {"valid_from": (one["valid_from"] or "0")[:4], "valid_to": (one["valid_to"] or "9")[:4]} for one in documents]  # type: ignore[operator]
    return valid_on(cut, day[:4])


def _sorted_ids(documents: Dated, day: str) -> list[str]:
    return sorted(valid_on(documents, day))


def _whole_documents(documents: Dated, day: str) -> list[Any]:
    held = valid_on(documents, day)
    return [one for one in documents if one["id"] in held]


def _valid_by_defaults(documents: Dated, day: str) -> list[str]:
    found = []
    for one in documents:
        first = one["valid_from"] if one["valid_from"] is not None else "0000-00-00"
        last = one["valid_to"] if one["valid_to"] is not None else "9999-99-99"
        if first <= day <= last:
            found.append(one["id"])
    return found


def _valid_by_dates(documents: Dated, day: str) -> list[str]:
    import datetime

    def parsed(text: str | None, default: datetime.date) -> datetime.date:
        return datetime.date.fromisoformat(text) if text else default

    at = datetime.date.fromisoformat(day)
    outside = [
        one["id"]
        for one in documents
        if at < parsed(one["valid_from"], datetime.date.min) or at > parsed(one["valid_to"], datetime.date.max)
    ]
    return [one["id"] for one in documents if one["id"] not in outside]


def _dated(*rows: tuple[str, str | None, str | None]) -> list[dict[str, Any]]:
    return [{"id": id, "valid_from": first, "valid_to": last} for id, first, last in rows]


_POLICIES = _dated(("returns-2025", "2025-01-01", "2025-12-31"), ("returns-2026", "2026-01-01", None))


@exercise("05.2", title="What held on that day?", points=2, minutes=7, difficulty=2, function="valid_on")
class WhatHeldOnThatDay:
    """Documents that hold on a day: both ends included, no bound where there is none."""

    reference = staticmethod(valid_on)
    public = [
        Case(_POLICIES, "2025-06-15", says="in the middle of the first year"),
        Case(_POLICIES, "2025-12-31", says="the last day of the old one"),
        Case(_POLICIES, "2026-01-01", says="the first day of the new one"),
        Case(_dated(("z", None, "2025-06-30"), ("a", "2025-03-01", None)), "2025-05-01", says="bounds that are missing"),
        Case(_dated(("z", None, "2025-06-30"), ("a", "2025-03-01", None)), "2025-08-01", says="later in the same year"),
        Case(_dated(("about", None, None)), "2031-01-01", says="a document without any dates"),
        Case(_dated(("promotion", "2025-11-15", "2025-12-24")), "2025-02-01", says="not begun yet"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Documents with random bounds and without, on days at, before, between and after the bounds; no documents."""
        day = f"2025-0{rng.randint(2, 8)}-1{rng.randint(0, 9)}"
        before, after = f"2025-01-0{rng.randint(1, 9)}", f"2025-1{rng.randint(0, 2)}-2{rng.randint(0, 8)}"
        bounds = [(first, last) for first in (None, before, day, after) for last in (None, before, day, after)]
        rows = [(f"{rng.choice('abcxyz')}-{number}", *bound) for number, bound in enumerate(bounds)]
        rng.shuffle(rows)
        return [
            Case(_dated(*rows), day),
            Case(_dated(*rows), before),
            Case(_dated(*rows[: rng.randint(1, 15)]), after),
            Case([], day),
        ]

    misconceptions = [
        Misconception(_excludes_last, "A document still holds on its last day: compare with <=."),
        Misconception(_excludes_first, "A document holds from its first day on, that day included."),
        Misconception(_no_start_is_never, "valid_from None means that it has always held, not that it never does."),
        Misconception(_no_end_is_never, "valid_to None means that it holds until further notice, not that it never does."),
        Misconception(
            _ignores_start, "You do not look at valid_from: what begins to hold next month would be told to customers today."
        ),
        Misconception(_ignores_end, "You do not look at valid_to: what has ended would be told to customers for ever."),
        Misconception(_years, "You compare years: a document can begin or end in the middle of one."),
        Misconception(_sorted_ids, "Keep the order in which the documents were given."),
        Misconception(_whole_documents, "Return the ids, not the documents."),
    ]
    alternatives = [_valid_by_defaults, _valid_by_dates]
    hints = [
        "Days written as YYYY-MM-DD compare correctly as strings: '2025-12-31' < '2026-01-01'.",
        "Two conditions must hold: it has begun (valid_from is None or valid_from <= day), and it has not ended.",
        "[one['id'] for one in documents if … and …] keeps the order.",
    ]


# --- 05.3 -----------------------------------------------------------------------------------------------------------

Rankings = Sequence[Sequence[str]]
Ids = Sequence[Collection[str]]


def _at(ranking: Sequence[str], wanted: Collection[str]) -> int | None:
    return next((place for place, name in enumerate(ranking) if name in wanted), None)


def _share(misled: Callable[[Sequence[str], Collection[str], Collection[str]], bool]) -> Callable[[Rankings, Ids, Ids], float]:
    def share(rankings: Rankings, stale: Ids, current: Ids) -> float:
        return sum(misled(*one) for one in zip(rankings, stale, current, strict=True)) / len(rankings)

    return share


_anywhere = _named("_anywhere", _share(lambda ranking, stale, current: _at(ranking, stale) is not None))
_first_place_only = _named("_first_place_only", _share(lambda ranking, stale, current: bool(ranking) and ranking[0] in stale))
_not_current_first = _named("_not_current_first", _share(lambda ranking, stale, current: _at(ranking, current) != 0))


def _both_above(ranking: Sequence[str], stale: Collection[str], current: Collection[str]) -> bool:
    old, new = _at(ranking, stale), _at(ranking, current)
    return old is not None and new is not None and old < new


_needs_both = _named("_needs_both", _share(_both_above))


def _only_where_both(rankings: Rankings, stale: Ids, current: Ids) -> float:
    asked = [one for one in zip(rankings, stale, current, strict=True) if _at(one[0], one[1]) is not None]
    return sum(_both_above(*one) or _at(one[0], one[2]) is None for one in asked) / max(len(asked), 1)


def _counts(rankings: Rankings, stale: Ids, current: Ids) -> float:
    return stale_share(rankings, stale, current) * len(rankings)


def _last_stale(ranking: Sequence[str], stale: Collection[str], current: Collection[str]) -> bool:
    old = [place for place, name in enumerate(ranking) if name in stale]
    new = _at(ranking, current)
    return bool(old) and (new is None or max(old) < new)


_compares_last = _named("_compares_last", _share(_last_stale))


def _turned_round(rankings: Rankings, stale: Ids, current: Ids) -> float:
    return 1 - stale_share(rankings, stale, current)


def _stale_by_positions(rankings: Rankings, stale: Ids, current: Ids) -> float:
    misled = 0
    for ranking, old, new in zip(rankings, stale, current, strict=True):
        first_old = min((ranking.index(name) for name in old if name in ranking), default=len(ranking))
        first_new = min((ranking.index(name) for name in new if name in ranking), default=len(ranking))
        misled += first_old < first_new
    return misled / len(rankings)


def _stale_by_walking(rankings: Rankings, stale: Ids, current: Ids) -> float:
    verdicts = []
    for number, ranking in enumerate(rankings):
        verdict = 0.0
        for name in ranking:
            if name in current[number]:
                break
            if name in stale[number]:
                verdict = 1.0
                break
        verdicts.append(verdict)
    return sum(verdicts) / len(verdicts)


@exercise("05.3", title="How often does the old stand first?", points=3, minutes=8, difficulty=3, function="stale_share")
class HowOftenDoesTheOldStandFirst:
    """The share of questions that a stale passage answers before the current one."""

    reference = staticmethod(stale_share)
    public = [
        Case([["old", "new"], ["new", "old"]], [["old"], ["old"]], [["new"], ["new"]], says="once before, once behind"),
        Case([["other", "old", "new"]], [["old"]], [["new"]], says="not in first place, but before the current one"),
        Case([["old", "other"], ["other"]], [["old"], ["old"]], [["new"], ["new"]], says="the current one was not found"),
        Case([["other"], []], [["old"], ["old"]], [["new"], ["new"]], says="neither was found"),
        Case([["o1", "new", "o2"]], [["o1", "o2"]], [["new", "n2"]], says="two stale passages, one on either side"),
        Case([["new"], ["other", "old"], ["old", "new"], ["new", "x"]], [["old"]] * 4, [["new"]] * 4, says="four questions"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random rankings with one or two stale and current passages, some of them not found; and stale ones on either side."""
        cases = []
        for _ in range(8):
            rankings, stale, current = [], [], []
            for _ in range(rng.randint(2, 7)):
                ids = rng.sample([f"p{number}" for number in range(12)], 9)
                stale.append(ids[: rng.randint(1, 2)])
                current.append(ids[2 : rng.randint(3, 4)])
                rankings.append(rng.sample(ids, rng.randint(0, 7)))
            cases.append(Case(rankings, stale, current))
        names = rng.sample([f"p{number}" for number in range(12)], 5)
        around = Case(
            [[names[0], names[1], names[2], names[3]], [names[4]]], [[names[3], names[1]], ["q"]], [[names[2]], [names[4]]]
        )
        return [*cases, around]

    misconceptions = [
        Misconception(
            _anywhere, "A stale passage behind the current one does not count: who reads from the top has the right one by then."
        ),
        Misconception(
            _first_place_only,
            "The stale passage need not be in first place: it counts wherever it stands before the current one.",
        ),
        Misconception(
            _not_current_first, "That the current one is not first says nothing: what stands before it may not be stale."
        ),
        Misconception(
            _needs_both, "Where the current passage was not found and a stale one was, the reader is misled: that counts."
        ),
        Misconception(_only_where_both, "Divide by all questions, also those for which nothing stale was found."),
        Misconception(_counts, "Return the share, 0 to 1: divide by the number of questions."),
        Misconception(_compares_last, "One stale passage before the current one is enough, wherever the others stand."),
        Misconception(_turned_round, "This is the share of questions that were not misled."),
    ]
    alternatives = [_stale_by_positions, _stale_by_walking]
    hints = [
        "For one question: go down the ranking until you meet the first passage that is stale or current. Which of the two is it?",
        "next((name for name in ranking if name in old or name in new), None) is that passage, or None.",
        "Count the questions for which it is stale, and divide by len(rankings). zip(rankings, stale, current) goes through all three.",
    ]


# --- 05.4 -----------------------------------------------------------------------------------------------------------

Passage = Mapping[str, Any]


def _names(metadata: Passage) -> list[str]:
    audience = metadata.get("audience") or []
    return [audience] if isinstance(audience, str) else list(audience)


def _open_by_default(metadata: Passage, groups: Sequence[str]) -> bool:
    return not _names(metadata) or may_see(metadata, groups)


def _must_have_key(metadata: Passage, groups: Sequence[str]) -> bool:
    return "audience" not in metadata or may_see(metadata, groups)


def _substring(metadata: Passage, groups: Sequence[str]) -> bool:
    audience = metadata.get("audience") or []
    return "customer" in audience or any(group in audience for group in groups)


def _all_groups(metadata: Passage, groups: Sequence[str]) -> bool:
    names = _names(metadata)
    return bool(names) and ("customer" in names or all(name in groups for name in names))


def _own_only(metadata: Passage, groups: Sequence[str]) -> bool:
    return any(name in groups for name in _names(metadata))


def _staff_sees_all(metadata: Passage, groups: Sequence[str]) -> bool:
    return "staff" in groups or may_see(metadata, groups)


def _customers_only(metadata: Passage, groups: Sequence[str]) -> bool:
    return "customer" in _names(metadata)


def _first_name(metadata: Passage, groups: Sequence[str]) -> bool:
    return may_see({"audience": _names(metadata)[:1]}, groups)


def _may_see_by_sets(metadata: Passage, groups: Sequence[str]) -> bool:
    audience = metadata.get("audience")
    allowed = {audience} if isinstance(audience, str) else set(audience or ())
    return not allowed.isdisjoint({"customer", *groups})


def _may_see_by_steps(metadata: Passage, groups: Sequence[str]) -> bool:
    audience = metadata.get("audience", None)
    if audience is None:
        return False
    if isinstance(audience, str):
        return audience == "customer" or audience in list(groups)
    for name in audience:
        if name == "customer" or name in list(groups):
            return True
    return False


@exercise("05.4", title="Who may see it?", points=2, minutes=6, difficulty=2, function="may_see")
class WhoMaySeeIt:
    """An audience against somebody's groups; closed where nothing is said."""

    reference = staticmethod(may_see)
    public = [
        Case({"audience": "customer"}, [], says="for everybody"),
        Case({"audience": "customer"}, ["staff"], says="staff may read what everybody may"),
        Case({"audience": "staff"}, [], says="a staff note, read by a customer"),
        Case({"audience": "staff"}, ["bench", "staff"], says="a staff note, read by staff"),
        Case({"audience": "staff-leads"}, ["staff"], says="a name that only begins alike"),
        Case({"audience": ["legal", "bench"]}, ["bench"], says="one of two groups is enough"),
        Case({"audience": ["legal", "customer"]}, [], says="everybody is in the list"),
        Case({"title": "Goodwill"}, ["staff"], says="no word about its audience"),
        Case({"audience": None}, ["bench"], says="an audience that was left empty"),
        Case({"audience": []}, ["bench"], says="an empty list"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Every kind of audience against every kind of reader, with names that hold each other."""
        group, other = rng.sample(["bench", "legal", "repair", "depot"], 2)
        audiences: list[Any] = [
            "customer",
            group,
            f"{group}-leads",
            [other, group],
            [group, other],
            ["x", "customer"],
            "",
            None,
            [],
        ]
        cases = [Case({"audience": one}, readers) for one in audiences for readers in ([], [group], ["staff"], [other, "x"])]
        rng.shuffle(cases)
        return [*cases, Case({}, [group]), Case({"kind": "manual"}, [])]

    misconceptions = [
        Misconception(
            _open_by_default, "Nothing said about the audience means nobody: a forgotten field must not publish an internal note."
        ),
        Misconception(_must_have_key, "A missing audience means nobody, just as an empty one does."),
        Misconception(
            _substring,
            "in on a string looks for a part of it: 'staff' in 'staff-leads' is True. Compare whole names, also of one string.",
        ),
        Misconception(_all_groups, "One of the groups is enough; you ask for all of them."),
        Misconception(_own_only, "What is for 'customer' is for everybody, also for those in no group."),
        Misconception(_staff_sees_all, "'staff' is a group like any other: it does not open what is meant for another group."),
        Misconception(_customers_only, "Nobody but everybody: those who are in a named group may see it too."),
        Misconception(_first_name, "You look at the first name of the list only."),
    ]
    alternatives = [_may_see_by_sets, _may_see_by_steps]
    hints = [
        "Turn the audience into a list of names first: a string becomes a list of one, a missing or empty one becomes [].",
        "metadata.get('audience') or [] gives [] for a missing key, for None and for ''.",
        "any(name == 'customer' or name in groups for name in names) is False for an empty list.",
    ]


# --- quiz -----------------------------------------------------------------------------------------------------------

add_quiz(
    "05",
    [
        QuizQuestion(
            "Legal deletes a document at noon. At one, the assistant quotes it. Where do you look first?",
            [
                Option(
                    "In the database: the delete was slow.",
                    False,
                    "A committed delete is seen by the very next search. An hour is not a slow delete.",
                ),
                Option(
                    "At copies: an index in memory, a cache of answers, an export.",
                    True,
                    "Whatever was computed from the document yesterday still holds it. List the copies before you promise deletion.",
                ),
                Option(
                    "At the model, which must have learned it.",
                    False,
                    "The model's weights were never changed. It can only have seen the words in its prompt.",
                ),
            ],
        ),
        QuizQuestion(
            "A bulletin corrects one sentence of a manual that is otherwise in force. You filter by validity. Is the old sentence gone?",
            [
                Option(
                    "Yes: the filter keeps only what holds.",
                    False,
                    "The manual holds, so the filter keeps it, with the wrong sentence in it. You measured how often it is found.",
                ),
                Option(
                    "No: a document-wide date cannot say that one sentence has ended.",
                    True,
                    "Edit the manual, or make search know what overrules what. Dates on documents are too coarse.",
                ),
                Option(
                    "It depends on the embedding model.", False, "No embedding tells which of two similar sentences is in force."
                ),
            ],
        ),
        QuizQuestion(
            "Customers must not see staff notes. Which of these still holds when a new developer forgets one argument?",
            [
                Option(
                    "A filter that every search call passes.",
                    False,
                    "Until one call does not. You counted how many questions would then bring up a staff note.",
                ),
                Option(
                    "Row-level security: the database applies the rule to the role.",
                    True,
                    "The rule is where the rows are. A forgotten filter then shows nothing more than the role may see.",
                ),
                Option(
                    "A sentence in the prompt: do not reveal staff notes.",
                    False,
                    "A request, not a rule. What is in the prompt can come out of it.",
                ),
            ],
        ),
        QuizQuestion(
            "Search is fast, and recall without a filter is fine. With a filter for one small tenant, hits go missing. Why?",
            [
                Option(
                    "The tenant's passages are badly embedded.",
                    False,
                    "Exact search over the same vectors finds them, so the vectors are not to blame.",
                ),
                Option(
                    "The approximate index proposes its candidates first, and the filter then throws most of them away.",
                    True,
                    "An iterative scan goes on until enough candidates have passed. Measure recall with the filters that you use.",
                ),
                Option("The filter is applied twice.", False, "Applying it twice would change nothing."),
            ],
        ),
    ],
)
