"""The search of lab 09 before and after tuning: on exam questions about products that no training saw, and on another corpus.

``python -m course_lib.evaluation.retriever_runs`` trains what has to be trained, asks every question of every search, writes the
result file and the two adapters that ship with the course. A run that is stopped goes on after the last training or search that was
finished. Only rankings are stored: whoever reads the file computes the marks.

``stock``            search by meaning with the embedder as it is
``tuned``            the same with the embedder tuned on the train split, three seeds
``tuned, reranked``  its first hits ranked once more by the cross-encoder of the same seed

``quillfeather``     the whole shelf, every edition and audience, without a filter, as in lab 02
``sqlite``           the pages that the questions about SQLite are about; nothing was tuned on them, so all splits are asked
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from ..corpus import Passage, Question, gold_passages, load_exam, load_passages
from ..finetune import Recipe, Run, reranker, retriever
from ..finetune.adapters import ABOUT, adapter_about, save_adapter
from ..finetune.pairs import training_pairs, whole_shelf
from ..ledger import record
from ..models import EMBEDDER, Embedder, embedder
from ..places import cache_folder
from ..retrieval import DenseIndex, Searcher
from ..retrieval.records import titled
from ..retrieval.rerank import DEPTH, RerankedIndex, Reranker
from . import shipped
from .cached import cached
from .intervals import Difference, bootstrap_interval, paired_difference
from .retrieval import Facts, evaluate
from .ticket_runs import ship

RESULTS = shipped.RESULTS / "retriever.json"
COMMAND = "python -m course_lib.evaluation.retriever_runs"
SEEDS = (0, 1, 2)
SYSTEMS = ("stock", "tuned", "tuned, reranked")
CORPORA = ("quillfeather", "sqlite")
KEPT = 10
"""So many ids of each ranking are stored: enough for recall@5 and nDCG@10."""
TIMED = 24
MEASURES = ("nDCG@10", "recall@5")


@dataclass(frozen=True)
class Shelf:
    """The passages of a corpus and the questions that are asked on it."""

    corpus: str
    questions: list[Question] = field(repr=False)
    passages: list[Passage] = field(repr=False)

    @cached_property
    def golds(self) -> list[Facts]:
        """For each question, the ids of the passages that hold each of its facts."""
        return [gold_passages(question, self.passages) for question in self.questions]


@cache
def load_shelf(corpus: str) -> Shelf:
    """One of ``CORPORA``, with its answerable questions."""
    if corpus == "quillfeather":
        return Shelf(corpus, [question for question in load_exam("exam") if question.answerable], list(whole_shelf()))
    questions = [question for question in load_exam("all", corpus) if question.answerable]
    pages = {gold.doc for question in questions for gold in question.gold}
    return Shelf(corpus, questions, [passage for passage in load_passages(corpus) if passage.document.id in pages])


# --- the run --------------------------------------------------------------------------------------------------------


def retriever_adapter(recipe: Recipe, progress: bool = False) -> Path:
    """The folder of a retriever trained by a recipe: trained now, unless that was done before from the same data."""
    data = retriever.retriever_data()
    inputs = [embedder().name, asdict(recipe), data.rows]
    folder = _folder("retriever", inputs)
    if not (folder / ABOUT).exists():
        run = retriever.train_retriever(data, recipe, progress=progress)
        save_adapter(run, folder, _about(run, inputs, len(data.pairs)))
    return folder


def reranker_adapter(tuned: Embedder, recipe: Recipe, progress: bool = False) -> Path:
    """The folder of a reranker trained over a tuned embedder: trained now, unless that was done before from the same data."""
    data = reranker.reranker_data(tuned)
    inputs = [tuned.name, asdict(recipe), data.rows]
    folder = _folder("reranker", inputs)
    if not (folder / ABOUT).exists():
        run, trained = reranker.train_reranker(data, tuned, recipe, progress=progress)
        save_adapter(run, folder, _about(run, inputs, len(data.pairs)), reranker.head_of(trained))
    return folder


def _folder(name: str, inputs: Any) -> Path:
    return cache_folder() / "runs" / f"{name}-{shipped.digest(inputs)[:12]}" / "adapter"


def _about(run: Run, inputs: Any, pairs: int) -> dict[str, Any]:
    """What is noted of a training beside what :func:`save_adapter` notes."""
    return {
        "command": COMMAND,
        "licence": shipped.LICENCE,
        "pairs": pairs,
        "data_sha256": shipped.digest(inputs[2]),
        "dev_loss_before": run.dev_loss_before,
        "dev_losses": run.dev_losses,
        "losses": [round(step.loss, 4) for step in run.steps],
        "tokens": run.steps[-1].tokens,
        "stopped": run.stopped,
        **shipped.about_this_run(),
    }


def ask_all(search: Searcher, shelf: Shelf) -> dict[str, Any]:
    """The first :data:`KEPT` ids for each question; and by stage the milliseconds that one takes, asked one after the other.

    That is the mean of the first ``TIMED`` questions.
    """
    asked = [question.question for question in shelf.questions]
    found = search.search_many(asked, KEPT)
    with record() as cost:
        for question in asked[:TIMED]:
            search.search(question, KEPT)
    ms = {name: round(spent / TIMED, 2) for name, spent in cost.ms.items()}
    return {"rankings": [[hit.passage.id for hit in hits] for hits in found], "ms": ms}


def key(system: str, seed: int) -> str:
    """A system with its seed, where it was trained.

    >>> key("stock", 0), key("tuned", 1)
    ('stock', 'tuned, seed 1')
    """
    return system if system == "stock" else f"{system}, seed {seed}"


def run_all(seeds: Sequence[int] = SEEDS, progress: bool = False) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every system over every corpus: the rows, and what is known of the trainings. What was done before is taken from the cache."""
    rows: list[dict[str, Any]] = []
    known: dict[str, Any] = {"trainings": {}, "ms": {}}

    def by_meaning(model: Embedder, cross: Reranker | None = None) -> Callable[[Shelf], Searcher]:
        def search(shelf: Shelf) -> Searcher:
            index = DenseIndex(shelf.passages, model, progress=progress)
            return RerankedIndex(index, cross) if cross else index

        return search

    def ask(name: str, models: Sequence[str], search_of: Callable[[Shelf], Searcher]) -> None:
        for corpus in CORPORA:
            shelf = load_shelf(corpus)
            inputs = {"models": list(models), "depth": DEPTH, "kept": KEPT, "corpus": corpus, **made_with()}
            done = cached("retriever", inputs, lambda shelf=shelf: ask_all(search_of(shelf), shelf))  # type: ignore[misc]
            known["ms"][f"{name}, {corpus}"] = done["ms"]
            for question, ranking in zip(shelf.questions, done["rankings"], strict=True):
                rows.append({"system": name, "corpus": corpus, "question": question.id, "ranking": ranking})
            if progress:
                print(f"{name}, {corpus}: done", flush=True)

    stock = embedder()
    ask("stock", [stock.name], by_meaning(stock))
    for seed in seeds:
        folder = retriever_adapter(replace(retriever.RECIPE, seed=seed), progress)
        tuned = retriever.tuned_embedder(folder)
        known["trainings"][key("tuned", seed)] = _numbers(folder)
        ask(key("tuned", seed), [tuned.name], by_meaning(tuned))
        folder = reranker_adapter(tuned, replace(reranker.RECIPE, seed=seed), progress)
        cross = reranker.load_reranker(folder, tuned)
        known["trainings"][key("tuned, reranked", seed)] = _numbers(folder)
        ask(key("tuned, reranked", seed), [tuned.name, cross.halves.embedder.name], by_meaning(tuned, cross))
    return rows, known


