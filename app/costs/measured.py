"""The saving as it was measured: answers whose question was put to the naive pipeline as well, and both bills."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import sqrt
from typing import Final, Protocol

from app.costs.confidence import student_quantile
from app.costs.reports import LedgerReader

SUFFIX: Final = "-measured"
"""What the id of a measurement's entry adds to that of its answer. Its rung path is empty where the naive pipeline failed."""

MEASURING_KEY: Final = "farthing:measuring"
"""The key that measurements are paid under, so that a limit of their own binds them. No API key has a colon in its name."""

_FEWEST: Final = 3
"""Fewer pairs say nothing of how far they differ."""


@dataclass(frozen=True, slots=True)
class MeasuredPair:
    """What one answer cost, and what the naive pipeline did for the same question. Both are known."""

    answer_id: str
    cost_usd: Decimal
    naive_usd: Decimal


@dataclass(frozen=True, slots=True)
class MeasuredSaving:
    """The share of the naive pipeline's cost that was saved over so many answers: at most 1, negative where it was the cheaper.

    `low` and `high` bound the share in the long run with 95 % confidence; `None` where there are too few answers to say.
    """

    answers: int
    share: float
    low: float | None
    high: float | None


class MeasuredReader(Protocol):
    """Reads what was measured."""

    def measured_pairs(self, since: datetime, until: datetime) -> Sequence[MeasuredPair]:
        """The pairs that were measured from `since` up to, not including, `until`, in the order of their writing.

        Left out are those of which a cost is unknown, and those in which the naive pipeline failed.

        Raises:
            LedgerError: It cannot be read.
        """


class ReportReader(LedgerReader, MeasuredReader, Protocol):
    """Reads everything that a report says."""


def measured_saving(pairs: Sequence[MeasuredPair]) -> MeasuredSaving | None:
    """The saving that was measured, with its interval; `None` without pairs, or where the naive pipeline cost nothing.

    It is one minus the ratio of both sums, so that a dear question weighs what it costs.

    Source:
        Cochran, Sampling Techniques (1977), 6.3 and 6.4: the ratio of two means of pairs, its variance by linearisation, and
        Student's distribution in place of the normal one, since pairs may be few.
    """
    count, naive = len(pairs), sum((pair.naive_usd for pair in pairs), Decimal(0))
    if not naive:
        return None
    ratio = float(sum((pair.cost_usd for pair in pairs), Decimal(0)) / naive)
    if count < _FEWEST:
        return MeasuredSaving(count, 1 - ratio, None, None)
    residues = [float(pair.cost_usd) - ratio * float(pair.naive_usd) for pair in pairs]
    error = sqrt(sum(residue * residue for residue in residues) / (count - 1) / count) / (float(naive) / count)
    half = student_quantile(count - 1) * error
    return MeasuredSaving(count, 1 - ratio, 1 - ratio - half, min(1.0, 1 - ratio + half))
