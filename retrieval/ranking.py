"""A small linear ranker over what both searches, the words and the page say about a passage."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from indexing.language.question_form import QuestionForm
from retrieval.analysis import AnalysedChunk, AnalysedQuery
from retrieval.candidates import Candidate
from retrieval.passages import Passage
from retrieval.weights import Weights


@dataclass(frozen=True, slots=True)
class _Seen:
    """One candidate as the features see it. `body` and `heads` are the query's terms that stand there."""

    query: AnalysedQuery
    candidate: Candidate
    chunk: AnalysedChunk
    body: frozenset[str]
    heads: frozenset[str]
    page_coverage: float


_FEATURES: Final[Mapping[str, Callable[[_Seen], float]]] = {
    "cosine": lambda s: s.candidate.cosine,
    "cosine_gap": lambda s: s.candidate.cosine_gap,
    "log_dense_rank": lambda s: math.log(s.candidate.dense_rank),
    "log_words_rank": lambda s: math.log(s.candidate.words_rank),
    "inverse_dense_rank": lambda s: 1.0 / s.candidate.dense_rank,
    "inverse_words_rank": lambda s: 1.0 / s.candidate.words_rank,
    "words": lambda s: s.candidate.words,
    "fused": lambda s: s.candidate.fused,
    "coverage": lambda s: s.query.coverage(s.body),
    "coverage_with_headings": lambda s: s.query.coverage(s.body | s.heads),
    "heading_coverage": lambda s: s.query.coverage(s.heads),
    "title_coverage": lambda s: s.query.coverage(s.chunk.title),
    "last_heading_coverage": lambda s: s.query.coverage(s.chunk.last_heading),
    "best_unit_coverage": lambda s: max((s.query.coverage(unit.term_set) for unit in s.chunk.units), default=0.0),
    "bigrams": lambda s: s.query.bigram_share(s.chunk.bigrams),
    "number_wanted_and_there": lambda s: float(s.query.form is QuestionForm.NUMBER and s.chunk.has_digit),
    "page_cosine_gap": lambda s: s.candidate.page.cosine_gap,
    "page_cosine_sum": lambda s: s.candidate.page.cosine_sum,
    "page_words_sum": lambda s: s.candidate.page.words_sum,
    "page_coverage": lambda s: s.page_coverage,
    "log_length": lambda s: math.log(s.chunk.term_count + 1),
    "opens_page": lambda s: float(s.candidate.chunk.ordinal == 0),
    "heading_depth": lambda s: float(len(s.candidate.chunk.heading_path)),
}
PASSAGE_FEATURES: Final = tuple(_FEATURES)
"""The features' names, in the order of `passage_features`."""


def passage_features(
    query: AnalysedQuery, candidates: Sequence[Candidate], analysed: Sequence[AnalysedChunk]
) -> list[tuple[float, ...]]:
    """The features of each candidate, in the order of `PASSAGE_FEATURES`."""
    bodies = [query.hits(chunk.body) for chunk in analysed]
    heads = [query.hits(chunk.heads) for chunk in analysed]
    on_page: dict[str, frozenset[str]] = defaultdict(frozenset)
    for candidate, in_body, in_heads in zip(candidates, bodies, heads, strict=True):
        on_page[candidate.chunk.document_id] |= in_body | in_heads
    page_coverage = {page: query.coverage(found) for page, found in on_page.items()}
    seen = (
        _Seen(query, candidate, chunk, in_body, in_heads, page_coverage[candidate.chunk.document_id])
        for candidate, chunk, in_body, in_heads in zip(candidates, analysed, bodies, heads, strict=True)
    )
    return [tuple(feature(one) for feature in _FEATURES.values()) for one in seen]


def rank_candidates(
    query: AnalysedQuery, candidates: Sequence[Candidate], analysed: Sequence[AnalysedChunk], weights: Weights
) -> list[Passage]:
    """Order candidates by the ranker's score.

    Returns:
        Passages with rank from 1, best first; ties in the order of `candidates`.
    """
    by_feature = [weights.passage.get(name, 0.0) for name in PASSAGE_FEATURES]
    rows = passage_features(query, candidates, analysed)
    scores = [sum(weight * value for weight, value in zip(by_feature, row, strict=True)) for row in rows]
    order = sorted(range(len(candidates)), key=lambda position: -scores[position])
    return [
        Passage(
            chunk=candidates[position].chunk,
            rank=rank,
            score=scores[position],
            cosine=candidates[position].cosine if candidates[position].found_by_meaning else None,
            coverage=query.coverage(query.hits(analysed[position].body) | query.hits(analysed[position].heads)),
        )
        for rank, position in enumerate(order, start=1)
    ]
