"""Which chunks are worth a closer look: the best of both lists, and more of the pages that keep turning up."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from indexing.documents import Chunk
from retrieval.fusion import reciprocal_rank_fusion
from retrieval.search import SearchResult

SEARCH_LIMIT: Final = 100
"""How many chunks each of the two searches gives."""

FUSED_CANDIDATES: Final = 60
"""How many of the fused list are looked at."""

STRONG_PAGES: Final = 5
"""So many pages may add chunks that the fused list had left out."""

CHUNKS_PER_STRONG_PAGE: Final = 6


@dataclass(frozen=True, slots=True)
class PageEvidence:
    """What a page's chunks say together, each in [0, 1] and relative to the best page of the query.

    `cosine_gap` is how far the page's best cosine stays behind the best of all.
    """

    cosine_gap: float
    cosine_sum: float
    words_sum: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk with its places in the two lists. Ranks count from 1; a chunk that a list lacks gets a rank beyond its end.

    `cosine` is that of the list's last chunk where the chunk is not in the list; `found_by_meaning` tells. `words` is the BM25
    score relative to the best one, `fused` the reciprocal rank score relative to the best one.
    """

    chunk: Chunk
    cosine: float
    cosine_gap: float
    found_by_meaning: bool
    dense_rank: int
    words_rank: int
    words: float
    fused: float
    page: PageEvidence


def gather_candidates(result: SearchResult, chunks: Mapping[str, Chunk]) -> list[Candidate]:
    """Join the two lists of one search.

    Args:
        result: Both ranked lists.
        chunks: The chunks of the lists that the caller may read; others are left out.

    Returns:
        The best `FUSED_CANDIDATES` by reciprocal rank, then up to `CHUNKS_PER_STRONG_PAGE` more from each of the
        `STRONG_PAGES` whose chunks score highest together; in the order of the fused list within each part.
    """
    dense = [found for found in result.dense if found.chunk_id in chunks]
    by_words = [found for found in result.words if found.chunk_id in chunks]
    fused = reciprocal_rank_fusion([[found.chunk_id for found in dense], [found.chunk_id for found in by_words]])
    if not fused:
        return []
    cosines = {found.chunk_id: found.score for found in dense}
    best_cosine = max(cosines.values(), default=0.0)
    floor = min(cosines.values(), default=0.0)
    word_scores = {found.chunk_id: found.score for found in by_words}
    best_words = max(word_scores.values(), default=0.0) or 1.0
    dense_ranks = {found.chunk_id: rank for rank, found in enumerate(dense, start=1)}
    word_ranks = {found.chunk_id: rank for rank, found in enumerate(by_words, start=1)}
    pages = _page_evidence(chunks, [identity for identity, _ in fused], cosines, floor, word_scores)
    beyond = SEARCH_LIMIT + SEARCH_LIMIT // 2
    return [
        Candidate(
            chunk=chunks[identity],
            cosine=cosines.get(identity, floor),
            cosine_gap=best_cosine - cosines.get(identity, floor),
            found_by_meaning=identity in cosines,
            dense_rank=dense_ranks.get(identity, beyond),
            words_rank=word_ranks.get(identity, beyond),
            words=word_scores.get(identity, 0.0) / best_words,
            fused=score / fused[0][1],
            page=pages[chunks[identity].document_id],
        )
        for identity, score in _widen(fused, chunks, pages)
    ]


def _widen(
    fused: list[tuple[str, float]], chunks: Mapping[str, Chunk], pages: Mapping[str, PageEvidence]
) -> list[tuple[str, float]]:
    """The head of the fused list, and the next chunks of the strongest pages."""
    strongest = sorted(pages, key=lambda page: (-(pages[page].cosine_sum + pages[page].words_sum), page))[:STRONG_PAGES]
    room = dict.fromkeys(strongest, CHUNKS_PER_STRONG_PAGE)
    chosen = fused[:FUSED_CANDIDATES]
    for identity, score in fused[FUSED_CANDIDATES:]:
        page = chunks[identity].document_id
        if room.get(page, 0):
            room[page] -= 1
            chosen.append((identity, score))
    return chosen


def _page_evidence(
    chunks: Mapping[str, Chunk], found: list[str], cosines: Mapping[str, float], floor: float, word_scores: Mapping[str, float]
) -> dict[str, PageEvidence]:
    best: dict[str, float] = defaultdict(lambda: floor)
    cosine_sums: dict[str, float] = defaultdict(float)
    word_sums: dict[str, float] = defaultdict(float)
    for identity in found:
        page = chunks[identity].document_id
        best[page] = max(best[page], cosines.get(identity, floor))
        cosine_sums[page] += cosines.get(identity, floor) - floor
        word_sums[page] += word_scores.get(identity, 0.0)
    top_cosine = max(best.values())
    top_cosine_sum = max(cosine_sums.values()) or math.inf
    top_word_sum = max(word_sums.values()) or math.inf
    return {
        page: PageEvidence(
            cosine_gap=top_cosine - best[page],
            cosine_sum=cosine_sums[page] / top_cosine_sum,
            words_sum=word_sums[page] / top_word_sum,
        )
        for page in best
    }
