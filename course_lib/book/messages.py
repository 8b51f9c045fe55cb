"""Every error message that the package can print, collected from its source: for the page on trouble.

A message is what stands in ``CourseError(what, todo)``, in an error derived from it, or in the ``Trouble`` of ``start.py``. Names are
followed to what was assigned to them, parameters to the calls of their function. What is known only when it happens (a folder, a number)
becomes ``…``.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..places import PACKAGE

UNKNOWN = "…"
ERRORS = ("CourseError", "StoreError", "QuestionError", "CannotResume")
TROUBLE, TODO = "Trouble", "\nWhat to do: "  # start.py has no package to import from, and says both in one text
DEPTH, MOST = 6, 16  # how far a name is followed, and how many wordings of one message are kept

GROUPS = {
    "Installing": ("start",),
    "Labs, folders and JupyterLab": ("cli", "workspace", "jupyter", "exercises", "notebooks", "widgets"),
    "Models": ("models", "generation"),
    "Training and adapters": ("finetune",),
    "Stores and the database of lab 05": ("retrieval", "database"),
    "Result files and prices": ("evaluation", "prices"),
    "Documents of your own, and the server": ("cli_folders", "folders", "serving"),
    "Rooms, seats and certificates": ("cli_workshop", "room", "artefacts"),
    "Grading": ("cli_grading", "grading"),
    "The book": ("book",),
}
"""The headings of the page, with the parts of the package that belong to each."""


@dataclass(frozen=True)
class Message:
    """One place in the source that can stop with a message: ``what`` happened and what ``todo``, in every wording there is."""

    module: str
    line: int
    what: tuple[str, ...]
    todo: tuple[str, ...]


def collect(package: Path = PACKAGE) -> list[Message]:
    """The messages of a package, module by module, and those of the ``start.py`` beside it."""
    found = []
    for path in sorted(package.rglob("*.py")):
        module = ".".join(path.relative_to(package).with_suffix("").parts)
        found += messages_in(path.read_text(encoding="utf-8"), module)
    start = package.parent / "start.py"
    return found + (messages_in(start.read_text(encoding="utf-8"), "start") if start.exists() else [])


def messages_in(source: str, module: str = "") -> list[Message]:
    """The messages of one module.

    >>> said = messages_in('raise CourseError(f"There is no lab {asked!r}.", "choose one of " + names())')
    >>> said[0].what, said[0].todo
    (('There is no lab ….',), ('choose one of …',))
    >>> said = messages_in('def no(what, more):\\n    return CourseError(f"{what}: {more}.", more)\\nraise no("It is gone", "x")')
    >>> said[0].what, said[0].todo
    (('It is gone: ….',), ('x',))
    """
    reader = _Module(ast.parse(source))
    found = []
    for call, scope in reader.calls:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in ERRORS and len(call.args) == 2:
            what, todo = (tuple(reader.wordings(one, scope)) for one in call.args)
            found.append(Message(module, call.lineno, what, todo))
        elif name == TROUBLE and len(call.args) == 1:
            halves = [one.partition(TODO) for one in reader.wordings(call.args[0], scope)]
            for first in dict.fromkeys(one[0] for one in halves):
                todo = tuple(dict.fromkeys(one[2] for one in halves if one[0] == first))
                found.append(Message(module, call.lineno, (first,), todo))
    return sorted(found, key=lambda one: one.line)


# --- reading a source ---------------------------------------------------------------------------------------------------


@dataclass
class _Scope:
    """Names as they are seen from one place, each with the expressions that it may stand for and where those are to be read."""

    parent: _Scope | None = None
    local: dict[str, list[tuple[ast.expr, _Scope]]] = field(default_factory=dict)
    given: dict[str, list[tuple[ast.expr, _Scope]]] = field(default_factory=dict)

    def find(self, name: str) -> tuple[list[tuple[ast.expr, _Scope]], bool]:
        """What a name may stand for, and whether it was given to the function by a caller."""
        if name in self.local:
            return self.local[name], False
        if name in self.given:
            return self.given[name], True
        return self.parent.find(name) if self.parent else ([], False)


Function = ast.FunctionDef | ast.AsyncFunctionDef


class _Module:
    """A module's calls, and what its expressions may say."""

    def __init__(self, tree: ast.Module) -> None:
        self.calls: list[tuple[ast.Call, _Scope]] = []
        self.functions: dict[str, list[tuple[Function, _Scope]]] = {}
        top = _Scope()
        self._assignments(tree.body, top)
        self._walk(tree, top)
        for call, scope in self.calls:
            for function, inner in self.functions.get(_name_of(call), []):
                for name, value in _arguments(function, call):
                    inner.given.setdefault(name, []).append((value, scope))

    def _walk(self, node: ast.AST, scope: _Scope) -> None:
        for child in ast.iter_child_nodes(node):
            inner = scope
            if isinstance(child, Function):
                names = [one.arg for one in (*child.args.posonlyargs, *child.args.args, *child.args.kwonlyargs)]
                inner = _Scope(scope, given={name: [] for name in names})
                self._assignments(child.body, inner)
                self.functions.setdefault(child.name, []).append((child, inner))
            if isinstance(child, ast.Call):
                self.calls.append((child, scope))
            self._walk(child, inner)

    def _assignments(self, body: Sequence[ast.stmt], scope: _Scope) -> None:
        todo: list[ast.AST] = list(body)
        while todo:
            node = todo.pop(0)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
                continue
            pairs: list[tuple[ast.expr, ast.expr]] = []
            if isinstance(node, ast.Assign):
                pairs = [(target, node.value) for target in node.targets]
            elif isinstance(node, ast.For) and isinstance(node.iter, (ast.Tuple, ast.List)):
                pairs = [(node.target, one) for one in node.iter.elts]
            for target, value in pairs:
                for name, one in _names(target, value):
                    scope.local.setdefault(name, []).append((one, scope))
            todo += ast.iter_child_nodes(node)

    def wordings(self, node: ast.AST, scope: _Scope, depth: int = 0, part: bool = False) -> list[str]:
        """Every text that an expression may be, as far as the source tells; ``part`` says that it stands inside a text.

        What a caller gives for a part of a text counts only if it is a sentence or the like: a name or a number is an example.
        """
        if depth > DEPTH:
            return [UNKNOWN]
        match node:
            case ast.Constant():
                return [str(node.value)]
            case ast.JoinedStr():
                return _joined([self.wordings(one, scope, depth, part=True) for one in node.values])
            case ast.FormattedValue():
                said = self.wordings(node.value, scope, depth, part=True)
                return [UNKNOWN] if node.format_spec or node.conversion == ord("r") else [one for one in said if one] or said
            case ast.BinOp(op=ast.Add()):
                both = [self.wordings(one, scope, depth, part) for one in (node.left, node.right)]
                numbers = any(isinstance(one, ast.Constant) and not isinstance(one.value, str) for one in (node.left, node.right))
                return [UNKNOWN] if numbers else _joined(both)
            case ast.IfExp():
                return _unique([text for one in (node.body, node.orelse) for text in self.wordings(one, scope, depth, part)])
            case ast.BoolOp(op=ast.Or()):
                return _unique([text for one in node.values for text in self.wordings(one, scope, depth, part)])
            case ast.Name():
                values, given = scope.find(node.id)
                said = _unique([text for value, seen in values for text in self.wordings(value, seen, depth + 1, part)])
                if given and part:
                    said = _unique([one if " " in one else UNKNOWN for one in said])
                return said or [UNKNOWN]
            case ast.Call() if _name_of(node) in self.functions:
                return self._returned(node, scope, depth) or [UNKNOWN]
        return [UNKNOWN]

    def _returned(self, call: ast.Call, scope: _Scope, depth: int) -> list[str]:
        """What a function of the module may return for this call, where it returns texts."""
        said: list[str] = []
        for function, inner in self.functions[_name_of(call)]:
            here = _Scope(inner.parent, inner.local, {name: [(value, scope)] for name, value in _arguments(function, call)})
            here.local = {name: [(value, here) for value, _ in values] for name, values in inner.local.items()}
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    said += self.wordings(node.value, here, depth + 1)
        return _unique(said)


