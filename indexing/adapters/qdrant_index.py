"""The index on a Qdrant server or cluster: one collection per generation.

The client's in-memory mode serves the tests. Collections have no HNSW graph, for the reason given in `edge_index`. What says
that a collection is a committed index of ours is its metadata, written last.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from indexing.adapters.bm25 import WordsEncoder
from indexing.adapters.edge_files import require_dimension
from indexing.adapters.edge_index import check_vectors
from indexing.adapters.qdrant_errors import missing_collection, qdrant_errors
from indexing.documents import Chunk
from indexing.errors import ChunkIndexError, IndexForeignError
from indexing.index import DENSE_VECTOR, DOCUMENT_FIELD, LABELS_FIELD, TENANT_FIELD, WORDS_VECTOR, ChunkIndex, encode_chunk
from indexing.language import Language

FORMAT: Final = "farthing-qdrant-1"
OLDEST_SERVER: Final = (1, 19)
"""The first version whose BM25 can count word rarity inside the caller's rights."""

_BATCH_CHUNKS: Final = 256
_FORMAT_KEY: Final = "farthing_format"
_COMMITTED_KEY: Final = "farthing_committed"


def connect_qdrant(url: str, api_key: str | None, timeout_s: int) -> QdrantClient:
    """Make a client, and ask the server for its version, so that a wrong address or key shows at once.

    `timeout_s` bounds every single request. The caller closes the client.

    Raises:
        ChunkIndexError: The server cannot be reached, refuses the key, or is too old.
    """
    client = QdrantClient(url=url, api_key=api_key, timeout=timeout_s, check_compatibility=False)
    try:
        _check_server(client, url)
    except ChunkIndexError:
        client.close()
        raise
    return client


def _check_server(client: QdrantClient, url: str) -> None:
    with qdrant_errors(f"the collections at {url}"):
        version = client.info().version
        client.get_collections()  # the version is told without a key
    number = re.match(r"(\d+)\.(\d+)", version)
    if number is None or (int(number[1]), int(number[2])) < OLDEST_SERVER:
        raise ChunkIndexError(
            f"The Qdrant server at {url} has version {version}; Farthing needs {'.'.join(map(str, OLDEST_SERVER))} or later."
        )


def collection_name(prefix: str, generation: str) -> str:
    """The collection that holds a generation."""
    return f"{prefix}_{generation}"


class QdrantIndexStore:
    """Keeps each generation's index in the collection `{prefix}_{generation}`; the directories are not used."""

    def __init__(self, client: QdrantClient, prefix: str, language: Language) -> None:
        self._client = client
        self._prefix = prefix
        self._language = language

    def create(self, generation: str, directory: Path, dimension: int) -> ChunkIndex:  # noqa: ARG002 - files need it
        """Begin an empty collection. What an unfinished attempt left of it is removed.

        Raises:
            ChunkIndexError: The collection is committed already, belongs to somebody else, or the server failed.
        """
        name = collection_name(self._prefix, generation)
        with qdrant_errors(name):
            exists = self._client.collection_exists(name)
        if exists:
            self._remove_leftover(name)
        with qdrant_errors(name):
            self._create_collection(name, dimension)
        return QdrantChunkIndex(self._client, name, dimension, self._language)

    def derive(self, generation: str, directory: Path, base: str, base_directory: Path, dimension: int) -> ChunkIndex:  # noqa: ARG002 - files need it
        """Begin a collection that is filled from the base's, through this client: servers offer no copy of their own.

        Raises:
            IndexMissingError: The base is gone.
            IndexMismatchError: The base has another dimension.
            ChunkIndexError: The base is no committed index, the collection is committed already, or the server failed.
        """
        source = collection_name(self._prefix, base)
        require_dimension(f"in the collection {source}", committed_dimension(self._client, source), dimension)
        index = self.create(generation, directory, dimension)
        name = collection_name(self._prefix, generation)
        offset = None
        while True:
            with qdrant_errors(source):
                records, offset = self._client.scroll(
                    source, limit=_BATCH_CHUNKS, offset=offset, with_payload=True, with_vectors=True
                )
            points = [models.PointStruct(id=record.id, vector=_stored(record), payload=record.payload) for record in records]
            if points:
                with qdrant_errors(name):
                    self._client.upsert(name, points, wait=True)
            if offset is None:
                return index

    def drop(self, generation: str, directory: Path) -> None:  # noqa: ARG002 - files need it
        """Remove the generation's collection.

        Raises:
            ChunkIndexError: The server failed.
        """
        name = collection_name(self._prefix, generation)
        with qdrant_errors(name):
            if self._client.collection_exists(name):
                self._client.delete_collection(name)

    def count(self, generation: str, directory: Path) -> int:  # noqa: ARG002 - files need it
        """The number of chunks in a committed index.

        Raises:
            IndexMissingError: There is no collection of this generation.
            IndexForeignError: The collection is not a committed index of this version.
            ChunkIndexError: The server failed.
        """
        name = collection_name(self._prefix, generation)
        committed_dimension(self._client, name)
        with qdrant_errors(name):
            return self._client.count(name, exact=True).count

    def _remove_leftover(self, name: str) -> None:
        with qdrant_errors(name):
            metadata = self._client.get_collection(name).config.metadata or {}
        if metadata.get(_FORMAT_KEY) != FORMAT:
            raise IndexForeignError(
                f"The Qdrant server has a collection {name} that Farthing did not make. "
                "Set another `qdrant.collection_prefix`, or remove it there."
            )
        if metadata.get(_COMMITTED_KEY):
            raise ChunkIndexError(f"The collection {name} holds a committed index already; a generation is written once.")
        with qdrant_errors(name):
            self._client.delete_collection(name)

    def _create_collection(self, name: str, dimension: int) -> None:
        self._client.create_collection(
            name,
            vectors_config={DENSE_VECTOR: models.VectorParams(size=dimension, distance=models.Distance.DOT)},
            sparse_vectors_config={WORDS_VECTOR: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            hnsw_config=models.HnswConfigDiff(m=0),
            metadata={_FORMAT_KEY: FORMAT, _COMMITTED_KEY: False},
        )
        for field, tenant in ((TENANT_FIELD, True), (LABELS_FIELD, False), (DOCUMENT_FIELD, False)):
            schema = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=tenant)
            self._client.create_payload_index(name, field, schema, wait=True)


