import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from app.costs.confidence import UsdBounds, mean_bounds, share_at_least, share_at_most, share_bounds


def test_the_interval_of_a_share_is_wilsons() -> None:
    # Source: the worked example in Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    for part, whole, expected in (
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ):
        assert share_bounds(part, whole) == pytest.approx(expected, abs=5e-5)
    assert share_bounds(0, 0) is None


@given(st.integers(1, 2_000), st.data())
def test_bounds_are_those_of_clopper_and_pearson(asked: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(1, asked))
    assert share_at_least(right, asked) == pytest.approx(beta.ppf(0.05, right, asked - right + 1), abs=1e-9)
    assert share_at_most(asked - right, asked) == pytest.approx(1.0 - share_at_least(right, asked))


def test_nothing_right_or_nothing_asked_supports_nothing() -> None:
    assert share_at_least(0, 50) == share_at_least(0, 0) == 0.0
    assert share_at_most(0, 0) == 1.0


def test_299_right_answers_in_a_row_support_99_percent_and_298_do_not() -> None:
    assert share_at_least(299, 299) >= 0.99 > share_at_least(298, 298)


def test_the_interval_of_a_mean_holds_it_nineteen_times_of_twenty() -> None:
    draw = random.Random(1)
    held = 0
    for _ in range(400):
        amounts = [Decimal(draw.choice((0, 0, 0, 1, 4))) for _ in range(200)]
        bounds = mean_bounds(200, sum(amounts), sum(amount * amount for amount in amounts))
        assert bounds is not None
        held += bounds.low <= 1 <= bounds.high
    assert 0.92 <= held / 400 <= 0.98


def test_one_amount_has_no_interval_and_no_amount_is_negative() -> None:
    assert mean_bounds(1, Decimal(5), Decimal(25)) is None
    bounds = mean_bounds(2, Decimal(1), Decimal(1))
    assert bounds is not None
    assert bounds.low == 0
    assert bounds.high > 1
    assert mean_bounds(3, Decimal(6), Decimal(12)) == UsdBounds(Decimal(2), Decimal(2))


def test_the_interval_of_a_multiple_is_the_multiple() -> None:
    assert UsdBounds(Decimal(1), Decimal(2)).times(Decimal(30)) == UsdBounds(Decimal(30), Decimal(60))
