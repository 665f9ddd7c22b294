"""How sure a figure is that was measured on a part of what there is, at 95 %: intervals to show, and bounds to decide by.

An interval has both ends and is right on the average; a bound has one, and is never less sure than it says.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np

CONFIDENCE: Final = 0.95

_Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_HALVINGS: Final = 60


@dataclass(frozen=True, slots=True)
class UsdBounds:
    """Between which amounts a figure lies, in US dollars."""

    low: Decimal
    high: Decimal

    def times(self, factor: Decimal) -> "UsdBounds":
        """The bounds of a multiple of the figure; `factor` is not negative."""
        return UsdBounds(self.low * factor, self.high * factor)


def share_bounds(part: int, whole: int) -> tuple[float, float] | None:
    """Between which shares, in [0, 1], the true one lies; `None` when nothing was looked at.

    Source:
        Wilson, Probable inference, the law of succession, and statistical inference (1927); it holds for few observations, too.
    """
    if not whole:
        return None
    share, z2 = part / whole, _Z * _Z
    centre = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z / (1 + z2 / whole) * math.sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    return max(0.0, centre - half), min(1.0, centre + half)


@lru_cache(maxsize=4096)
def share_at_least(part: int, whole: int) -> float:
    """The lowest share that `part` of `whole` do not speak against, at `CONFIDENCE` on one side; 0 when nothing was looked at.

    Source:
        Clopper and Pearson, Biometrika 26 (1934): the share at which so many or more come about with probability 1 - confidence.
    """
    if part == 0:
        return 0.0
    counts = np.arange(part, whole + 1)
    log_ways = np.array([math.lgamma(whole + 1) - math.lgamma(k + 1) - math.lgamma(whole - k + 1) for k in counts.tolist()])
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        so_many = np.exp(log_ways + counts * math.log(share) + (whole - counts) * math.log1p(-share)).sum()
        low, high = (share, high) if so_many < 1.0 - CONFIDENCE else (low, share)
    return low


def share_at_most(part: int, whole: int) -> float:
    """The highest share that `part` of `whole` do not speak against, as `share_at_least`; 1 when nothing was looked at."""
    return 1.0 - share_at_least(whole - part, whole)


def mean_bounds(count: int, total: Decimal, squares: Decimal) -> UsdBounds | None:
    """Between which amounts the true mean of amounts lies that are not negative; `None` for fewer than two.

    Args:
        count: How many amounts there are.
        total: Their sum.
        squares: The sum of their squares.

    Source:
        The normal approximation, mean +- z s / sqrt(n); it is rough for few amounts, and says nothing where all are equal.
    """
    if count < 2:  # noqa: PLR2004 - one amount has no spread
        return None
    mean = total / count
    variance = max(Decimal(0), (squares - total * mean) / (count - 1))
    half = Decimal(_Z) * (variance / count).sqrt()
    return UsdBounds(max(Decimal(0), mean - half), mean + half)


def student_quantile(degrees: int) -> float:
    """How many standard errors around a mean hold `CONFIDENCE`, for a spread that was estimated with so many degrees of freedom.

    Right to a hundredth from two degrees of freedom on, and to two thousandths from five on.

    Source:
        The expansion around the normal quantile of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5; for two
        degrees of freedom, where it is too coarse, the closed form.
    """
    if degrees == 2:  # noqa: PLR2004 - the distribution with a closed form
        return CONFIDENCE * math.sqrt(2 / (1 - CONFIDENCE * CONFIDENCE))
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(degrees) ** power for power, term in enumerate(terms, start=1))
