"""From a query and its vector to ranked passages, with all that later steps need to know about them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.documents import AccessScope
from indexing.language import Language
from indexing.tokens import TokenCounter
from retrieval.analysis import AnalysedChunk, AnalysedQuery, ChunkAnalyses
from retrieval.candidates import SEARCH_LIMIT, Candidate, gather_candidates
from retrieval.followups import analyse, words_to_search
from retrieval.lexicon import Lexicon
from retrieval.passages import Passage, Query
from retrieval.ranking import rank_candidates
from retrieval.search import PassageSearcher
from retrieval.weights import Weights


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found for a query: passages, best first, and the terms of query and chunks (by chunk id) in their language."""

    query: Query
    terms: AnalysedQuery
    passages: tuple[Passage, ...]
    analysed: Mapping[str, AnalysedChunk]
    language: Language


@dataclass(frozen=True, slots=True)
class Candidates:
    """What both searches found for a query, before it is ranked; `analysed` holds the terms of each candidate, in order."""

    query: Query
    terms: AnalysedQuery
    candidates: tuple[Candidate, ...]
    analysed: tuple[AnalysedChunk, ...]


class Retriever:
    """Finds passages in one generation of the index. Safe to use from several threads."""

    def __init__(
        self, searcher: PassageSearcher, lexicon: Lexicon, counter: TokenCounter, weights: Weights, language: Language
    ) -> None:
        self._searcher = searcher
        self._lexicon = lexicon
        self._analyses = ChunkAnalyses(counter, language)
        self._weights = weights
        self._language = language

    def retrieve(self, query: Query, vector: NDArray[np.float32], scope: AccessScope) -> Evidence:
        """Search by meaning and by words inside the scope, and rank what both find.

        Raises:
            SearchError: The index engine failed, or did not answer in time.
        """
        return self.rank(self.find(query, vector, scope))

    def find(self, query: Query, vector: NDArray[np.float32], scope: AccessScope) -> Candidates:
        """Search without ranking. Raises as `retrieve`."""
        terms = analyse(query, self._lexicon, scope.labels, self._language)
        result = self._searcher.search(words_to_search(query, terms.other_names), vector, scope, SEARCH_LIMIT)
        ids = list(dict.fromkeys(row.chunk_id for row in (*result.dense, *result.words)))
        candidates = gather_candidates(result, self._searcher.chunks(ids, scope))
        return Candidates(query, terms, tuple(candidates), tuple(self._analyses.of(one.chunk for one in candidates)))

    def rank(self, found: Candidates) -> Evidence:
        """Order what was found, with the learned weights."""
        passages = rank_candidates(found.terms, found.candidates, found.analysed, self._weights)
        by_id = {candidate.chunk.id: chunk for candidate, chunk in zip(found.candidates, found.analysed, strict=True)}
        return Evidence(found.query, found.terms, tuple(passages), by_id, self._language)
