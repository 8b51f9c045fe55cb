"""Facts taught by heart: what lab 08 measures before and after training, and after the documents changed.

``python -m course_lib.evaluation.fact_runs`` trains, asks, writes the result file and the adapter that ships with the course. A run
that is stopped goes on where it was. Only answers are stored: whoever reads the file computes the marks.

``before``       the untouched model, closed book
``taught``       the same after training on the facts of 2025 by ``RECIPE``, three seeds
``taught anew``  trained from the start on the facts as they are in 2026: what a refresh takes
``open book``    the untouched model with three retrieved passages, on the shelf of 2025 and on that of 2026

Each is asked a trained wording of every taught fact, two wordings that training never saw, facts of products that training never saw,
and questions of general knowledge; the open book one held-out wording of each taught fact.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..corpus import Fact, Probe, Question, load_facts, load_passages, load_probes
from ..finetune import Example, Recipe, make_example, merged, run_folder, train
from ..finetune.adapters import load_adapter, save_adapter
from ..generation import chat_messages, generate
from ..models import LANGUAGE_MODEL, LanguageModel, language_model
from ..pipeline import Assistant
from ..retrieval.fusion import hybrid
from . import shipped
from .answers import is_correct
from .cached import cached
from .intervals import bootstrap_interval
from .ticket_runs import HELPER, ship

RESULTS = shipped.RESULTS / "facts.json"
COMMAND = "python -m course_lib.evaluation.fact_runs"
RECIPE = Recipe(layers=20, rank=8, alpha=16, epochs=8, batch_size=4, learning_rate=1e-3)
SEEDS = (0, 1, 2)
MAX_NEW_TOKENS, BATCH = 24, 32
SETS = ("trained", "held out", "unseen", "general")


@dataclass(frozen=True)
class Item:
    """One question of a set, about a fact or of general knowledge."""

    set: str
    about: Fact | Probe
    wording: str

    @property
    def old(self) -> Question:
        """With the answer of 2025 (or the only one)."""
        return self.about.ask(self.wording) if isinstance(self.about, Fact) else self.about.ask()

    @property
    def new(self) -> Question | None:
        """With the answer of 2026; ``None`` where it did not change."""
        changed = isinstance(self.about, Fact) and self.about.edition_2026 is not None
        return self.about.ask(self.wording, "2026") if changed and isinstance(self.about, Fact) else None


@dataclass(frozen=True)
class Said:
    """What one way answered to one question."""

    way: str
    item: Item
    text: str

    @property
    def right(self) -> bool:
        """Right by the edition of 2025, which is the one that was taught."""
        return is_correct(self.item.old, self.text)

    @property
    def right_2026(self) -> bool:
        """Right by the edition of 2026: where nothing changed, the same."""
        return is_correct(self.item.new or self.item.old, self.text)


def items() -> list[Item]:
    """Every question, set by set."""
    taught, unseen = load_facts(), load_facts("unseen")
    return [
        *(Item("trained", fact, fact.trained[0]) for fact in taught),
        *(Item("held out", fact, wording) for fact in taught for wording in fact.held_out),
        *(Item("unseen", fact, fact.question) for fact in unseen),
        *(Item("general", probe, probe.question) for probe in load_probes()),
    ]


def fact_examples(lm: LanguageModel, facts: Sequence[Fact], edition: str = "2025") -> list[Example]:
    """The trained wordings of some facts as examples: the question alone, and the answer of an edition."""
    return [
        make_example(lm, chat_messages(wording), fact.ask(wording, edition).answer) for fact in facts for wording in fact.trained
    ]


# --- the run --------------------------------------------------------------------------------------------------------


def taught_adapter(
    lm: LanguageModel, recipe: Recipe = RECIPE, edition: str = "2025", progress: bool = False
) -> tuple[Path, dict[str, Any]]:
    """Teach the facts of an edition, unless that was done before; the adapter's folder, and what is known of the run."""
    examples = fact_examples(lm, load_facts(), edition)
    folder = run_folder("facts", lm, examples, recipe)
    run = train(lm, examples, recipe, folder=folder, progress=progress)
    about = {
        "command": COMMAND,
        "licence": shipped.LICENCE,
        "edition": edition,
        "data_sha256": made_with()["facts"],
    } | shipped.about_this_run()
    numbers = {"seconds": round(run.seconds), "steps": len(run.steps), "tokens": run.steps[-1].tokens,
               "losses": [round(step.loss, 4) for step in run.steps]}  # fmt: skip
    return save_adapter(run, folder / "adapter", about), numbers


def ask_all(lm: LanguageModel, progress: bool = False) -> list[str]:
    """Put every question to a model, closed book."""
    told = [chat_messages(one.wording, **({"system": HELPER} if one.set == "general" else {})) for one in items()]
    return generate(lm, told, MAX_NEW_TOKENS, BATCH, progress)


def look_up_all(lm: LanguageModel, edition: str, progress: bool = False) -> list[str]:
    """Answer the first held-out wording of every taught fact from the shelf of an edition."""
    shelf = load_passages(edition=edition)
    answers = Assistant(hybrid(shelf), lm).ask_many([fact.held_out[0] for fact in load_facts()], progress)
    return [one.words for one in answers]


