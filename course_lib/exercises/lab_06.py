"""The exercises and the quiz of lab 06, prepare data."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..finetune.prepare import IGNORED, exact_duplicates, group_split, jaccard, shingles, training_labels
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

# --- 06.1 -----------------------------------------------------------------------------------------------------------


def _first_by(texts: Sequence[str], forms: Sequence[str]) -> dict[int, int]:
    return {n: forms.index(form) for n, form in enumerate(forms) if texts[n].strip() and forms.index(form) < n}


def _as_they_are(texts: Sequence[str]) -> dict[int, int]:
    return _first_by(texts, list(texts))


def _case_counts(texts: Sequence[str]) -> dict[int, int]:
    return _first_by(texts, [" ".join(text.split()) for text in texts])


def _ends_only(texts: Sequence[str]) -> dict[int, int]:
    return _first_by(texts, [text.strip().lower() for text in texts])


def _no_spaces_at_all(texts: Sequence[str]) -> dict[int, int]:
    return _first_by(texts, ["".join(text.lower().split()) for text in texts])


def _the_one_before(texts: Sequence[str]) -> dict[int, int]:
    last: dict[int, int] = {}
    found = {}
    for later, first in exact_duplicates(texts).items():
        found[later] = last.get(first, first)
        last[first] = later
    return found


def _empty_too(texts: Sequence[str]) -> dict[int, int]:
    forms = [" ".join(text.lower().split()) for text in texts]
    return {n: forms.index(form) for n, form in enumerate(forms) if forms.index(form) < n}


def _itself_too(texts: Sequence[str]) -> dict[int, int]:
    found = exact_duplicates(texts)
    return {n: found.get(n, n) for n in range(len(texts)) if n in found or n in found.values()}


def _turned_round(texts: Sequence[str]) -> dict[int, int]:
    return {first: later for later, first in exact_duplicates(texts).items()}


def _neighbours_only(texts: Sequence[str]) -> dict[int, int]:
    forms = [" ".join(text.lower().split()) for text in texts]
    return {n: n - 1 for n in range(1, len(forms)) if forms[n] and forms[n] == forms[n - 1]}


def _duplicates_by_index(texts: Sequence[str]) -> dict[int, int]:
    forms = [" ".join(text.lower().split()) for text in texts]
    return {n: forms.index(form) for n, form in enumerate(forms) if form and form in forms[:n]}


def _duplicates_by_groups(texts: Sequence[str]) -> dict[int, int]:
    places: dict[tuple[str, ...], list[int]] = {}
    for number, text in enumerate(texts):
        places.setdefault(tuple(text.casefold().split()), []).append(number)
    return {later: numbers[0] for form, numbers in places.items() if form for later in numbers[1:]}


@exercise("06.1", title="Find exact copies", points=2, minutes=6, difficulty=1, function="exact_duplicates")
class FindExactCopies:
    """Texts that are the same but for case and white space."""

    reference = staticmethod(exact_duplicates)
    public = [
        Case(["No lid.", "No tray.", "No lid."], says="the third is a copy of the first"),
        Case(["It leaks again", "it LEAKS again"], says="in capitals"),
        Case(["It leaks again", "It  leaks\nagain", " It leaks again "], says="white space of several kinds"),
        Case(["E21", "E27", "E21", "E27", "E21"], says="three times the same"),
        Case(["ice maker dead", "icemaker dead"], says="a space that is not there"),
        Case(["", "No lid.", "", "  "], says="tickets without words"),
        Case(["No lid.", "no lid", "Lid: no."], says="other words, other signs"),
        Case([], says="no tickets"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random lists of a few short texts, with copies that differ in case and white space, and empty ones."""
        cases = [Case(["", rng.choice(["no lid", "e21"]), "\n", " " * rng.randint(1, 3)])]
        for _ in range(9):
            texts: list[str] = []
            for _ in range(rng.randint(4, 9)):
                words = rng.choice(["no lid here", "ice maker dead", "icemaker dead", "it leaks", "e21 again", ""]).split()
                gap = rng.choice([" ", " ", "  ", "\n"])
                text = gap.join(words) + rng.choice(["", "", " "])
                texts.append(text.upper() if rng.random() < 0.3 else text)
            cases.append(Case(texts))
        return cases

    misconceptions = [
        Misconception(_as_they_are, "You compare the texts as they are: capitals and white space must not count."),
        Misconception(_case_counts, "Case counts in your comparison: 'IT LEAKS' and 'it leaks' are the same complaint."),
        Misconception(_ends_only, "You only trim the ends: two spaces or a line break inside must count as one space too."),
        Misconception(
            _no_spaces_at_all, "You take all white space out: 'ice maker' and 'icemaker' become the same, and are not."
        ),
        Misconception(_the_one_before, "You point at the copy just before; point at the first text of its kind."),
        Misconception(_empty_too, "Texts without words come out as copies of one another: they say nothing, so leave them out."),
        Misconception(_itself_too, "The first text of a kind is no copy: only the later ones belong in the dictionary."),
        Misconception(_turned_round, "Your dictionary goes from first to later: the key is the later text, the value the first."),
        Misconception(_neighbours_only, "You compare neighbours only: a copy may come much later."),
    ]
    alternatives = [_duplicates_by_index, _duplicates_by_groups]
    hints = [
        "Give each text one form in which case and white space do not matter: ' '.join(text.lower().split()).",
        "Go through the forms with a dictionary that keeps the number of the first text of each form.",
        "If the form is empty, go on. If it is in the dictionary, it is a copy; if not, put it in.",
    ]


