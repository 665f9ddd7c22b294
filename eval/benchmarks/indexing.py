"""What indexing a folder costs: parsing, embedding against plain sentence-transformers, writing, and indexing again.

    python -m eval.benchmarks.indexing --data ../shared/data [--sample 192] [--rounds 3]

One process, one model, the same chunks for both embedders, in turns, so that the ratios hold on a busy machine too. Loading the
model is timed by itself and is part of nothing else.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexing.adapters.edge_index import EdgeIndexStore
from indexing.adapters.embedding_cache import DiskEmbeddingCache
from indexing.adapters.embedding_model_files import PACKAGED_MODEL, find_model
from indexing.adapters.folder_source import FolderSource
from indexing.adapters.parser_process import SubprocessParser
from indexing.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder
from indexing.adapters.tiktoken_counter import TiktokenCounter
from indexing.embedding import Embedder, EmbedderSpec
from indexing.generations import Generations
from indexing.language import ENGLISH
from indexing.planning import NoProgress, SyncTools, plan
from indexing.sync import SyncReport, sync

T = TypeVar("T")

REPEATS: Final = 5
ADDED: Final = "\n\nThis sentence is new; it was not here when the page was indexed.\n"


class TimedEmbedder:
    """Passes everything on, and adds up the seconds that embedding passages takes."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.seconds = 0.0

    @property
    def spec(self) -> EmbedderSpec:
        """The embedder's."""
        return self._embedder.spec

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The embedder's, timed."""
        seconds, rows = timed(lambda: self._embedder.embed_documents(texts))
        self.seconds += seconds
        return rows

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The embedder's."""
        return self._embedder.embed_query(text)


def timed(action: Callable[[], T]) -> tuple[float, T]:
    """The seconds an action takes, and what it gives."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def compare_embedders(embedder: Embedder, texts: Sequence[str], rounds: int) -> None:
    """Print chunks a second of our embedder and of sentence-transformers with its defaults, on the same texts."""
    import torch  # noqa: PLC0415 - as below
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - seconds that `--help` need not wait

    cores = torch.get_num_threads()
    reference = SentenceTransformer(str(find_model(PACKAGED_MODEL, None).folder), device="cpu", local_files_only=True)
    load_s, _ = timed(lambda: embedder.embed_documents(texts[:16]))
    reference.encode(list(texts[:32]), show_progress_bar=False)
    ours, theirs, ratios = [], [], []
    for _ in range(rounds):
        torch.set_num_threads(cores)  # Farthing's threads use one core each
        plain_s, plain = timed(lambda: reference.encode(list(texts), show_progress_bar=False))
        own_s, own = timed(lambda: embedder.embed_documents(texts))
        theirs.append(len(texts) / plain_s)
        ours.append(len(texts) / own_s)
        ratios.append(plain_s / own_s)
    cosine = float((np.asarray(plain) * own).sum(axis=1).min())
    query_s = [timed(lambda: embedder.embed_query("How many days of annual leave are there?"))[0] for _ in range(50)]
    print(f"model: {embedder.spec.key}, loaded and arithmetic settled in {load_s:.1f} s")
    print(f"embedding {len(texts)} chunks, {rounds} rounds, medians:")
    print(f"  sentence-transformers, fp32, batches of 32  {statistics.median(theirs):7.1f} chunks/s")
    print(f"  Farthing                                    {statistics.median(ours):7.1f} chunks/s")
    print(f"  ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); smallest cosine {cosine:.5f}")
    print(f"  one query, warm: p50 {statistics.median(query_s) * 1e3:.1f} ms")


def index_and_again(tools: SyncTools, docs: Path) -> None:
    """Print what a first index costs, what one with nothing changed costs, and one with a page edited."""
    source = FolderSource("bench", [docs])
    timer = TimedEmbedder(tools.embedder)
    tools = replace(tools, embedder=timer)
    first_s, first = timed(lambda: sync([source], tools))
    added = (first_s - timer.seconds) / timer.seconds
    print(f"first index: {_told(first_s, first)}; embedding {timer.seconds:.1f} s, parsing and writing add {added:.1%}")
    again = [timed(lambda: sync([source], tools)) for _ in range(REPEATS)]
    again_s = statistics.median(seconds for seconds, _ in again)
    print(f"nothing changed: {_told(again_s, again[-1][1])}; {again_s / first_s:.3%} of the first")
    page = max(docs.rglob("*.md"), key=lambda file: file.stat().st_size)
    page.write_text(page.read_text(encoding="utf-8") + ADDED, encoding="utf-8")
    edit_s, edit = timed(lambda: sync([source], tools))
    print(f"a sentence added to the longest page: {_told(edit_s, edit)}; {edit_s / first_s:.2%} of the first")


def _told(seconds: float, report: SyncReport) -> str:
    documents = report.documents
    return (
        f"{seconds:.3f} s, {documents.new + documents.changed} documents parsed, {report.embedded_chunks} of "
        f"{report.total_chunks} chunks embedded, {report.tokens_embedded} tokens"
    )


def main() -> int:
    """Run everything on a copy of the folder, in a home of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds handbook-18f")
    parser.add_argument("--sample", type=int, default=192, help="chunks that both embedders are timed with")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SubprocessParser()) as documents,
    ):
        home, docs = Path(folder) / "home", Path(folder) / "docs"
        home.mkdir()
        shutil.copytree(arguments.data / "handbook-18f" / "docs", docs)
        embedder = SentenceTransformersEmbedder(home=home)
        cache = DiskEmbeddingCache(home / "embeddings", lambda: embedder.spec)
        tools = SyncTools(
            Generations(home), EdgeIndexStore(ENGLISH), "edge", documents, TiktokenCounter(), embedder, cache, ENGLISH
        )
        plan_s, planned = timed(lambda: plan([FolderSource("bench", [docs])], tools, NoProgress()))
        pages, chunks = len(planned.documents), len(planned.upserts)
        if not chunks:
            print(f"There is nothing to index in {arguments.data / 'handbook-18f' / 'docs'}.", file=sys.stderr)
            return 2
        print(f"parse and cut: {plan_s:.2f} s for {pages} documents, {chunks} chunks, {planned.embedding_tokens} tokens")
        step = max(1, chunks // arguments.sample)
        texts = [chunk.embedding_text for chunk in planned.upserts[::step]][: arguments.sample]
        compare_embedders(embedder, texts, arguments.rounds)
        index_and_again(tools, docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
