"""How sure a figure is: percentile bootstrap intervals over questions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.costs.confidence import CONFIDENCE

RESAMPLES: Final = 2_000
SEED: Final = 20_240_229
"""Fixed, so that the same values always give the same interval, and two arms on the same questions the same resamples."""

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Reduces the last axis."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the bounds between which it lies in 95 % of the resamples."""

    value: float
    low: float
    high: float

    def to_json(self, digits: int = 6) -> dict[str, float]:
        """The interval as `run.json` holds it."""
        return {"mean": round(self.value, digits), "low": round(self.low, digits), "high": round(self.high, digits)}


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the last axis."""
    return np.asarray(values.mean(axis=-1))


def percentile(q: float) -> Statistic:
    """The statistic that is the `q`-th percentile, linear between neighbours."""

    def of(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.percentile(values, q, axis=-1))

    return of


def bootstrap(values: list[float], statistic: Statistic = mean) -> Interval | None:
    """A statistic over questions with its percentile bootstrap interval; `None` without questions.

    For the difference of two arms, give the differences question by question: both are then resampled together, which makes the
    interval a paired one.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if not values:
        return None
    data = np.asarray(values, dtype=np.float64)
    drawn = statistic(data[_resamples(len(values))])
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Interval(float(statistic(data)), float(low), float(high))


@lru_cache(maxsize=64)
def _resamples(count: int) -> NDArray[np.int64]:
    return np.random.default_rng((SEED, count)).integers(0, count, (RESAMPLES, count))
