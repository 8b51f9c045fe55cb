"""The reference of the library: pages made from the docstrings, without importing what they describe."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..places import PACKAGE

ROOT = "course_lib"
PAGES = {
    "pipeline": "The pipeline, models and everything by itself",
    "corpus": "The corpus",
    "retrieval": "Retrieval",
    "generation": "Generation",
    "evaluation": "Evaluation",
    "finetune": "Fine-tuning",
    "folders": "Folders of your own",
    "serving": "The server, and other servers",
    "exercises": "Exercises",
    "grading": "Grading a class",
    "room": "The room of a workshop",
    "widgets": "Widgets",
    "notebooks": "Notebooks and the book",
}
"""The pages, with their titles. A part of the package that has none stands on the first, those of the book on the last."""

ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`(?:([^`<]+?)\s*<([^>`]+)>|([^`]+))`")


@dataclass(frozen=True)
class Entry:
    """A documented thing: ``name`` is its full name, ``code`` its signature, ``text`` its docstring."""

    name: str
    code: str
    text: str
    parts: tuple[Entry, ...] = field(default=())

    @property
    def label(self) -> str:
        """The target of links to it; targets do not know capitals, and a module may be called as a function of its package."""
        parts = [f"{part}-c" if part[:1].isupper() else part for part in self.name.split(".")]
        return ("module-" if self.code == self.name else "api-") + ".".join(parts).replace("_", "-").lower()


def read_package(package: Path = PACKAGE) -> list[Entry]:
    """The modules of a package that have something public, with their public classes, functions and documented values."""
    modules = []
    for path in sorted(package.rglob("*.py")):
        parts = [ROOT, *path.relative_to(package).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        private = any(part.startswith("_") and part != "__init__" for part in parts)
        if not private and not parts[-1].startswith("lab_"):  # the exercises of a lab are not for reading
            modules.append(read_module(path.read_text(encoding="utf-8"), name))
    return [one for one in modules if one.parts or one.text]


def read_module(source: str, name: str) -> Entry:
    """One module, from its source.

    >>> module = read_module('\\"\\"\\"A module.\\"\\"\\"\\ndef f(x: int = 1) -> str:\\n    \\"\\"\\"Do it.\\"\\"\\"', "m")
    >>> module.text, module.parts[0].name, module.parts[0].code
    ('A module.', 'm.f', 'f(x: int=1) -> str')
    """
    tree = ast.parse(source)
    return Entry(name, name, ast.get_docstring(tree) or "", tuple(_public(tree.body, name)))


def _public(body: Sequence[ast.stmt], inside: str) -> Iterator[Entry]:
    for at, node in enumerate(body):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            name = f"{inside}.{node.name}"
            bases = ", ".join(ast.unparse(base) for base in node.bases)
            code = f"class {node.name}({bases})" if bases else f"class {node.name}"
            if initial := _signature_of_fields(node):
                code = f"class {node.name}{initial}"
            yield Entry(name, code, ast.get_docstring(node) or "", tuple(_public(node.body, name)))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            if text := ast.get_docstring(node):
                yield Entry(f"{inside}.{node.name}", signature(node), text)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and at + 1 < len(body) and (text := _text_below(body[at + 1])):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and not target.id.startswith("_"):
                yield Entry(f"{inside}.{target.id}", target.id, text)


def _text_below(node: ast.stmt) -> str:
    """The text that describes a value: a string that stands alone on the line after it."""
    alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return textwrap.dedent(node.value.value).strip() if alone else ""  # type: ignore[attr-defined]


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """A function's name, arguments and result; a property is its name and type."""
    returns = ast.unparse(node.returns) if node.returns else ""
    if any(isinstance(one, ast.Name) and one.id in ("property", "cached_property") for one in node.decorator_list):
        return f"{node.name}: {returns}"
    arguments = _without_self(ast.unparse(node.args))
    return f"{node.name}({arguments})" + (f" -> {returns}" if returns else "")


def _without_self(arguments: str) -> str:
    return re.sub(r"^(?:self|cls)(?:, )?", "", arguments)


def _signature_of_fields(node: ast.ClassDef) -> str:
    """How a class is called: by its ``__init__``, or by the fields of a data class."""
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            return f"({_without_self(ast.unparse(one.args))})"
    if any("dataclass" in ast.unparse(one) for one in node.decorator_list):
        return f"({', '.join(ast.unparse(one) for one in node.body if isinstance(one, ast.AnnAssign))})"
    return ""


# --- pages ----------------------------------------------------------------------------------------------------------


def page_of(name: str) -> str:
    """The page on which a module stands.

    >>> page_of("course_lib.retrieval.stores.base"), page_of("course_lib.ledger"), page_of("course_lib.book.api")
    ('retrieval', 'pipeline', 'notebooks')
    """
    part = name.split(".")[1] if "." in name else ""
    return "notebooks" if part == "book" else part if part in PAGES else "pipeline"


