"""Tickets to the desk's JSON in every way that lab 07 compares: by prompts, and after training.

``python -m course_lib.evaluation.ticket_runs`` puts the exam's tickets to every way, trains what has to be trained, writes the
result file and the adapter that ships with the course. A run that is stopped goes on where it was. Only answers are stored: whoever
reads the file computes the marks.

``rules``          the untouched model, told the house's rules
``rules, 5 shown`` the same, and shown five tickets with their JSON
``trained``        LoRA by ``RECIPE``, three seeds, a prompt of seven words
:data:`CURVE`      the same recipe with one thing changed, one seed each: fewer tickets, more passes, other ranks, names kept
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..corpus import load_probes
from ..corpus.tickets import GoldTicket, RawTicket
from ..finetune import Recipe, merged, run_folder, train
from ..finetune.adapters import SHIPPED, load_adapter, save_adapter
from ..finetune.prepare import prepared_tickets, renamed, training_examples, training_tickets
from ..finetune.tickets import FIELDS, Filed, house_object, mark_ticket, shown_messages, ticket_messages
from ..generation import generate
from ..generation.generate import Generated, generate_counted
from ..models import LANGUAGE_MODEL, LanguageModel, language_model
from . import shipped
from .answers import is_correct
from .cached import cached
from .intervals import bootstrap_interval

RESULTS = shipped.RESULTS / "tickets.json"
COMMAND = "python -m course_lib.evaluation.ticket_runs"
RECIPE = Recipe(layers=20, rank=8, alpha=16, epochs=1, batch_size=2, learning_rate=2e-3, dev_checks=2)
SEEDS = (0, 1, 2)
SHOTS = ("T-60158", "T-60111", "T-60004", "T-60222", "T-60128")
DEV = 16
MARKS = ("valid", "fields", "whole", "voice")
MAX_NEW_TOKENS, BATCH = 130, 37
HELPER = "You are a helpful assistant."
"""What the model is told before a question of general knowledge."""


@dataclass(frozen=True)
class Way:
    """One way of filing tickets: a prompt, or a recipe with so many training tickets."""

    name: str
    recipe: Recipe | None = None
    tickets: int = 0
    renamed: bool = True

    @property
    def key(self) -> str:
        """Its name, with the seed where it was trained."""
        return f"{self.name}, seed {self.recipe.seed}" if self.recipe else self.name


CURVE = {
    way.name: way
    for way in (
        Way("105 tickets", RECIPE, 105),
        Way("211 tickets", RECIPE, 211),
        Way("105, four times", replace(RECIPE, epochs=4), 105),
        Way("rank 1", replace(RECIPE, rank=1, alpha=2), 423),
        Way("rank 32", replace(RECIPE, rank=32, alpha=64), 423),
        Way("names kept", RECIPE, 423, renamed=False),
    )
}
"""What training gives with one thing changed, by name."""


@dataclass(frozen=True)
class Filing:
    """One ticket filed in one way: what the model wrote, the tokens of the prompt, of the answer, and its share of the batch's time."""

    way: str
    ticket: RawTicket
    gold: GoldTicket
    text: str
    tokens_in: int
    tokens_out: int
    ms: float

    @property
    def marks(self) -> Filed:
        """The marks of the answer."""
        return mark_ticket(self.text, house_object(self.ticket, self.gold))


def ways() -> list[Way]:
    """Every way, in the order of the result file."""
    trained = [Way("trained", replace(RECIPE, seed=seed), len(training_tickets())) for seed in SEEDS]
    return [*trained, Way("rules, 5 shown"), Way("rules"), *CURVE.values()]


def dev_examples(lm: LanguageModel) -> list[Any]:
    """The dev tickets on which the loss is taken during training, as examples: every second one."""
    return training_examples(lm, prepared_tickets("dev")[::2][:DEV])


def shots() -> list[tuple[RawTicket, GoldTicket]]:
    """The tickets that the longest prompt shows, all from training."""
    by_id = {ticket.id: (ticket, gold) for ticket, gold in training_tickets()}
    return [by_id[name] for name in SHOTS]


# --- the run --------------------------------------------------------------------------------------------------------


