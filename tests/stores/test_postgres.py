"""The store in PostgreSQL: what it adds to the contract."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading

import numpy as np
import psutil
import psycopg
import pytest
from contract import in_threads, vectors
from psycopg.conninfo import make_conninfo

from course_lib.retrieval import Record
from course_lib.retrieval.stores import MemoryStore, PostgresStore, StoreError, open_store

numbers = itertools.count()


@pytest.fixture
def table():
    return f"own_{os.getpid()}_{next(numbers)}"


@pytest.fixture
def store(embedded, table):
    store = PostgresStore(embedded.status().dsn, 4, table)
    yield store
    store.close()


@pytest.fixture
def admin(over_tcp):
    """A connection of the administrator to the server over TCP."""
    with psycopg.connect(over_tcp.status().dsn, autocommit=True) as connection:
        yield connection


def clusters(n=3000, d=32, seed=5):
    """Vectors in forty clusters, as embeddings lie, with a filter that keeps one in ten wherever they lie."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((40, d))
    array = centres[rng.integers(0, 40, n)] + 0.4 * rng.standard_normal((n, d))
    return [Record(f"{row:05}", f"text {row}", metadata={"tenth": int(rng.integers(0, 10))}) for row in range(n)], array, rng


# --- the index ---


def test_the_index_is_used_finds_nearly_all_and_sees_changes_at_once(embedded, table):
    texts, array, rng = clusters()
    oracle, store = MemoryStore(32), PostgresStore(embedded.status().dsn, 32, table)
    other = PostgresStore(embedded.status().dsn, 32, table)
    for one in (oracle, store):
        one.add(texts, array)
    query = array[17] + 0.1
    assert "hnsw" not in store.explain(query)
    store.build_index(m=12, ef_construction=48)
    for one in (store, other):  # a store that was open before sees it too
        assert f"Index Scan using {table}_hnsw" in one.explain(query)
        assert f"Index Scan using {table}_hnsw" in one.explain(query, where={"tenth": 3})
    queries = array[rng.integers(0, len(array), 40)] + 0.1 * rng.standard_normal((40, 32))
    found = recall(store, oracle, queries)
    assert found > 0.9, "an index that misses so many is not built right"
    assert [hit.score for hit in store.search(query)] == sorted((hit.score for hit in store.search(query)), reverse=True)
    best = store.search(query, 1)[0]
    store.delete([best.passage.id])
    assert other.search(query, 1)[0].passage.id != best.passage.id
    store.add([best.passage], [query])
    assert other.search(query, 1)[0].passage == best.passage
    store.use_index = False
    assert "hnsw" not in store.explain(query)
    store.use_index = True
    store.drop_index()
    store.drop_index()
    assert "hnsw" not in other.explain(query)
    assert recall(store, oracle, queries[:5], skip=best.passage.id) == 1
    store.close()
    other.close()


def recall(store, oracle, queries, where=None, skip=None):
    found = wanted = 0
    for query in queries:
        right = {hit.passage.id for hit in oracle.search(query, 10, where)} - {skip}
        wanted += len(right)
        found += len(right & {hit.passage.id for hit in store.search(query, 10, where)})
    return found / wanted


def test_a_filter_ruins_the_index_unless_it_goes_on_looking(embedded, table):
    texts, array, rng = clusters()
    oracle, store = MemoryStore(32), PostgresStore(embedded.status().dsn, 32, table, iterative_scan="off")
    for one in (oracle, store):
        one.add(texts, array)
    store.build_index()
    queries = array[rng.integers(0, len(array), 40)]
    where = {"tenth": 3}
    off = recall(store, oracle, queries, where)
    assert min(len(store.search(query, 10, where)) for query in queries) < 10
    store.iterative_scan = "strict_order"
    strict = recall(store, oracle, queries, where)
    assert all(len(store.search(query, 10, where)) == 10 for query in queries)
    store.iterative_scan = "relaxed_order"
    relaxed = recall(store, oracle, queries, where)
    assert all(len(store.search(query, 10, where)) == 10 for query in queries)
    store.iterative_scan, store.ef_search = "off", 400
    wide = recall(store, oracle, queries, where)
    print(
        f"recall@10 under a filter that keeps a tenth: off {off:.2f}, strict {strict:.2f}, relaxed {relaxed:.2f}, ef 400 {wide:.2f}"
    )
    assert off < 0.7 < 0.85 < min(strict, relaxed, wide)
    store.close()


