"""The stores of the course, held to the contract."""

from __future__ import annotations

import itertools
import os

import psutil
import pytest
from contract import D, StoreContract

from course_lib.retrieval.stores import EmbeddedServer, MemoryStore, PostgresStore

tables = itertools.count()


class TestMemory(StoreContract):
    """In memory, with a file."""

    def open(self, place, dimension=D):
        return MemoryStore(dimension, place)


class PostgresContract(StoreContract):
    """A place is a server (its folder, and whether it listens on TCP) and a table."""

    shared = True

    def open(self, place, dimension=D):
        folder, tcp, table = place
        return PostgresStore(EmbeddedServer(folder, tcp=tcp).status().dsn, dimension, table)

    def restart(self, place):
        server = EmbeddedServer(place[0], tcp=place[1])
        assert server.stop()
        server.start()

    def kill(self, place):
        server = EmbeddedServer(place[0], tcp=place[1])
        psutil.Process(server.status().pid).kill()
        server.start()


class TestEmbedded(PostgresContract):
    """The embedded server, over its socket."""

    @pytest.fixture
    def place(self, embedded):
        return str(embedded.asked), False, f"embedded_{os.getpid()}_{next(tables)}"


class TestServer(PostgresContract):
    """Any PostgreSQL, by its DSN, over TCP and with a password."""

    @pytest.fixture
    def place(self, over_tcp):
        return str(over_tcp.asked), True, f"tcp_{os.getpid()}_{next(tables)}"
