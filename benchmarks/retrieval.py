"""Vector stores side by side: ours, LangChain's and Haystack's, in memory and on one and the same PostgreSQL.

    python benchmarks/retrieval.py                  10,000 and 100,000 chunks; about half an hour
    python benchmarks/retrieval.py --sizes 2000     a quick look

The others live in an environment of this benchmark's own, made on the first run. Every engine runs in a process of its own, one
after the other, on the same vectors and the same questions; the table gives ratios to our engine of the same kind.

The vectors are the embeddings of the course's passages, as many times as needed, each copy moved by noise (20 % of its length)
so that no two are alike; the questions are those of the exam. Recall is the share of the true ten nearest that an engine returns,
and the filter keeps one chunk in ten.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from peers import peers

ROOT = Path(__file__).resolve().parents[1]
PEERS = ["langchain-core==1.7.2", "langchain-postgres==0.0.19", "haystack-ai==3.4.0", "pgvector-haystack==8.1.2"]
K, QUESTIONS, PATIENCE = 10, 200, 30.0  # seconds of questions per engine and filter: the slow ones answer fewer
KINDS = {
    "memory": ["ours", "langchain", "haystack"],
    "exact": ["ours", "langchain", "haystack"],
    "hnsw": ["ours", "langchain", "haystack"],
}


def make_vectors(size: int, folder: Path) -> Path:
    """The vectors and the questions' vectors as files; the same for every engine."""
    import numpy as np

    from course_lib.corpus import load_exam, load_passages
    from course_lib.retrieval.dense import embed_texts
    from course_lib.retrieval.records import titled

    shelves = [[titled(passage) for passage in load_passages(corpus)] for corpus in ("quillfeather", "sqlite")]
    real = np.concatenate([embed_texts(shelf, progress=sys.stderr.isatty()) for shelf in shelves])
    rng = np.random.default_rng(0)
    vectors = real[np.arange(size) % len(real)]
    noise = rng.standard_normal(vectors.shape)
    vectors = vectors + 0.2 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asked = [question.question for question in load_exam("exam")][:QUESTIONS]
    path = folder / f"{size}.npz"
    np.savez(path, vectors=vectors.astype("float32"), queries=embed_texts(asked))
    return path


# --- one engine, in a process of its own -----------------------------------------------------------------------------


class Engine:
    """What each library is asked to do, in its own way: take vectors, find the nearest ids, with and without a filter."""

    def __init__(self, kind: str, dsn: str, dimension: int) -> None:
        self.kind, self.dsn, self.dimension = kind, dsn, dimension

    def build(self, ids: list[str], texts: list[str], groups: list[int], vectors: Any) -> None:
        raise NotImplementedError

    def nearest(self, query: Any, group: int | None) -> list[str]:
        raise NotImplementedError


class Ours(Engine):
    def build(self, ids: list[str], texts: list[str], groups: list[int], vectors: Any) -> None:
        from course_lib.retrieval import Record
        from course_lib.retrieval.stores import MemoryStore, PostgresStore

        memory = self.kind == "memory"
        self.store = MemoryStore(self.dimension) if memory else PostgresStore(self.dsn, self.dimension, table="ours")
        records = [Record(id, text, metadata={"shelf": group}) for id, text, group in zip(ids, texts, groups)]
        self.store.add(records, vectors)
        if self.kind == "hnsw":
            self.store.build_index("hnsw", m=16, ef_construction=64)

    def nearest(self, query: Any, group: int | None) -> list[str]:
        return [hit.passage.id for hit in self.store.search(query, K, None if group is None else {"shelf": group})]


