"""The exercises and the quiz of lab 08, can it learn facts?"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby

from ..evaluation.memory import by_edition, forgotten, guess_bar, says_one_of, stale_days
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

# --- 08.1 -----------------------------------------------------------------------------------------------------------

Words = Sequence[str]


def _by_kind(kinds: Words, answers: Words) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for kind, answer in zip(kinds, answers, strict=True):
        groups.setdefault(kind, []).append(answer)
    return groups


def _most(answers: Words) -> int:
    return max(Counter(answers).values())


def _one_for_all(kinds: Words, answers: Words) -> float:
    return guess_bar(["all" for _ in kinds], answers)


def _mean_of_kinds(kinds: Words, answers: Words) -> float:
    shares = [_most(group) / len(group) for group in _by_kind(kinds, answers).values()]
    return sum(shares) / len(shares) if shares else 0.0


def _by_chance(kinds: Words, answers: Words) -> float:
    right = sum(len(group) / len(set(group)) for group in _by_kind(kinds, answers).values())
    return right / len(kinds) if kinds else 0.0


def _alike_is_equal(kinds: Words, answers: Words) -> float:
    return guess_bar(kinds, [answer.strip().lower() for answer in answers])


def _how_many(kinds: Words, answers: Words) -> float:
    return guess_bar(kinds, answers) * len(kinds)


def _neighbours(kinds: Words, answers: Words) -> float:
    pairs = list(zip(kinds, answers, strict=True))
    groups = [[answer for _, answer in group] for _, group in groupby(pairs, key=lambda pair: pair[0])]
    return sum(map(_most, groups)) / len(pairs) if pairs else 0.0


def _last_of_the_alphabet(kinds: Words, answers: Words) -> float:
    right = sum(group.count(max(group)) for group in _by_kind(kinds, answers).values())
    return right / len(kinds) if kinds else 0.0


def _only_repeated(kinds: Words, answers: Words) -> float:
    right = sum(_most(group) for group in _by_kind(kinds, answers).values() if _most(group) > 1)
    return right / len(kinds) if kinds else 0.0


def _cut_short(kinds: Words, answers: Words) -> float:
    count = min(len(kinds), len(answers))
    return guess_bar(kinds[:count], answers[:count])


def _bar_without_questions(kinds: Words, answers: Words) -> float:
    return sum(_most(group) for group in _by_kind(kinds, answers).values()) / len(kinds)


def _bar_by_pairs(kinds: list[str], answers: list[str]) -> float:
    if len(kinds) != len(answers):
        raise ValueError("lengths")
    best: dict[str, int] = {}
    for (kind, _), count in Counter(zip(kinds, answers, strict=True)).items():
        best[kind] = max(count, best.get(kind, 0))
    return sum(best.values()) / max(1, len(kinds))


def _bar_by_guessing(kinds: list[str], answers: list[str]) -> float:
    pairs = list(zip(kinds, answers, strict=True))
    if not pairs:
        return 0.0
    right = 0
    for kind in set(kinds):
        own = [answer for other, answer in pairs if other == kind]
        guess = max(sorted(set(own)), key=own.count)
        right += sum(answer == guess for answer in own)
    return right / len(pairs)


@exercise("08.1", title="The bar to beat", points=2, minutes=8, difficulty=2, function="guess_bar")
class TheBarToBeat:
    """The score of a guesser who knows the answers of each kind, but not which is whose."""

    reference = staticmethod(guess_bar)
    public = [
        Case(
            ["interval", "interval", "interval", "price", "price"],
            ["4 weeks", "8 weeks", "4 weeks", "£24", "£24"],
            says="two kinds, each with a favourite",
        ),
        Case(
            ["price", "interval", "price", "interval", "price", "price"],
            ["£9", "4 weeks", "£24", "4 weeks", "£24", "£31"],
            says="the kinds are mixed",
        ),
        Case(["date", "date", "date", "part"], ["1 May", "2 June", "3 July", "QF-11"], says="no answer comes twice"),
        Case(["word", "word", "word"], ["Green", "green", "red"], says="answers are compared as they are"),
        Case(["part", "part", "date", "date"], ["12", "12", "12", "30"], says="one answer in two kinds"),
        Case(["part", "part"], ["QF-11"], says="an answer is missing"),
        Case([], [], says="no questions"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random questions of two to four kinds, mixed; answers that differ in case; no questions, and an answer too few."""
        cases = [Case([], []), Case(["date", "date"], ["1 May"]), Case(["date"], ["1 May", "2 June"])]
        cases.append(Case(["word"] * 4, ["Red", "red", rng.choice(["Red", "green"]), "blue"]))
        pool = ["12", "30", "45 s", "45 S", "green", "Green", "QF-11", "QF-12"]
        for _ in range(9):
            names = rng.sample(["interval", "price", "part", "date", "word"], rng.randint(2, 4))
            kinds = [rng.choice([names[0], *names]) for _ in range(rng.randint(4, 12))]
            cases.append(Case(kinds, [rng.choice(pool[: rng.choice([4, 6, 8])]) for _ in kinds]))
        return cases

    misconceptions = [
        Misconception(
            _one_for_all, "You give one answer to all questions: a guesser hears the kind, and has an answer for each."
        ),
        Misconception(
            _mean_of_kinds, "You take the mean over kinds: a kind with many questions must weigh more. Count questions."
        ),
        Misconception(_by_chance, "You pick an answer of the kind by chance: the guesser says the most frequent one every time."),
        Misconception(_alike_is_equal, "You make answers alike before you compare: here 'Green' and 'green' are two answers."),
        Misconception(_how_many, "That is how many are right: divide by the number of all questions."),
        Misconception(_neighbours, "You group neighbours only: questions of a kind may stand apart. Collect them first."),
        Misconception(
            _last_of_the_alphabet,
            "max of the answers is the last in the alphabet: you want the one that comes most often, with key=….count.",
        ),
        Misconception(
            _only_repeated, "Where all answers of a kind differ you count nothing: the guess is still right once, so count 1."
        ),
        Misconception(_cut_short, "Where an answer is missing nothing can be counted: raise ValueError."),
        Misconception(_bar_without_questions, "Without questions you divide by zero: return 0.0."),
    ]
    alternatives = [_bar_by_pairs, _bar_by_guessing]
    hints = [
        "Check the lengths. Then collect the answers of each kind in a dictionary: by_kind.setdefault(kind, []).append(answer).",
        "A kind adds as many right questions as its most frequent answer has: max(Counter(own).values()).",
        "Add these numbers up over the kinds, divide by len(kinds), and think of the empty list.",
    ]


