"""What a lab needs besides its notebook, and whether it is there and sound: so that anybody may enter at any lab.

A lab builds on the library's own version of what the labs before it built, never on the learner's. What is left are files: the
runs that travel with the course and the trained adapters, each with its hash. Which ones, the notebook itself says.
"""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

from .errors import CourseError

LOADERS = {"tuned_embedder": ("retriever",), "load_reranker": ("reranker", "retriever")}
"""Functions that load shipped adapters without naming them."""


def code_of(notebook: Path) -> str:
    """The code of a notebook. Raises :class:`CourseError` where it cannot be read."""
    try:
        cells = json.loads(notebook.read_bytes())["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseError(f"The lab {notebook.name} cannot be read ({error}).", "install the course again.") from error


def runs_named(code: str) -> list[str]:
    """The modules of the evaluation that some code imports.

    >>> runs_named("from course_lib.evaluation.open_book import load_run\\nfrom course_lib.evaluation import is_correct")
    ['open_book']
    """
    return sorted(set(re.findall(r"^from course_lib\.evaluation\.(\w+) import", code, re.MULTILINE)))


def adapters_named(code: str) -> list[str]:
    """The shipped adapters that some code loads.

    >>> adapters_named('tuned = merged(run.lm if TRAIN else load_adapter(lm, "tickets"))')
    ['tickets']
    >>> adapters_named("cross = load_reranker()")
    ['reranker', 'retriever']
    """
    named = set(re.findall(r'load_adapter\(\w+, "(\w+)"\)', code))
    for call, loaded in LOADERS.items():
        named |= set(loaded) if re.search(rf"\b{call}\(", code) else set()
    return sorted(named)


def check_artefacts(notebook: Path) -> tuple[list[str], list[CourseError]]:
    """The names of the files that a lab needs and that match their hash, and what is wrong with the others."""
    code = code_of(notebook)
    sound: list[str] = []
    wrong: list[CourseError] = []
    for name in runs_named(code):
        module = importlib.import_module(f"course_lib.evaluation.{name}")
        path = getattr(module, "RESULTS", None)
        if isinstance(path, Path) and path.suffix == ".json":
            from .evaluation.shipped import read_rows

            try:
                read_rows(path, {}, getattr(module, "COMMAND", "see CONTRIBUTING.md"))
                sound.append(path.name)
            except CourseError as error:
                wrong.append(error)
    for name in adapters_named(code):
        from .finetune.adapters import adapter_about

        try:
            adapter_about(name)
            sound.append(f"adapter {name}")
        except CourseError as error:
            wrong.append(error)
    return sound, wrong