class LangChain(Engine):
    def build(self, ids: list[str], texts: list[str], groups: list[int], vectors: Any) -> None:
        from langchain_core.documents import Document
        from langchain_core.embeddings import Embeddings
        from langchain_core.vectorstores import InMemoryVectorStore

        class Ready(Embeddings):  # the embeddings are there already
            def embed_documents(self, asked: list[str]) -> list[list[float]]:
                return vectors.tolist()

            def embed_query(self, text: str) -> list[float]:
                raise NotImplementedError

        metadatas = [{"shelf": group} for group in groups]
        if self.kind == "memory":
            self.store = InMemoryVectorStore(Ready())
            documents = [Document(text, metadata=one, id=id) for text, one, id in zip(texts, metadatas, ids)]
            self.store.add_documents(documents, ids=ids)
            return
        from langchain_postgres import Column, PGEngine, PGVectorStore
        from langchain_postgres.v2.indexes import DistanceStrategy, HNSWIndex

        engine = PGEngine.from_connection_string(self.dsn.replace("postgresql://", "postgresql+psycopg://", 1))
        columns = [Column("shelf", "INTEGER")]
        id_column = Column("langchain_id", "TEXT")
        engine.init_vectorstore_table("langchain", self.dimension, metadata_columns=columns, id_column=id_column)
        self.store = PGVectorStore.create_sync(
            engine, Ready(), "langchain", metadata_columns=["shelf"], distance_strategy=DistanceStrategy.COSINE_DISTANCE, k=K
        )
        self.store.add_embeddings(texts, vectors.tolist(), metadatas=metadatas, ids=ids)
        if self.kind == "hnsw":
            self.store.apply_vector_index(HNSWIndex(m=16, ef_construction=64))

    def nearest(self, query: Any, group: int | None) -> list[str]:
        if self.kind == "memory":
            keep = None if group is None else (lambda document: document.metadata["shelf"] == group)
            found = self.store._similarity_search_with_score_by_vector(query.tolist(), k=K, filter=keep)
            return [row[0].id for row in found]
        where = {} if group is None else {"filter": {"shelf": group}}
        return [document.id for document in self.store.similarity_search_by_vector(query.tolist(), k=K, **where)]


class Haystack(Engine):
    def build(self, ids: list[str], texts: list[str], groups: list[int], vectors: Any) -> None:
        from haystack import Document

        documents = [
            Document(id=id, content=text, meta={"shelf": group}, embedding=vector.tolist())
            for id, text, group, vector in zip(ids, texts, groups, vectors)
        ]
        if self.kind == "memory":
            from haystack.document_stores.in_memory import InMemoryDocumentStore

            self.store = InMemoryDocumentStore(embedding_similarity_function="cosine")
            self.store.write_documents(documents)
            return
        from haystack.utils import Secret
        from haystack_integrations.document_stores.pgvector import PgvectorDocumentStore

        strategy = "hnsw" if self.kind == "hnsw" else "exact_nearest_neighbor"
        self.store = PgvectorDocumentStore(
            connection_string=Secret.from_token(self.dsn),
            table_name="haystack",
            embedding_dimension=self.dimension,
            vector_function="cosine_similarity",
            search_strategy=strategy,
            hnsw_index_creation_kwargs={"m": 16, "ef_construction": 64},
        )
        self.store.write_documents(documents)

    def nearest(self, query: Any, group: int | None) -> list[str]:
        where = None if group is None else {"field": "meta.shelf", "operator": "==", "value": group}
        search = self.store.embedding_retrieval if self.kind == "memory" else self.store._embedding_retrieval
        return [document.id for document in search(query_embedding=query.tolist(), top_k=K, filters=where)]


ENGINES = {"ours": Ours, "langchain": LangChain, "haystack": Haystack}


def measure(name: str, kind: str, vectors_path: str, dsn: str) -> dict[str, Any]:
    """Build an engine and ask it; run in the engine's own process."""
    import numpy as np
    import psutil

    data = np.load(vectors_path)
    vectors, queries = data["vectors"], data["queries"]
    size = len(vectors)
    ids, groups = [f"c{number:06d}" for number in range(size)], [number % 10 for number in range(size)]
    texts = [f"chunk {number}" for number in range(size)]
    engine = ENGINES[name](kind, dsn, vectors.shape[1])
    engine_process = psutil.Process()
    before = engine_process.memory_info().rss
    start = time.perf_counter()
    engine.build(ids, texts, groups, vectors)
    built = time.perf_counter() - start
    result: dict[str, Any] = {"engine": name, "kind": kind, "size": size, "build_s": built}
    result["memory_mb"] = (engine_process.memory_info().rss - before) / 1e6
    engine.nearest(queries[0], None)  # connections and caches
    for label, group in (("", None), ("_filtered", 3)):
        times, recalls, begun = [], [], time.perf_counter()
        allowed = np.arange(size) if group is None else np.flatnonzero(np.array(groups) == group)
        for query in queries:
            start = time.perf_counter()
            found = engine.nearest(query, group)
            times.append((time.perf_counter() - start) * 1000)
            scores = vectors[allowed] @ query
            threshold = np.partition(scores, -K)[-K] - 1e-6
            recalls.append(sum(vectors[int(id[1:])] @ query >= threshold for id in set(found)) / K)
            if time.perf_counter() - begun > PATIENCE:
                break
        result |= {f"p50_ms{label}": float(np.quantile(times, 0.5)), f"p95_ms{label}": float(np.quantile(times, 0.95))}
        result |= {f"recall{label}": float(np.mean(recalls)), f"asked{label}": len(times)}
    return result


