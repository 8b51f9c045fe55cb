"""A learner's answer as text and as a hash, so that a certificate can name exactly what was passed."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any


def source_hash(source: str) -> str:
    """The sha256 of a function's source, whatever its indentation, the spaces at the ends of its lines, and blank lines around it.

    >>> source_hash("  def f():  \\n      return 1\\n\\n") == source_hash("def f():\\n    return 1")
    True
    """
    lines = [line.rstrip() for line in textwrap.dedent(source).strip("\n").splitlines()]
    return hashlib.sha256("\n".join(lines).strip("\n").encode("utf-8", "surrogatepass")).hexdigest()


def answer_hash(function: Callable[..., Any]) -> str | None:
    """The hash of a function's own source, without what it calls; ``None`` where Python does not know the source."""
    try:
        return source_hash(inspect.getsource(function))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None


def answer_in_notebook(notebook: Path, id: str, name: str) -> str | None:
    """The hash of the function ``name`` in the cell of exercise ``id``; ``None`` where a notebook has no such thing."""
    try:
        cells = json.loads(notebook.read_bytes())["cells"]
        sources = [
            "".join(cell["source"])
            for cell in cells
            if cell.get("cell_type") == "code" and cell["metadata"].get("exercise") == id
        ]
        for source in sources:
            for node in ast.parse(source).body:
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == name:
                    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                    return source_hash("\n".join(source.splitlines()[first - 1 : node.end_lineno]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SyntaxError, RecursionError):
        pass
    return None
