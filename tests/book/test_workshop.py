"""The workshop kit: plans that fit their hours by the labs' own clocks, and slides that say what the labs say."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from course_lib.book import slides, workshop
from course_lib.book.browser import PATIENCE, browser, find_chromium, served
from course_lib.book.build import book_folder
from course_lib.book.labs import text_of
from course_lib.errors import CourseError
from course_lib.exercises.registry import LABS, exercises_of, quiz_of
from course_lib.notebooks.source import BEGIN

ROOT = book_folder().parent
TIMES = workshop.all_times(ROOT)
PLANS = pytest.mark.parametrize("plan", workshop.PLANS, ids=lambda plan: plan.key)


def notebook(folder: str, lab: str) -> Any:
    return json.loads((ROOT / folder / f"{LABS[lab]}.ipynb").read_text(encoding="utf-8"))


@pytest.mark.parametrize("lab", LABS)
def test_the_clocks_are_those_of_the_labs(lab):
    first = text_of(notebook("solutions", lab)["cells"][0])
    assert TIMES[lab].minutes == int(re.search(r"(\d+) minutes", first)[1])
    assert [id for one in TIMES[lab].sections for id in one.exercises] == [one.id for one in exercises_of(lab)]
    assert first.startswith(f"# {TIMES[lab].title}\n") and TIMES[lab].runs in first


def test_a_lab_without_a_clock_is_refused():
    with pytest.raises(CourseError, match="does not say how long"):
        workshop.lab_times({"cells": [{"cell_type": "markdown", "source": "# 99 · None"}]}, "99")


@PLANS
def test_a_plan_fits_its_hours_with_minutes_to_spare(plan):
    for day in range(len(plan.days)):
        assert 15 <= workshop.spare(plan, day, TIMES) <= plan.hours * 60 / 5


@PLANS
def test_a_day_has_no_gap_and_ends_when_it_says(plan):
    for day in range(len(plan.days)):
        now = plan.starts
        for at, _, minutes, _ in workshop.day_rows(plan, day, TIMES):
            assert at == workshop.clock(now)
            now += minutes
        assert now == plan.starts + plan.hours * 60


@PLANS
def test_nobody_works_for_longer_than_two_hours_without_a_pause(plan):
    for day in plan.days:
        without = 0
        for stop in day:
            rest = isinstance(stop, workshop.Pause) and stop in (workshop.COFFEE, workshop.LUNCH)
            without = 0 if rest else without + workshop.length(stop, TIMES)
            assert without <= 120


def test_a_section_that_the_lab_has_not_is_refused():
    plan = replace(workshop.PLANS[0], days=((workshop.Lab("02", ("No such part",)),),))
    with pytest.raises(CourseError, match="No such part"):
        workshop.plan_page(plan, TIMES)


# --- slides ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("slides")
    pages = slides.write(book_folder(), here)
    assert [page.stem for page in pages] == list(LABS.values())
    return here


@pytest.mark.parametrize("lab", LABS)
def test_a_deck_has_what_the_lab_has(folder, lab):
    from bs4 import BeautifulSoup

    tree = BeautifulSoup((folder / f"{LABS[lab]}.html").read_text(encoding="utf-8"), "html.parser")
    heads = [one.get_text() for one in tree.select("h2")]
    titles = [one.title for one in TIMES[lab].sections]
    assert [one for one in heads if one in titles and one != "Check yourself"] == [t for t in titles if t != "Check yourself"]
    for exercise in exercises_of(lab):
        asked = heads.index(f"Exercise {exercise.id} · {exercise.title}")
        assert heads[asked + 1] == f"Exercise {exercise.id} · {exercise.title}: an answer"
    stubs = [one for one in tree.select("pre") if "not attempted yet" in one.get_text()]
    assert len(stubs) == len(exercises_of(lab)) and BEGIN not in tree.get_text()
    for question in quiz_of(lab):
        assert sum(question.ask in one.get_text() for one in tree.select("section > p")) == 2
    prompts = sum(text_of(cell).count("**Before you run") for cell in notebook("solutions", lab)["cells"])
    assert heads.count("Before you run") == prompts > 0
    recap = next(text_of(cell) for cell in notebook("solutions", lab)["cells"] if text_of(cell).startswith("## What you saw"))
    seen = [one for one in tree.select("section") if one.h2 and one.h2.get_text() == "What you saw" and not one.section]
    assert sum(len(one.select("li")) for one in seen) == len(re.findall(r"^- ", recap, flags=re.MULTILINE))


def test_a_broken_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(CourseError, match="could not be written"):
        slides.write(book_folder(), tmp_path / "file")


OVERFULL = """() => Reveal.getSlides().filter(slide => {
  const at = Reveal.getIndices(slide);
  Reveal.slide(at.h, at.v);
  const shown = [...slide.children].filter(one => !one.classList.contains('notes'));
  const height = Math.max(...shown.map(one => one.getBoundingClientRect().bottom)) - slide.getBoundingClientRect().top;
  return height / Reveal.getScale() > 700 || shown.some(one => one.scrollWidth > one.clientWidth + 1 && one.tagName == 'PRE');
}).map(slide => slide.querySelector('h1, h2').innerText)"""


@pytest.mark.slow
@pytest.mark.skipif(find_chromium() is None, reason="no Chromium here; set COURSE_CHROMIUM to its path")
def test_every_slide_fits_and_the_keyboard_goes_through_all(folder):
    overfull = folder / "overfull.html"
    shutil.copy(folder / f"{LABS['00']}.html", overfull)
    text = overfull.read_text(encoding="utf-8").replace("</h1>", "</h1>" + "<p>too much</p>" * 40)
    overfull.write_text(text, encoding="utf-8")
    with browser() as running, served(folder) as root:
        tab = running.new_page(viewport={"width": 1280, "height": 720})
        tab.goto(f"{root}overfull.html", timeout=PATIENCE)
        assert len(tab.evaluate(OVERFULL)) == 1, "the measure sees what does not fit"
        for stem in LABS.values():
            tab.goto(f"{root}{stem}.html", wait_until="networkidle", timeout=PATIENCE)
            assert tab.evaluate(OVERFULL) == [], stem
        tab.goto(f"{root}{LABS['02']}.html?again", wait_until="networkidle", timeout=PATIENCE)
        seen = set()
        for _ in range(tab.evaluate("Reveal.getTotalSlides()")):
            seen.add(tab.evaluate("JSON.stringify(Reveal.getIndices())"))  # its address follows a moment later
            tab.keyboard.press("Space")
        assert len(seen) == tab.evaluate("Reveal.getTotalSlides()") and tab.evaluate("Reveal.isLastSlide()")
