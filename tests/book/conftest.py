"""The book, built once for all tests that look at its pages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def built_book() -> Path:
    """The folder of the built pages. ``COURSE_BOOK`` names one that was built a moment ago."""
    if given := os.environ.get("COURSE_BOOK"):
        return Path(given)
    from course_lib.book.build import build

    return build().parent
