"""Exercises: ``check`` an answer, ask for a ``hint``, take a ``quiz``, ``recall`` earlier ones, see your ``progress``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from . import progress as _progress
from . import seat as _seat
from .answers import answer_hash
from .cards import Card, QuizCard, RecallCard, hint_card, outcome_card, progress_rows
from .judge import FAILED, NOT_ATTEMPTED, PASSED, Outcome, judge
from .registry import LABS, QuizQuestion, get_exercise, quiz_of
from .spaced_recall import drawn, key_of, note_answer

__all__ = ["FAILED", "LABS", "NOT_ATTEMPTED", "PASSED", "Outcome", "check", "hint", "judge", "progress", "quiz", "recall"]


class CheckFailed(AssertionError):
    """Raised by :func:`check` where a test runner is watching, so that the cell fails."""

    def _render_traceback_(self) -> list[str]:
        return [f"CheckFailed: {self}"]  # the learner needs the sentence, not the library's insides


def _show(card: Card) -> None:
    try:
        get_ipython()  # type: ignore[name-defined]
    except NameError:
        print(card)
        return
    from IPython.display import display

    display(card)


def _strict() -> bool:
    """Whether a wrong answer must fail the cell: under pytest (so under nbval), or where ``COURSE_STRICT`` says so."""
    chosen = os.environ.get("COURSE_STRICT")
    return chosen == "1" if chosen else "PYTEST_VERSION" in os.environ


def check(id: str, function: Callable[..., Any]) -> None:
    """Try a function on an exercise's public cases and show what came of it.

    In a notebook it never raises, so that *Run All* goes on. Under nbval a wrong or missing answer fails the cell.
    """
    exercise = get_exercise(id)
    if str(getattr(function, "__module__", "")).startswith("course_lib."):
        said = f"{id} {exercise.title} · this is the library's own {exercise.function}, not yours"
        card = Card(NOT_ATTEMPTED, said, ["Run the cell with your version again, then this one."])
        if _strict():
            raise CheckFailed(repr(card))
        _show(card)
        return
    outcome = judge(exercise, function)
    if outcome.state != NOT_ATTEMPTED:
        _progress.record(id, outcome.state, exercise.points, answer_hash(function) if outcome.state == PASSED else None)
        _seat.tell()
    if results := os.environ.get("COURSE_RESULTS"):  # `course check` reads what happened from here
        with open(results, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"id": id, "state": outcome.state, "message": repr(outcome_card(outcome))}) + "\n")
    if outcome.state != PASSED and _strict():
        raise CheckFailed(repr(outcome_card(outcome)))
    _show(outcome_card(outcome))


def hint(id: str) -> None:
    """Show the next hint of an exercise: one more with each call."""
    exercise = get_exercise(id)
    _show(hint_card(exercise, _progress.hints_seen(id, add=True)))


def quiz(lab: str, question: int | None = None, choice: str | None = None) -> None:
    """Show a lab's quiz; with a question's number and a letter, what that choice means."""
    questions = quiz_of(lab)
    if question is None or choice is None:
        _show(QuizCard(lab, questions))
    else:
        _choose(f"Quiz {lab}", [(key_of(lab, n), one) for n, one in enumerate(questions, start=1)], question, choice)


def recall(lab: str, question: int | None = None, choice: str | None = None, seed: int = 0) -> None:
    """Show two or three questions from the labs before this one; with a question's number and a letter, what that choice means.

    Those that you got wrong come first, then those that are long ago. Your choice is kept on this machine, beside your progress.
    """
    quiz_of(lab)  # complain about a lab that does not exist
    asked = drawn(lab, seed)
    if not asked:
        _show(Card("quiz", f"Recall {lab}: there is no lab before this one."))
    elif question is None or choice is None:
        _show(RecallCard(lab, [one for _, one in asked]))
    else:
        _choose(f"Recall {lab}", asked, question, choice)


def _choose(name: str, questions: list[tuple[str, QuizQuestion]], number: int, letter: str) -> None:
    """Say what a choice means, and note whether it was right."""
    try:
        index = int(number)
        if index < 1 or len(letter) != 1:
            raise ValueError
        key, question = questions[index - 1]
        option = question.options["abcdef".index(letter.lower())]
    except (IndexError, ValueError, TypeError):
        print(f"{name} has questions 1 to {len(questions)} with options a, b, c …; there is no {number}, {letter!r}.")
        return
    note_answer(key, option.right)
    print("Right." if option.right else "Not quite.", option.because)


def progress() -> None:
    """Show what you have passed so far."""
    rows = progress_rows()
    earned, total = sum(row[3] for row in rows), sum(row[4] for row in rows)
    sign = {PASSED: "✓", FAILED: "✗", NOT_ATTEMPTED: "○"}
    lines = [f"{sign.get(state, '○')} {id} {title} · {state}, {points} of {of} points" for id, title, state, points, of in rows]
    _show(Card(PASSED if earned == total else NOT_ATTEMPTED, f"{earned} of {total} points", lines))
