"""The measured saving: a ratio of sums, and how sure it is."""

import random
from decimal import Decimal

import pytest

from app.costs.confidence import student_quantile
from app.costs.measured import MeasuredPair, measured_saving


def pair(cost: float, naive: float) -> MeasuredPair:
    return MeasuredPair("a", Decimal(str(cost)), Decimal(str(naive)))


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(2, 4.3027), (3, 3.1824), (5, 2.5706), (9, 2.2622), (30, 2.0423), (10**6, 1.96)]
)
def test_the_quantile_is_that_of_the_tables(degrees: int, quantile: float) -> None:
    assert student_quantile(degrees) == pytest.approx(quantile, abs=0.01 if degrees < 5 else 0.0005)


def test_a_dear_question_weighs_what_it_costs() -> None:
    measured = measured_saving([pair(0.01, 0.1), pair(0.0, 0.1), pair(0.1, 0.8)])
    assert measured is not None
    assert (measured.answers, measured.share) == (3, pytest.approx(0.89))


def test_the_interval_is_that_of_the_ratio_of_means() -> None:
    # By hand: ratio 0.25; residues 0.5, -0.5, 0.5, -0.5; error sqrt(1 / 3 / 4) / 4; t(3) = 3.1824.
    measured = measured_saving([pair(1.5, 4), pair(0.5, 4), pair(1.5, 4), pair(0.5, 4)])
    assert measured is not None
    assert measured.share == 0.75
    half = 3.1824 * (1 / 12) ** 0.5 / 4
    assert (measured.low, measured.high) == (pytest.approx(0.75 - half, abs=0.001), pytest.approx(0.75 + half, abs=0.001))


def test_no_more_than_everything_is_saved() -> None:
    measured = measured_saving([pair(0, 1), pair(0, 1), pair(0.9, 1)])
    assert measured is not None
    assert measured.high == 1.0


def test_a_dearer_farthing_has_saved_less_than_nothing() -> None:
    measured = measured_saving([pair(3, 1)] * 5)
    assert measured is not None
    assert (measured.share, measured.low, measured.high) == (-2.0, -2.0, -2.0)


def test_too_few_answers_have_no_interval_and_none_have_no_saving() -> None:
    measured = measured_saving([pair(1, 2), pair(1, 2)])
    assert measured is not None
    assert (measured.share, measured.low, measured.high) == (0.5, None, None)
    assert measured_saving([]) is None
    assert measured_saving([pair(0, 0)]) is None


def test_the_interval_holds_the_true_saving_about_as_often_as_it_says() -> None:
    rng = random.Random(5)
    held = 0
    for _ in range(400):
        pairs = []
        for _ in range(30):
            naive = rng.uniform(0.5, 1.5)
            pairs.append(pair(naive * 0.1 * rng.choice([0.0, 0.5, 1.0, 2.5]), naive))
        measured = measured_saving(pairs)
        assert measured is not None
        assert measured.low is not None
        assert measured.high is not None
        held += measured.low <= 0.9 <= measured.high
    assert 0.91 < held / 400 < 0.98
