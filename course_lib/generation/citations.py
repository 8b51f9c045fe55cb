"""Read the citations out of an answer, find the words in a passage that an answer stands on, and cite for a model that does not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..corpus.chunking import Span, sentence_spans
from ..retrieval.records import Text

# Numbers of one to three digits in brackets, with commas between them: [2], [1, 2]. Neither [2026] nor [see 2] is a mark.
MARK = re.compile(r"\[ *[0-9]{1,3}(?: *, *[0-9]{1,3})* *\]")
STOPWORDS = frozenset(
    "a an the it its is are was be been in on of for to and or with by at as from this that these those you your i my we our not do does "
    "can will if when then than so no yes has have had there what which how long many much".split()
)


def parse_citations(answer: str, shown: int) -> list[int]:
    """The passage numbers that an answer cites, each once, in order of appearance.

    A mark is a pair of square brackets with nothing in it but numbers of one to three digits, commas and spaces. Numbers of
    passages that were not shown, that is below 1 or above ``shown``, are dropped.

    >>> parse_citations("It holds 1.2 litres [2]. Fill it cold [1, 2] [7].", shown=3)
    [2, 1]
    >>> parse_citations("See [page 1], (2) and [2026].", shown=3)
    []
    """
    cited: list[int] = []
    for match in MARK.finditer(answer):
        for number in map(int, re.findall("[0-9]+", match[0])):
            if 1 <= number <= shown and number not in cited:
                cited.append(number)
    return cited


def strip_citations(answer: str) -> str:
    """An answer without its citation marks, those of passages that were not shown included: what is compared with the right answer.

    >>> strip_citations("It holds 1.2 litres [2]. Fill it cold [1, 2].")
    'It holds 1.2 litres. Fill it cold.'
    """
    return re.sub(rf"\s*{MARK.pattern}", "", answer).strip()


def content_words(text: str) -> set[str]:
    """The words and numbers of a text that say something, in lower case, each once: what is left without the commonest words.

    >>> sorted(content_words("It holds 1.2 litres; is that much?"))
    ['1.2', 'holds', 'litres']
    """
    return set(re.findall(r"\d+(?:[.,]\d+)*|[^\W\d_]+", text.lower())) - STOPWORDS


def supporting_span(answer: str, text: str) -> Span | None:
    """The sentence of a text that shares most words with an answer, as offsets; the first of several; ``None`` where none shares any.

    Only :func:`content_words` count, each once. That words are shared does not prove that the sentence says the same.

    >>> text = "Fill it cold. It holds 1.2 litres of water."
    >>> start, end = supporting_span("1.2 litres [1]", text)
    >>> text[start:end]
    'It holds 1.2 litres of water.'
    """
    wanted = content_words(strip_citations(answer))
    best, most = None, 0
    for start, end in sentence_spans(text):
        shared = len(wanted & content_words(text[start:end]))
        if shared > most:
            best, most = (start, end), shared
    return best


def attribute(answer: str, passages: Sequence[Text]) -> list[int]:
    """Cite for a model that does not: the number of the passage with the sentence that shares most words with the answer.

    A list of one number, of the first passage on a tie, or an empty one where no sentence shares a word. It says where the words
    may come from, not where the model took them from: this is attribution after the fact.

    >>> from course_lib.retrieval import Record
    >>> attribute("About 1.2 litres.", [Record("a", "Fill it cold."), Record("b", "It holds 1.2 litres.")])
    [2]
    """
    wanted = content_words(strip_citations(answer))
    best, most = [], 0
    for number, passage in enumerate(passages, start=1):
        span = supporting_span(answer, passage.text)
        shared = len(wanted & content_words(passage.text[slice(*span)])) if span else 0
        if shared > most:
            best, most = [number], shared
    return best
