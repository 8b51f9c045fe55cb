"""Where the course keeps its files: the cache, the learner's progress, and the labs that travel with the package."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APP = "open-book-closed-book"
PACKAGE = Path(__file__).resolve().parent


def cache_folder() -> Path:
    """The folder of the prepared models; ``COURSE_CACHE`` moves it."""
    return Path(os.environ.get("COURSE_CACHE") or platformdirs.user_cache_dir(APP, appauthor=False)).expanduser()


def data_folder() -> Path:
    """The folder of the learner's progress; ``COURSE_DATA`` moves it."""
    return Path(os.environ.get("COURSE_DATA") or platformdirs.user_data_dir(APP, appauthor=False)).expanduser()


def bundled(name: str) -> Path:
    """A folder or file that travels with the package: ``labs``, ``solutions`` or ``constraints.txt``.

    In a wheel it lies inside the package; in a clone, beside it.
    """
    inside = PACKAGE / "bundled" / name
    return inside if inside.exists() else PACKAGE.parent / name
