"""The embedded index: one Qdrant Edge shard per generation.

The shard has no write-ahead log. Nobody reads a generation before its `commit` has written everything, and what a crash
leaves behind has no mark and is never opened; so a log would only slow writing and opening, and lock the directory.
It has no HNSW graph either: under a filter the graph loses passages, so every search is exact, and writing is cheap.

Source:
    10,000 chunks: with the graph `optimize` took 8.9 s, without 0.0 s, and searching takes the same time
    (`eval/benchmarks/filtered_recall.py` prints the present figures).
"""

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import (
    CountRequest,
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    Memory,
    Modifier,
    PayloadSchemaType,
    Point,
    UpdateOperation,
    VectorStorageDatatype,
)

from indexing.adapters.bm25 import WordsEncoder
from indexing.adapters.edge_errors import edge_errors
from indexing.adapters.edge_files import (
    INDEX_FOLDER,
    MARK_FILE,
    allocated_bytes,
    check_files,
    copy_sparsely,
    read_mark,
    require_dimension,
    require_space,
    write_mark,
)
from indexing.documents import Chunk
from indexing.errors import ChunkIndexError
from indexing.index import DENSE_VECTOR, FILTER_FIELDS, WORDS_VECTOR, ChunkIndex, encode_chunk
from indexing.language import Language

_BATCH_CHUNKS: Final = 512
_NEVER_KIB: Final = 2**40
"""A segment size that no index reaches: what is smaller is kept plain, and searched exactly."""


class EdgeIndexStore:
    """Keeps each generation's index in a folder of the generation's directory."""

    def __init__(self, language: Language) -> None:
        """Make the indexes of documents in one language."""
        self._language = language

    def create(self, generation: str, directory: Path, dimension: int) -> ChunkIndex:  # noqa: ARG002 - a server needs the name
        """Begin an empty index. What an unfinished attempt left in the directory is removed.

        Raises:
            ChunkIndexError: The directory holds a committed index already, or cannot be written.
        """
        folder = _new_folder(directory, needed_bytes=0)
        with edge_errors(directory):
            shard = EdgeShard.create(str(folder), _config(dimension))
            for field in FILTER_FIELDS:
                shard.update(UpdateOperation.create_field_index(field, PayloadSchemaType.Keyword))
        return EdgeChunkIndex(directory, shard, dimension, self._language)

    def derive(
        self,
        generation: str,  # noqa: ARG002 - a server needs the name
        directory: Path,
        base: str,  # noqa: ARG002 - a server needs the name
        base_directory: Path,
        dimension: int,
    ) -> ChunkIndex:
        """Begin an index on a copy of the base's files.

        Raises:
            IndexMissingError: The base is gone.
            IndexMismatchError: The base has another dimension.
            ChunkIndexError: The base is damaged, the directory holds a committed index already, or the disk is full.
        """
        mark = read_mark(base_directory)
        require_dimension(f"in {base_directory}", mark.dimension, dimension)
        check_files(base_directory, mark)
        source = base_directory / INDEX_FOLDER
        with edge_errors(base_directory):
            needed_bytes = sum(allocated_bytes(source / name) for name in mark.files)
        folder = _new_folder(directory, needed_bytes)
        with edge_errors(directory):
            for name in mark.files:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                copy_sparsely(source / name, folder / name)
            shard = EdgeShard.load(str(folder))
        return EdgeChunkIndex(directory, shard, dimension, self._language)

    def drop(self, generation: str, directory: Path) -> None:  # noqa: ARG002 - a server needs the name
        """Remove the index's folder; whoever has it open goes on reading.

        Raises:
            ChunkIndexError: The files cannot be removed.
        """
        with edge_errors(directory):
            _remove(directory / INDEX_FOLDER)

    def count(self, generation: str, directory: Path) -> int:  # noqa: ARG002 - a server needs the name
        """The number of chunks in a committed index, as its mark says.

        Raises:
            IndexMissingError: There is no index.
            IndexForeignError: The files are not those of a committed index of this version.
        """
        return read_mark(directory).chunk_count


