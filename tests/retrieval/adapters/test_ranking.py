"""Ties across the limit."""

from hypothesis import given
from hypothesis import strategies as st

from retrieval.adapters.ranking import SPARE_FOR_TIES, close_ranking
from retrieval.search import Found


@given(st.lists(st.integers(0, 3), max_size=400), st.integers(1, 60), st.randoms(use_true_random=False))
def test_is_the_sorted_list_whatever_the_engine_cuts(scores: list[int], limit: int, draw: object) -> None:
    rows = [Found(f"{number:04}", float(score)) for number, score in enumerate(scores)]

    def ask(count: int) -> list[Found]:
        shuffled = list(rows)
        draw.shuffle(shuffled)  # type: ignore[attr-defined]
        return sorted(shuffled, key=lambda row: -row.score)[:count]

    expected = tuple(sorted(rows, key=lambda row: (-row.score, row.chunk_id))[:limit])
    assert close_ranking(ask(limit + SPARE_FOR_TIES), limit, ask) == expected
