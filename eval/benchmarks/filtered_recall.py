"""Filtered recall@10 against brute force, and what indexing, opening and searching cost.

    python -m eval.benchmarks.filtered_recall [--chunks 100000] [--queries 100]

Chunks have random vectors of 384 dimensions, 80 words drawn as in natural text, and labels that let 1, 10, 50 or 100 per cent
of them pass. Each query searches by meaning and by words. Recall compares the ten best by meaning with numpy's.
The client's in-memory mode stands in for a Qdrant server, unless `QDRANT_URL` names one; it scans slowly, so it is asked little.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient

from indexing.adapters.edge_index import EdgeIndexStore
from indexing.adapters.qdrant_index import QdrantIndexStore, collection_name, connect_qdrant
from indexing.documents import DEFAULT_TENANT, AccessScope, Chunk, Unit, UnitKind, chunk_id
from indexing.index import ChunkIndexStore
from indexing.language import ENGLISH
from retrieval.adapters.edge_searcher import EdgePassageSearcher
from retrieval.adapters.qdrant_searcher import QdrantPassageSearcher
from retrieval.search import PassageSearcher

DIMENSION: Final = 384
GENERATION: Final = "bench"
SHARES: Final = {"one": 0.01, "ten": 0.1, "half": 0.5, "all": 1.0}
CUTOFF: Final = 10
LIMIT: Final = 100
BATCH: Final = 2048
SLOW_QUERIES: Final = 5


@dataclass(frozen=True, slots=True)
class Body:
    """What is indexed: chunks, their vectors with shape `(n, 384)`, and which rows each label lets pass."""

    chunks: list[Chunk]
    vectors: NDArray[np.float32]
    rows: dict[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Engine:
    """An index engine: its writing side, how to open its reading side, and how many queries are bearable."""

    name: str
    store: ChunkIndexStore
    open_searcher: Callable[[Path], PassageSearcher]
    queries: int


def main() -> int:
    """Run the benchmark and print its tables. Exit status 1 when a recall is below 1."""
    options = _arguments()
    warnings.filterwarnings("ignore", message="Local mode|Payload indexes have no effect")
    body = make_body(options.chunks)
    print(f"{'engine':<18}{'points':>8}{'share':>8}{'recall@10':>11}{'p50 ms':>9}{'p95 ms':>9}")
    whole = True
    with tempfile.TemporaryDirectory() as root, _engines(Path(root), options.queries) as engines:
        for engine in engines:
            directory = Path(root) / engine.name.replace(" ", "-")
            directory.mkdir()
            costs = _index(engine, body, directory)
            started = time.perf_counter()
            searcher = engine.open_searcher(directory)
            open_s = time.perf_counter() - started
            for label in SHARES:
                whole &= _search(engine, searcher, body, label)
            searcher.close()
            print(f"{engine.name:<18}{len(body.chunks):>8}  {costs}, open {open_s:.2f} s")
    return 0 if whole else 1


def make_body(count: int) -> Body:
    """Random chunks, the same ones every time."""
    random = np.random.default_rng(20)
    vectors = _directions(random, count)
    words = np.minimum(random.zipf(1.3, (count, 80)) + 20, 30_000)
    draws = random.random(count)
    chunks = []
    for number in range(count):
        labels = tuple(label for label, share in SHARES.items() if draws[number] < share)
        text = " ".join(f"w{word}" for word in words[number])
        chunks.append(
            Chunk(
                id=chunk_id("bench", (), text, number),
                tenant=DEFAULT_TENANT,
                document_id=f"page-{number // 10}",
                document_path=f"page-{number // 10}.md",
                uri=f"page-{number // 10}.md",
                title="Benchmark",
                heading_path=("Section",),
                ordinal=number % 10,
                first_unit=0,
                text=text,
                units=(Unit(0, len(text), UnitKind.SENTENCE, (1, 1)),),
                labels=labels,
                embedding_text=text,
                words_text=text,
            )
        )
    return Body(chunks, vectors, {label: np.flatnonzero(draws < share) for label, share in SHARES.items()})


def _index(engine: Engine, body: Body, directory: Path) -> str:
    started = time.perf_counter()
    index = engine.store.create(GENERATION, directory, DIMENSION)
    for start in range(0, len(body.chunks), BATCH):
        index.upsert(body.chunks[start : start + BATCH], body.vectors[start : start + BATCH])
    written = time.perf_counter()
    index.commit()
    return f"write {written - started:.1f} s, commit {time.perf_counter() - written:.2f} s"


def _search(engine: Engine, searcher: PassageSearcher, body: Body, label: str) -> bool:
    random = np.random.default_rng(21)
    scope = AccessScope(DEFAULT_TENANT, frozenset({label, "nobody-has-this"}))
    rows = body.rows[label]
    recalls, elapsed_ms = [], []
    for query in _directions(random, engine.queries):
        text = " ".join(f"w{word}" for word in random.integers(21, 3000, 6))
        started = time.perf_counter()
        found = searcher.search(text, query, scope, LIMIT)
        elapsed_ms.append((time.perf_counter() - started) * 1000)
        best = {body.chunks[row].id for row in rows[np.argsort(-(body.vectors[rows] @ query))[:CUTOFF]]}
        recalls.append(len(best & {row.chunk_id for row in found.dense[:CUTOFF]}) / max(len(best), 1))
    recall = statistics.fmean(recalls)
    p50_ms, p95_ms = np.percentile(elapsed_ms, (50, 95))
    print(f"{engine.name:<18}{len(body.chunks):>8}{SHARES[label]:>8.0%}{recall:>11.3f}{p50_ms:>9.2f}{p95_ms:>9.2f}")
    return recall == 1.0


@contextmanager
def _engines(root: Path, queries: int) -> Iterator[list[Engine]]:
    url = os.environ.get("QDRANT_URL")
    client = connect_qdrant(url, os.environ.get("QDRANT_API_KEY"), 60) if url else QdrantClient(":memory:")
    prefix = f"bench_{uuid.uuid4().hex[:12]}"
    store = QdrantIndexStore(client, prefix, ENGLISH)
    collection = collection_name(prefix, GENERATION)
    edge = Engine(
        "edge",
        EdgeIndexStore(ENGLISH),
        lambda directory: EdgePassageSearcher(directory, DIMENSION, ENGLISH, root / "run"),
        queries,
    )
    qdrant = Engine(
        "qdrant server" if url else "qdrant in memory",
        store,
        lambda _directory: QdrantPassageSearcher(client, collection, DIMENSION, ENGLISH),
        queries if url else min(queries, SLOW_QUERIES),
    )
    try:
        yield [edge, qdrant]
    finally:
        store.drop(GENERATION, root)
        client.close()


def _directions(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    vectors = random.standard_normal((count, DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Filtered recall against brute force, on both index engines.")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
