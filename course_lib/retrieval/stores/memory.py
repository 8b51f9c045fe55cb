"""A store in memory, exact, with NumPy: the reference for all others, and enough for some ten thousand records.

With a path it keeps itself in one file, which is always a whole one: the old or the new.
"""

from __future__ import annotations

import copy
import json
import os
import threading
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..records import Filter, Hit, Record, check_filter, matches
from .base import StoreError, checked, checked_ids, checked_query, one_of

if TYPE_CHECKING:
    import numpy as np
    from filelock import FileLock

FORMAT = 1
ROUNDING = 1e-5  # more than float32 products of unit vectors can be off


class MemoryStore:
    """Exact search by cosine similarity over vectors in memory; see :class:`~course_lib.retrieval.stores.Store`.

    With a ``path``, what :meth:`persist` has written is there again when the store is opened next, and no second program can
    open it meanwhile. :meth:`close` persists what has changed.

    >>> import numpy as np
    >>> store = MemoryStore(2)
    >>> store.add([Record("a", "Fill the tank.", metadata={"for": "all"}), Record("b", "Call Jo.", metadata={"for": "staff"})], np.eye(2))
    >>> [(hit.passage.id, round(hit.score, 1)) for hit in store.search(np.array([1.0, 2.0]), k=1, where={"for": "all"})]
    [('a', 0.4)]
    """

    def __init__(self, dimension: int, path: Path | str | None = None) -> None:
        import numpy as np

        self.dimension, self.path = dimension, Path(path).expanduser() if path is not None else None
        self._lock, self._closed, self._changed = threading.RLock(), False, False
        self._records: list[Record] = []
        self._rows: dict[str, int] = {}
        self._room: np.ndarray = np.zeros((0, dimension), dtype=np.float32)  # the first len(_records) rows are in use
        self._only: FileLock | None = None
        if self.path is not None:
            self._only = _claim(self.path)
            try:
                if self.path.exists():
                    self._keep(*_load(self.path, dimension))
            except BaseException:
                self._only.release()
                raise

    @property
    def vectors(self) -> np.ndarray:
        """All vectors, of length one, shape ``(n, dimension)``."""
        return self._room[: len(self._records)]

    def add(self, records: Sequence[Record], vectors: np.ndarray) -> None:
        """Add records; raises :class:`StoreError`, and adds nothing, where an id is taken or a vector does not fit."""
        kept, unit = checked(records, vectors, self.dimension)
        with self._open():
            taken = [record.id for record in kept if record.id in self._rows]
            if taken:
                raise taken_ids(taken)
            self._append(kept, unit)

    def update(self, records: Sequence[Record], vectors: np.ndarray, *, instead_of: Filter | None = None) -> int:
        """Put records in the place of those with the same ids, and of all that pass ``instead_of``; return how many went."""
        import numpy as np

        kept, unit = checked(records, vectors, self.dimension)
        check_filter(instead_of)
        with self._open():
            gone = {record.id for record in kept} & self._rows.keys()
            if instead_of is not None:
                gone |= {record.id for record in self._records if matches(record.metadata, instead_of)}
            stay = self._without(gone)
            self._keep([*(self._records[row] for row in stay), *kept], np.concatenate([self.vectors[stay], unit]))
            self._changed = self._changed or bool(gone or kept)
            return len(gone)

    def delete(self, ids: Iterable[str] | None = None, *, where: Filter | None = None) -> int:
        """Delete by id or by filter; return how many were there."""
        one_of(ids, where)
        check_filter(where)
        wanted = set(checked_ids(ids)) if ids is not None else None
        with self._open():
            if wanted is not None:
                gone = wanted & self._rows.keys()
            else:
                gone = {record.id for record in self._records if matches(record.metadata, where)}
            if gone:
                stay = self._without(gone)
                self._keep([self._records[row] for row in stay], self.vectors[stay])
                self._changed = True
            return len(gone)

    def search(self, query: np.ndarray, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The ``k`` records nearest to a query, among those that pass the filter; see :meth:`Store.search`."""
        import numpy as np

        unit = checked_query(query, k, self.dimension)
        check_filter(where)
        with self._open():
            vectors = self.vectors
            if where is None:
                rows = np.arange(len(vectors))
            else:
                rows = np.array([row for row, one in enumerate(self._records) if matches(one.metadata, where)], dtype=np.intp)
            if k == 0 or len(rows) == 0:
                return []
            rough = (vectors if where is None else vectors[rows]) @ unit
            if k < len(rows):  # the best k and all that rounding may have put behind them
                rows = rows[rough >= np.partition(rough, -k)[-k] - ROUNDING]
            # Each row by itself in float64: a matrix product may round equal rows differently, and ties are ranked by id.
            scores = np.clip((vectors[rows].astype(np.float64) * unit.astype(np.float64)).sum(axis=1), -1.0, 1.0)
            found = sorted(zip(scores.tolist(), rows.tolist(), strict=True), key=lambda one: (-one[0], self._records[one[1]].id))
            return [Hit(_copy(self._records[row]), score) for score, row in found[:k]]

    def get(self, ids: Iterable[str]) -> list[Record]:
        """The records with these ids, in this order, without those that are not there."""
        wanted = checked_ids(ids)
        with self._open():
            return [_copy(self._records[self._rows[id]]) for id in wanted if id in self._rows]

    def count(self, where: Filter | None = None) -> int:
        """How many records there are, or how many pass a filter."""
        check_filter(where)
        with self._open():
            return len(self._records) if where is None else sum(matches(one.metadata, where) for one in self._records)

    def persist(self) -> None:
        """Write the file, if there is a path: wholly or not at all. Raises :class:`StoreError` where the disk refuses."""
        with self._open():
            if self.path is not None:
                _save(self.path, self._records, self.vectors)
            self._changed = False

    def close(self) -> None:
        """Persist what has changed, if there is a path, and let another program open it."""
        with self._lock:
            if self._closed:
                return
            try:
                if self._changed:
                    self.persist()
            finally:
                self._closed = True
                if self._only is not None:
                    self._only.release()

    @contextmanager
    def _open(self) -> Iterator[None]:
        """One caller at a time, and none in a closed store."""
        with self._lock:
            if self._closed:
                raise closed()
            yield

    def _append(self, records: list[Record], unit: np.ndarray) -> None:
        import numpy as np

        used, needed = len(self._records), len(self._records) + len(records)
        if needed > len(self._room):
            room = np.zeros((max(needed, 2 * used), self.dimension), dtype=np.float32)
            room[:used] = self.vectors
            self._room = room
        self._room[used:needed] = unit
        added = {record.id: used + n for n, record in enumerate(records)}
        self._records += records
        self._rows |= added
        self._changed = self._changed or bool(records)

    def _without(self, ids: set[str]) -> list[int]:
        return [row for row, record in enumerate(self._records) if record.id not in ids]

    def _keep(self, records: list[Record], vectors: np.ndarray) -> None:
        rows = {record.id: row for row, record in enumerate(records)}
        self._records, self._room, self._rows = records, vectors, rows


def _copy(record: Record) -> Record:
    """A record that may be changed without changing the store."""
    return replace(record, metadata=copy.deepcopy(record.metadata))


def taken_ids(ids: Sequence[str]) -> StoreError:
    """The error for ids that are in the store already."""
    named = ", ".join(repr(id) for id in sorted(ids)[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
    return StoreError(
        f"The store has these ids already: {named}. Nothing was added.", "use update() to replace records, or other ids."
    )


def closed() -> StoreError:
    """The error for a store that has been closed."""
    return StoreError("This store is closed.", "open it again.")


def _claim(path: Path) -> FileLock:
    """The lock of a file: held while a store has it open, let go by the system when its program dies."""
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(path.name + ".lock"))
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(f"Another store has {path} open.", "close it, or end the other notebook, and try again.") from None
    except OSError as error:
        raise StoreError(f"{path.parent} cannot be written to ({error}).", "choose another folder.") from error
    return lock


def _save(path: Path, records: Sequence[Record], vectors: np.ndarray) -> None:
    import numpy as np

    rows = [{"id": one.id, "text": one.text, "title": one.title, "metadata": one.metadata} for one in records]
    header = json.dumps({"format": FORMAT, "records": rows}, ensure_ascii=False).encode()
    partial = path.with_name(path.name + ".partial")  # one name is enough: the lock makes us the only writer
    try:
        with partial.open("wb") as stream:
            np.savez(stream, header=np.frombuffer(header, dtype=np.uint8), vectors=vectors)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
        if os.name == "posix":  # the new name is on the disk only when its folder is
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StoreError(
            f"The store could not be written to {path} ({error}). It is still in memory, and the file is as it was.",
            "free some space, or allow writing there, and call persist() again.",
        ) from error


def _load(path: Path, dimension: int) -> tuple[list[Record], np.ndarray]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as content:  # a zip archive: each part has a checksum
            header, vectors = json.loads(content["header"].tobytes()), content["vectors"]
        if header["format"] != FORMAT:
            raise StoreError(f"{path} was written by another version of the course.", "update the course, or name another file.")
        records = [Record(**row) for row in header["records"]]
        if vectors.ndim != 2 or len(vectors) != len(records):
            raise ValueError(f"{len(records)} records, vectors of shape {vectors.shape}")
    except (OSError, ValueError, EOFError, KeyError, TypeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"{path} is damaged, or not a store ({type(error).__name__}: {error}). It was left as it is.",
            "put a copy of it back, or name another path and add the records again.",
        ) from error
    if vectors.shape[1] != dimension:
        raise StoreError(
            f"{path} holds vectors of dimension {vectors.shape[1]}; dimension {dimension} was asked for.",
            "open it with the dimension that it has, or name another path.",
        )
    return records, vectors.astype(np.float32, copy=False)
