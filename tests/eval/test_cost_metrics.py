from decimal import Decimal

from eval.cost_metrics import cost_per_answer, cost_per_correct_grounded_answer

CENT = Decimal("0.01")


def test_every_answer_is_paid_for_and_only_good_ones_count() -> None:
    assert cost_per_answer([CENT, CENT * 3]) == CENT * 2
    assert cost_per_correct_grounded_answer([CENT, CENT * 3], [True, False]) == CENT * 4


def test_one_unknown_cost_makes_the_figure_unknown() -> None:
    assert cost_per_answer([CENT, None]) is None
    assert cost_per_correct_grounded_answer([CENT, None], [True, True]) is None


def test_no_good_answer_has_no_price() -> None:
    assert cost_per_correct_grounded_answer([CENT], [False]) is None
    assert cost_per_answer([]) is None


def test_free_is_zero_not_unknown() -> None:
    assert cost_per_correct_grounded_answer([Decimal(0)], [True]) == 0
