"""What ``course db`` does: start, stop and look at the embedded PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from .retrieval.stores import EmbeddedServer

Say = Callable[[str], None]


@dataclass(frozen=True)
class Table:
    """A table with vectors: how many rows and bytes it has (its indexes included), and whether there is an HNSW index."""

    name: str
    dimension: int
    rows: int
    size: int
    indexed: bool


def start(say: Say) -> None:
    """Start the server unless it runs, and leave it running; say where it is and how to stop it."""
    server = EmbeddedServer(say=say)
    ran = server.status().running
    dsn = server.start(keep=True)
    server.close()
    found = server.status()
    runs = "runs already, and goes on," if ran else "runs"
    account = f", as {server.account.name} (PostgreSQL does not run as root)" if server.account else ""
    say(f"PostgreSQL {found.version} {runs} in the background{account}. Its data is in {found.folder}")
    say(f"Connection string: {dsn}")
    say("To stop it: course db stop")
    _mention_other(say)


def stop(say: Say) -> None:
    """Stop the server, whoever uses it; no error where it does not run."""
    server = EmbeddedServer(say=say)
    users = server.status().users
    if not server.stop():
        say(f"PostgreSQL does not run. Its data, if any, is in {server.folder}")
        return
    used = f" {users} running program{' was' if users == 1 else 's were'} using it." if users else ""
    say(f"Stopped.{used} The data stays in {server.folder}. To start it again: course db start")


def status(say: Say) -> bool:
    """Say how things are; return whether the server runs."""
    server = EmbeddedServer(say=say)
    found = server.status()
    if not found.exists:
        say(f"There is no database yet. One is made in {found.folder} by lab 05, or now by: course db start")
    elif not found.running:
        say(f"PostgreSQL {found.version} does not run. To start it: course db start")
        say(f"Folder: {found.folder} ({megabytes(found.size)})")
    else:
        users = {0: "No program uses it now", 1: "1 program uses it"}.get(found.users, f"{found.users} programs use it")
        until = "until course db stop" if found.kept else "until the last of them ends"
        say(f"PostgreSQL {found.version} runs (process {found.pid}). {users}; it goes on {until}.")
        say(f"Folder: {found.folder} ({megabytes(found.size)})")
        say(f"Connection string: {found.dsn}")
        tables = tables_of(str(found.dsn))
        for table in tables:
            index = "HNSW index" if table.indexed else "exact search"
            say(f"Table {table.name}: {table.rows:,} rows, dimension {table.dimension}, {megabytes(table.size)}, {index}")
        if not tables:
            say("No tables yet.")
    _mention_other(say)
    return found.running


def tables_of(dsn: str) -> list[Table]:
    """The tables with vectors in a database, by name. Raises :class:`~course_lib.errors.CourseError` where nothing answers."""
    from psycopg import sql

    from .retrieval.stores.postgres import connect

    with connect(dsn) as connection:
        found = connection.execute(
            "SELECT c.oid::regclass::text, n.nspname, c.relname, a.atttypmod, pg_total_relation_size(c.oid), EXISTS ("
            " SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam"
            " WHERE i.indrelid = c.oid AND m.amname = 'hnsw' AND i.indisvalid)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid"
            " JOIN pg_type t ON t.oid = a.atttypid WHERE t.typname = 'vector' AND c.relkind = 'r' AND NOT a.attisdropped ORDER BY 1"
        ).fetchall()
        tables = []
        for name, schema, table, dimension, size, indexed in found:
            counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))).fetchone()
            tables.append(Table(name, dimension, counted[0] if counted else 0, size, indexed))
    return tables


def megabytes(size: int) -> str:
    """A number of bytes as people read it.

    >>> megabytes(40_100_000), megabytes(16_384)
    ('40.1 MB', '16.4 kB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _mention_other(say: Say) -> None:
    from .retrieval.stores.postgres import place

    if dsn := os.environ.get("COURSE_DSN"):
        say(f"COURSE_DSN is set: the labs use {place(dsn)} instead.")
