"""Build the book: gather its sources, hand-written and generated, in one folder, and let Jupyter Book make pages of them.

Nothing is executed: the labs' pages come from the committed, executed solutions. Sources go to ``book/_build/source``, pages to
``book/_build/html``.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ..errors import CourseError
from ..exercises.registry import LABS, exercises_of, quiz_of
from . import api, messages, results, slides, workshop
from .claims import claims_table
from .explorables import EXPLORABLES, script
from .labs import exercise_rows, lab_page, quiz_html, raw_html
from .terms import TermLinker, glossary_terms

Say = Callable[[str], None]
PARTS = {"Start": ("00",), "The open book": ("01", "02", "03", "04", "05"), "The closed book": ("06", "07", "08"),
         "Both": ("09", "10", "11", "12")}  # fmt: skip
"""The parts of the course, each with its labs."""
ABOUT = {"Start": "a model, an exam, and how sure a mark is",
         "The open book": "retrieval-augmented generation, from cutting documents to keeping them fresh",
         "The closed book": "fine-tuning, from raw tickets to facts in the weights",
         "Both": "the two together, up to an assistant over documents of your own"}  # fmt: skip
MARK = "<!-- {} -->"
BUILD = "_build"
AXE = "_axe/axe.min.js"  # axe-core, for `course book check`; no page loads it


def book_folder() -> Path:
    """The folder of the book's sources. Raises :class:`CourseError` where the package was installed without a clone."""
    for root in (Path(__file__).resolve().parents[2], Path.cwd()):
        if (root / "book" / "_config.yml").is_file() and (root / "solutions").is_dir():
            return root / "book"
    raise CourseError("The sources of the book are not here.", "run `course book` in a clone of the course.")


def html_folder(book: Path) -> Path:
    """Where the pages of the book are, or will be."""
    return book / BUILD / "html"


def built() -> Path:
    """The folder of the built pages. Raises :class:`CourseError` where they were not built yet."""
    html = html_folder(book_folder())
    if not (html / "index.html").is_file():
        raise CourseError("The book is not built yet.", "run: course book build")
    return html


def sources(book: Path) -> Iterator[tuple[str, str | bytes]]:
    """Every file from which the pages are made: its name and content."""
    written = {path.relative_to(book).as_posix(): path for path in sorted(book.rglob("*")) if path.is_file()}
    written = {
        name: path
        for name, path in written.items()
        if not name.startswith((f"{BUILD}/", "_axe/", f"{slides.REVEAL}/")) and "__pycache__" not in name
    }
    times = workshop.all_times(book.parent)
    generated: dict[str, Callable[[str], str]] = {
        "index.md": lambda page: fill(page, "parts", parts_table(times)),
        "troubleshooting.md": lambda page: fill(page, "messages", messages.render(messages.collect())),
        "decide.md": lambda page: fill(page, "claims", claims_table()),
        "workshop/index.md": lambda page: guide(page, times),
    }
    for name, path in written.items():
        if name in generated:
            yield name, generated[name](path.read_text(encoding="utf-8"))
        else:
            yield name, path.read_bytes()
    yield from labs(book)
    for plan in workshop.PLANS:
        yield f"workshop/{plan.key}.md", workshop.plan_page(plan, times)
    for name, content in slides.decks(book):
        yield f"_extra/slides/{name}", content
    yield "exercises.md", exercises_page()
    yield "explore/quizzes.md", quizzes_page()
    yield "results.md", results.page()
    yield "data-card.md", (Path(__file__).parents[1] / "corpus" / "DATA_CARD.md").read_bytes()
    for key, page in api.pages().items():
        yield f"api/{key}.md", page
    for name in EXPLORABLES:
        yield f"_vendor/data/{name}.js", script(name)
    yield "_toc.yml", contents(book)


def fill(page: str, name: str, text: str) -> str:
    """A page with generated text in the place that waits for it.

    >>> fill("a\\n<!-- x -->\\nb", "x", "1")
    'a\\n1\\nb'

    Raises :class:`CourseError` where there is no such place, or more than one.
    """
    mark = MARK.format(name)
    if page.count(mark) != 1:
        raise CourseError(f"A page of the book has {page.count(mark)} places for its {name}, not one.", f"write {mark} once.")
    return page.replace(mark, text)


def parts_table(times: Mapping[str, workshop.LabTimes]) -> str:
    """The parts of the course with their labs and minutes, and the hours of all of it."""
    rows: list[list[str | int]] = []
    for part, numbers in PARTS.items():
        mine = [number for number in numbers if number in LABS]
        links = ", ".join(f"[{number}](labs/{LABS[number]}.ipynb)" for number in mine)
        rows.append([part, links, ABOUT[part], sum(times[number].minutes for number in mine)])
    lines = results.table(["part", "labs", "what it is about", "minutes"], rows, numbers=False)
    lines[1] = "| --- | --- | --- | --: |"
    return "\n".join(lines) + f"\nThat is about {sum(int(row[-1]) for row in rows) / 60:.0f} hours."


def guide(page: str, times: Mapping[str, workshop.LabTimes]) -> str:
    """The facilitator's guide with its tables."""
    tables = {
        "plans": workshop.plans_table(times),
        "speeds": workshop.speeds_table(times),
        "machine": workshop.machine_table(times),
        "slides": "\n".join(workshop.slides_link(lab) for lab in times.values()),
    }
    for name, text in tables.items():
        page = fill(page, name, text)
    return page


