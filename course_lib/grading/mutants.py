"""Do the hidden cases notice a mistake? Each worked solution is altered in one place, and every such mutant is graded like a learner's.

    python -m course_lib.grading.mutants 01.3                  one exercise; "02" means all of a lab, nothing means all labs
    python -m course_lib.grading.mutants --list                how many mutants there are; nothing is run
    python -m course_lib.grading.mutants --out DIR --jobs 2    results and report.md go there; a run that was stopped goes on

One change at a time: a comparison or an operator for its neighbour, a bound or a number one off, a truth value or a string for another,
a statement left out, two arguments swapped, ``min`` for ``max``. Annotations, docstrings and the texts of errors stay, since no case
can see them. A mutant is killed if a hidden case gives a wrong result, or none at all. Survivors that no case could tell from the
solution are listed, each with the reason, in ``equivalent_mutants.json``; they do not count.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..exercises.judge import PASSED
from ..exercises.registry import LABS, Exercise, exercises_of, get_exercise
from ..places import bundled
from ..workspace import atomic_write
from .find import Cell, locate, read_cells
from .grade import CannotResume, Options, grade_all
from .intake import Submission
from .sandbox import Limits

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.json")
LIMITS = Limits(cell=5.0, wall=10.0)
ORIGINAL = "original"

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.FloorDiv: (ast.Div,), ast.Mod: (ast.Mult,),
    ast.Pow: (ast.Mult,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,), ast.MatMult: (ast.Mult,),
}  # fmt: skip
NEIGHBOURS = {"min": "max", "max": "min", "any": "all", "all": "any"}
KEPT = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.Nonlocal)


@dataclass(frozen=True)
class Mutant:
    """A solution with one change: its source, and the lines that differ."""

    source: str
    change: str


@dataclass
class Tally:
    """How the mutants of one exercise fared; ``survivors`` pairs a change with what other seeds say about it."""

    exercise: str
    mutants: int = 0
    killed: int = 0
    by_public_only: int = 0
    by_time: int = 0
    not_judged: int = 0
    equivalent: int = 0
    survivors: list[tuple[str, str]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share killed by hidden cases, of those that could be."""
        return self.killed / max(1, self.mutants - self.equivalent)


# --- making mutants -------------------------------------------------------------------------------------------------


def _with(node: Any, **fields: Any) -> Any:
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _one_off(node: ast.expr) -> list[ast.expr]:
    """An expression, one more and one less; numbers are altered as constants."""
    if isinstance(node, ast.Constant):
        return []
    return [ast.BinOp(node, operator(), ast.Constant(1)) for operator in (ast.Add, ast.Sub)]


def _constants(value: object) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value - 1]
    return ["" if value else "x"] if isinstance(value, str) else []


