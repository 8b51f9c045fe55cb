"""An index that changes while it is searched: documents in a store, replaced and removed as the world does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

from ..corpus.chunking import Chunker, chunk_document, heading_chunks
from ..corpus.documents import Document
from ..ledger import stage
from ..models import Embedder, embedder
from .dense import embed_texts
from .records import Filter, Hit, Record, titled
from .stores.base import Store


def fingerprint(document: Document) -> str:
    """A hash of all that a search, a filter or a reader could notice about a document: two are equal if nothing has to be done.

    >>> fingerprint(Document("a", "Returns", "45 days")) == fingerprint(Document("a", "Returns", "45 days", audience="staff"))
    False
    """
    return hashlib.sha256(json.dumps(asdict(document), sort_keys=True, default=str).encode()).hexdigest()


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, list[str]]:
    """What has to be done to get from one collection to another, both given as fingerprints by id; ids in alphabetical order.

    >>> changes({"a": "1", "b": "1", "c": "1"}, {"b": "1", "c": "2", "d": "1"})
    {'add': ['d'], 'update': ['c'], 'delete': ['a']}
    """
    return {
        "add": sorted(new.keys() - old.keys()),
        "update": sorted(id for id in new.keys() & old.keys() if new[id] != old[id]),
        "delete": sorted(old.keys() - new.keys()),
    }


class LiveIndex:
    """Documents cut, embedded and kept in a store; searched by meaning.

    Any number of these may share a store, in this process or in others: each sees every change at once.
    """

    def __init__(self, store: Store, model: Embedder | None = None, chunker: Chunker = heading_chunks) -> None:
        self.store, self.model, self.chunker = store, model or embedder(), chunker

    def put(
        self, documents: Sequence[Document], *, remove: Collection[str] = (), cached: bool = False, progress: bool = False
    ) -> int:
        """Put documents into the store, each in the place of its former self; return how many passages they make.

        ``remove`` names documents that go at the same time. In one step: a search sees all of the old or all of the new.
        ``cached`` keeps the embeddings on the disk, for filling a store with the same documents again and again.
        """
        records = [record for document in documents for record in self.records(document)]
        texts = [titled(record) for record in records]
        with stage("embed"):
            if cached:
                vectors = embed_texts(texts, self.model, progress=progress)
            else:
                vectors = self.model.encode(texts, progress=progress)
        with stage("write"):
            self.store.update(records, vectors, instead_of={"document": [*(document.id for document in documents), *remove]})
        return len(records)

    def remove(self, document_id: str) -> int:
        """Remove a document; return how many passages it had."""
        with stage("write"):
            return self.store.delete(where={"document": document_id})

    def sync(self, old: Sequence[Document], new: Sequence[Document]) -> dict[str, list[str]]:
        """Bring a store that holds ``old`` to hold ``new``, in one step; embed only what has changed. Returns :func:`changes`."""
        todo = changes({one.id: fingerprint(one) for one in old}, {one.id: fingerprint(one) for one in new})
        touched = {*todo["add"], *todo["update"]}
        if touched or todo["delete"]:
            self.put([one for one in new if one.id in touched], remove=todo["delete"])
        return todo

    def records(self, document: Document) -> list[Record]:
        """The passages of a document as a store keeps them: with their offsets and all that a filter may ask for."""
        return [
            Record(passage.id, passage.text, passage.title, {**document.metadata, "start": passage.start, "end": passage.end})
            for passage in chunk_document(document, self.chunker)
        ]

    def search(self, question: str, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The ``k`` passages nearest to a question among those that pass the filter, best first."""
        with stage("embed"):
            query = self.model.encode([question])[0]
        with stage("search"):
            return self.store.search(query, k, where)

    def search_many(self, questions: Sequence[str], k: int = 5, where: Filter | None = None) -> list[list[Hit]]:
        """:meth:`search` for many questions; they are embedded together, and their embeddings are kept."""
        with stage("embed"):
            queries = embed_texts(questions, self.model)
        with stage("search"):
            return [self.store.search(query, k, where) for query in queries]
