"""How sure a figure is that was measured on a part of what there is: 95 % intervals."""

from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from statistics import NormalDist
from typing import Final

CONFIDENCE: Final = 0.95

_Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


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
    half = _Z / (1 + z2 / whole) * sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    return max(0.0, centre - half), min(1.0, centre + half)


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
        return CONFIDENCE * sqrt(2 / (1 - CONFIDENCE * CONFIDENCE))
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(degrees) ** power for power, term in enumerate(terms, start=1))
