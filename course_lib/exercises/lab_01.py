"""The exercises and the quiz of lab 01, chunk and embed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..corpus.chunking import Span, fixed_chunks, pack_spans, sentence_spans, word_spans
from ..evaluation.retrieval import recall_at_k
from ..retrieval.dense import top_k
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

WORDS = (
    "the pump stops when its tank runs dry so fill it before you press the round knob and wait until the lamp is green".split()
)


def _text(rng: random.Random, count: int) -> str:
    """Words with one or two spaces or a line break between them."""
    return "".join(rng.choice(WORDS) + rng.choice([" ", " ", "  ", "\n"]) for _ in range(count)).strip()


# --- 01.1 -----------------------------------------------------------------------------------------------------------


def _windows(text: str, size: int, step: int, all_tails: bool = False, drop_short: bool = False) -> list[Span]:
    words, spans = word_spans(text), []
    for first in range(0, len(words), max(step, 1)):
        window = words[first : first + size]
        if drop_short and len(window) < size:
            break
        spans.append((window[0][0], window[-1][1]))
        if first + size >= len(words) and not all_tails:
            break
    return spans


def _check_arguments(size: int, overlap: int) -> None:
    if not 0 <= overlap < size:
        raise ValueError


def _no_overlap(text: str, size: int, overlap: int = 0) -> list[Span]:
    _check_arguments(size, overlap)
    return _windows(text, size, size)


def _step_is_overlap(text: str, size: int, overlap: int = 0) -> list[Span]:
    _check_arguments(size, overlap)
    return _windows(text, size, overlap or size)


def _needless_tail(text: str, size: int, overlap: int = 0) -> list[Span]:
    _check_arguments(size, overlap)
    return _windows(text, size, size - overlap, all_tails=True)


def _drops_the_rest(text: str, size: int, overlap: int = 0) -> list[Span]:
    _check_arguments(size, overlap)
    return _windows(text, size, size - overlap, drop_short=True)


def _characters(text: str, size: int, overlap: int = 0) -> list[Span]:
    _check_arguments(size, overlap)
    return [(start, min(start + size, len(text))) for start in range(0, max(len(text) - overlap, 1), size - overlap)]


def _word_numbers(text: str, size: int, overlap: int = 0) -> list[Span]:
    _check_arguments(size, overlap)
    count, spans = len(text.split()), []
    for first in range(0, count, size - overlap):
        spans.append((first, min(first + size, count)))
        if first + size >= count:
            break
    return spans


def _no_check(text: str, size: int, overlap: int = 0) -> list[Span]:
    return _windows(text, size, size - overlap)


def _drifting_overlap(text: str, size: int, overlap: int = 0) -> list[Span]:
    _check_arguments(size, overlap)
    words, spans = word_spans(text), []
    for first in range(0, len(words), size):
        begin = max(0, first - overlap)
        window = words[begin : begin + size]
        spans.append((window[0][0], window[-1][1]))
        if begin + size >= len(words):
            break
    return spans


def _strings(text: str, size: int, overlap: int = 0) -> list[str]:
    return [text[start:end] for start, end in fixed_chunks(text, size, overlap)]


def _joined_words(text: str, size: int, overlap: int = 0) -> list[str]:
    return [" ".join(text[start:end].split()) for start, end in fixed_chunks(text, size, overlap)]


def _ends_at_next_word(text: str, size: int, overlap: int = 0) -> list[Span]:
    starts = [start for start, _ in word_spans(text)] + [len(text)]
    return [(a, next((s for s in starts if s > b), b)) for a, b in fixed_chunks(text, size, overlap)]


def _chunks_by_while(text: str, size: int, overlap: int = 0) -> list[tuple[int, int]]:
    if overlap < 0 or overlap >= size:
        raise ValueError("overlap")
    words, spans, first = word_spans(text), [], 0
    while first < len(words):
        last = min(first + size, len(words)) - 1
        spans.append((words[first][0], words[last][1]))
        if last == len(words) - 1:
            break
        first += size - overlap
    return spans


def _chunks_by_count(text: str, size: int, overlap: int = 0) -> list[list[int]]:
    if not 0 <= overlap < size:
        raise ValueError
    words = word_spans(text)
    if not words:
        return []
    step = size - overlap
    count = 1 + max(0, -(-(len(words) - size) // step))
    return [[words[n * step][0], words[min(n * step + size, len(words)) - 1][1]] for n in range(count)]


@exercise("01.1", title="Cut a text into windows", points=2, minutes=12, difficulty=2, function="fixed_chunks")
class CutIntoWindows:
    """Windows of words with overlap, as offsets."""

    reference = staticmethod(fixed_chunks)
    public = [
        Case("one two three four five six", 2, 0, says="three windows, no overlap"),
        Case("one two three four five", 3, 1, says="the last two windows share 'three'"),
        Case("one two three four five six seven", 3, 0, says="one word is left over"),
        Case("one  two\nthree", 2, 1, says="white space of several kinds"),
        Case("one two three four five six seven", 3, 1, says="three windows that overlap"),
        Case(" one two ", 5, 2, says="a text shorter than a window, with white space around it"),
        Case("one two three", 2, 2, says="an overlap that is not below the size"),
        Case("one two three", 2, 3, says="an overlap beyond the size"),
        Case("one two three", 2, -1, says="a negative overlap"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Texts of many lengths, sizes around them, every kind of overlap, no text, and bad arguments."""
        cases = []
        for _ in range(8):
            size = rng.randint(1, 8)
            cases.append(Case(_text(rng, rng.randint(1, 25)), size, rng.randint(0, size - 1)))
        size = rng.randint(2, 5)
        exact = " ".join(rng.choice(WORDS) for _ in range(3 * size))
        cases += [Case(exact, size, 0), Case(exact, size, size - 1), Case(exact, size)]
        return [*cases, Case("", 3, 1), Case("a b", 2, -1), Case("a b", 2, 3)]

    misconceptions = [
        Misconception(_no_overlap, "Your windows do not overlap: each begins size - overlap words after the one before."),
        Misconception(_step_is_overlap, "You move forward by overlap; move by size - overlap."),
        Misconception(
            _needless_tail, "Your last window lies wholly inside the one before it: stop once a window has reached the end."
        ),
        Misconception(_drops_the_rest, "The words after the last full window are lost: the last window may be shorter."),
        Misconception(
            _drifting_overlap, "From the third window on you lose the overlap: window n begins at word n · (size - overlap)."
        ),
        Misconception(_strings, "Return offsets, not the texts: pairs (start, end) with text[start:end] as the window."),
        Misconception(_joined_words, "Return offsets, not the texts: pairs (start, end) with text[start:end] as the window."),
        Misconception(_ends_at_next_word, "A window ends where its last word ends, not where the next one begins."),
        Misconception(_characters, "You count characters: size and overlap are numbers of words."),
        Misconception(_word_numbers, "You return word numbers: return character offsets, so that text[start:end] is the window."),
        Misconception(
            _no_check, "overlap must be at least 0 and below size: raise ValueError otherwise, or the window never moves on."
        ),
    ]
    alternatives = [_chunks_by_while, _chunks_by_count]
    hints = [
        "word_spans(text) gives you (start, end) of every word. A window from word i to word j reaches from the start of i to the end of j.",
        "Windows begin at words 0, step, 2·step, … with step = size - overlap: range(0, len(words), step).",
        "After appending a window, break if first + size >= len(words).",
    ]


