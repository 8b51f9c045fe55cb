"""What a lab must have. Each rule yields sentences that say what is missing and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..errors import CourseError
from ..exercises.registry import exercises_of, get_exercise, quiz_of

MAX_LINES, SHORT_LINES, SHORT_SHARE = 30, 10, 0.85
MAX_COLUMNS = 100
CELLS, WORDS = (30, 45), (1000, 1800)


def code_lines(code: str) -> int:
    """Lines of a cell, blank ones aside."""
    return sum(bool(line.strip()) for line in code.splitlines())


def text_of(notebook: Any) -> str:
    """All the text cells of a notebook, joined."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def numbers_in(text: str) -> list[str]:
    """The numbers that state a measurement: decimals, percentages, and so many of so many.

    >>> numbers_in("Recall rose from 0.61 to 74 % in 3 steps, or 8 of 12.")
    ['0.61', '74 %', '8 of 12']
    """
    return re.findall(r"\d+(?:\.\d+)? ?%|\d+\.\d+|\b\d+ of \d+", re.sub(r"\b\d\d\.\d\b(?! ?%)", "", " ".join(text.split())))


def outputs_of(notebook: Any) -> str:
    """Everything that the notebook printed or showed as text."""
    parts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            parts.append(output.get("text", "") + output.get("data", {}).get("text/plain", ""))
            parts.append(re.sub(r"<[^>]+>", " ", output.get("data", {}).get("text/html", "")))
    return "\n".join(parts)


def check_size(notebook: Any) -> Iterator[str]:
    """Cells, words and lines within the bounds that keep a lab readable."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    words = len(re.findall(r"\w+", text_of(notebook)))
    if not CELLS[0] <= len(notebook.cells) <= CELLS[1]:
        yield f"{len(notebook.cells)} cells, not {CELLS[0]} to {CELLS[1]}"
    if not WORDS[0] <= words <= WORDS[1]:
        yield f"{words} words of text, not {WORDS[0]} to {WORDS[1]}"
    for cell in code:
        if code_lines(cell.source) > MAX_LINES:
            yield f"a code cell has {code_lines(cell.source)} lines, more than {MAX_LINES}: {cell.source.splitlines()[0]}"
        for line in cell.source.splitlines():
            if len(line) > MAX_COLUMNS:
                yield f"a line of code has {len(line)} characters, more than {MAX_COLUMNS} (it would be cut off on the screen): {line[:60]}"
    short = sum(code_lines(cell.source) <= SHORT_LINES for cell in code) / max(len(code), 1)
    if short < SHORT_SHARE:
        yield f"only {short:.0%} of the code cells have at most {SHORT_LINES} lines"


def check_parts(notebook: Any, lab: str) -> Iterator[str]:
    """Objectives, timing, a prompt to predict, a quiz, a recap, where it breaks, where to go next."""
    text, first = text_of(notebook), notebook.cells[0].source
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    needs = {
        "objectives in the first cell (a line with **You will**)": "**You will**" in first,
        "the lab's minutes in the first cell": bool(re.search(r"\d+ minutes", first)),
        'a prompt to predict ("Before you run")': "Before you run" in text,
        "a quiz": f'quiz("{lab}")' in code and bool(quiz_of(lab)),
        "a recap (## What you saw)": "## What you saw" in text,
        '"Where this breaks"': "**Where this breaks" in text,
        'a pointer on ("**Next")': "**Next" in text,
    }
    yield from (f"there is no {what}" for what, there in needs.items() if not there)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.match(r"## (?!What you saw)", cell.source):
            if not re.search(r"\*minute \d+ · \d+ minutes?\*", cell.source):
                yield f"a section has no running clock (*minute N · M minutes*): {cell.source.splitlines()[0]}"


def check_clock(notebook: Any) -> Iterator[str]:
    """The running clock adds up: each section begins when the one before ends, and the last ends with the lab."""
    now = 0
    for begins, lasts in re.findall(r"\*minute (\d+) · (\d+) minutes?\*", text_of(notebook)):
        if int(begins) != now:
            yield f"the clock says minute {begins} where it should say {now}"
        now = int(begins) + int(lasts)
    total = re.search(r"(\d+) minutes", notebook.cells[0].source)
    if total and int(total[1]) != now:
        yield f"the sections add up to {now} minutes, the first cell says {total[1]}"


def check_exercises(notebook: Any, lab: str) -> Iterator[str]:
    """Every exercise of the registry has its header, its cell, a check and a way to a hint; and there is no other."""
    text = text_of(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = [cell.metadata["exercise"] for cell in code if cell.metadata.get("exercise")]
    expected = [exercise.id for exercise in exercises_of(lab)]
    if found != expected:
        yield f"the exercise cells are {found}, the registry has {expected}"
    for cell in code:
        if "BEGIN SOLUTION" in cell.source and not cell.metadata.get("exercise"):
            yield f"a cell with solution markers has no exercise id: {cell.source.splitlines()[0]}"
    for id in found:
        try:
            exercise = get_exercise(id)
        except CourseError as error:
            yield str(error)
            continue
        if f"### Exercise {id} · {exercise.title}\n" not in text:
            yield f"exercise {id} has no heading '### Exercise {id} · {exercise.title}'"
        if exercise.header not in text:
            yield f"exercise {id} has no line '{exercise.header}' (difficulty, minutes, points)"
        if not any(f'check("{id}", {exercise.function})' in cell.source for cell in code):
            yield f'exercise {id} has no check("{id}", {exercise.function})'
        if not any(f'hint("{id}")' in cell.source for cell in code):
            yield f'exercise {id} has no hint("{id}")'
        if not 2 <= len(exercise.hints) <= 3:
            yield f"exercise {id} has {len(exercise.hints)} hints, not 2 or 3"
    for id in re.findall(r"### Exercise (\S+)", text):
        if id not in found:
            yield f"exercise {id} has a heading but no cell with its id"


def check_recap(notebook: Any) -> Iterator[str]:
    """Every measurement that the recap states was printed by a cell of this very run."""
    text = text_of(notebook)
    recap = text[text.find("## What you saw") :] if "## What you saw" in text else ""
    printed = re.sub(r" +", " ", outputs_of(notebook).replace(" %", "%"))
    for number in numbers_in(recap):
        if not re.search(rf"(?<![\d.]){re.escape(number.replace(' %', '%'))}(?!\d)", printed):
            yield f"the recap states {number}, which no cell printed"


def check_run(notebook: Any) -> Iterator[str]:
    """The executed solution: every code cell ran, in order, without an error."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield "the cells were not all run once, in order"
    for cell in code:
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"a cell raised {output.ename}: {output.evalue}"


def describe(notebook: Any) -> str:
    """The measures of a lab's form, as one line."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    short = sum(code_lines(cell.source) <= SHORT_LINES for cell in code) / max(len(code), 1)
    longest = max(code_lines(cell.source) for cell in code)
    words = len(re.findall(r"\w+", text_of(notebook)))
    return f"{len(notebook.cells)} cells, {words} words, {short:.0%} of code cells short, longest {longest} lines"


def source_problems(notebook: Any, lab: str) -> list[str]:
    """All that is wrong with a lab's source."""
    return [
        *check_size(notebook),
        *check_parts(notebook, lab),
        *check_clock(notebook),
        *check_exercises(notebook, lab),
    ]
