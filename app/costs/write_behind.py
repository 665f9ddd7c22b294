"""Entries of answers that cost nothing are written behind the answer's back: nobody waits for the disk to have them."""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Final

from app.costs.budgets import Standing
from app.costs.errors import LedgerError
from app.costs.hits import AnsweringLedger, HitGroup, HitSum
from app.costs.ledger import Entry, Hold, Spender

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
        self._waiting: queue.Queue[Entry | None] = queue.Queue(capacity)
        self._lock = threading.Lock()
        self._set_aside: set[str] = set()
        self._writer: threading.Thread | None = None
        self._closed = False

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
            later = not costs and not self._closed and self._put(entry)
        if not later:
            self._ledger.settle(entry)

    def add_hits(self, hits: Mapping[HitGroup, HitSum]) -> None:
        """Add to what each group of hits has. Raises `LedgerError`."""
        self._ledger.add_hits(hits)

    def close(self) -> None:
        """Write what waits, and close the ledger within."""
        with self._lock:
            self._closed, writer = True, self._writer
        if writer:
            self._waiting.put(None)
            writer.join()
        self._close()

    def _put(self, entry: Entry) -> bool:
        """Leave an entry to the thread; `False` when too many wait."""
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="ledger", daemon=True)
            self._writer.start()
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            return False
        return True

    def _write(self) -> None:
        while entry := self._waiting.get():
            try:
                self._ledger.settle(entry)
            except LedgerError as error:
                _log.warning("The entry of answer %s, which cost nothing, is lost: %s", entry.id, error)
            except Exception:  # noqa: BLE001 - a thread that ended here would take all later entries with it
                _log.exception("The entry of answer %s, which cost nothing, is lost.", entry.id)
