"""What is written into the ledger's tables, each function within a transaction of its caller."""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy import Connection, Row
from sqlalchemy.dialects import postgresql, sqlite

from app.adapters.sql.money import from_pico, to_pico
from app.adapters.sql.schema import BUDGET_USE, CACHE_HITS, ENTRIES, ENTRY_LINES, HOLDS, QUESTION_TEXTS, from_us, to_us
from app.costs.budgets import Period, period_start
from app.costs.hits import HitGroup, HitSum
from app.costs.ledger import Entry, Hold, Outcome, Spender, Surface
from app.costs.limits import Used, payers
from app.costs.receipts import NaivePrompt, Receipt, ReceiptLine, Stage

Account: TypeAlias = tuple[str, str, str, str]
"""Payer, name, period and the day that the period begins: one row of what the budgets have used."""

_HOLD: Final = sa.insert(HOLDS)
_LINE: Final = sa.insert(ENTRY_LINES)
_HIT_SUMS: Final = ("hits", "saved_pico_usd", "unknown_saved", "abstained")
_LOST: Final = "The process died before it settled: booked at the most that the answer can have cost."


@dataclass(slots=True)
class Change:
    """What to add to an account."""

    spent_pico_usd: int = 0
    spent_tokens: int = 0
    held_pico_usd: int = 0
    held_tokens: int = 0
    unknown_entries: int = 0


class _Statements:
    """Inserts that say what to do about a row that is there already: both databases can, each by a construct of its own.

    Made once: making a statement takes longer than SQLite does to run it.
    """

    def __init__(self, insert: Callable[[sa.Table], Any]) -> None:
        self.append = insert(ENTRIES).on_conflict_do_nothing(index_elements=[ENTRIES.c.id]).returning(ENTRIES.c.number)
        used_columns = [column.name for column in BUDGET_USE.c if not column.primary_key]
        self.book = _adding(insert(BUDGET_USE), BUDGET_USE, used_columns).returning(*BUDGET_USE.c)
        self.add_hits = _adding(insert(CACHE_HITS), CACHE_HITS, _HIT_SUMS)


def _adding(insert: Any, table: sa.Table, columns: Iterable[str]) -> Any:
    added = {name: table.c[name] + insert.excluded[name] for name in columns}
    return insert.on_conflict_do_update(index_elements=[*table.primary_key], set_=added)


_STATEMENTS: Final = {"sqlite": _Statements(sqlite.insert), "postgresql": _Statements(postgresql.insert)}


def accounts(spender: Spender, at: datetime) -> list[Account]:
    """The rows that a spender's answers are booked on, for the periods that `at` lies in."""
    return [
        (payer.value, name, period.value, period_start(period, at).date().isoformat())
        for payer, name in payers(spender).items()
        for period in Period
    ]


def set_aside(connection: Connection, hold: Hold, at: datetime, instance: str) -> dict[Account, Used]:
    """Write down a hold and add it to everything that it will be booked on.

    Until the transaction ends nobody else changes these rows, so that the caller may look whether it was too much.

    Returns:
        What each account had used before.
    """
    pico = to_pico(hold.cost_usd)
    change = Change(held_pico_usd=pico or 0, held_tokens=hold.tokens)
    rows = _book(connection, dict.fromkeys(accounts(hold.spender, at), change))
    row = {
        "answer_id": hold.answer_id,
        "instance": instance,
        "at_us": to_us(at),
        "cost_pico_usd": pico,
        "tokens": hold.tokens,
        "until_us": None if hold.until is None else to_us(hold.until),
        **_spender_columns(hold.spender),
    }
    connection.execute(_HOLD, row)
    held = Decimal(0) if hold.cost_usd is None else hold.cost_usd
    after = {(row.payer, row.name, row.period, row.period_start): used(row) for row in rows}
    return {
        account: replace(now, held_usd=now.held_usd - held, held_tokens=now.held_tokens - hold.tokens)
        for account, now in after.items()
    }