def run_all(lm: LanguageModel, progress: bool = False) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every way: the rows, and what is known of the trainings. What was done before is taken from the cache."""
    rows: list[dict[str, Any]] = []
    trainings: dict[str, Any] = {}

    def kept(way: str, inputs: Any, make: Any) -> Any:
        start = time.perf_counter()
        done = cached("facts", {"way": way, "inputs": inputs, "model": lm.name, **made_with()}, make)
        if progress:
            print(f"{way}: {time.perf_counter() - start:.0f} s", flush=True)
        return done

    def taught(recipe: Recipe, edition: str) -> dict[str, Any]:
        folder, numbers = taught_adapter(lm, recipe, edition, progress)
        return {"answers": ask_all(merged(load_adapter(lm, folder)), progress), "training": numbers}

    closed = {"before": kept("before", None, lambda: {"answers": ask_all(lm, progress)})}
    for seed in SEEDS:
        recipe = replace(RECIPE, seed=seed)
        closed[f"taught, seed {seed}"] = kept(
            f"taught, seed {seed}", asdict(recipe), lambda recipe=recipe: taught(recipe, "2025")
        )
    closed["taught anew"] = kept("taught anew", asdict(RECIPE), lambda: taught(RECIPE, "2026"))
    for way, done in closed.items():
        rows += [{"way": way, "item": at, "text": text} for at, text in enumerate(done["answers"])]
        if "training" in done:
            trainings[way] = done["training"]
    first = [at for at, one in enumerate(items()) if one.set == "held out"][::2]
    for edition in ("2025", "2026"):
        way = f"open book {edition}"
        texts = kept(way, edition, lambda edition=edition: look_up_all(lm, edition, progress))
        rows += [{"way": way, "item": at, "text": text} for at, text in zip(first, texts, strict=True)]
    return rows, trainings


# --- the shipped file -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def made_with() -> dict[str, str]:
    """The hashes of what the answers depend on: the facts and their wordings, all questions, the passages."""
    return {
        "facts": shipped.digest([asdict(fact) for fact in load_facts()]),
        "questions": shipped.digest([[one.set, one.wording] for one in items()]),
        "passages": shipped.digest(
            [[one.id, one.text] for edition in ("2025", "2026") for one in load_passages(edition=edition)]
        ),
    }


@dataclass(frozen=True)
class FactRuns:
    """The shipped run: what every way said, and what is known of the trainings and the machine."""

    said: Mapping[str, Sequence[Said]]
    about: Mapping[str, Any]

    def ways(self, name: str) -> list[str]:
        """The keys of a way: one for each seed, or the way itself."""
        return [key for key in self.said if key == name or key.startswith(f"{name}, seed ")]

    def answers(self, way: str, of: str) -> list[Said]:
        """What one way, by its key, said to the questions of a set."""
        return [one for one in self.said[way] if one.item.set == of]

    def shares(self, name: str, of: str, edition: str = "2025") -> list[float]:
        """For each question of a set the share of the seeds that answered it right by an edition."""
        runs = [[one.right if edition == "2025" else one.right_2026 for one in self.answers(key, of)] for key in self.ways(name)]
        return [sum(values) / len(values) for values in zip(*runs, strict=True)]

    def line(self, name: str, of: str) -> str:
        """The share right of a set by the edition of 2025 with its 95 % interval, over the seeds and bootstrapped over the questions."""
        values = self.shares(name, of)
        low, high = bootstrap_interval(values)
        return f"{name:<15} {of:<9} {sum(values) / len(values):4.0%} right ({low:.0%}–{high:.0%}), n {len(values)}"


def load_runs(path: Path = RESULTS) -> FactRuns:
    """The shipped run.

    Raises :class:`CourseError <course_lib.errors.CourseError>` where the file is missing, damaged, or was made with something else.

    >>> len(load_runs().answers("before", "held out"))
    192
    """
    rows, about = shipped.read_rows(path, made_with(), COMMAND)
    questions = items()
    said: dict[str, list[Said]] = {}
    for row in rows:
        said.setdefault(row["way"], []).append(Said(row["way"], questions[row["item"]], row["text"]))
    return FactRuns(said, about)


def main() -> None:
    """Run every way, write the result file and the adapter of the first seed."""
    shipped.command_line(__doc__)
    lm = language_model()
    rows, trainings = run_all(lm, progress=True)
    about = {"model": lm.name, "model_sha256": LANGUAGE_MODEL.sha256, "trainings": trainings, **shipped.about_this_run()}
    shipped.write_rows(RESULTS, rows, about, made_with())
    print(f"written to {RESULTS} and {ship(taught_adapter(lm)[0], 'facts')}")
    runs = load_runs()
    for way, said in runs.said.items():
        for name in SETS:
            some = [one for one in said if one.item.set == name]
            if some:
                changed = [one for one in some if one.item.new]
                told = f"{sum(one.right for one in some)} of {len(some)} right by 2025"
                told += f"; changed {len(changed)}: old {sum(one.right for one in changed)}, new {sum(one.right_2026 for one in changed)}"
                print(f"{way:<16} {name:<9} {told}")


if __name__ == "__main__":
    main()
