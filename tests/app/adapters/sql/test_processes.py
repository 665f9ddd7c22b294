"""Several processes over one ledger: races for the last dollar, and kill -9 at any point."""

import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.adapters.sql.database import LedgerDatabase
from app.adapters.sql.pending import PendingFile
from app.adapters.sql.reader import SqlLedgerReader
from app.adapters.sql.schema import BUDGET_USE, CACHE_HITS, HOLDS
from app.costs.hits import HitSum
from app.costs.ledger import Outcome
from tests.app.adapters.sql.ledger_worker import WORST, Place, add_hits, race, said, spend_for_ever
from tests.contracts.ledger import DAILY, NOON

ROOT = Path(__file__).resolve().parents[4]
RACERS = 8
KILLS = 50

SINCE, UNTIL = NOON - timedelta(days=1), NOON + timedelta(days=1)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> ForkServerContext:
    """Starts processes quickly: they are forked from one that has everything loaded."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.app.adapters.sql.ledger_worker", "app.adapters.sql.migrations"])
    return context


@pytest.fixture
def place(folder: Path, url: str) -> Place:
    return Place(folder, url)


@pytest.fixture
def database(place: Place) -> Iterator[LedgerDatabase]:
    with closing(LedgerDatabase(place.folder, place.url)) as database:
        yield database


def test_eight_processes_race_for_the_last_dollar(processes: ForkServerContext, place: Place, database: LedgerDatabase) -> None:
    """They also open it at once, and nobody has made its tables yet."""
    racers = [processes.Process(target=race, args=(place, f"racer{n}", "0.01")) for n in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    (whole,) = SqlLedgerReader(database).summary(SINCE, UNTIL, None)
    assert len(said(place.calls)) == whole.entries == 100
    assert whole.spent_usd == DAILY.usd == 1
    with database.reading() as connection:
        assert {row.held_pico_usd for row in connection.execute(sa.select(BUDGET_USE))} == {0}
        assert connection.execute(sa.select(sa.func.count()).select_from(HOLDS)).scalar() == 0


def test_processes_that_add_cache_hits_at_once_lose_none(
    processes: ForkServerContext, place: Place, database: LedgerDatabase
) -> None:
    """They also open it at once, and nobody has made its tables yet."""
    adders = [processes.Process(target=add_hits, args=(place, f"adder{n}", 20)) for n in range(4)]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()
    assert [adder.exitcode for adder in adders] == [0] * len(adders)
    additions = len(adders) * 20 * 21
    hits = SqlLedgerReader(database).hits(SINCE, UNTIL)
    assert hits == {"exact": HitSum(2 * additions, Decimal("0.000000000003") * additions, additions)}
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(CACHE_HITS)).scalar() == 20 + len(adders)


@pytest.mark.slow
def test_fifty_kills_lose_nothing_and_bill_nothing_twice(
    processes: ForkServerContext, place: Place, database: LedgerDatabase
) -> None:
    rng = random.Random(50)
    with closing(place.ledger([])) as keeper:
        for kill in range(KILLS):
            before = place.acknowledged.stat().st_size if place.acknowledged.exists() else 0
            pair = [processes.Process(target=spend_for_ever, args=(place, f"{kill}{side}")) for side in "ab"]
            for worker in pair:
                worker.start()
            until = time.monotonic() + 20
            while not place.acknowledged.exists() or place.acknowledged.stat().st_size == before:
                assert time.monotonic() < until, "nothing was settled"
                time.sleep(0.001)
            for worker in pair:
                time.sleep(rng.random() * 0.03)
                worker.kill()
            for worker in pair:
                worker.join()
            keeper.recover()
            assert not PendingFile(place.folder).waiting()
    with closing(place.ledger([], now=NOON + timedelta(hours=1))) as late:
        late.recover()  # a server may have finished what a killed process had asked of it after its other holds were settled
    _check(place, database)


def _check(place: Place, database: LedgerDatabase) -> None:
    billed = list(SqlLedgerReader(database).entries(SINCE, UNTIL))
    bills = {entry.id: entry for entry in billed}
    assert len(bills) == len(billed)
    acknowledged, calls = dict(said(place.acknowledged)), dict(said(place.calls))
    lost = {identity for identity, entry in bills.items() if entry.outcome is Outcome.LOST}
    assert acknowledged.keys() <= bills.keys() - lost
    assert calls.keys() <= bills.keys()
    assert all(bills[identity].receipt.cost_usd == WORST for identity in lost)
    paid = {identity: bills[identity].receipt.cost_usd for identity in calls.keys() - lost}
    assert paid == {identity: calls[identity] for identity in paid}
    assert all(not bills[identity].receipt.cost_usd for identity in bills.keys() - calls.keys() - lost)
    assert 0 < len(lost) <= 2 * KILLS
    assert len(acknowledged) > KILLS
    total = sum((entry.receipt.cost_usd or Decimal(0) for entry in billed), Decimal(0))
    with database.reading() as connection:
        rows = connection.execute(sa.select(BUDGET_USE).where(BUDGET_USE.c.payer == "company")).all()
        assert {Decimal(row.spent_pico_usd).scaleb(-12) for row in rows} == {total}
        assert {(row.held_pico_usd, row.held_tokens) for row in rows} == {(0, 0)}
        assert connection.execute(sa.select(sa.func.count()).select_from(HOLDS)).scalar() == 0
