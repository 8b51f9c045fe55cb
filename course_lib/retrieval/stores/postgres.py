"""A store in PostgreSQL with pgvector: the same SQL for the embedded server, any other server, and a replica of it.

One table: ``id``, ``title``, ``text``, ``metadata`` (jsonb) and ``embedding`` (a vector of length one). What is written is
committed when a call returns; readers never wait for writers and see each write wholly or not at all.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..records import Filter, Hit, Record, check_filter
from .base import StoreError, checked, checked_ids, checked_query, one_of, plain, storable
from .memory import closed, taken_ids

if TYPE_CHECKING:
    import numpy as np
    import psycopg

IterativeScan = Literal["off", "strict_order", "relaxed_order"]
Answer = TypeVar("Answer")

WRITERS = 0x0BCB << 40  # with the table's number: the advisory lock that lets one writer at a time into a table
PATIENCE = 30.0  # seconds to wait for a server that says that it is starting
LARGEST_INDEXED = 2000  # dimensions that pgvector's HNSW takes


class PostgresStore:
    """Vectors in a table of PostgreSQL; see :class:`~course_lib.retrieval.stores.Store`. Threads may share one store.

    ``dsn`` is a connection string (``postgresql://user@host/database``). The table is made if it is missing, and checked if it
    is there. A search is exact until :meth:`build_index` has been called (by any program); from then on it goes through the
    index, unless ``use_index`` is set to False. For the index, ``ef_search`` is how many candidates a search keeps (more: slower and better), and
    ``iterative_scan`` whether it goes on where a filter leaves too few of them: ``"off"``, ``"strict_order"`` or
    ``"relaxed_order"``. All three are attributes that may be changed at any time.
    """

    def __init__(
        self,
        dsn: str,
        dimension: int,
        table: str = "passages",
        *,
        ef_search: int = 40,
        iterative_scan: IterativeScan = "strict_order",
        use_index: bool = True,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,39}", table):
            raise StoreError(f"{table!r} cannot be the name of a table.", "use up to 40 letters, digits and underscores.")
        if not 1 <= dimension <= 16000:
            raise StoreError(f"pgvector keeps vectors of 1 to 16000 dimensions, not {dimension}.", "use another embedding model.")
        self.dsn, self.dimension, self.table = dsn, dimension, table
        self.ef_search, self.iterative_scan, self.use_index = ef_search, iterative_scan, use_index
        self._lock, self._closed, self._process = threading.RLock(), False, os.getpid()
        self._connection: psycopg.Connection[Any] | None = None
        try:
            self._run(self._prepare)
        except BaseException:
            self.close()
            raise

    # --- the promises of Store ---

    def add(self, records: Sequence[Record], vectors: np.ndarray) -> None:
        """Add records; raises :class:`StoreError`, and adds nothing, where an id is taken or a vector does not fit."""
        kept, unit = checked(records, vectors, self.dimension)

        def work(connection: psycopg.Connection[Any]) -> None:
            ids = [record.id for record in kept]
            taken = self._all(connection, "SELECT id FROM {table} WHERE id = ANY(%s) ORDER BY id", [ids])
            if taken:
                raise taken_ids([id for (id,) in taken])
            self._copy(connection, kept, unit)

        self._write(work)

    def update(self, records: Sequence[Record], vectors: np.ndarray, *, instead_of: Filter | None = None) -> int:
        """Put records in the place of those with the same ids, and of all that pass ``instead_of``; return how many went.

        One transaction: a search sees all of the old or all of the new.
        """
        kept, unit = checked(records, vectors, self.dimension)
        passing, values = _condition(instead_of) if instead_of is not None else ("false", [])

        def work(connection: psycopg.Connection[Any]) -> int:
            ids = [record.id for record in kept]
            gone = self._do(connection, f"DELETE FROM {{table}} WHERE id = ANY(%s) OR ({passing})", [ids, *values])
            self._copy(connection, kept, unit)
            return gone

        return self._write(work)

    def delete(self, ids: Iterable[str] | None = None, *, where: Filter | None = None) -> int:
        """Delete by id or by filter; return how many were there."""
        one_of(ids, where)
        passing, values = _condition(where) if ids is None else ("id = ANY(%s)", [_possible(checked_ids(ids))])
        return self._write(lambda connection: self._do(connection, f"DELETE FROM {{table}} WHERE {passing}", values))

    def search(self, query: np.ndarray, k: int = 5, where: Filter | None = None) -> list[Hit]:
        """The ``k`` records nearest to a query, among those that pass the filter; see :meth:`Store.search`.

        Exact without an index. Through an HNSW index, approximate: it can miss records, more of them where ``ef_search`` is
        small, or where a filter keeps few and ``iterative_scan`` is off; and vectors of zeros are not in it.
        """
        unit = checked_query(query, k, self.dimension)
        rows = self._run(lambda connection: self._search(connection, unit, k, where))
        return [Hit(Record(id, text, title, metadata), max(-1.0, min(1.0, score))) for id, title, text, metadata, score in rows]

    def get(self, ids: Iterable[str]) -> list[Record]:
        """The records with these ids, in this order, without those that are not there."""
        wanted = checked_ids(ids)
        statement = "SELECT id, text, title, metadata FROM {table} WHERE id = ANY(%s)"
        rows = self._run(lambda connection: self._all(connection, statement, [_possible(wanted)]))
        found = {row[0]: row for row in rows}
        return [Record(*found[id]) for id in wanted if id in found]

    def count(self, where: Filter | None = None) -> int:
        """How many records there are, or how many pass a filter."""
        passing, values = _condition(where)
        rows = self._run(lambda connection: self._all(connection, f"SELECT count(*) FROM {{table}} WHERE {passing}", values))
        return int(rows[0][0])

    def persist(self) -> None:
        """Nothing is left to do: PostgreSQL has written each change to its log on the disk before the call returned."""
        with self._lock:
            if self._closed:
                raise closed()

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._closed = True
            self._drop()

    # --- the index ---

    def build_index(self, kind: str = "hnsw", m: int = 16, ef_construction: int = 64) -> None:
        """Build an approximate index, in the place of an earlier one; searches in all programs use it from then on.

        HNSW: a graph in which each vector has up to ``m`` neighbours a layer (twice that in the lowest), chosen among
        ``ef_construction`` candidates. Malkov and Yashunin, arXiv 1603.09320; limits: github.com/pgvector/pgvector.
        """
        import psycopg
        from psycopg import sql

        if kind != "hnsw":
            raise StoreError(f"There is no index of kind {kind!r}.", 'use "hnsw".')
        if not (2 <= m <= 100 and max(4, 2 * m) <= ef_construction <= 1000):
            raise StoreError(
                f"An HNSW index cannot have m = {m} with ef_construction = {ef_construction}.",
                "take m from 2 to 100, and ef_construction from twice that to 1000.",
            )
        if self.dimension > LARGEST_INDEXED:
            raise StoreError(
                f"pgvector's HNSW takes vectors of up to {LARGEST_INDEXED} dimensions; these have {self.dimension}.",
                "search without an index (exact), or use a smaller embedding model.",
            )
        statement = (
            "CREATE INDEX {index} ON {table} USING hnsw (embedding vector_cosine_ops) WITH (m = {m}, ef_construction = {ef})"
        )

        def build(connection: psycopg.Connection[Any], workers: str) -> None:
            with connection.transaction():
                connection.execute("SELECT set_config('maintenance_work_mem', '512MB', true)")
                connection.execute("SELECT set_config('max_parallel_maintenance_workers', %s, true)", [workers])
                self._do(connection, "DROP INDEX IF EXISTS {index}")
                connection.execute(self._sql(statement, m=sql.Literal(m), ef=sql.Literal(ef_construction)))

        def work(connection: psycopg.Connection[Any]) -> None:
            try:
                build(connection, "2")
            except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory):
                build(connection, "0")  # workers share memory in /dev/shm, which is 64 MB in many containers

        self._write(work)
        self._analyse()

    def drop_index(self) -> None:
        """Search exactly again; no error where there is no index."""
        self._write(lambda connection: self._do(connection, "DROP INDEX IF EXISTS {index}"))

    def explain(self, query: np.ndarray, k: int = 5, where: Filter | None = None) -> str:
        """How PostgreSQL runs this search: the output of EXPLAIN ANALYZE."""
        unit = checked_query(query, k, self.dimension)
        rows = self._run(lambda connection: self._search(connection, unit, k, where, "EXPLAIN (ANALYZE, COSTS OFF) "))
        return "\n".join(row[0] for row in rows)

    # --- who may see what ---

    def restrict(self, role: str, where: Filter) -> str:
        """Let a role read only the records that pass a filter, whatever it asks for; return a connection string for it.

        Makes the role if it is missing, gives it a new password, lets it read the table and nothing else, and writes the filter
        as a policy of the table (row-level security): the server applies it, so that a forgotten filter shows nothing more.
        The string holds the password: ``PostgresStore(store.restrict("tenant_a", {"tenant": "a"}), dimension)``. The owner of
        the table and superusers are not restricted.
        """
        from psycopg import ClientCursor, sql
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", role):
            raise StoreError(f"{role!r} cannot be the name of a role.", "use up to 40 small letters, digits and underscores.")
        if not where:
            raise StoreError(f"Without a filter, {role} would see everything.", 'name what it may see: {"tenant": "a"}.')
        passing, values = _condition(where)
        password = secrets.token_urlsafe(24)

        def work(connection: psycopg.Connection[Any]) -> None:
            name, policy = sql.Identifier(role), sql.Identifier(f"only_{role}")
            known = connection.execute(
                "SELECT rolsuper OR rolbypassrls OR oid = (SELECT relowner FROM pg_class WHERE oid = %s::regclass)"
                " FROM pg_roles WHERE rolname = %s",
                [self._quoted, role],
            ).fetchone()
            if known and known[0]:
                raise StoreError(f"The role {role} owns the table or may see everything.", "choose another role.")
            if not known:
                connection.execute(sql.SQL("CREATE ROLE {}").format(name))
            # The password leaves this program only as its SCRAM verifier, so that it cannot turn up in the server's log.
            verifier = connection.pgconn.encrypt_password(password.encode(), role.encode()).decode()
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(verifier)))
            schema = connection.execute(
                "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = %s::regclass", [self._quoted]
            )
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.SQL(schema.fetchone()[0]), name))  # type: ignore[index]
            connection.execute(self._sql("REVOKE ALL ON {table} FROM {role}", role=name))
            connection.execute(self._sql("GRANT SELECT ON {table} TO {role}", role=name))
            connection.execute(self._sql("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
            connection.execute(self._sql("DROP POLICY IF EXISTS {policy} ON {table}", policy=policy))
            create = self._sql("CREATE POLICY {policy} ON {table} FOR SELECT TO {role} USING ", policy=policy, role=name)
            using = ClientCursor(connection).mogrify(f"({passing})", values)  # a policy takes no parameters
            connection.execute((create.as_string(connection) + using).encode())

        self._write(work)
        parts = {key: value for key, value in conninfo_to_dict(self.dsn).items() if key not in ("user", "password", "passfile")}
        return make_conninfo(**(parts | {"user": role, "password": password}))  # type: ignore[arg-type]

    # --- statements ---

    def _search(
        self, connection: psycopg.Connection[Any], unit: np.ndarray, k: int, where: Filter | None, explain: str = ""
    ) -> list[Any]:
        from pgvector import Vector

        passing, values = _condition(where)
        vector = Vector(unit)
        if not (self.use_index and unit.any() and k and self._indexed(connection)):
            statement = (  # the distance to a vector of zeros is NaN: it is neither near nor far
                f"SELECT id, title, text, metadata, 1 - coalesce(nullif(embedding <=> %s, 'NaN'), 1) AS score"
                f" FROM {{table}} WHERE {passing} ORDER BY score DESC, id LIMIT %s"
            )
            return self._all(connection, explain + statement, [vector, *values, k])
        statement = (
            f"WITH nearest AS MATERIALIZED (SELECT id, title, text, metadata, embedding <=> %s AS distance FROM {{table}}"
            f" WHERE {passing} ORDER BY embedding <=> %s LIMIT %s)"
            " SELECT id, title, text, metadata, 1 - coalesce(nullif(distance, 'NaN'), 1) AS score FROM nearest ORDER BY score DESC, id"
        )
        # As SET LOCAL: nothing stays behind in a connection that a pooler may give to others. Sorting is dear to the planner then, so
        # that it takes the one path that needs no sorting, the index, also where it guesses wrong how many rows a filter keeps.
        settings = {"hnsw.ef_search": str(max(self.ef_search, min(k, 1000))), "enable_sort": "off", "enable_seqscan": "off"}
        if self._iterates:
            settings["hnsw.iterative_scan"] = self.iterative_scan
        with connection.transaction():
            chosen = ", ".join("set_config(%s, %s, true)" for _ in settings)
            connection.execute(f"SELECT {chosen}".encode(), [part for pair in settings.items() for part in pair])
            return self._all(connection, explain + statement, [vector, *values, vector, k])

    def _indexed(self, connection: psycopg.Connection[Any]) -> bool:
        statement = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid)"
        return bool(self._all(connection, statement, [f'"{self.table}_hnsw"'])[0][0])

    def _copy(self, connection: psycopg.Connection[Any], records: Sequence[Record], unit: np.ndarray) -> None:
        from pgvector import Vector
        from psycopg.types.json import Jsonb

        columns = "COPY {table} (id, title, text, metadata, embedding) FROM STDIN (FORMAT BINARY)"
        with connection.cursor() as cursor, cursor.copy(self._sql(columns)) as copy:
            copy.set_types(["text", "text", "text", "jsonb", "vector"])
            for record, vector in zip(records, unit, strict=True):
                copy.write_row((record.id, record.title, record.text, Jsonb(record.metadata), Vector(vector)))

    def _analyse(self) -> None:
        self._run(lambda connection: self._do(connection, "ANALYZE {table}"))

    def _sql(self, statement: str, **more: Any) -> Any:
        from psycopg import sql

        names = {"table": sql.Identifier(self.table), "index": sql.Identifier(f"{self.table}_hnsw")}
        return sql.SQL(statement).format(**names, **more)  # type: ignore[arg-type]

    @property
    def _quoted(self) -> str:
        return f'"{self.table}"'

    def _all(self, connection: psycopg.Connection[Any], statement: str, values: Sequence[Any] = ()) -> list[Any]:
        return connection.execute(self._sql(statement), values).fetchall()

    def _do(self, connection: psycopg.Connection[Any], statement: str, values: Sequence[Any] = ()) -> int:
        return connection.execute(self._sql(statement), values).rowcount

    # --- the table ---

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        """Make the table, or see that it is the one that we take it for."""
        import psycopg

        if not self._is_there(connection):
            if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
                raise StoreError(
                    f"This server is a replica, and has no table {self.table} yet.",
                    "make it on the primary; it comes here by itself.",
                )
            with connection.transaction():
                # Two programs may open the store for the first time.
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [WRITERS])
                self._need_pgvector(connection)
                # COLLATE "C": ids are ordered as Python orders them. PLAIN: a long text does not drive the vector out of its row,
                # where an exact scan reads it.
                self._do(
                    connection,
                    'CREATE TABLE IF NOT EXISTS {table} (id text COLLATE "C" PRIMARY KEY, title text NOT NULL, text text NOT NULL,'
                    f" metadata jsonb NOT NULL, embedding vector({int(self.dimension)}) NOT NULL)",
                )
                self._do(connection, "ALTER TABLE {table} ALTER COLUMN embedding SET STORAGE PLAIN")
                statement = "CREATE INDEX IF NOT EXISTS {name} ON {table} USING gin (metadata jsonb_path_ops)"
                connection.execute(self._sql(statement, name=psycopg.sql.Identifier(f"{self.table}_metadata")))
            self._is_there(connection)  # another program may have made it just now, with another dimension

    def _is_there(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether the table is there; raises :class:`StoreError` if it is not one of ours, or of another dimension."""
        rows = connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            [self._quoted],
        ).fetchall()
        if not rows:
            return False
        types = {name: type.rpartition(".")[2] for name, type in rows}
        held = types.get("embedding", "")
        needed = {"id": "text", "title": "text", "text": "text", "metadata": "jsonb"}
        if not held.startswith("vector") or any(types.get(name) != type for name, type in needed.items()):
            raise StoreError(
                f"There is a table {self.table} already, and it is not one of passages (its columns: {', '.join(types)}).",
                'choose another name: table="...".',
            )
        if held != f"vector({self.dimension})":
            raise StoreError(
                f"The table {self.table} holds vectors of dimension {held[7:-1] or 'any'}; dimension {self.dimension} was asked for.",
                'open it with the dimension that it has, or name another table: table="...".',
            )
        return True

    def _need_pgvector(self, connection: psycopg.Connection[Any]) -> None:
        import psycopg

        if connection.execute("SELECT FROM pg_extension WHERE extname = 'vector'").fetchone() is not None:
            return
        if connection.execute("SELECT FROM pg_available_extensions WHERE name = 'vector'").fetchone() is None:
            raise StoreError(
                f"The PostgreSQL server at {place(self.dsn)} does not have the extension vector (pgvector).",
                "have its administrator install pgvector (github.com/pgvector/pgvector), or unset COURSE_DSN to use the embedded server.",
            )
        try:
            connection.execute("CREATE EXTENSION vector")
        except psycopg.errors.InsufficientPrivilege:
            raise StoreError(
                f"The extension vector is not switched on in the database at {place(self.dsn)}, and this user may not do it.",
                "have an administrator run this in the database once: CREATE EXTENSION vector;",
            ) from None

    # --- connections ---

    def _write(self, work: Callable[[psycopg.Connection[Any]], Answer]) -> Answer:
        """Do something in one transaction, one writer at a time; readers go on meanwhile."""

        def alone(connection: psycopg.Connection[Any]) -> Answer:
            committing = False
            try:
                with connection.transaction():
                    statement = "SELECT pg_advisory_xact_lock(%s + %s::regclass::oid::bigint)"
                    connection.execute(statement, [WRITERS, self._quoted])
                    answer = work(connection)
                    committing = True
                return answer
            except Exception as error:
                if committing and _lost(connection):
                    raise StoreError(
                        f"The connection to {place(self.dsn)} was lost while a change was being committed, so that it may or may not be there.",
                        "look with get() or count(), and repeat the change if it is not there.",
                    ) from error
                raise

        return self._run(alone)

    def _run(self, work: Callable[[psycopg.Connection[Any]], Answer]) -> Answer:
        """Do something with the connection; if it turns out to be lost (a restarted server), connect anew and do it again, once."""
        import psycopg

        with self._lock:
            for attempt in (1, 2):
                if self._closed:
                    raise closed()
                connection = self._connected()
                try:
                    with _explained(self.dsn, self.table, connection):
                        return work(connection)
                except _LostConnection as error:
                    self._drop()
                    if attempt == 2:
                        raise no_answer(self.dsn, error) from error
                except BaseException:
                    if connection.closed or connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.UNKNOWN:
                        self._drop()
                    raise
            raise AssertionError("unreachable")

    def _connected(self) -> psycopg.Connection[Any]:
        if self._process != os.getpid():  # after a fork, the connection belongs to the parent
            self._connection, self._process = None, os.getpid()
        if self._connection is None:
            connection = connect(self.dsn)
            try:
                self._equip(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _equip(self, connection: psycopg.Connection[Any]) -> None:
        import psycopg
        from pgvector.psycopg import register_vector

        def version() -> tuple[int, ...] | None:
            row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
            return tuple(int(part) for part in row[0].split(".")[:2]) if row else None

        with _explained(self.dsn, self.table, connection):
            if version() is None and connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                with connection.transaction():
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", [WRITERS])
                    self._need_pgvector(connection)
            found = version()
            if found is None:
                raise StoreError(
                    f"The database at {place(self.dsn)} is a replica without the extension vector.",
                    "switch it on in the primary.",
                )
            self._iterates = found >= (0, 8)
            try:
                register_vector(connection)
            except psycopg.ProgrammingError:
                raise StoreError(
                    f"The extension vector is in a schema that this user's search_path at {place(self.dsn)} leaves out.",
                    "add the schema to the search_path of the user.",
                ) from None

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._process == os.getpid():
            connection.close()


# --- connecting -------------------------------------------------------------------------------------------------------


class _LostConnection(Exception):
    """The server went away, or is about to."""


def connect(dsn: str, patience: float = PATIENCE) -> psycopg.Connection[Any]:
    """A connection with autocommit. Waits for a server that says that it is starting or recovering, up to ``patience`` seconds.

    Raises :class:`StoreError` where there is no answer; messages never show the password.
    """
    import psycopg

    give_up = time.monotonic() + patience
    while True:
        try:
            # No prepared statements of the library's own: poolers do not know them, and each plan fits its own filter.
            return psycopg.connect(dsn, autocommit=True, connect_timeout=10, prepare_threshold=None)  # type: ignore[return-value]
        except psycopg.ProgrammingError:  # the library's message would repeat the string, with the password
            raise StoreError(
                "This is not a connection string of PostgreSQL.", "write it as postgresql://user:password@host:5432/database."
            ) from None
        except psycopg.OperationalError as error:
            if not starting(error) or time.monotonic() > give_up:
                raise no_answer(dsn, error) from None
        time.sleep(0.1)


def starting(error: Exception) -> bool:
    """Whether a refused connection is worth another try soon."""
    return any(sign in str(error) for sign in ("starting up", "not yet accepting", "in recovery mode", "shutting down"))


def no_answer(dsn: str, error: Exception) -> StoreError:
    """The error for a server that cannot be reached, or refuses this user."""
    says = " ".join(str(error).split()) or type(error).__name__
    todo = "see that it runs and that the connection string is right; the embedded one starts with: course db start"
    return StoreError(f"PostgreSQL at {place(dsn)} cannot be used ({_hidden(says, dsn)}).", todo)


def place(dsn: str) -> str:
    """Where a connection string leads, without its password.

    >>> place("postgresql://me:secret@db.example:5433/course"), place("host='/tmp/a b' dbname=x"), place("nonsense")
    ('me@db.example:5433/course', '/tmp/a b/x', 'an unreadable address')
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:
        return "an unreadable address"
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") and not str(parts.get("host")).startswith("/") else ""
    return f"{user}{parts.get('host') or 'localhost'}{port}/{parts.get('dbname') or parts.get('user') or ''}"


def _hidden(text: str, dsn: str) -> str:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        password = conninfo_to_dict(dsn).get("password")
    except psycopg.Error:
        return "…"
    return text.replace(str(password), "…") if password else text


def _lost(connection: psycopg.Connection[Any]) -> bool:
    return connection.closed or connection.broken


@contextmanager
def _explained(dsn: str, table: str, connection: psycopg.Connection[Any]) -> Iterator[None]:
    """PostgreSQL's errors as ours: what happened and what to do next."""
    import psycopg

    try:
        yield
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise StoreError(
            f"The server at {place(dsn)} is a replica, or read-only: nothing can be changed there.",
            "write to the primary; the change comes here by itself.",
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreError(
            f"The user of {place(dsn)} may not do this ({error.diag.message_primary}). Nothing was changed.",
            "use a connection string whose user may, such as the table's owner.",
        ) from error
    except psycopg.errors.UndefinedTable as error:
        raise StoreError(f"The table {table} is gone from {place(dsn)}.", "open the store again; that makes it.") from error
    except psycopg.errors.DiskFull as error:
        raise StoreError(f"The disk of {place(dsn)} is full. Nothing was changed.", "free some space and try again.") from error
    except psycopg.errors.UniqueViolation as error:  # by a program that writes past the store
        raise StoreError(f"An id is taken ({error.diag.message_detail}). Nothing was changed.", "use update().") from error
    except psycopg.Error as error:
        if _lost(connection) or isinstance(error, psycopg.errors.AdminShutdown):
            raise _LostConnection(str(error)) from error
        says = error.diag.message_primary or " ".join(str(error).split())
        raise StoreError(
            f"PostgreSQL at {place(dsn)} refused this ({_hidden(says, dsn)}). Nothing was changed.",
            "look at the sentence in brackets; course db status shows the embedded server.",
        ) from error


# --- filters ----------------------------------------------------------------------------------------------------------


def _condition(where: Filter | None) -> tuple[str, list[Any]]:
    """A filter as SQL with placeholders, and their values. Means what :func:`course_lib.retrieval.records.matches` means.

    ``metadata @> '{"f": 1}'`` holds where the field is that value, ``metadata @> '{"f": [1]}'`` where it is a list with it.
    """
    from psycopg.types.json import Jsonb

    check_filter(where)
    parts, values = [], []
    for name, wanted in (where or {}).items():
        wanted_values = wanted if isinstance(wanted, (list, tuple)) else [wanted]
        possible = [plain(value, "") for value in wanted_values if _can_be_held(value)] if storable(name) else []
        parts.append("metadata @> ANY(%s::jsonb[])")
        values.append([Jsonb({name: form}) for value in possible for form in (value, [value])])
    return " AND ".join(parts) or "true", values


def _can_be_held(value: Any) -> bool:
    """Whether any record's metadata can hold this value: no text with NUL, not NaN (which equals nothing)."""
    try:
        plain(value, "")
    except StoreError:
        return False
    return True


def _possible(ids: Sequence[str]) -> list[str]:
    return [id for id in ids if storable(id)]
