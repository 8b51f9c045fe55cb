"""Find the learner's answers in whatever arrived: by exercise id, by a marker comment, by the function's name."""

from __future__ import annotations

import ast
import json
import re
import symtable
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..exercises.registry import LABS, Exercise, exercises_of

LARGEST, LONGEST_CELL, MOST_CELLS, MOST_CODE, MOST_CARRIED = 20 << 20, 100_000, 2_000, 2_000_000, 200
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
IMPORTS, NAMED = (ast.Import, ast.ImportFrom), (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

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
    alone: list[str] = field(default_factory=list)
    "The definitions of the cell that the function needs, where the cell holds more than these."
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
    exercises = [one for lab in LABS for one in exercises_of(lab)]
    answers = locate(cells, exercises)  # all at once: a large notebook takes seconds to parse
    found = Counter(one.lab for one in exercises if answers[one.id].found)
    best = max(LABS, key=lambda lab: found[lab])
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
    kind = raw.get("cell_type")
    return Cell(kind if kind in ("code", "markdown", "raw") else "strange", source, exercise if isinstance(exercise, str) else "")


def without_magics(source: str) -> str:
    """A cell without what only IPython understands, line for line: that becomes ``pass`` or a comment.

    >>> without_magics("%%time\\nx = 1\\n  !ls")
    '# \\nx = 1\\n  pass # '
    """
    lines = re.split("\r\n?|\n", source)  # not splitlines(), which also parts strings at rarer characters
    for number, line in enumerate(lines):
        if line.startswith("%%"):
            lines[number] = "# "
        elif found := re.match(r"([ \t]*)(?:%(?=\s*\w)|!(?!=)|\?|[\w.]+\?{1,2}\s*$|\w[\w, ]*=\s*(?:!|%\w))", line):
            lines[number] = f"{found[1]}pass # "
    return "\n".join(lines)


def parse(source: str) -> tuple[str, ast.Module | None]:
    """A cell as Python, and its tree; ``None`` where it is no Python, with or without magics.

    What is Python as it stands stays so, since its lines and strings may begin like magics.

    >>> parse("x = (5\\n    % 3)")[0], parse("%matplotlib inline")[0], parse("x = (")[1] is None
    ('x = (5\\n    % 3)', 'pass # ', True)
    """
    if len(source) <= LONGEST_CELL:
        for text in (source, without_magics(source)):
            try:
                return text, ast.parse(text)
            except UNREADABLE:
                continue
    return source, None


class Statement(NamedTuple):
    """A statement at the top of a cell: the place of the cell, the names that it binds, and those whose objects it may alter.

    ``whole`` if it makes what it binds anew, ``leans`` if it makes it of what had that name before.
    """

    place: int
    node: ast.stmt
    binds: set[str]
    alters: set[str]
    whole: bool
    leans: bool


def _root(node: ast.AST) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _statement(place: int, node: ast.stmt) -> Statement:
    """What a statement does to the names around it, in all of its blocks, but not in its functions.

    >>> made = _statement(0, ast.parse("for a in b: c[a].d = e").body[0])
    >>> made.binds, made.alters
    ({'a'}, {'c'})
    """
    binds: set[str] = set()
    alters: set[str] = set()
    left: list[ast.AST] = [node]
    value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
    while left:
        one = left.pop()
        if isinstance(one, NAMED):
            binds.add(one.name)
            continue
        if isinstance(one, IMPORTS):
            binds |= {(alias.asname or alias.name).split(".")[0] for alias in one.names}
        elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            binds.add(one.id)
        elif isinstance(one, (ast.Attribute, ast.Subscript)) and not isinstance(one.ctx, ast.Load):
            alters.add(_root(one))
        elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and value is None:
            alters.add(_root(one.func))
        if isinstance(one, ast.comprehension):
            left += [one.iter, *one.ifs]  # its variable is its own
        elif not isinstance(one, ast.Lambda):
            left += ast.iter_child_nodes(one)
    leans = isinstance(node, ast.AugAssign) or (value is not None and bool(binds & _used(value)))
    whole = isinstance(node, NAMED) or (value is not None and not leans)
    return Statement(place, node, binds, alters - {""}, whole, leans)


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
        for one in table.get_symbols():
            if one.is_declared_global() or (one.is_referenced() and (outside or one.is_global())):
                names.add(one.get_name())
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
    parsed = [parse(cell.source) for cell in cells]
    pool = [_statement(-1, node) for source in given for node in _body(parse(source)[1]) if isinstance(node, IMPORTS)]
    pool += [_statement(place, node) for place, (_, tree) in enumerate(parsed) for node in _body(tree)]
    names: list[set[str]] = [set() for _ in cells]
    for one in pool:
        if one.place >= 0 and not one.leans and not isinstance(one.node, IMPORTS):  # whoever imports it has not written one
            names[one.place] |= one.binds
    return {exercise.id: _locate(cells, parsed, names, exercise, pool) for exercise in exercises}


def _body(tree: ast.Module | None) -> list[ast.stmt]:
    return tree.body if tree else []


def _locate(
    cells: Sequence[Cell],
    parsed: Sequence[tuple[str, ast.Module | None]],
    names: Sequence[set[str]],
    exercise: Exercise,
    pool: Sequence[Statement],
) -> Answer:
    answer = Answer(exercise.id)
    candidates = []
    for place, (cell, (_, tree)) in enumerate(zip(cells, parsed, strict=True)):
        ways = list(_ways(cell, exercise, names[place]))
        broken = tree is None and re.search(rf"\bdef\s+{exercise.function}\b", cell.source) is not None
        defines = exercise.function in names[place] or broken
        if not ways or (cell.kind != "code" and (ways == ["name"] or not defines)):
            continue
        stub = tree is not None and _is_stub(tree, exercise.function)
        rank = {"id": 2, "marker": 1, "name": 0}[ways[0]]
        candidates.append((defines, not stub, not broken, rank, place, ways[0]))
    if not candidates:
        return answer
    *_, place, way = max(candidates)
    cell, (answer.source, tree), answer.way = cells[place], parsed[place], way  # without magics, which no answer needs
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
        own = [one for one in pool if one.place == place]
        others = [one for one in pool if one.place < 0 or (one.place != place and cells[one.place].kind == "code")]
        before, after = ([one for one in others if (one.place > place) == later] for later in (False, True))
        made = set().union(*(one.binds for one in own if not one.leans)) | {exercise.function}
        answer.carried = _carry(_free(answer.source) - made, before, after)
        needed = _carry({exercise.function}, own)
        answer.alone = needed if len(needed) < len(own) else []
    return answer


def _text(node: ast.AST) -> str:
    try:
        return ast.unparse(node)
    except UNREADABLE:
        return ""


def _definitions(pool: Sequence[Statement]) -> dict[str, list[Statement]]:
    """By name, the statements that make it what it is in the end: the last that makes it anew, and what alters it after that.

    A call may alter only what the learner has made, not what an import brings: that would carry much that nobody needs.
    """
    made: dict[str, list[Statement]] = {}
    for one in pool:
        for name in one.binds:
            if one.whole:
                made[name] = []
            made.setdefault(name, []).append(one)
        for name in one.alters - one.binds:
            if name in made and not isinstance(made[name][0].node, (*IMPORTS, *NAMED)):
                made[name].append(one)
    return made


def _carry(needed: set[str], before: Sequence[Statement], after: Sequence[Statement] = ()) -> list[str]:
    """The statements that define what is needed, and what these use in turn: those before the answer, or else those after it."""
    here, later = _definitions(before), _definitions(after)
    stars = [one for one in before if "*" in one.binds]
    wanted, seen = set(needed), set(needed)
    chosen: dict[int, Statement] = {}
    while wanted:
        name = wanted.pop()
        for one in here.get(name) or [*stars, *later.get(name, [])]:
            if id(one) not in chosen:
                chosen[id(one)] = one
                more = _free(_text(one.node)) - seen
                wanted |= more
                seen |= more
    texts = [_text(one.node) for one in [*before, *after] if id(one) in chosen]
    return [text for text in texts if text][:MOST_CARRIED]
