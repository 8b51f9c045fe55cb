"""Judge an answer without a judge model: compare its words with the words that are right.

The normalisation follows SQuAD's (Rajpurkar et al. 2016, arXiv 1606.05250), with one change: a number is a word of its own,
so that ``91°C`` and ``91 °C`` are equal and ``12`` is not found in ``120``.
"""

from __future__ import annotations

import re
from collections import Counter

from ..corpus.exam import Question

ARTICLES = {"a", "an", "the"}

# Each phrase says that the documents or the speaker do not know; "I'm sorry" alone says nothing of the kind.
ABSTENTIONS = re.compile(
    r"\b(?:i (?:do not|don't|cannot|can't|could not|couldn't) (?:know|say|tell|find|answer)"
    r"|i(?: a|')m (?:not able|unable) to (?:know|say|tell|find|answer)|i(?: a|')m not (?:sure|certain)"
    r"|i (?:do not|don't) have (?:the|any|that|this|enough) (?:information|ability|answer|knowledge)"
    r"|(?:not|isn't|is not|aren't|are not) (?:stated|mentioned|given|specified|covered|in (?:the|our|my) (?:documents?|passages?|manuals?))"
    r"|(?:documents?|passages?|manuals?) (?:do|does) not (?:say|state|mention|contain)"
    r"|no (?:information|answer) (?:about|on|is)|i have no information)",
    flags=re.IGNORECASE,
)


def normalise_answer(text: str) -> list[str]:
    """The words that count: lower case, without punctuation and articles, numbers apart from their units.

    >>> normalise_answer("The boiler: 91°C, or 1,200 W.")
    ['boiler', '91', 'c', 'or', '1200', 'w']
    """
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.lower())
    words = re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+", text)
    return [word for word in words if word not in ARTICLES]


def exact_match(text: str, right: str) -> bool:
    """Whether two answers have the same words in the same order.

    >>> exact_match("The 91 °C.", "91°C")
    True
    """
    return normalise_answer(text) == normalise_answer(right)


def contains_answer(text: str, accepted: list[str]) -> bool:
    """Whether the words of one of the accepted answers stand together, in order, in the text.

    >>> contains_answer("It brews at 91 °C.", ["91°C", "91 degrees"]), contains_answer("It holds 120 ml.", ["12"])
    (True, False)
    """
    words = normalise_answer(text)
    for answer in accepted:
        wanted = normalise_answer(answer)
        if wanted and any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1)):
            return True
    return False


def token_f1(text: str, right: str) -> float:
    """Harmonic mean of precision and recall over words, 0 to 1 (SQuAD).

    >>> round(token_f1("hot water at 91 °C", "91 °C"), 2)
    0.57
    """
    given, wanted = Counter(normalise_answer(text)), Counter(normalise_answer(right))
    shared = sum((given & wanted).values())
    return 2 * shared / (sum(given.values()) + sum(wanted.values())) if shared else 0.0


def abstains(text: str) -> bool:
    """Whether an answer says that it does not know.

    >>> abstains("I don't know."), abstains("I'm sorry to hear that. Press the button.")
    (True, False)
    """
    return bool(ABSTENTIONS.search(text.replace("’", "'")))


def is_correct(question: Question, text: str) -> bool:
    """Whether an answer is right: it contains an accepted answer or, where there is none, it abstains."""
    if not question.answerable:
        return abstains(text)
    return contains_answer(text, [question.answer, *question.accept])


# A candidate ends where such a word begins: "the Kiln I4 with one zone boosted" is the Kiln I4.
_JOINTS = {"for", "of", "in", "on", "with", "does", "do", "is", "are", "that"}


def other_candidate(question: Question) -> str | None:
    """The word by which one knows the wrong candidate of a comparison: the first of its name that the right answer does not share.

    The candidates are read from the question's "A or B". ``None`` where that cannot be done.

    >>> from course_lib.corpus import Gold
    >>> asked = Question("q", "p", "comparison", "exam", "Which is quieter, the Corvid E6 or the Wren M3?", "Wren M3", ("Wren",))
    >>> other_candidate(asked)
    'corvid'
    """
    sides = re.split(r"\bor\b", question.question)
    accepted = [question.answer, *question.accept]
    here = [contains_answer(side, accepted) for side in sides]
    if len(sides) != 2 or here[0] == here[1]:
        return None
    if here[0]:
        words = normalise_answer(sides[1])
        while words and words[0] in _JOINTS:
            words = words[1:]
    else:
        words = normalise_answer(re.split(r"[,:;]", sides[0])[-1])
        words = words[max((at + 1 for at, word in enumerate(words) if word in _JOINTS), default=0) :]
    shared = {word for answer in accepted for word in normalise_answer(answer)}
    return next((word for word in words if word not in shared), None)


def chooses(question: Question, text: str) -> bool:
    """Whether an answer to a comparison decides: it names the right candidate, and the other one only after a "than".

    "The Wren is quieter than the Corvid" decides for the Wren; "the Corvid or the Wren" does not decide. A right answer that names
    both in another way ("of the two, …") fails: the rule would rather miss an answer than let an echo of the question pass.

    >>> from course_lib.corpus import Gold
    >>> asked = Question("q", "p", "comparison", "exam", "Which is quieter, the Corvid E6 or the Wren M3?", "Wren M3", ("Wren",))
    >>> chooses(asked, "The Wren M3 is quieter than the Corvid E6."), chooses(asked, "The Corvid E6 or the Wren M3.")
    (True, False)
    """
    other = other_candidate(question)
    claim = re.split(r"\bthan\b", text, maxsplit=1, flags=re.IGNORECASE)[0]
    return contains_answer(claim, [question.answer, *question.accept]) and other not in normalise_answer(claim)