def test_indexes_that_cannot_be_built_are_refused(embedded, table, store):
    for arguments in ({"kind": "ivf"}, {"m": 1}, {"m": 40}, {"ef_construction": 2000}):
        with pytest.raises(StoreError):
            store.build_index(**arguments)
    wide = PostgresStore(embedded.status().dsn, 2001, table + "_wide")
    wide.add([Record("a", "")], np.ones((1, 2001)))
    with pytest.raises(StoreError, match="2000 dimensions"):
        wide.build_index()
    assert wide.search(np.ones(2001))[0].score == pytest.approx(1)
    wide.close()


# --- connections ---


def test_a_restarted_server_is_found_again(server_folder, template):
    with template(server_folder) as server:
        store = PostgresStore(server.dsn, 4)
        store.add([Record("a", "")], vectors(1))
        server.stop()
        with pytest.raises(StoreError, match="course db start"):
            store.search(np.ones(4))
        server.start()
        assert store.count() == 1
        server.stop()
        server.start()
        store.add([Record("b", "")], vectors(1))  # the connection was lost while nobody looked
        psutil.Process(server.status().pid).kill()
        server.start()
        assert store.search(np.ones(4), 9, None) and store.count() == 2
        store.close()


def test_a_change_is_wholly_there_or_not_when_the_server_dies_in_it(server_folder, template):
    with template(server_folder) as server:
        store = PostgresStore(server.dsn, 4)
        store.add([Record(f"old{n}", "") for n in range(50)], vectors(50))
        started, outcome = threading.Event(), []

        def write():
            texts = [Record(f"new{n}", "x" * 2000) for n in range(20000)]
            started.set()
            try:
                store.update(texts, vectors(20000), instead_of={})
                outcome.append("done")
            except StoreError as error:
                outcome.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        started.wait()
        copying = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'"
        with psycopg.connect(server.dsn, autocommit=True) as other:  # kill it in the middle of the copying
            while thread.is_alive() and not other.execute(copying).fetchone():
                pass
        psutil.Process(server.status().pid).kill()
        thread.join(60)
        server.start()
        fresh = PostgresStore(server.dsn, 4)
        assert isinstance(outcome[0], StoreError)
        assert (fresh.count(), len(fresh.get(["old0", "old49", "new0"]))) == (50, 2)
        for one in (store, fresh):
            one.close()


def test_where_nothing_answers(monkeypatch):
    for dsn, says in (
        ("postgresql://me:hunter2@127.0.0.1:1/db", "me@127.0.0.1:1/db"),
        ("host=/nowhere dbname=x password=hunter2", "/nowhere/x"),
        ("postgresql//me:hunter2@x", "not a connection string"),
        ("me:hunter2", "not a connection string"),
    ):
        with pytest.raises(StoreError, match=says) as caught:
            PostgresStore(dsn, 4)
        assert "hunter2" not in str(caught.value)
        monkeypatch.setenv("COURSE_DSN", dsn)
        with pytest.raises(StoreError, match=says) as caught:
            open_store(4)
        assert "hunter2" not in str(caught.value)


def test_a_wrong_password_is_not_repeated(over_tcp):
    dsn = make_conninfo(over_tcp.status().dsn, passfile="/dev/null", password="hunter2")
    with pytest.raises(StoreError, match="password authentication failed") as caught:
        PostgresStore(dsn, 4)
    assert "hunter2" not in str(caught.value)


