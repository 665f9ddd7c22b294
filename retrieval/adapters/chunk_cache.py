"""The chunks that a searcher has decoded lately, handed out only to those who may read them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from indexing.documents import AccessScope, Chunk
from indexing.index import decode_chunk
from retrieval.errors import SearchError
from retrieval.recent import Recent

CACHED_CHUNKS: Final = 16_384
"""About 70 MB; an index of so many chunks is read from memory once it is warm."""


class ChunkCache:
    """The most recently used chunks of one generation, by id. Safe to use from several threads at once."""

    def __init__(self, capacity: int = CACHED_CHUNKS) -> None:
        self._chunks: Recent[str, Chunk] = Recent(capacity)

    def get(self, chunk_ids: Iterable[str]) -> dict[str, Chunk]:
        """Those of the chunks that are here, whoever may read them: filter with `readable` before handing them out."""
        return self._chunks.get_all(chunk_ids)

    def decode(self, payloads: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Chunk]:
        """The chunks of these payloads by id, decoded where they are not here yet, and kept.

        Raises:
            SearchError: A payload is not that of a chunk.
        """
        known = self.get(payloads)
        chunks = {chunk_id: known.get(chunk_id) or _decode(chunk_id, payload) for chunk_id, payload in payloads.items()}
        self._chunks.add_all(chunks)
        return chunks


def readable(chunk: Chunk, scope: AccessScope) -> bool:
    """Whether the scope may see the chunk."""
    return chunk.tenant == scope.tenant and not scope.labels.isdisjoint(chunk.labels)


def by_document(chunks: Iterable[Chunk], scope: AccessScope) -> dict[str, tuple[Chunk, ...]]:
    """The readable ones of the chunks, by document, in reading order."""
    documents: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        if readable(chunk, scope):
            documents.setdefault(chunk.document_id, []).append(chunk)
    return {document: tuple(sorted(found, key=lambda chunk: chunk.ordinal)) for document, found in documents.items()}


def _decode(chunk_id: str, payload: Mapping[str, Any] | None) -> Chunk:
    try:
        return decode_chunk(payload or {})
    except (KeyError, ValueError, TypeError) as error:
        raise SearchError(
            f"The index holds something else than a chunk under {chunk_id}. Run `farthing index PATH` to make a new index."
        ) from error
