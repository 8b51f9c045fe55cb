"""The generated pages: nothing that they promise to list is missing, and every number is one that the labs have seen."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

import course_lib
from course_lib.book import api, messages, results, vectors
from course_lib.book.build import book_folder, contents, fill, gather, parts_table
from course_lib.book.claims import claims_table
from course_lib.book.explorables import EXPLORABLES, script
from course_lib.book.workshop import all_times
from course_lib.errors import CourseError
from course_lib.exercises.registry import LABS, get_exercise
from course_lib.finetune.adapters import SHIPPED, adapter_about

BOOK = book_folder()
PACKAGE = Path(course_lib.__file__).parent


# --- messages -------------------------------------------------------------------------------------------------------


ERRORS = {"CourseError", "StoreError", "QuestionError", "CannotResume", "Trouble"}


def calls_of_errors(path):
    """How often a file calls one of the errors, counted by its tokens and not by its tree; definitions and texts do not count."""
    lines = io.StringIO(path.read_text(encoding="utf-8")).readline
    tokens = [one for one in tokenize.generate_tokens(lines) if one.string.strip()]
    return sum(
        before.string != "class" and name.string in ERRORS and name.type == tokenize.NAME and after.string == "("
        for before, name, after in zip(tokens, tokens[1:], tokens[2:])
    )


def test_no_message_is_missing():
    collected = messages.collect()
    by_module = {}
    for module, _ in {(one.module, one.line) for one in collected}:
        by_module[module] = by_module.get(module, 0) + 1
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        assert by_module.get(module, 0) == calls_of_errors(path), module
    assert by_module["start"] == calls_of_errors(PACKAGE.parent / "start.py") > 3
    page = messages.render(collected)
    for one in collected:
        for what in one.what:
            assert f"**{messages.escaped(what)}**" in page
        for todo in one.todo:
            assert messages.escaped(todo) in page


def as_pattern(text):
    """What a message with gaps may be."""
    return ".+".join(re.escape(part) for part in " ".join(text.split()).split(messages.UNKNOWN))


@pytest.mark.parametrize(
    "raise_it",
    [
        lambda tmp: get_exercise("99.1"),
        lambda tmp: get_exercise("01.77"),
        lambda tmp: fill("", "x", "y"),
        lambda tmp: __import__("course_lib.workspace", fromlist=["find_lab"]).find_lab("77"),
        lambda tmp: __import__("course_lib.prices", fromlist=["load_prices"]).load_prices(tmp / "none.toml"),
        lambda tmp: __import__("course_lib.jupyter", fromlist=["read_notebook"]).read_notebook(tmp / "none.ipynb"),
        lambda tmp: __import__("course_lib.evaluation.shipped", fromlist=["x"]).read_rows(tmp / "none.json", {}, "do it"),
    ],
)
def test_a_message_that_really_happens_is_on_the_page(raise_it, tmp_path):
    with pytest.raises(CourseError) as caught:
        raise_it(tmp_path)
    what, todo = (" ".join(text.split()) for text in (caught.value.what, caught.value.todo))
    assert any(
        any(re.fullmatch(as_pattern(one), what) for one in message.what)
        and any(re.fullmatch(as_pattern(one), todo) for one in message.todo)
        for message in messages.collect()
    )


def test_messages_say_more_than_their_gaps():
    empty = [one for one in messages.collect() if any(len(re.findall(r"[A-Za-z]{3,}", what)) < 1 for what in one.what)]
    assert [
        (one.module, one.what) for one in empty if not all(what == f"{messages.UNKNOWN}: {messages.UNKNOWN}" for what in one.what)
    ] == []


# --- the reference ----------------------------------------------------------------------------------------------------


def test_every_reference_in_a_docstring_leads_somewhere():
    library = api.Library(api.read_package())
    for key in api.PAGES:
        library.page(key)
    assert library.unresolved == []


def test_every_module_is_on_one_page_and_every_public_function_with_it():
    made = api.pages()
    modules = api.read_package()
    assert len(modules) > 60
    for module in modules:
        homes = [key for key in api.PAGES if f"\n## {module.name}\n" in made[key]]
        assert homes == [api.page_of(module.name)]
        for entry in module.parts:
            assert f"({entry.label})=" in made[homes[0]]
    labels = re.findall(r"^\(((?:api|module)-[\w.-]+)\)=$", "\n".join(made.values()), flags=re.MULTILINE)
    assert len(labels) == len(set(labels)), "no label stands twice"
    for target in re.findall(r"\]\(#((?:api|module)-[\w.-]+)\)", "\n".join(made.values())):
        assert target in labels


# --- results ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page():
    return results.page()


@pytest.mark.parametrize(
    "number",
    [
        "11 of 260, 4.2 % (2.4 to 7.4)",  # lab 00
        "2 of 58, 3.4 % (1.0 to 11.7)",
        "23.1 % (18.4 to 28.6)",  # lab 04
        "7.7 % (5.0 to 11.6)",
        "36.2 % (30.5 to 42.4)",
        "5 of 40",
        "27.6 % (17.8 to 40.2)",
        "3 of 30, 10.0 % (3.5 to 25.6)",  # lab 03
        "22 of 24, 91.7 % (74.2 to 97.7)",  # lab 05
    ],
)
def test_the_results_are_those_that_the_labs_state(page, number):
    assert number in page


def test_every_section_says_where_its_numbers_come_from(page):
    for name in ("closed_book", "open_book", "attacks", "freshness", "tickets", "facts"):
        assert re.search(
            rf"`{name}\.json`: SmolLM2-135M-Instruct on .*cores; torch .*transformers .*Made anew by `python -m", page
        ), name
    assert not re.search(r"\b(nan|None)\b", page)


def test_tables_are_whole(page):
    for block in re.findall(r"(?:^\|.*\n)+", page + claims_table() + "\n", flags=re.MULTILINE):
        widths = {line.count("|") - line.count("\\|") for line in block.splitlines()}
        assert len(widths) == 1, block.splitlines()[0]


# --- hand-written pages -------------------------------------------------------------------------------------------------


def test_the_landing_page_has_the_minutes_of_the_labs():
    page = parts_table(all_times(BOOK.parent))
    total = 0
    for row in re.findall(r"^\| .*labs/.* \|$", page, flags=re.MULTILINE):
        minutes = 0
        for stem in re.findall(r"labs/(\w+)\.ipynb", row):
            source = (BOOK.parent / "solutions" / f"{stem}.py").read_text(encoding="utf-8")
            minutes += int(re.search(r"^# (\d+) minutes", source, flags=re.MULTILINE)[1])
        assert row.endswith(f"| {minutes} |")
        total += minutes
    assert len(re.findall(r"labs/\w+\.ipynb", page)) == len(LABS)
    assert f"about {total / 60:.0f} hours" in page


def test_the_model_card_names_every_adapter_with_its_command():
    page = (BOOK / "model-card.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| `(python -m [\w.]+)` \|$", page, flags=re.MULTILINE))
    assert told == {path.parent.name: adapter_about(path.parent.name)["command"] for path in SHIPPED.glob("*/about.json")}


def test_the_playground_says_what_its_vectors_lose():
    about, page = vectors.load()["about"], (BOOK / "explore" / "retrieval.md").read_text(encoding="utf-8")
    assert f"cut to {about['dimensions']} numbers" in page
    assert f"keeps {100 * about['same_in_first_5']:.0f} % of what stands" in page
    assert (
        f"finds {about['recall_at_5_small']:.2f} of the facts" in page
        and f"rather than\n{about['recall_at_5_whole']:.2f}." in page
    )


def test_the_table_of_contents_names_every_page_once():
    files = re.findall(r"file: (\S+)", contents(BOOK))
    assert len(files) == len(set(files))
    written = {path.relative_to(BOOK).with_suffix("").as_posix() for path in BOOK.rglob("*.md") if "_build" not in path.parts}
    assert written - {"index"} <= set(files)
    assert {f"labs/{stem}" for stem in LABS.values()} <= set(files)


def test_only_what_changed_is_written_and_what_is_gone_is_removed(tmp_path):
    folder = gather(tmp_path, [("a.md", "1"), ("b/c.md", b"2")])
    before = (folder / "a.md").stat().st_mtime_ns
    assert gather(tmp_path, [("a.md", "1"), ("d.md", "3")]) == folder
    assert (folder / "a.md").stat().st_mtime_ns == before and (folder / "d.md").read_text() == "3"
    assert not (folder / "b" / "c.md").exists()


# --- explorables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPLORABLES)
def test_scripts_hold_data_that_no_page_can_take_for_tags(name):
    text = script(name)
    assert text.startswith(f"(window.courseBook ??= {{}}).{name} = {{") and "<" not in text
    assert max(map(ord, text)) < 0x10000, "offsets of Python and of JavaScript would differ"
