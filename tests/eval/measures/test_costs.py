from decimal import Decimal

from eval.measures.costs import cost_per_answer, cost_per_good_answer

CENT = Decimal("0.01")


def test_every_answer_is_paid_for_and_only_good_ones_count() -> None:
    assert cost_per_answer([CENT, CENT * 3]) == CENT * 2
    assert cost_per_good_answer([CENT, CENT * 3], 1) == CENT * 4


def test_one_unknown_cost_makes_the_figure_unknown() -> None:
    assert cost_per_answer([CENT, None]) is None
    assert cost_per_good_answer([CENT, None], 2) is None


def test_no_good_answer_has_no_price() -> None:
    assert cost_per_good_answer([CENT], 0) is None
    assert cost_per_answer([]) is None


def test_free_is_zero_not_unknown() -> None:
    assert cost_per_good_answer([Decimal(0)], 1) == 0
