"""The exercises and the quiz of lab 00, start here."""

from __future__ import annotations

import math
import random
from typing import Any

from ..evaluation.answers import contains_answer, normalise_answer
from ..evaluation.intervals import wilson_interval
from ..generation.generate import chat_messages
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

# --- 00.1 -----------------------------------------------------------------------------------------------------------


def _user_first(question: str, system: str) -> list[dict[str, str]]:
    return chat_messages(question, system)[::-1]


def _not_stripped(question: str, system: str) -> list[dict[str, str]]:
    chat_messages(question, system)
    return [{"role": "system", "content": system}, {"role": "user", "content": question}]


def _empty_is_fine(question: str, system: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": question.strip()}]


def _glued(question: str, system: str) -> list[dict[str, str]]:
    chat_messages(question, system)
    return [{"role": "user", "content": f"{system} {question.strip()}"}]


def _roles_swapped(question: str, system: str) -> list[dict[str, str]]:
    right = chat_messages(question, system)
    return [{"role": "user", "content": right[0]["content"]}, {"role": "system", "content": right[1]["content"]}]


def _texts_swapped(question: str, system: str) -> list[dict[str, str]]:
    right = chat_messages(question, system)
    return [{"role": "system", "content": right[1]["content"]}, {"role": "user", "content": right[0]["content"]}]


def _messages_by_loop(question: str, system: str) -> list[dict[str, str]]:
    text = question.strip()
    if text == "":
        raise ValueError("empty")
    return [dict(role=role, content=content) for role, content in (("system", system), ("user", text))]


def _messages_by_append(question: str, system: str) -> list[dict[str, str]]:
    messages = [{"content": system, "role": "system"}]
    words = question.strip()
    if not words:
        raise ValueError("nothing was asked")
    messages.append({"content": words, "role": "user"})
    return messages


@exercise("00.1", title="Ask politely", points=1, minutes=5, difficulty=1, function="chat_messages")
class AskPolitely:
    """Build the messages of a conversation."""

    reference = staticmethod(chat_messages)
    public = [
        Case("How hot is the water?", "Be brief.", says="a plain question"),
        Case("  Is it dishwasher safe?\n", "You are a cook.", says="white space around the question"),
        Case("   ", "Be brief.", says="nothing but white space"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Questions and system messages put together at random, with white space, and empty ones."""
        asks = ["What does E21 mean?", "how long", "Why?\tWhy?", "Ist das Öl?", "1", "a  b"]
        tells = ["Be brief.", "You are a pirate. ", "Answer in JSON", ""]
        spaces = ["", " ", "\n", "\t ", "  \n"]
        cases = [Case(rng.choice(spaces) + rng.choice(asks) + rng.choice(spaces), rng.choice(tells)) for _ in range(6)]
        return [*cases, Case(rng.choice(spaces), rng.choice(tells))]

    misconceptions = [
        Misconception(_user_first, "The system message comes first: it sets the scene before the person speaks."),
        Misconception(_not_stripped, "White space around the question reaches the model as tokens: strip it."),
        Misconception(_empty_is_fine, "An empty question should raise a ValueError: the model would answer it anyway."),
        Misconception(_glued, "Two messages are needed: the system's text and the question each have a role of their own."),
        Misconception(_roles_swapped, "The roles are swapped: the customer is the user."),
        Misconception(_texts_swapped, "The two texts are swapped: the question belongs to the user."),
    ]
    alternatives = [_messages_by_loop, _messages_by_append]
    hints = [
        "A message is a dictionary with two keys, role and content. You need a list of two of them.",
        "question.strip() removes white space at both ends. What is left of a question that was only white space?",
        'Begin with: if not question.strip(): raise ValueError("the question is empty")',
    ]


# --- 00.2 -----------------------------------------------------------------------------------------------------------


def _substring(text: str, accepted: list[str]) -> bool:
    return any(answer.lower() in text.lower() for answer in accepted)


def _joined_substring(text: str, accepted: list[str]) -> bool:
    return any(" ".join(normalise_answer(answer)) in " ".join(normalise_answer(text)) for answer in accepted)


def _any_order(text: str, accepted: list[str]) -> bool:
    return any(set(normalise_answer(answer)) <= set(normalise_answer(text)) for answer in accepted)


def _first_only(text: str, accepted: list[str]) -> bool:
    return contains_answer(text, accepted[:1])


def _whole_text(text: str, accepted: list[str]) -> bool:
    return any(normalise_answer(answer) == normalise_answer(text) for answer in accepted)


def _all_needed(text: str, accepted: list[str]) -> bool:
    return all(contains_answer(text, [answer]) for answer in accepted)


def _list_in_list(text: str, accepted: list[str]) -> bool:
    words: list[Any] = list(normalise_answer(text))
    return any(normalise_answer(answer) in words for answer in accepted)


def _misses_the_end(text: str, accepted: list[str]) -> bool:
    words = normalise_answer(text)
    for wanted in map(normalise_answer, accepted):
        if wanted and any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted))):
            return True
    return False


def _gives_up_early(text: str, accepted: list[str]) -> bool:
    words = normalise_answer(text)
    return any(words[: len(wanted)] == wanted for wanted in map(normalise_answer, accepted) if wanted)


def _padded(text: str, accepted: list[str]) -> bool:
    hay = f" {' '.join(normalise_answer(text))} "
    return any(f" {' '.join(normalise_answer(answer))} " in hay for answer in accepted if normalise_answer(answer))


def _by_position(text: str, accepted: list[str]) -> bool:
    words = normalise_answer(text)
    for wanted in map(normalise_answer, accepted):
        for start, word in enumerate(words):
            if wanted and word == wanted[0] and words[start : start + len(wanted)] == wanted:
                return True
    return False


@exercise("00.2", title="Is the answer right?", points=2, minutes=10, difficulty=2, function="contains_answer")
class IsTheAnswerRight:
    """Look for an accepted answer, word for word, in what the model said."""

    reference = staticmethod(contains_answer)
    public = [
        Case("The Corvid E6 brews at 91°C.", ["91 °C"], says="the answer is there"),
        Case("91°C", ["91 °C", "91 degrees"], says="the answer and nothing else; the first spelling is there"),
        Case("91 °C is right.", ["91°C"], says="the answer comes first"),
        Case("It holds 120 ml of milk.", ["12 ml", "12"], says="12 is not 120"),
        Case("Wait for three minutes.", ["3 minutes", "three minutes"], says="the second spelling is there"),
        Case("Set it to the low side first, then high.", ["high side"], says="both words are there, but not together"),
        Case("I could not say.", ["91 °C"], says="the answer is not there"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Numbers that hide in other numbers, words in other orders, answers at the edges, several spellings."""
        n, unit = rng.randint(2, 9), rng.choice(["ml", "minutes", "W", "°C", "litres"])
        word = rng.choice(["filter", "gasket", "sieve", "hose"])
        part = rng.randint(1100, 6300)
        return [
            Case(f"It is {n}{unit}.", [f"{n} {unit}"]),
            Case(f"It is {n}{rng.randint(0, 9)} {unit}.", [f"{n} {unit}", f"{n}"]),
            Case(f"Order QF-{part}, the {word}.", [f"QF {part}"]),
            Case(f"Order QF-{part}, the {word}.", [f"QF-{part + 1}", f"the {word}"]),
            Case(f"The {word} of the pump", [f"pump {word}"]),
            Case(f"{word.capitalize()}", [word]),
            Case(f"{word}s, many of them", [word]),
            Case("", [word]),
            Case(f"Use {n},500 {unit}", [f"{n}500 {unit}"]),
            Case("Say nothing", ["the"]),
        ]

    misconceptions = [
        Misconception(
            _substring, "You look for letters, not words: '12' is found inside '120', and '91°C' is not found as '91 °C'."
        ),
        Misconception(_joined_substring, "You look for letters, not words: '12' is found inside '120'."),
        Misconception(
            _any_order, "The words must stand next to each other, in order: 'high side' is not in 'the low side, then high'."
        ),
        Misconception(_first_only, "Any of the accepted answers will do, not only the first."),
        Misconception(_whole_text, "The answer may stand inside a longer sentence: look for it, do not compare with the whole."),
        Misconception(_list_in_list, "'list in list' asks for one element, not for a run of words: compare slices."),
        Misconception(
            _misses_the_end, "You miss an answer at the very end: the last start is len(words) - len(wanted), itself included."
        ),
        Misconception(_gives_up_early, "You look at the beginning of the text only: the answer may begin at any word."),
        Misconception(_all_needed, "One accepted answer is enough: they are different spellings of the same thing."),
    ]
    alternatives = [_padded, _by_position]
    hints = [
        "normalise_answer turns a text into a list of words. Turn both sides into such lists first.",
        "A list of words contains another where some slice of it is equal: words[i : i + len(wanted)] == wanted.",
        "Two loops: over the accepted answers, and over the positions at which one could begin. Return True at the first match.",
    ]


# --- 00.3 -----------------------------------------------------------------------------------------------------------


def _wald(successes: int, trials: int) -> tuple[float, float]:
    share = successes / trials
    half = 1.96 * math.sqrt(share * (1 - share) / trials)
    return max(0.0, share - half), min(1.0, share + half)


def _in_percent(successes: int, trials: int) -> tuple[float, float]:
    low, high = wilson_interval(successes, trials)
    return 100 * low, 100 * high


def _not_scaled(successes: int, trials: int) -> tuple[float, float]:
    z, share = 1.96, successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return max(0.0, centre - spread), min(1.0, centre + spread)


def _one_sided_z(successes: int, trials: int) -> tuple[float, float]:
    return wilson_interval(successes, trials, z=1.645)


def _half_width(successes: int, trials: int) -> tuple[float, float]:
    low, high = wilson_interval(successes, trials)
    return successes / trials, (high - low) / 2


def _not_scaled_nor_clipped(successes: int, trials: int) -> tuple[float, float]:
    z, share = 1.96, successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return centre - spread, centre + spread


def _brackets(successes: int, trials: int) -> tuple[float, float]:
    z, share = 1.96, successes / trials
    centre = share + z * z / 2 * trials
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    scale = 1 + z * z / trials
    return (centre - spread) / scale, (centre + spread) / scale


def _ends_reversed(successes: int, trials: int) -> tuple[float, float]:
    return wilson_interval(successes, trials)[::-1]


def _wilson_by_roots(successes: int, trials: int) -> tuple[float, float]:
    z2, share = 1.96**2, successes / trials
    a, b, c = 1 + z2 / trials, -(2 * share + z2 / trials), share**2
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def _wilson_agresti_form(successes: int, trials: int) -> tuple[float, float]:
    z = 1.96
    n = trials + z * z
    middle = (successes + z * z / 2) / n
    half = z / n * math.sqrt(successes * (trials - successes) / trials + z * z / 4)
    return middle - half, middle + half


@exercise("00.3", title="How sure are you?", points=2, minutes=10, difficulty=2, function="wilson_interval")
class HowSureAreYou:
    """The interval of a share."""

    reference = staticmethod(wilson_interval)
    public = [
        Case(5, 10, says="half of ten"),
        Case(50, 100, says="half of a hundred: the interval is narrower"),
        Case(0, 20, says="none of twenty: the upper end is not zero"),
        Case(20, 20, says="all of twenty"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random shares of small and large exams, and the two ends."""
        cases = []
        for _ in range(6):
            trials = rng.randint(1, 400)
            cases.append(Case(rng.randint(0, trials), trials))
        trials = rng.randint(2, 50)
        return [*cases, Case(0, trials), Case(trials, trials)]

    tolerance = 1e-6
    misconceptions = [
        Misconception(
            _wald, "This is the textbook's p ± 1.96·√(p(1−p)/n). With 0 of 20 it has no width, as if you were certain."
        ),
        Misconception(_in_percent, "Return shares between 0 and 1, not percentages."),
        Misconception(_not_scaled, "Centre and spread are both divided by 1 + z²/n at the end."),
        Misconception(_not_scaled_nor_clipped, "Centre and spread are both divided by 1 + z²/n at the end."),
        Misconception(_brackets, "z²/2n means z * z / (2 * n): without the brackets you multiply by n."),
        Misconception(_ends_reversed, "The lower end comes first."),
        Misconception(_one_sided_z, "For a 95 % interval with two ends z is 1.96; 1.645 leaves 5 % on each side."),
        Misconception(_half_width, "Return the two ends of the interval, low and high, not the share and a half-width."),
    ]
    alternatives = [_wilson_by_roots, _wilson_agresti_form]
    hints = [
        "Work in four lines: p, centre, spread, and the common divisor 1 + z²/n.",
        "math.sqrt covers p·(1−p)/n + z²/(4·n²). Mind the brackets: 4·n² is 4 * n * n.",
        "Return (centre - spread) / divisor and (centre + spread) / divisor.",
    ]


# --- quiz -----------------------------------------------------------------------------------------------------------

add_quiz(
    "00",
    [
        QuizQuestion(
            "The model named a temperature for a machine that it has never heard of. Why?",
            [
                Option(
                    "It looked the manual up.",
                    False,
                    "It has no access to anything: what you saw was computed from weights that never held the manual.",
                ),
                Option(
                    "It continues text with what is likely, and a likely answer to such a question has a number in it.",
                    True,
                    "Nothing in the process asks whether the number is true. That is why it reads so well.",
                ),
                Option(
                    "It is too small; a large model would know.",
                    False,
                    "A larger model knows more of the public world, but no model has read the files of an invented company.",
                ),
            ],
        ),
        QuizQuestion(
            "A system answered 0 of 20 questions. What may you say?",
            [
                Option(
                    "It can do none of these questions.",
                    False,
                    "Twenty questions cannot show that: a system that is right one time in ten gets all twenty wrong in 12 % of such exams.",
                ),
                Option(
                    "Its true share is probably below 17 %.",
                    True,
                    "That is the 95 % interval: 0 to 16.1 %. To say more, ask more.",
                ),
                Option("Nothing at all.", False, "Twenty wrong answers do rule out that it is right half of the time."),
            ],
        ),
        QuizQuestion(
            "Why does the exam hold questions that no document answers?",
            [
                Option(
                    "To make the exam harder.",
                    False,
                    "Difficulty is not the point: a system that always answers would score higher without them and be worse.",
                ),
                Option(
                    "To see whether a system says so when it does not know.",
                    True,
                    "A support desk that invents an answer does more harm than one that passes the question on.",
                ),
                Option(
                    "They are mistakes.",
                    False,
                    "They are on purpose, at least 15 % of each split, and a test proves that the documents do not answer them.",
                ),
            ],
        ),
    ],
)
