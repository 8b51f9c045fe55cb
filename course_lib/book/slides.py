"""Slides for a room, one deck for each lab, made from its executed solution: ``course book slides``.

A deck has, for each section, the first sentences of its text; the prompts to predict and what came out; the pictures; the exercises, each with
an answer on the slide after it; the quiz, question by question; the recap. What the lab says besides is in the speaker's notes.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..exercises.registry import LABS, QuizQuestion, quiz_of
from .labs import LETTERS, Json, plain_difficulty, text_of

REVEAL = "_reveal"  # reveal.js, from its npm package, with its licence, and the look of the decks
FILES = ("reset.css", "reveal.css", "reveal.js", "notes.js", "LICENSE", "deck.css")
WORDS = 45  # that a slide takes from a paragraph
LINES, COLUMNS = 16, 96  # of an output that a room can read
BULLETS = 3
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="reveal/reset.css">
<link rel="stylesheet" href="reveal/reveal.css">
<link rel="stylesheet" href="reveal/deck.css">
</head>
<body>
<main class="reveal">
<div class="slides">
{slides}
</div>
</main>
<script src="reveal/reveal.js"></script>
<script src="reveal/notes.js"></script>
<script>
Reveal.initialize({{
  width: 1280, height: 720, margin: 0.04, center: false, hash: true, slideNumber: "c/t", transition: "none", backgroundTransition: "none",
  plugins: [RevealNotes],
}}).then(() => document.querySelector("main").removeAttribute("role"));  // reveal.js makes it an application, which hides the page's parts
</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Slide:
    """One slide: HTML, what the speaker may say besides (HTML too), and whether a section of the lab begins here."""

    body: str
    notes: str = ""
    opens: bool = False


def to_html(text: str) -> str:
    """Markdown as HTML, formulas as MathML."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    from .sphinx_extension import formula

    def math(latex: str, options: dict[str, Any]) -> str:
        return formula(latex, options["display_mode"])

    return str(MarkdownIt().enable("table").use(dollarmath_plugin, renderer=math, allow_labels=False).render(text))


def first_words(paragraph: str, limit: int = WORDS) -> str:
    """Whole sentences from the beginning of a paragraph, at least one, as many as fit into ``limit`` words.

    >>> first_words("One two. Three four five. Six.", 5)
    'One two. Three four five.'
    """
    sentences = re.split(r"(?<=[.!?:])\s+(?=[A-Z*`0-9])", " ".join(paragraph.split()))
    taken = sentences[:1]
    for sentence in sentences[1:]:
        if len(" ".join([*taken, sentence]).split()) > limit:
            break
        taken.append(sentence)
    return " ".join(taken)


def opening(parts: list[str], limit: int = WORDS) -> str:
    """As many paragraphs from the beginning as fit into ``limit`` words; of the first at least its first sentence.

    >>> opening(["One two.", "Three.", "Four five."], 3)
    'One two.\\n\\nThree.'
    """
    taken = [first_words(parts[0], limit)]
    for before, part in zip(parts, parts[1:], strict=False):
        if taken[-1].split() != before.split() or len(" ".join([*taken, part]).split()) > limit:
            break
        taken.append(part)
    return "\n\n".join(taken)


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a cell of text, headings and clocks aside; a formula on lines of its own is one.

    >>> paragraphs("## A\\n*minute 0 · 5 minutes*\\n\\nOne.\\nTwo.\\n\\n### B\\nThree.")
    ['One.\\nTwo.', 'Three.']
    """
    bare = re.sub(r"^(#.*|\*minute .*\*|\*Difficulty .*\*)$", "", text, flags=re.MULTILINE)
    return [one.strip() for one in re.split(r"\n\s*\n", bare) if one.strip()]


# --- the parts of a lab ---------------------------------------------------------------------------------------------


def title_slide(text: str) -> Slide:
    """The first cell: the title, what one will do, how long it takes."""
    title, *rest = text.splitlines()
    will, *more = paragraphs("\n".join(rest))
    name = inline(title.removeprefix("# "))
    return Slide(f"<h1>{name}</h1>{to_html(will)}<div class='small'>{to_html(' '.join(more))}</div>", "", True)


def text_slides(text: str) -> Iterator[Slide]:
    """The slides that a cell of text gives: a section's beginning, a prompt to predict, the recap; an exercise has its own."""
    own = re.sub(r"\s+(?=\*\*Before you run)", "\n\n", text.split("### Exercise")[0])  # it may stand within a paragraph
    parts = paragraphs(own)
    asks = [one for one in parts if one.startswith("**Before you run")]
    if heading := re.match(r"## (.+)\n\*(minute \d+ · \d+ minutes?)\*", own):
        said = [one for one in parts if one not in asks]
        head = f"<h2>{inline(heading[1])}</h2><p class='small'>{heading[2]}</p>"
        yield Slide(head + to_html(opening(said) if said else ""), to_html("\n\n".join(said)), True)
    for ask in asks:
        yield Slide(
            f"<h2>Before you run</h2>{to_html(without_lead('Before you run(?: the next cell)?', ask))}",
            "Let everybody write down an answer; count hands before you go on.",
        )


