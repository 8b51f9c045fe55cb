"""Servers for the tests of stores: each is stopped and its folder deleted at the end, also after a failure."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from course_lib.retrieval.stores import EmbeddedServer

sys.path.append(str(Path(__file__).parent))  # contract.py, of_servers.py

from of_servers import end


@pytest.fixture(scope="session")
def open_folder():
    """A folder that other users can get to, unlike pytest's: as root, the servers run as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="stores test ä "))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server_folder(open_folder):
    """A new folder for a server, which is stopped afterwards."""
    folder = Path(tempfile.mkdtemp(dir=open_folder)) / "postgres"
    folder.parent.chmod(0o755)
    yield folder
    end(EmbeddedServer(folder))
    shutil.rmtree(folder.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def template(open_folder):
    """Make a server in a folder from one that was made before: a copy takes a tenth of a second, initdb some seconds."""
    made = open_folder / "template"
    with EmbeddedServer(made, say=lambda sentence: None) as server:
        place = server.folder
    with (place / "data" / "postgresql.conf").open("a") as settings:
        settings.write("fsync = off\n")  # nobody pulls the plug of the machine here; killed processes lose nothing by it

    def make(folder, **settings):
        subprocess.run(["cp", "-a", str(place), str(folder)], check=True)
        return EmbeddedServer(folder, **settings)

    return make


@pytest.fixture(scope="session")
def embedded(open_folder, template):
    """The embedded server as the course starts it."""
    yield from running(template(open_folder / "embedded server"))


@pytest.fixture(scope="session")
def over_tcp(open_folder, template):
    """A server as any other: a TCP port and a password."""
    yield from running(template(open_folder / "over tcp", tcp=True))


def running(server):
    try:
        server.start()
        yield server
    finally:
        end(server)
