"""The labs' pages: made from the executed solutions, with nothing lost and nothing that needs a kernel."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from course_lib.book.build import book_folder, cited_papers
from course_lib.book.labs import WIDGET, lab_page, quiz_html, text_of
from course_lib.book.terms import KEPT, TermLinker, glossary_terms
from course_lib.exercises.registry import LABS, exercises_of, quiz_of

BOOK = book_folder()
TERMS = glossary_terms((BOOK / "glossary.md").read_text(encoding="utf-8"))
CITED = cited_papers((BOOK / "references.md").read_text(encoding="utf-8"))


def notebook(folder, lab):
    return json.loads((BOOK.parent / folder / f"{LABS[lab]}.ipynb").read_text(encoding="utf-8"))


def page_of(lab):
    return lab_page(notebook("solutions", lab), notebook("labs", lab), lab, TermLinker(TERMS), CITED)


EXPLORED = {"01", "02", "03", "04", "05", "06"}


@pytest.mark.parametrize("lab", LABS)
def test_every_answer_is_folded_and_stands_below_what_the_learner_starts_from(lab):
    cells, learners = page_of(lab)["cells"], notebook("labs", lab)["cells"]
    stubs = {cell["metadata"]["exercise"]: text_of(cell) for cell in learners if cell["metadata"].get("exercise")}
    folded = [at for at, cell in enumerate(cells) if "hide-input" in cell["metadata"].get("tags", [])]
    assert len(folded) == len(stubs) == len(exercises_of(lab))
    for at, (id, stub) in zip(folded, stubs.items()):
        assert stub in cells[at - 1]["source"] and "NotImplementedError" in stub
        assert cells[at]["metadata"]["mystnb"]["code_prompt_show"] == f"Show an answer to {id}"
        assert "NotImplementedError" not in text_of(cells[at])


@pytest.mark.parametrize("lab", LABS)
def test_no_other_code_is_lost_or_changed(lab):
    left_out = {f'quiz("{lab}")', "progress()"}
    before = [text_of(cell) for cell in notebook("solutions", lab)["cells"] if cell["cell_type"] == "code"]
    after = [text_of(cell) for cell in page_of(lab)["cells"] if cell["cell_type"] == "code"]
    assert after == [text for text in before if text.strip() not in left_out]
    assert len(before) - len(after) == 2


@pytest.mark.parametrize("lab", LABS)
def test_widgets_leave_their_picture(lab):
    page, live = page_of(lab), 0
    for cell in notebook("solutions", lab)["cells"]:
        live += sum(WIDGET in output.get("data", {}) for output in cell.get("outputs", []))
    assert "widgets" not in page["metadata"] and WIDGET not in json.dumps(page)
    assert live == (1 if lab in EXPLORED else 0), "an explorer each; the labs that train show their plot as a picture"
    if live:
        lengths = [
            len("".join(o["data"]["text/html"]))
            for c in page["cells"]
            for o in c.get("outputs", [])
            if "text/html" in o.get("data", {})
        ]
        assert max(lengths) > 1000, "its picture stays"


@pytest.mark.parametrize("lab", LABS)
def test_headers_are_words_and_minutes_stay(lab):
    text = "\n".join(text_of(cell) for cell in page_of(lab)["cells"] if cell["cell_type"] == "markdown")
    assert "●" not in text and "○" not in text
    for one in exercises_of(lab):
        assert f"*Difficulty {one.difficulty} of 3 · {one.minutes} minutes · {one.points} point" in text
        assert f"| {one.id} | {one.title} | {one.difficulty} of 3 | {one.minutes} | {one.points} |" in text


@pytest.mark.parametrize("lab", LABS)
def test_each_term_is_linked_once_and_only_in_prose(lab):
    text = "\n\n".join(text_of(cell) for cell in page_of(lab)["cells"] if cell["cell_type"] == "markdown")
    targets = [(m[2] or m[1]).strip() for m in re.finditer(r"\{term\}`([^`<]+?)(?: <([^`>]+)>)?`", text)]
    assert targets and set(targets) <= set(TERMS) and len(set(targets)) == len(targets)
    for block in re.findall(r"```.*?```", text, flags=re.DOTALL):
        assert "{term}`" not in block
    for heading in re.findall(r"^#.*$", text, flags=re.MULTILINE):
        assert "{term}" not in heading


def test_linking_changes_nothing_but_the_links():
    for lab in LABS:
        for cell in notebook("solutions", lab)["cells"]:
            if cell["cell_type"] == "markdown":
                text = text_of(cell)
                linked = TermLinker(TERMS).link(text)
                assert re.sub(r"\{term\}`([^`<]+?)(?: <[^`>]+>)?`", r"\1", linked).split() == text.split()
                assert [m[0] for m in KEPT.finditer(text)] == [
                    m[0] for m in KEPT.finditer(linked) if not m[0].startswith("{term}")
                ]


def test_every_paper_that_a_lab_names_is_on_the_page_of_references():
    named = set()
    for lab in LABS:
        text = " ".join(text_of(cell) for cell in notebook("solutions", lab)["cells"] if cell["cell_type"] == "markdown")
        named |= set(re.findall(r"arXiv[ :\n](\d{4}\.\d{5})", text))
        links = re.findall(r"\]\(#(ref-[\w-]+)\)", json.dumps(page_of(lab)))
        assert set(links) <= set(CITED.values())
    assert named and named <= set(CITED)


class Text(HTMLParser):
    """The words of some HTML, scripts aside."""

    def __init__(self):
        super().__init__()
        self.words, self.inside = [], ""

    def handle_starttag(self, tag, attrs):
        self.inside = tag

    def handle_data(self, data):
        if self.inside != "script":
            self.words.append(data)
        else:
            self.script = data


@pytest.mark.parametrize("lab", LABS)
def test_a_quiz_can_be_read_without_scripts_and_explains_every_option(lab):
    parser = Text()
    parser.feed(quiz_html(lab, quiz_of(lab)))
    text = " ".join(" ".join(parser.words).split())
    rows = json.loads(parser.script)
    for question, row in zip(quiz_of(lab), rows, strict=True):
        assert row["ask"] == question.ask and " ".join(question.ask.split()) in text
        for option, there in zip(question.options, row["options"], strict=True):
            assert there == {"text": option.text, "right": option.right, "because": option.because} and option.because
            assert " ".join(option.because.split()) in text and " ".join(option.text.split()) in text
