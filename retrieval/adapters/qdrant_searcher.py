"""Searches the index on a Qdrant server or cluster."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from indexing.adapters.bm25 import WordsEncoder
from indexing.adapters.edge_files import require_dimension
from indexing.adapters.qdrant_errors import qdrant_errors
from indexing.adapters.qdrant_index import committed_dimension
from indexing.documents import AccessScope, Chunk
from indexing.index import DENSE_VECTOR, DOCUMENT_FIELD, WORDS_VECTOR
from indexing.language import Language
from retrieval.adapters.access_filter import qdrant_filter
from retrieval.adapters.chunk_cache import ChunkCache, by_document, readable
from retrieval.adapters.ranking import point_ids, require_query_vector, search_errors, search_lists
from retrieval.errors import SearchError
from retrieval.search import Found, SearchResult

_PAGE_CHUNKS: Final = 256


class QdrantPassageSearcher:
    """One committed generation, in a collection of its own. The client belongs to the caller, who closes it."""

    def __init__(self, client: QdrantClient, collection: str, dimension: int, language: Language) -> None:
        """Look the collection up.

        Raises:
            IndexMissingError: There is no such collection.
            IndexForeignError: The collection is not a committed index of this version.
            IndexMismatchError: The index has another dimension.
            ChunkIndexError: The server failed, or did not answer in time.
        """
        require_dimension(f"in the collection {collection}", committed_dimension(client, collection), dimension)
        self._client = client
        self._collection = collection
        self._dimension = dimension
        self._words = WordsEncoder(language)
        self._cache = ChunkCache()
        self._closed = False

    def search(self, text: str, vector: NDArray[np.float32], scope: AccessScope, limit: int) -> SearchResult:
        """Search exactly by meaning, and by BM25 with word rarity counted inside the scope: at most `limit` of each.

        Raises:
            SearchError: The server failed, the searcher is closed, or the vector has another dimension than the index.
            GenerationGoneError: The collection was removed.
        """
        self._require_open()
        require_query_vector(vector, self._dimension)
        if not scope.labels or limit < 1:
            return SearchResult((), ())
        return search_lists(partial(self._requests, text, vector, scope), self._query, limit)

    def chunks(self, chunk_ids: Sequence[str], scope: AccessScope) -> Mapping[str, Chunk]:
        """The chunks with these ids inside the scope, in the order of the ids.

        Raises:
            SearchError: The server failed, or the searcher is closed.
            GenerationGoneError: The collection was removed.
        """
        self._require_open()
        wanted = point_ids(chunk_ids)
        if not scope.labels or not wanted:
            return {}
        found = self._cache.get(wanted)
        missing = [chunk_id for chunk_id in wanted if chunk_id not in found]
        if missing:
            found |= self._fetch(qdrant_filter(scope, models.HasIdCondition(has_id=list(missing))))
        return {chunk_id: found[chunk_id] for chunk_id in wanted if chunk_id in found and readable(found[chunk_id], scope)}

    def document_chunks(self, document_ids: Sequence[str], scope: AccessScope) -> Mapping[str, tuple[Chunk, ...]]:
        """All chunks of these documents inside the scope, in reading order. Documents without any are absent.

        Raises:
            SearchError: The server failed, or the searcher is closed.
            GenerationGoneError: The collection was removed.
        """
        self._require_open()
        if not scope.labels or not document_ids:
            return {}
        documents = models.FieldCondition(key=DOCUMENT_FIELD, match=models.MatchAny(any=sorted(set(document_ids))))
        return by_document(self._fetch(qdrant_filter(scope, documents)).values(), scope)

    def close(self) -> None:
        """Stop answering. Closing again does nothing."""
        self._closed = True

    def _requests(self, text: str, vector: NDArray[np.float32], scope: AccessScope, count: int) -> list[models.QueryRequest]:
        readable_chunks = qdrant_filter(scope)
        exact = models.SearchParams(exact=True)
        nearest = models.NearestQuery(nearest=vector.tolist())
        requests = [models.QueryRequest(query=nearest, using=DENSE_VECTOR, filter=readable_chunks, params=exact, limit=count)]
        words = self._words.query(text)
        if words.indices:
            # Rarity over the whole index would let what the caller cannot read move the scores.
            rarity = models.SearchParams(exact=True, idf=models.IdfCorpusParams(corpus=readable_chunks))
            found_by_words = models.NearestQuery(nearest=models.SparseVector(indices=words.indices, values=words.values))
            requests.append(
                models.QueryRequest(query=found_by_words, using=WORDS_VECTOR, filter=readable_chunks, params=rarity, limit=count)
            )
        return requests

    def _query(self, requests: list[models.QueryRequest]) -> list[list[Found]]:
        with search_errors(), qdrant_errors(self._collection):
            answers = self._client.query_batch_points(self._collection, requests)
        return [[Found(str(point.id), point.score) for point in answer.points] for answer in answers]

    def _fetch(self, readable_chunks: models.Filter) -> dict[str, Chunk]:
        found: dict[str, Chunk] = {}
        offset = None
        while True:
            with search_errors(), qdrant_errors(self._collection):
                records, offset = self._client.scroll(
                    self._collection, scroll_filter=readable_chunks, limit=_PAGE_CHUNKS, offset=offset, with_payload=True
                )
            found |= self._cache.decode({str(record.id): record.payload for record in records})
            if offset is None:
                return found

    def _require_open(self) -> None:
        if self._closed:
            raise SearchError(f"The searcher of the collection {self._collection} is closed.")
