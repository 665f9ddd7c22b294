"""The searching port: one generation of the index, by meaning and by words, inside the caller's rights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.documents import AccessScope, Chunk


@dataclass(frozen=True, slots=True)
class Found:
    """One row of a ranked list: a chunk and its score in that list (cosine for `dense`, BM25 for `words`)."""

    chunk_id: str
    score: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Two ranked lists for one query, best first; ties in the order of chunk ids."""

    dense: tuple[Found, ...]
    words: tuple[Found, ...]


class PassageSearcher(Protocol):
    """Searches one committed generation. Safe to use from several threads at once.

    Every method takes the caller's scope, and returns nothing outside it: no chunk of another tenant, none without one of the
    scope's labels. A scope without labels sees nothing.
    """

    def search(self, text: str, vector: NDArray[np.float32], scope: AccessScope, limit: int) -> SearchResult:
        """Search by meaning (`vector`, exactly, shape `(dimension,)`) and by words (`text`, BM25): at most `limit` of each.

        Raises:
            SearchError: The engine failed, or did not answer in time.
        """

    def chunks(self, chunk_ids: Sequence[str], scope: AccessScope) -> Mapping[str, Chunk]:
        """The chunks with these ids, as far as they exist inside the scope. Raises `SearchError`."""

    def document_chunks(self, document_ids: Sequence[str], scope: AccessScope) -> Mapping[str, tuple[Chunk, ...]]:
        """All chunks of these documents inside the scope, in reading order. Raises `SearchError`."""

    def close(self) -> None:
        """Release the engine. Nothing may be called afterwards."""
