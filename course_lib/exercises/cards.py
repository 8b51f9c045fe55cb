"""How feedback looks: a card in a notebook, light or dark, and the same words as plain text anywhere else."""

from __future__ import annotations

import html
from collections.abc import Sequence

from .judge import FAILED, NOT_ATTEMPTED, PASSED, Outcome
from .progress import read_progress
from .registry import LABS, Exercise, QuizQuestion, exercises_of

# JupyterLab's own colours, so that a card follows the theme; each with a fallback for pages that have none.
INK, PAPER, QUIET = (
    "var(--jp-content-font-color1, inherit)",
    "var(--jp-layout-color1, transparent)",
    "var(--jp-content-font-color2, inherit)",
)
EDGES = {PASSED: "#2e8b57", FAILED: "#d1662b", NOT_ATTEMPTED: "#7a7f87", "hint": "#3a77c2", "quiz": "#8a5bb5"}
SIGNS = {PASSED: "✓", FAILED: "✗", NOT_ATTEMPTED: "○", "hint": "?", "quiz": "?"}


class Card:
    """Something to show: ``title``, then paragraphs. Displays as HTML in a notebook and prints as text."""

    def __init__(self, kind: str, title: str, lines: Sequence[str] = (), body: str = "", code: Sequence[str] = ()) -> None:
        self.kind, self.title, self.lines, self.body, self.code = kind, title, tuple(lines), body, tuple(code)

    def __repr__(self) -> str:
        return "\n".join([f"{SIGNS[self.kind]} {self.title}", *(f"  {line}" for line in (*self.lines, *self.code))])

    def _repr_html_(self) -> str:
        lines = "".join(f'<p style="margin:.35em 0 0">{html.escape(line)}</p>' for line in self.lines)
        code = "".join(
            f'<pre style="margin:.4em 0 0;white-space:pre-wrap;overflow-wrap:anywhere;background:transparent;color:{INK}">'
            f"{html.escape(line)}</pre>"
            for line in self.code
        )
        return (
            f'<div role="note" style="border-left:5px solid {EDGES[self.kind]};background:{PAPER};color:{INK};padding:.5em .9em;'
            f'margin:.2em 0;max-width:56em"><strong>{SIGNS[self.kind]} {html.escape(self.title)}</strong>{lines}{code}{self.body}</div>'
        )


def outcome_card(outcome: Outcome) -> Card:
    """The card of a check."""
    exercise, name = outcome.exercise, f"{outcome.exercise.id} {outcome.exercise.title}"
    if outcome.state == PASSED:
        many = f"passed the {outcome.total} public cases"
        return Card(PASSED, f"{name} · {many}", ["Grading uses other cases too."])
    if outcome.state == NOT_ATTEMPTED:
        return Card(
            NOT_ATTEMPTED,
            f"{name} · not attempted yet",
            ["Replace the line with NotImplementedError by your own, then run both cells again. The lab goes on without it."],
        )
    lines = [f"Likely: {outcome.misconception}"] if outcome.misconception else []
    if len(outcome.details) > 1:
        lines.append(f"{len(outcome.details)} cases differ. The first:")
    title = f"{name} · {outcome.passed} of {outcome.total} public cases are right so far"
    return Card(FAILED, title, lines, code=[*outcome.details[:1], f'Stuck? Run hint("{exercise.id}").'])


def hint_card(exercise: Exercise, seen: int) -> Card:
    """The card with hint number ``seen``, counted from 1."""
    total = len(exercise.hints)
    if seen > total:
        return Card(
            "hint",
            f"{exercise.id}: those were all {total} hints",
            [f"For a worked answer, run in a terminal: course solution {exercise.lab}"],
        )
    after = f"Run the cell again for hint {seen + 1}." if seen < total else "That was the last one."
    return Card("hint", f"{exercise.id}, hint {seen} of {total}", [exercise.hints[seen - 1], after])


class QuizCard(Card):
    """A quiz whose every option opens to its explanation: no kernel needed, keyboard operable."""

    name, call = "Quiz {lab}", "quiz"

    def __init__(self, lab: str, questions: Sequence[QuizQuestion], lines: Sequence[str] = ()) -> None:
        self.named = self.name.format(lab=lab)
        super().__init__("quiz", f"{self.named}: choose, then open your choice to see what it means.", lines)
        self.lab, self.questions = lab, questions
        parts = []
        for number, question in enumerate(questions, start=1):
            options = "".join(
                f'<details style="margin:.25em 0 .25em 1.2em"><summary style="cursor:pointer">{html.escape(f"{letter}. {option.text}")}</summary>'
                f'<div style="margin:.2em 0 .3em 1.2em;color:{INK}"><em>{"Right." if option.right else "Not quite."}</em> '
                f"{html.escape(option.because)}</div></details>"
                for letter, option in zip("abcdef", question.options, strict=False)
            )
            parts.append(f'<p style="margin:.7em 0 .2em">{number}. {html.escape(question.ask)}</p>{options}')
        self.body = "".join(parts)

    def __repr__(self) -> str:
        run = f'{self.call}("{self.lab}", QUESTION, "LETTER")'
        lines = [f"{self.named}: choose, then run {run} to see what your choice means."]
        for number, question in enumerate(self.questions, start=1):
            lines.append(f"{number}. {question.ask}")
            lines += [f"   {letter}. {option.text}" for letter, option in zip("abcdef", question.options, strict=False)]
        return "\n".join(lines)


class RecallCard(QuizCard):
    """Questions from the quizzes of earlier labs, as a quiz."""

    name, call = "Before lab {lab}, from earlier labs", "recall"

    def __init__(self, lab: str, questions: Sequence[QuizQuestion]) -> None:
        after = f'To have your choice remembered, run recall("{lab}", QUESTION, "LETTER"), such as recall("{lab}", 1, "b").'
        super().__init__(lab, questions, [after])


def progress_rows() -> list[tuple[str, str, str, int, int]]:
    """One row per exercise: id, title, state, points earned, points there are."""
    state = read_progress()
    rows = []
    for lab in LABS:
        for exercise in exercises_of(lab):
            row = state.get(exercise.id, {})
            earned = exercise.points if row.get("state") == PASSED else 0
            rows.append((exercise.id, exercise.title, str(row.get("state", NOT_ATTEMPTED)), earned, exercise.points))
    return rows
