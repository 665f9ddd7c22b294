"""Hits of the answer cache, counted in memory and written to the ledger in sums: they cost nothing, and there are thousands."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Protocol

from app.costs.errors import LedgerError, LedgerRefusedError
from app.costs.ledger import Ledger, Spender

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HitGroup:
    """Hits that are counted together: the day, in UTC, the answer that was given again, how it was found, and for whom."""

    day: date
    answer_id: str
    kind: str
    spender: Spender


@dataclass(frozen=True, slots=True)
class HitSum:
    """How many hits a group had, and what they saved: `saved_usd` of those whose saving is known, and how many others.

    `abstained` of them gave an abstention again, and no answer.
    """

    count: int = 0
    saved_usd: Decimal = Decimal(0)
    unknown_saved: int = 0
    abstained: int = 0

    def plus(self, other: "HitSum") -> "HitSum":
        """Both together."""
        return HitSum(
            self.count + other.count,
            self.saved_usd + other.saved_usd,
            self.unknown_saved + other.unknown_saved,
            self.abstained + other.abstained,
        )


class HitLedger(Protocol):
    """Takes in hits. Safe to use from several threads and processes."""

    def add_hits(self, hits: Mapping[HitGroup, HitSum]) -> None:
        """Add to what each group has, in one transaction.

        Raises:
            LedgerError: It cannot be written; nothing was added.
        """


class AnsweringLedger(Ledger, HitLedger, Protocol):
    """Everything that answering writes down."""


class HitBook:
    """Counts hits where nobody may wait, and writes them down when told to. Safe to use from several threads.

    A process that is killed loses the hits since the last `write`: they cost nothing, and no receipt depends on them.
    """

    def __init__(self, ledger: HitLedger, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: dict[HitGroup, HitSum] = {}

    def note(self, answer_id: str, kind: str, spender: Spender, saved_usd: Decimal | None, *, abstained: bool) -> None:
        """Count one hit; `saved_usd` is `None` when nobody knows, and `abstained` says that it gave no answer."""
        group = HitGroup(self._clock().date(), answer_id, kind, spender)
        one = HitSum(1, saved_usd or Decimal(0), int(saved_usd is None), int(abstained))
        with self._lock:
            self._add(group, one)

    def write(self) -> None:
        """Write down what was noted. What cannot be written now is kept for the next time; what never can is named and let go."""
        with self._lock:
            noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            self._ledger.add_hits(noted)
        except LedgerRefusedError as error:  # it never will be: kept, it would hold up all that come after it
            _log.warning("%d cache hits cannot be written to the ledger: %s", sum(one.count for one in noted.values()), error)
        except LedgerError:
            with self._lock:
                for group, hits in noted.items():
                    self._add(group, hits)

    def _add(self, group: HitGroup, hits: HitSum) -> None:
        self._noted[group] = self._noted.get(group, HitSum()).plus(hits)
