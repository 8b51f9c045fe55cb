"""The store in memory: what it adds to the contract, which is its file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from course_lib.retrieval import Record
from course_lib.retrieval.stores import MemoryStore, StoreError

ONE = ([Record("a", "A")], np.ones((1, 2)))


def run(code, *arguments):
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = MemoryStore(2)
    store.add(*ONE)
    store.persist()
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_close_persists_what_has_changed(tmp_path):
    path = tmp_path / "store"
    store = MemoryStore(2, path)
    store.add(*ONE)
    store.close()
    before = path.read_bytes()
    store = MemoryStore(2, path)
    assert store.get(["a"]) == ONE[0]
    store.close()
    assert path.read_bytes() == before


def test_a_second_program_is_told_that_the_file_is_open(tmp_path):
    store = MemoryStore(2, tmp_path / "store")
    store.add(*ONE)
    code = (
        "import sys; from course_lib.retrieval.stores import MemoryStore, StoreError\n"
        "try: MemoryStore(2, sys.argv[1])\nexcept StoreError as error: print(error)"
    )
    assert "Another store has" in run(code, tmp_path / "store")
    with pytest.raises(StoreError, match="Another store has"):
        MemoryStore(2, tmp_path / "store")
    store.close()
    assert run(code, tmp_path / "store") == ""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_killed_program_leaves_the_file_free_and_whole(tmp_path):
    code = (
        "import sys, numpy as np; from course_lib.retrieval.stores import MemoryStore; from course_lib.retrieval import Record\n"
        "store = MemoryStore(8, sys.argv[1]); store.add([Record(str(n), 'x' * 100) for n in range(2000)], np.ones((2000, 8)))\n"
        "while True: store.persist(); print('.', flush=True)"
    )
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True)
        for _ in range(5):
            assert child.stdout.readline() == ".\n"
        child.send_signal(signal.SIGKILL)  # most likely in the middle of writing
        child.communicate()
        store = MemoryStore(8, tmp_path / "store")
        assert store.count() == 2000
        store.delete(where={})
        store.close()


@pytest.mark.skipif(os.name == "nt", reason="limits on file sizes")
def test_where_the_disk_refuses_the_old_file_stays(tmp_path):
    path = tmp_path / "store"
    store = MemoryStore(2, path)
    store.add(*ONE)
    store.close()
    before = path.read_bytes()
    code = (
        "import sys, resource, numpy as np; from course_lib.retrieval.stores import MemoryStore, StoreError\n"
        "from course_lib.retrieval import Record\n"
        "store = MemoryStore(2, sys.argv[1]); store.add([Record('b', 'x' * 50000)], np.ones((1, 2)))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try: store.persist()\nexcept StoreError as error: print(error)\n"
        "print(store.count())\n"
        "try: store.close()\nexcept StoreError as error: print('close:', error)"
    )
    says = run(code, path)
    assert "could not be written" in says and "\n2\n" in says and "close:" in says
    assert path.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["store", "store.lock"]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other", "folder", "vectors"])
def test_a_damaged_file_is_named_and_kept(tmp_path, damage):
    path = tmp_path / "store"
    store = MemoryStore(2, path)
    store.add([Record(str(n), "text") for n in range(50)], np.ones((50, 2)))
    store.close()
    content = path.read_bytes()
    middle = content.index(b"text")
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "vectors":
        with path.open("wb") as stream:
            header = np.frombuffer(b'{"format": 1, "records": []}', dtype=np.uint8)
            np.savez(stream, header=header, vectors=np.ones((3, 2)))
    else:
        path.write_bytes(
            {
                "cut": content[: len(content) // 2],
                "flip": content[:middle] + b"tixt" + content[middle + 4 :],
                "empty": b"",
                "other": b"# My notes\n",
            }[damage]
        )
    kept = path.read_bytes() if path.is_file() else None
    for _ in range(2):  # the lock is let go of
        with pytest.raises(StoreError, match="damaged, or not a store") as caught:
            MemoryStore(2, path)
    assert str(path) in caught.value.what
    assert (path.read_bytes() if path.is_file() else None) == kept


def test_a_later_format_is_not_called_damage(tmp_path):
    with (tmp_path / "store").open("wb") as stream:
        np.savez(stream, header=np.frombuffer(b'{"format": 99}', dtype=np.uint8), vectors=np.ones((0, 2)))
    with pytest.raises(StoreError, match="another version"):
        MemoryStore(2, tmp_path / "store")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        MemoryStore(2, tmp_path / "file" / "store")
