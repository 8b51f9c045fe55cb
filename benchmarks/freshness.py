"""From a changed document to the changed answer, in milliseconds by stage, on each engine.

    python benchmarks/freshness.py [--no-reader]

Each of the exam's 24 changes is made by itself: the document of 2026 goes in and the one of 2025 goes out (where it ended), the
question is asked, and the change is undone. Medians over the changes. The store holds the whole edition of 2025. Engines: NumPy in
memory, the embedded PostgreSQL over its socket, and PostgreSQL over TCP with a password, as any server by its DSN.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course_lib.corpus import load_documents
from course_lib.evaluation.freshness import change_and_ask, load_pairs
from course_lib.ledger import Entry, percentile, record
from course_lib.models import language_model
from course_lib.pipeline import Assistant
from course_lib.retrieval.live import LiveIndex
from course_lib.retrieval.stores import EmbeddedServer, MemoryStore, PostgresStore, Store

STAGES = ("embed text", "write", "embed", "search", "prompt", "generate")


@contextmanager
def engine(name: str, folder: Path) -> Iterator[Store]:
    """A store of a fresh engine, which is stopped afterwards."""
    if name == "memory":
        yield MemoryStore(384)
        return
    with EmbeddedServer(folder / name, tcp=name == "TCP", say=lambda sentence: None) as server:
        store = PostgresStore(str(server.dsn), 384)
        yield store
        store.close()
        server.stop()


def measure(store: Store, reader: bool) -> tuple[list[Entry], int]:
    """The cost of each of the exam's changes, and after how many of them the new passage was found at once."""
    live, pairs, fresh, costs = LiveIndex(store), load_pairs("exam"), 0, []
    live.put(load_documents(edition="2025"), cached=True)
    assistant = Assistant(live, language_model()) if reader else None
    for pair in pairs:
        old, new = pair.documents("2025"), pair.documents("2026")
        gone = [one.id for one in old] if pair.replaced else []
        if assistant:
            answer, cost = change_and_ask(live, assistant, new, pair.question, gone)
            found = [passage.id for passage in answer.passages]
        else:
            with record() as change:
                live.put(new, remove=gone)
            with record() as asked:
                found = [hit.passage.id for hit in live.search(pair.question, Assistant.k)]
            cost = Entry({"embed text": change.ms["embed"], "write": change.ms["write"], **asked.ms})
        fresh += any(name in found for name in pair.current) and not any(name in found for name in pair.stale if pair.replaced)
        costs.append(cost)
        live.put(old if pair.replaced else [], remove=[one.id for one in new])
    return costs, fresh


def main() -> None:
    """Print the table."""
    reader = "--no-reader" not in sys.argv
    print(f"{'median ms':<12}" + "".join(f"{stage:>12}" for stage in STAGES) + f"{'all':>12}   found at once")
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        folder.chmod(0o755)  # as root, the server runs as another user
        for name in ("memory", "embedded", "TCP"):
            with engine(name, folder) as store:
                costs, fresh = measure(store, reader)
            row = [percentile([cost.ms.get(stage, 0.0) for cost in costs], 0.5) for stage in STAGES]
            total = percentile([cost.total_ms for cost in costs], 0.5)
            print(f"{name:<12}" + "".join(f"{ms:>12.1f}" for ms in (*row, total)) + f"   {fresh} of {len(costs)}", flush=True)


if __name__ == "__main__":
    main()
