"""Read a lab's source (percent format), and make the solution and the lab from it."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path
from typing import Any

from ..errors import CourseError

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"


def read_source(path: Path) -> Any:
    """The notebook that a percent file describes, with stable cell ids and nothing in it that depends on the machine.

    Raises :class:`CourseError` where the file is missing or is not a percent file.
    """
    import jupytext

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CourseError(f"The source {path} cannot be read: {error}.", "check the lab's number.") from error
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata = {
        "kernelspec": KERNELSPEC,
        "language_info": {"name": "python"},
        "course": {"lab": path.stem, "source_sha256": hashlib.sha256(text.encode()).hexdigest()},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        metadata = {}
        if exercise := cell.metadata.get("exercise"):
            metadata["exercise"] = exercise
        if tags := cell.metadata.get("tags"):
            metadata["tags"] = list(tags)
        cell.metadata = metadata
        cell.id = _cell_id(cell, seen)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _cell_id(cell: Any, seen: dict[str, int]) -> str:
    """An id that stays when other cells change: the exercise's own, or a hash of the text."""
    if exercise := cell.metadata.get("exercise"):
        return f"exercise-{exercise.replace('.', '-')}"
    name = f"{cell.cell_type}-{hashlib.sha256(cell.source.encode()).hexdigest()[:10]}"
    seen[name] = seen.get(name, 0) + 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def remove_solution(code: str, exercise: str) -> str:
    """The stub of an exercise: what stands between the markers becomes one line that says "not attempted yet".

    >>> print(remove_solution("def f():\\n    # BEGIN SOLUTION\\n    return 1\\n    # END SOLUTION", "01.1"))
    def f():
        raise NotImplementedError("01.1: not attempted yet")
    """
    pattern = rf"^([ \t]*){BEGIN}[ \t]*\n(.*?)^[ \t]*{END}[ \t]*$"
    stub, count = re.subn(pattern, rf'\1raise NotImplementedError("{exercise}: not attempted yet")', code, flags=re.M | re.S)
    if count != 1:
        raise CourseError(f"Exercise {exercise} needs exactly one pair of solution markers, not {count}.", "mend the source.")
    ast.parse(stub)
    return stub


def make_lab(solution: Any) -> Any:
    """What the learner opens: the same notebook with stubs for answers, and no outputs."""
    import copy

    lab = copy.deepcopy(solution)
    for cell in lab.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if exercise := cell.metadata.get("exercise"):
                cell.source = remove_solution(cell.source, exercise)
    return lab


def without_markers(solution: Any) -> Any:
    """The solution as people read it: with its answers, without the markers."""
    import copy

    notebook = copy.deepcopy(solution)
    for cell in notebook.cells:
        if cell.metadata.get("exercise"):
            lines = [line for line in cell.source.splitlines() if line.strip() not in (BEGIN, END)]
            cell.source = "\n".join(lines)
    return notebook