def trained_adapter(lm: LanguageModel, way: Way, progress: bool = False) -> tuple[Path, dict[str, Any]]:
    """Train what a way needs, unless that was done before; the adapter's folder, and what is known of the run."""
    assert way.recipe is not None
    pairs = training_tickets(way.tickets)
    examples = training_examples(lm, renamed(pairs) if way.renamed else pairs)
    dev = dev_examples(lm)
    folder = run_folder("tickets", lm, examples, way.recipe, dev)
    run = train(lm, examples, way.recipe, dev, folder, progress=progress)
    about = {
        "command": COMMAND,
        "licence": shipped.LICENCE,
        "tickets": way.tickets,
        "data_sha256": data_digest(),
    } | shipped.about_this_run()
    numbers = {"seconds": round(run.seconds), "steps": len(run.steps), "tokens": run.steps[-1].tokens, "dev_losses": run.dev_losses,
               "losses": [round(step.loss, 4) for step in run.steps]}  # fmt: skip
    return save_adapter(run, folder / "adapter", about), numbers


def file_all(lm: LanguageModel, way: Way, progress: bool = False) -> dict[str, Any]:
    """Put the exam's tickets, and the questions of general knowledge, to one way: its answers, and what is known of its training."""
    numbers: dict[str, Any] = {}
    if way.recipe:
        folder, numbers = trained_adapter(lm, way, progress)
        lm = merged(load_adapter(lm, folder))
    conversations = [_messages(way, ticket) for ticket, _ in prepared_tickets("exam")]
    made = generate_counted(lm, conversations, MAX_NEW_TOKENS, BATCH, progress)
    return {"tickets": [_row(one) for one in made], "probes": probe_answers(lm), "training": numbers}


def _messages(way: Way, ticket: RawTicket) -> list[dict[str, str]]:
    if way.recipe:
        return ticket_messages(ticket)
    return shown_messages(ticket, shots() if way.name == "rules, 5 shown" else [])


def _row(one: Generated) -> dict[str, Any]:
    return {"text": one.text, "tokens_in": one.tokens_in, "tokens_out": one.tokens_out, "ms": round(one.ms)}


def probe_answers(lm: LanguageModel) -> list[str]:
    """What a model answers to the questions of general knowledge."""
    from ..generation import chat_messages

    return generate(lm, [chat_messages(probe.question, HELPER) for probe in load_probes()], max_new_tokens=24, batch_size=30)


def run_all(lm: LanguageModel, progress: bool = False) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every way over the whole exam: the rows, and what is known of the trainings. What was done before is taken from the cache."""
    rows: list[dict[str, Any]] = []
    trainings: dict[str, Any] = {}
    for way in ways():
        start = time.perf_counter()
        inputs = {
            "way": [way.name, way.tickets, way.renamed, asdict(way.recipe) if way.recipe else None],
            **made_with(),
            "model": lm.name,
        }
        done = cached("tickets", inputs, lambda way=way: file_all(lm, way, progress))  # type: ignore[misc]
        if progress:
            print(f"{way.key}: {time.perf_counter() - start:.0f} s", flush=True)
        names = [ticket.id for ticket, _ in prepared_tickets("exam")]
        rows += [{"way": way.key, "ticket": name} | row for name, row in zip(names, done["tickets"], strict=True)]
        probes = zip(load_probes(), done["probes"], strict=True)
        rows += [{"way": way.key, "probe": probe.id, "text": text} for probe, text in probes]
        if done["training"]:
            trainings[way.key] = {"tickets": way.tickets} | done["training"]
    return rows, trainings


# --- the shipped file -----------------------------------------------------------------------------------------------


def data_digest() -> str:
    """The hash of what is trained on."""
    return shipped.digest([[ticket_messages(ticket), house_object(ticket, gold)] for ticket, gold in renamed(training_tickets())])


@lru_cache(maxsize=1)
def made_with() -> dict[str, str]:
    """The hashes of what the answers depend on: the tickets trained on, the exam's, the prompts, the probes."""
    exam = [ticket for ticket, _ in prepared_tickets("exam")]
    return {
        "training_tickets": data_digest(),
        "exam": shipped.digest([[ticket.id, ticket_messages(ticket)] for ticket in exam]),
        "prompts": shipped.digest([shown_messages(exam[0], shots()), MAX_NEW_TOKENS]),
        "probes": shipped.digest([[probe.id, probe.question, HELPER] for probe in load_probes()]),
    }


