import random

import ir_measures
import pytest
from ir_measures import RR, R, nDCG

from eval.measures.ranking import first_occurrences, ndcg_at, recall_at, reciprocal_rank_at


def test_a_page_stands_at_its_best_passage() -> None:
    assert first_occurrences(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]


def test_known_values() -> None:
    assert recall_at(2, ["a", "b", "c"], {"a", "c"}) == 0.5
    assert reciprocal_rank_at(10, ["x", "a"], {"a"}) == 0.5
    assert reciprocal_rank_at(1, ["x", "a"], {"a"}) == 0.0
    assert ndcg_at(10, ["a", "c"], {"a", "c"}) == 1.0
    assert ndcg_at(10, [], {"a"}) == 0.0


@pytest.mark.parametrize("seed", range(20))
def test_agreement_with_ir_measures(seed: int) -> None:
    rng = random.Random(seed)
    pages = [f"d{number}" for number in range(30)]
    ranking = rng.sample(pages, rng.randint(1, 25))
    relevant = set(rng.sample(pages, rng.randint(1, 14)))
    qrels = [ir_measures.Qrel("q", page, 1) for page in relevant]
    run = [ir_measures.ScoredDoc("q", page, float(-rank)) for rank, page in enumerate(ranking)]
    expected = ir_measures.calc_aggregate([nDCG @ 10, RR @ 10, R @ 5, R @ 10], qrels, run)
    assert ndcg_at(10, ranking, relevant) == pytest.approx(expected[nDCG @ 10])
    assert reciprocal_rank_at(10, ranking, relevant) == pytest.approx(expected[RR @ 10])
    assert recall_at(5, ranking, relevant) == pytest.approx(expected[R @ 5])
    assert recall_at(10, ranking, relevant) == pytest.approx(expected[R @ 10])
