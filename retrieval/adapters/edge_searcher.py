"""Searches the embedded index."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import (
    EdgeShard,
    FieldCondition,
    Filter,
    HasIdCondition,
    IdfParams,
    MatchAny,
    Query,
    QueryBatchRequest,
    QueryRequest,
    ScrollRequest,
    SearchParams,
)

from indexing.adapters.bm25 import WordsEncoder
from indexing.adapters.edge_errors import edge_errors
from indexing.adapters.edge_files import check_files, read_mark, require_dimension, require_room_to_map
from indexing.documents import AccessScope, Chunk
from indexing.index import DENSE_VECTOR, DOCUMENT_FIELD, WORDS_VECTOR
from indexing.language import Language
from retrieval.adapters.access_filter import edge_filter
from retrieval.adapters.chunk_cache import ChunkCache, by_document, readable
from retrieval.adapters.edge_view import EdgeView
from retrieval.adapters.ranking import point_ids, require_query_vector, search_errors, search_lists
from retrieval.errors import SearchError
from retrieval.search import Found, SearchResult

_PAGE_CHUNKS: Final = 1000


class EdgePassageSearcher:
    """One committed generation, opened through a private view, so that other processes can have it open too."""

    def __init__(self, directory: Path, dimension: int, language: Language, scratch: Path) -> None:
        """Open the index in a generation's directory.

        Args:
            directory: The generation's.
            dimension: That of the embedding model's vectors.
            language: That of the documents.
            scratch: A folder for private views, on the same file system if possible; made when it is not there.

        Raises:
            IndexMissingError: There is no index.
            IndexForeignError: The files are not those of a committed index of this version.
            IndexMismatchError: The index has another dimension.
            ChunkIndexError: The index is damaged, or the disk is full.
        """
        mark = read_mark(directory)
        require_dimension(f"in {directory}", mark.dimension, dimension)
        check_files(directory, mark)
        self._directory = directory
        self._dimension = dimension
        self._words = WordsEncoder(language)
        self._cache = ChunkCache()
        with edge_errors(directory):
            self._view = EdgeView(directory, mark, scratch)
        try:
            with edge_errors(directory):
                require_room_to_map(self._view.shard)
                self._shard: EdgeShard | None = EdgeShard.load(str(self._view.shard))
        except BaseException:
            self._view.remove()
            raise

    def search(self, text: str, vector: NDArray[np.float32], scope: AccessScope, limit: int) -> SearchResult:
        """Search exactly by meaning, and by BM25 with word rarity counted inside the scope: at most `limit` of each.

        Raises:
            SearchError: The engine failed, the searcher is closed, or the vector has another dimension than the index.
        """
        self._open_shard()
        require_query_vector(vector, self._dimension)
        if not scope.labels or limit < 1:
            return SearchResult((), ())
        return search_lists(partial(self._requests, text, vector, scope), self._query, limit)

    def chunks(self, chunk_ids: Sequence[str], scope: AccessScope) -> Mapping[str, Chunk]:
        """The chunks with these ids inside the scope, in the order of the ids.

        Raises:
            SearchError: The engine failed, or the searcher is closed.
        """
        self._open_shard()
        wanted = point_ids(chunk_ids)
        if not scope.labels or not wanted:
            return {}
        found = self._cache.get(wanted)
        missing = {chunk_id for chunk_id in wanted if chunk_id not in found}
        if missing:
            found |= self._fetch(edge_filter(scope, HasIdCondition(set(missing))))
        return {chunk_id: found[chunk_id] for chunk_id in wanted if chunk_id in found and readable(found[chunk_id], scope)}

    def document_chunks(self, document_ids: Sequence[str], scope: AccessScope) -> Mapping[str, tuple[Chunk, ...]]:
        """All chunks of these documents inside the scope, in reading order. Documents without any are absent.

        Raises:
            SearchError: The engine failed, or the searcher is closed.
        """
        self._open_shard()
        if not scope.labels or not document_ids:
            return {}
        documents = FieldCondition(DOCUMENT_FIELD, match=MatchAny(sorted(set(document_ids))))
        return by_document(self._fetch(edge_filter(scope, documents)).values(), scope)

    def close(self) -> None:
        """Release the engine and remove the view. Closing again does nothing."""
        shard, self._shard = self._shard, None
        if shard is not None:
            try:
                with search_errors(), edge_errors(self._directory):
                    shard.close()
            finally:
                self._view.remove()

    def _requests(self, text: str, vector: NDArray[np.float32], scope: AccessScope, count: int) -> list[QueryRequest]:
        readable_chunks = edge_filter(scope)
        nearest = Query.Nearest(vector.tolist(), using=DENSE_VECTOR)
        requests = [QueryRequest(limit=count, query=nearest, filter=readable_chunks, params=SearchParams(exact=True))]
        words = self._words.query(text)
        if words.indices:
            # Rarity over the whole index would let what the caller cannot read move the scores.
            rarity = SearchParams(exact=True, idf=IdfParams(corpus=readable_chunks))
            found_by_words = Query.Nearest(words, using=WORDS_VECTOR)
            requests.append(QueryRequest(limit=count, query=found_by_words, filter=readable_chunks, params=rarity))
        return requests

    def _query(self, requests: list[QueryRequest]) -> list[list[Found]]:
        shard = self._open_shard()
        with search_errors(), edge_errors(self._directory):
            answers = shard.query_batch(QueryBatchRequest(requests))
        return [[Found(str(point.id), point.score) for point in answer] for answer in answers]

    def _fetch(self, readable_chunks: Filter) -> dict[str, Chunk]:
        shard = self._open_shard()
        found: dict[str, Chunk] = {}
        offset = None
        while True:
            request = ScrollRequest(offset=offset, limit=_PAGE_CHUNKS, filter=readable_chunks, with_payload=True)
            with search_errors(), edge_errors(self._directory):
                records, offset = shard.scroll(request)
            found |= self._cache.decode({str(record.id): record.payload for record in records})
            if offset is None:
                return found

    def _open_shard(self) -> EdgeShard:
        shard = self._shard
        if shard is None:
            raise SearchError(f"The searcher of {self._directory} is closed.")
        return shard
