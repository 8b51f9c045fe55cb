"""A lab's page: made from its executed solution, with the answers behind a fold."""

from __future__ import annotations

import copy
import html
import json
import re
from collections.abc import Mapping
from typing import Any

from ..exercises.registry import Exercise, QuizQuestion, exercises_of, quiz_of
from .terms import TermLinker

Json = dict[str, Any]
WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
LETTERS = "abcdef"


def lab_page(solution: Json, learners: Json, lab: str, linker: TermLinker, cited: Mapping[str, str]) -> Json:
    """The notebook of a lab's page.

    ``solution`` is the executed notebook, ``learners`` the one without answers, both as JSON; ``cited`` has for each paper's number
    (``2106.09685``, ``10.1561/1500000019``) its label on the page of references. What needs a kernel is left out: the state of widgets
    (their picture stays), the quiz's card (the page has a quiz of its own), the learner's progress.
    """
    page = copy.deepcopy(solution)
    state = page["metadata"].get("widgets", {}).get(STATE, {}).get("state", {})
    page["metadata"] = {"kernelspec": page["metadata"].get("kernelspec", {}), "language_info": {"name": "python"}}
    stubs = {cell["metadata"]["exercise"]: text_of(cell) for cell in learners["cells"] if cell["metadata"].get("exercise")}
    cells: list[Json] = []
    for number, cell in enumerate(page["cells"]):
        text = text_of(cell)
        if cell["cell_type"] == "markdown":
            cells.append(text_cell(cell["id"], cite(linker.link(plain_difficulty(text)), cited)))
            if number == 0:
                cells.append(text_cell("book-overview", overview(lab)))
        elif text.strip() == f'quiz("{lab}")':
            cells.append(text_cell(cell["id"], raw_html(quiz_html(lab, quiz_of(lab)))))
        elif text.strip() != "progress()":
            cells += code_cells(cell, stubs, state)
    return page | {"cells": cells}


def text_of(cell: Json) -> str:
    """A cell's source, which a file may hold as lines.

    >>> text_of({"source": ["a\\n", "b"]})
    'a\\nb'
    """
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def text_cell(id: str, text: str) -> Json:
    """A cell of text."""
    return {"cell_type": "markdown", "id": id, "metadata": {}, "source": text}


def raw_html(inner: str) -> str:
    """HTML in a page of Markdown, untouched by it."""
    return f"````{{raw}} html\n{inner}\n````"


def code_cells(cell: Json, stubs: Mapping[str, str], state: Json) -> list[Json]:
    """A code cell as the page has it: an exercise's answer is folded, and what the learner starts from stands before it."""
    cell["metadata"], exercise = {"tags": []}, cell["metadata"].get("exercise")
    outputs = [without_widget(output, state) for output in cell["outputs"]]
    cell["outputs"] = [output for output in outputs if output]
    if not exercise:
        return [cell]
    cell["metadata"] = {
        "tags": ["hide-input"],
        "mystnb": {"code_prompt_show": f"Show an answer to {exercise}", "code_prompt_hide": "Hide the answer"},
    }
    return [text_cell(f"{cell['id']}-stub", f"You start from:\n\n```python\n{stubs[exercise]}\n```"), cell]


def without_widget(output: Json, state: Json) -> Json | None:
    """An output without its live widget: the picture of it stays. ``None`` where nothing is left.

    The picture is the output's own HTML, or what the widget's HTML boxes held when the notebook was saved (``state``).
    """
    if WIDGET not in output.get("data", {}):
        return output
    data = {kind: value for kind, value in output["data"].items() if kind != WIDGET}
    if "text/html" not in data:
        data["text/html"] = "".join(html_boxes(output["data"][WIDGET]["model_id"], state))
    return output | {"data": data} if data["text/html"] else None


