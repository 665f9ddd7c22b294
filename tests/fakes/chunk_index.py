"""An index in memory, exact and honest to the contract: for tests that need one and no engine."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.documents import AccessScope, Chunk
from indexing.errors import ChunkIndexError, IndexMismatchError, IndexMissingError
from indexing.index import ChunkIndex
from retrieval.errors import SearchError
from retrieval.search import Found, SearchResult

Points = dict[str, tuple[Chunk, NDArray[np.float32]]]


class FakeChunkIndexStore:
    """Keeps the generations in a dictionary. `committed` may be looked into."""

    def __init__(self) -> None:
        self.committed: dict[str, tuple[int, Points]] = {}

    def create(self, generation: str, directory: Path, dimension: int) -> ChunkIndex:  # noqa: ARG002 - files need it
        if generation in self.committed:
            raise ChunkIndexError(f"{generation} is committed already.")
        return FakeChunkIndex(self, generation, dimension, {})

    def derive(self, generation: str, directory: Path, base: str, base_directory: Path, dimension: int) -> ChunkIndex:  # noqa: ARG002 - files need it
        points = self.points(base, dimension)
        if generation in self.committed:
            raise ChunkIndexError(f"{generation} is committed already.")
        return FakeChunkIndex(self, generation, dimension, dict(points))

    def drop(self, generation: str, directory: Path) -> None:  # noqa: ARG002 - files need it
        self.committed.pop(generation, None)

    def count(self, generation: str, directory: Path) -> int:  # noqa: ARG002 - files need it
        return len(self._committed(generation)[1])

    def points(self, generation: str, dimension: int) -> Points:
        found, points = self._committed(generation)
        _require_dimension(found, dimension)
        return points

    def _committed(self, generation: str) -> tuple[int, Points]:
        if generation not in self.committed:
            raise IndexMissingError(f"There is no index {generation}. Run `farthing index PATH` to make one.")
        return self.committed[generation]


class FakeChunkIndex:
    def __init__(self, store: FakeChunkIndexStore, generation: str, dimension: int, points: Points) -> None:
        self._store = store
        self._generation = generation
        self._dimension = dimension
        self._points: Points | None = points

    def upsert(self, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        points = self._open()
        if len(vectors) != len(chunks):
            raise ValueError(f"{len(chunks)} chunks need as many vectors, got {len(vectors)}")
        if chunks:
            _require_dimension(self._dimension, vectors.shape[1])
        points.update({chunk.id: (chunk, vector.copy()) for chunk, vector in zip(chunks, vectors, strict=True)})

    def delete(self, chunk_ids: Sequence[str]) -> None:
        points = self._open()
        for chunk_id in chunk_ids:
            points.pop(chunk_id, None)

    def commit(self) -> None:
        self._store.committed[self._generation] = (self._dimension, self._open())
        self._points = None

    def abandon(self) -> None:
        if self._points is None and self._generation in self._store.committed:
            raise ChunkIndexError(f"{self._generation} is committed and cannot be abandoned any more.")
        self._points = None

    def _open(self) -> Points:
        if self._points is None:
            raise ChunkIndexError(f"The index {self._generation} is closed.")
        return self._points


class FakePassageSearcher:
    """Exact cosines by numpy, and BM25 over plain words (no stemming, no stop words) counted inside the scope."""

    def __init__(self, store: FakeChunkIndexStore, generation: str, dimension: int) -> None:
        self._points = store.points(generation, dimension)
        self._dimension = dimension
        self._closed = False

    def search(self, text: str, vector: NDArray[np.float32], scope: AccessScope, limit: int) -> SearchResult:
        seen = self._seen(scope)
        if vector.shape != (self._dimension,):
            raise SearchError(f"The query has the shape {vector.shape}; the index has {self._dimension} dimensions.")
        dense = [Found(chunk.id, float(row @ vector)) for chunk, row in seen]
        return SearchResult(_ranked(dense, limit), _ranked(_bm25(text, [chunk for chunk, _ in seen]), limit))

    def chunks(self, chunk_ids: Sequence[str], scope: AccessScope) -> Mapping[str, Chunk]:
        seen = {chunk.id: chunk for chunk, _ in self._seen(scope)}
        return {chunk_id: seen[chunk_id] for chunk_id in chunk_ids if chunk_id in seen}

    def document_chunks(self, document_ids: Sequence[str], scope: AccessScope) -> Mapping[str, tuple[Chunk, ...]]:
        pages: dict[str, tuple[Chunk, ...]] = {}
        for chunk, _ in sorted(self._seen(scope), key=lambda point: point[0].ordinal):
            if chunk.document_id in document_ids:
                pages[chunk.document_id] = (*pages.get(chunk.document_id, ()), chunk)
        return pages

    def close(self) -> None:
        self._closed = True

    def _seen(self, scope: AccessScope) -> list[tuple[Chunk, NDArray[np.float32]]]:
        if self._closed:
            raise SearchError("The searcher is closed.")
        return [
            (chunk, row)
            for chunk, row in self._points.values()
            if chunk.tenant == scope.tenant and scope.labels & set(chunk.labels)
        ]


def _bm25(text: str, chunks: Sequence[Chunk]) -> list[Found]:
    words = [re.findall(r"\w+", chunk.words_text.lower()) for chunk in chunks]
    frequencies = Counter(word for found in words for word in set(found))
    rows = []
    for chunk, found in zip(chunks, words, strict=True):
        counts = Counter(found)
        length = 1.2 * (0.25 + 0.75 * len(found) / 120)
        score = sum(
            math.log(1 + (len(chunks) - frequencies[word] + 0.5) / (frequencies[word] + 0.5))
            * (counts[word] * 2.2 / (counts[word] + length))
            for word in set(re.findall(r"\w+", text.lower()))
            if counts[word]
        )
        if score > 0:
            rows.append(Found(chunk.id, score))
    return rows


def _ranked(rows: Sequence[Found], limit: int) -> tuple[Found, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.score, row.chunk_id))[: max(limit, 0)])


def _require_dimension(found: int, wanted: int) -> None:
    if found != wanted:
        raise IndexMismatchError(
            f"The index holds vectors of {found} dimensions, and the model makes {wanted}: "
            "index again, or set embedding.model back."
        )