# --- the comparison --------------------------------------------------------------------------------------------------


def disk_size(dsn: str, table: str) -> float:
    """Megabytes of a table with its indexes."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT coalesce(pg_total_relation_size(to_regclass(%s)), 0) / 1e6", [table]).fetchone()
    return float(row[0]) if row else 0.0


def start_server(work: Path, stack: contextlib.ExitStack) -> str:
    """A server of this run's own, on loopback with a password, so that all libraries reach it in the same way."""
    from course_lib.retrieval.stores import EmbeddedServer

    server = EmbeddedServer(work / "server", tcp=True)
    stack.callback(shutil.rmtree, server.folder, ignore_errors=True)  # as root it lies elsewhere
    stack.callback(server.close)
    return server.start()


def compare(sizes: list[int], kinds: list[str], dsn_of: str | None) -> list[dict[str, Any]]:
    """Run every engine on every size; a fresh table for each run."""
    import psycopg

    others = peers("retrieval", PEERS, "psycopg[binary]", "psutil")
    rows = []
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
        dsn = dsn_of or start_server(Path(work), stack)
        for size in sizes:
            path = make_vectors(size, Path(work))
            for kind in kinds:
                for name in KINDS[kind]:
                    if kind != "memory":
                        with psycopg.connect(dsn, autocommit=True) as connection:
                            connection.execute(f'DROP TABLE IF EXISTS "{name}"')
                            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                    python = sys.executable if name == "ours" else others
                    command = [python, __file__, "--engine", name, "--kind", kind, "--vectors", str(path), "--dsn", dsn]
                    environment = os.environ | {"PYTHONPATH": str(ROOT), "HAYSTACK_TELEMETRY_ENABLED": "False"}
                    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
                    if done.returncode:
                        print(f"{name} ({kind}, {size}) failed.", file=sys.stderr)
                        continue
                    row = json.loads(done.stdout.splitlines()[-1])
                    row["disk_mb"] = 0.0 if kind == "memory" else disk_size(dsn, name)
                    rows.append(row)
                    print(
                        f"  {name} {kind} {size}: built in {row['build_s']:.1f} s, p50 {row['p50_ms']:.2f} ms",
                        file=sys.stderr,
                        flush=True,
                    )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Ratios to our engine of the same kind and size; above 1 means slower or larger than ours. Recall stands as it is."""
    lines = [
        f"{'chunks':>7} {'kind':<7}{'engine':<10}{'build':>8}{'p50':>8}{'p95':>8}{'p50 filt.':>10}{'p95 filt.':>10}{'space':>8}"
        f"{'recall':>8}{'filt.':>7}"
    ]
    for row in rows:
        base = next(one for one in rows if (one["engine"], one["kind"], one["size"]) == ("ours", row["kind"], row["size"]))
        space = "memory_mb" if row["kind"] == "memory" else "disk_mb"
        fields = ["build_s", "p50_ms", "p95_ms", "p50_ms_filtered", "p95_ms_filtered", space]
        ratios = [row[field] / base[field] if base[field] else float("nan") for field in fields]
        lines.append(
            f"{row['size']:>7} {row['kind']:<7}{row['engine']:<10}"
            + "".join(f"{ratio:>{width}.2f}" for ratio, width in zip(ratios, (8, 8, 8, 10, 10, 8)))
            + f"{row['recall']:>8.3f}{row['recall_filtered']:>7.3f}"
        )
        if row is base:
            lines.append(
                f"{'':>15}  1.00 is {row['build_s']:.1f} s, {row['p50_ms']:.2f} and {row['p95_ms']:.2f} ms, filtered "
                f"{row['p50_ms_filtered']:.2f} and {row['p95_ms_filtered']:.2f} ms, {row[space]:.0f} MB"
            )
    return "\n".join(lines)


def main() -> None:
    """Compare, or (with --engine) be one of the compared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--dsn", help="a PostgreSQL with pgvector; without it, the embedded one is started")
    parser.add_argument("--json", type=Path, help="also write the measurements to this file")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--vectors", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        print(json.dumps(measure(options.engine, options.kind, options.vectors, options.dsn)))
        return
    rows = compare(options.sizes, options.kinds, options.dsn)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