def html_boxes(model_id: str, state: Json) -> list[str]:
    """What the HTML boxes of a saved widget hold, in order.

    >>> html_boxes("a", {"a": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_b"]}},
    ...                  "b": {"model_name": "HTMLModel", "state": {"value": "<b>5</b>"}}})
    ['<b>5</b>']
    """
    model = state.get(model_id, {"model_name": "", "state": {}})
    own = [model["state"].get("value", "")] if model["model_name"] == "HTMLModel" else []
    children = [name.removeprefix("IPY_MODEL_") for name in model["state"].get("children", [])]
    return own + [text for child in children for text in html_boxes(child, state)]


def plain_difficulty(text: str) -> str:
    """The line below an exercise's heading, in words that a screen reader can read.

    >>> plain_difficulty("### Exercise 01.1 · Cut\\n●●○ · 8 minutes · 2 points")
    '### Exercise 01.1 · Cut\\n*Difficulty 2 of 3 · 8 minutes · 2 points*'
    """
    return re.sub(r"^(●+)(○*) · (.*)$", lambda m: f"*Difficulty {len(m[1])} of 3 · {m[3]}*", text, flags=re.MULTILINE)


def cite(text: str, cited: Mapping[str, str]) -> str:
    """The text with each paper that it names by its arXiv number or DOI linked to the page of references.

    >>> cite("LoRA (2021, arXiv 2106.09685).", {"2106.09685": "ref-hu-2021"})
    'LoRA (2021, [arXiv 2106.09685](#ref-hu-2021)).'
    >>> cite("LoRA (2021, arXiv\\n2106.09685).", {"2106.09685": "ref-hu-2021"})
    'LoRA (2021, [arXiv\\n2106.09685](#ref-hu-2021)).'
    """
    for number, label in cited.items():
        text = re.sub(rf"\b((?:arXiv|doi)[ :\n]{re.escape(number)})(?![\w\]])", rf"[\1](#{label})", text)
    return text


def exercise_rows(exercises: list[Exercise]) -> list[str]:
    """One row of a table for each exercise."""
    return [f"| {one.id} | {one.title} | {one.difficulty} of 3 | {one.minutes} | {one.points} |" for one in exercises]


def overview(lab: str) -> str:
    """What stands below a lab's title: how to do it oneself, and its exercises in a table."""
    lines = [
        f"This page is the lab with its answers, as it ran. To do it yourself, install the course and say `course lab {lab}`.",
        "",
        "| exercise | what you write | difficulty | minutes | points |",
        "| --- | --- | --- | --: | --: |",
        *exercise_rows(exercises_of(lab)),
    ]
    return "\n".join(lines)


# --- quizzes --------------------------------------------------------------------------------------------------------


def quiz_html(lab: str, questions: list[QuizQuestion]) -> str:
    """A quiz as HTML: every option opens to its explanation. A script makes radio buttons of it, where there are scripts."""
    body = []
    for question in questions:
        options = "".join(
            f"<details><summary>{html.escape(f'{letter}. {option.text}')}</summary>"
            f"<p><em>{'Right.' if option.right else 'Not quite.'}</em> {html.escape(option.because)}</p></details>"
            for letter, option in zip(LETTERS, question.options, strict=False)
        )
        body.append(f"<li><p>{html.escape(question.ask)}</p>{options}</li>")
    return f'<course-quiz lab="{lab}">{quiz_data(questions)}<ol>{"".join(body)}</ol></course-quiz>'


def quiz_data(questions: list[QuizQuestion]) -> str:
    """A quiz's questions for the script, as JSON in a tag that no browser runs."""
    rows = [
        {"ask": one.ask, "options": [{"text": o.text, "right": o.right, "because": o.because} for o in one.options]}
        for one in questions
    ]
    return f'<script type="application/json">{as_script(rows)}</script>'


def as_script(value: Any) -> str:
    """JSON that may stand inside a script tag: nothing in it can end the tag.

    >>> as_script(["</script>"])
    '["\\\\u003c/script>"]'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