def used(row: Row[Any]) -> Used:
    """One row of the table of what the budgets have used."""
    return Used(
        spent_usd=from_pico(row.spent_pico_usd),
        spent_tokens=row.spent_tokens,
        held_usd=from_pico(row.held_pico_usd),
        held_tokens=row.held_tokens,
        unknown_entries=row.unknown_entries,
    )


def settle(connection: Connection, entry: Entry, now: datetime, *, keep_text: bool) -> None:
    """Append an entry, book it, and release the answer's holds; nothing at all when the entry is there already.

    It is booked in the periods in which the answer's first hold was made, because there the money was set aside; without a
    hold, in those of `now`. The entry's own time plays no part, so that a caller's wrong clock cannot move spending about.
    """
    if _append(connection, entry, keep_text=keep_text):
        _book_entry(connection, entry, _take_holds(connection, entry.id), now)


def lose(connection: Connection, answer_id: str, due: datetime | None = None) -> None:
    """Settle the holds of an answer whose process died, at their worst case; nothing when they are settled already.

    Holds that last beyond `due` are left alone, and with them the answer's id, under which it can still be settled.
    """
    holds = _take_holds(connection, answer_id, due)
    if not holds:
        return
    entry = _lost_entry(answer_id, holds)
    open_still = connection.execute(sa.select(HOLDS.c.number).where(HOLDS.c.answer_id == answer_id)).first()
    # Else the answer was settled, and something after it was not.
    if open_still or not _append(connection, entry, keep_text=False):
        entry = replace(entry, id=f"{answer_id}-lost-{uuid.uuid4().hex[:12]}")
        _append(connection, entry, keep_text=False)
    _book_entry(connection, entry, holds, entry.at)


def due_by(now: datetime) -> sa.ColumnElement[bool]:
    """Which holds count as lost as soon as their process is dead."""
    return sa.or_(HOLDS.c.until_us.is_(None), HOLDS.c.until_us <= to_us(now))


def add_hits(connection: Connection, hits: Mapping[HitGroup, HitSum]) -> None:
    """Add to what each group of cache hits has, and make those that are missing."""
    # In one order always, so that two processes never wait for each other.
    rows = sorted((_hit_columns(group, found) for group, found in hits.items()), key=lambda row: (row["day"], row["group_hash"]))
    if rows:
        connection.execute(_statements(connection).add_hits, rows)


def _append(connection: Connection, entry: Entry, *, keep_text: bool) -> bool:
    receipt = entry.receipt
    row = {
        "id": entry.id,
        "at_us": to_us(entry.at),
        "question_hash": entry.question_hash,
        "outcome": entry.outcome.value,
        "rung_path": json.dumps(entry.rung_path),
        "last_rung": entry.rung_path[-1] if entry.rung_path else None,
        "groundedness": entry.groundedness,
        "generation": entry.generation,
        "prices": entry.prices,
        "prompt": entry.prompt,
        "profile": entry.profile,
        "input_tokens": receipt.input_tokens,
        "output_tokens": receipt.output_tokens,
        "cached_input_tokens": sum(line.cached_input_tokens for line in receipt.lines),
        "cost_pico_usd": to_pico(receipt.cost_usd),
        "known_pico_usd": _known_pico(receipt),
        "baseline_tokens": receipt.baseline.input_tokens,
        "baseline_pico_usd": to_pico(receipt.baseline.cost_usd),
        "saved_pico_usd": to_pico(receipt.saved_usd),
        "ms": receipt.ms,
        "notes": json.dumps(receipt.notes),
        **_spender_columns(entry.spender),
    }
    number = connection.execute(_statements(connection).append, row).scalar()
    if number is None:
        return False
    if receipt.lines:
        lines = [_line_columns(number, position, line) for position, line in enumerate(receipt.lines)]
        connection.execute(_LINE, lines)
    if keep_text and entry.question is not None:
        connection.execute(sa.insert(QUESTION_TEXTS).values(entry_number=number, question=entry.question))
    return True


def _known_pico(receipt: Receipt) -> int:
    """Where one line's cost is unknown, what is known of the others is spent all the same."""
    return sum(to_pico(line.cost_usd) or 0 for line in receipt.lines)


