"""Every error message that the package can print, collected from its source: for the page on trouble.

A message is what stands in ``CourseError(what, todo)``. Parts that are known only when it happens (a folder, a number) become ``…``.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..places import PACKAGE

UNKNOWN = "…"
DEPTH, MOST = 4, 12  # how far a name is followed, and how many wordings of one message are kept
Scope = Mapping[str, Sequence[ast.expr]]

GROUPS = {
    "Labs, folders and JupyterLab": ("cli", "workspace", "jupyter", "exercises", "notebooks", "widgets"),
    "Models": ("models",),
    "Training and adapters": ("finetune",),
    "The database of lab 05": ("retrieval", "database"),
    "Result files and prices": ("evaluation", "prices"),
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
    """The messages of a package, module by module."""
    found = []
    for path in sorted(package.rglob("*.py")):
        module = ".".join(path.relative_to(package).with_suffix("").parts)
        found += messages_in(path.read_text(encoding="utf-8"), module)
    return found


def messages_in(source: str, module: str = "") -> list[Message]:
    """The messages of one module.

    >>> said = messages_in('raise CourseError(f"There is no lab {asked!r}.", "choose one of " + names())')
    >>> said[0].what, said[0].todo
    (('There is no lab ….',), ('choose one of …',))
    """
    tree = ast.parse(source)
    return [
        Message(module, call.lineno, tuple(wordings(call.args[0], scope)), tuple(wordings(call.args[1], scope)))
        for call, scope in sorted(_calls(tree, _names(tree.body)), key=lambda pair: pair[0].lineno)
        if len(call.args) == 2
    ]


def _calls(node: ast.AST, scope: Scope) -> Iterator[tuple[ast.Call, Scope]]:
    """Each call of ``CourseError`` with the names that can be seen from there."""
    for child in ast.iter_child_nodes(node):
        inner = scope
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = {one.arg: [] for one in (*child.args.args, *child.args.kwonlyargs)}
            inner = {**scope, **arguments, **_names(child.body)}
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id == "CourseError":
            yield child, scope
        yield from _calls(child, inner)


def _names(body: Sequence[ast.stmt]) -> dict[str, list[ast.expr]]:
    """What is assigned to each name in a body, functions inside it aside."""
    found: dict[str, list[ast.expr]] = {}
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop(0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for name, value in _pairs(target, node.value):
                    found.setdefault(name, []).append(value)
        todo += ast.iter_child_nodes(node)
    return found


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple):
        values = value.elts if isinstance(value, ast.Tuple) else [ast.Name("")] * len(target.elts)
        for one, other in zip(target.elts, values, strict=False):
            yield from _pairs(one, other)


def wordings(node: ast.AST, scope: Scope, depth: int = 0) -> list[str]:
    """Every text that an expression may be, as far as the source tells.

    >>> wordings(ast.parse("f'{n} {\\"day\\" if n == 1 else \\"days\\"}'", mode="eval").body, {})
    ['… day', '… days']
    """
    if depth > DEPTH:
        return [UNKNOWN]
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.FormattedValue):
        return wordings(node.value, scope, depth)
    if isinstance(node, ast.JoinedStr):
        return _joined([wordings(part, scope, depth) for part in node.values])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([wordings(node.left, scope, depth), wordings(node.right, scope, depth)])
    if isinstance(node, ast.IfExp):
        return _unique([*wordings(node.body, scope, depth), *wordings(node.orelse, scope, depth)])
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return _unique([text for one in node.values for text in wordings(one, scope, depth)])
    if isinstance(node, ast.Name) and scope.get(node.id):
        return _unique([text for one in scope[node.id] for text in wordings(one, scope, depth + 1)])
    return [UNKNOWN]


def _joined(parts: Sequence[Sequence[str]]) -> list[str]:
    texts = ["".join(one) for one in itertools.islice(itertools.product(*parts), MOST)]
    return _unique([re.sub(rf"{UNKNOWN}(?:\s*{UNKNOWN})+", UNKNOWN, text) for text in texts])


def _unique(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(texts))[:MOST]


# --- the page -------------------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    """A text as Markdown that shows exactly its characters, on one line.

    >>> escaped("Set COURSE_DSN to *.\\nAgain.")
    'Set COURSE\\\\_DSN to \\\\*. Again.'
    """
    return re.sub(r"([\\`*_{}\[\]<>#|$~^])", r"\\\1", " ".join(text.split()))


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
            lines += [f"## {heading}", ""]
        for what in sorted(seen, key=str.casefold):
            todos = " *Or:* ".join(escaped(todo) for todo in _unique(seen[what]))
            lines += [f"**{escaped(what)}**", f": What to do: {todos}", ""]
    return "\n".join(lines)
