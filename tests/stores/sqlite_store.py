"""A store over SQLite, which Python brings along: vectors as blobs, searched exactly. The example of book/another-vector-store.md."""

import json
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from course_lib.retrieval import Hit, Record
from course_lib.retrieval.records import check_filter, matches
from course_lib.retrieval.stores import StoreError
from course_lib.retrieval.stores.base import checked, checked_ids, checked_query, one_of


class SqliteStore:
    def __init__(self, dimension, path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.dimension, self.lock = dimension, threading.RLock()
        self.db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        with self.changing() as db:
            (held,) = db.execute("PRAGMA user_version").fetchone()  # a number that SQLite keeps for us: the dimension
            if held not in (0, dimension):
                raise StoreError(f"{path} has dimension {held}; dimension {dimension} was asked for.", "name another path.")
            db.execute(f"PRAGMA user_version = {int(dimension)}")
            db.execute("CREATE TABLE IF NOT EXISTS passages (id TEXT PRIMARY KEY, record TEXT, vector BLOB)")

    @contextmanager
    def changing(self):
        with self.lock:
            if self.db is None:
                raise StoreError("This store is closed.", "open it again.")
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                self.db.execute("ROLLBACK")
                raise

    def rows(self, where=None, columns="record"):
        check_filter(where)
        with self.lock:
            if self.db is None:
                raise StoreError("This store is closed.", "open it again.")
            found = self.db.execute(f"SELECT {columns} FROM passages").fetchall()
        records = ((Record(**json.loads(row[0])), *row[1:]) for row in found)
        return [row for row in records if matches(row[0].metadata, where)]

    def put(self, db, records, unit):
        rows = [(one.id, json.dumps(asdict(one)), row.tobytes()) for one, row in zip(records, unit)]
        db.executemany("INSERT INTO passages VALUES (?, ?, ?)", rows)

    def add(self, records, vectors):
        records, unit = checked(records, vectors, self.dimension)
        try:
            with self.changing() as db:
                self.put(db, records, unit)
        except sqlite3.IntegrityError:
            taken = [one.id for one in self.get([one.id for one in records])]
            raise StoreError(f"These ids are taken: {taken}.", "use update().") from None

    def update(self, records, vectors, *, instead_of=None):
        records, unit = checked(records, vectors, self.dimension)
        with self.changing() as db:
            gone = {one.id for one in self.get([one.id for one in records])}
            gone |= {one.id for (one,) in self.rows(instead_of)} if instead_of is not None else set()
            db.executemany("DELETE FROM passages WHERE id = ?", [(id,) for id in gone])
            self.put(db, records, unit)
        return len(gone)

    def delete(self, ids=None, *, where=None):
        one_of(ids, where)
        wanted = checked_ids(ids) if where is None else None
        with self.changing() as db:
            gone = {one.id for one in (self.get(wanted) if where is None else (one for (one,) in self.rows(where)))}
            db.executemany("DELETE FROM passages WHERE id = ?", [(id,) for id in gone])
        return len(gone)

    def search(self, query, k=5, where=None):
        unit = checked_query(query, k, self.dimension).astype(float)
        found = [(one, float(np.frombuffer(blob, np.float32) @ unit)) for one, blob in self.rows(where, "record, vector")]
        return [Hit(*one) for one in sorted(found, key=lambda one: (-one[1], one[0].id))[:k]]

    def get(self, ids):
        wanted, found = checked_ids(ids), {one.id: one for (one,) in self.rows()}
        return [found[id] for id in wanted if id in found]

    def count(self, where=None):
        return len(self.rows(where))

    def persist(self):
        self.rows()  # SQLite has written each change to the disk; a closed store says so

    def close(self):
        with self.lock:
            if self.db is not None:
                self.db.close()
            self.db = None