# --- 01.2 -----------------------------------------------------------------------------------------------------------


def _dot_product(query: np.ndarray, vectors: np.ndarray, k: int) -> list[tuple[int, float]]:
    scores = vectors @ query
    return [(int(row), float(scores[row])) for row in np.argsort(-scores, kind="stable")[:k]]


def _worst_first(query: np.ndarray, vectors: np.ndarray, k: int) -> list[tuple[int, float]]:
    everything = top_k(query, vectors, len(vectors))
    return sorted(everything, key=lambda pair: (pair[1], pair[0]))[:k]


def _ties_backwards(query: np.ndarray, vectors: np.ndarray, k: int) -> list[tuple[int, float]]:
    return sorted(top_k(query, vectors, len(vectors)), key=lambda pair: (-round(pair[1], 9), -pair[0]))[:k]


def _distance(query: np.ndarray, vectors: np.ndarray, k: int) -> list[tuple[int, float]]:
    scores = np.linalg.norm(vectors - query, axis=1)
    return [(int(row), float(scores[row])) for row in np.argsort(scores, kind="stable")[:k]]


def _rows_only(query: np.ndarray, vectors: np.ndarray, k: int) -> list[int]:
    return [row for row, _ in top_k(query, vectors, k)]


def _query_not_scaled(query: np.ndarray, vectors: np.ndarray, k: int) -> list[tuple[int, float]]:
    return [(row, score * float(np.linalg.norm(query))) for row, score in top_k(query, vectors, k)]


