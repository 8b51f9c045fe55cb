"""Search by words: BM25 over an inverted index (Robertson & Zaragoza 2009, doi 10.1561/1500000019)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ..ledger import stage
from .records import Filter, Hit, Text, matches, titled

if TYPE_CHECKING:
    import numpy as np

# The words that Lucene's EnglishAnalyzer leaves out.
STOPWORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was "
    "will with".split()
)
# A word, a number such as 1.2 or 1,200, or a code such as QF-1122 or sqlite3_step; an apostrophe may stand inside.
WORD = re.compile(r"[^\W_]+(?:(?<=\d)[.,]\d+)*(?:[-_]+[^\W_]+(?:(?<=\d)[.,]\d+)*)*(?:['’][^\W_]+)?")


@cache
def _stemmer() -> Any:
    import Stemmer  # PyStemmer

    return Stemmer.Stemmer("english")


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, stopwords left out, not stemmed.

    A name joined by hyphens is taken apart. Where it holds a digit or an underscore it is a code, and stands as a whole too: a
    part number is then found by the whole of it, and ``corvid e6`` finds ``corvid-e6``.

    >>> split_words("The Corvid's low-heat mode: part QF-1122, 1,200 W")
    ['corvid', 'low', 'heat', 'mode', 'part', 'qf-1122', 'qf', '1122', '1200', 'w']
    """
    words: list[str] = []
    for word in WORD.findall(text.lower()):
        word = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", re.sub(r"['’]s$", "", word)).replace("’", "'")
        parts = re.split(r"[-_]+", word)
        if len(parts) > 1 and ("_" in word or re.search(r"\d", word)):
            words.append(word)
        words.extend(parts)
    return [word for word in words if word not in STOPWORDS]


def tokenize(text: str) -> list[str]:
    """The terms of a text: its words without stopwords (:func:`split_words`), each cut to its stem (Snowball English, "Porter2").

    >>> tokenize("Why is the display showing E47 after descaling?")
    ['whi', 'display', 'show', 'e47', 'after', 'descal']
    """
    return stem_words(split_words(text))


def stem_words(words: Sequence[str]) -> list[str]:
    """The stem of each word.

    >>> stem_words(["descaling", "descaled"])
    ['descal', 'descal']
    """
    return list(_stemmer().stemWords(list(words)))


def bm25_scores(question: Sequence[str], passages: Sequence[Sequence[str]], k1: float = 0.9, b: float = 0.4) -> list[float]:
    """The BM25 score of each passage for a question, both as terms: the formula of :class:`BM25Index`, written to be read.

    A term that stands twice in the question counts twice.

    >>> [round(score, 2) for score in bm25_scores(["e47"], [["e47", "mean"], ["e33", "mean"]])]
    [0.36, 0.0]
    """
    mean_length = sum(len(passage) for passage in passages) / len(passages)
    holding = Counter(term for passage in passages for term in set(passage))
    scores = []
    for passage in passages:
        counts, score = Counter(passage), 0.0
        for term in question:
            if counts[term]:
                idf = math.log(1 + (len(passages) - holding[term] + 0.5) / (holding[term] + 0.5))
                score += idf * counts[term] / (counts[term] + k1 * (1 - b + b * len(passage) / mean_length))
        scores.append(score)
    return scores


def filtered_top_k(scores: Sequence[float] | np.ndarray, allowed: Sequence[bool] | np.ndarray, k: int) -> list[int]:
    """The rows of the ``k`` highest scores among those that are allowed, best first; on a tie the lower row first.

    Fewer than ``k`` only where fewer are allowed.

    >>> filtered_top_k([0.9, 0.8, 0.7, 0.6], [False, False, True, True], k=2)
    [2, 3]
    """
    import numpy as np

    values, rows = np.asarray(scores, dtype=float), np.flatnonzero(np.asarray(allowed, dtype=bool))
    if len(rows) > k > 0:  # leave the many that cannot be among the first k, so that few are sorted
        threshold = np.partition(values[rows], len(rows) - k)[len(rows) - k]
        rows = rows[values[rows] >= threshold]
    return [int(row) for row in rows[np.argsort(-values[rows], kind="stable")][:k]]


class BM25Index:
    """Search by shared words; the score of a hit is its BM25 score, above 0 and without an upper end.

    A passage is counted with its title in front where ``titles`` is true. A term that stands ``tf`` times in a passage of ``length``
    terms adds ``idf * tf / (tf + k1 * (1 - b + b * length / mean_length))`` with ``idf = ln(1 + (n - df + 0.5) / (df + 0.5))``,
    where ``df`` of the ``n`` passages hold the term: BM25 as Lucene computes it. The defaults of ``k1`` and ``b`` are those of
    Anserini's published baselines (Yang et al. 2017, doi 10.1145/3077136.3080721); they were not tuned on any data here.

    A filter acts inside the search: only passages that pass are ranked. What is rare is always counted over all passages.
    """

    def __init__(self, passages: Sequence[Text], *, titles: bool = True, k1: float = 0.9, b: float = 0.4) -> None:
        import bm25s

        if k1 < 0 or not 0 <= b <= 1:
            raise ValueError(f"k1 must be at least 0 and b between 0 and 1, not k1={k1} and b={b}")
        self.passages, self.k1, self.b = list(passages), k1, b
        self._rows = {passage.id: row for row, passage in enumerate(self.passages)}
        terms = [tokenize(titled(passage) if titles else passage.text) for passage in self.passages]
        self._engine: Any = None  # stays None where no passage has a term: bm25s cannot index nothing
        if any(terms):
            self._engine = bm25s.BM25(k1=k1, b=b, method="lucene", dtype="float64")
            self._engine.index(terms, create_empty_token=False, show_progress=False)

    def search(self, question: str, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The ``k`` passages with the highest scores among those that pass the filter, best first, on a tie as they were given.

        A passage that shares no term with the question is never found, so that there may be fewer than ``k``.
        """
        return self.search_many([question], k, where)[0]

    def search_many(self, questions: Sequence[str], k: int = 5, where: Filter | None = None) -> list[list[Hit]]:
        """:meth:`search` for many questions; the filter is worked out once."""
        import numpy as np

        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        with stage("search"):
            allowed = np.ones(len(self.passages), dtype=bool)
            if where is not None:
                allowed[:] = [matches(passage.metadata, where) for passage in self.passages]
            return [self._best(self._scores(question), k, allowed) for question in questions]

    def explain(self, question: str, passage_id: str) -> list[tuple[str, float]]:
        """What each word of the question adds to a passage's score, highest first; the sum is the score.

        A word stands as the question has it. Two words with one stem are one entry.

        >>> from course_lib.retrieval import Record
        >>> index = BM25Index([Record("a", "Descale the boiler."), Record("b", "Fill the tank.")])
        >>> [word for word, _ in index.explain("descaling a boiler", "a")]
        ['descaling', 'boiler']

        Raises ``KeyError`` for an id that is not in the index.
        """
        row = self._rows[passage_id]
        words = split_words(question)
        stems = stem_words(words)
        first = dict(zip(reversed(stems), reversed(words), strict=True))
        parts = [(first[stem], count * float(self._term_scores(stem)[row])) for stem, count in Counter(stems).items()]
        return sorted(((word, part) for word, part in parts if part > 0), key=lambda pair: -pair[1])

    def _term_scores(self, stem: str) -> np.ndarray:
        import numpy as np

        known = self._engine is not None and stem in self._engine.vocab_dict
        return self._engine.get_scores([stem]) if known else np.zeros(len(self.passages))

    def _scores(self, question: str) -> np.ndarray:
        import numpy as np

        known = [] if self._engine is None else [term for term in tokenize(question) if term in self._engine.vocab_dict]
        return self._engine.get_scores(known) if known else np.zeros(len(self.passages))

    def _best(self, scores: np.ndarray, k: int, allowed: np.ndarray) -> list[Hit]:
        rows = filtered_top_k(scores, allowed & (scores > 0), k)
        return [Hit(self.passages[row], float(scores[row])) for row in rows]
