"""Prove that a corpus and its exam keep their promises: ``python -m course_lib.corpus.validate``.

Every check returns sentences that say what is wrong and where; no sentence means that the promise holds.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

from .chunking import Passage, chunk_document
from .documents import CORPORA, Document, load_documents
from .exam import SPLITS, TYPES, Question, find_span, gold_passages, load_exam
from .facts import check_facts, fact_summary
from .tickets import check_tickets, ticket_summary

MAX_SHARED_SHINGLES = 0.30
MAX_PARAPHRASE_OVERLAP = 0.30
MIN_UNANSWERABLE = 0.15


def shared_shingles(one: str, other: str, size: int = 8) -> float:
    """The share of the shorter text's distinct ``size``-word shingles that the other text has too.

    >>> shared_shingles("a b c d", "a b c e", size=3)
    0.5
    """
    sets = []
    for text in (one, other):
        words = re.findall(r"\w+", text.lower())
        sets.append({tuple(words[i : i + size]) for i in range(len(words) - size + 1)})
    smaller = min(sets, key=len)
    return len(sets[0] & sets[1]) / len(smaller) if smaller else 0.0


def content_stems(text: str, without: str = "") -> set[str]:
    """Stems of the words of a text, stop words and the words of ``without`` left out.

    >>> sorted(content_stems("Why is the Corvid leaking hot waters?", without="Corvid E6"))
    ['hot', 'leak', 'water']
    """
    import Stemmer
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    skip = ENGLISH_STOP_WORDS | set(re.findall(r"\w+", without.lower()))
    words = [word for word in re.findall(r"\w+", text.lower()) if word not in skip and (len(word) > 1 or word.isdigit())]
    return set(Stemmer.Stemmer("english").stemWords(words))


def product_name(product: str) -> str:
    """A product's name from its id.

    >>> product_name("corvid-e6")
    'Corvid E6'
    """
    return " ".join(part.capitalize() for part in product.split("-"))


def normalise(text: str) -> str:
    """Lower case, white space joined."""
    return " ".join(text.lower().split())


def check_documents(documents: list[Document]) -> Iterator[str]:
    """Ids are unique, texts are not empty, overruled documents exist, manuals do not repeat one another."""
    ids = Counter(document.id for document in documents)
    yield from (f"document {name}: id used {count} times" for name, count in ids.items() if count > 1)
    for document in documents:
        if not document.text.startswith("# "):
            yield f"document {document.id}: does not start with a title"
        yield from (
            f"document {document.id}: overrules {name}, which does not exist" for name in document.overrules if name not in ids
        )
        if document.kind == "manual" and not (document.text.count("\n|") > 14):
            yield f"document {document.id}: a manual needs a specification table and an error table"
    for one, other in combinations([document for document in documents if document.kind == "manual"], 2):
        share = shared_shingles(one.text, other.text)
        if share > MAX_SHARED_SHINGLES:
            yield f"{one.id} and {other.id} share {share:.0%} of their 8-word shingles"


def check_rows(questions: list[Question]) -> Iterator[str]:
    """Ids are unique; types, splits and fields are as the data card says; pairs are complete."""
    ids = Counter(question.id for question in questions)
    yield from (f"{name}: id used {count} times" for name, count in ids.items() if count > 1)
    texts = Counter((normalise(question.question), question.edition) for question in questions)
    yield from (f"question asked {count} times: {text[0]}" for text, count in texts.items() if count > 1)
    pairs = defaultdict(list)
    for question in questions:
        if question.type not in TYPES:
            yield f"{question.id}: unknown type {question.type}"
        if question.split not in SPLITS:
            yield f"{question.id}: unknown split {question.split}"
        if len(question.question.split()) > 30:
            yield f"{question.id}: the question has more than 30 words"
        if question.answerable != bool(question.gold and question.answer):
            yield f"{question.id}: an answerable question needs gold and an answer, an unanswerable one neither"
        if "-" in question.product and not question.product.startswith(("policy-", "sqlite-")):
            if product_name(question.product).split()[0].lower() not in question.question.lower():
                yield f"{question.id}: the question does not name its product"
        if question.type == "unanswerable" and not (question.absent and question.why):
            yield f"{question.id}: an unanswerable question needs absent and why"
        if question.type in ("two_hop", "comparison") and len(question.gold) < 2:
            yield f"{question.id}: type {question.type} needs two gold spans"
        if question.type == "changed":
            pairs[question.pair].append(question)
    for name, pair in pairs.items():
        editions, wordings = sorted(str(row.edition) for row in pair), {row.question for row in pair}
        answers = {normalise(row.answer) for row in pair}
        if name is None or editions != ["2025", "2026"] or len(wordings) != 1 or len(answers) != 2:
            yield f"pair {name} ({', '.join(row.id for row in pair)}): needs one 2025 and one 2026 row, one wording, two answers"


def check_gold(questions: list[Question], documents: list[Document], passages: list[Passage]) -> Iterator[str]:
    """Each span occurs once in its document and wholly in a passage; the answer is in the span; editions agree."""
    by_id = {document.id: document for document in documents}
    for question in questions:
        for gold, ids in zip(question.gold, gold_passages(question, passages), strict=True):
            document = by_id.get(gold.doc)
            if document is None:
                yield f"{question.id}: gold document {gold.doc} does not exist"
                continue
            times = len(find_span(document.text, gold.span))
            if times != 1:
                yield f"{question.id}: the span occurs {times} times in {gold.doc}: {gold.span!r}"
            elif not ids:
                yield f"{question.id}: no passage of {gold.doc} holds the whole span: {gold.span!r}"
            if not 12 <= len(gold.span) <= 220:
                yield f"{question.id}: the span has {len(gold.span)} characters, not 12 to 220"
            if document.audience != "customer" or document.source != "official":
                yield f"{question.id}: gold document {gold.doc} is not an official document for customers"
            for edition in [question.edition] if question.edition else ["2025", "2026"]:
                if not document.holds_in(edition):
                    yield f"{question.id}: {gold.doc} does not hold in {edition} (edition is {question.edition})"
        if question.answerable and question.gold:
            if len(question.answer.split()) > 8:
                yield f"{question.id}: the answer has more than 8 words"
            if question.type != "comparison" and normalise(question.answer) not in normalise(question.gold[-1].span):
                yield f"{question.id}: the answer {question.answer!r} is not in its span"


def check_overlap(questions: list[Question], passages: list[Passage]) -> Iterator[str]:
    """Paraphrases share few words with the passage that answers them."""
    texts = {passage.id: passage.text for passage in passages}
    for question in questions:
        if question.type != "paraphrase" or not question.gold:
            continue
        overlap = paraphrase_overlap(question, passages_of=gold_passages(question, passages), texts=texts)
        if overlap > MAX_PARAPHRASE_OVERLAP:
            yield f"{question.id}: {overlap:.0%} of the paraphrase's content words are in its passage"


def paraphrase_overlap(question: Question, passages_of: list[list[str]], texts: dict[str, str]) -> float:
    """The share of a question's content words, the product's name aside, that its gold passage contains."""
    stems = content_stems(question.question, without=product_name(question.product))
    passage = " ".join(texts[name] for ids in passages_of for name in ids)
    return len(stems & content_stems(passage)) / len(stems) if stems else 0.0


def check_absent(questions: list[Question], documents: list[Document], passages: list[Passage]) -> Iterator[str]:
    """What an answer to an unanswerable question would mention is in no document about its product, nor about none."""
    for question in questions:
        name = product_name(question.product)
        own_or_general = [document for document in documents if question.product in document.products or not document.products]
        mention = [passage for passage in passages if name.lower() in passage.title.lower() + passage.text.lower()]
        for pattern in question.absent:
            for text_id, text in [(d.id, d.text) for d in own_or_general] + [(p.id, p.text) for p in mention]:
                match = re.search(pattern, text, flags=re.IGNORECASE)
                if match:
                    yield f"{question.id}: {pattern!r} matches {match[0]!r} in {text_id}"
                    break


def check_splits(questions: list[Question]) -> Iterator[str]:
    """No product is in two splits, no span answers questions of two splits, and enough of each split is unanswerable."""
    splits = defaultdict(set)
    for question in questions:
        splits[question.product].add(question.split)
    yield from (f"product {product} is in {', '.join(sorted(names))}" for product, names in splits.items() if len(names) > 1)
    spans = defaultdict(set)
    for question in questions:
        for gold in question.gold:
            spans[gold.doc, normalise(gold.span)].add(question.split)
    yield from (
        f"{doc}: one span answers {', '.join(sorted(names))}: {span}" for (doc, span), names in spans.items() if len(names) > 1
    )
    for split in SPLITS:
        rows = [question for question in questions if question.split == split]
        share = sum(not question.answerable for question in rows) / max(len(rows), 1)
        if rows and share < MIN_UNANSWERABLE:
            yield f"split {split}: {share:.1%} unanswerable, fewer than {MIN_UNANSWERABLE:.0%}"


def validate(corpus: str, only: str | None = None) -> list[str]:
    """Run every check; ``only`` keeps one family's documents and questions (but looks for absent answers everywhere)."""
    documents = load_documents(corpus, edition=None, audience=None, official=False)
    questions = load_exam("all", corpus, edition=None)
    passages = [passage for document in documents for passage in chunk_document(document)]
    chosen = documents
    if only:
        chosen = [document for document in documents if document.family == only]
        products = {product for document in chosen for product in document.products} if only != "company" else set()
        questions = [q for q in questions if q.product in products or (only == "company" and q.product.startswith("policy-"))]
    checks: list[Iterable[str]] = [
        check_documents(chosen),
        check_rows(questions),
        check_gold(questions, documents, passages),
        check_overlap(questions, passages),
        check_absent(questions, documents, passages),
        check_splits(questions),
    ]
    return [problem for check in checks for problem in check]