@dataclass(frozen=True)
class TicketRuns:
    """The shipped run: every ticket filed in every way, the answers to the probes, what is known of the trainings and the machine."""

    filings: Mapping[str, Sequence[Filing]]
    probes: Mapping[str, Sequence[bool]]
    about: Mapping[str, Any]

    def ways(self, name: str) -> list[str]:
        """The keys of a way: one for each seed, or the way itself."""
        return [key for key in self.filings if key == name or key.startswith(f"{name}, seed ")]

    def shares(self, name: str, mark: str) -> list[float]:
        """For each exam ticket a mark from 0 to 1, averaged over the seeds: ``valid``, ``fields``, ``whole`` or ``voice``."""
        runs = [[_mark(one.marks, mark) for one in self.filings[key]] for key in self.ways(name)]
        return [sum(values) / len(values) for values in zip(*runs, strict=True)]

    def line(self, name: str) -> str:
        """The four marks of a way with their 95 % intervals, over the seeds and bootstrapped over the tickets."""
        told = []
        for mark in MARKS:
            values = self.shares(name, mark)
            low, high = bootstrap_interval(values)
            told.append(f"{mark} {sum(values) / len(values):4.0%} ({low:.0%}–{high:.0%})")
        return f"{name:<20} {'  '.join(told)}"

    def field(self, name: str, field: str) -> list[float]:
        """For each exam ticket the share of the seeds that have a field right; an answer that is not valid has none."""
        runs = [[_has(one, field) for one in self.filings[key]] for key in self.ways(name)]
        return [sum(values) / len(values) for values in zip(*runs, strict=True)]

    def cost(self, name: str) -> tuple[float, float, float]:
        """Tokens of the prompt, tokens of the answer and milliseconds, each a mean over the tickets and seeds."""
        filed = [one for key in self.ways(name) for one in self.filings[key]]
        sums = [sum(getattr(one, part) for one in filed) for part in ("tokens_in", "tokens_out", "ms")]
        return (sums[0] / len(filed), sums[1] / len(filed), sums[2] / len(filed))


def _mark(marks: Filed, name: str) -> float:
    return marks.fields_right / len(FIELDS) if name == "fields" else float(getattr(marks, name))


def _has(filing: Filing, field: str) -> bool:
    return filing.marks.valid and json.loads(filing.text)[field] == house_object(filing.ticket, filing.gold)[field]


def load_runs(path: Path = RESULTS) -> TicketRuns:
    """The shipped run.

    Raises :class:`CourseError <course_lib.errors.CourseError>` where the file is missing, damaged, or was made with something else.

    >>> len(load_runs().filings["rules, 5 shown"])
    111
    """
    rows, about = shipped.read_rows(path, made_with(), COMMAND)
    pairs = {ticket.id: (ticket, gold) for ticket, gold in prepared_tickets("exam")}
    probes = {probe.id: probe for probe in load_probes()}
    filings: dict[str, list[Filing]] = {}
    right: dict[str, list[bool]] = {}
    for row in rows:
        if "probe" in row:
            right.setdefault(row["way"], []).append(is_correct(probes[row["probe"]].ask(), row["text"]))
        else:
            filings.setdefault(row["way"], []).append(
                Filing(row["way"], *pairs[row["ticket"]], row["text"], row["tokens_in"], row["tokens_out"], row["ms"])
            )
    return TicketRuns(filings, right, about)


def ship(folder: Path, name: str) -> Path:
    """Copy an adapter to those that ship with the course."""
    return Path(shutil.copytree(folder, SHIPPED / name, dirs_exist_ok=True))


def main() -> None:
    """Run every way, write the result file and the adapter of the first seed."""
    shipped.command_line(__doc__)
    lm = language_model()
    rows, trainings = run_all(lm, progress=True)
    about = {"model": lm.name, "model_sha256": LANGUAGE_MODEL.sha256, "trainings": trainings, **shipped.about_this_run()}
    shipped.write_rows(RESULTS, rows, about, made_with())
    folder = ship(trained_adapter(lm, next(way for way in ways() if way.recipe))[0], "tickets")
    runs = load_runs()
    for key in runs.filings:
        print(f"{runs.line(key)}  probes {sum(runs.probes[key])} of {len(runs.probes[key])}")
    print(f"written to {RESULTS} and {folder}")


if __name__ == "__main__":
    main()