# --- 08.2 -----------------------------------------------------------------------------------------------------------

Spellings = Sequence[Sequence[str]]
Counts = dict[str, int]


def _flat(text: str) -> str:
    return " ".join(text.lower().split())


def _counted(says: Callable[[str, Sequence[str]], bool]) -> Callable[[Words, Spellings, Spellings], Counts]:
    """A function that counts by edition with its own idea of when an answer says something."""

    def count(answers: Words, old: Spellings, new: Spellings) -> Counts:
        counts = {"old": 0, "new": 0, "both": 0, "neither": 0}
        for answer, before, now in zip(answers, old, new, strict=True):
            name = {(True, False): "old", (False, True): "new", (True, True): "both"}
            counts[name.get((says(answer, before), says(answer, now)), "neither")] += 1
        return counts

    count.__name__ = says.__name__
    return count


def _inside_words(answer: str, spellings: Sequence[str]) -> bool:
    return any(_flat(spelling) in _flat(answer) for spelling in spellings)


def _with_case(answer: str, spellings: Sequence[str]) -> bool:
    text = " ".join(answer.split())
    return any(re.search(rf"(?<![^\W_]){re.escape(spelling)}(?![^\W_])", text) for spelling in spellings)


def _space_as_it_is(answer: str, spellings: Sequence[str]) -> bool:
    return any(re.search(rf"(?<![^\W_]){re.escape(one.lower())}(?![^\W_])", answer.lower()) for one in spellings)