def summary(corpus: str, only: str | None = None) -> str:
    """Counts of documents by kind and of questions by type and split, as plain text."""
    documents = [d for d in load_documents(corpus, edition=None, audience=None, official=False) if not only or d.family == only]
    words = sum(len(document.text.split()) for document in documents)
    kinds = Counter(document.kind for document in documents)
    families = {product: d.family for d in documents if d.kind == "manual" for product in d.products}
    questions = [
        question
        for question in load_exam("all", corpus, edition=None)
        if not only or only in (families.get(question.product), question.product.replace("policy-", "company-").split("-")[0])
    ]
    lines = [
        f"{corpus}: {len(documents)} documents, {words:,} words",
        "  " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
        f"  {len(questions)} questions",
        "  " + f"{'type':<14}" + "".join(f"{split:>8}" for split in SPLITS) + f"{'all':>8}",
    ]
    for kind in TYPES:
        counts = [sum(q.type == kind and q.split == split for q in questions) for split in SPLITS]
        lines.append("  " + f"{kind:<14}" + "".join(f"{count:>8}" for count in [*counts, sum(counts)]))
    totals = [sum(q.split == split for q in questions) for split in SPLITS]
    lines.append("  " + f"{'all':<14}" + "".join(f"{count:>8}" for count in [*totals, sum(totals)]))
    return "\n".join(lines)


def main() -> int:
    """Print the counts and every problem; exit code 1 if there is a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one family, or sqlite")
    only = parser.parse_args().only
    failed = False
    for corpus in CORPORA:
        if only and (corpus == "sqlite") != (only == "sqlite"):
            continue
        family = None if corpus == "sqlite" else only
        print(summary(corpus, family))
        problems = validate(corpus, family)
        print("\n".join(problems) if problems else "  OK: no problem found")
        failed = failed or bool(problems)
    if not only:
        for counts, problems in ((ticket_summary, list(check_tickets())), (fact_summary, list(check_facts()))):
            print(counts())
            print("\n".join(problems) if problems else "  OK: no problem found")
            failed = failed or bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