def labs(book: Path) -> Iterator[tuple[str, str]]:
    """The pages of the labs."""
    terms = glossary_terms((book / "glossary.md").read_text(encoding="utf-8"))
    cited = cited_papers((book / "references.md").read_text(encoding="utf-8"))
    for lab, stem in LABS.items():
        solution, learners = (
            json.loads((book.parent / folder / f"{stem}.ipynb").read_text(encoding="utf-8")) for folder in ("solutions", "labs")
        )
        yield f"labs/{stem}.ipynb", json.dumps(lab_page(solution, learners, lab, TermLinker(terms), cited), ensure_ascii=False)


def cited_papers(page: str) -> dict[str, str]:
    """The papers on the page of references: the label of each by its arXiv number and its DOI.

    >>> cited_papers("(ref-hu-2021)=\\n**Hu** and others (2021). *LoRA.* [arXiv 2106.09685](https://arxiv.org/abs/2106.09685)\\n")
    {'2106.09685': 'ref-hu-2021'}
    """
    found = {}
    for label, text in re.findall(r"^\((ref-[\w-]+)\)=\n(.+(?:\n.+)*)", page, flags=re.MULTILINE):
        for number in re.findall(r"arxiv\.org/abs/([\d.]+)|doi\.org/([^)\s]+)", text):
            found["".join(number)] = label
    return found


def exercises_page() -> str:
    """All exercises, lab by lab."""
    lines = ["# All exercises", "", "Minutes are for the exercise alone. Difficulty is from 1 to 3.", ""]
    for lab, stem in LABS.items():
        mine = exercises_of(lab)
        lines += [
            f"## Lab {lab}",
            "",
            f"[To lab {lab}](labs/{stem}.ipynb)",
            "",
            "| exercise | title | difficulty | minutes | points |",
        ]
        lines += ["| --- | --- | --- | --: | --: |", *exercise_rows(mine), ""]
        lines += [f"{sum(one.minutes for one in mine)} minutes and {sum(one.points for one in mine)} points in all.", ""]
    return "\n".join(lines)


def quizzes_page() -> str:
    """All quizzes on one page."""
    lines = [
        "# Check yourself",
        "",
        "The quizzes of all labs. Choose an answer to see what it tells about you; nothing is stored.",
        "",
    ]
    for lab, stem in LABS.items():
        lines += [f"## Lab {lab}", "", f"[To lab {lab}](../labs/{stem}.ipynb)", "", raw_html(quiz_html(lab, quiz_of(lab))), ""]
    return "\n".join(lines)


def contents(book: Path) -> str:
    """The table of contents, in the form that Jupyter Book reads."""
    lines = ["format: jb-book", "root: index", "parts:"]

    def part(caption: str, files: list[str]) -> None:
        lines.extend([f'- caption: "{caption}"', "  chapters:", *(f"  - file: {name}" for name in files)])

    part("Begin", ["story", "decide"])
    for caption, numbers in PARTS.items():
        if files := [f"labs/{LABS[number]}" for number in numbers if number in LABS]:
            part(caption, files)
    part("Try it here", [f"explore/{name}" for name in ("retrieval", "chunking", "injections", "quizzes")])
    part("Teach it", ["workshop/index"])
    lines += ["    sections:", *(f"    - file: workshop/{plan.key}" for plan in workshop.PLANS)]
    lines += [f"  - file: {name}" for name in ("instructors",) if (book / f"{name}.md").exists()]
    looked_up = ["results", "exercises", "glossary", "references", "data-card", "model-card", "another-vector-store"]
    part("Look it up", [*looked_up, "troubleshooting"])
    part("The library", ["api/index"])
    lines += ["    sections:", *(f"    - file: api/{key}" for key in api.PAGES)]
    return "\n".join(lines) + "\n"


def gather(book: Path, files: Iterable[tuple[str, str | bytes]] | None = None) -> Path:
    """Write the sources (or ``files``); what is written already stays untouched, so that only changed pages are made again."""
    folder, wanted = book / BUILD / "source", set()
    for name, content in sources(book) if files is None else files:
        path, data = folder / name, content.encode() if isinstance(content, str) else content
        wanted.add(path)
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    for path in [path for path in folder.rglob("*") if path.is_file() and path not in wanted]:
        path.unlink()
    return folder


def build(say: Say = print) -> Path:
    """Make the pages; return the first of them. Warnings count as errors.

    Raises :class:`CourseError` where Jupyter Book is not installed, or where it finds something wrong.
    """
    from .check import check_pages

    book = book_folder()
    if importlib.util.find_spec("jupyter_book") is None:
        raise CourseError("Jupyter Book is not installed.", "in the clone: pip install -c constraints.txt -e '.[book]'")
    say("Gathering the pages …")
    source = gather(book)
    say("Jupyter Book makes the pages …")
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(source),
        "--path-output",
        str(book),
    ]
    done = subprocess.run([*command, "-W", "-n", "--keep-going", "--quiet"], cwd=book, check=False)
    if done.returncode:
        raise CourseError(
            "Jupyter Book found something wrong with the book.", "see its messages above, mend the sources, and build again."
        )
    # Sphinx copies these only when a page changed too.
    shutil.copytree(source / "_extra", html_folder(book), dirs_exist_ok=True)
    problems = check_pages(html_folder(book), source)
    for problem in problems:
        say(problem)
    if problems:
        raise CourseError(f"The book was built, but has {len(problems)} faults.", "mend what is listed above, and build again.")
    return html_folder(book) / "index.html"
