"""Judge results that came out of the grading room. This runs no learner code: it compares plain data with the reference's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..exercises.judge import FAILED, NOT_ATTEMPTED, PASSED, Raised, agree, call_or_error, explain, plain
from ..exercises.registry import Case, Exercise, shorten
from .room.wire import Foreign, unpack


@dataclass
class CaseResult:
    """How one case went. ``says`` is for the instructor; of a hidden case it must not reach the learner."""

    number: int
    hidden: bool
    passed: bool
    call: str
    says: str = ""


@dataclass
class Verdict:
    """What an exercise earned and why. ``message`` is for the gradebook and the learner: it never tells a hidden case."""

    exercise: str
    title: str
    state: str
    points: int
    of: int
    message: str = ""
    misconception: str = ""
    hint: str = ""
    passed: int = 0
    total: int = 0
    way: str = ""
    notes: list[str] = field(default_factory=list)
    cases: list[CaseResult] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """As JSON's own types."""
        return asdict(self)


def verdict(exercise: Exercise, state: str, message: str, **more: Any) -> Verdict:
    """A verdict without points; the first hint comes with it."""
    hint = exercise.hints[0] if exercise.hints else ""
    return Verdict(exercise.id, exercise.title, state, 0, exercise.points, message, hint=hint, **more)


def _result(entry: Any) -> tuple[Any, str]:
    """The result of one case as plain data, and what happened in words. Whatever is malformed equals nothing."""
    if not isinstance(entry, dict):
        return Foreign("nothing", ""), "gave no readable result"
    if "raised" in entry:
        name, says, line = (str(entry.get(key, ""))[:300] for key in ("raised", "says", "line"))
        return Raised(name), f"raised {name}: {says}" + (f" in the line {line}" if line else "")
    try:
        value = unpack(entry.get("returned"))
        result = plain(value)
    except (ValueError, TypeError, RecursionError, OverflowError, MemoryError):
        return Foreign("unreadable", ""), "returned something that cannot be read"
    if value is None:
        return None, "returned None: is there a return?"
    if isinstance(value, Foreign):
        hint = ", which holds nothing yet: return a list of it" if value.iterator else ""
        return value, f"returned a {value.type_name}{hint}"
    return result, f"returned {shorten(value)}"


def _same(result: Any, expected: Any, tolerance: float) -> bool:
    try:
        return agree(result, expected, tolerance)
    except (OverflowError, RecursionError, ValueError, TypeError, MemoryError):
        return False


def judge_answers(exercise: Exercise, cases: Sequence[Case], answers: Any) -> Verdict:
    """The verdict on the answers to ``cases``, of which the first are public. All must be right: points come whole or not at all.

    >>> from ..exercises.registry import get_exercise
    >>> exercise = get_exercise("01.3")
    >>> judge_answers(exercise, list(exercise.public), "forged").state
    'failed'
    """
    if isinstance(answers, dict) and "no function" in answers:
        return verdict(exercise, FAILED, f"{exercise.function} is not a function.", total=len(cases))
    entries = answers.get("answers") if isinstance(answers, dict) else None
    if not isinstance(entries, list) or len(entries) != len(cases):
        return verdict(exercise, FAILED, "The answers that came back are not one for each case.", total=len(cases))
    if any(isinstance(entry, dict) and entry.get("not attempted") for entry in entries):
        return verdict(exercise, NOT_ATTEMPTED, "Not attempted.", total=len(cases))
    results, truths, judged = [], [], []
    for number, (case, entry) in enumerate(zip(cases, entries, strict=True)):
        truth, (result, got) = plain(call_or_error(exercise.reference, case)), _result(entry)
        right = _same(result, truth, exercise.tolerance)
        due = f"it should raise {truth}" if isinstance(truth, Raised) else f"expected {shorten(truth)}"
        shown = case.show(exercise.function) + (f" ({case.says})" if case.says else "")
        judged.append(CaseResult(number, number >= len(exercise.public), right, shown, "" if right else f"{got}; {due}"))
        results.append(result)
        truths.append(truth)
    passed = sum(one.passed for one in judged)
    if passed == len(cases):
        return Verdict(
            exercise.id, exercise.title, PASSED, exercise.points, exercise.points, "", passed=passed, total=passed, cases=judged
        )
    try:
        sentence = explain(exercise, cases, results, truths) or ""
    except (OverflowError, RecursionError, ValueError, TypeError, MemoryError):
        sentence = ""
    public = [one for one in judged if not one.hidden and not one.passed]
    message = f"{passed} of {len(cases)} cases are right. " + (
        f"A public one that is not: {public[0].call}: {public[0].says}."
        if public
        else "The public cases are; hidden ones are not."
    )
    made = verdict(exercise, FAILED, message, misconception=sentence, passed=passed, total=len(cases), cases=judged)
    return made
