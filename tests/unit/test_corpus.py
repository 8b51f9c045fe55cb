"""The corpus keeps its promises, and the validator notices when it does not."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from course_lib.corpus import Gold, chunk_document, gold_passages, load_documents, load_exam, load_passages
from course_lib.corpus import validate as v
from course_lib.corpus.documents import Document, html_to_markdown, parse_html, parse_markdown, read_document
from course_lib.corpus.tickets import check_tickets, load_gold_tickets, load_raw_tickets, split_of


@pytest.mark.parametrize("corpus", ["quillfeather", "sqlite"])
def test_the_validator_finds_nothing(corpus):
    assert v.validate(corpus) == []


def test_the_tickets_are_sound():
    assert list(check_tickets()) == []


def test_the_corpus_is_as_large_as_promised():
    documents = load_documents(edition=None, audience=None, official=False)
    manuals = [d for d in documents if d.kind == "manual"]
    assert len(documents) >= 60 and sum(len(d.text.split()) for d in documents) >= 35_000
    assert len({d.products[0] for d in manuals}) >= 24 and len({d.family for d in manuals}) == 6
    assert len([d for d in documents if d.source != "official"]) >= 6
    assert any(d.audience == "staff" for d in documents)
    questions = load_exam("all", edition=None)
    assert len(questions) >= 600 and len(load_exam("exam")) >= 240
    assert len({q.pair for q in questions if q.pair and q.product.startswith("policy-")}) >= 20
    assert len(load_documents("sqlite")) >= 150 and len(load_exam("all", "sqlite")) >= 60
    assert len(load_raw_tickets()) == len(load_gold_tickets()) >= 300


def test_no_exam_product_occurs_in_training():
    products = {split: {q.product for q in load_exam(split, edition=None)} for split in ("train", "dev", "exam")}
    assert (
        not products["train"] & products["exam"]
        and not products["train"] & products["dev"]
        and not products["dev"] & products["exam"]
    )
    for ticket in load_gold_tickets():
        if ticket.product in products["exam"]:
            assert split_of(ticket) == "exam"


def test_customers_do_not_see_internal_notes_by_default():
    assert all(d.audience == "customer" and d.source == "official" for d in load_documents())
    assert len(load_documents(audience=None)) > len(load_documents())


def test_editions_replace_each_other():
    ids_2025 = {d.id for d in load_documents(edition="2025")}
    ids_2026 = {d.id for d in load_documents(edition="2026")}
    assert "policy-returns-2025" in ids_2025 - ids_2026 and "policy-returns-2026" in ids_2026 - ids_2025
    assert "manual-corvid-e6" in ids_2025 & ids_2026


def test_html_and_markdown_give_the_same_form():
    html = """<!doctype html><html lang="en"><head><title>T</title><meta name="id" content="x"><meta name="products" content="a, b">
    <meta name="valid_to" content=""></head><body><h1>T</h1><!-- hidden --><h2>Codes</h2>
    <table><tr><th>Code</th><th>Meaning</th></tr><tr><td>E1</td><td>Dry</td></tr></table></body></html>"""
    matter, text = parse_html(html)
    assert matter["products"] == ["a", "b"] and matter["valid_to"] is None and matter["title"] == "T"
    assert "| E1 | Dry |" in text and text.startswith("# T") and "hidden" not in text
    assert html_to_markdown("<p>a</p><script>evil()</script>") == "a"


@pytest.mark.parametrize("source", ["no front matter", "---\nid: [\n---\ntext", "---\nid: x\n---\ntext"])
def test_bad_front_matter_names_the_file(tmp_path, source):
    path = tmp_path / "bad.md"
    path.write_text(source)
    with pytest.raises(ValueError, match="bad.md"):
        read_document(path)


def test_an_unknown_corpus_or_split_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="quillfeather, sqlite"):
        load_documents("wikipedia")
    with pytest.raises(ValueError, match="train, dev, exam"):
        load_exam("test")


def test_offsets_are_exact_and_ids_unique():
    passages = load_passages(edition=None, audience=None, official=False)
    assert len({p.id for p in passages}) == len(passages)
    for passage in passages:
        assert passage.text == passage.document.text[passage.start : passage.end].strip() == passage.text.strip()
        assert passage.text


# --- the validator notices --------------------------------------------------------------------------------------------

DOCUMENT = Document(
    "manual-x", "X", "# X\n\n## Care\n\nReplace the gasket after 14 months of use.\n\n## Use\n\nFill the tank with cold water.",
    products=("corvid-e6",), valid_from=datetime.date(2025, 1, 1),
)  # fmt: skip
GOOD = dataclasses.replace(
    next(q for q in load_exam("exam") if q.type == "single" and q.product == "corvid-e6"),
    answer="14 months", accept=(), gold=(Gold("manual-x", "Replace the gasket after 14 months"),), edition=None,
)  # fmt: skip


def problems(question, documents=(DOCUMENT,)):
    passages = [p for d in documents for p in chunk_document(d)]
    rows = [question]
    return [
        *v.check_rows(rows), *v.check_gold(rows, list(documents), passages), *v.check_overlap(rows, passages),
        *v.check_absent(rows, list(documents), passages),
    ]  # fmt: skip


def test_a_good_row_has_no_problem():
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"gold": (Gold("manual-x", "Replace the gasket after 15 months"),)}, "occurs 0 times"),
        ({"gold": (Gold("nowhere", "Replace the gasket after 14 months"),)}, "does not exist"),
        ({"answer": "15 months"}, "is not in its span"),
        ({"gold": ()}, "needs gold"),
        ({"question": "How long does a gasket last?"}, "does not name its product"),
        ({"question": "Corvid " + "why " * 40}, "more than 30 words"),
        ({"edition": "2024"}, "does not hold in 2024"),
        ({"type": "riddle"}, "unknown type"),
        (
            {"type": "paraphrase", "question": "When to replace the Corvid's gasket, after how many months of use?"},
            "content words",
        ),
        ({"type": "unanswerable", "answer": "", "gold": (), "why": "missing", "absent": ("gasket",)}, "matches 'gasket'"),
        ({"type": "changed", "pair": "p", "edition": "2025"}, "needs one 2025 and one 2026 row"),
    ],
)
def test_a_bad_row_is_noticed(change, sentence):
    assert any(sentence in problem for problem in problems(dataclasses.replace(GOOD, **change)))


def test_leaks_and_copies_are_noticed():
    other = dataclasses.replace(GOOD, id="other", split="train")
    found = list(v.check_splits([GOOD, other]))
    assert any("is in exam, train" in problem for problem in found) and any("one span answers" in problem for problem in found)
    assert any("used 2 times" in problem for problem in v.check_rows([GOOD, GOOD]))
    table = "\n|a|\n" * 20
    copy = dataclasses.replace(DOCUMENT, kind="manual", text=DOCUMENT.text + table)
    assert any("share 100%" in p for p in v.check_documents([copy, dataclasses.replace(copy, id="manual-y")]))


def test_a_cut_fact_has_no_passage():
    question = GOOD
    halves = chunk_document(DOCUMENT, lambda text: [(0, 40), (40, len(text))])
    assert gold_passages(question, halves) == [[]]


def test_parse_markdown_keeps_the_text():
    assert parse_markdown("---\nid: a\n---\n# T\n\ntext\n")[1] == "# T\n\ntext"
