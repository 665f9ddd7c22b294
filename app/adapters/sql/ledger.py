"""The ledger over SQLAlchemy, with a file beside it for what the database cannot take."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from app.adapters.sql import booking
from app.adapters.sql.database import LedgerDatabase
from app.adapters.sql.files import Presence, file_errors, make_private
from app.adapters.sql.pending import PendingFile
from app.adapters.sql.schema import BUDGET_USE, HOLDS, to_us
from app.costs.budgets import Limit, Standing, period_start
from app.costs.errors import LedgerError, LedgerRefusedError
from app.costs.hits import HitGroup, HitSum
from app.costs.ledger import Entry, Hold, Spender
from app.costs.limits import Used, binding_limits, limit_use, require_room

_LOOK_ROUND_S: Final = 60.0

_log = logging.getLogger(__name__)


class SqlLedger:
    """`Ledger` and `HitLedger` over SQLite or PostgreSQL. Opened by its first use.

    Safe to use from several threads and processes. At its first use, and about once a minute from then on, it looks for holds
    whose process died, and settles them as lost: those of processes on this machine as soon as they are gone, those of other
    machines after `lost_after_s`, and none before its `until`. An entry that turns up after its answer was booked as lost changes
    nothing: the bill stays at its worst case.
    """

    def __init__(
        self,
        database: LedgerDatabase,
        folder: Path,
        limits: Sequence[Limit],
        *,
        lost_after_s: float,
        keep_question_text: bool,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Put a ledger together.

        Args:
            database: Where the entries lie. It is closed with the ledger.
            folder: For the entries that it cannot take, and for who is running.
            limits: What may be spent.
            lost_after_s: When a hold of another machine counts as lost.
            keep_question_text: Whether the text of questions is kept.
            clock: The time of day, which decides the period that a hold belongs to.
        """
        self._database = database
        self._folder = folder
        self._limits = tuple(limits)
        self._lost_after_s = lost_after_s
        self._keep_text = keep_question_text
        self._clock = clock
        self._pending = PendingFile(folder)
        self._beginning = threading.Lock()
        self._presence: Presence | None = None
        self._looked_at: float | None = None

    def standing(self, spender: Spender) -> Standing:
        """How far the limits that bind a spender are used now.

        Raises:
            LedgerError: It cannot be read.
        """
        limits = binding_limits(self._limits, spender)
        if not limits:
            return Standing()
        self._look_round()
        now = self._clock()
        keys = sa.tuple_(*BUDGET_USE.primary_key.columns)
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(BUDGET_USE).where(keys.in_(booking.accounts(spender, now)))).all()
        use = {(row.payer, row.name, row.period): booking.used(row) for row in rows}
        return Standing(
            tuple(
                limit_use(limit, name, use.get((limit.payer.value, name, limit.period.value), Used()), now)
                for limit, name in limits
            )
        )

    def reserve(self, hold: Hold) -> None:
        """Set money and tokens aside, atomically, on every limit that binds the spender. Holds of one answer add up.

        Raises:
            BudgetExhaustedError: A limit has no room for it; nothing was set aside.
            LedgerError: It cannot be written; nothing was set aside.
        """
        instance = self._look_round().instance
        now = self._clock()
        with self._database.writing() as connection:
            use = booking.set_aside(connection, hold, now, instance)
            for limit, name in binding_limits(self._limits, hold.spender):
                start = period_start(limit.period, now).date().isoformat()
                before = use[limit.payer.value, name, limit.period.value, start]
                require_room(limit, name, before, hold, now)  # its error takes the whole transaction back

    def settle(self, entry: Entry) -> None:
        """Append an entry, book what it cost on the limits, and release the answer's holds, in one transaction.

        Settling the same entry again changes nothing. What cannot be written now is kept in a file beside the ledger and
        written by the next settling that can, or when the ledger is next opened.

        Raises:
            LedgerRefusedError: The ledger cannot hold such an entry; the answer is booked at the worst case of its holds.
            LedgerError: It could be neither written nor kept.
        """
        now = self._clock()
        entry = replace(entry, question=_plain(entry.question) if self._keep_text else None)
        try:
            self._look_round()
            if self._pending.waiting():
                self._pending.apply(self._write)
            self._write(entry, now)
        except LedgerRefusedError:
            with self._database.writing() as connection:
                booking.lose(connection, entry.id)
            raise
        except LedgerError as error:
            _log.warning("The bill of answer %s waits in a file: %s", entry.id, error)
            self._pending.keep(entry, now)

    def add_hits(self, hits: Mapping[HitGroup, HitSum]) -> None:
        """Add to what each group of cache hits has, in one transaction.

        Raises:
            LedgerRefusedError: The ledger cannot hold such sums; nothing was added.
            LedgerError: It cannot be written now; nothing was added.
        """
        with self._database.writing() as connection:
            booking.add_hits(connection, hits)

    def recover(self) -> None:
        """Write what waits, and settle as lost the holds whose process died. Another process that is at it is left to it.

        Raises:
            LedgerError: The ledger cannot be written now; what is left is done another time.
        """
        presence = self._present()
        # In this order: whoever is dead by now has left all its bills in the file, and those come before the worst case.
        running, dead = presence.others()
        if not self._pending.apply(self._write):
            return
        known = {presence.instance, *running}
        now = self._clock()
        before = to_us(now - timedelta(seconds=self._lost_after_s))
        with self._database.reading() as connection:
            holds = connection.execute(sa.select(*HOLDS.c).where(booking.due_by(now))).all()
        lost = {hold.answer_id for hold in holds if hold.instance in dead or (hold.instance not in known and hold.at_us < before)}
        for answer_id in sorted(lost):
            with self._database.writing() as connection:
                booking.lose(connection, answer_id, now)
            _log.warning("Answer %s was never settled: its process died. It is booked at its worst case.", answer_id)
        presence.forget(dead)

    def close(self) -> None:
        """Close the database, and let others settle what this process leaves open."""
        with self._beginning:
            if self._presence is not None:
                self._presence.leave()
                self._presence = None
        self._database.close()

    def _write(self, entry: Entry, now: datetime) -> None:
        with self._database.writing() as connection:
            booking.settle(connection, entry, now, keep_text=self._keep_text)

    def _present(self) -> Presence:
        with self._beginning:
            if self._presence is None:
                with file_errors(self._folder):
                    make_private(self._folder)
                    self._presence = Presence(self._folder / "running")
            return self._presence

    def _look_round(self) -> Presence:
        """Do what is due at the first use, and now and then from then on. What fails is tried again the next time."""
        presence, now = self._present(), time.monotonic()
        if self._looked_at is None or now - self._looked_at >= _LOOK_ROUND_S:
            self._looked_at = now
            try:
                self.recover()
            except LedgerError as error:
                _log.warning("Looking for bills that nobody settled has to wait: %s", error)
        return presence


def _plain(text: str | None) -> str | None:
    """Text that every database takes: without what is no character."""
    return None if text is None else text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