# --- 06.2 -----------------------------------------------------------------------------------------------------------


def _share(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def _single_words(one: str, other: str, n: int = 3) -> float:
    return jaccard(one, other, 1)


def _of_the_shorter(one: str, other: str, n: int = 3) -> float:
    a, b = shingles(one, n), shingles(other, n)
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0


def _twice_the_common(one: str, other: str, n: int = 3) -> float:
    a, b = shingles(one, n), shingles(other, n)
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0


def _counted(one: str, other: str, n: int = 3) -> float:
    from collections import Counter

    a, b = (
        Counter(tuple(words[i : i + n]) for i in range(max(len(words) - n + 1, 1))) if words else Counter()
        for words in (one.lower().split(), other.lower().split())
    )
    return (a & b).total() / (a | b).total() if a or b else 0.0


def _with_case(one: str, other: str, n: int = 3) -> float:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[i : i + n]) for i in range(max(len(words) - n + 1, 1))} if words else set()

    return _share(runs(one), runs(other))


def _short_are_lost(one: str, other: str, n: int = 3) -> float:
    a, b = (shingles(text, n) if len(text.split()) >= n else set() for text in (one, other))
    return _share(a, b)


def _last_forgotten(one: str, other: str, n: int = 3) -> float:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.lower().split()
        return {tuple(words[i : i + n]) for i in range(max(len(words) - n, 1))} if words else set()

    return _share(runs(one), runs(other))


def _without_overlap(one: str, other: str, n: int = 3) -> float:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.lower().split()
        return {tuple(words[i : i + n]) for i in range(0, len(words), n)}

    return _share(runs(one), runs(other))


def _nothing_is_alike(one: str, other: str, n: int = 3) -> float:
    return jaccard(one, other, n) if one.split() or other.split() else 1.0


def _jaccard_by_zip(one: str, other: str, n: int = 3) -> float:
    def runs(text: str) -> set[str]:
        words = text.lower().split()
        if len(words) <= n:
            return {" ".join(words)} - {""}
        return {" ".join(run) for run in zip(*(words[k:] for k in range(n)), strict=False)}

    a, b = runs(one), runs(other)
    common = len(a.intersection(b))
    return common / (len(a) + len(b) - common) if a or b else 0.0


def _jaccard_by_loop(one: str, other: str, n: int = 3) -> float:
    lists: list[list[list[str]]] = []
    for text in (one, other):
        words, own = text.lower().split(), []
        for start in range(max(1, len(words) - n + 1)):
            run = words[start : start + n]
            if run and run not in own:
                own.append(run)
        lists.append(own)
    common = sum(run in lists[1] for run in lists[0])
    every = len(lists[0]) + len(lists[1]) - common
    return common / every if every else 0