def without_lead(lead: str, paragraph: str) -> str:
    """A paragraph without the words in bold that it begins with (a regular expression), with a capital.

    >>> without_lead("Next", "**Next:** in lab 03")
    'In lab 03'
    """
    said = re.sub(rf"^[*][*]{lead}[.:]?[*][*][.:,]? *", "", paragraph)
    return said[:1].upper() + said[1:]


def inline(text: str) -> str:
    """A line of Markdown as HTML, without a paragraph around it."""
    return to_html(text).strip().removeprefix("<p>").removesuffix("</p>")


def recap_slides(text: str) -> Iterator[Slide]:
    """What was seen, a few points a slide; where it breaks; where to go."""
    bullets = [one.strip() for one in re.split(r"^- ", text.split("**Where this breaks")[0], flags=re.MULTILINE)[1:]]
    for at in range(0, len(bullets), BULLETS):
        items = "".join(f"<li>{inline(' '.join(one.split()))}</li>" for one in bullets[at : at + BULLETS])
        yield Slide(f"<h2>What you saw</h2><ul>{items}</ul>", "", at == 0)
    for part in paragraphs(text):
        if part.startswith("**Where this breaks"):
            yield Slide(f"<h2>Where this breaks</h2>{to_html(without_lead('Where this breaks', part))}")
        if part.startswith("**Next"):
            yield Slide(f"<h2>Next</h2>{to_html(without_lead('Next', part))}")


def exercise_slides(text: str, stub: str, answer: str) -> Iterator[Slide]:
    """An exercise: what is asked and what one starts from; on the next slide an answer."""
    asked = plain_difficulty(text[text.index("### Exercise") :])
    title, header = asked.splitlines()[:2]
    parts = paragraphs(asked)
    name = inline(title.removeprefix("### "))
    yield Slide(
        f"<h2>{name}</h2><p class='small'>{header.strip('*')}</p>{to_html(opening(parts))}{code(stub)}",
        to_html("\n\n".join(parts)),
    )
    yield Slide(
        f"<h2>{name}: an answer</h2>{code(answer)}", "Show it when most of the room has passed, and ask who has another one."
    )


def code(text: str) -> str:
    """Code or an output as a block; long ones are smaller."""
    lines = text.rstrip().splitlines()
    size = "long" if len(lines) > 14 or any(len(line) > 80 for line in lines) else "short"
    return f'<pre class="{size}" tabindex="0">{html.escape(text.rstrip())}</pre>'


def output_slides(cell: Json, shown: bool) -> Iterator[Slide]:
    """The pictures that a cell made; its printed lines too where ``shown``, if a room can read them."""
    for output in cell["outputs"]:
        page = "".join(output.get("data", {}).get("text/html", ""))
        for picture in re.findall(r"<img [^>]*>", page):
            words = re.search(r'alt="([^"]*)"', picture)
            notes = f"<p>{words[1]}</p>" if words else ""
            yield Slide(f"<h2>What came out</h2>{picture}", notes)
        lines = "".join(output.get("text", "")).rstrip().splitlines()
        if shown and 0 < len(lines) <= LINES and max(len(line) for line in lines) <= COLUMNS:
            yield Slide(f"<h2>What came out</h2>{code(chr(10).join(lines))}")


