"""Find the learner's answers in whatever arrived: by exercise id, by a marker comment, by the function's name."""

from __future__ import annotations

import ast
import json
import re
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..exercises.registry import LABS, Exercise, exercises_of

LARGEST, LONGEST_CELL, MOST_CELLS, MOST_CODE = 20 << 20, 100_000, 2_000, 2_000_000
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)

TAMPERING = {
    r"__eq__|__instancecheck__": "defines how its results compare",
    r"\bbuiltins\b|__builtins__": "reaches for Python's builtins",
    r"sys\s*\.\s*modules|sys\s*\.\s*meta_path|importlib": "reaches for the import system",
    r"ast_(?:node_)?transformers|input_transformers|NodeTransformer": "rewrites code before it runs",
    r"showtraceback|set_custom_exc|excepthook": "hides errors",
    r"run_cell\b|kernel\.session|get_ipython\(\)\.kernel|execute_reply": "reaches for the kernel",
    r"os\s*\.\s*(?:kill|_exit|fork|system|execv|setsid)|subprocess|multiprocessing": "starts or ends processes",
    r"socket|urllib|requests\b|http\.client": "reaches for the network",
    r"pickle|__reduce": "uses pickle",
    r"ptrace|/proc/|ctypes|gc\.get_objects|_getframe|inspect\.stack": "looks into other memory",
    r"course_lib\.exercises|exercises\.lab_|solutions/|\.reference\b|hidden\(": "looks for solutions or cases",
    r"course_room|course_answers": "reaches for the grading program",
    r"gradebook|results\.jsonl|junit|COURSE_RESULTS": "looks for the gradebook",
    r"NBVAL_(?:SKIP|RAISES_EXCEPTION|IGNORE_OUTPUT)": "carries marks that make test tools skip it",
}
"""What a source may contain, and how the integrity report names it. It decides nothing: points come from results alone."""


@dataclass(frozen=True)
class Cell:
    """A cell of a submission."""

    kind: str
    source: str
    exercise: str = ""


@dataclass
class Answer:
    """What was found for one exercise: the cell to run, the definitions that it needs, and remarks for the reports."""

    exercise: str
    source: str = ""
    way: str = "missing"
    carried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def found(self) -> bool:
        """Whether there is a cell."""
        return self.way != "missing"


def decode(content: bytes) -> str:
    """The text of a file in UTF-8, in UTF-16 with its mark, or failing these in Latin-1."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_cells(content: bytes) -> tuple[list[Cell], str, str]:
    """The cells of a notebook of any format, and what its metadata says of the lab and of the lab's version, or "" and "".

    Raises :class:`ValueError` that says why this is no notebook.

    >>> read_cells(b'{"cells": [{"cell_type": "code", "source": ["a = 1"], "metadata": {"exercise": "01.1"}}]}')
    ([Cell(kind='code', source='a = 1', exercise='01.1')], '', '')
    """
    if len(content) > LARGEST:
        raise ValueError(f"the file is larger than {LARGEST >> 20} MB")
    if not content.strip():
        raise ValueError("the file is empty")
    try:
        notebook = json.loads(decode(content))
    except RecursionError:
        raise ValueError("the file is nested too deeply to be a notebook") from None
    except ValueError as error:
        raise ValueError(f"the file is not valid JSON ({str(error)[:80]})") from None
    if not isinstance(notebook, dict):
        raise ValueError("the file is JSON, but not a notebook")
    raw = notebook.get("cells")
    if not isinstance(raw, list) and isinstance(sheets := notebook.get("worksheets"), list):
        lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        raw = [cell for one in lists if isinstance(one, list) for cell in one]
    if not isinstance(raw, list):
        raise ValueError("the file is JSON, but not a notebook")
    if len(raw) > MOST_CELLS:
        raise ValueError(f"the notebook has more than {MOST_CELLS} cells")
    cells = [_cell(one) for one in raw if isinstance(one, dict)]
    if sum(len(cell.source) for cell in cells if cell.kind == "code") > MOST_CODE:
        raise ValueError(f"the notebook has more than {MOST_CODE // 1_000_000} million characters of code")
    metadata = notebook.get("metadata")
    course = metadata.get("course") if isinstance(metadata, dict) else None
    lab, version = (course.get("lab"), course.get("source_sha256")) if isinstance(course, dict) else (None, None)
    return cells, lab[:2] if isinstance(lab, str) and lab[:2] in LABS else "", version if isinstance(version, str) else ""


def guess_lab(cells: Sequence[Cell]) -> str:
    """The lab that a notebook without metadata belongs to: the one most of whose exercises it has, or ""."""
    found: dict[str, int] = {}
    for lab in LABS:
        answers = locate(cells, exercises_of(lab))
        found[lab] = sum(answer.found for answer in answers.values())
    best = max(found, key=lambda lab: found[lab])
    return best if found[best] else ""


def _cell(raw: dict[str, Any]) -> Cell:
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    source = source[: LONGEST_CELL + 1] if isinstance(source, str) else ""
    metadata = raw.get("metadata")
    exercise = metadata.get("exercise") if isinstance(metadata, dict) else None
    if not isinstance(exercise, str) and isinstance(raw.get("id"), str):
        named = re.fullmatch(r"exercise-(\d\d)-(\d+)", raw["id"])
        exercise = f"{named[1]}.{named[2]}" if named else None
    return Cell(str(raw.get("cell_type")), source, exercise if isinstance(exercise, str) else "")


def without_magics(source: str) -> str:
    """A cell as plain Python, line for line: what only IPython understands becomes ``pass`` or a comment.

    >>> without_magics("%%time\\nx = 1\\n  !ls")
    '# \\nx = 1\\n  pass # '
    """
    lines = source.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("%%"):
            lines[number] = "# "
        elif found := re.match(r"(\s*)(?:[%!?]|\w+\?{1,2}$)", line):
            lines[number] = f"{found[1]}pass # "
    return "\n".join(lines)


def parse(source: str) -> ast.Module | None:
    """The tree of a cell, or ``None`` where it is no Python."""
    if len(source) > LONGEST_CELL:
        return None
    try:
        return ast.parse(without_magics(source))
    except UNREADABLE:
        return None


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return set()


def _used(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _free(source: str) -> set[str]:
    """The names that a source takes from outside: neither parameters nor local variables of its functions.

    >>> sorted(_free("def f(a, b=C):\\n    d = a + e\\n    return [g for g in d if g in h]"))
    ['C', 'e', 'h']
    """
    try:
        tables = [symtable.symtable(source, "cell", "exec")]
    except UNREADABLE:
        return set()
    names = set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        outside = table.get_type() == "module"
        names |= {one.get_name() for one in table.get_symbols() if one.is_referenced() and (outside or one.is_global())}
    return names


def _is_stub(tree: ast.Module, function: str) -> bool:
    """Whether the function is still as it was handed out: nothing but a line that says "not attempted"."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            body = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
            return all(
                isinstance(one, ast.Pass) or (isinstance(one, ast.Raise) and "NotImplementedError" in _used(one)) for one in body
            )
    return False


