"""Processes that spend: each over a ledger of its own, all over one database. Tests start them, and kill some of them."""

import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from app.adapters.sql.database import LedgerDatabase
from app.adapters.sql.ledger import SqlLedger
from app.costs.budgets import Limit
from app.costs.errors import BudgetExhaustedError, LedgerBusyError
from app.costs.hits import HitSum
from app.costs.ledger import Entry
from tests.contracts.hits import group
from tests.contracts.ledger import DAILY, NOON, bill, hold

WORST = Decimal("0.02")


@dataclass(frozen=True)
class Place:
    """Where a worker finds the ledger, and where it writes what happened: one line in one write, so that no kill tears it."""

    folder: Path
    url: str

    @property
    def calls(self) -> Path:
        return self.folder.with_name("calls.jsonl")

    @property
    def acknowledged(self) -> Path:
        return self.folder.with_name("acknowledged.jsonl")

    def ledger(self, limits: Sequence[Limit], kind: type[SqlLedger] = SqlLedger, now: datetime = NOON) -> SqlLedger:
        database = LedgerDatabase(self.folder, self.url)
        return kind(database, self.folder, limits, lost_after_s=600, keep_question_text=False, clock=lambda: now)


class MoodyLedger(SqlLedger):
    """One whose database is away now and then."""

    def _write(self, entry: Entry, now: datetime) -> None:
        if random.random() < 0.2:
            raise LedgerBusyError("Planted.")
        super()._write(entry, now)


def say(path: Path, answer_id: str, cost: Decimal) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, json.dumps({"id": answer_id, "cost": str(cost)}).encode() + b"\n")
    os.close(descriptor)


def said(path: Path) -> list[tuple[str, Decimal]]:
    if not path.exists():
        return []
    return [(line["id"], Decimal(line["cost"])) for line in map(json.loads, path.read_text().splitlines())]


def race(place: Place, name: str, step: str) -> None:
    """Spend a step at a time until a limit says no."""
    ledger = place.ledger([DAILY])
    for number in range(1_000):
        answer = f"{name}-{number}"
        try:
            ledger.reserve(hold(answer, step))
        except BudgetExhaustedError:
            break
        say(place.calls, answer, Decimal(step))
        ledger.settle(bill(answer, step))
    ledger.close()


def add_hits(place: Place, name: str, times: int) -> None:
    """Add cache hits so many times, to groups that others add to and to one of its own, in an order of its own."""
    ledger = place.ledger([])
    answers = [f"answer-{number}" for number in range(20)]
    rng = random.Random(name)
    for _ in range(times):
        rng.shuffle(answers)
        ledger.add_hits({group(answer): HitSum(2, Decimal("0.000000000003"), 1) for answer in [*answers, name]})
    ledger.close()


def spend_for_ever(place: Place, name: str) -> None:
    """Reserve, call a provider that counts, settle, acknowledge; until somebody kills it."""
    ledger = place.ledger([], MoodyLedger)
    rng = random.Random(name)
    for number in range(1_000_000):
        answer = f"{name}-{number}"
        cost = Decimal(rng.randint(0, 20_000_000_000)).scaleb(-12)
        if cost % 3:
            ledger.reserve(hold(answer, str(WORST)))
            say(place.calls, answer, cost)
            ledger.settle(bill(answer, str(cost)))
            say(place.acknowledged, answer, cost)
        else:
            ledger.settle(bill(answer, "0"))
            say(place.acknowledged, answer, Decimal(0))
