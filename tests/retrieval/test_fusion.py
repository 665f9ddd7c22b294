import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import reciprocal_rank_fusion

_RANKINGS = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8), max_size=4)


def test_scores_are_the_papers() -> None:
    assert reciprocal_rank_fusion([["a", "b"], ["b", "c"]]) == [("b", 1 / 62 + 1 / 61), ("a", 1 / 61), ("c", 1 / 62)]
    assert reciprocal_rank_fusion([["x"]], k=0) == [("x", 1.0)]
    assert reciprocal_rank_fusion([]) == reciprocal_rank_fusion([[], []]) == []


def test_a_negative_constant_is_refused() -> None:
    with pytest.raises(ValueError, match="got -1"):
        reciprocal_rank_fusion([["a"]], k=-1)


@given(_RANKINGS)
def test_every_item_comes_once_best_first_and_ties_by_name(rankings: list[list[str]]) -> None:
    fused = reciprocal_rank_fusion(rankings)
    assert {item for item, _ in fused} == {item for ranking in rankings for item in ranking}
    assert len(dict(fused)) == len(fused)
    assert fused == sorted(fused, key=lambda pair: (-pair[1], pair[0]))
    assert sum(score for _, score in fused) == pytest.approx(
        sum(1 / (60 + rank) for ranking in rankings for rank in range(1, len(ranking) + 1))
    )
    for ranking in rankings:
        assert [item for item, _ in reciprocal_rank_fusion([ranking])] == ranking
