"""Budgets: limits per day or month, how far they are used, and what Farthing still does as one comes close."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum


class Payer(StrEnum):
    """Whom a limit binds."""

    COMPANY = "company"
    TEAM = "team"
    PERSON = "person"
    KEY = "key"
    SURFACE = "surface"


class Period(StrEnum):
    """How often a limit begins anew, in UTC."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so much in a period, in dollars, in tokens (read and written together), or both.

    `name` is the team, person, key or surface; `*` gives each of them a limit of its own; for the company it is `*`.
    """

    payer: Payer
    name: str
    period: Period
    usd: Decimal | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class LimitUse:
    """How far one limit is used: spent and set aside together, as a share of it. A limit of zero is used up from the start.

    `unknown_entries` are the entries of unknown cost for which a limit in dollars counts as used up.
    """

    limit: Limit
    name: str
    used_share: float
    resets_at: datetime
    unknown_entries: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """The limits that bind a spender now; none when nothing is limited."""

    uses: tuple[LimitUse, ...] = ()

    @property
    def tightest(self) -> LimitUse | None:
        """The limit that is used furthest; `None` when nothing is limited."""
        return max(self.uses, key=lambda use: use.used_share, default=None)


class Restraint(IntEnum):
    """What a budget that comes to its end still allows, from everything down to what costs nothing."""

    NONE = 0
    COMPRESSED_ONLY = 1
    SMALL_ONLY = 2
    FREE_ONLY = 3


@dataclass(frozen=True, slots=True)
class RestraintShares:
    """From which used share of a limit on each restraint holds, each in [0, 1] and none below the one before."""

    compressed_only: float
    small_only: float
    free_only: float

    def restraint(self, standing: Standing) -> Restraint:
        """What the tightest limit still allows."""
        tightest = standing.tightest
        share = tightest.used_share if tightest else 0.0
        steps: Sequence[tuple[float, Restraint]] = (
            (self.free_only, Restraint.FREE_ONLY),
            (self.small_only, Restraint.SMALL_ONLY),
            (self.compressed_only, Restraint.COMPRESSED_ONLY),
        )
        return next((restraint for at, restraint in steps if tightest and share >= at), Restraint.NONE)


def period_start(period: Period, now: datetime) -> datetime:
    """The first moment of the day or month that `now` lies in, in UTC."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if period is Period.DAY else midnight.replace(day=1)


def period_end(period: Period, now: datetime) -> datetime:
    """The first moment of the next day or month, in UTC."""
    start = period_start(period, now)
    return start + timedelta(days=1) if period is Period.DAY else (start + timedelta(days=32)).replace(day=1)
