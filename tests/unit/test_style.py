"""The code is as CONTRIBUTING says: formatted, linted, typed; and the package imports fast because it imports little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "command", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["codespell"]], ids=" ".join
)
def test_the_tools_find_nothing(command):
    done = subprocess.run(
        [sys.executable, "-m", command[0].replace("codespell", "codespell_lib"), *command[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_package_imports_nothing_heavy():
    heavy = {"torch", "transformers", "numpy", "sklearn", "matplotlib", "IPython", "ipywidgets", "pandas", "jupytext"}
    code = f"import course_lib, course_lib.cli, sys; print(*({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