def _ways(cell: Cell, exercise: Exercise, names: set[str]) -> Iterator[str]:
    if cell.exercise == exercise.id:
        yield "id"
    if re.search(rf"^[ \t]*#+[ \t]*exercise[ \t]+{re.escape(exercise.id)}\b", cell.source, re.M | re.I):
        yield "marker"
    if exercise.function in names:
        yield "name"


def locate(cells: Sequence[Cell], exercises: Sequence[Exercise], given: Sequence[str] = ()) -> dict[str, Answer]:
    """The learner's answer to each exercise. ``given`` are the cells of the lab as handed out, for the imports that they make.

    Of several cells for one exercise, one that defines the function counts before one that does not, an attempt before an untouched
    one, then an id before a marker before a name, then the last.
    """
    trees = [parse(cell.source) for cell in cells]
    imports = (ast.Import, ast.ImportFrom)  # whoever imports our function has not written one
    names = [
        set().union(*(_defined(node) for node in tree.body if not isinstance(node, imports))) if tree else set() for tree in trees
    ]
    pool = [(node, 0) for source in given if (tree := parse(source)) for node in tree.body if isinstance(node, imports)]
    return {exercise.id: _locate(cells, trees, names, exercise, pool) for exercise in exercises}


def _locate(
    cells: Sequence[Cell], trees: Sequence[ast.Module | None], names: Sequence[set[str]], exercise: Exercise, pool: list[Any]
) -> Answer:
    answer = Answer(exercise.id)
    candidates = []
    for place, (cell, tree) in enumerate(zip(cells, trees, strict=True)):
        ways = list(_ways(cell, exercise, names[place]))
        if not ways or (cell.kind != "code" and ways == ["name"]):
            continue
        stub = tree is not None and _is_stub(tree, exercise.function)
        rank = {"id": 2, "marker": 1, "name": 0}[ways[0]]
        broken = tree is None and re.search(rf"\bdef\s+{exercise.function}\b", cell.source) is not None
        candidates.append((exercise.function in names[place] or broken, not stub, not broken, rank, place, ways[0]))
    if not candidates:
        return answer
    *_, place, way = max(candidates)
    cell, tree = cells[place], trees[place]
    answer.source, answer.way = cell.source if tree is None else without_magics(cell.source), way  # no answer needs a magic
    if way != "id":
        answer.notes.append(f"found by its {'marker' if way == 'marker' else 'function’s name'}: the cell had lost its id")
    if cell.kind != "code":
        answer.notes.append(f"the cell had become a {cell.kind} cell")
    attempts = sum(1 for defines, attempted, *_ in candidates if defines and attempted)
    if attempts > 1:
        answer.notes.append(f"{attempts} cells answer it; the one that counts is number {place + 1} of the notebook")
    for pattern, says in TAMPERING.items():
        if re.search(pattern, cell.source):
            answer.notes.append(f"! the cell {says}")
    if tree is not None:
        others = [
            (node, 1)
            for at, one in enumerate(trees)
            if one is not None and at != place and cells[at].kind == "code"
            for node in one.body
        ]
        answer.carried = _carry(
            _free(answer.source) - set().union(*map(_defined, tree.body)), [*pool, *others], exercise.function
        )
    return answer


def _text(node: ast.AST) -> str:
    try:
        return ast.unparse(node)
    except UNREADABLE:
        return ""


def _carry(needed: set[str], pool: Sequence[tuple[ast.stmt, int]], function: str) -> list[str]:
    """The statements outside the cell that define what it uses, and what these use in turn; the learner's before the lab's."""
    defining: dict[str, int] = {}
    for number, (node, _) in enumerate(pool):
        for name in _defined(node):
            defining[name] = number  # the last wins, and the learner's come last
    wanted, chosen = {name for name in needed if name != function}, set()
    while wanted:
        at = defining.get(wanted.pop())
        if at is not None and at not in chosen:
            chosen.add(at)
            wanted |= _free(_text(pool[at][0])) - _defined(pool[at][0])
    return [text for number in sorted(chosen) if (text := _text(pool[number][0]))]