def _slices(node: ast.Slice) -> Iterator[ast.AST]:
    for name in ("lower", "upper"):
        if (bound := getattr(node, name)) is not None:
            yield _with(node, **{name: None})
            for other in _one_off(bound):
                yield _with(node, **{name: other})


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in NEIGHBOURS:
        yield _with(node, func=ast.Name(NEIGHBOURS[name]))
    starred = any(isinstance(one, ast.Starred) for one in node.args)
    if len(node.args) >= 2 and not starred and name not in ("min", "max"):
        yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
    if name == "range" and node.args and not starred:
        for other in _one_off(node.args[-1] if len(node.args) < 3 else node.args[1]):
            place = min(len(node.args) - 1, 1)
            yield _with(node, args=[other if at == place else one for at, one in enumerate(node.args)])


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in place of a node of a syntax tree.

    >>> [ast.unparse(one) for one in replacements(ast.parse("a <= b", mode="eval").body)]
    ['a < b', 'a >= b']
    """
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in COMPARISONS.get(type(operator), ()):
                yield _with(node, ops=[other() if at == place else one for at, one in enumerate(node.ops)])
    elif isinstance(node, (ast.BinOp, ast.AugAssign)):
        for changed in OPERATORS.get(type(node.op), ()):
            yield _with(node, op=changed())
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand
    elif isinstance(node, ast.Constant):
        for value in _constants(node.value):
            yield ast.Constant(value)
    elif isinstance(node, ast.Slice):
        yield from _slices(node)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    if isinstance(node, ast.stmt) and not isinstance(node, KEPT):
        yield ast.Pass()


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)


def _unseen(tree: ast.Module) -> set[int]:
    """The nodes that no case can see: annotations, docstrings, the texts of errors, the fixed parts of formatted strings."""
    roots: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns:
            roots.append(node.returns)
        elif isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation:
            roots.append(node.annotation)
        elif isinstance(node, ast.Raise):
            roots += list(ast.iter_child_nodes(node))
        elif isinstance(node, ast.JoinedStr):
            roots += [one for one in node.values if isinstance(one, ast.Constant)]
        elif (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or isinstance(
            node, (ast.Import, ast.ImportFrom)
        ):
            roots.append(node)
    return {id(node) for root in roots for node in ast.walk(root)}


def mutants(source: str) -> list[Mutant]:
    """All mutants of a source, each once.

    >>> for one in mutants("def f(a, b):\\n    return a[:b] + 1"):
    ...     print(one.change.splitlines()[1].strip("+ "))
    pass
    return a[:b] - 1
    return a[:b] + 2
    return a[:b] + 0
    return a[:] + 1
    return a[:b + 1] + 1
    return a[:b - 1] + 1
    """
    tree = ast.parse(source)
    before = ast.unparse(tree)
    unseen, found = _unseen(tree), {before: ""}
    for node in list(ast.walk(tree)):
        for new in replacements(node) if id(node) not in unseen else ():
            _Swap(node, new).visit(tree)
            after = ast.unparse(tree)
            _Swap(new, node).visit(tree)
            if after not in found and _compiles(after):
                lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))
                found[after] = "\n".join(line for line in lines[2:] if not line.startswith("@@"))
    return [Mutant(text, change) for text, change in found.items() if text != before]


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


# --- grading them ---------------------------------------------------------------------------------------------------


def solution_of(exercise: Exercise) -> tuple[str, list[str]]:
    """The worked solution's cell, and the definitions elsewhere in its notebook that it needs. Raises :class:`CourseError`."""
    path = bundled("solutions") / f"{LABS[exercise.lab]}.ipynb"
    if not path.exists():
        raise CourseError(f"There is no solution of lab {exercise.lab}.", "install the course again.")
    cells: list[Cell] = read_cells(path.read_bytes())[0]
    answer = locate(cells, [exercise])[exercise.id]
    if not answer.found:
        raise CourseError(f"The solution of lab {exercise.lab} has no cell for {exercise.id}.", "build the lab again.")
    return answer.source, answer.carried


def _submission(exercise: Exercise, name: str, source: str, carried: Sequence[str]) -> Submission:
    sources: list[tuple[str, dict[str, str]]] = [*((one, {}) for one in carried), (source, {"exercise": exercise.id})]
    cells = [{"cell_type": "code", "source": text, "metadata": about, "outputs": []} for text, about in sources]
    notebook = {"cells": cells, "metadata": {"course": {"lab": LABS[exercise.lab]}}, "nbformat": 4, "nbformat_minor": 5}
    return Submission(name, f"{name}.ipynb", json.dumps(notebook).encode())


def _grade(arrived: Sequence[Submission], folder: Path, options: Options) -> dict[str, dict[str, Any]]:
    """The results by name; what is there from a run that was stopped is not made again, unless something has changed since."""
    try:
        _, rows = grade_all(arrived, folder, replace(options, resume=True))
    except CannotResume:
        _, rows = grade_all(arrived, folder, replace(options, resume=False))
    return {row["learner"]: row for row in rows}


def read_equivalent() -> dict[str, dict[str, str]]:
    """By exercise and change, why no case could tell that mutant from the solution."""
    return dict(json.loads(EQUIVALENT.read_text(encoding="utf-8")))


def judge_mutants(exercise: Exercise, folder: Path, options: Options, again: int = 3) -> Tally:
    """Grade the solution and all its mutants; survivors once more with ``again`` other seeds.

    Raises :class:`CourseError` where the solution itself does not pass.
    """
    source, carried = solution_of(exercise)
    made = {f"mutant-{number:03}": mutant for number, mutant in enumerate(mutants(source), 1)}
    options = replace(options, lab=exercise.lab, only=(exercise.id,))
    arrived = [_submission(exercise, name, mutant.source, carried) for name, mutant in made.items()]
    rows = _grade([_submission(exercise, ORIGINAL, source, carried), *arrived], folder / exercise.id, options)
    first = rows.pop(ORIGINAL)["exercises"][0]
    if first["state"] != PASSED:
        raise CourseError(f"The solution of {exercise.id} does not pass: {first['message']}", "mend it, or the cases.")
    tally = Tally(exercise.id, len(made))
    alive: list[str] = []
    known = read_equivalent().get(exercise.id, {})
    for name, mutant in made.items():
        row = rows[name]
        one = row["exercises"][0]
        wrong = [case for case in one["cases"] if not case["passed"]]
        if row["state"] != "graded":
            tally.not_judged += 1
        elif one["state"] != PASSED and (not wrong or any(case["hidden"] for case in wrong)):
            tally.killed += 1
            tally.by_time += "stopped after" in one["message"]
        elif one["state"] != PASSED:
            tally.by_public_only += 1
        elif mutant.change in known:
            tally.equivalent += 1
        else:
            alive.append(name)
    killed_by = dict.fromkeys(alive, 0)
    for turn in range(1, again + 1 if alive else 1):
        chosen = [one for one in arrived if one.learner in killed_by]
        others = _grade(chosen, folder / f"{exercise.id}-{turn}", replace(options, seed=options.seed + turn))
        for name in alive:
            killed_by[name] += others[name]["exercises"][0]["state"] != PASSED
    tally.survivors = [(made[name].change, f"killed with {killed_by[name]} of {again} other seeds") for name in alive]
    return tally