def _line_columns(number: int, position: int, line: ReceiptLine) -> dict[str, object]:
    return {
        "entry_number": number,
        "position": position,
        "stage": line.stage.value,
        "rung": line.rung,
        "model": line.model,
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "cached_input_tokens": line.cached_input_tokens,
        "cost_pico_usd": to_pico(line.cost_usd),
        "ms": line.ms,
        "estimated": line.estimated,
    }


def _take_holds(connection: Connection, answer_id: str, due: datetime | None = None) -> list[Row[Any]]:
    """Release the holds of an answer; with `due`, only those that do not last beyond it."""
    taken = sa.delete(HOLDS).where(HOLDS.c.answer_id == answer_id)
    if due is not None:
        taken = taken.where(due_by(due))
    rows = connection.execute(taken.returning(*HOLDS.c))
    return sorted(rows, key=lambda row: (row.at_us, row.number))


def _book_entry(connection: Connection, entry: Entry, holds: Sequence[Row[Any]], now: datetime) -> None:
    changes: dict[Account, Change] = {}
    for hold in holds:
        for account in accounts(_spender(hold), from_us(hold.at_us)):
            change = changes.setdefault(account, Change())
            change.held_pico_usd -= hold.cost_pico_usd or 0
            change.held_tokens -= hold.tokens
    for account in accounts(entry.spender, from_us(holds[0].at_us) if holds else now):
        change = changes.setdefault(account, Change())
        change.spent_pico_usd += _known_pico(entry.receipt)
        change.spent_tokens += entry.receipt.input_tokens + entry.receipt.output_tokens
        change.unknown_entries += entry.receipt.cost_usd is None
    _book(connection, changes)


def _book(connection: Connection, changes: dict[Account, Change]) -> Sequence[Row[Any]]:
    """Add to accounts, and make those that are missing. In one order always, so that two processes never wait for each other."""
    rows = [
        {
            "payer": payer,
            "name": name,
            "period": period,
            "period_start": start,
            "spent_pico_usd": change.spent_pico_usd,
            "spent_tokens": change.spent_tokens,
            "held_pico_usd": change.held_pico_usd,
            "held_tokens": change.held_tokens,
            "unknown_entries": change.unknown_entries,
        }
        for (payer, name, period, start), change in sorted(changes.items(), key=lambda item: item[0])
    ]
    return connection.execute(_statements(connection).book, rows).all()


def _hit_columns(group: HitGroup, hits: HitSum) -> dict[str, Any]:
    facts = {"answer_id": group.answer_id, "kind": group.kind, **_spender_columns(group.spender)}
    return {
        "day": group.day.isoformat(),
        "group_hash": hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest(),
        **facts,
        "hits": hits.count,
        "saved_pico_usd": to_pico(hits.saved_usd),
        "unknown_saved": hits.unknown_saved,
        "abstained": hits.abstained,
    }


def _statements(connection: Connection) -> _Statements:
    return _STATEMENTS[connection.dialect.name]


def _lost_entry(answer_id: str, holds: Iterable[Row[Any]]) -> Entry:
    """The bill of an answer that nobody finished: a line for each hold, its tokens all as read."""
    rows = list(holds)
    lines = tuple(ReceiptLine(Stage.GENERATE, row.tokens, 0, from_pico(row.cost_pico_usd), 0.0, estimated=True) for row in rows)
    return Entry(
        id=answer_id,
        at=from_us(rows[0].at_us),
        spender=_spender(rows[0]),
        question_hash="",
        question=None,
        outcome=Outcome.LOST,
        rung_path=(),
        receipt=Receipt(lines, NaivePrompt(0, None), 0.0, (_LOST,)),
        groundedness=None,
        generation="",
        prices="",
        prompt="",
        profile=None,
    )


def _spender(row: Row[Any]) -> Spender:
    return Spender(Surface(row.surface), row.person, row.team, row.api_key)


def _spender_columns(spender: Spender) -> dict[str, str | None]:
    return {"surface": spender.surface.value, "person": spender.person, "team": spender.team, "api_key": spender.key}