def _name_of(call: ast.Call) -> str:
    """The name of the function that is called; of a method of one's own too."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    own = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id == "self"
    return call.func.attr if own and isinstance(call.func, ast.Attribute) else ""


def _arguments(function: Function, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """The parameters of a function with what a call gives for each."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    yield from zip(names[1:] if names[:1] == ["self"] else names, call.args, strict=False)
    yield from ((one.arg, one.value) for one in call.keywords if one.arg)


def _names(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The names that an assignment binds, each with its value where the source shows it."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple):
        values = value.elts if isinstance(value, ast.Tuple) else [ast.Name("")] * len(target.elts)
        for one, other in zip(target.elts, values, strict=False):
            yield from _names(one, other)


def _joined(parts: Sequence[Sequence[str]]) -> list[str]:
    texts = ["".join(one) for one in itertools.islice(itertools.product(*parts), MOST)]
    return _unique([re.sub(rf"{UNKNOWN}(?:\s*{UNKNOWN})+", UNKNOWN, text) for text in texts])


def _unique(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(texts))[:MOST]


# --- the page -------------------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    """A text as Markdown that shows exactly its characters, on one line; what stands between backticks becomes code.

    >>> escaped("Set COURSE_DSN to *.\\nRun `course_x`.")
    'Set COURSE\\\\_DSN to \\\\*. Run `course_x`.'
    """
    pieces = " ".join(text.split()).split("`")
    if len(pieces) % 2 == 0:
        pieces = ["\\`".join(pieces)]
    return "`".join(piece if at % 2 else re.sub(r"([\\*_{}\[\]<>#|$~^])", r"\\\1", piece) for at, piece in enumerate(pieces))


def group_of(module: str) -> str:
    """The heading under which a module's messages stand. Raises ``KeyError`` for a module that no heading has.

    >>> group_of("models.files")
    'Models'
    """
    part = module.split(".")[0]
    return {one: heading for heading, parts in GROUPS.items() for one in parts}[part]


def render(messages: Sequence[Message]) -> str:
    """The messages as Markdown: under their headings, sorted by what happened, each wording once."""
    lines: list[str] = []
    for heading in GROUPS:
        seen: dict[str, list[str]] = {}
        for message in messages:
            if group_of(message.module) == heading:
                for what in message.what:
                    seen.setdefault(what, []).extend(message.todo)
        if seen:
            lines += [f"### {heading}", ""]
        for what in sorted(seen, key=str.casefold):
            todos = " *Or:* ".join(escaped(todo) for todo in dict.fromkeys(seen[what]))
            lines += [f"**{escaped(what)}**", f": What to do: {todos}", ""]
    return "\n".join(lines)
