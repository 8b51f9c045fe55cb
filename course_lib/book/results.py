"""The page of measured results, made from the result files that ship with the course: ``course book results``.

Nothing is measured here: the files hold answers, and the marks are computed from them by the library, as in the labs.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..evaluation.intervals import Difference, bootstrap_interval, paired_difference, wilson_interval

if TYPE_CHECKING:
    from ..evaluation.marks import Measure
    from ..evaluation.open_book import Run

Cell = str | int | float


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], numbers: bool = True) -> list[str]:
    """A table in Markdown: the first column to the left, the others to the right where they are numbers.

    >>> table(["way", "right"], [["closed", "1.5 %"]])
    ['| way | right |', '| --- | --: |', '| closed | 1.5 % |', '']
    """
    lines = ["| " + " | ".join(head) + " |", "| --- |" + (" --: |" if numbers else " --- |") * (len(head) - 1)]
    return [*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


def percent(value: float) -> str:
    """A share as percent.

    >>> percent(0.2308)
    '23.1 %'
    """
    return f"{100 * value:.1f} %"


def with_interval(value: float, low: float, high: float) -> str:
    """A share with the ends of its 95 % interval.

    >>> with_interval(0.231, 0.184, 0.286)
    '23.1 % (18.4 to 28.6)'
    """
    return f"{percent(value)} ({100 * low:.1f} to {100 * high:.1f})"


def share_of(hits: int, trials: int) -> str:
    """So many of so many, as a share with Wilson's interval; a dash where there was no trial.

    >>> share_of(2, 58)
    '2 of 58, 3.4 % (1.0 to 11.7)'
    """
    return f"{hits} of {trials}, {with_interval(hits / trials, *wilson_interval(hits, trials))}" if trials else "–"


def interval_of(values: Sequence[float]) -> tuple[float, float]:
    """The bootstrap interval of a mean; where every value is 0, or every one 1, Wilson's: a bootstrap would know no doubt there.

    >>> [round(end, 3) for end in interval_of([0.0] * 20)]
    [0.0, 0.161]
    """
    same = len(set(values)) == 1 and values[0] in (0, 1)
    return wilson_interval(round(sum(values)), len(values)) if same else bootstrap_interval(values)


def mean_of(values: Sequence[float]) -> str:
    """A mean with its interval, as percent."""
    return with_interval(sum(values) / len(values), *interval_of(values))


def points(difference: Difference) -> str:
    """A difference of shares in percentage points, with a word where its interval holds zero.

    >>> points(Difference(0.03, -0.01, 0.06, 260))
    '+3.0 (-1.0 to +6.0), not shown'
    """
    told = f"{100 * difference.mean:+.1f} ({100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
    return told if difference.shown else f"{told}, not shown"


def provenance(path: Path, about: Mapping[str, Any], command: str) -> str:
    """Where the numbers of a section come from: file, model, machine, versions, time, day, and the command that remakes the file."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    seconds = about.get("seconds") or sum(one["seconds"] for one in about.get("trainings", {}).values())
    took = f"; {seconds} s of {'training' if 'trainings' in about else 'work'}" if seconds else ""
    return (
        f"*`{path.name}`: {about['model']} on {about['machine']}; {versions}{took}; {day_of(path)}. Made anew by `{command}`.*\n"
    )