def _numbers(folder: Path) -> dict[str, Any]:
    names = ("seconds", "steps", "tokens", "pairs", "dev_loss_before", "dev_losses", "losses", "stopped", "weights_sha256")
    about = adapter_about(folder)
    return {name: about[name] for name in names}


# --- the shipped file -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def made_with() -> dict[str, str]:
    """The hashes of what the rankings depend on: the questions, the passages, the pairs trained on."""
    shelves = [load_shelf(corpus) for corpus in CORPORA]
    return {
        "exam": shipped.digest([[[one.id, one.question] for one in shelf.questions] for shelf in shelves]),
        "passages": shipped.digest([[[one.id, titled(one)] for one in shelf.passages] for shelf in shelves]),
        "pairs": shipped.digest([[pair.question, titled(pair.passage)] for pair in training_pairs()]),
    }


@dataclass(frozen=True)
class RetrieverRuns:
    """The shipped run: for each system with its seed and each corpus the ranking of every question, and what is known of the run."""

    rankings: Mapping[tuple[str, str], Sequence[Sequence[str]]]
    about: Mapping[str, Any]

    def keys(self, system: str) -> list[str]:
        """The keys of a system: one for each seed, or the system itself."""
        return [name for name, corpus in self.rankings if corpus == CORPORA[0] and name.split(", seed ")[0] == system]

    def by_seed(self, system: str, corpus: str, measure: str = "nDCG@10") -> list[list[float]]:
        """For each seed the marks of the questions, in the order of :func:`load_shelf`."""
        golds = load_shelf(corpus).golds
        return [evaluate(self.rankings[name, corpus], golds)[measure] for name in self.keys(system)]

    def marks(self, system: str, corpus: str, measure: str = "nDCG@10") -> list[float]:
        """The mark of each question, averaged over the seeds."""
        runs = self.by_seed(system, corpus, measure)
        return [sum(values) / len(values) for values in zip(*runs, strict=True)]

    def gain(self, system: str, over: str, corpus: str, measure: str = "nDCG@10") -> Difference:
        """How much higher one system scores than another on the same questions, with a paired bootstrap interval."""
        return paired_difference(self.marks(system, corpus, measure), self.marks(over, corpus, measure))

    def line(self, system: str, corpus: str) -> str:
        """The measures of a system with their 95 % intervals over the questions, the means of its seeds, and its gain over the stock one."""
        told = [f"{system:<16}"]
        for measure in MEASURES:
            values = self.marks(system, corpus, measure)
            low, high = bootstrap_interval(values)
            told.append(f"{measure} {sum(values) / len(values):.3f} ({low:.2f} to {high:.2f})")
            if system != "stock":
                means = ", ".join(f"{sum(one) / len(one):.3f}" for one in self.by_seed(system, corpus, measure))
                told.append(f"seeds {means}, against stock {self.gain(system, 'stock', corpus, measure)}")
        return "  ".join(told)


