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
