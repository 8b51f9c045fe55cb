"""An index that changes while it is searched: what is put is found at once, what is removed never again."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from course_lib.corpus import Document, load_documents, load_exam
from course_lib.ledger import record
from course_lib.models import embedder
from course_lib.retrieval.live import LiveIndex, changes, fingerprint
from course_lib.retrieval.stores import MemoryStore, StoreError
from course_lib.retrieval.visible import may_see, valid_on

RETURNS = Document("returns", "Returns", "# Returns\n\n## Time\n\nYou have 30 days.\n\n## Place\n\nSend it to Mill Lane.")
CARE = Document("care", "Care", "# Care\n\nWipe it with a damp cloth.")


@pytest.fixture
def live(models):
    return LiveIndex(MemoryStore(384), embedder())


def texts(hits):
    return [hit.passage.text for hit in hits]


def test_a_change_is_found_at_once_and_the_old_words_never_again(live):
    assert live.put([RETURNS, CARE]) == 3
    assert "30 days" in texts(live.search("How many days do I have?", 1))[0]
    live.put([replace(RETURNS, text=RETURNS.text.replace("30", "45"))])
    assert "45 days" in texts(live.search("How many days do I have?", 1))[0]
    assert not any("30 days" in text for text in texts(live.search("30 days", 10)))
    assert live.store.count() == 3


def test_a_document_that_shrinks_leaves_no_passage_behind(live):
    live.put([RETURNS])
    live.put([replace(RETURNS, text="# Returns\n\nNo longer possible.")])
    assert live.store.count({"document": "returns"}) == 1
    assert live.put([replace(RETURNS, text="")]) == 0
    assert live.store.count() == 0


def test_put_and_remove_are_one_step(live):
    """A reader who looks all the time sees the old document or the new one, never both and never neither."""
    old, new = replace(RETURNS, id="returns-old"), replace(RETURNS, id="returns-new")
    live.put([old, CARE])
    seen, stop = set(), threading.Event()

    def watch():
        while not stop.is_set():
            ids = [hit.passage.metadata["document"] for hit in live.store.search(query, 10)]
            seen.add(tuple(sorted(set(ids) - {"care"})))

    query = live.model.encode(["returns"])[0]
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(10):
            live.put([new], remove=["returns-old"])
            live.put([old], remove=["returns-new"])
    finally:
        stop.set()
        watcher.join(timeout=20)
    assert seen <= {("returns-old",), ("returns-new",)} and seen


def test_sync_embeds_only_what_has_changed(live):
    live.put([RETURNS, CARE])
    edited = replace(CARE, text=CARE.text + " Let it dry.")
    embedded = []
    encode = live.model.encode

    class Spy:
        dimension = 384

        def encode(self, given, **more):
            embedded.extend(given)
            return encode(given, **more)

    live.model = Spy()
    assert live.sync([RETURNS, CARE], [RETURNS, edited]) == {"add": [], "update": ["care"], "delete": []}
    assert embedded == ["Care\n# Care\n\nWipe it with a damp cloth. Let it dry."]
    assert live.sync([RETURNS, edited], [RETURNS, edited]) == {"add": [], "update": [], "delete": []}
    assert len(embedded) == 1
    assert live.sync([RETURNS, edited], [RETURNS]) == {"add": [], "update": [], "delete": ["care"]}
    assert live.store.count({"document": "care"}) == 0


def test_a_change_of_who_may_see_it_is_a_change(live):
    live.put([RETURNS])
    staff = replace(RETURNS, audience="staff")
    assert live.sync([RETURNS], [staff])["update"] == ["returns"]
    assert live.search("How many days?", 5, {"audience": "customer"}) == []
    assert fingerprint(RETURNS) == fingerprint(replace(RETURNS)) != fingerprint(staff)


def test_an_edition_arrives_with_little_to_embed():
    old, new = load_documents(edition="2025"), load_documents(edition="2026")
    todo = changes({one.id: fingerprint(one) for one in old}, {one.id: fingerprint(one) for one in new})
    assert (len(todo["add"]), len(todo["update"]), len(todo["delete"])) == (35, 0, 5)
    assert len(new) == len(old) + 30


def test_the_ledger_knows_the_stages_of_a_change_and_of_a_search(live):
    with record() as entry:
        live.put([CARE])
    assert set(entry.ms) == {"embed", "write"}
    with record() as entry:
        live.search("How do I clean it?", 1)
    assert set(entry.ms) == {"embed", "search"}
    with record() as entry:
        assert live.remove("care") == 1
    assert set(entry.ms) == {"write"}


def test_a_put_that_the_store_refuses_changes_nothing(live):
    live.put([RETURNS])
    with pytest.raises(StoreError, match="NUL"):
        live.put([replace(RETURNS, text="new words \0")], remove=["returns"])
    assert live.store.count({"document": "returns"}) == 2


def test_cached_embeddings_are_those_that_are_computed(live):
    other = LiveIndex(MemoryStore(384), live.model)
    live.put([RETURNS, CARE], cached=True)
    other.put([RETURNS, CARE])
    one, two = (index.search("Where do I send it?", 3) for index in (live, other))
    assert [hit.passage.id for hit in one] == [hit.passage.id for hit in two]
    assert [hit.score for hit in one] == pytest.approx([hit.score for hit in two], abs=1e-5)


def test_passages_keep_their_offsets(live):
    for entry in live.records(RETURNS):
        assert RETURNS.text[entry.metadata["start"] : entry.metadata["end"]] == entry.text


def test_editions_agree_with_the_days_on_which_documents_hold():
    documents = load_documents(edition=None, audience=None)
    rows = [
        {"id": one.id} | {name: str(day) if (day := getattr(one, name)) else None for name in ("valid_from", "valid_to")}
        for one in documents
    ]
    assert set(valid_on(rows, "2025-12-31")) == {one.id for one in load_documents(edition="2025", audience=None)}
    assert set(valid_on(rows, "2026-12-31")) == {one.id for one in load_documents(edition="2026", audience=None)}
    assert "policy-returns-2025" not in valid_on(rows, "2026-01-01")


def test_staff_notes_are_for_staff():
    notes = [one for one in load_documents(audience=None) if one.audience == "staff"]
    assert len(notes) == 14 and load_exam("exam")
    assert all(may_see(one.metadata, ["staff"]) and not may_see(one.metadata, []) for one in notes)
