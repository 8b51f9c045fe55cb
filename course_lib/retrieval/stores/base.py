"""What every store of vectors promises. One suite of tests, ``tests/stores/contract.py``, holds them all to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import CourseError
from ..records import Filter, Hit, Record, Text

if TYPE_CHECKING:
    import numpy as np


class StoreError(CourseError):
    """A store could not do what it was asked; what was in it before is still there."""


class Store(Protocol):
    """Records with their vectors, searched by cosine similarity.

    Vectors have shape ``(n, dimension)``; they need not have length one. Whatever was added, updated or deleted is seen by the
    very next search, here and in every other process that uses the same store. Each call is done wholly or not at all.
    """

    dimension: int

    def add(self, records: Sequence[Record], vectors: np.ndarray) -> None:
        """Add records. Raises :class:`StoreError` where an id is taken or given twice, or where vectors do not fit."""

    def update(self, records: Sequence[Record], vectors: np.ndarray, *, instead_of: Filter | None = None) -> int:
        """Put records in the place of those with the same ids and, with ``instead_of``, of all that pass that filter.

        In one step: a search sees all of the old or all of the new. Returns how many were removed or replaced.
        """

    def delete(self, ids: Iterable[str] | None = None, *, where: Filter | None = None) -> int:
        """Delete records by id or by filter (exactly one of the two), return how many; an id that is not there is no error."""

    def search(self, query: np.ndarray, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The ``k`` records nearest to a query of shape ``(dimension,)``, best first, on a tie the lower id first.

        Only records that pass ``where`` take part: the filter acts inside the search, so that ``k`` are found where ``k`` pass.
        The score is the cosine similarity; a vector of zeros has similarity 0 to everything.
        """

    def get(self, ids: Iterable[str]) -> list[Record]:
        """The records with these ids, in this order, without those that are not there."""

    def count(self, where: Filter | None = None) -> int:
        """How many records there are, or how many pass a filter."""

    def persist(self) -> None:
        """Make sure that all of this survives a crash and a restart."""

    def close(self) -> None:
        """Let go of files and connections. A closed store raises :class:`StoreError`; closing twice is no error."""


# --- what every store refuses, before anything changes ---------------------------------------------------------------


def checked(records: Sequence[Text], vectors: Any, dimension: int) -> tuple[list[Record], np.ndarray]:
    """Records and vectors as stores keep them; raises :class:`StoreError` for what no store takes.

    Returns plain records, whose metadata is a copy as JSON would give it back (a tuple becomes a list), and vectors of shape
    ``(n, dimension)``, float32, of length one: only their direction counts, and a vector of zeros stays one.
    """
    kept = [_checked_record(record) for record in records]
    seen: set[str] = set()
    for record in kept:
        if record.id in seen:
            raise StoreError(f"The id {record.id!r} is given twice.", "give each record an id of its own.")
        seen.add(record.id)
    return kept, directions(vectors, (len(kept), dimension))


def checked_query(query: Any, k: int, dimension: int) -> np.ndarray:
    """A query of shape ``(dimension,)``, float32, of length one; raises :class:`StoreError` if it does not fit, or ``k`` is negative."""
    if k < 0:
        raise StoreError(f"A search cannot find {k} records.", "ask for k = 1 or more.")
    return directions(query, (dimension,))


def checked_ids(ids: Iterable[str]) -> list[str]:
    """Ids as a list; a single string is taken for a mistake, since it would be read as one id per letter."""
    if isinstance(ids, str):
        raise StoreError(f"The ids are a list, not the string {ids!r}.", f"write [{ids!r}].")
    return list(ids)


def one_of(ids: Iterable[str] | None, where: Filter | None) -> None:
    """Raise :class:`StoreError` unless exactly one of the two is given."""
    if (ids is None) == (where is None):
        raise StoreError(
            "A deletion names either ids or a filter.", 'write delete(["a", "b"]) or delete(where={"product": "kettle"}).'
        )


def directions(vectors: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Vectors (the last axis) scaled to length one, float32; zeros stay. Raises :class:`StoreError` where they do not have that shape.

    >>> directions([[3.0, 4.0], [0.0, 0.0]], (2, 2)).round(2).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    import numpy as np

    try:
        found = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StoreError(f"These vectors are not an array of numbers ({error}).", f"give numbers of shape {shape}.") from None
    if shape[0] == 0 and found.size == 0:
        return np.zeros(shape, dtype=np.float32)
    if found.shape != shape:
        raise StoreError(
            f"The shape of the vectors is {found.shape}; this store needs {shape}.",
            f"use the embedding model that the store was made for (dimension {shape[-1]}), and one vector for each record.",
        )
    if not np.isfinite(found).all():
        raise StoreError("A vector holds NaN or infinity.", "look at the text that it was made from; an empty one, perhaps?")
    largest = np.abs(found).max(axis=-1, keepdims=True, initial=0.0)
    scaled = found / np.where(largest == 0, 1.0, largest)  # first, so that squares neither overflow nor vanish
    lengths = np.linalg.norm(scaled, axis=-1, keepdims=True)
    unit: np.ndarray = (scaled / np.where(lengths == 0, 1.0, lengths)).astype(np.float32)
    return unit


def storable(text: Any) -> bool:
    """Whether a text can be kept: a string without NUL (which PostgreSQL cannot hold) and without half of a surrogate pair.

    >>> storable("Käse 🧀"), storable("a\\0b"), storable("\\ud800"), storable(7)
    (True, False, False, False)
    """
    if not isinstance(text, str) or "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked_record(record: Text) -> Record:
    for name, text in (("id", record.id), ("title", record.title), ("text", record.text)):
        if not storable(text):
            raise StoreError(
                f"The {name} of record {record.id!r} cannot be kept: {_fault(text)}.",
                f"clean the {name} before you add the record.",
            )
    if not isinstance(record.metadata, Mapping):
        raise StoreError(f"The metadata of record {record.id!r} is {record.metadata!r}.", "give a dictionary.")
    return Record(record.id, record.text, record.title, plain(record.metadata, record.id))


def plain(value: Any, id: str) -> Any:
    """A copy of metadata in the types of JSON, or :class:`StoreError`."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        # JSON writes 1e23 as the integer 10**23, which is not the number that this float is.
        return int(value) if value.is_integer() and abs(value) >= 2**53 else float(value)
    if storable(value):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(one, id) for one in value]
    if isinstance(value, Mapping) and all(storable(name) for name in value):
        return {str(name): plain(one, id) for name, one in value.items()}
    raise StoreError(
        f"The metadata of record {id!r} cannot be kept: {_fault(value)}.",
        "use strings, finite numbers, True, False, None and lists of them, with strings as names.",
    )


def _fault(value: Any) -> str:
    if isinstance(value, str):
        return "it holds a NUL character" if "\0" in value else "it holds half of a surrogate pair"
    if isinstance(value, Mapping):
        return f"the names {[name for name in value if not storable(name)]!r}"
    return f"{value!r} is not JSON" if isinstance(value, float) else f"{value!r} is a {type(value).__name__}"