@exercise("06.2", title="How alike are two texts?", points=3, minutes=9, difficulty=2, function="jaccard")
class HowAlike:
    """Jaccard similarity of word shingles."""

    reference = staticmethod(jaccard)
    public = [
        Case("the lid is gone", "the lid is here", 2, says="two of four runs in common"),
        Case("it leaks again", "as I wrote it leaks again and again", 2, says="the shorter is wholly in the longer"),
        Case("no no no heat", "no no heat at all", 2, says="a run that comes twice counts once"),
        Case("Still E21 today", "still e21 TODAY", 2, says="capitals"),
        Case("no heat", "No heat", 3, says="shorter than a run, and alike"),
        Case("leaks", "it leaks again", 3, says="one is shorter than a run"),
        Case("a b c d e", "x a b c d", 3, says="the same run at another place"),
        Case("one two three", "three two one", 2, says="the same words in another order"),
        Case("", "  ", 2, says="two texts without words"),
        Case("", "no lid", 1, says="one text without words"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random texts of few words, one often a changed copy of the other; and empty ones."""
        again = "it leaks " * rng.randint(3, 5)
        cases = [Case("", "", rng.randint(1, 3)), Case("E5", "e5", rng.randint(2, 4)), Case(again, "it leaks here", 2)]
        cases.append(Case("the lid of the jug is gone", "the lid of the jug is here"))  # n as the header has it
        for _ in range(12):
            words = [rng.choice("it leaks no heat again the lid".split()) for _ in range(rng.randint(1, 9))]
            other = words[rng.randint(0, 2) :] + [rng.choice("again heat now".split()) for _ in range(rng.randint(0, 3))]
            if rng.random() < 0.4:
                other = [word.upper() for word in other]
            cases.append(Case(" ".join(words), "  ".join(other), rng.randint(2, 4)))
        return cases

    misconceptions = [
        Misconception(_single_words, "You compare single words: take runs of n neighbours, so that the order counts."),
        Misconception(_of_the_shorter, "You divide by the shorter text: divide by all different runs of both together."),
        Misconception(_twice_the_common, "That is Dice's coefficient: divide the common runs by all different runs, once each."),
        Misconception(_counted, "A run that comes twice counts once: make sets of the runs."),
        Misconception(_with_case, "Case must not count: put both texts in small letters first."),
        Misconception(_short_are_lost, "A text shorter than n words has no run with you: it is one run, all of its words."),
        Misconception(_last_forgotten, "The last run is missing: a text of w words has w - n + 1 of them."),
        Misconception(_without_overlap, "Your runs stand side by side: one begins at every word, so that they overlap."),
        Misconception(_nothing_is_alike, "Two texts without words give 0.0: nothing was copied."),
    ]
    alternatives = [_jaccard_by_zip, _jaccard_by_loop]
    hints = [
        "words = text.lower().split(); the runs are tuple(words[i : i + n]), one for each i that leaves room for n words.",
        "range(max(len(words) - n + 1, 1)) gives the short text its one run; a text without words needs an if.",
        "With sets a and b: len(a & b) / len(a | b), and 0.0 where a | b is empty.",
    ]


# --- 06.3 -----------------------------------------------------------------------------------------------------------

Groups = Sequence[str | None]
Sides = tuple[list[int], list[int]]


def _sides(groups: Groups, names: set[str | None]) -> Sides:
    rows = range(len(groups))
    return [row for row in rows if groups[row] not in names], [row for row in rows if groups[row] in names]


def _names(groups: Groups) -> list[str]:
    return sorted({group for group in groups if group is not None})


def _first_rows(groups: Groups, wanted: int) -> Sides:
    rows = [row for row, group in enumerate(groups) if group is not None]
    test = sorted(rows, key=lambda row: (str(groups[row]), row))[:wanted]
    return sorted(set(range(len(groups))) - set(test)), sorted(test)


def _as_they_come(groups: Groups, wanted: int) -> Sides:
    chosen: set[str | None] = set()
    for name in dict.fromkeys(group for group in groups if group is not None):
        if len(_sides(groups, chosen)[1]) >= wanted:
            break
        chosen.add(name)
    return _sides(groups, chosen)


def _none_is_a_group(groups: Groups, wanted: int) -> Sides:
    return group_split([group or "" for group in groups], wanted)


def _never_over(groups: Groups, wanted: int) -> Sides:
    chosen: set[str | None] = set()
    for name in _names(groups):
        if len(_sides(groups, chosen | {name})[1]) > wanted:
            break
        chosen.add(name)
    return _sides(groups, chosen)


def _one_more(groups: Groups, wanted: int) -> Sides:
    return group_split(groups, wanted + 1)


def _none_is_lost(groups: Groups, wanted: int) -> Sides:
    train, test = group_split(groups, wanted)
    return [row for row in train if groups[row] is not None], test


def _sides_swapped(groups: Groups, wanted: int) -> Sides:
    train, test = group_split(groups, wanted)
    return test, train


def _groups_counted(groups: Groups, wanted: int) -> Sides:
    return _sides(groups, set(_names(groups)[:wanted]))


def _group_by_group(groups: Groups, wanted: int) -> Sides:
    train, test = group_split(groups, wanted)
    return train, sorted(test, key=lambda row: (str(groups[row]), row))


def _split_by_counts(groups: Groups, wanted: int) -> Sides:
    from collections import Counter

    counts = Counter(group for group in groups if group is not None)
    chosen, rows = set(), 0
    for name in sorted(counts):
        if rows < wanted:
            chosen.add(name)
            rows += counts[name]
    train = [row for row, group in enumerate(groups) if group not in chosen]
    return train, [row for row, group in enumerate(groups) if group in chosen]


def _split_by_sorting(groups: Groups, wanted: int) -> Sides:
    order = sorted((group, row) for row, group in enumerate(groups) if group is not None)
    end = max(0, min(wanted, len(order)))
    while 0 < end < len(order) and order[end][0] == order[end - 1][0]:
        end += 1
    test = sorted(row for _, row in order[:end])
    return [row for row in range(len(groups)) if row not in test], test


@exercise("06.3", title="Split by group", points=3, minutes=8, difficulty=2, function="group_split")
class SplitByGroup:
    """No group on both sides, and the same split every time."""

    reference = staticmethod(group_split)
    public = [
        Case(["a", "a", "b", "b", "c", "c"], 2, says="one group is just enough"),
        Case(["a", "a", "a", "b"], 1, says="the first group has more rows than wanted"),
        Case(["oven", "fan", "hob", "fan", "kettle"], 3, says="in no order"),
        Case(["fan", None, "hob", None, "fan", "fan"], 2, says="rows without a group"),
        Case(["b", "a", "b", "a", "b"], 3, says="both groups are needed; rows in ascending order"),
        Case(["hob", "fan"], 0, says="no test rows wanted"),
        Case(["hob", None, "fan"], 9, says="more wanted than there are"),
        Case([], 3, says="no rows"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random rows of up to five groups, some without one."""
        cases = []
        for _ in range(10):
            names = rng.sample(["alder", "beck", "corvid", "dunlin", "ember"], rng.randint(2, 5))
            groups = [rng.choice([*names, *names, None]) for _ in range(rng.randint(4, 14))]
            cases.append(Case(groups, rng.randint(1, 7)))
        return cases

    misconceptions = [
        Misconception(_first_rows, "You cut a group in two to get exactly the number wanted: a group goes whole or not at all."),
        Misconception(_as_they_come, "You take the groups as they come: alphabetical order makes the split the same every time."),
        Misconception(
            _none_is_a_group, "None is no group: rows without one know nothing of one another, and all go to training."
        ),
        Misconception(
            _never_over, "You stop before the number is reached: take groups until the test has at least that many rows."
        ),
        Misconception(_one_more, "You take one group too many: stop as soon as the test has the number wanted."),
        Misconception(_none_is_lost, "Rows without a group are lost: they go to training."),
        Misconception(_sides_swapped, "The sides are swapped: training first, then the test."),
        Misconception(_groups_counted, "You count groups: the number wanted is of rows."),
        Misconception(_group_by_group, "Put the rows of the test in ascending order, not group by group."),
    ]
    alternatives = [_split_by_counts, _split_by_sorting]
    hints = [
        "The names: sorted({group for group in groups if group is not None}).",
        "Go through the names; while the test has fewer than wanted rows, add all the rows of the next name.",
        "Training is every row that is not in the test, those with None too. Sort both lists.",
    ]


# --- 06.4 -----------------------------------------------------------------------------------------------------------

Ids = Sequence[int]
Lists = tuple[list[int], list[int]]


def _room(prompt: Ids, answer: Ids, length: int) -> int:
    if len(prompt) + len(answer) > length:
        raise ValueError
    return length - len(prompt) - len(answer)


def _prompt_too(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    empty = _room(prompt, answer, length)
    return [*prompt, *answer, *[filler] * empty], [*prompt, *answer, *[IGNORED] * empty]


def _by_token(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    tokens, labels = training_labels(prompt, answer, length, filler)
    return tokens, [IGNORED if token == filler else label for token, label in zip(tokens, labels, strict=True)]


def _filler_too(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    empty = _room(prompt, answer, length)
    return [*prompt, *answer, *[filler] * empty], [*[IGNORED] * len(prompt), *answer, *[filler] * empty]


def _shifted(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    tokens, labels = training_labels(prompt, answer, length, filler)
    return tokens, [*labels[1:], IGNORED] if labels else labels


def _zeros(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    empty = _room(prompt, answer, length)
    return [*prompt, *answer, *[filler] * empty], [*[0] * len(prompt), *answer, *[0] * empty]


def _filled_in_front(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    empty = _room(prompt, answer, length)
    return [*[filler] * empty, *prompt, *answer], [*[IGNORED] * (empty + len(prompt)), *answer]


def _cut_off(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    empty = max(0, length - len(prompt) - len(answer))
    tokens, labels = training_labels(prompt, answer, len(prompt) + len(answer) + empty, filler)
    return tokens[:length], labels[:length]


def _prompt_only(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    empty = _room(prompt, answer, length)
    return [*prompt, *answer, *[filler] * empty], [*prompt, *[IGNORED] * (len(answer) + empty)]


def _not_filled(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    _room(prompt, answer, length)
    return [*prompt, *answer], [*[IGNORED] * len(prompt), *answer]


def _labels_by_place(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    tokens = list(prompt) + list(answer)
    if len(tokens) > length:
        raise ValueError("too long")
    labels = []
    end = len(tokens)
    while len(tokens) < length:
        tokens.append(filler)
    for place, token in enumerate(tokens):
        labels.append(token if len(prompt) <= place < end else IGNORED)
    return tokens, labels


def _labels_by_slices(prompt: Ids, answer: Ids, length: int, filler: int) -> Lists:
    first, last = len(prompt), len(prompt) + len(answer)
    if last > length:
        raise ValueError
    tokens, labels = [filler] * length, [IGNORED] * length
    tokens[:first] = prompt
    tokens[first:last] = labels[first:last] = answer
    return tokens, labels


@exercise("06.4", title="What the loss counts", points=3, minutes=8, difficulty=2, function="training_labels")
class WhatTheLossCounts:
    """Tokens and labels of one example: the answer is trained on, nothing else."""

    reference = staticmethod(training_labels)
    public = [
        Case([5, 6, 7], [8, 9], 5, 0, says="it fits exactly"),
        Case([5, 6], [7, 8], 6, 0, says="two places to fill"),
        Case([5, 6], [7, 2], 6, 2, says="the filler is the token that ends the answer"),
        Case([1, 2, 5], [2, 2], 5, 2, says="the filler stands in the prompt and in the answer"),
        Case([5], [6, 7, 8], 4, 0, says="a short prompt"),
        Case([], [6, 2], 3, 2, says="no prompt"),
        Case([5, 6, 7], [8, 9], 4, 0, says="too long by one"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random tokens, the answer often ending in the filler; one example that does not fit."""
        cases = [Case([rng.randint(3, 9) for _ in range(4)], [rng.randint(3, 9), 2], 5, 2)]
        for _ in range(8):
            prompt = [rng.randint(1, 9) for _ in range(rng.randint(1, 5))]
            answer = [rng.randint(1, 9) for _ in range(rng.randint(1, 4))] + [2]
            room = len(prompt) + len(answer) + rng.randint(0, 4)
            cases.append(Case(prompt, answer, room, rng.choice([0, 2, 2])))
        return cases

    misconceptions = [
        Misconception(_prompt_too, "You train on the prompt too: the model would learn to write tickets, not to file them."),
        Misconception(
            _by_token,
            "You leave out every token that equals the filler, and with it the mark that ends the answer: the model never learns to stop. "
            "Go by place.",
        ),
        Misconception(_filler_too, "You train on the filler: its labels must be -100."),
        Misconception(
            _shifted, "You moved the labels by one: a label stands at its own token's place, the trainer does the moving."
        ),
        Misconception(_zeros, "0 is a token like any other: what the loss is to leave out has the label -100."),
        Misconception(_filled_in_front, "You fill in front: the filler comes after the answer."),
        Misconception(
            _cut_off, "You cut off what does not fit: an answer without its end teaches stopping in the middle. Raise ValueError."
        ),
        Misconception(_prompt_only, "You train on the prompt and leave out the answer: it is the other way round."),
        Misconception(
            _not_filled, "Both lists must be of the given length: fill up the tokens with filler, the labels with -100."
        ),
    ]
    alternatives = [_labels_by_place, _labels_by_slices]
    hints = [
        "Three parts: prompt, answer, filler. How many fillers are there room for? If the number is negative, raise ValueError.",
        "tokens = [*prompt, *answer, *[filler] * empty]; the labels have the same three parts.",
        "labels = [*[-100] * len(prompt), *answer, *[-100] * empty]: never ask what a token is, only where it stands.",
    ]


add_quiz(
    "06",
    [
        QuizQuestion(
            "You drop quoted mail first and compare shingles afterwards. What happens?",
            [
                Option(
                    "Nothing, the order does not matter.",
                    False,
                    "Shingles live on what is copied, such as the quote: they found 11 of 36 second letters before cleaning and 2 after.",
                ),
                Option(
                    "Second letters look new, and stay in.",
                    True,
                    "The quote probably gave some of them away. Look for copies first, clean afterwards.",
                ),
                Option(
                    "More duplicates are found, since there is less noise.",
                    False,
                    "The quote was no noise: it was probably the evidence, for fewer right pairs were found.",
                ),
            ],
        ),
        QuizQuestion(
            "A customer writes twice; one ticket is in training, the other in the test. What does the test then measure?",
            [
                Option(
                    "Partly how well it remembers.",
                    True,
                    "The nearest neighbour gained most on exactly these customers, probably because it found their other ticket.",
                ),
                Option("How well the model works on new customers.", False, "On this one it has seen half the answer."),
                Option(
                    "Nothing changes: the texts differ.", False, "They differ in words; name, machine and complaint are the same."
                ),
            ],
        ),
        QuizQuestion(
            "Why is the mark that ends a turn part of the answer, and trained on?",
            [
                Option("So that the example has an even length.", False, "Length has nothing to do with it."),
                Option(
                    "So that the model learns to stop.",
                    True,
                    "To stop is a decision like any other token: without it the model writes on after the last bracket.",
                ),
                Option(
                    "Because it is in the prompt as well.",
                    False,
                    "There it is read only. What counts is the place, not the token.",
                ),
            ],
        ),
        QuizQuestion(
            "You reviewed the 50 tickets that the model believed least and found 28 wrong labels. Are the other labels right?",
            [
                Option(
                    "Yes, the model found the wrong ones.",
                    False,
                    "It found more than half of them. The rest look plausible to it.",
                ),
                Option("It cannot be known, so do not review.", False, "Review pays: by chance you would have met about 9."),
                Option(
                    "No: it put wrong ones first, it did not find them all.",
                    True,
                    "A ranking saves time. To know what is left, review a random sample too.",
                ),
            ],
        ),
    ],
)
