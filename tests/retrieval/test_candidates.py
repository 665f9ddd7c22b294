import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.documents import Chunk
from retrieval.candidates import (
    CHUNKS_PER_STRONG_PAGE,
    FUSED_CANDIDATES,
    SEARCH_LIMIT,
    STRONG_PAGES,
    gather_candidates,
)
from retrieval.fusion import reciprocal_rank_fusion
from retrieval.search import Found, SearchResult
from tests.contracts.corpus import make_chunk

CHUNKS = {
    chunk.id: chunk for chunk in (make_chunk(f"text {n}", document=f"page-{n % 12}.md", ordinal=n // 12) for n in range(160))
}
IDS = sorted(CHUNKS)


def found(ids: list[str], best: float, step: float) -> tuple[Found, ...]:
    return tuple(Found(identity, best - step * number) for number, identity in enumerate(ids))


@given(
    dense=st.lists(st.sampled_from(IDS), unique=True, max_size=SEARCH_LIMIT),
    words=st.lists(st.sampled_from(IDS), unique=True, max_size=SEARCH_LIMIT),
    hidden=st.sets(st.sampled_from(IDS), max_size=40),
)
@settings(max_examples=100, deadline=None)
def test_candidates_are_the_readable_best_of_both_lists(dense: list[str], words: list[str], hidden: set[str]) -> None:
    readable = {identity: chunk for identity, chunk in CHUNKS.items() if identity not in hidden}
    candidates = gather_candidates(SearchResult(found(dense, 0.9, 0.008), found(words, 20.0, 0.1)), readable)
    ids = [candidate.chunk.id for candidate in candidates]
    seen = [[identity for identity in ranking if identity in readable] for ranking in (dense, words)]
    fused = [identity for identity, _ in reciprocal_rank_fusion(seen)]
    assert ids[:FUSED_CANDIDATES] == fused[:FUSED_CANDIDATES]
    assert len(set(ids)) == len(ids) <= FUSED_CANDIDATES + STRONG_PAGES * CHUNKS_PER_STRONG_PAGE
    assert not hidden & set(ids)
    extra = ids[FUSED_CANDIDATES:]
    assert extra == [identity for identity in fused if identity in extra]
    assert len({readable[identity].document_id for identity in extra}) <= STRONG_PAGES
    for candidate in candidates:
        identity = candidate.chunk.id
        assert candidate.found_by_meaning == (identity in dense)
        assert candidate.dense_rank == (seen[0].index(identity) + 1 if identity in seen[0] else 1.5 * SEARCH_LIMIT)
        assert candidate.words_rank == (seen[1].index(identity) + 1 if identity in seen[1] else 1.5 * SEARCH_LIMIT)
        assert candidate.cosine_gap >= 0
        assert 0 < candidate.fused <= 1
        assert 0 <= candidate.words <= 1
        page = candidate.page
        assert page.cosine_gap >= 0
        assert 0 <= page.cosine_sum <= 1
        assert 0 <= page.words_sum <= 1


def test_nothing_found_or_nothing_readable_gives_nothing() -> None:
    assert gather_candidates(SearchResult((), ()), {}) == []
    assert gather_candidates(SearchResult(found(IDS[:3], 1, 0.1), found(IDS[:3], 9, 1)), {}) == []


def test_a_chunk_that_only_words_found_gets_the_lists_last_cosine() -> None:
    first, second, third = IDS[:3]
    candidates = gather_candidates(SearchResult(found([first, second], 0.8, 0.3), found([third], 5, 0)), CHUNKS)
    by_id = {candidate.chunk.id: candidate for candidate in candidates}
    assert by_id[third].cosine == by_id[second].cosine == pytest.approx(0.5)
    assert not by_id[third].found_by_meaning
    assert by_id[third].words == 1.0


def test_a_strong_page_adds_what_the_fused_list_left_out() -> None:
    strong = [make_chunk(f"strong {n}", document="strong.md", ordinal=n) for n in range(20)]
    others = [make_chunk(f"other {n}", document=f"other-{n}.md") for n in range(75)]
    chunks: dict[str, Chunk] = {chunk.id: chunk for chunk in (*strong, *others)}
    order = [*(chunk.id for chunk in strong[:5]), *(chunk.id for chunk in others[:60]), *(chunk.id for chunk in strong[5:])]
    candidates = gather_candidates(SearchResult(found(order, 0.9, 0.001), ()), chunks)
    extra = [candidate.chunk for candidate in candidates[FUSED_CANDIDATES:] if candidate.chunk.document_path == "strong.md"]
    assert [chunk.id for chunk in extra] == [chunk.id for chunk in strong[5 : 5 + CHUNKS_PER_STRONG_PAGE]]
