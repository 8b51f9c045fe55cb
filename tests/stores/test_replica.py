"""The distributed path: a primary and a streaming replica, over TCP, with the store's own SQL on both.

The replica is made as one is made anywhere: ``pg_basebackup -R`` from the running primary. As root, all of it runs as nobody.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time

import numpy as np
import psutil
import psycopg
import pytest
from of_servers import ROOT_USER, end
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from course_lib.retrieval import Record
from course_lib.retrieval.stores import EmbeddedServer, MemoryStore, PostgresStore, StoreError

N, D = 2000, 32
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the replica's folder is handed on with POSIX permissions")


@pytest.fixture(scope="module")
def servers(open_folder, template):
    primary, replica = template(open_folder / "primary", tcp=True), EmbeddedServer(open_folder / "replica", tcp=True)
    try:
        primary.start()
        replica.folder.mkdir()
        replica.folder.chmod(0o755)
        replica.data.mkdir(mode=0o700)
        shutil.copy(primary.folder / "pgpass", replica.folder / "pgpass")
        for path in (replica.data, replica.folder / "pgpass"):
            replica._give(path)
        to_copy = make_conninfo(primary.dsn, dbname=None, passfile=str(replica.folder / "pgpass"))
        command = [primary._programs() / "pg_basebackup", "-d", to_copy, "-D", replica.data, "-R", "--checkpoint=fast"]
        done = primary._execute(command)
        assert done.returncode == 0, done.stderr
        began = time.perf_counter()
        replica.start()
        print(f"\nThe replica answered {(time.perf_counter() - began) * 1000:.0f} ms after its start.")
        yield primary, replica
    finally:
        end(replica)
        end(primary)


@pytest.fixture(scope="module")
def content():
    rng = np.random.default_rng(1)
    texts = [Record(f"{n:04}", f"text {n}", metadata={"tenant": "ab"[n % 2], "tenth": n % 10}) for n in range(N)]
    return texts, rng.standard_normal((N, D))


@pytest.fixture(scope="module")
def stores(servers, content):
    primary = PostgresStore(servers[0].dsn, D)
    primary.add(*content)
    primary.build_index()
    wait(servers)
    replica = PostgresStore(servers[1].dsn, D)
    yield primary, replica
    replica.close()
    primary.close()


def wait(servers):
    """Until the replica has replayed all that the primary has written."""
    with psycopg.connect(servers[0].dsn, autocommit=True) as one, psycopg.connect(servers[1].dsn, autocommit=True) as two:
        (written,) = one.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        deadline = time.monotonic() + 30
        while not two.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [written]).fetchone()[0]:
            assert time.monotonic() < deadline, "the replica does not follow"


def test_these_are_two_servers_and_one_is_a_replica_of_the_other(servers):
    running = [server.status() for server in servers]
    assert running[0].pid != running[1].pid and running[0].dsn != running[1].dsn
    assert all("127.0.0.1" in one.dsn for one in running)
    if ROOT_USER:
        assert {psutil.Process(one.pid).username() for one in running} == {"nobody"}
    for server, expected in zip(servers, (False, True)):
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (expected,)
    with psycopg.connect(servers[0].dsn) as connection:
        assert connection.execute("SELECT state FROM pg_stat_replication").fetchall() == [("streaming",)]


def test_searches_on_the_replica_go_through_its_index(stores, content):
    primary, replica = stores
    oracle = MemoryStore(D)
    oracle.add(*content)
    found = []
    for query in np.random.default_rng(2).standard_normal((20, D)):
        for where in (None, {"tenth": 3}):
            assert "Index Scan using passages_hnsw" in replica.explain(query, 10, where)
            ids = [hit.passage.id for hit in replica.search(query, 10, where)]
            assert ids == [hit.passage.id for hit in primary.search(query, 10, where)]
            found.append(len(set(ids) & {hit.passage.id for hit in oracle.search(query, 10, where)}) / 10)
    print(f"recall@10 on the replica: {statistics.mean(found):.3f}")
    assert statistics.mean(found) > 0.8
    assert replica.count() == N
    replica.persist()


def test_what_changes_on_the_primary_changes_on_the_replica(stores):
    primary, replica = stores
    rng = np.random.default_rng(3)
    milliseconds = []
    for n in range(20):
        vector = rng.standard_normal(D) * 3
        for change, expected in (
            (lambda n=n, vector=vector: primary.add([Record(f"new{n}", "")], [vector]), True),
            (lambda n=n: primary.delete([f"new{n}"]), False),
        ):
            change()
            began = time.perf_counter()
            while (replica.search(vector, 1)[0].passage.id == f"new{n}") is not expected:
                assert time.perf_counter() - began < 30, "the change does not arrive"
            milliseconds.append((time.perf_counter() - began) * 1000)
    deletions = milliseconds[1::2]
    print(
        f"a deletion is gone from the replica's searches after {statistics.median(deletions):.1f} ms (median of 20; worst {max(deletions):.0f})"
    )


def test_the_replica_refuses_to_be_written_to_and_says_why(stores):
    replica = stores[1]
    for change in (
        lambda: replica.add([Record("x", "")], np.ones((1, D))),
        lambda: replica.update([Record("0001", "")], np.ones((1, D))),
        lambda: replica.delete(["0001"]),
        lambda: replica.build_index(),
        lambda: replica.restrict("tenant_a", {"tenant": "a"}),
    ):
        with pytest.raises(StoreError, match="replica") as caught:
            change()
        assert "primary" in caught.value.todo
    with pytest.raises(StoreError, match="replica, and has no table"):
        PostgresStore(replica.dsn, D, "no_such_table")
    assert replica.get(["0001"])[0].text == "text 1"


def test_two_tenants_are_kept_apart_on_the_replica_too(servers, stores):
    primary, replica = stores
    address = {key: conninfo_to_dict(replica.dsn)[key] for key in ("host", "port")}
    tenants = {tenant: primary.restrict(f"tenant_{tenant}", {"tenant": tenant}) for tenant in "ab"}
    wait(servers)
    for tenant, dsn in tenants.items():
        store = PostgresStore(make_conninfo(dsn, **address), D)
        assert "passages_hnsw" in store.explain(np.ones(D), 10)
        found = store.search(np.ones(D), 50)
        assert {hit.passage.metadata["tenant"] for hit in found} == {tenant} and len(found) == 50
        assert (store.count(), store.count({"tenant": ["a", "b"]})) == (N // 2, N // 2)
        other = "0001" if tenant == "a" else "0000"
        assert store.get([other]) == []
        store.close()
    assert replica.count() == N


def test_the_replica_goes_on_when_the_primary_dies_and_follows_again_when_it_is_back(servers, stores):
    primary, replica = stores
    psutil.Process(servers[0].status().pid).kill()
    assert replica.count() == N
    servers[0].start()
    primary.add([Record("after", "")], np.ones((1, D)))
    deadline = time.monotonic() + 60
    while not replica.get(["after"]):
        assert time.monotonic() < deadline, "it does not follow any more"
        time.sleep(0.05)
