"""Search over embeddings, with its cache."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.corpus import load_passages
from course_lib.places import cache_folder
from course_lib.retrieval import DenseIndex, top_k
from course_lib.retrieval.dense import embed_texts


@pytest.fixture
def own_cache(tmp_path, monkeypatch, models):
    from course_lib.models import embedder

    embedder()  # loaded from the usual place before the cache moves
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    return tmp_path


def test_a_passage_is_nearest_to_itself(own_cache):
    passages = load_passages()[:12]
    index = DenseIndex(passages, titles=False)
    for passage in passages:
        assert index.search(passage.text, k=1)[0].passage.id == passage.id


def test_the_second_time_comes_from_the_cache(own_cache, monkeypatch):
    texts = ["one", "two"]
    first = embed_texts(texts)
    monkeypatch.setattr("course_lib.models.load.Embedder.encode", lambda *a, **k: pytest.fail("embedded again"))
    assert np.array_equal(embed_texts(texts), first)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"garbage", b"PK\x03\x04"])
def test_a_damaged_cache_is_embedded_anew(own_cache, damage):
    first = embed_texts(["one", "two"])
    for path in (cache_folder() / "embeddings").glob("*.npy"):
        path.write_bytes(damage)
    assert np.allclose(embed_texts(["one", "two"]), first, atol=1e-6)


def test_a_cache_that_cannot_be_written_stops_nothing(own_cache):
    (own_cache / "embeddings").write_text("a file where a folder should be")
    assert embed_texts(["one"]).shape == (1, 384)


def test_the_order_of_texts_is_kept(own_cache):
    texts = ["short", "a much longer text than the other one " * 5, "mid length text"]
    together = embed_texts(texts)
    for row, text in enumerate(texts):
        assert np.allclose(together[row], embed_texts([text])[0], atol=1e-5)


def test_zero_vectors_are_not_a_crash():
    assert top_k(np.array([1.0, 0.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), 2)[0][0] == 1


def test_no_texts(own_cache):
    assert embed_texts([]).shape == (0, 384)