def _norm_of_everything(query: np.ndarray, vectors: np.ndarray, k: int) -> list[tuple[int, float]]:
    scores = vectors @ query / (np.linalg.norm(vectors) * np.linalg.norm(query))
    return [(int(row), float(scores[row])) for row in np.argsort(-scores, kind="stable")[:k]]


def _top_k_plain(query: Any, vectors: Any, k: int) -> list[tuple[int, float]]:
    def cosine(a: Any, b: Any) -> float:
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return float(dot / (sum(x * x for x in a) ** 0.5 * sum(y * y for y in b) ** 0.5))

    scores = [(row, cosine(query, vector)) for row, vector in enumerate(vectors)]
    return sorted(scores, key=lambda pair: (-round(pair[1], 9), pair[0]))[:k]


def _top_k_normalised(query: np.ndarray, vectors: np.ndarray, k: int) -> list[list[float]]:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = np.round(units @ (query / np.linalg.norm(query)), 9)
    order = np.lexsort((np.arange(len(scores)), -scores))[:k]
    return [[int(row), float(scores[row])] for row in order]


@exercise("01.2", title="Find the nearest", points=2, minutes=10, difficulty=2, function="top_k")
class FindTheNearest:
    """Cosine similarity, best first."""

    reference = staticmethod(top_k)
    public = [
        Case(np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), 2, says="unit vectors and a diagonal"),
        Case(
            np.array([1.0, 0.0]), np.array([[2.0, 0.0], [9.0, 9.0], [0.5, 0.0]]), 3, says="length must not matter; two rows tie"
        ),
        Case(np.array([3.0, 4.0]), np.array([[3.0, 4.0], [-3.0, -4.0], [4.0, 3.0]]), 1, says="only the best"),
        Case(np.array([1.0, 1.0]), np.array([[1.0, 1.0], [1.0, 0.0]]), 5, says="k larger than the number of rows"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random vectors of random lengths, with repeated rows (ties) and opposite ones."""
        cases: list[Case] = []
        while len(cases) < 6:
            n, d = rng.randint(1, 12), rng.randint(2, 6)
            rows = [[rng.randint(-4, 4) + 0.5 for _ in range(d)] for _ in range(n)]
            query = np.array([rng.randint(-4, 4) + 0.25 for _ in range(d)])
            # Rows of one direction but different lengths tie up to rounding, and either order would be right: draw again.
            if len({round(score, 9) for _, score in top_k(query, np.array(rows), n)}) == n:
                rows += [rows[0]]
                cases.append(Case(query, np.array(rows), rng.randint(1, n + 3)))
        return cases

    misconceptions = [
        Misconception(
            _dot_product, "A dot product grows with the length of a vector: divide by both lengths to compare directions."
        ),
        Misconception(_worst_first, "argsort sorts from small to large: the nearest has the largest cosine."),
        Misconception(
            _ties_backwards,
            "On a tie the lower row number comes first: reversing an ascending order turns ties round. Sort -scores, kind='stable'.",
        ),
        Misconception(_distance, "This is Euclidean distance: cosine compares directions and is largest for the nearest."),
        Misconception(_norm_of_everything, "You divide by the length of the whole matrix: axis=1 gives the length of each row."),
        Misconception(_rows_only, "Return pairs (row, score), not rows alone."),
        Misconception(_query_not_scaled, "Divide by the length of the query too, so that a score is a cosine between -1 and 1."),
    ]
    alternatives = [_top_k_plain, _top_k_normalised]
    hints = [
        "The cosine of a and b is a·b / (|a| |b|). vectors @ query gives all the dot products at once.",
        "np.linalg.norm(vectors, axis=1) gives the length of every row.",
        "np.argsort(-scores, kind='stable')[:k] gives the best rows, ties in order. Turn them into int and float.",
    ]


# --- 01.3 -----------------------------------------------------------------------------------------------------------


def _hit_at_k(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    return float(any(passage in ranking[:k] for fact in gold for passage in fact))


def _precision(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    return sum(any(passage in fact for fact in gold) for passage in ranking[:k]) / k


def _whole_ranking(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    return recall_at_k(ranking, gold, max(len(ranking), 1))


def _all_passages_needed(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    found = set(ranking[:k])
    return sum(bool(fact) and all(passage in found for passage in fact) for fact in gold) / len(gold)


def _all_passages_empty_too(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    return sum(all(passage in ranking[:k] for passage in fact) for fact in gold) / len(gold)


def _counts_passages(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    passages = {passage for fact in gold for passage in fact}
    return len(passages & set(ranking[:k])) / max(len(passages), 1)


def _skips_lost_facts(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    kept = [fact for fact in gold if fact]
    return recall_at_k(ranking, kept, k) if kept else 0.0


def _recall_by_sets(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    top = set(ranking[:k])
    return float(np.mean([not top.isdisjoint(fact) for fact in gold]))


def _recall_by_ranks(ranking: Sequence[str], gold: Sequence[Sequence[str]], k: int) -> float:
    rank = {passage: number for number, passage in reversed(list(enumerate(ranking)))}
    found = 0
    for fact in gold:
        found += min((rank.get(passage, k) for passage in fact), default=k) < k
    return found / len(gold)


@exercise("01.3", title="Measure what was found", points=2, minutes=8, difficulty=2, function="recall_at_k")
class MeasureWhatWasFound:
    """Recall at k over facts."""

    reference = staticmethod(recall_at_k)
    public = [
        Case(["a", "b", "c"], [["b"]], 2, says="one fact, found at rank 2"),
        Case(["a", "b", "c"], [["c"]], 2, says="found too late"),
        Case(["a", "b", "c"], [["a"], ["x"]], 3, says="two facts, one found"),
        Case(["a", "b", "c"], [["b", "x", "y"]], 2, says="three passages hold the fact; one of them is enough"),
        Case(["a", "b"], [["a"], []], 2, says="a fact that the chunker cut in two"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random rankings and facts held by none, one or several passages."""
        cases = []
        for _ in range(8):
            ranking = rng.sample("abcdefghij", rng.randint(3, 10))
            gold = [rng.sample("abcdefghijxyz", rng.randint(0, 3)) for _ in range(rng.randint(1, 3))]
            cases.append(Case(ranking, gold, rng.randint(1, 6)))
        found, late, lost = rng.sample("abcdefgh", 3)
        fixed = [([[found, late], [late, "x"]], 3), ([[late], [found]], 2), ([[found], [], [lost]], 2), ([[found], []], 1)]
        return [*cases, *(Case([found, "q", late, lost], gold, k) for gold, k in fixed)]

    misconceptions = [
        Misconception(_hit_at_k, "You return 1 as soon as anything is found: a two-hop question has two facts, and each counts."),
        Misconception(_precision, "This is precision: you divide by k. Recall divides by the number of facts."),
        Misconception(_whole_ranking, "Only the first k passages count."),
        Misconception(_all_passages_needed, "One passage that holds the fact is enough; the others say the same."),
        Misconception(
            _all_passages_empty_too, "You require all passages of a fact: one of them is enough, and of none nothing is found."
        ),
        Misconception(_counts_passages, "Count facts, not passages: three passages with the same fact are one fact."),
        Misconception(_skips_lost_facts, "A fact that no passage holds was not found: it counts as zero, it does not vanish."),
    ]
    alternatives = [_recall_by_sets, _recall_by_ranks]
    hints = [
        "Go over the facts: for each, is any of its passages among ranking[:k]?",
        "any(passage in found for passage in fact) is False for an empty fact, just as it should be.",
        "Divide the number of facts found by len(gold).",
    ]


# --- 01.4 -----------------------------------------------------------------------------------------------------------


def _one_per_sentence(text: str, sentences: Sequence[Span], max_words: int) -> list[Span]:
    return list(sentences)


def _closes_too_late(text: str, sentences: Sequence[Span], max_words: int) -> list[Span]:
    packed: list[Span] = []
    count = max_words
    for start, end in sentences:
        if packed and count < max_words:
            packed[-1] = (packed[-1][0], end)
            count += len(text[start:end].split())
        else:
            packed.append((start, end))
            count = len(text[start:end].split())
    return packed


def _strictly_below(text: str, sentences: Sequence[Span], max_words: int) -> list[Span]:
    return pack_spans(text, sentences, max_words - 1)


def _forgets_to_reset(text: str, sentences: Sequence[Span], max_words: int) -> list[Span]:
    packed: list[Span] = []
    count = 0
    for start, end in sentences:
        count += len(text[start:end].split())
        if packed and count <= max_words:
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
    return packed


def _drops_long(text: str, sentences: Sequence[Span], max_words: int) -> list[Span]:
    return pack_spans(text, [(a, b) for a, b in sentences if len(text[a:b].split()) <= max_words], max_words)


def _counts_letters(text: str, sentences: Sequence[Span], max_words: int) -> list[Span]:
    packed: list[Span] = []
    for start, end in sentences:
        if packed and end - packed[-1][0] <= max_words:
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
    return packed


def _last_one_lost(text: str, sentences: Sequence[Span], max_words: int) -> list[Span]:
    return pack_spans(text, sentences, max_words)[:-1]


def _resets_to_zero(text: str, sentences: Sequence[Span], max_words: int) -> list[Span]:
    packed: list[Span] = []
    count = 0
    for start, end in sentences:
        words = len(text[start:end].split())
        if packed and count + words <= max_words:
            packed[-1] = (packed[-1][0], end)
            count += words
        else:
            packed.append((start, end))
            count = 0
    return packed


def _texts(text: str, sentences: Sequence[Span], max_words: int) -> list[str]:
    return [text[start:end] for start, end in pack_spans(text, sentences, max_words)]


def _pack_by_groups(text: str, sentences: Sequence[Span], max_words: int) -> list[list[int]]:
    groups: list[list[Span]] = []
    for span in sentences:
        words = sum(len(text[a:b].split()) for a, b in (groups[-1] if groups else []))
        if groups and words + len(text[span[0] : span[1]].split()) <= max_words:
            groups[-1].append(span)
        else:
            groups.append([span])
    return [[group[0][0], group[-1][1]] for group in groups]


def _pack_by_recount(text: str, sentences: Sequence[Span], max_words: int) -> list[Span]:
    packed: list[Span] = []
    for start, end in sentences:
        if packed and len(text[packed[-1][0] : end].split()) <= max_words:
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
    return packed


def _sentences(text: str, max_words: int, says: str = "") -> Case:
    return Case(text, sentence_spans(text), max_words, says=says)


@exercise("01.4", title="Keep sentences whole", points=3, minutes=12, difficulty=3, function="pack_sentences")
class KeepSentencesWhole:
    """Pack whole sentences into passages of limited length."""

    reference = staticmethod(pack_spans)
    public = [
        _sentences("One two. Three four five. Six.", 5, says="the first two fit, exactly"),
        _sentences("One two. Three four five. Six.", 4, says="the last two fit"),
        _sentences("One two three four five six. Seven.", 4, says="a sentence longer than the limit stays whole"),
        _sentences("One. Two. Three. Four. Five.", 2, says="pairs"),
        _sentences("One two. Three four five. Six.", 22, says="everything fits"),
        Case("", [], 5, says="no text"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random sentences of one to nine words, with limits around their lengths."""
        cases = []
        for _ in range(8):
            text = " ".join(
                " ".join(rng.choices(WORDS, k=rng.randint(1, 9))).capitalize() + "." for _ in range(rng.randint(1, 9))
            )
            cases.append(_sentences(text, rng.randint(1, 14)))
        length = rng.randint(2, 5)
        equal = " ".join(" ".join(rng.choices(WORDS, k=length)).capitalize() + "." for _ in range(5))
        short = "A lid. A b c. I saw page a"  # words of one letter, first and last
        return [
            *cases,
            _sentences(equal, 2 * length),
            _sentences(equal, 2 * length - 1),
            _sentences(short, 8),
        ]

    misconceptions = [
        Misconception(_one_per_sentence, "Every sentence is a passage of its own: join neighbours while they fit."),
        Misconception(
            _closes_too_late, "You look at the count before you add the sentence: the passage may grow beyond max_words."
        ),
        Misconception(_strictly_below, "A passage may have exactly max_words words: use <=, not <."),
        Misconception(_forgets_to_reset, "The count must begin anew with each new passage."),
        Misconception(_last_one_lost, "The last passage is missing: append it after the loop."),
        Misconception(_resets_to_zero, "A new passage begins with the words of its first sentence, not with none."),
        Misconception(_texts, "Return offsets, not the texts: pairs (start, end)."),
        Misconception(_drops_long, "A sentence longer than max_words must not be lost: it becomes a passage of its own."),
        Misconception(_counts_letters, "You count characters: max_words is a number of words."),
    ]
    alternatives = [_pack_by_groups, _pack_by_recount]
    hints = [
        "Go through the sentences once. For each: does it still fit into the last passage? Then stretch that passage, else begin a new one.",
        "Stretching a passage means replacing its end: packed[-1] = (packed[-1][0], end).",
        "Keep the number of words of the last passage in a variable; set it to the sentence's own count when a passage begins.",
    ]


# --- quiz -----------------------------------------------------------------------------------------------------------

add_quiz(
    "01",
    [
        QuizQuestion(
            "You embed a manual of 1,000 words as one passage. What does its vector know?",
            [
                Option(
                    "All of it, a little blurred.",
                    False,
                    "The embedder reads 256 tokens and drops the rest without a word of warning.",
                ),
                Option(
                    "Its first page or so.",
                    True,
                    "Everything after 256 tokens is cut off before the model sees it. That is the first reason to chunk.",
                ),
                Option("Only its title.", False, "The title counts, but so do the other words among the first 256 tokens."),
            ],
        ),
        QuizQuestion(
            "Recall@5 rose when you made the chunks longer. Are longer chunks better?",
            [
                Option(
                    "Yes, recall is what counts.",
                    False,
                    "Five longer chunks put more words in front of the reader. Compare at an equal number of words.",
                ),
                Option(
                    "Not shown: five long chunks hold more text than five short ones.",
                    True,
                    "At a fixed number of words the picture can turn round. Ask what the reader has to pay for.",
                ),
                Option(
                    "No, shorter is always better.",
                    False,
                    "Too short, and a fact is cut in two or stands without what it is about.",
                ),
            ],
        ),
        QuizQuestion(
            "Two settings score 0.74 and 0.76 on 130 questions; the interval of the difference is -0.03 to 0.07. Which do you ship?",
            [
                Option(
                    "The second: it is better.",
                    False,
                    "The interval holds zero: the same exam drawn anew could have it the other way round.",
                ),
                Option(
                    "Either; choose by cost or simplicity.",
                    True,
                    "The exam cannot tell them apart, so let something else decide.",
                ),
                Option(
                    "Neither: the test has failed.",
                    False,
                    "A test that finds no difference has told you something: the choice matters little here.",
                ),
            ],
        ),
        QuizQuestion(
            "Why do passages keep the offsets at which they were cut?",
            [
                Option(
                    "So that a citation can point at the exact words.",
                    True,
                    "An answer that names its source can be checked by the person who reads it.",
                ),
                Option("To save memory.", False, "Offsets are small, but the point is what they let you do: show the place."),
                Option("The embedder needs them.", False, "The embedder sees text alone."),
            ],
        ),
    ],
)