class QdrantChunkIndex:
    """The collection of one generation while it is written. One thread at a time."""

    def __init__(self, client: QdrantClient, name: str, dimension: int, language: Language) -> None:
        self._client = client
        self._name = name
        self._dimension = dimension
        self._words = WordsEncoder(language)
        self._closed = False
        self._committed = False

    def upsert(self, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        """Add chunks, or replace those with the same id. `vectors` has shape `(len(chunks), dimension)`, normalised.

        Raises:
            IndexMismatchError: The vectors have another dimension than the index.
            ChunkIndexError: The server failed, or the index is closed.
        """
        self._require_open()
        check_vectors(f"in the collection {self._name}", len(chunks), vectors, self._dimension)
        for start in range(0, len(chunks), _BATCH_CHUNKS):
            stop = start + _BATCH_CHUNKS
            points = [self._point(chunk, vector) for chunk, vector in zip(chunks[start:stop], vectors[start:stop], strict=True)]
            with qdrant_errors(self._name):
                self._client.upsert(self._name, points, wait=True)

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks; ids that are not there are no error.

        Raises:
            ChunkIndexError: The server failed, or the index is closed.
        """
        self._require_open()
        if chunk_ids:
            with qdrant_errors(self._name):
                self._client.delete(self._name, models.PointIdsList(points=list(chunk_ids)), wait=True)

    def commit(self) -> None:
        """Mark the collection as committed. Every write has been acknowledged before.

        Raises:
            ChunkIndexError: The server failed, or the index is closed.
        """
        self._require_open()
        with qdrant_errors(self._name):
            self._client.update_collection(self._name, metadata={_COMMITTED_KEY: True})
        self._closed = self._committed = True

    def abandon(self) -> None:
        """Remove the collection, also after a `commit` that failed.

        Raises:
            ChunkIndexError: The index is committed, or the server failed.
        """
        if self._committed:
            raise ChunkIndexError(f"The index in the collection {self._name} is committed and cannot be abandoned any more.")
        self._closed = True
        with qdrant_errors(self._name):
            if self._client.collection_exists(self._name):
                self._client.delete_collection(self._name)

    def _require_open(self) -> None:
        if self._closed:
            raise ChunkIndexError(f"The index in the collection {self._name} is closed; a committed index is never changed.")

    def _point(self, chunk: Chunk, vector: NDArray[np.float32]) -> models.PointStruct:
        words = self._words.document(chunk.words_text)
        return models.PointStruct(
            id=chunk.id,
            vector={
                DENSE_VECTOR: vector.tolist(),
                WORDS_VECTOR: models.SparseVector(indices=words.indices, values=words.values),
            },
            payload=encode_chunk(chunk),
        )


def committed_dimension(client: QdrantClient, name: str) -> int:
    """The dimension of a committed index.

    Raises:
        IndexMissingError: There is no such collection.
        IndexForeignError: The collection is not a committed index of this version.
        ChunkIndexError: The server failed.
    """
    with qdrant_errors(name):
        if not client.collection_exists(name):
            raise missing_collection(name)
        config = client.get_collection(name).config
    metadata = config.metadata or {}
    vectors = config.params.vectors
    if metadata.get(_FORMAT_KEY) != FORMAT or not isinstance(vectors, Mapping) or DENSE_VECTOR not in vectors:
        raise IndexForeignError(
            f"The collection {name} is not an index of this version of Farthing ({FORMAT}). "
            "Run `farthing index PATH` to make a new index, or set another `qdrant.collection_prefix`."
        )
    if not metadata.get(_COMMITTED_KEY):
        raise IndexForeignError(f"The index in the collection {name} was never finished. Run `farthing index PATH` to make one.")
    return vectors[DENSE_VECTOR].size


def _stored(record: models.Record) -> Any:
    """A point's vectors as they are upserted again: the client gives the types that it takes, under other names."""
    return record.vector