def load_runs(path: Path = RESULTS) -> RetrieverRuns:
    """The shipped run.

    Raises :class:`CourseError <course_lib.errors.CourseError>` where the file is missing, damaged, or was made with something else.
    """
    rows, about = shipped.read_rows(path, made_with(), COMMAND)
    rankings: dict[tuple[str, str], list[list[str]]] = {}
    for row in rows:
        rankings.setdefault((row["system"], row["corpus"]), []).append(row["ranking"])
    return RetrieverRuns(rankings, about)


def main() -> None:
    """Run every system, write the result file and the adapters of the first seed."""
    shipped.command_line(__doc__)
    rows, known = run_all(progress=True)
    about = {"model": embedder().name, "model_sha256": EMBEDDER.sha256, **known, **shipped.about_this_run()}
    shipped.write_rows(RESULTS, rows, about, made_with())
    folder = retriever_adapter(replace(retriever.RECIPE, seed=SEEDS[0]))
    ship(folder, retriever.SHIPS_AS)
    ship(reranker_adapter(retriever.tuned_embedder(folder), replace(reranker.RECIPE, seed=SEEDS[0])), reranker.SHIPS_AS)
    runs = load_runs()
    for corpus in CORPORA:
        print(f"{corpus}: {len(load_shelf(corpus).questions)} questions, {len(load_shelf(corpus).passages)} passages")
        print(*(runs.line(system, corpus) for system in SYSTEMS), sep="\n")
    print(f"written to {RESULTS}")


if __name__ == "__main__":
    main()