def test_after_a_fork_each_process_has_a_connection_of_its_own(store):
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    store.add([Record("a", "")], vectors(1))
    child = os.fork()
    if child == 0:
        try:
            store.add([Record("b", "")], vectors(1))
            os._exit(0 if store.count() == 2 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert store.count() == 2


# --- the table ---


def test_names_are_checked(embedded):
    for name in ("", "a b", 'a"; DROP TABLE passages; --', "1a", "x" * 41, "pässe"):
        with pytest.raises(StoreError, match="name of a table"):
            PostgresStore(embedded.status().dsn, 4, name)
    for dimension in (0, 16001):
        with pytest.raises(StoreError, match="dimensions"):
            PostgresStore(embedded.status().dsn, dimension)
    store = PostgresStore(embedded.status().dsn, 4, "Select")  # quoted, so that a word of SQL is a name like any other
    store.add([Record("a", "")], vectors(1))
    assert store.count() == 1
    store.delete(where={})
    store.close()


def test_somebody_elses_table_is_left_alone(embedded, table):
    with psycopg.connect(embedded.status().dsn, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, embedding vector(4))")
        with pytest.raises(StoreError, match="not one of passages"):
            PostgresStore(embedded.status().dsn, 4, table)
        connection.execute(f"INSERT INTO {table} VALUES (1, '[1,2,3,4]')")


def test_a_table_that_goes_is_named(embedded, table, store):
    with psycopg.connect(embedded.status().dsn, autocommit=True) as connection:
        connection.execute(f"DROP TABLE {table}")
    with pytest.raises(StoreError, match=f"{table} is gone"):
        store.search(np.ones(4))


def test_programs_may_open_a_new_table_at_the_same_moment(embedded, table):
    code = (
        "import sys; from course_lib.retrieval.stores import PostgresStore, StoreError\n"
        "sys.stdin.readline(); print(PostgresStore(sys.argv[1], 4, sys.argv[2]).count())"
    )
    command = [sys.executable, "-c", code, embedded.status().dsn, table]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        assert child.communicate(timeout=60) == ("0\n", "")


def test_threads_may_open_a_new_table_at_the_same_moment(embedded, table):
    assert in_threads([lambda: PostgresStore(embedded.status().dsn, 4, table).close()] * 6) == []


def test_without_pgvector(over_tcp, admin):
    admin.execute("DROP DATABASE IF EXISTS bare")
    admin.execute("CREATE DATABASE bare")
    bare = make_conninfo(over_tcp.status().dsn, dbname="bare")
    missing = make_conninfo(bare, options="-c extension_control_path=/nowhere")  # a server on which nobody installed it
    with pytest.raises(StoreError, match="does not have the extension vector") as caught:
        PostgresStore(missing, 4)
    assert "pgvector" in caught.value.todo
    admin.execute("DROP ROLE IF EXISTS guest")
    admin.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = make_conninfo(bare, user="guest", password="guest", passfile="/dev/null")
    with pytest.raises(StoreError, match="may not do it") as caught:
        PostgresStore(guest, 4)
    assert "CREATE EXTENSION vector" in caught.value.todo
    PostgresStore(bare, 4).close()
    with pytest.raises(StoreError, match="may not do this"):  # not allowed to read the table
        PostgresStore(guest, 4).count()


def test_a_database_that_is_read_only(over_tcp, table):
    dsn = over_tcp.status().dsn
    PostgresStore(dsn, 4, table).close()
    store = PostgresStore(make_conninfo(dsn, options="-c default_transaction_read_only=on"), 4, table)
    with pytest.raises(StoreError, match="read-only"):
        store.add([Record("a", "")], vectors(1))
    assert store.count() == 0
    store.close()


# --- who may see what ---


def test_two_tenants_see_their_own_records_and_nothing_else(over_tcp, table):
    owner = PostgresStore(over_tcp.status().dsn, 4, table)
    texts = [
        Record(f"{tenant}{n}", f"of {tenant}", metadata={"tenant": tenant, "also": ["x", "it's %s"]})
        for tenant in "abc"
        for n in range(5)
    ]
    owner.add(texts, np.tile(vectors(5), (3, 1)))
    seen = {"tenant_a": {"tenant": "a"}, "tenant_b": {"tenant": ["b"], "also": "it's %s"}}
    stores = {role: PostgresStore(owner.restrict(role, where), 4, table) for role, where in seen.items()}
    for indexed in (False, True):
        if indexed:
            owner.build_index()
        for role, store in stores.items():
            mine = [f"{role[-1]}{n}" for n in range(5)]
            assert sorted(hit.passage.id for hit in store.search(np.ones(4), 99)) == mine
            assert [hit.passage.id for hit in store.search(np.ones(4), 99, {"tenant": "c"})] == []
            assert (store.count(), store.count({"tenant": ["a", "b", "c"]})) == (5, 5)
            assert [one.id for one in store.get([one.id for one in texts])] == mine
            for change in (
                lambda store=store: store.add([Record("x", "")], vectors(1)),
                lambda store=store: store.update([Record("a0", "mine now")], vectors(1)),
                lambda store=store: store.delete(["c0"]),
                lambda store=store: store.delete(where={}),
                lambda store=store: store.build_index(),
                lambda store=store: store.restrict("tenant_a", {"tenant": "c"}),
            ):
                with pytest.raises(StoreError, match="may not do this|own"):
                    change()
        assert owner.count() == 15
    with psycopg.connect(stores["tenant_a"].dsn, autocommit=True) as connection:  # without our code in between
        assert connection.execute(f"SELECT DISTINCT metadata ->> 'tenant' FROM {table}").fetchall() == [("a",)]
        for statement in (
            "SET row_security = off; SELECT * FROM {}",
            "ALTER TABLE {} DISABLE ROW LEVEL SECURITY",
            "TRUNCATE {}",
            "SET ROLE postgres",
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement.format(table))
            connection.execute("RESET row_security")
    owner.update([Record("a0", "new", metadata={"tenant": "b", "also": "it's %s"})], vectors(1))
    assert (stores["tenant_a"].count(), stores["tenant_b"].count()) == (4, 6)
    stores["again"] = PostgresStore(owner.restrict("tenant_a", {"tenant": "c"}), 4, table)  # another rule for the same role
    assert (stores["again"].count(), stores["tenant_a"].count()) == (5, 5)
    for store in (owner, *stores.values()):
        store.close()


def test_rules_that_would_show_everything_are_refused(over_tcp, admin, table):
    owner = PostgresStore(over_tcp.status().dsn, 4, table)
    admin.execute("DROP ROLE IF EXISTS boss")
    admin.execute("CREATE ROLE boss SUPERUSER")
    for role, where in (("a", {}), ("a", None), ("A b", {"x": 1}), ("postgres", {"x": 1}), ("boss", {"x": 1})):
        with pytest.raises(StoreError):
            owner.restrict(role, where)
    with pytest.raises(TypeError):
        owner.restrict("a", {"x": {"y": 1}})
    assert admin.execute("SELECT FROM pg_roles WHERE rolname = 'a'").fetchone() is None
    admin.execute("DROP ROLE boss")
    owner.close()


# --- open_store ---


def test_open_store_starts_the_embedded_server_once(server_folder, template, monkeypatch):
    monkeypatch.delenv("COURSE_DSN", raising=False)
    with template(server_folder) as server:
        monkeypatch.setenv("COURSE_DATA", str(server_folder.parent))
        said = []
        first, second = open_store(4, say=said.append), open_store(4, ef_search=80)
        assert isinstance(first, PostgresStore) and second.ef_search == 80
        first.add([Record("a", "")], vectors(1))
        assert (second.count(), said) == (1, [])
        assert server.status().users == 2  # this test and, once, open_store
        for one in (first, second):
            one.close()
        with pytest.raises(StoreError, match="dimension 4"):
            open_store(5)


def test_open_store_goes_on_in_memory_and_says_why(open_folder, monkeypatch):
    monkeypatch.delenv("COURSE_DSN", raising=False)
    (open_folder / "no folder").write_text("")
    monkeypatch.setenv("COURSE_DATA", str(open_folder / "no folder"))
    said = []
    store = open_store(4, say=said.append)
    assert isinstance(store, MemoryStore)
    assert len(said) == 1 and said[0].startswith("No PostgreSQL here") and "no folder" in said[0] and "\n" not in said[0]


def test_open_store_goes_where_course_dsn_points(over_tcp, table, monkeypatch):
    monkeypatch.setenv("COURSE_DSN", over_tcp.status().dsn)
    store = open_store(4, table)
    assert isinstance(store, PostgresStore) and store.dsn == over_tcp.status().dsn
    store.close()
