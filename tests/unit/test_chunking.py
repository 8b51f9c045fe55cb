"""Chunkers on texts nobody wrote for them."""

from __future__ import annotations

import random

import pytest

from course_lib.corpus.chunking import fixed_chunks, heading_chunks, section_spans, sentence_chunks, sentence_spans, word_spans

PIECES = [
    "word",
    "E47",
    "3.5",
    "don't",
    "Ω",
    "日本語",
    "end.",
    "Why?",
    "\n\n",
    "\n",
    "# Title\n",
    "## Part\n",
    "- item",
    "| a | b |",
    "1. first",
    "```",
]


def texts(count=60):
    rng = random.Random(7)
    for _ in range(count):
        yield " ".join(rng.choice(PIECES) for _ in range(rng.randint(0, 80)))


@pytest.mark.parametrize(
    "chunker", [lambda t: fixed_chunks(t, 7, 3), lambda t: sentence_chunks(t, 9), lambda t: heading_chunks(t, 9)]
)
def test_spans_are_in_order_and_in_the_text(chunker):
    for text in texts():
        spans = chunker(text)
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)


def test_windows_cover_every_word_and_overlap_exactly():
    for text in texts():
        for size, overlap in ((1, 0), (5, 0), (5, 4), (8, 2)):
            words, spans = word_spans(text), fixed_chunks(text, size, overlap)
            counted = [[word for word in words if start <= word[0] and word[1] <= end] for start, end in spans]
            assert [word for word in words if not any(word in window for window in counted)] == []
            for one, other in zip(counted, counted[1:]):
                assert len(set(one) & set(other)) == overlap
                assert not set(other) <= set(one)
            assert all(len(window) == size for window in counted[:-1])


def test_sentences_cover_every_word():
    for text in texts():
        spans = sentence_spans(text)
        covered = "".join(text[a:b] for a, b in spans)
        assert "".join(covered.split()) == "".join(text.split())


def test_sections_cover_the_text_and_know_their_path():
    text = "intro\n# T\n## A\nx\n### B\ny\n## C\nz\n```\n# not a heading\n```"
    found = [(text[a:b].splitlines()[-1], heading) for (a, b), heading in section_spans(text)]
    assert found == [("intro", ""), ("# T", ""), ("x", "A"), ("y", "A › B"), ("```", "C")]


def test_long_sections_are_cut_between_rows():
    table = "## Codes\n\n" + "\n".join(f"| E{n} | meaning of code {n} |" for n in range(40))
    chunks = heading_chunks(table, max_words=40)
    assert len(chunks) > 1
    assert all(table[a:b].count("|") % 3 == 0 for a, b in chunks)


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (3, 3), (3, -1), (2, 5)])
def test_impossible_windows_are_refused(size, overlap):
    with pytest.raises(ValueError, match="overlap"):
        fixed_chunks("a b c", size, overlap)