def _first_spelling(answer: str, spellings: Sequence[str]) -> bool:
    return says_one_of(answer, spellings[:1])


def _nothing_else(answer: str, spellings: Sequence[str]) -> bool:
    return _flat(answer) in [_flat(spelling) for spelling in spellings]


def _spaces_around(answer: str, spellings: Sequence[str]) -> bool:
    return any(f" {_flat(spelling)} " in f" {_flat(answer)} " for spelling in spellings)


def _word_boundary(answer: str, spellings: Sequence[str]) -> bool:
    return any(re.search(rf"\b{re.escape(_flat(spelling))}\b", _flat(answer)) for spelling in spellings)


def _as_a_pattern(answer: str, spellings: Sequence[str]) -> bool:
    return any(re.search(rf"(?<![^\W_]){_flat(spelling)}(?![^\W_])", _flat(answer)) for spelling in spellings)


def _stands_at(text: str, start: int, end: int) -> bool:
    return not (text[:start][-1:].isalnum() or text[end:][:1].isalnum())


def _first_place(answer: str, spellings: Sequence[str]) -> bool:
    text = _flat(answer)
    places = [(text.find(_flat(one)), len(_flat(one))) for one in spellings]
    return any(start >= 0 and _stands_at(text, start, start + length) for start, length in places)


def _old_wins(answers: Words, old: Spellings, new: Spellings) -> Counts:
    counts = by_edition(answers, old, new)
    return counts | {"old": counts["old"] + counts["both"], "both": 0}


def _counted_thrice(answers: Words, old: Spellings, new: Spellings) -> Counts:
    counts = by_edition(answers, old, new)
    return counts | {"old": counts["old"] + counts["both"], "new": counts["new"] + counts["both"]}


def _without_zeros(answers: Words, old: Spellings, new: Spellings) -> Counts:
    return {name: count for name, count in by_edition(answers, old, new).items() if count}


def _edition_by_hand(answers: list[str], old: list[list[str]], new: list[list[str]]) -> dict[str, int]:
    def says(answer: str, spellings: list[str]) -> bool:
        text = " ".join(answer.lower().split())
        for spelling in (" ".join(one.lower().split()) for one in spellings):
            start = text.find(spelling)
            while start >= 0:
                end = start + len(spelling)
                free_before = start == 0 or not text[start - 1].isalnum()
                if free_before and (end == len(text) or not text[end].isalnum()):
                    return True
                start = text.find(spelling, start + 1)
        return False

    found = [(says(answer, old[n]), says(answer, new[n])) for n, answer in enumerate(answers)]
    return {
        "neither": found.count((False, False)),
        "both": found.count((True, True)),
        "old": found.count((True, False)),
        "new": found.count((False, True)),
    }


def _edition_by_pattern(answers: list[str], old: list[list[str]], new: list[list[str]]) -> dict[str, int]:
    counts = Counter({"old": 0, "new": 0, "both": 0, "neither": 0})
    for answer, *editions in zip(answers, old, new, strict=True):
        said = []
        for name, spellings in zip(("old", "new"), editions, strict=True):
            choices = "|".join(r"\s+".join(map(re.escape, spelling.split())) for spelling in spellings)
            if choices and re.search(rf"(?:^|[\W_])(?:{choices})(?:[\W_]|$)", answer, flags=re.IGNORECASE):
                said.append(name)
        counts["both" if len(said) == 2 else said[0] if said else "neither"] += 1
    return dict(counts)