def quiz_slides(questions: list[QuizQuestion]) -> Iterator[Slide]:
    """Each question, and on the next slide which option is right and why."""
    for at, question in enumerate(questions):
        options = "".join(f"<li>{html.escape(option.text)}</li>" for option in question.options)
        ask = f"<h2>Check yourself</h2><p>{html.escape(question.ask)}</p>"
        yield Slide(f"{ask}<ol type='a'>{options}</ol>", "Hands for each, then the next slide.", at == 0)
        right = "".join(
            f"<p><strong>{letter}. {html.escape(option.text)}</strong> {html.escape(option.because)}</p>"
            for letter, option in zip(LETTERS, question.options, strict=False)
            if option.right
        )
        wrong = "".join(
            f"<p>{letter}: {html.escape(o.because)}</p>"
            for letter, o in zip(LETTERS, question.options, strict=False)
            if not o.right
        )
        yield Slide(f"{ask}{right}", wrong)


def slides_of(solution: Json, learners: Json, lab: str) -> list[Slide]:
    """All slides of a lab. ``solution`` is its executed notebook, ``learners`` the one without answers, as JSON."""
    stubs = {cell["metadata"]["exercise"]: text_of(cell) for cell in learners["cells"] if cell["metadata"].get("exercise")}
    cells = solution["cells"]
    slides, asked, waiting = [title_slide(text_of(cells[0]))], False, ""
    for cell in cells[1:]:
        text = text_of(cell)
        if cell["cell_type"] == "markdown":
            for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):  # a section may begin in the middle of a cell
                slides += recap_slides(part) if part.startswith("## What you saw") else text_slides(part)
            asked, waiting = "**Before you run" in text, text if "### Exercise" in text else waiting
        elif exercise := cell["metadata"].get("exercise"):
            slides += exercise_slides(waiting, stubs[exercise], text)
        elif text.strip() == f'quiz("{lab}")':
            slides += quiz_slides(quiz_of(lab))
        elif text.strip() != "progress()":
            made = list(output_slides(cell, asked))
            slides += made
            asked = asked and not made  # the prompt may stand before a cell that prints nothing
    return slides


def deck(title: str, slides: list[Slide]) -> str:
    """A deck as a page: sections of the lab side by side, what belongs to them below."""
    columns: list[list[str]] = []
    for one in slides:
        notes = f'<aside class="notes">{one.notes}</aside>' if one.notes else ""
        if one.opens or not columns:
            columns.append([])
        columns[-1].append(f"<section>{one.body}{notes}</section>")
    return PAGE.format(
        title=html.escape(title), slides="\n".join(f"<section>\n{chr(10).join(column)}\n</section>" for column in columns)
    )


def decks(book: Path) -> Iterator[tuple[str, str | bytes]]:
    """Every file of the decks: its name in their folder and its content."""
    for name in FILES:
        yield f"reveal/{name}", (book / REVEAL / name).read_bytes()
    for lab, stem in LABS.items():
        solution, learners = (
            json.loads((book.parent / folder / f"{stem}.ipynb").read_text(encoding="utf-8")) for folder in ("solutions", "labs")
        )
        title = text_of(solution["cells"][0]).splitlines()[0].removeprefix("# ")
        yield f"{stem}.html", deck(f"{title} · slides", slides_of(solution, learners, lab))


def write(book: Path, folder: Path) -> list[Path]:
    """Write the decks into a folder; return their pages. Raises :class:`CourseError <course_lib.errors.CourseError>`."""
    pages = []
    for name, content in decks(book):
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        except OSError as error:
            raise CourseError(f"The slides could not be written to {folder} ({error}).", "choose another folder.") from error
        pages += [path] if path.suffix == ".html" else []
    return pages
