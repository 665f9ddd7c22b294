import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.measures.intervals import bootstrap, percentile


def test_no_values_give_no_interval() -> None:
    assert bootstrap([]) is None


def test_equal_values_leave_no_doubt() -> None:
    interval = bootstrap([0.5] * 20)
    assert interval
    assert (interval.value, interval.low, interval.high) == (0.5, 0.5, 0.5)


def test_the_same_values_give_the_same_interval() -> None:
    values = [float(number % 3) for number in range(50)]
    assert bootstrap(values) == bootstrap(list(values))


def test_the_interval_of_a_mean_agrees_with_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(size=400)
    interval = bootstrap(values.tolist())
    assert interval
    half = 1.96 * values.std() / 20
    assert interval.low == pytest.approx(values.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.02)


def test_pairing_narrows_the_interval_of_a_difference() -> None:
    first = [float(number) for number in range(40)]
    second = [value + 1 for value in first]
    paired = bootstrap([b - a for a, b in zip(first, second, strict=True)])
    assert paired
    assert (paired.low, paired.high) == (1.0, 1.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_bounds_surround_and_stay_inside_the_values(values: list[float]) -> None:
    for statistic in (percentile(50), percentile(95)):
        interval = bootstrap(values, statistic)
        assert interval
        assert min(values) - 1e-6 <= interval.low <= interval.high <= max(values) + 1e-6
