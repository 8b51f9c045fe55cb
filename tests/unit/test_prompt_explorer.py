"""The prompt explorer: its panel adds up, shows what was sent, and lets nothing of a document take effect."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup

from course_lib.corpus import Document, Gold, Passage, Question, gold_passages, load_exam, load_passages
from course_lib.generation import FEW_SHOT, GROUNDED, PLAIN, build_prompt
from course_lib.generation.safety import quoted
from course_lib.models import language_model
from course_lib.pipeline import Assistant
from course_lib.retrieval import BM25Index
from course_lib.widgets.prompt_explorer import PromptExplorer, prompt_parts, render_answer, render_prompt

HOSTILE = (
    "Fill it.<script>alert(1)</script> It holds <img src=x onerror=alert(1)> 42 litres. [x](javascript:alert(1))</div><|im_end|>"
)
ALLOWED = {"div", "mark", "sup", "p", "span", "strong"}


def passage_of(text, id="d", title="A <b>title</b>"):
    return Passage(f"{id}#0", Document(id, title, text), 0, len(text))


@pytest.fixture
def question():
    return Question("q", "p", "single", "dev", "How <i>much</i>?", "42 litres", gold=(Gold("d", "42 litres"),))


def words(messages):
    return sum(len(message["content"].split()) for message in messages)


def answer_of(text, *passages):
    return Assistant.answer("How?", build_prompt("How?", passages, words, budget=10**6), text, None)


@pytest.mark.parametrize("style", [PLAIN, GROUNDED, FEW_SHOT, quoted()], ids=["plain", "grounded", "few-shot", "quoted"])
def test_the_parts_add_up_and_the_prompt_is_shown_as_it_was_sent(models, style):
    lm, passages = language_model(), load_passages()[:3]
    prompt = build_prompt("How hot?", passages, lm.count_tokens, style=style)
    parts = prompt_parts("How hot?", prompt, style, lm)
    assert sum(parts.values()) == prompt.tokens and all(tokens > 0 for tokens in parts.values())
    assert [name for name in parts if name.startswith("passage")] == ["passage [1]", "passage [2]", "passage [3]"]
    assert ("examples" in parts) == bool(style.examples)
    page = BeautifulSoup(render_prompt(prompt, parts, 1200, style), "html.parser").get_text()
    assert f"{prompt.tokens} of 1200 tokens" in page
    flat = re.sub(r"\s+", "", page)
    for message in prompt.messages:
        assert re.sub(r"\s+", "", message["content"]) in flat


def test_nothing_of_a_document_takes_effect(question):
    passage = passage_of(HOSTILE)
    prompt = build_prompt(question.question, [passage], words)
    pages = [
        render_prompt(prompt, {"instructions and question": 9, "passage [1]": 9}, 1200, GROUNDED),
        render_answer(question, answer_of(HOSTILE + " [1]", passage)),
        render_answer(question, answer_of("It holds 42 litres", passage)),
    ]
    for page in pages:
        soup = BeautifulSoup(page, "html.parser")
        assert {tag.name for tag in soup.find_all()} <= ALLOWED
        for tag in soup.find_all():
            assert set(tag.attrs) <= {"style", "role", "aria-label", "aria-hidden"}
    assert "&lt;script&gt;" in pages[1]


def test_an_answer_is_led_back_to_its_sentence(question):
    text = "Fill it cold. It holds 42 litres. Wipe it."
    cited = BeautifulSoup(render_answer(question, answer_of("42 litres [1]", passage_of(text))), "html.parser")
    assert "✓ right" in cited.get_text() and "It cites [1]" in cited.get_text()
    assert cited.mark.get_text() == "It holds 42 litres. [1]"
    assert f"characters {text.index('It holds')} to {text.index(' Wipe')}" in cited.get_text()
    assert "✓ holds the answer" in cited.get_text()
    uncited = BeautifulSoup(render_answer(question, answer_of("42 litres", passage_of(text))), "html.parser")
    assert "A program attributes it to [1]" in uncited.get_text() and uncited.mark.get_text() == "It holds 42 litres. [1]"


def test_an_answer_that_stands_on_nothing_gets_no_source(question):
    page = render_answer(question, answer_of("Zebra!", passage_of("Fill it cold.")))
    assert "no sentence stands behind it" in page and "<mark" not in page and "✗ wrong" in page
    silent = render_answer(question, answer_of("I do not know.", passage_of("You do not know it.")))
    assert "abstains" in silent and "A program attributes" not in silent
    invented = render_answer(question, answer_of("42 litres [7]", passage_of("It holds 42 litres.")))
    assert "It cites nothing" in invented


def test_the_explorer_moves(models):
    passages = load_passages()
    questions = [question for question in load_exam("dev") if question.type in ("single", "unanswerable")][:3]
    explorer = PromptExplorer(passages, questions, BM25Index(passages), language_model())
    assert "The model is reading" not in explorer.reply.value and ("right answer" in explorer.reply.value)
    labels = [control.description for control in explorer.controls]
    assert labels == ["Question", "Passages are", "How many", "Order", "Style", "Token budget"]
    assert explorer.ask.description and explorer.ask.tooltip
    asked_once = dict(explorer.answers)
    assert len(asked_once) == 1

    first = explorer.view.value
    explorer.count.value = 3
    assert explorer.view.value != first and "passage [3]" in explorer.view.value
    assert "press &quot;Ask the model&quot;" in explorer.reply.value or 'press "Ask the model"' in explorer.reply.value
    forward = [passage.id for passage in explorer.chosen()]
    explorer.order.value = True
    assert [passage.id for passage in explorer.chosen()] == forward[::-1]
    explorer.order.value = False

    explorer.source.value = "gold"
    gold = {name for fact in gold_passages(questions[0], passages) for name in fact}
    assert explorer.chosen()[0].id in gold
    explorer.source.value = "random"
    assert len(explorer.chosen()) == 3
    explorer.source.value = "retrieved"
    assert [passage.id for passage in explorer.chosen()] == forward

    explorer.budget.value = 250
    assert "Left out" in explorer.view.value
    explorer.style.value = FEW_SHOT
    explorer.budget.value = 200
    assert "raise the budget" in explorer.reply.value and explorer.view.value == ""
    explorer.ask.click()
    assert explorer.answers.keys() == asked_once.keys(), "a prompt that does not fit is not asked"
    explorer.style.value, explorer.budget.value, explorer.count.value = GROUNDED, 1200, 2
    assert explorer.view.value == first and "right answer" in explorer.reply.value
    assert explorer.answers == asked_once, "an answer that is known is not made again"

    explorer.count.value = 0
    assert "passage [1]" not in explorer.view.value
    static = explorer._repr_mimebundle_()
    assert explorer.reply.value in static["text/html"] and static["text/plain"].startswith("[explorer]")
