"""Stores of vectors: in memory, in PostgreSQL (embedded, or any server), and the choice between them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ...errors import CourseError
from .base import Store, StoreError
from .memory import MemoryStore
from .postgres import PostgresStore
from .server import EmbeddedServer

__all__ = ["EmbeddedServer", "MemoryStore", "PostgresStore", "Store", "StoreError", "open_store"]

_servers: dict[str, EmbeddedServer] = {}


def open_store(
    dimension: int, table: str = "passages", *, say: Callable[[str], None] = print, **settings: Any
) -> PostgresStore | MemoryStore:
    """The store of the labs: in the PostgreSQL of ``COURSE_DSN``, or else in the embedded one, which this starts.

    Where the embedded one cannot start, ``say`` gets the reason and a :class:`MemoryStore` comes back. ``settings`` are those of
    :class:`PostgresStore`. Raises :class:`StoreError` where ``COURSE_DSN`` leads nowhere, or the table does not fit.
    """
    dsn = os.environ.get("COURSE_DSN")
    if not dsn:
        try:
            dsn = _embedded(say)
        except (CourseError, ImportError) as error:
            why = error.what if isinstance(error, CourseError) else str(error)
            say(f"No PostgreSQL here, so the vectors are kept in memory. The reason: {why}")
            return MemoryStore(dimension)
    return PostgresStore(dsn, dimension, table, **settings)


def _embedded(say: Callable[[str], None]) -> str:
    """The embedded server, once for this program; it stops when the last program that uses it ends."""
    import psycopg  # noqa: F401 - where its library does not load, say so before a server is started

    server = EmbeddedServer(say=say)
    server = _servers.setdefault(str(server.folder), server)
    return server.start()
