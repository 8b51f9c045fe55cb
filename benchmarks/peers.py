"""The Python of an environment of a benchmark's own, with the libraries that it compares ours with."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version


def installed_here(*names: str) -> list[str]:
    """Requirements for the very versions of this environment, the build included, so that the libraries below are equal.

    A CPU build of torch (``2.13.0+cpu``) stays one: pip then takes no build for graphics cards.
    """
    return [f"{name}=={version(name)}" for name in names]


def peers(benchmark: str, libraries: list[str], *others: str) -> str:
    """The Python of an environment with some pinned libraries, made if it is missing or holds other versions.

    ``others`` is what else pip is told: packages that come along, or options. What is noted as installed are the libraries.

    Raises ``CalledProcessError`` where pip fails; it has said why, and the next call begins again.
    """
    from course_lib.places import cache_folder

    folder = cache_folder() / f"benchmark-{benchmark}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    note = folder / "installed"
    if not note.exists() or note.read_text() != " ".join(libraries):
        print("Installing the other libraries into an environment of their own …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *libraries, *others], check=True)
        note.write_text(" ".join(libraries))
    return str(python)
