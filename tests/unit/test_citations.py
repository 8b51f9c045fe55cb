"""Citations are read strictly, invented ones are dropped, and an answer leads back to its sentence."""

from __future__ import annotations

import pytest

from course_lib.corpus import Passage, load_exam, load_passages
from course_lib.corpus.exam import find_span
from course_lib.generation.citations import attribute, content_words, parse_citations, strip_citations, supporting_span
from course_lib.retrieval import Record


@pytest.mark.parametrize(
    ("answer", "cited"),
    [
        ("Yes [2].", [2]),
        ("Yes [3][1]", [3, 1]),
        ("Yes [1, 3] and [3,2].", [1, 3, 2]),
        ("Yes [ 2 ].", [2]),
        ("Yes [02].", [2]),
        ("[4] [5, 2]", [2]),
        ("[0] [-1] [1.5]", []),
        ("[2026] [1000]", []),
        ("[page 2] [passage 2] (2) {2} 2", []),
        ("[1; 2] [1-3] [1 2]", []),
        ("[1,] [,2] [] [ ]", []),
        ("[1", []),
        ("1]", []),
        ("[[2]]", [2]),
        ("[1\n]", []),
        ("[²] [٢] [２]", []),
        ("", []),
        ("[" + "9" * 5000 + "]", []),
        ("[1]" * 1000, [1]),
    ],
)
def test_marks_are_read_strictly(answer, cited):
    assert parse_citations(answer, shown=3) == cited


def test_nothing_shown_nothing_cited():
    assert parse_citations("Yes [1] [2].", shown=0) == []


def test_what_is_stripped_is_what_is_a_mark():
    assert strip_citations("It holds 1.2 litres [2]. Fill it cold [1, 9].") == "It holds 1.2 litres. Fill it cold."
    assert strip_citations("Since [2026], see [page 2].") == "Since [2026], see [page 2]."
    assert strip_citations("[1]") == "" and strip_citations("") == ""
    assert parse_citations(strip_citations("a [1] [2][3] b [ 1 , 2 ]"), shown=9) == []


def test_numbers_are_words_and_case_is_not():
    assert content_words("The Lamp, 1.2 L (1,200 W) at 91°C") == {"lamp", "1.2", "l", "1,200", "w", "91", "c"}
    assert content_words("Größe und Café") == {"größe", "und", "café"}
    assert content_words("the is of") == set()


def test_an_answer_leads_to_the_exact_words_of_the_document():
    """For each answerable question: the exam's own answer, put with its span's words, is found in the sentence of the span."""
    passages = {}
    for passage in load_passages():
        passages.setdefault(passage.document.id, []).append(passage)
    found = asked = 0
    for question in load_exam("dev"):
        for gold in question.gold:
            for passage in passages.get(gold.doc, []):
                spans = find_span(passage.text, gold.span)
                if not spans:
                    continue
                asked += 1
                start, end = supporting_span(gold.span, passage.text)
                assert passage.document.text[passage.start + start : passage.start + end] == passage.text[start:end]
                found += start < spans[0][1] and spans[0][0] < end
    assert asked > 100 and found / asked > 0.95, f"{found} of {asked}"


def test_a_source_is_only_named_where_words_are_shared():
    assert supporting_span("I do not know.", "Fill it cold. Wipe it.") is None
    assert supporting_span("anything", "") is None and supporting_span("", "Fill it.") is None
    assert attribute("zebra", [Record("a", "Fill it.")]) == [] and attribute("zebra", []) == []


def test_the_passage_with_the_best_sentence_is_attributed_the_first_on_a_tie():
    passages = [
        Record("a", "Fill the tank."),
        Record("b", "The tank holds 1.2 litres."),
        Record("c", "The tank holds 1.2 litres."),
    ]
    assert attribute("The tank holds 1.2 litres [1].", passages) == [2]
    assert attribute("tank", passages) == [1]


def test_attribution_reads_a_passage_not_a_page():
    document = load_passages()[0].document
    whole = Passage("x", document, 0, len(document.text))
    assert attribute(document.text[:80], [whole]) == [1]
