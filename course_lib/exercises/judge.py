"""Compare what a learner's function returns with what is right, and say what went wrong."""

from __future__ import annotations

import copy
import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .registry import Case, Exercise, shorten

PASSED, FAILED, NOT_ATTEMPTED = "passed", "failed", "not attempted"


@dataclass(frozen=True)
class Outcome:
    """What a check found. ``details`` are sentences for the learner, the most useful first."""

    exercise: Exercise
    state: str
    passed: int
    total: int
    details: tuple[str, ...] = ()
    misconception: str | None = None


def plain(value: Any) -> Any:
    """A result as plain data: NumPy numbers and arrays become Python's, a tuple becomes a list.

    >>> plain((1, (2.5, "a")))
    [1, [2.5, 'a']]
    """
    if type(value).__module__ == "numpy":
        value = value.tolist()
    if isinstance(value, dict):
        return {plain_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def plain_key(key: Any) -> Any:
    """A dictionary key as plain data."""
    return tuple(plain(key)) if isinstance(key, tuple) else plain(key)


def agree(one: Any, other: Any, tolerance: float = 1e-6) -> bool:
    """Whether two plain results are equal, floats within a tolerance. A bool is not a number, and NaN equals NaN.

    >>> agree([1, 0.3], [1.0, 0.1 + 0.2]), agree(True, 1), agree("a", ["a"])
    (True, False, False)
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return type(one) is type(other) and one == other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(agree(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(agree(one[key], other[key], tolerance) for key in one)
    return type(one) is type(other) and bool(one == other)


def call(function: Callable[..., Any], case: Case) -> Any:
    """Call a function with copies of a case's arguments, so that it cannot spoil them for the next one."""
    args, kwargs = copy.deepcopy((case.args, case.kwargs))
    return function(*args, **kwargs)


class Raised(str):
    """In place of a result: the name of the error that a function raised. It equals no result."""


def call_or_error(function: Callable[..., Any], case: Case) -> Any:
    """What a function returns, or :class:`Raised` with the name of what it raises."""
    try:
        return call(function, case)
    except Exception as error:
        return Raised(type(error).__name__)


def judge(exercise: Exercise, function: Callable[..., Any], cases: Sequence[Case] | None = None) -> Outcome:
    """Run a function on cases (the public ones by default) and compare with the reference."""
    cases = list(exercise.public if cases is None else cases)
    total = len(cases)
    if not callable(function):
        return Outcome(exercise, FAILED, 0, total, (f"{exercise.function} is not a function but {shorten(function)}.",))
    passed, details = 0, []
    results: list[Any] = []
    truths: list[Any] = []
    for case in cases:
        expected = call_or_error(exercise.reference, case)
        try:
            result = call(function, case)
        except NotImplementedError:
            return Outcome(exercise, NOT_ATTEMPTED, 0, total, (f"{exercise.id}: not attempted yet",))
        except Exception as error:
            result = Raised(type(error).__name__)
            got = _where(error)
        else:
            got = _returned(result)
        right = agree(plain(result), plain(expected), exercise.tolerance)
        if not right:
            details.append(_describe(exercise, case, got, expected))
        passed += right
        results.append(plain(result))
        truths.append(plain(expected))
    if passed == total:
        return Outcome(exercise, PASSED, passed, total)
    return Outcome(exercise, FAILED, passed, total, tuple(details), explain(exercise, cases, results, truths))


def _describe(exercise: Exercise, case: Case, got: str, expected: Any) -> str:
    about = f" ({case.says})" if case.says else ""
    right = f"it should raise {expected}" if isinstance(expected, Raised) else f"expected {shorten(expected)}"
    return f"{case.show(exercise.function)}{about}: {got}; {right}"


def _returned(result: Any) -> str:
    if result is None:
        return "returned None: is there a return?"
    if isinstance(result, Iterator):
        return f"returned a {type(result).__name__}, which holds nothing yet: return a list of it"
    return f"returned {shorten(result)}"


def _where(error: Exception) -> str:
    """The error and the line in the learner's own cell, rather than a traceback through the library."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "course_lib" not in frame.filename]
    line = f" in line {frames[-1].lineno}: {frames[-1].line}" if frames and frames[-1].line else ""
    return f"raised {type(error).__name__}: {error}{line}"


def explain(exercise: Exercise, cases: Sequence[Case], results: list[Any], expected: list[Any]) -> str | None:
    """The sentence of the wrong implementation that gives the learner's results on all cases.

    With two mistakes at once no single one does. Then it is the one whose every deviation from the truth the learner's results
    show too, if there are at least two. Where none fits there is no sentence: a wrong diagnosis is worse than none.
    """
    partly = None
    for misconception in exercise.misconceptions:
        answers = [plain(call_or_error(misconception.wrong, case)) for case in cases]
        same = [agree(answer, result, exercise.tolerance) for answer, result in zip(answers, results, strict=True)]
        if all(same):
            return misconception.sentence
        deviates = [not agree(answer, truth, exercise.tolerance) for answer, truth in zip(answers, expected, strict=True)]
        if sum(deviates) >= 2 and all(match for match, deviation in zip(same, deviates, strict=True) if deviation):
            partly = partly or misconception.sentence
    return partly
