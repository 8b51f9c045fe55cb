"""The doctor: each finding in its good and its bad form."""

from __future__ import annotations

import importlib.metadata
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from course_lib import doctor, models
from course_lib.doctor import FIX, NOTE, OK, Finding


def only(findings: Iterator[Finding]) -> Finding:
    found = list(findings)
    assert len(found) == 1
    return found[0]


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What importlib.metadata says is installed; a package that is not in it is missing."""
    table: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in table:
            raise importlib.metadata.PackageNotFoundError(name)
        return table[name]

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    return table


def test_a_package_as_tested(versions: dict[str, str]) -> None:
    versions["torch"] = "2.13.0+cpu"
    assert doctor._check_package("torch", ">=2.6,<3", "2.13.0") == Finding(OK, "torch 2.13.0+cpu")
    assert doctor._check_package("torch", ">=2.6,<3", None).state == OK


def test_a_package_that_differs(versions: dict[str, str]) -> None:
    versions["rich"] = "14.0"
    found = doctor._check_package("rich", ">=13.9,<16", "15.0.0")
    assert found.state == NOTE and "tested with 15.0.0" in found.text and '"rich==15.0.0"' in found.text


def test_a_package_outside_what_the_course_needs(versions: dict[str, str]) -> None:
    versions["transformers"] = "4.57.1"
    found = doctor._check_package("transformers", ">=5,<6", "5.23.0")
    assert found.state == FIX and "needs >=5,<6" in found.text and "pip install" in found.text


def test_a_missing_package(versions: dict[str, str]) -> None:
    found = doctor._check_package("gguf", ">=0.17,<1", None)
    assert found == Finding(FIX, f'gguf is missing: "{sys.executable}" -m pip install "gguf>=0.17,<1"')


def test_every_direct_dependency_is_looked_at_and_no_other() -> None:
    texts = [finding.text for finding in doctor.check_packages()]
    for name in ("torch", "typer", "jupyterlab", "PyStemmer"):
        assert any(text.lower().startswith(name.lower() + " ") for text in texts), name
    assert not any(text.startswith(("ruff ", "tornado ")) for text in texts)


def test_constraints_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "constraints.txt"
    monkeypatch.setattr(doctor, "bundled", lambda name: tmp_path / name)
    assert doctor.known_versions() == {}
    path.write_text('# tested\nPyYAML==6.0.3\njupyter_client == 8.1 ; python_version > "3"\n\nnot a line\n')
    assert doctor.known_versions() == {"pyyaml": "6.0.3", "jupyter-client": "8.1"}


@pytest.mark.parametrize(
    ("torch", "nvidia", "found"), [("2.13.0+cpu", False, ""), ("2.13.0+cu130", False, "cu130"), ("2.13.0", True, "nvidia")]
)
def test_a_torch_for_graphics_cards(
    versions: dict[str, str], monkeypatch: pytest.MonkeyPatch, torch: str, nvidia: bool, found: str
) -> None:
    versions["torch"] = torch
    if nvidia:  # the build on the usual index has no suffix: what it brings along tells
        versions["nvidia-cublas"] = "13.1"
    monkeypatch.setattr(
        doctor.importlib.metadata, "requires", lambda name: ["filelock", "nvidia-cublas==13.1; platform_system == 'Linux'"]
    )
    assert doctor._cuda().startswith(found) and bool(doctor._cuda()) == bool(found)


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two small things in the place of the models."""
    for variable in ("COURSE_LM", "COURSE_EMBEDDER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    for source in models.SOURCES:
        source.folder.mkdir(parents=True)
        (source.folder / "weights").write_text("weights")
        models.files.write_manifest(source.folder, source)
    return tmp_path


def test_sound_models_and_their_hash(prepared: Path) -> None:
    states = [(finding.state, finding.text) for finding in doctor.check_models()]
    assert [state for state, _ in states] == [OK, OK]
    assert "sha256 b179c9523d0e…" in states[0][1] and "sha256 53aa51172d14…" in states[1][1]


def test_a_damaged_model_of_the_right_size_and_date(prepared: Path) -> None:
    import os

    path = models.LANGUAGE_MODEL.folder / "weights"
    changed = path.stat().st_mtime_ns
    path.write_text("weighty")
    os.utime(path, ns=(changed, changed))
    first, second = doctor.check_models()
    assert first.state == FIX and "weights does not match its hash" in first.text and "course prepare" in first.text
    assert second.state == OK


def test_models_that_are_not_there_yet(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "empty"))
    assert [finding.state for finding in doctor.check_models()] == [NOTE, NOTE]
    assert only(doctor.check_disk()).text.endswith(str(tmp_path / "empty"))
    monkeypatch.setenv("COURSE_LM", "/models/mine")
    assert next(doctor.check_models()).text.startswith("language model /models/mine, as COURSE_LM says")


def test_folders_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "not/yet"))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert [finding.state for finding in doctor.check_folders()] == [OK, OK]
    assert not (tmp_path / "not").exists()  # looking makes nothing
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    found = list(doctor.check_folders())
    assert [finding.state for finding in found] == [FIX, FIX] and "set COURSE_CACHE" in found[0].text


def test_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    from course_lib import jupyter

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(jupyter, "FIRST_PORT", taken.getsockname()[1])
        assert only(doctor.check_port()).state == NOTE
    assert only(doctor.check_port()).state == OK


def test_the_working_copy(tmp_path: Path) -> None:
    assert only(doctor.check_workspace(tmp_path / "none")).state == NOTE
    (tmp_path / "00_start_here.ipynb").touch()
    (tmp_path / "00_start_here.new.ipynb").touch()
    assert only(doctor.check_workspace(tmp_path)) == Finding(OK, f"working copy {tmp_path} with 1 lab")


def test_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(doctor.check_kernel()).state == OK
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", None)
    assert only(doctor.check_kernel()).state == FIX


def test_a_check_that_breaks_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Finding]:
        raise RuntimeError("no such thing")
        yield

    for name in ("check_packages", "check_memory", "check_disk", "check_folders", "check_database", "check_port", "check_kernel"):
        monkeypatch.setattr(doctor, name, lambda: iter(()))
    monkeypatch.setattr(doctor, "check_models", broken)
    found = list(doctor.diagnose(tmp_path))
    assert [finding.state for finding in found] == [OK, FIX, NOTE] and "RuntimeError: no such thing" in found[1].text


def test_the_embedded_database_is_started_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_DSN", raising=False)
    found = only(doctor.check_database())
    assert found.state == OK and "with pgvector starts" in found.text


def test_a_database_that_does_not_answer_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("COURSE_DSN", f"postgresql://me:hush@127.0.0.1:{port}/course")
    found = only(doctor.check_database())
    assert found.state == FIX and f"127.0.0.1:{port}" in found.text and "hush" not in found.text
