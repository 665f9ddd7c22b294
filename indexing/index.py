"""The index of chunks, as the writer sees it, and how a chunk is laid out in it.

The reading side is `retrieval.search.PassageSearcher`. Both sides share the payload's field names and its codec, which
stand here so that every engine stores the same thing.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.documents import Chunk, Unit, UnitKind

DENSE_VECTOR: Final = "dense"
WORDS_VECTOR: Final = "words"

TENANT_FIELD: Final = "tenant"
LABELS_FIELD: Final = "labels"
DOCUMENT_FIELD: Final = "document_id"
CHUNK_FIELD: Final = "chunk"
FILTER_FIELDS: Final = (TENANT_FIELD, LABELS_FIELD, DOCUMENT_FIELD)


class ChunkIndex(Protocol):
    """The chunks of one generation while it is written. Nobody searches it before `commit`."""

    def upsert(self, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        """Add chunks, or replace those with the same id. `vectors` has shape `(len(chunks), dimension)`.

        Raises:
            IndexMismatchError: The vectors have another dimension than the index.
            ChunkIndexError: The engine failed, the disk is full.
        """

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks; ids that are not there are no error."""

    def commit(self) -> None:
        """Optimise, and make everything durable. After it the index is closed and never changed again."""

    def abandon(self) -> None:
        """Close without committing. What was written is of no use to anybody and is removed."""


class ChunkIndexStore(Protocol):
    """Makes and removes the indexes of generations. `directory` is the generation's own; a server keeps its data elsewhere."""

    def create(self, generation: str, directory: Path, dimension: int) -> ChunkIndex:
        """Begin an empty index."""

    def derive(self, generation: str, directory: Path, base: str, base_directory: Path, dimension: int) -> ChunkIndex:
        """Begin an index that holds what the committed index of `base` holds. The base goes on serving, unchanged.

        Raises:
            IndexMissingError: The base is gone.
            IndexMismatchError: The base has another dimension.
        """

    def drop(self, generation: str, directory: Path) -> None:
        """Remove the index of a generation that nobody serves any more; one that is not there is no error."""

    def count(self, generation: str, directory: Path) -> int:
        """The number of chunks in a committed index."""


def encode_chunk(chunk: Chunk) -> dict[str, Any]:
    """The payload of a chunk: the fields that filters use, and the chunk itself as one compact JSON string."""
    return {
        TENANT_FIELD: chunk.tenant,
        LABELS_FIELD: list(chunk.labels),
        DOCUMENT_FIELD: chunk.document_id,
        CHUNK_FIELD: json.dumps(
            [
                chunk.id,
                chunk.document_path,
                chunk.uri,
                chunk.title,
                list(chunk.heading_path),
                chunk.ordinal,
                chunk.first_unit,
                chunk.text,
                [[u.start, u.end, u.kind.value, u.lines, u.lead_in] for u in chunk.units],
                chunk.embedding_text,
                chunk.words_text,
                chunk.preface,
            ],
            ensure_ascii=False,
            separators=(",", ":"),
        ),
    }


def decode_chunk(payload: Mapping[str, Any]) -> Chunk:
    """The chunk that `encode_chunk` laid out. Raises `ValueError`, `KeyError` or `TypeError` on anything else."""
    row = json.loads(payload[CHUNK_FIELD])
    identity, path, uri, title, heading_path, ordinal, first_unit, text, units, embedding_text, words_text, preface = row
    return Chunk(
        id=identity,
        tenant=payload[TENANT_FIELD],
        document_id=payload[DOCUMENT_FIELD],
        document_path=path,
        uri=uri,
        title=title,
        heading_path=tuple(heading_path),
        ordinal=ordinal,
        first_unit=first_unit,
        text=text,
        units=tuple(
            Unit(start, end, UnitKind(kind), tuple(lines) if lines else None, lead_in)
            for start, end, kind, lines, lead_in in units
        ),
        labels=tuple(payload[LABELS_FIELD]),
        embedding_text=embedding_text,
        words_text=words_text,
        preface=preface,
    )