class EdgeChunkIndex:
    """The shard of one generation while it is written. One thread at a time."""

    def __init__(self, directory: Path, shard: EdgeShard, dimension: int, language: Language) -> None:
        self._directory = directory
        self._shard: EdgeShard | None = shard
        self._dimension = dimension
        self._words = WordsEncoder(language)
        self._committed = False

    def upsert(self, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        """Add chunks, or replace those with the same id. `vectors` has shape `(len(chunks), dimension)`, normalised.

        Raises:
            IndexMismatchError: The vectors have another dimension than the index.
            ChunkIndexError: The engine failed, the disk is full, or the index is closed.
        """
        shard = self._open_shard()
        check_vectors(f"in {self._directory}", len(chunks), vectors, self._dimension)
        for start in range(0, len(chunks), _BATCH_CHUNKS):
            require_space(self._directory, needed_bytes=0)
            stop = start + _BATCH_CHUNKS
            points = [self._point(chunk, vector) for chunk, vector in zip(chunks[start:stop], vectors[start:stop], strict=True)]
            with edge_errors(self._directory):
                shard.update(UpdateOperation.upsert_points(points))

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks; ids that are not there are no error.

        Raises:
            ChunkIndexError: The engine failed, or the index is closed.
        """
        shard = self._open_shard()
        if chunk_ids:
            with edge_errors(self._directory):
                shard.update(UpdateOperation.delete_points(list(chunk_ids)))

    def commit(self) -> None:
        """Reclaim the room of removed chunks, write everything to the disk, close, and mark the index as committed.

        Raises:
            ChunkIndexError: The engine failed, the disk is full, or the index is closed.
        """
        shard = self._open_shard()
        with edge_errors(self._directory):
            written_bytes = sum(allocated_bytes(path) for path in (self._directory / INDEX_FOLDER).rglob("*"))
        require_space(self._directory, written_bytes)  # reclaiming room writes the live chunks once more
        with edge_errors(self._directory):
            shard.optimize()
            shard.flush()
            chunk_count = shard.count(CountRequest(exact=True))
            shard.close()
            self._shard = None
            write_mark(self._directory, self._dimension, chunk_count)
        self._committed = True

    def abandon(self) -> None:
        """Close and remove what was written, also after a `commit` that failed.

        Raises:
            ChunkIndexError: The index is committed, or its files cannot be removed.
        """
        if self._committed:
            raise ChunkIndexError(f"The index in {self._directory} is committed and cannot be abandoned any more.")
        if self._shard is not None:
            # What cannot be flushed is thrown away on the next line.
            with contextlib.suppress(ChunkIndexError), edge_errors(self._directory):
                self._shard.close()
            self._shard = None
        with edge_errors(self._directory):
            _remove(self._directory / INDEX_FOLDER)

    def _open_shard(self) -> EdgeShard:
        if self._shard is None:
            raise ChunkIndexError(f"The index in {self._directory} is closed; a committed index is never changed.")
        return self._shard

    def _point(self, chunk: Chunk, vector: NDArray[np.float32]) -> Point:
        with edge_errors(self._directory):
            return Point(
                chunk.id,
                {DENSE_VECTOR: vector.tolist(), WORDS_VECTOR: self._words.document(chunk.words_text)},
                encode_chunk(chunk),
            )


def check_vectors(place: str, count: int, vectors: NDArray[np.float32], dimension: int) -> None:
    """Check that there is one vector a chunk, of the index's dimension.

    Raises:
        IndexMismatchError: The dimension differs.
        ValueError: The number of vectors differs.
    """
    if vectors.ndim != 2 or len(vectors) != count:  # noqa: PLR2004 - a matrix has two axes
        raise ValueError(f"{count} chunks need a matrix of {count} vectors, got the shape {vectors.shape}")
    if count:
        require_dimension(place, dimension, vectors.shape[1])


def _config(dimension: int) -> EdgeConfig:
    return EdgeConfig(
        vectors={
            DENSE_VECTOR: EdgeVectorParams(size=dimension, distance=Distance.Dot, datatype=VectorStorageDatatype.Float32),
        },
        sparse_vectors={WORDS_VECTOR: EdgeSparseVectorParams(modifier=Modifier.Idf)},
        optimizers=EdgeOptimizersConfig(indexing_threshold=_NEVER_KIB, max_segment_size=_NEVER_KIB),
        payload_memory=Memory.Cached,
        wal_enabled=False,
    )


def _new_folder(directory: Path, needed_bytes: int) -> Path:
    """An empty folder for a new index. Refuses to touch a committed one."""
    folder = directory / INDEX_FOLDER
    if (folder / MARK_FILE).exists():
        raise ChunkIndexError(f"{directory} holds a committed index already; a generation is written once. Choose another.")
    with edge_errors(directory):
        _remove(folder)
        folder.mkdir(parents=True)
    require_space(directory, needed_bytes)
    return folder


def _remove(folder: Path) -> None:
    # The mark goes first, so that a removal that is cut short leaves nothing that looks whole.
    (folder / MARK_FILE).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