@exercise("08.2", title="Old, new, or neither", points=2, minutes=7, difficulty=2, function="by_edition")
class OldNewOrNeither:
    """Whether answers say what held before a change or what holds now."""

    reference = staticmethod(by_edition)
    public = [
        Case(
            ["Every 80 brews.", "60 brews", "I am not sure."],
            [["80 brews"], ["80 brews"], ["80 brews"]],
            [["60 brews"], ["60 brews"], ["60 brews"]],
            says="one old, one new, one neither",
        ),
        Case(["It was 80 brews, now it is 60 brews."], [["80 brews"]], [["60 brews"]], says="both in one answer"),
        Case(
            ["After 160 min.", "60 minutes"],
            [["60 min"], ["60 min"]],
            [["90 min"], ["90 min"]],
            says="inside words",
        ),
        Case(["EIGHTY BREWS, madam."], [["80 brews", "eighty brews"]], [["60 brews", "sixty brews"]], says="the second spelling"),
        Case(["Order qf-1128."], [["QF-1122"]], [["QF-1128"]], says="case does not count"),
        Case(["every 5\nweeks", "5   weeks"], [["8 weeks"], ["8 weeks"]], [["5 weeks"], ["5 weeks"]], says="white space"),
        Case(
            ["It is £45.", "A filter costs £4!"], [["£45"], ["£4"]], [["£52"], ["£5"]], says="a spelling that begins with a sign"
        ),
        Case(["The cable is 125 m long."], [["1.5 m"]], [["2.5 m"]], says="a full stop is a full stop"),
        Case(["Not 1120 ml but 120 ml, please."], [["90 ml"]], [["120 ml"]], says="first inside a word, then on its own"),
        Case(["30 days"], [["30 days"]], [[]], says="nothing is accepted as new"),
        Case([], [], [], says="no answers"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random numbers of days, litres, pounds and metres in several forms of answer; and no answers."""
        one, two, third = rng.sample(range(11, 50), 3)
        whole, tenth = rng.randint(1, 8), rng.randint(1, 8)
        cases = [
            Case([], [], []),
            Case([f"£{one}, I think."], [[f"£{one}"]], [[f"£{two}"]]),
            Case([f"It is {whole}{rng.randint(0, 9)}{tenth} m."], [[f"{whole}.{tenth} m"]], [[f"{whole}.9 m"]]),
            Case([f"Not 1{two} ml, {two} ml."], [[f"{one} ml"]], [[f"{two} ml"]]),
            Case([f"{one} days, and {two} days since May."], [[f"{one} days"]], [[f"{two} days"]]),
            Case([f"every {one}\nDAYS", f"{two}  days"], [[f"{two} days"]] * 2, [[f"{third} days", f"{one} days"]] * 2),
            Case([f"about 1{one} min", f"{one} minutes"], [[f"{one} min"]] * 2, [[f"{two} min"]] * 2),
        ]
        for _ in range(6):
            unit = rng.choice(["days", "litres", "brews"])
            answers, old, new = [], [], []
            for _ in range(rng.randint(4, 8)):
                one, two = rng.sample(range(11, 50), 2)
                said = rng.choice([one, two, two, rng.randint(51, 99)])
                form = rng.choice(
                    [
                        "{said} {unit}", "Every {said}  {unit}.", "After {said}\n{unit}, as a rule.", "{said} {UNIT}",
                        "It is 1{said} {unit}.", "It is {said} {unit}!", "{one} {unit}, now {two} {unit}", "I cannot say.", "({said})",
                    ]
                )  # fmt: skip
                answers.append(form.format(said=said, unit=unit, UNIT=unit.upper(), one=one, two=two))
                old.append([f"{one} {unit}", f"({one})"])
                new.append([f"{two} {unit}", f"({two})"][: rng.choice([0, 2, 2, 2, 2])])
            cases.append(Case(answers, old, new))
        return cases

    misconceptions = [
        Misconception(_counted(_inside_words), "You find '60 days' inside '160 days': no letter or digit may stand next to it."),
        Misconception(_counted(_with_case), "Case counts in your search: 'qf-1128' says QF-1128 too."),
        Misconception(
            _counted(_space_as_it_is), "A line break or several spaces hide a spelling from you: make each run one space."
        ),
        Misconception(_counted(_first_spelling), "You try the first spelling only: any of the list will do."),
        Misconception(_counted(_nothing_else), "You want the answer to be the spelling alone: it may stand in a sentence."),
        Misconception(
            _counted(_spaces_around),
            "You want a space on either side: a comma or a full stop may follow, only letters and digits not.",
        ),
        Misconception(
            _counted(_word_boundary),
            r"\b is the edge of a word, and a sign such as £ is no word: say instead that no letter or digit comes before or after.",
        ),
        Misconception(
            _counted(_as_a_pattern), "A dot in a spelling is any sign to a regular expression: put re.escape round the spelling."
        ),
        Misconception(_counted(_first_place), "You look at the first place only: the spelling may stand on its own further on."),
        Misconception(_old_wins, "You call it old before you look for the new: where an answer says both, count both."),
        Misconception(_counted_thrice, "An answer that says both counts once, under both: not under old and new as well."),
        Misconception(_without_zeros, "Return all four keys, those with zero too."),
    ]
    alternatives = [_edition_by_hand, _edition_by_pattern]
    hints = [
        "Write a small function first: does this answer say one of these spellings? Give both ' '.join(text.lower().split()).",
        r"\b does not work before a sign such as £: look at the character before and the one after instead. [^\W_] is any letter or digit, "
        r"(?<!X) means no X before, (?!X) no X after; re.escape the spelling between them.",
        "Start from a dictionary with four zeros. For each answer ask twice, for old and for new, and add 1 to one key.",
    ]


# --- 08.3 -----------------------------------------------------------------------------------------------------------

Marks = Sequence[bool]
Loss = tuple[int, int, float]


def _of_all(before: Marks, after: Marks) -> Loss:
    lost, gained, _ = forgotten(before, after)
    return lost, gained, lost / len(before) if before else 0.0


def _of_what_is_known_now(before: Marks, after: Marks) -> Loss:
    lost, gained, _ = forgotten(before, after)
    return lost, gained, lost / sum(after) if sum(after) else 0.0


def _net(before: Marks, after: Marks) -> Loss:
    forgotten(before, after)
    fewer = sum(before) - sum(after)
    return max(fewer, 0), max(-fewer, 0), max(fewer, 0) / sum(before) if sum(before) else 0.0


def _net_share(before: Marks, after: Marks) -> Loss:
    lost, gained, _ = forgotten(before, after)
    return lost, gained, (lost - gained) / sum(before) if sum(before) else 0.0


def _gained_first(before: Marks, after: Marks) -> Loss:
    lost, gained, share = forgotten(before, after)
    return gained, lost, share


def _share_kept(before: Marks, after: Marks) -> Loss:
    lost, gained, share = forgotten(before, after)
    return lost, gained, 1 - share if sum(before) else 0.0


def _percent(before: Marks, after: Marks) -> Loss:
    lost, gained, share = forgotten(before, after)
    return lost, gained, 100 * share


def _wrong_after(before: Marks, after: Marks) -> Loss:
    _, gained, _ = forgotten(before, after)
    wrong = len(after) - sum(after)
    return wrong, gained, wrong / sum(before) if sum(before) else 0.0


def _nothing_was_known(before: Marks, after: Marks) -> Loss:
    lost, gained, _ = forgotten(before, after)
    return lost, gained, lost / sum(before)


def _marks_cut_short(before: Marks, after: Marks) -> Loss:
    count = min(len(before), len(after))
    return forgotten(before[:count], after[:count])


def _forgotten_by_lists(before: list[bool], after: list[bool]) -> tuple[int, int, float]:
    if len(before) != len(after):
        raise ValueError("lengths")
    kept = [after[n] for n, known in enumerate(before) if known]
    gained = sum(mark for mark, known in zip(after, before, strict=True) if not known)
    return kept.count(False), gained, kept.count(False) / max(len(kept), 1)


def _forgotten_by_masks(before: list[bool], after: list[bool]) -> list[float]:
    import numpy as np

    if len(before) != len(after):
        raise ValueError
    one, other = np.array(before, dtype=bool), np.array(after, dtype=bool)
    lost = one & ~other
    return [lost.sum(), (other & ~one).sum(), lost.sum() / one.sum() if one.any() else 0]


@exercise("08.3", title="What was forgotten?", points=2, minutes=6, difficulty=1, function="forgotten")
class WhatWasForgotten:
    """What a model lost and gained, question by question."""

    reference = staticmethod(forgotten)
    public = [
        Case([True, True, True, False], [True, False, True, False], says="one of three is lost"),
        Case([True, True, False, False], [False, True, True, False], says="one lost, one gained: the totals are equal"),
        Case([True, True, True, True, False], [False, False, False, True, True], says="more lost than gained"),
        Case([True, False, False], [True, True, True], says="nothing lost"),
        Case([False, False], [True, False], says="nothing was known before"),
        Case([True, False], [True], says="a mark is missing"),
        Case([], [], says="no questions"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random marks, more often right before than after; nothing known before; marks that do not pair."""
        cases = [
            Case([], []),
            Case([False] * rng.randint(2, 4), [True, True, False, True][: rng.randint(2, 4)]),
            Case([False, False, False], [True, rng.random() < 0.5, False]),
            Case([True, False, True, True], [True, False, rng.random() < 0.5]),
            Case([True], [True, rng.random() < 0.5]),
        ]
        for _ in range(8):
            count = rng.randint(3, 12)
            cases.append(Case([rng.random() < 0.6 for _ in range(count)], [rng.random() < 0.5 for _ in range(count)]))
        return cases

    misconceptions = [
        Misconception(_of_all, "You divide by all questions: only what was known before can be lost."),
        Misconception(_of_what_is_known_now, "You divide by what is known after: the share is of what was known before."),
        Misconception(_net, "You compare the totals: what was gained hides what was lost. Go question by question."),
        Misconception(_net_share, "You take the gains off the share: a gained question does not bring a lost one back."),
        Misconception(_gained_first, "Lost comes first, then gained."),
        Misconception(_share_kept, "That is the share kept: return the share lost."),
        Misconception(_percent, "That is per cent: a share goes from 0 to 1."),
        Misconception(_wrong_after, "You count all that is wrong after: what was wrong before already is not lost."),
        Misconception(_nothing_was_known, "Where nothing was known before you divide by zero: the share is 0.0."),
        Misconception(_marks_cut_short, "Where a mark is missing nothing can be compared: raise ValueError."),
    ]
    alternatives = [_forgotten_by_lists, _forgotten_by_masks]
    hints = [
        "Check the lengths, then make pairs: zip(before, after).",
        "Lost: right before and wrong after. Gained: wrong before and right after. Count both.",
        "The share: lost / sum(before), or 0.0 where sum(before) is 0.",
    ]


# --- 08.4 -----------------------------------------------------------------------------------------------------------

Days = Sequence[float]


def _mean(values: Days) -> float:
    return sum(values) / len(values) if values else 0.0


def _waits(changes: Days, retrained: Days, until: float) -> list[float]:
    return [min([run for run in retrained if day <= run <= until], default=until) - day for day in changes if day <= until]


def _same_day_is_late(changes: Days, retrained: Days, until: float) -> float:
    return _mean([min([run for run in retrained if day < run <= until], default=until) - day for day in changes if day <= until])


def _uncaught_left_out(changes: Days, retrained: Days, until: float) -> float:
    runs = [run for run in retrained if run <= until]
    return _mean(_waits([day for day in changes if any(run >= day for run in runs)], runs, until))


def _uncaught_is_nothing(changes: Days, retrained: Days, until: float) -> float:
    inside = [day for day in changes if day <= until]
    return _mean([min([run for run in retrained if day <= run <= until], default=day) - day for day in inside])


def _past_the_end(changes: Days, retrained: Days, until: float) -> float:
    return _mean([min([run for run in retrained if run >= day], default=until) - day for day in changes if day <= until])


def _later_changes_too(changes: Days, retrained: Days, until: float) -> float:
    return _mean([min([run for run in retrained if day <= run <= until], default=until) - day for day in changes])


def _later_in_the_mean(changes: Days, retrained: Days, until: float) -> float:
    return sum(_waits(changes, retrained, until)) / len(changes) if changes else 0.0


def _as_listed(changes: Days, retrained: Days, until: float) -> float:
    inside = [day for day in changes if day <= until]
    return _mean([next((run for run in retrained if day <= run <= until), until) - day for day in inside])


def _last_run(changes: Days, retrained: Days, until: float) -> float:
    inside = [day for day in changes if day <= until]
    return _mean([max([run for run in retrained if day <= run <= until], default=until) - day for day in inside])


def _nearest_run(changes: Days, retrained: Days, until: float) -> float:
    runs = [run for run in retrained if run <= until] or [until]
    return _mean([min(abs(run - day) for run in runs) for day in changes if day <= until])


def _in_all(changes: Days, retrained: Days, until: float) -> float:
    return sum(_waits(changes, retrained, until))


def _longest(changes: Days, retrained: Days, until: float) -> float:
    return max(_waits(changes, retrained, until), default=0.0)


def _days_once(changes: Days, retrained: Days, until: float) -> float:
    return _mean(_waits(sorted(set(changes)), retrained, until))


def _always_to_the_end(changes: Days, retrained: Days, until: float) -> float:
    return _mean([until - day for day in changes if day <= until])


def _no_changes_crash(changes: Days, retrained: Days, until: float) -> float:
    waits = _waits(changes, retrained, until)
    return sum(waits) / len(waits)


def _stale_by_events(changes: list[float], retrained: list[float], until: float) -> float:
    events = sorted([(day, 0) for day in changes] + [(day, 1) for day in retrained])
    waiting: list[float] = []
    total, count = 0.0, 0
    for day, is_run in events:
        if day > until:
            break
        if is_run:
            total += sum(day - since for since in waiting)
            waiting = []
        else:
            waiting.append(day)
            count += 1
    total += sum(until - since for since in waiting)
    return total / count if count else 0


def _stale_by_numpy(changes: list[float], retrained: list[float], until: float) -> float:
    import numpy as np

    days = np.array([day for day in changes if day <= until], dtype=float)
    runs = np.sort(np.array([day for day in retrained if day <= until] + [until], dtype=float))
    return float((runs[np.searchsorted(runs, days)] - days).mean()) if len(days) else 0.0


@exercise("08.4", title="How long is it out of date?", points=3, minutes=10, difficulty=3, function="stale_days")
class HowLongOutOfDate:
    """Days from a change to the retraining that knows it."""

    reference = staticmethod(stale_days)
    public = [
        Case([3, 10], [14], 30, says="both wait for one retraining"),
        Case([2, 9, 16], [7, 14, 21], 28, says="one retraining for each"),
        Case([7, 9], [7, 21], 30, says="a change on the day of a retraining"),
        Case([5, 5, 12], [10], 20, says="two changes on one day; the last is not caught"),
        Case([15, 4], [20, 10, 30], 40, says="the lists are not sorted"),
        Case([4, 22], [10, 40], 30, says="a retraining after the end"),
        Case([4, 35], [10, 40], 30, says="a change after the end"),
        Case([1.5, 3], [], 4, says="never retrained"),
        Case([30], [], 30, says="a change on the last day"),
        Case([], [7, 14], 28, says="no changes"),
        Case([12, 15], [14], 10, says="all changes come after the end"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random days, unsorted, some of them halves, some equal, some after the end; no changes, and none before the end."""
        until = rng.randint(20, 40)
        cases = [
            Case([], [rng.randint(0, until)], until),
            Case([until + 1, until + rng.randint(1, 5)], [until + 2], until),
            Case([rng.randint(0, 9), 12], [], until),
            Case([rng.randint(0, 9), 12], [18, rng.randint(12, 16)], until),
            Case([10, 10, rng.randint(1, 9)], [10, 15], until),
            Case([rng.randint(1, 6), until - 3], [until + rng.randint(1, 9), 8], until),
        ]
        for _ in range(10):
            changes = [rng.randint(0, 2 * until + 10) / 2 for _ in range(rng.randint(2, 7))]
            retrained = [float(rng.randint(0, until + 5)) for _ in range(rng.randint(1, 4))]
            cases.append(Case([*changes, changes[0], retrained[0]], retrained, until))
        return cases

    misconceptions = [
        Misconception(_same_day_is_late, "A retraining knows the changes of its own day: such a change waits 0 days."),
        Misconception(
            _uncaught_left_out, "You leave out what no retraining caught: those are the stalest. They count up to until."
        ),
        Misconception(
            _uncaught_is_nothing, "A change that no retraining caught gets 0 days with you: it has been wrong up to until."
        ),
        Misconception(_past_the_end, "You look past until: a retraining after it has not happened yet. Count up to until."),
        Misconception(_later_changes_too, "Changes after until are left out: they have not happened yet."),
        Misconception(_later_in_the_mean, "You divide by all changes: those after until must not be in the number either."),
        Misconception(_as_listed, "You take the first retraining in the list: the list is not sorted. Take the earliest one."),
        Misconception(_last_run, "You wait for the last retraining: the first one at or after the change knows it already."),
        Misconception(_nearest_run, "You take the nearest retraining, even one before the change: that one cannot know it."),
        Misconception(_in_all, "That is the sum of all days: return the mean over the changes."),
        Misconception(_longest, "That is the longest wait: return the mean over the changes."),
        Misconception(_days_once, "Two changes on one day are two changes: do not make a set of the days."),
        Misconception(_always_to_the_end, "You count every change up to until: a retraining ends the wait."),
        Misconception(_no_changes_crash, "Where no change is left you divide by zero: return 0.0."),
    ]
    alternatives = [_stale_by_events, _stale_by_numpy]
    hints = [
        "First leave out what comes after until, from both lists.",
        "For one change: min([run for run in retrained if run >= day], default=until) - day.",
        "Make a list of these waits, one for each change that is left. Its mean, or 0.0 where it is empty.",
    ]


add_quiz(
    "08",
    [
        QuizQuestion(
            "A tuned model gets far more of the trained wordings right than of the paraphrases. What does this tell you?",
            [
                Option(
                    "The paraphrases ask for harder facts.",
                    False,
                    "They ask for the same facts, with the same answers. Only the words of the question differ.",
                ),
                Option(
                    "Much of what it learned hangs on the wording.",
                    True,
                    "A customer does not know the wording that you trained on. So the score on paraphrases is the one that counts.",
                ),
                Option(
                    "You should train on these paraphrases, then ask them again.",
                    False,
                    "More wordings may help. But one that you train on tests nothing any more: keep others back to ask.",
                ),
            ],
        ),
        QuizQuestion(
            "The manual changed, and the tuned model still gives last year's interval. Why is this worse than no answer?",
            [
                Option(
                    "It is not worse: last year's answer is nearly right.",
                    False,
                    "It was right last year. Today whoever follows it does the wrong thing.",
                ),
                Option(
                    "A model that is out of date sounds unsure, and that puts customers off.",
                    False,
                    "It does not hear that the manual changed. Even about products that it was never taught it answers as if it knew.",
                ),
                Option(
                    "Nothing in it shows its age.",
                    True,
                    "Whoever reads 'I don't know' asks elsewhere. A stale answer is acted upon, and names no passage to look at.",
                ),
            ],
        ),
        QuizQuestion(
            "Before and after the training the model gets the same number of general questions right. Was nothing forgotten?",
            [
                Option(
                    "The totals cannot tell.",
                    True,
                    "As many may be lost as were gained. Compare question by question, and count lost and gained apart.",
                ),
                Option("Nothing: the number is the same.", False, "The same number need not be the same questions."),
                Option(
                    "It does not matter: they are not about our products.",
                    False,
                    "That is why they are asked. They show what the training changed where it was not meant to.",
                ),
            ],
        ),
    ],
)
