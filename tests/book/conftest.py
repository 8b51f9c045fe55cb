"""The book, built once for all tests that look at its pages."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

needs_jupyter_book = pytest.mark.skipif(
    importlib.util.find_spec("jupyter_book") is None, reason="the book needs the extra: pip install -e '.[book]'"
)


@pytest.fixture(scope="session")
def built_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages. ``COURSE_BOOK`` names one that was built a moment ago."""
    if given := os.environ.get("COURSE_BOOK"):
        return Path(given)
    from course_lib.book.build import build

    return build().parent
