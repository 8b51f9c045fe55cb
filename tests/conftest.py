"""What all tests share: progress of their own, and the models prepared once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test may touch the progress of the person who runs it."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "course-data"))
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "course-home"))
    yield


@pytest.fixture(scope="session")
def models() -> None:
    """Both models, prepared in the usual cache (that takes a minute the first time)."""
    from course_lib.models import SOURCES, prepare

    for source in SOURCES:
        prepare(source)
