"""Bring the index up to date: plan, embed what is missing, build the next generation, publish it.

Whatever happens on the way - Ctrl-C, kill -9, a full disk - the generation that served goes on serving, and the vectors that were
finished are in the embedding cache when the next sync looks for them.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from indexing.catalog import Catalog, CatalogWriter
from indexing.chunking import CHUNKER_VERSION
from indexing.documents import Chunk
from indexing.errors import ChunkIndexError, IndexingError
from indexing.generations import INDEX_FORMAT, IndexManifest, created_at, created_by, disk_errors
from indexing.index import ChunkIndex
from indexing.language import Language
from indexing.planning import DocumentCounts, NoProgress, Progress, SyncPlan, SyncTools, plan, tokens_by_hash
from indexing.sources import DocumentSource, Skipped

_BATCH: Final = 256
"""Chunks that are embedded, cached and written together: a few seconds' work, the most that kill -9 can lose."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did, or would do.

    `total_chunks` are in the index afterwards, `embedded_chunks` were sent to the model in this run. `generation` is the one that
    serves afterwards; `None` for a dry run before the first.
    """

    documents: DocumentCounts
    skipped: tuple[Skipped, ...]
    total_chunks: int
    embedded_chunks: int
    tokens_embedded: int
    seconds: float
    generation: str | None

    def to_json(self) -> dict[str, Any]:
        """The report as the JSON object that `farthing index --json` prints."""
        skipped = [{"path": item.path, "reason": item.reason} for item in self.skipped]
        reused = self.total_chunks - self.embedded_chunks
        return {
            "documents": {**asdict(self.documents), "skipped": skipped},
            "chunks": {"total": self.total_chunks, "embedded": self.embedded_chunks, "reused": reused},
            "tokens_embedded": self.tokens_embedded,
            "seconds": round(self.seconds, 3),
            "generation": self.generation,
        }


def dry_run(
    sources: Sequence[DocumentSource], tools: SyncTools, progress: Progress | None = None
) -> tuple[SyncReport, float | None]:
    """Say what `sync` would do. Parses and cuts what is new or changed, embeds nothing, writes nothing.

    Returns:
        The report (`seconds` is what the dry run itself took), and how many seconds the embedding would take, `None` while no
        rate has been measured.

    Raises:
        IndexingError: As `plan`.
    """
    started = time.perf_counter()
    planned = plan(sources, tools, progress or NoProgress())
    generation = planned.base.generation if planned.base else None
    report = _report(planned, planned.embeddings, planned.embedding_tokens, started, generation)
    return report, planned.estimated_s


def sync(sources: Sequence[DocumentSource], tools: SyncTools, progress: Progress | None = None) -> SyncReport:
    """Make the index hold what the sources hold now. Sources that are not named stay as they are.

    Where nothing has changed, nothing is written, and neither parser nor tokenizer nor model is started.

    Raises:
        SourceError: A source cannot be read as a whole; nothing is changed.
        IndexBusyError: Another sync is running in the same home.
        IndexMismatchError: Engine or embedding model differ, and not every source that is indexed is named.
        EmbeddingError: The model cannot be loaded, or gives unusable vectors.
        ChunkIndexError: The index cannot be written; the old generation goes on serving.
    """
    started = time.perf_counter()
    progress = progress or NoProgress()
    generations = tools.generations
    with generations.write_lock():
        generations.sweep(tools.store.drop)
        planned = plan(sources, tools, progress)
        if planned.base is not None and not planned.has_changes:
            return _report(planned, 0, 0, started, planned.base.generation)
        manifest, work = _build(planned, tools, progress)
        try:
            generations.prune(tools.store.drop)
        except IndexingError as error:  # the new generation serves; old ones that stay cost space only
            _log.warning("Old generations could not be removed: %s", error)
        return _report(planned, work.embedded, work.tokens, started, manifest.generation)


@dataclass(slots=True)
class _Work:
    """What has been embedded so far. The first batch is left out of the rate: it loads the model."""

    embedded: int = 0
    tokens: int = 0
    timed: int = 0
    timed_s: float = 0.0

    def rate(self) -> float | None:
        return self.timed / self.timed_s if self.timed and self.timed_s > 0 else None


def _build(planned: SyncPlan, tools: SyncTools, progress: Progress) -> tuple[IndexManifest, _Work]:
    """Build and publish the next generation, or leave nothing of it."""
    generations = tools.generations
    identity = generations.begin()
    directory = generations.directory(identity)
    try:
        with disk_errors(generations.home):
            work = _write_index(planned, identity, directory, tools, progress)
            progress.update("write", 0, 2)
            base_directory = generations.directory(planned.base.generation) if planned.base else None
            _write_catalog(planned, directory, base_directory, tools.language)
            progress.update("write", 1, 2)
            manifest = _manifest(planned, identity, directory, work, tools)
            generations.publish(manifest)
            progress.update("write", 2, 2)
    except BaseException:
        # What cannot be removed now is swept by the next sync. An interrupt may come after the pointer has moved: then it serves.
        if generations.current_id() != identity:
            with suppress(IndexingError):
                generations.remove(identity, tools.store.drop)
        raise
    return manifest, work


def _write_index(planned: SyncPlan, identity: str, directory: Path, tools: SyncTools, progress: Progress) -> _Work:
    dimension = tools.embedder.spec.dimension
    if planned.base is None or planned.from_empty:
        index = tools.store.create(identity, directory, dimension)
    else:
        base = planned.base.generation
        index = tools.store.derive(identity, directory, base, tools.generations.directory(base), dimension)
    try:
        index.delete(planned.deletes)
        work = _upsert(planned, index, tools, progress)
        index.commit()
    except BaseException:
        with suppress(IndexingError):
            index.abandon()
        raise
    return work


def _upsert(planned: SyncPlan, index: ChunkIndex, tools: SyncTools, progress: Progress) -> _Work:
    """Write the chunks batch by batch, each with its vector from the cache or, failing that, from the model."""
    work = _Work()
    tokens = tokens_by_hash(planned.documents)
    uses = Counter(chunk.embedding_hash for chunk in planned.upserts)
    repeated: dict[str, NDArray[np.float32]] = {}  # texts that come again are embedded once, with or without a cache
    total = len(planned.upserts)
    progress.update("embed", 0, total)
    for start in range(0, total, _BATCH):
        batch = planned.upserts[start : start + _BATCH]
        vectors = _vectors(batch, repeated, tokens, tools, work)
        repeated.update({key: vector for key, vector in vectors.items() if uses[key] > 1})
        index.upsert(batch, np.stack([vectors[chunk.embedding_hash] for chunk in batch]))
        progress.update("embed", start + len(batch), total)
    return work


def _vectors(
    batch: Sequence[Chunk],
    repeated: dict[str, NDArray[np.float32]],
    tokens: dict[str, int],
    tools: SyncTools,
    work: _Work,
) -> dict[str, NDArray[np.float32]]:
    texts = {chunk.embedding_hash: chunk.embedding_text for chunk in batch}
    vectors = {key: repeated[key] for key in texts if key in repeated}
    vectors.update(tools.cache.get_many([key for key in texts if key not in vectors]))
    missing = [key for key in texts if key not in vectors]
    if missing:
        started = time.perf_counter()
        rows = tools.embedder.embed_documents([texts[key] for key in missing])
        if work.embedded:
            work.timed += len(missing)
            work.timed_s += time.perf_counter() - started
        embedded = dict(zip(missing, rows, strict=True))
        tools.cache.put_many(embedded)
        vectors.update(embedded)
        work.embedded += len(missing)
        work.tokens += sum(tokens[key] for key in missing)
    return vectors


def _write_catalog(planned: SyncPlan, directory: Path, base_directory: Path | None, language: Language) -> None:
    with closing(CatalogWriter(directory, None if planned.from_empty else base_directory, language)) as catalog:
        for document_id in planned.removed:
            catalog.remove_document(document_id)
        for document in planned.documents:
            catalog.put_document(document.row, list(zip(document.chunk_rows, document.chunks, strict=True)))
        for source in planned.sources:
            catalog.replace_skipped(source, [row for row in planned.skipped if row.source == source])
        catalog.commit()


def _manifest(planned: SyncPlan, identity: str, directory: Path, work: _Work, tools: SyncTools) -> IndexManifest:
    with closing(Catalog(directory)) as catalog:
        sources = catalog.sources()
        chunks = catalog.chunk_count
    counted = tools.store.count(identity, directory)
    if counted != chunks:
        raise ChunkIndexError(
            f"The new index holds {counted} chunks and its catalog {chunks}; it is thrown away. Run this again; if it goes on, "
            f"remove {tools.generations.home / 'current'} to begin from an empty index."
        )
    return IndexManifest(
        format=INDEX_FORMAT,
        generation=identity,
        created_at=created_at(),
        created_by=created_by(),
        engine=tools.engine,
        embedder=tools.embedder.spec,
        language=tools.language.code,
        tokenizer=tools.counter.name,
        parser_version=tools.parser.version,
        chunker_version=CHUNKER_VERSION,
        sources=tuple(source.source for source in sources),
        documents=sum(source.documents for source in sources),
        chunks=chunks,
        units=sum(source.units for source in sources),
        tokens=sum(source.tokens for source in sources),
        embedded_chunks_per_s=work.rate() or (planned.base.embedded_chunks_per_s if planned.base else None),
    )


def _report(planned: SyncPlan, embedded: int, tokens: int, started: float, generation: str | None) -> SyncReport:
    return SyncReport(
        documents=planned.counts,
        skipped=tuple(Skipped(row.path, row.reason) for row in planned.skipped),
        total_chunks=planned.total_chunks,
        embedded_chunks=embedded,
        tokens_embedded=tokens,
        seconds=time.perf_counter() - started,
        generation=generation,
    )