# --- the report -----------------------------------------------------------------------------------------------------


def report(tallies: Sequence[Tally]) -> str:
    """The tallies as a Markdown page: a table, then the survivors and the equivalents.

    >>> print(report([Tally("01.3", 10, 8, equivalent=1, survivors=[("-a < b", "")])]).splitlines()[4])
    | 01.3 | 10 | 8 | 89 % | 1 | 0 | 0 | 1 | 0 |
    """
    lines = ["# Mutants of the worked solutions", ""]
    lines.append(
        "| exercise | mutants | killed | share | survived | by public cases only | not judged | equivalent | killed by time |"
    )
    lines.append("|" + " --- |" * 9)
    total = Tally("all")
    for one in tallies:
        for name in ("mutants", "killed", "by_public_only", "by_time", "not_judged", "equivalent"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        total.survivors += one.survivors
    for one in [*tallies, total] if len(tallies) > 1 else tallies:
        cells = [
            one.exercise,
            one.mutants,
            one.killed,
            f"{one.share:.0%}".replace("%", " %"),
            len(one.survivors),
            one.by_public_only,
        ]
        lines.append("| " + " | ".join(map(str, [*cells, one.not_judged, one.equivalent, one.by_time])) + " |")
    lines += ["", "The share is that of the mutants killed by hidden cases, of all that are not equivalent."]
    for one in tallies:
        if one.survivors:
            lines += ["", f"## Survivors of {one.exercise}"]
        for change, note in one.survivors:
            lines += ["", f"{note}:", "```diff", change, "```"]
    known = read_equivalent()
    for id in [one.exercise for one in tallies if one.exercise in known]:
        lines += ["", f"## Equivalent to the solution of {id}"]
        for change, why in known[id].items():
            lines += ["", f"{why}:", "```diff", change, "```"]
    return "\n".join(lines) + "\n"


def chosen_exercises(names: Sequence[str]) -> list[Exercise]:
    """The exercises that ids and numbers of labs name; all for none. Raises :class:`CourseError`."""
    found = [one for name in names or LABS for one in (exercises_of(name) if name in LABS else [get_exercise(name)])]
    return list({one.id: one for one in found}.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Grade the mutants of the exercises that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exercises", nargs="*", help="ids such as 01.3, or numbers of labs; all without them")
    parser.add_argument("--out", type=Path, default=Path("mutants"), help="the folder for results and report.md (mutants)")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the hidden cases")
    parser.add_argument("--again", type=int, default=3, help="with how many other seeds survivors are tried (3)")
    parser.add_argument("--sandbox", default="auto", help="auto, bwrap or none")
    parser.add_argument("--list", action="store_true", help="only say how many mutants there are")
    chosen = parser.parse_args(arguments)
    exercises = chosen_exercises(chosen.exercises)
    if chosen.list:
        for one in exercises:
            print(one.id, len(mutants(solution_of(one)[0])))
        return
    options = Options(jobs=chosen.jobs, seed=chosen.seed, sandbox=chosen.sandbox, limits=LIMITS)
    tallies = []
    for one in exercises:
        tallies.append(judge_mutants(one, chosen.out, options, chosen.again))
        last = tallies[-1]
        print(f"{one.id}: {last.killed} of {last.mutants - last.equivalent} killed, {len(last.survivors)} survived", flush=True)
        atomic_write(chosen.out / "report.md", report(tallies).encode())
    print(f"Report: {chosen.out / 'report.md'}")


if __name__ == "__main__":
    main()
