"""The mutation run: what is altered, and how the mutants are judged."""

from __future__ import annotations

import ast
import json

import pytest
from classroom import LIMITS

from course_lib.errors import CourseError
from course_lib.exercises.registry import LABS, exercises_of, get_exercise
from course_lib.grading import mutants
from course_lib.grading.grade import Options, read_results
from course_lib.grading.sandbox import bubblewrap_problem

ALL = [exercise for lab in LABS for exercise in exercises_of(lab)]
SANDBOX = "none" if bubblewrap_problem() else "bwrap"
RECALL = """def recall_at_k(ranking: list[str], gold: list[list[str]], k: int) -> float:
    '''The share of facts.'''
    if not gold:
        return 0.0
    return sum(any(one in ranking[:k] for one in fact) for fact in gold) / len(gold)"""


def changes(source):
    return {one.change.splitlines()[-1].lstrip("+").strip() for one in mutants.mutants(source)}


def test_every_kind_of_change_is_made():
    made = changes(RECALL)
    assert {"if gold:", "return 1.0", "return -1.0", "pass"} <= made
    for old, new in (
        ("one in r", "one not in r"),
        (") / len", ") * len"),
        ("any", "all"),
        (":k]", ":]"),
        (":k]", ":k + 1]"),
        (":k]", ":k - 1]"),
    ):
        assert ast.unparse(ast.parse(RECALL.splitlines()[-1].strip().replace(old, new))) in made
    assert {"if a < b or c:", "if a > b and c:", "if a <= b and c:", "pass"} == changes("if a < b and c:\n    d()")
    assert changes("x = f(a, b)") == {"pass", "x = f(b, a)"}
    assert changes("for i in range(n):\n    f(i)") >= {"for i in range(n + 1):", "for i in range(n - 1):"}
    assert changes("x = True") == {"pass", "x = False"} and changes("x += 1") == {"pass", "x -= 1", "x += 2", "x += 0"}


def test_what_no_case_can_see_stays():
    source = 'import a\ndef f(x: "int" = 1) -> list[3]:\n    """Text."""\n    y: 4 = x\n    raise ValueError(f"no {5}" + "6")'
    for one in mutants.mutants(source):
        tree = ast.parse(one.source)
        assert ast.get_docstring(tree.body[1]) == "Text." and "import a" in one.source and "list[3]" in one.source
        assert "raise ValueError" not in one.source or "f'no {5}' + '6'" in one.source


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_each_solution_has_mutants_that_are_other_programs(exercise):
    source, _ = mutants.solution_of(exercise)
    made = mutants.mutants(source)
    assert len(made) >= 5 and len({one.source for one in made}) == len(made)
    assert all(one.change and ast.dump(ast.parse(one.source)) != ast.dump(ast.parse(source)) for one in made)


def test_what_is_listed_as_equivalent_is_still_a_mutant():
    for id, known in mutants.read_equivalent().items():
        made = {one.change for one in mutants.mutants(mutants.solution_of(get_exercise(id))[0])}
        assert set(known) <= made and all(known.values())


def test_mutants_are_killed_survive_or_are_known(tmp_path, monkeypatch):
    dead = mutants.Mutant(RECALL.replace("ranking[:k]", "ranking[:k + 1]"), "-a\n+b")
    alive = mutants.Mutant(RECALL.replace("0.0", "0"), "-c\n+d")
    known = mutants.Mutant(RECALL.replace("0.0", "-0.0"), "-e\n+f")
    endless = mutants.Mutant(RECALL.replace("if not gold:", "while True:\n        pass\n    if not gold:"), "-g\n+h")
    monkeypatch.setattr(mutants, "mutants", lambda source: [dead, alive, known, endless])
    (tmp_path / "known.json").write_text(json.dumps({"01.3": {"-e\n+f": "zero is zero"}}))
    monkeypatch.setattr(mutants, "EQUIVALENT", tmp_path / "known.json")
    options = Options(sandbox=SANDBOX, seed=0, limits=LIMITS)
    tally = mutants.judge_mutants(get_exercise("01.3"), tmp_path, options, again=1)
    assert (tally.mutants, tally.killed, tally.by_time, tally.equivalent, tally.not_judged) == (4, 2, 1, 1, 0)
    assert tally.survivors == [("-c\n+d", "killed with 0 of 1 other seeds")]
    page = mutants.report([tally])
    assert "67 %" in page and "-c\n+d" in page and "zero is zero" in page
    kept = (tmp_path / "01.3" / "results.jsonl").read_bytes()
    assert len(read_results(tmp_path / "01.3")) == 5
    mutants.judge_mutants(get_exercise("01.3"), tmp_path, options, again=1)
    assert (tmp_path / "01.3" / "results.jsonl").read_bytes() == kept


def test_a_solution_that_fails_is_no_measure(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "solution_of", lambda exercise: ("def recall_at_k(r, g, k):\n    return 2.0", []))
    monkeypatch.setattr(mutants, "mutants", lambda source: [])
    with pytest.raises(CourseError, match="does not pass"):
        mutants.judge_mutants(get_exercise("01.3"), tmp_path, Options(sandbox=SANDBOX, seed=0, limits=LIMITS))


def test_exercises_are_chosen_by_id_or_lab():
    assert [one.id for one in mutants.chosen_exercises(["01.3", "01"])][0] == "01.3"
    assert len(mutants.chosen_exercises([])) == len(ALL)
    with pytest.raises(CourseError):
        mutants.chosen_exercises(["99.1"])
