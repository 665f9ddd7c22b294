"""Entries of answers that cost nothing are written behind the answer's back: nobody waits for the disk to have them."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from app.costs.budgets import Standing
from app.costs.errors import LedgerError
from app.costs.hits import AnsweringLedger, HitGroup, HitSum
from app.costs.ledger import Entry, Hold, Spender
from app.workers import Worker

_CAPACITY: Final = 1_000

_log = logging.getLogger(__name__)


class WriteBehindLedger:
    """`AnsweringLedger` around another, which it closes. Safe to use from several threads.

    An answer for which money was set aside is settled before its receipt is given, as the ledger within does. Any other entry is
    written by a thread, at once and in order. A process that is killed loses what waits: at most `capacity` entries, none of
    which cost anything; when so many wait, the next ones wait for the disk.
    """

    def __init__(self, ledger: AnsweringLedger, close: Callable[[], None], capacity: int = _CAPACITY) -> None:
        self._ledger = ledger
        self._close = close
        self._lock = threading.Lock()
        self._set_aside: set[str] = set()
        self._writer = Worker("ledger", ledger.settle, capacity, _lose)

    def standing(self, spender: Spender) -> Standing:
        """How far the limits that bind a spender are used now. Raises `LedgerError`."""
        return self._ledger.standing(spender)

    def reserve(self, hold: Hold) -> None:
        """Set money and tokens aside. Raises `BudgetExhaustedError`, `LedgerError`."""
        self._ledger.reserve(hold)
        with self._lock:
            self._set_aside.add(hold.answer_id)

    def settle(self, entry: Entry) -> None:
        """Write an entry: now, or soon where nothing was set aside for it. Raises `LedgerError`."""
        with self._lock:
            costs = entry.id in self._set_aside
            self._set_aside.discard(entry.id)
            later = not costs and self._writer.offer(entry)
        if not later:
            self._ledger.settle(entry)

    def add_hits(self, hits: Mapping[HitGroup, HitSum]) -> None:
        """Add to what each group of hits has. Raises `LedgerError`."""
        self._ledger.add_hits(hits)

    def close(self) -> None:
        """Write what waits, and close the ledger within."""
        self._writer.close(drop=False)
        self._close()


def _lose(entry: Entry, error: Exception) -> None:
    foreseen = isinstance(error, LedgerError)
    _log.log(
        logging.WARNING if foreseen else logging.ERROR,
        "The entry of answer %s, which cost nothing, is lost: %s",
        entry.id,
        error,
        exc_info=not foreseen,
    )
