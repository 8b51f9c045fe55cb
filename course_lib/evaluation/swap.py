"""Does an answer come from the passage? Change the passage, and see whether the answer changes with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..corpus import Passage, Question, gold_passages
from ..retrieval.records import Record, Text


@dataclass(frozen=True)
class Swap:
    """A passage as it is and with another number in the place of the one that answers a question."""

    question: Question
    passage: Text
    changed: Record
    number: str
    other: str

    def says_old(self, answer: str) -> bool:
        """Whether an answer holds the number of the passage as it is."""
        return self.number in numbers_of(answer)

    def says_new(self, answer: str) -> bool:
        """Whether an answer holds the number of the changed passage."""
        return self.other in numbers_of(answer)


def numbers_of(text: str) -> list[str]:
    """The numbers of a text as they are written, without the commas in thousands.

    >>> numbers_of("1,200 W, 1.2 litres, E47")
    ['1200', '1.2', '47']
    """
    return re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3}\b)", "", text))


def swap_number(question: Question, passage: Text, add: int = 11) -> Swap | None:
    """The passage with the answer's first number raised by ``add`` wherever it stands, title aside.

    ``None`` where the answer has no whole number, the passage does not hold it, or holds the other one already: then a change of the
    answer would tell nothing.

    >>> asked = Question("q", "p", "single", "exam", "How hot?", "91 °C")
    >>> swap_number(asked, Record("a", "It brews at 91 °C, not at 191.")).changed.text
    'It brews at 102 °C, not at 191.'
    """
    numbers = numbers_of(question.answer)
    if not numbers or "." in numbers[0]:
        return None
    number, other = numbers[0], str(int(numbers[0]) + add)
    pattern = rf"(?<![\d.,\w]){number}(?!\d|[.,]\d)"
    if not re.search(pattern, passage.text) or other in numbers_of(passage.text):
        return None
    changed = Record(f"{passage.id}, swapped", re.sub(pattern, other, passage.text), passage.title, passage.metadata)
    return Swap(question, passage, changed, number, other)


def number_swaps(questions: Sequence[Question], passages: Sequence[Passage], add: int = 11) -> list[Swap]:
    """:func:`swap_number` for each question that has one passage with its whole answer, and a number in it."""
    by_id = {passage.id: passage for passage in passages}
    found = []
    for question in questions:
        facts = gold_passages(question, passages)
        if len(facts) == 1 and facts[0] and (swap := swap_number(question, by_id[facts[0][0]], add)):
            found.append(swap)
    return found
