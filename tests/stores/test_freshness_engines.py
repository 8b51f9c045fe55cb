"""On every engine: a deleted document is never found again, over all questions of the exam; and no role sees what is not for it."""

from __future__ import annotations

import itertools
import os

import pytest

from course_lib.corpus import load_documents, load_exam
from course_lib.models import embedder
from course_lib.retrieval.live import LiveIndex
from course_lib.retrieval.stores import MemoryStore, PostgresStore

tables = itertools.count()


@pytest.fixture(scope="module")
def shelf():
    """Policies of both editions and the company's own pages, staff notes included."""
    return [one for one in load_documents(edition=None, audience=None) if one.family == "company"]


@pytest.fixture(scope="module")
def questions():
    return [one.question for one in load_exam("all", edition=None)]


@pytest.fixture(params=["memory", "embedded", "over_tcp"])
def store(request):
    if request.param == "memory":
        made = MemoryStore(384)
    else:
        server = request.getfixturevalue(request.param)
        made = PostgresStore(server.dsn, 384, f"fresh_{os.getpid()}_{next(tables)}")
    yield made
    made.close()


def found(index, questions, k, where=None):
    return {hit.passage.metadata["document"] for hits in index.search_many(questions, k, where) for hit in hits}


def test_a_deleted_document_is_never_found_again(models, store, shelf, questions):
    live = LiveIndex(store, embedder())
    live.put(shelf, cached=True)
    assert "policy-returns-2025" in found(live, questions, 5)
    assert live.remove("policy-returns-2025") == len(live.records(_named(shelf, "policy-returns-2025")))
    assert store.count({"document": "policy-returns-2025"}) == 0
    assert "policy-returns-2025" not in found(live, questions, 20)


def test_nor_through_an_index(models, store, shelf, questions):
    if isinstance(store, MemoryStore):
        pytest.skip("a store in memory has no approximate index")
    live = LiveIndex(store, embedder())
    live.put(shelf, cached=True)
    store.build_index("hnsw")
    live.remove("policy-warranty-2025")
    seen = found(live, questions, 20)
    assert "policy-warranty-2025" not in seen and "policy-warranty-2026" in seen


def test_a_customer_never_finds_a_staff_note_even_without_a_filter(models, store, shelf, questions):
    live = LiveIndex(store, embedder())
    live.put(shelf, cached=True)
    notes = {one.id for one in shelf if one.audience == "staff"}
    assert notes & found(live, questions, 5)
    assert not notes & found(live, questions, 20, {"audience": "customer"})
    if isinstance(store, MemoryStore):
        return  # nobody but this program can reach it
    role = f"customer_{os.getpid()}"
    as_customer = PostgresStore(store.restrict(role, {"audience": "customer"}), 384, store.table)
    try:
        assert not notes & found(LiveIndex(as_customer, embedder()), questions, 20)
    finally:
        as_customer.close()


def _named(shelf, id):
    return next(one for one in shelf if one.id == id)