def day_of(path: Path) -> str:
    """The day on which a file was committed, where this is a clone of the course."""
    try:
        git = ["git", "log", "-1", "--format=%cs", "--", path.name]
        day = subprocess.run(git, cwd=path.parent, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        day = ""
    return f"committed on {day}" if day else "day not recorded"


# --- the sections ---------------------------------------------------------------------------------------------------


def closed_book_section() -> list[str]:
    """The untouched model without a book."""
    from ..evaluation import closed_book

    questions, answers, about = closed_book.load_results()
    rows = [(one.name, share_of(one.right, one.asked)) for one in closed_book.score_by_type(questions, answers)]
    return [
        "## The closed book, before any training",
        "",
        "The model with nothing to look up, all questions of the exam, by the plain rule of lab 00.",
        "",
        *table(["kind of question", "right"], rows),
        provenance(closed_book.RESULTS, about, closed_book.COMMAND),
    ]


def open_book_section(run: Run) -> list[str]:
    """The untouched model with passages: marks, differences, whose fault, cost."""
    from ..evaluation import open_book
    from ..evaluation.marks import measures, swap_passages
    from ..prices import load_prices

    lines = [
        "## The open book, before any training",
        "",
        "The same model with passages in its prompt, by the strict rule of lab 04. `random`: three passages by chance; `retrieved`: the three",
        "that hybrid search found; `gold`: the passages that hold the answer.",
        "",
    ]
    for corpus, title in (("quillfeather", "Quillfeather"), ("sqlite", "SQLite's documentation")):
        found = {name: {one.name: one for one in measures(run.marks(name, corpus))} for name in open_book.REPORTED}
        names = dict.fromkeys(name for row in found.values() for name in row)
        rows = [[name, *(measure(found[condition].get(name)) for condition in open_book.REPORTED)] for name in names]
        counted = len(run.readings("gold", corpus))
        lines += [f"### {title}, {counted} questions", "", *table(["measure", *open_book.REPORTED], rows)]
        pairs = (("retrieved", "random"), ("gold", "retrieved"), ("random", "closed"))
        differences = [
            (f"{one} against {other}", points(paired_difference(run.rights(one, corpus), run.rights(other, corpus))))
            for one, other in pairs
        ]
        lines += ["Right answers, in percentage points, paired by question:", "", *table(["difference", "points"], differences)]
        swap = swap_passages(run.rights("retrieved", corpus), run.rights("gold", corpus))
        lines += [
            f"Of {swap.failures} failures with retrieved passages the gold passages mend {share_of(swap.gold_only, swap.failures)}:",
            "those are the search's. The others are the reader's.",
            "",
        ]
    attributed = {one.name: one for one in measures(run.marks("retrieved", attributed=True))}
    lines += [
        "### Citations by a program",
        "",
        "Instead of what the model cites: the passage whose sentence shares most words with its answer, under `retrieved`.",
        "",
        *table(
            ["measure", "value"], [(name, measure(attributed.get(name))) for name in ("citation precision", "citation recall")]
        ),
        "### What a question costs",
        "",
        "Mean tokens and milliseconds (a share of a batch's time: what it cost, not how long one would wait), and 1,000 such questions under",
        "the course's price list of hosted models, each with the day on which the price was read.",
        "",
    ]
    prices = [price for price in load_prices().values() if price.kind == "hosted"]
    costs = []
    for corpus, condition in (
        ("quillfeather", "retrieved"),
        ("quillfeather", "gold"),
        ("sqlite", "retrieved"),
        ("sqlite", "closed"),
    ):
        ledger = run.ledger(condition, corpus)
        ms = sum(entry.total_ms for entry in ledger.entries) / len(ledger.entries)
        dollars = [f"\\${price.cost_of(ledger):.2f}" for price in prices]
        costs.append([f"{corpus}, {condition}", f"{ledger.tokens_in:.0f}", f"{ledger.tokens_out:.0f}", f"{ms:.0f}", *dollars])
    head = ["corpus, condition", "tokens in", "tokens out", "ms", *(f"{price.name} ({price.as_of})" for price in prices)]
    return [*lines, *table(head, costs), provenance(open_book.RESULTS, run.about, open_book.COMMAND)]


def measure(one: Measure | None) -> str:
    """A measure with its interval; a dash where there is none."""
    return with_interval(one.value, one.low, one.high) if one else "–"


def second_reading_section(run: Run) -> list[str]:
    """How often the marks err."""
    from ..evaluation.second_reading import RESULTS, load_second_reading

    readings = load_second_reading(run)
    rows = []
    for name, wanted in (("marked right, but is not", True), ("marked wrong, but is right", False)):
        flaws = [one.right != one.marked for one in readings if one.marked is wanted]
        rows.append((name, share_of(sum(flaws), len(flaws))))
    return [
        "## How often the marks err",
        "",
        f"{len(readings)} answers under `gold` were read one by one against the documents (`{RESULTS.name}`, {day_of(RESULTS)}).",
        "",
        *table(["how they were marked", "answers"], rows),
    ]


def attacks_section() -> list[str]:
    """How often a planted instruction got what it was after."""
    from ..evaluation import attacks, shipped

    rows = [
        (name, share_of(sum(one.succeeded for one in tries), len(tries)), sum(one.reached for one in tries))
        for name, tries in attacks.load_attempts().items()
    ]
    _, about = shipped.read_rows(attacks.RESULTS, attacks.made_with(), attacks.COMMAND)
    return [
        "## Prompt injections",
        "",
        "Six planted instructions, five innocent questions each. `alone`: the planted passage is all that the model sees; `found`: among what the",
        "search found; `quoted`: marked as data, with a warning; `filtered`: official documents only.",
        "",
        *table(["condition", "the attack got what it was after", "in the prompt"], rows),
        "Attempts with one document are alike, so the true intervals are wider.",
        "",
        provenance(attacks.RESULTS, about, attacks.COMMAND),
    ]


def freshness_section() -> list[str]:
    """Questions whose answer changed, before and after the change."""
    from ..evaluation import freshness

    asked, about = freshness.load_run()
    names = {
        "found_before": "the passage of 2025 in the prompt, before",
        "found_after": "the passage of 2026 in the prompt, after",
        "right_before": "answered as of 2025, before",
        "right_after": "answered as of 2026, after",
    }
    rows = [(told, share_of(sum(getattr(one, name) for one in asked), len(asked))) for name, told in names.items()]
    return [
        "## After a change of the documents",
        "",
        f"{len(asked)} questions whose answer changed, asked before and after the index took the new edition.",
        "",
        *table(["what", "questions"], rows),
        provenance(freshness.RESULTS, about, freshness.COMMAND),
    ]


def tickets_section() -> list[str]:
    """Support tickets as JSON: a prompt against training."""
    from ..evaluation import ticket_runs

    runs = ticket_runs.load_runs()
    names = ("rules, 5 shown", "trained")
    rows = [[mark, *(mean_of(runs.shares(name, mark)) for name in names)] for mark in ticket_runs.MARKS]
    costs = [runs.cost(name) for name in names]
    rows += [
        [told, *(f"{cost[at]:.0f}" for cost in costs)] for at, told in enumerate(("tokens in", "tokens out", "milliseconds"))
    ]
    trainings = [
        (way, one["tickets"], one["steps"], one["seconds"], share_of(sum(runs.probes[way]), len(runs.probes[way])))
        for way, one in runs.about["trainings"].items()
    ]
    tickets = len(next(iter(runs.filings.values())))
    return [
        "## Tickets as JSON: a prompt against training",
        "",
        f"{tickets} tickets about products that training never saw. `rules, 5 shown`: the untouched model, told the rules and shown five tickets.",
        "`trained`: LoRA, the mean of three seeds, a prompt of seven words; intervals over the tickets.",
        "",
        *table(["measure", *names], rows),
        "What the trainings took, and how many of the questions of general knowledge were right after them:",
        "",
        *table(["training", "tickets", "steps", "seconds", "general questions right"], trainings),
        provenance(ticket_runs.RESULTS, runs.about, ticket_runs.COMMAND),
    ]


def facts_section() -> list[str]:
    """Facts taught by heart: known, in other words, after a change, forgotten."""
    from ..evaluation import fact_runs

    runs = fact_runs.load_runs()
    ways = ("before", "taught", "taught anew")
    rows = [[of, *(mean_of(runs.shares(way, of)) for way in ways)] for of in fact_runs.SETS]
    rows.append(["held out, with the open book of 2025", mean_of(runs.shares("open book 2025", "held out")), "–", "–"])
    changed: list[list[Cell]] = []
    for way in (*runs.ways("taught"), "taught anew", "open book 2025", "open book 2026"):
        of = "held out" if way.startswith("open book") else "trained"
        some = [one for one in runs.answers(way, of) if one.item.new]
        changed.append([way, len(some), sum(one.right for one in some), sum(one.right_2026 for one in some)])
    trainings = [(way, one["steps"], one["seconds"]) for way, one in runs.about["trainings"].items()]
    return [
        "## Facts taught by heart",
        "",
        "Right answers by the edition of 2025. `trained`: wordings that training saw; `held out`: the same facts in other words; `unseen`: products",
        "that were not taught; `general`: general knowledge. `taught` is the mean of three seeds; `taught anew` was trained on the edition of 2026.",
        "",
        *table(["questions", *ways], rows),
        "The facts that the edition of 2026 changed, by what was answered (the open books are asked a held-out wording):",
        "",
        *table(["way", "changed facts", "old answer", "new answer"], changed),
        *table(["training", "steps", "seconds"], trainings),
        provenance(fact_runs.RESULTS, runs.about, fact_runs.COMMAND),
    ]


def retriever_section() -> list[str]:
    """The search, stock and tuned, at home and on another shelf."""
    from ..evaluation import retriever_runs

    runs = retriever_runs.load_runs()
    lines = [
        "## The search, stock and tuned",
        "",
        "`tuned`: the embedder after contrastive training on the training products; `tuned, reranked`: its hits ranked once more by a small",
        "cross-encoder. Means of three seeds, intervals over the questions. SQLite's documentation was not trained on.",
        "",
    ]
    for corpus, title in (("quillfeather", "Quillfeather"), ("sqlite", "SQLite's documentation")):
        shelf = retriever_runs.load_shelf(corpus)
        rows = []
        for name in retriever_runs.SYSTEMS:
            values = [mean_of(runs.marks(name, corpus, one)) for one in retriever_runs.MEASURES]
            gains = [points(runs.gain(name, "stock", corpus, one)) for one in retriever_runs.MEASURES]
            rows.append([name, *values, *(gains if name != "stock" else ["–"] * len(gains))])
        head = ["search", *retriever_runs.MEASURES, *(f"{one} against stock" for one in retriever_runs.MEASURES)]
        lines += [f"### {title}, {len(shelf.questions)} questions, {len(shelf.passages)} passages", "", *table(head, rows)]
    trainings = [(way, one["pairs"], one["steps"], one["seconds"]) for way, one in runs.about["trainings"].items()]
    return [
        *lines,
        *table(["training", "pairs", "steps", "seconds"], trainings),
        provenance(retriever_runs.RESULTS, runs.about, retriever_runs.COMMAND),
    ]


def page() -> str:
    """The page of results as Markdown. Raises :class:`CourseError <course_lib.errors.CourseError>` for a file that does not fit its inputs."""
    from ..evaluation.open_book import load_run

    run = load_run()
    lines = [
        "# Measured results",
        "",
        "Every number here is computed, when this page is made, from the answers in the result files that ship with the course",
        "(`course book results` prints this page). In brackets: 95 % intervals (Wilson's for shares, else by bootstrap).",
        "*Not shown* means that an interval holds zero: these questions cannot tell the two apart. All of it is one small model, two sets of",
        "documents and one machine; take the methods with you, not the numbers.",
        "",
        *closed_book_section(),
        *open_book_section(run),
        *second_reading_section(run),
        *attacks_section(),
        *freshness_section(),
        *tickets_section(),
        *facts_section(),
        *retriever_section(),
    ]
    return "\n".join(lines) + "\n"
