"""The part of ``course_lib`` that exists in the grading room: the helpers that exercises use, and nothing that holds an answer.

The room's package is made from the source by extraction, so a reference cannot be in it by oversight: only what :data:`PROVIDED`
names goes in, with what that needs. Any other name can be imported, since a learner's cell may import more than it uses, but
is a placeholder that raises when it is called.
"""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

from ..errors import CourseError
from ..places import PACKAGE

PROVIDED = {
    "corpus.chunking": ("word_spans", "sentence_spans"),
    "evaluation.answers": ("normalise_answer",),
    "generation.citations": ("content_words",),
}
"""The helpers, by module."""

REEXPORTED = {"corpus": "corpus.chunking", "evaluation": "evaluation.answers", "generation": "generation.citations"}

ROOT = '''"""The part of the course that exists while grading."""

import importlib.machinery
import importlib.util
import sys


class NotHere:
    """Stands for a name that does not exist while grading."""

    def __init__(self, name):
        self.name = name

    def __call__(self, *args, **kwargs):
        raise RuntimeError(f"{self.name} does not exist while grading")

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return NotHere(f"{self.name}.{name}")


class _Finder:
    """Any other module of the course is empty."""

    def find_spec(self, name, path=None, target=None):
        if name.startswith("course_lib."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__getattr__ = _placeholders(module.__name__)


def _placeholders(module):
    def find(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return NotHere(f"{module}.{name}")

    return find


sys.meta_path.append(_Finder())
__version__ = "0"


def check(*args, **kwargs):
    """Nothing is checked in here."""


hint = quiz = progress = check
__getattr__ = _placeholders(__name__)
'''
TAIL = "\n\nimport course_lib\n\n__getattr__ = course_lib._placeholders(__name__)\n"


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {node.target.id} if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else set()


def extract(source: str, names: tuple[str, ...]) -> str:
    """The definitions of ``names`` in a module, with those that they need, in their order and without comments.

    Raises :class:`CourseError` where a name is missing, or needs another module of the course.

    >>> print(extract("import re\\nA = 1\\nB = A + 1\\ndef f(): return B\\ndef g(): return re", ("f",)))
    A = 1
    B = A + 1
    <BLANKLINE>
    def f():
        return B
    """
    tree = ast.parse(source)
    wanted, known = set(names), set()
    for _ in range(len(tree.body) + 1):
        for node in tree.body:
            if _bound(node) & wanted:
                known |= _bound(node)
                wanted |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    if missing := set(names) - known:
        raise CourseError(f"There is no {', '.join(sorted(missing))} to provide.", "mend PROVIDED in grading/library.py.")
    kept = [node for node in tree.body if _bound(node) & wanted]
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    for node in kept:
        if isinstance(node, ast.ImportFrom) and (node.level or str(node.module).startswith("course_lib")):
            raise CourseError(f"{ast.unparse(node)} leads out of the module.", "mend PROVIDED in grading/library.py.")
    return ast.unparse(ast.Module([*[one for one in future if one not in kept], *kept], []))


def make_library(folder: Path) -> None:
    """Write the room's ``course_lib`` and the room's own programs into ``folder``."""
    for module, names in PROVIDED.items():
        target = folder / "course_lib" / (module.replace(".", "/") + ".py")
        target.parent.mkdir(parents=True, exist_ok=True)
        source = (PACKAGE / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
        target.write_text(extract(source, names) + TAIL, encoding="utf-8")
    for package, module in REEXPORTED.items():
        text = f"from course_lib.{module} import {', '.join(PROVIDED[module])}{TAIL}"
        (folder / "course_lib" / package / "__init__.py").write_text(text, encoding="utf-8")
    (folder / "course_lib" / "__init__.py").write_text(ROOT, encoding="utf-8")
    (folder / "course_room").mkdir(exist_ok=True)
    for path in sorted((PACKAGE / "grading" / "room").glob("*.py")):
        shutil.copyfile(path, folder / "course_room" / path.name)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
