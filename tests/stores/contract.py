"""What every store must do, as tests. To hold a store to it, subclass :class:`StoreContract` and give ``open``.

``book/another-vector-store.md`` shows how. The tests need nothing but ``open`` and a place; what an engine has beyond that
(several programs at once, a server that can be restarted or killed) it says with the attributes and methods at the top.
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from course_lib.retrieval import Record
from course_lib.retrieval.records import matches
from course_lib.retrieval.stores import StoreError

D = 4  # dimensions, where it does not matter
UNICODE = [
    "Käse 🧀",
    "日本語",
    "عربى",
    "e\u0301 é",
    "\U0001f468\u200d\U0001f469",
    "a\nb\tc\r\n",
    '\'; -- "$1$" %s {x} \\ \\n',
    "\u2028\ufeff",
    " ",
]


class StoreContract:
    """Promises of :class:`course_lib.retrieval.stores.Store`. ``open`` opens the store of a place, in this program or in another."""

    shared = False  # whether several stores, in several programs, may have the same place open

    def open(self, place, dimension=D):
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path):
        """Where a test keeps its data: anything that ``repr`` can write down. Each test gets an empty one, with a space in its path."""
        return str(tmp_path / "a folder" / "store")

    def restart(self, place):
        """Restart the server behind the store, if there is one; the store is closed meanwhile."""

    def kill(self, place):
        """End the server behind the store as a power cut would, if there is one, and start it again."""

    # --- tools ---

    @pytest.fixture
    def store(self, place):
        store = self.open(place)
        yield store
        store.close()

    @contextmanager
    def program(self, place, code):
        """Another program, with this store open as ``store``. It is killed at the end; ``stdin`` and ``stdout`` talk to it."""
        module, folder = type(self).__module__, str(Path(sys.modules[type(self).__module__].__file__).parent)
        lines = [
            f"import sys; sys.path[:0] = [{folder!r}, {str(Path(__file__).parent)!r}]",
            f"import numpy as np; from {module} import {type(self).__name__} as Contract",
            "from contract import vectors; from course_lib.retrieval import Record",
            f"store = Contract().open({place!r}); say = lambda *parts: print(*parts, flush=True)",
            code,
        ]
        command = [sys.executable, "-c", "\n".join(lines)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            yield child
        finally:
            child.kill()
            child.communicate()

    # --- what is there ---

    def test_an_empty_store_is_no_error(self, store):
        assert (store.dimension, store.count(), store.count({"a": 1}), store.get(["x"])) == (D, 0, 0, [])
        assert store.search(np.ones(D)) == [] == store.search(np.ones(D), 3, {"a": 1})
        assert store.delete(["x"]) == 0 == store.delete(where={}) == store.update([], np.zeros((0, D)))
        store.add([], np.zeros((0, D)))
        store.persist()
        assert store.count() == 0

    def test_what_is_added_is_found_at_once_nearest_first(self, store):
        store.add([Record("a", "A"), Record("b", "B", "Title"), Record("c", "C")], [[1, 0, 0, 0], [3, 4, 0, 0], [-1, 0, 0, 0]])
        found = store.search(np.array([2.0, 0, 0, 0]), k=2)
        assert [hit.passage for hit in found] == [Record("a", "A"), Record("b", "B", "Title")]
        assert [hit.score for hit in found] == pytest.approx([1, 0.6], abs=1e-6)
        assert [hit.score for hit in store.search([1, 0, 0, 0], k=9)] == pytest.approx([1, 0.6, -1], abs=1e-6)
        assert store.search([1, 0, 0, 0], k=0) == []
        store.add([Record("d", "D")], [[2, 0.1, 0, 0]])
        assert [hit.passage.id for hit in store.search([1, 0, 0, 0], k=2)] == ["a", "d"]

    def test_records_come_back_as_they_were(self, store):
        metadata = {
            "s": "ä",
            "i": -3,
            "f": 0.1,
            "big": 2**70,
            "large": 1e23,
            "t": True,
            "n": None,
            "l": ["x", "y"],
            "tuple": ("x",),
            "": "",
            "e": [],
        }
        texts = [Record(f"id {text}", text, text, {text: text, "l": [text]}) for text in UNICODE]
        store.add([Record("m", "", "", metadata), *texts], vectors(len(texts) + 1))
        assert store.get(["m"]) == [Record("m", "", "", metadata | {"tuple": ["x"]})]
        assert {name: type(store.get(["m"])[0].metadata[name]) for name in "sift"} == {"s": str, "i": int, "f": float, "t": bool}
        assert store.get([text.id for text in texts]) == texts
        for text in texts:
            assert [hit.passage for hit in store.search(np.ones(D), 9, {text.text: text.text})] == [text]
            assert store.count({"l": text.text}) == 1

    def test_get_keeps_the_order_asked_for(self, store):
        store.add([Record("a", "A"), Record("b", "B")], vectors(2))
        assert [one.id for one in store.get(iter(["b", "nobody", "a", "\0", "b"]))] == ["b", "a", "b"]

    def test_what_is_changed_outside_stays_as_it_was_inside(self, store):
        metadata, array = {"l": ["x"]}, np.eye(D, dtype=np.float32)[:1]
        store.add([Record("a", "A", metadata=metadata)], array)
        metadata["l"].append("y")
        array[:] = -1
        store.search(np.ones(D))[0].passage.metadata["l"].append("z")
        store.get(["a"])[0].metadata["l"].append("z")
        assert store.get(["a"]) == [Record("a", "A", metadata={"l": ["x"]})]
        assert store.search(np.eye(D)[0])[0].score == pytest.approx(1)

    # --- ranking ---

    def test_equal_scores_rank_by_id(self, store):
        ids = ["b", "a", "ä", "B", "10", "9", "é", "🧀", "\uffff"]
        for n in range(4):  # among others, so that equal rows lie apart
            store.add([Record(f"{id}{n}", "") for id in ids], np.tile([0.3, 0.1, 0.7, 0.2], (len(ids), 1)))
        expected = sorted(f"{id}{n}" for id in ids for n in range(4))
        assert [hit.passage.id for hit in store.search([0.2, 0.5, 0.1, 0.9], k=10)] == expected[:10]
        assert [hit.passage.id for hit in store.search([0.2, 0.5, 0.1, 0.9], k=99)] == expected

    def test_a_vector_of_zeros_is_neither_near_nor_far(self, store):
        store.add([Record("away", ""), Record("nothing", ""), Record("near", "")], [[-1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
        found = store.search([1, 0, 0, 0], k=3)
        assert [(hit.passage.id, round(hit.score, 3)) for hit in found] == [("near", 0.707), ("nothing", 0), ("away", -1)]
        assert [(hit.passage.id, hit.score) for hit in store.search(np.zeros(D), k=2)] == [("away", 0), ("near", 0)]

    def test_the_length_of_a_vector_does_not_count(self, store):
        directions = vectors(5)
        store.add([Record(str(n), "") for n in range(5)], directions * np.array([1e-200, 1e-30, 1, 1e30, 1e200])[:, None])
        for n in range(5):
            best = store.search(directions[n] * 1e-40)[0]
            assert (best.passage.id, best.score) == (str(n), pytest.approx(1, abs=1e-6))

    def test_ten_thousand_vectors_against_the_exact_answer(self, place):
        d, n = 64, 10_000
        rng = np.random.default_rng(7)
        texts = [
            Record(f"r{row:05}", f"text {row}", metadata={"tenth": row % 10, "half": ["a", "b"][: 1 + row % 2]})
            for row in range(n)
        ]
        all_vectors, queries = rng.standard_normal((n, d)), rng.standard_normal((8, d))
        unit = all_vectors / np.linalg.norm(all_vectors, axis=1, keepdims=True)
        store = self.open(place, d)
        store.add(texts, all_vectors)
        assert (store.count(), store.count({"tenth": 3}), store.count({"half": "b"})) == (n, n // 10, n // 2)
        for query in queries:
            scores = unit @ (query / np.linalg.norm(query))
            for where, allowed in (
                (None, np.arange(n)),
                ({"tenth": 3}, np.arange(3, n, 10)),
                ({"half": ["b"]}, np.arange(1, n, 2)),
            ):
                best = allowed[np.argsort(-scores[allowed])][:11]
                assert np.diff(scores[best]).max() < -1e-6, "a near tie: choose another seed"
                found = store.search(query, 10, where)
                assert [hit.passage.id for hit in found] == [texts[row].id for row in best[:10]]
                assert [hit.score for hit in found] == pytest.approx(scores[best[:10]], abs=1e-5)
        store.close()

    # --- filters ---

    def test_a_filter_acts_inside_the_search(self, store):
        store.add(
            [Record(f"{n:03}", "", metadata={"rare": n >= 95}) for n in range(100)], np.linspace([1, 0, 0, 0], [0, 1, 0, 0], 100)
        )
        assert [hit.passage.id for hit in store.search([1, 0, 0, 0], 5, {"rare": True})] == ["095", "096", "097", "098", "099"]

    def test_filters_mean_what_matches_means(self, store):
        rng = random.Random(11)
        plain = ["a", "b", "", "1", "true", "null", "ä", 0, 1, 1.0, -0.0, 2.5, 1e23, 10**23, 2**60, True, False, None]
        unusual = [[], ["a"], ["a", "b"], [1, True], [None], [[]], [["a"]], {"a": 1}, {}, [{"a": 1}], ["a", ["b"]]]
        names = ["f", "g", "ä", "a.b", "$.f", ""]
        texts = [
            Record(f"{n:03}", "", metadata={name: rng.choice(plain + unusual) for name in names if rng.random() < 0.6})
            for n in range(150)
        ]
        store.add(texts, vectors(len(texts)))
        several = [rng.sample([*plain, math.nan, math.inf, "\0", "\ud800"], rng.randint(0, 3)) for _ in range(60)]
        filters = [{}, {"\0": "a"}, {"f": "\0"}, {"f": math.nan}, *({name: value} for name in names[:3] for value in plain)]
        filters += [{rng.choice(names): tuple(wanted), rng.choice(names): rng.choice(plain)} for wanted in several]
        filters += [{rng.choice(names): wanted} for wanted in several]
        passed = 0
        for where in filters:
            expected = sorted(one.id for one in texts if matches(one.metadata, where))
            assert sorted(hit.passage.id for hit in store.search(np.ones(D), len(texts), where)) == expected, where
            assert store.count(where) == len(expected)
            passed += bool(expected)
        assert passed > len(filters) / 3, "hardly any filter lets something through: this compares nothing"

    @pytest.mark.parametrize("where", ["audience", {"a": {"b": 1}}, {1: "a"}, {"a": [["b"]]}], ids=str)
    def test_what_is_no_filter_is_refused(self, store, where):
        store.add([Record("a", "")], vectors(1))
        for call in (
            lambda: store.search(np.ones(D), 5, where),
            lambda: store.count(where),
            lambda: store.delete(where=where),
            lambda: store.update([], np.zeros((0, D)), instead_of=where),
        ):
            with pytest.raises(TypeError, match="filter"):
                call()
        assert store.count() == 1

    # --- changes ---

    def test_update_replaces_by_id_and_adds_what_is_new(self, store):
        store.add([Record("a", "old"), Record("b", "old")], vectors(2))
        assert store.update([Record("a", "new"), Record("c", "new")], np.eye(D)[:2]) == 1
        assert [one.text for one in store.get(["a", "b", "c"])] == ["new", "old", "new"]
        assert store.search(np.eye(D)[0], 1)[0].passage == Record("a", "new")
        assert store.count() == 3

    def test_update_replaces_all_that_pass_a_filter(self, store):
        edition = [Record(f"policy#{n}", "2024", metadata={"document": "policy"}) for n in range(3)]
        store.add([*edition, Record("other", "", metadata={"document": "faq"})], vectors(4))
        new = [Record("policy#0", "2025", metadata={"document": "policy"}), Record("other", "2025")]
        assert store.update(new, vectors(2), instead_of={"document": "policy"}) == 4
        assert store.get(["policy#0", "policy#1", "other"]) == new
        assert store.update([], np.zeros((0, D)), instead_of={"document": "policy"}) == 1
        assert store.count() == 1

    def test_delete_by_id_and_by_filter(self, store):
        store.add([Record(str(n), "", metadata={"even": n % 2 == 0}) for n in range(6)], vectors(6))
        assert (store.delete(iter(["1", "1", "nobody", "\0"])), store.delete(["1"]), store.count()) == (1, 0, 5)
        assert (store.delete(where={"even": True}), store.count()) == (3, 2)
        assert {hit.passage.id for hit in store.search(np.ones(D), 9)} == {"3", "5"}
        assert (store.delete([]), store.delete(where={"even": []}), store.count()) == (0, 0, 2)
        store.add([Record("0", "again")], vectors(1))
        assert store.get(["0"]) == [Record("0", "again")]

    @pytest.mark.parametrize(
        ("fault", "says"),
        {
            "an id twice": ([Record("x", ""), Record("x", "")], "twice"),
            "an id that is taken": ([Record("x", ""), Record("there", "")], "there"),
            "an id that is no text": ([Record("x", ""), Record(7, "")], "id"),
            "NUL in a text": ([Record("x", ""), Record("y", "a\0b")], "NUL"),
            "NUL in metadata": ([Record("x", ""), Record("y", "", metadata={"a": ["b\0"]})], "NUL"),
            "half a character": ([Record("x", ""), Record("y", "", "\ud800")], "surrogate"),
            "a date": ([Record("x", ""), Record("y", "", metadata={"day": Path("x")})], "Path"),
            "NaN in metadata": ([Record("x", ""), Record("y", "", metadata={"a": math.nan})], "nan"),
            "a number as a name": ([Record("x", ""), Record("y", "", metadata={1: "a"})], "names"),
            "metadata that is a list": ([Record("x", ""), Record("y", "", metadata=["a"])], "metadata"),
            "another dimension": (np.ones((2, D + 1)), f"{D + 1}.*{D}"),
            "too few vectors": (np.ones((1, D)), "shape"),
            "one vector": (np.ones(D), "shape"),
            "NaN": ([[1.0] * D, [math.nan] * D], "NaN"),
            "infinity": ([[1.0] * D, [math.inf] * D], "NaN"),
            "words": ([["a"] * D] * 2, "numbers"),
        }.items(),
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_does_not_fit_is_refused_and_nothing_changes(self, store, fault, says):
        what, message = says
        fine = [Record("x", ""), Record("y", "")]
        texts, array = (what, np.ones((2, D))) if isinstance(what[0], Record) else (fine, what)
        store.add([Record("there", "still")], vectors(1))
        with pytest.raises(StoreError, match=message) as caught:
            store.add(texts, array)
        assert caught.value.what and caught.value.todo
        if fault != "an id that is taken":
            with pytest.raises(StoreError, match=message):
                store.update(texts, array, instead_of={})
        assert (store.count(), store.get(["there"]), store.get(["x"])) == (1, [Record("there", "still")], [])
        store.add([Record("x", "")], vectors(1))  # and it goes on working
        assert store.count() == 2

    def test_questions_that_do_not_fit_are_refused(self, store):
        store.add([Record("a", "")], vectors(1))
        for query in (np.ones(D + 1), np.ones((1, D)), [math.nan] * D, 7):
            with pytest.raises(StoreError):
                store.search(query)
        for call in (
            lambda: store.search(np.ones(D), -1),
            lambda: store.get("a"),
            lambda: store.delete("a"),
            lambda: store.delete(),
        ):
            with pytest.raises(StoreError):
                call()
        with pytest.raises(StoreError):
            store.delete(["a"], where={})
        assert store.count() == 1

    # --- several at once ---

    def test_threads_may_share_a_store(self, store):
        def write(name):
            for n in range(15):
                store.add([Record(f"{name}{n}", name)], vectors(1))
                store.update([Record("shared", name)], vectors(1))
                store.delete([f"{name}{n - 5}"])

        errors = in_threads([lambda name=name: write(name) for name in "abcd"])
        assert errors == []
        assert store.count() == 4 * 5 + 1
        assert sorted(hit.passage.id for hit in store.search(np.ones(D), 99)) == sorted(
            [*(f"{name}{n}" for name in "abcd" for n in range(10, 15)), "shared"]
        )

    def test_a_reader_never_sees_half_an_update(self, place, store):
        self.write_edition(store, 0)
        torn, done, seen = [], threading.Event(), set()

        def read():
            reader = self.open(place) if self.shared else store
            while not done.is_set():
                editions = [hit.passage.text for hit in reader.search(np.ones(D), 50, {"document": "policy"})]
                seen.update(editions)
                if editions not in [[edition] * (4 + int(edition) % 3) for edition in set(editions)]:
                    torn.append(editions)
            if reader is not store:
                reader.close()

        def write():
            try:
                for edition in range(1, 2000):
                    self.write_edition(store, edition)
                    time.sleep(0.001)  # let the readers in
                    if edition > 60 and len(seen) > 5:
                        break
            finally:
                done.set()

        assert in_threads([read, read, write]) == []
        assert torn == []
        assert len(seen) > 3, "the readers were not there while it changed"

    def write_edition(self, store, edition):
        """A document of 4 to 6 records, in the place of its last edition."""
        texts = [Record(f"{edition}#{n}", str(edition), metadata={"document": "policy"}) for n in range(4 + edition % 3)]
        store.update(texts, vectors(len(texts)), instead_of={"document": "policy"})

    def test_another_program_sees_each_change_at_once(self, place, store):
        if not self.shared:
            pytest.skip("one program at a time has this store open")
        code = "for line in sys.stdin: say(store.count(), *sorted(h.passage.text for h in store.search(np.ones(4), 9)))"
        with self.program(place, code) as other:

            def seen():
                other.stdin.write("\n")
                other.stdin.flush()
                return other.stdout.readline().split() or other.stderr.read()

            assert seen() == ["0"]
            store.add([Record("a", "one"), Record("b", "two")], vectors(2))
            assert seen() == ["2", "one", "two"]
            store.update([Record("a", "three")], vectors(1))
            assert seen() == ["2", "three", "two"]
            store.delete(["a"])
            assert seen() == ["1", "two"]

    def test_programs_may_write_at_once(self, place, store):
        if not self.shared:
            pytest.skip("one program at a time has this store open")
        code = (
            "name = sys.stdin.readline().strip()\n"
            "for n in range(20):\n"
            "    store.add([Record(f'{name}{n}', '')], vectors(1)); store.update([Record('shared', name)], vectors(1))\n"
            "store.persist(); say('done')"
        )
        with self.program(place, code) as one, self.program(place, code) as two:
            for child, name in ((one, "a"), (two, "b")):
                child.stdin.write(name + "\n")
                child.stdin.flush()
            for child in (one, two):
                assert child.stdout.readline() == "done\n", child.stderr.read()
        assert store.count() == 41
        assert len(store.get([f"{name}{n}" for name in "ab" for n in range(20)])) == 40

    # --- what stays ---

    def test_what_was_persisted_is_there_after_a_restart(self, place):
        store = self.open(place)
        store.add([Record("ä", "Käse 🧀", "t", {"l": ["x"]}), Record("b", "")], np.eye(D)[:2])
        store.persist()
        store.delete(["b"])
        store.persist()
        store.close()
        self.restart(place)
        store = self.open(place)
        assert store.get(["ä", "b"]) == [Record("ä", "Käse 🧀", "t", {"l": ["x"]})]
        assert store.search(np.eye(D)[0])[0].score == pytest.approx(1)
        store.close()

    def test_what_was_persisted_is_there_after_a_crash(self, place):
        code = "store.add([Record(str(n), 'kept', metadata={'n': n}) for n in range(100)], vectors(100)); store.persist(); say('kept')\n"
        code += "while True: store.update([Record('more', 'x' * 10000)], vectors(1)); store.delete(['more'])"
        with self.program(place, code) as child:
            assert child.stdout.readline() == "kept\n", child.stderr.read()
            self.kill(place)
            child.kill()
        store = self.open(place)
        assert store.count({"n": list(range(100))}) == 100
        assert store.search(vectors(100)[42], 1)[0].passage == Record("42", "kept", metadata={"n": 42})
        store.update([Record("0", "new")], vectors(1))
        assert store.get(["0"])[0].text == "new"
        store.close()

    def test_another_dimension_is_refused_and_both_are_named(self, place):
        store = self.open(place, 3)
        store.add([Record("a", "")], np.ones((1, 3)))
        store.persist()
        store.close()
        with pytest.raises(StoreError, match=r"dimension 3.*dimension 5"):
            self.open(place, 5)
        store = self.open(place, 3)
        assert store.count() == 1
        store.close()

    def test_closing_twice_is_no_error_and_a_closed_store_says_so(self, store):
        store.add([Record("a", "")], vectors(1))
        store.close()
        store.close()
        for call in (
            lambda: store.add([Record("b", "")], vectors(1)),
            lambda: store.update([Record("b", "")], vectors(1)),
            lambda: store.delete(["a"]),
            lambda: store.search(np.ones(D)),
            lambda: store.get(["a"]),
            lambda: store.count(),
            lambda: store.persist(),
        ):
            with pytest.raises(StoreError, match="closed"):
                call()


def vectors(n, d=D):
    """The same ``n`` vectors each time, in all programs."""
    return np.random.default_rng(3).standard_normal((n, d))


def in_threads(calls):
    """Run functions at the same time; what went wrong in them."""
    errors = []

    def guarded(call):
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=[call], daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return errors
