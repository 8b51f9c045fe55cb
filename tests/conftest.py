"""What all tests share: progress of their own, the models prepared once, and the book built once."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# A shell that starts something in the background makes it deaf to Ctrl-C, and its children with it; some tests press Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
collect_ignore = ["notebooks/no_network"]  # no tests: a module that other Pythons load, named as Debian's own is too


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test may touch the progress of the person who runs it."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "course-data"))
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "course-home"))
    yield
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # a server's data then lies where its own user can reach it
        from course_lib.retrieval.stores import EmbeddedServer

        shutil.rmtree(EmbeddedServer().folder, ignore_errors=True)


@pytest.fixture(scope="session")
def models() -> None:
    """Both models, prepared in the usual cache (that takes a minute the first time)."""
    from course_lib.models import SOURCES, prepare

    for source in SOURCES:
        prepare(source)


@pytest.fixture(scope="session")
def built_book() -> Path:
    """The folder of the built pages. ``COURSE_BOOK`` names one that was built a moment ago."""
    if given := os.environ.get("COURSE_BOOK"):
        return Path(given)
    from course_lib.book.build import build

    return build().parent