def all_entries(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Every entry with those inside it."""
    for entry in entries:
        yield entry
        yield from all_entries(entry.parts)


class Library:
    """The documented names of a package, and pages of Markdown about them. ``unresolved`` collects references to nothing."""

    def __init__(self, modules: Sequence[Entry]) -> None:
        self.modules = list(modules)
        self.labels = {entry.name: entry.label for entry in all_entries(self.modules)}
        self.unresolved: list[str] = []
        self._by_last: dict[str, list[str]] = {}
        for name in self.labels:
            self._by_last.setdefault(name.split(".")[-1], []).append(name)

    def find(self, target: str, inside: str) -> str | None:
        """The full name of what a docstring refers to from inside something; ``None`` where there is nothing of that name."""
        target = target.lstrip("~").removesuffix("()")
        if target.startswith("."):
            parts = inside.split(".")
            tries = [".".join(parts[:depth]) + target for depth in range(len(parts), 0, -1)]
        else:
            parts = inside.split(".")
            tries = [".".join([*parts[:depth], target]) for depth in range(len(parts), -1, -1)]
            tries += self._reexported(target)
        return next((name for name in tries if name in self.labels), None)

    def _reexported(self, target: str) -> list[str]:
        """What a name stands for that leaves out the modules in between: ``course_lib.corpus.Passage``, or ``Passage`` alone."""
        parts = target.split(".")
        for depth in range(len(parts)):
            before, after = "".join(f"{part}." for part in parts[:depth]), "." + ".".join(parts[depth:])
            same = [name for name in self._by_last.get(parts[-1], []) if name.startswith(before) and name.endswith(after)]
            if len(same) == 1:
                return same
        return []

    def markdown(self, text: str, inside: str) -> str:
        """A docstring as Markdown: its references as links, its examples as code."""
        pieces = []
        for block in re.split(r"\n\s*\n", textwrap.dedent(text)):
            if block.lstrip().startswith(">>>"):
                pieces.append(f"```pycon\n{textwrap.dedent(block)}\n```")
            else:
                lines = block.splitlines()
                if len(lines) > 1 and all(line.startswith("``") for line in lines):  # a list of names and what they mean
                    block = "\n".join(f"- {line}" for line in lines)
                pieces.append(self._prose(block, inside))
        return "\n\n".join(pieces)

    def _prose(self, block: str, inside: str) -> str:
        def link(found: re.Match[str]) -> str:
            target = (found[2] or found[3]).strip()
            shown = found[1] or (target.split(".")[-1] if target.startswith("~") else target.lstrip("."))
            name = self.find(target, inside)
            if name is None and not hasattr(builtins, target):
                self.unresolved.append(f"{inside}: {found[0]}")
            if name is None:
                return f"`{shown}`"
            return f"[`{shown}`](#{self.labels[name]})"

        pieces, at = [], 0
        for code in re.finditer(r"``(.+?)``", block, flags=re.DOTALL):
            pieces += [_plain(block[at : code.start()], link), f"`` {code[1]} ``" if "`" in code[1] else f"`{code[1]}`"]
            at = code.end()
        return "".join([*pieces, _plain(block[at:], link)])

    def page(self, key: str) -> str:
        """One page: each of its modules with what is public in it."""
        lines = [f"# {PAGES[key]}", ""]
        for module in self.modules:
            if page_of(module.name) == key:
                lines += [f"({module.label})=", f"## {module.name}", "", self.markdown(module.text, module.name), ""]
                for entry in module.parts:
                    lines += self._entry(entry, 3)
        return "\n".join(lines)

    def _entry(self, entry: Entry, level: int) -> list[str]:
        """A class or function under a heading; what is inside a class in a list of definitions with a target each."""
        short = ".".join(entry.name.split(".")[-(level - 2) :])
        lines = [f"({entry.label})=", f"{'#' * level} `{short}`", "", f"```python\n{wrapped(entry.code)}\n```", ""]
        lines += [self.markdown(entry.text, entry.name), ""]
        for part in entry.parts:
            lines += self._entry(part, level + 1) if level < 4 else []
        return lines


def _plain(text: str, link: Callable[[re.Match[str]], str]) -> str:
    """Prose between pieces of code: references become links, and what Markdown would take for its own marks is escaped."""
    pieces, at = [], 0
    for role in ROLE.finditer(text):
        pieces += [_escaped(text[at : role.start()]), link(role)]
        at = role.end()
    return "".join([*pieces, _escaped(text[at:])])


def _escaped(text: str) -> str:
    return re.sub(r"([\\`_{}\[\]<>|$])", r"\\\1", text)


def wrapped(code: str, width: int = 76) -> str:
    """A signature, one argument a line where it is long.

    >>> wrapped("f(a: int)")
    'f(a: int)'
    """
    if len(code) <= width or "(" not in code:
        return code
    call, end = code.index("("), code.rindex(")", 0, code.rfind(" -> ") if " -> " in code else len(code))
    inner = "".join(f"    {one},\n" for one in split_arguments(code[call + 1 : end]))
    return f"{code[: call + 1]}\n{inner}{code[end:]}"


def split_arguments(arguments: str) -> list[str]:
    """Arguments at the commas that stand in no bracket and no string.

    >>> split_arguments("a: dict[str, int], b=','")
    ['a: dict[str, int]', "b=','"]
    """
    parts, depth, quote, start = [], 0, "", 0
    for at, sign in enumerate(arguments):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append(arguments[start:at].strip())
            start = at + 1
    return [one for one in [*parts, arguments[start:].strip()] if one]


def pages(package: Path = PACKAGE) -> Mapping[str, str]:
    """Every page by its name, and ``index`` with a line for each module."""
    library = Library(read_package(package))
    made = {key: library.page(key) for key in PAGES}
    lines = ["# The library", "", "What `course_lib` offers, from its own docstrings. Each example runs as a test.", ""]
    for key, title in PAGES.items():
        lines += [f"**[{title}]({key}.md)**", ""]
        mine = [module for module in library.modules if page_of(module.name) == key]
        lines += [
            f"- [`{one.name}`](#{one.label}): {library.markdown(one.text.splitlines()[0], one.name)}" for one in mine if one.text
        ]
        lines.append("")
    return {"index": "\n".join(lines), **made}
