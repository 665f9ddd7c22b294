"""A ledger that is locked, full, away, damaged, or somebody else's: the stated fallback, nothing unbilled, nothing lost."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa

from app.adapters.sql import database as database_module
from app.adapters.sql import ledger as ledger_module
from app.adapters.sql.database import LedgerDatabase
from app.adapters.sql.ledger import SqlLedger
from app.adapters.sql.reader import SqlLedgerReader
from app.adapters.sql.schema import QUESTION_TEXTS
from app.costs.errors import LedgerBusyError, LedgerError, LedgerFullError, LedgerRefusedError
from app.costs.hits import HitBook, HitGroup, HitSum
from app.costs.ledger import Entry, Outcome
from tests.app.adapters.sql.conftest import Workplace
from tests.contracts.hits import group
from tests.contracts.ledger import ANN, DAILY, FAR_OFF, LONG_AGO, NOON, Clock, bill, hold


@pytest.fixture(autouse=True)
def _no_long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_WAIT_S", 0.1)


@contextmanager
def locked(work: Workplace) -> Iterator[None]:
    """Somebody writes into the database, and does not come to an end."""
    database = work.database()
    with database.writing() as connection:
        if work.url:
            connection.execute(sa.text("LOCK TABLE entries, holds, budget_use, cache_hits IN ACCESS EXCLUSIVE MODE"))
        yield


def written(work: Workplace) -> list[Entry]:
    return list(SqlLedgerReader(work.database()).entries(LONG_AGO, FAR_OFF))


def waiting(work: Workplace) -> list[str]:
    path = work.folder / "pending.jsonl"
    return [json.loads(line)["entry"]["id"] for line in path.read_text().splitlines()] if path.exists() else []


class TestLocked:
    def test_bills_wait_in_a_file_and_come_in_with_the_next(self, work: Workplace) -> None:
        ledger = work.ledger([DAILY])
        ledger.reserve(hold("paid", "0.5"))
        with locked(work):
            with pytest.raises(LedgerBusyError):
                ledger.reserve(hold("other"))
            ledger.settle(bill("paid", "0.25"))
            ledger.settle(bill("free", "0"))
            assert waiting(work) == ["paid", "free"]
        ledger.settle(bill("next", "0.125", at=NOON + timedelta(seconds=1)))
        assert waiting(work) == []
        assert written(work) == [bill("paid", "0.25"), bill("free", "0"), bill("next", "0.125", at=NOON + timedelta(seconds=1))]
        tightest = ledger.standing(ANN).tightest
        assert tightest is not None
        assert tightest.used_share == 0.375

    def test_cache_hits_wait_in_memory(self, work: Workplace) -> None:
        ledger = work.ledger()
        book = HitBook(ledger, lambda: NOON)
        book.note("a", "exact", ANN, Decimal("0.5"), abstained=False)
        book.write()
        book.note("a", "exact", ANN, Decimal("0.25"), abstained=False)
        with locked(work):
            book.write()
            with pytest.raises(LedgerBusyError):
                ledger.add_hits({group("a"): HitSum(1)})
            book.note("b", "exact", ANN, None, abstained=True)
        book.write()
        book.write()
        assert SqlLedgerReader(work.database()).hits(LONG_AGO, FAR_OFF) == {"exact": HitSum(3, Decimal("0.75"), 1, 1)}

    def test_bills_that_wait_come_in_when_the_ledger_is_next_opened(self, work: Workplace) -> None:
        ledger = work.ledger()
        ledger.reserve(hold("paid", "0.5"))
        with locked(work):
            ledger.settle(bill("paid", "0.25"))
        ledger.close()  # its hold is open still, and must not count as lost: the bill waits
        work.ledger([DAILY]).standing(ANN)
        assert written(work) == [bill("paid", "0.25")]


class TestPending:
    def test_what_a_killed_process_left_unfinished_is_dropped(self, work: Workplace) -> None:
        ledger = work.ledger()
        ledger.reserve(hold("x"))
        with locked(work):
            ledger.settle(bill("a"))
            with (work.folder / "pending.jsonl").open("ab") as file:
                file.write(b'{"settled_at": "2026-03')
            ledger.settle(bill("b"))
            with (work.folder / "pending.jsonl").open("ab") as file:
                file.write(b'{"settled')
        ledger.settle(bill("c"))
        assert [entry.id for entry in written(work)] == ["a", "b", "c"]

    def test_bills_are_applied_once_though_a_kill_came_before_the_file_was_emptied(self, work: Workplace) -> None:
        ledger = work.ledger([DAILY])
        ledger.reserve(hold("a"))
        with locked(work):
            ledger.settle(bill("a", "0.25"))
        left = (work.folder / "pending.jsonl").read_bytes()
        ledger.settle(bill("b", "0"))
        (work.folder / "pending.jsonl").write_bytes(left + left)
        ledger.settle(bill("c", "0"))
        assert [entry.id for entry in written(work)] == ["a", "b", "c"]
        tightest = ledger.standing(ANN).tightest
        assert tightest is not None
        assert tightest.used_share == 0.25

    def test_a_line_that_nobody_understands_does_not_stand_in_the_way(self, work: Workplace) -> None:
        ledger = work.ledger()
        ledger.settle(bill("a"))
        (work.folder / "pending.jsonl").write_bytes(b'{"what": "is this"}\n')
        ledger.settle(bill("b"))
        assert [entry.id for entry in written(work)] == ["a", "b"]
        assert (work.folder / "pending-refused.jsonl").read_bytes() == b'{"what": "is this"}\n'

    def test_the_text_of_a_question_waits_only_where_it_is_kept(self, work: Workplace) -> None:
        question = "Who is \0 \ud800 ill?"
        asked = [Entry(**{**_fields(bill(identity)), "question": question}) for identity in ("a", "b")]
        keeping, forgetting = work.ledger(keep=True), work.ledger()
        keeping.reserve(hold("x"))
        forgetting.reserve(hold("y"))
        with locked(work):
            forgetting.settle(asked[0])
            assert b"ill?" not in (work.folder / "pending.jsonl").read_bytes()
            keeping.settle(asked[1])
        keeping.settle(bill("c"))
        assert [entry.question for entry in written(work)] == [None, "Who is \ufffd ? ill?", None]
        with work.database().writing() as connection:
            connection.execute(sa.delete(QUESTION_TEXTS))
        assert [entry.question for entry in written(work)] == [None, None, None]


def _fields(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


class TestFull:
    @pytest.fixture
    def tiny(self) -> Iterator[Path]:
        """A file system with hardly any room."""
        with TemporaryDirectory() as place:
            if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", place], check=False).returncode:
                pytest.skip("only root may make a small file system")
            yield Path(place)
            subprocess.run(["umount", "-l", place], check=True)

    def test_a_full_disk_refuses_at_once_and_loses_nothing(self, tiny: Path) -> None:
        ballast = tiny / "ballast"
        with closing(_ledger(tiny)) as ledger:
            ledger.reserve(hold("paid", "0.5"))
            _fill(ballast)
            acknowledged = _settle_until_refused(ledger)  # neither the database nor the file has room: the caller hears of it
            with pytest.raises(LedgerError):
                ledger.settle(bill("paid", "0.25"))
            ballast.unlink()
            ledger.settle(bill("paid", "0.25"))
        with closing(LedgerDatabase(tiny / "ledger")) as database:
            ids = {entry.id for entry in SqlLedgerReader(database).entries(LONG_AGO, FAR_OFF)}
        assert ids >= {"paid", *acknowledged}

    def test_a_database_that_may_not_grow_says_so_and_bills_wait(self, folder: Path) -> None:
        database = LedgerDatabase(folder)
        with closing(_ledger(folder.parent, database)) as ledger:
            ledger.reserve(hold("paid", "0.5"))
            with database.writing() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            engine = database._open()
            engine.dispose()
            sa.event.listen(engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {pages}"))
            with pytest.raises(LedgerFullError, match="Make room"):
                ledger.reserve(hold("h" * 100_000, "0"))
            settled = 0
            while not (folder / "pending.jsonl").exists():
                settled += 1
                ledger.settle(bill(f"b{settled}", "0"))
            assert json.loads((folder / "pending.jsonl").read_text())["entry"]["id"] == f"b{settled}"


def _settle_until_refused(ledger: SqlLedger) -> list[str]:
    acknowledged: list[str] = []
    for number in range(200):
        try:
            ledger.settle(bill(f"free{number}", "0"))
        except LedgerError:
            return acknowledged
        acknowledged.append(f"free{number}")
    pytest.fail("the disk is not full")


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 1024)
        except OSError:
            pass


def _ledger(home: Path, database: LedgerDatabase | None = None) -> SqlLedger:
    folder = home / "ledger"
    return SqlLedger(database or LedgerDatabase(folder), folder, [], lost_after_s=600, keep_question_text=False, clock=Clock())


def test_a_server_that_is_away_is_waited_for(folder: Path) -> None:
    gone = LedgerDatabase(folder, "postgresql://ann:secret@/nowhere?host=/no/such/folder")
    with closing(_ledger(folder.parent, gone)) as ledger:
        with pytest.raises(LedgerError, match="cannot be used") as caught:
            ledger.reserve(hold("a"))
        assert "secret" not in str(caught.value)
        ledger.settle(bill("free", "0"))
    assert (folder / "pending.jsonl").stat().st_mode & 0o777 == 0o600
    with closing(_ledger(folder.parent)) as ledger:
        ledger.settle(bill("b", "0"))
    with closing(LedgerDatabase(folder)) as database:
        assert len(list(SqlLedgerReader(database).entries(LONG_AGO, FAR_OFF))) == 2


def test_when_nobody_can_see_who_runs_bills_are_written_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_LOOK_ROUND_S", 0.0)
    with closing(_ledger(folder.parent)) as ledger:
        ledger.reserve(hold("a"))
        shutil.rmtree(folder / "running")
        with pytest.raises(LedgerError, match="running cannot be used: No such file"):
            ledger.recover()
        ledger.settle(bill("a"))
    with closing(LedgerDatabase(folder)) as database:
        assert [entry.id for entry in SqlLedgerReader(database).entries(LONG_AGO, FAR_OFF)] == ["a"]


def test_when_nothing_can_be_written_the_caller_hears_of_it(folder: Path) -> None:
    folder.mkdir()
    (folder / "pending.jsonl").mkdir()
    (folder / "ledger.db").mkdir()
    with closing(_ledger(folder.parent)) as ledger, pytest.raises(LedgerError, match="neither into the ledger nor into"):
        ledger.settle(bill("a", "0"))


@pytest.mark.parametrize("cost", ["0.0000000000001", "10000000", "NaN"])
def test_what_does_not_fit_is_refused_and_booked_at_its_worst_case(work: Workplace, cost: str) -> None:
    ledger = work.ledger()
    ledger.reserve(hold("a", "0.5"))
    with pytest.raises(LedgerRefusedError, match="exactly"):
        ledger.settle(bill("a", cost))
    (entry,) = written(work)
    assert (entry.outcome, entry.receipt.cost_usd) == (Outcome.LOST, Decimal("0.5"))
    with pytest.raises(LedgerRefusedError):
        ledger.reserve(hold("b", cost))


def test_absurd_counts_and_broken_names_are_refused(work: Workplace) -> None:
    ledger = work.ledger()
    for bad in (hold("a", "0", 2**70), hold("\ud800", "0")):
        with pytest.raises(LedgerRefusedError):
            ledger.reserve(bad)
    ledger.reserve(hold("b", "0"))


@pytest.mark.parametrize(
    "bad", [{group("b"): HitSum(2**70)}, {group("b"): HitSum(1, Decimal("NaN"))}, {group("\ud800"): HitSum(1)}]
)
def test_cache_hits_are_added_all_or_none(work: Workplace, bad: dict[HitGroup, HitSum]) -> None:
    opened = work.open()
    with pytest.raises(LedgerRefusedError):
        opened.ledger.add_hits({group("a"): HitSum(1), **bad, group("c"): HitSum(1)})
    assert opened.whole().cache_hits == 0


def test_the_longest_names_can_hit_the_cache(work: Workplace) -> None:
    opened = work.open()
    wordy = replace(ANN, person="p" * 10_000, team="t" * 10_000)
    for _ in range(2):
        opened.ledger.add_hits({group("a", wordy): HitSum(1), group("a", replace(wordy, team=None)): HitSum(1)})
    assert {name: row.cache_hits for name, row in opened.by("team").items()} == {None: 2, wordy.team: 2}


class TestRecovery:
    def test_the_hold_of_a_dead_process_is_billed_at_its_worst_case(self, work: Workplace) -> None:
        dying = work.ledger()
        dying.reserve(hold("a", "0.25", 100))
        dying.reserve(hold("a", "0.5", 200))
        dying.settle(bill("b"))
        dying.reserve(hold("b", "0.125"))  # something that came after the answer
        dying.close()
        keeper = work.ledger([DAILY])
        tightest = keeper.standing(ANN).tightest
        assert tightest is not None
        assert tightest.used_share == 1.125
        lost = {entry.id: entry for entry in written(work) if entry.outcome is Outcome.LOST}
        assert lost.pop("a").receipt.cost_usd == Decimal("0.75")
        ((identity, entry),) = lost.items()
        assert identity.startswith("b-lost-")
        assert (entry.spender, entry.receipt.input_tokens, entry.receipt.cost_usd) == (ANN, 1000, Decimal("0.125"))

    def test_a_running_process_keeps_its_holds_however_old(self, work: Workplace) -> None:
        slow, clock = work.ledger(), Clock()
        slow.reserve(hold("a", "0.25"))
        clock.now = NOON + timedelta(days=3)
        work.ledger(clock=clock).recover()
        assert written(work) == []

    def test_the_hold_of_another_machine_counts_as_lost_when_it_is_old(self, work: Workplace, tmp_path: Path) -> None:
        clock = Clock()
        work.ledger(folder=tmp_path / "elsewhere").reserve(hold("a", None, 100))
        keeper = work.ledger([DAILY], clock=clock)
        clock.now = NOON + timedelta(seconds=600)
        keeper.recover()
        assert written(work) == []
        clock.now = NOON + timedelta(seconds=601)
        keeper.recover()
        (entry,) = written(work)
        assert (entry.at, entry.outcome, entry.receipt.cost_usd) == (NOON, Outcome.LOST, None)

    def test_a_hold_that_lasts_outlives_its_process_and_is_settled_by_another(self, work: Workplace) -> None:
        dying, clock = work.ledger(), Clock()
        for answer_id in ("a", "b"):
            dying.reserve(replace(hold(answer_id, "0.25"), until=NOON + timedelta(days=3)))
        dying.reserve(hold("a", "0.5"))  # a later call of the same answer, which died with the process
        dying.close()
        keeper = work.ledger([DAILY], clock=clock)
        keeper.recover()
        (lost,) = written(work)
        assert lost.id.startswith("a-lost-")
        assert lost.receipt.cost_usd == Decimal("0.5")
        keeper.settle(bill("a"))
        clock.now = NOON + timedelta(days=3)
        keeper.recover()
        booked = {entry.id: entry for entry in written(work)}
        assert booked["a"].outcome is not Outcome.LOST
        assert (booked["b"].outcome, booked["b"].receipt.cost_usd) == (Outcome.LOST, Decimal("0.25"))
        assert len(booked) == 3

    def test_files_of_the_dead_are_cleared_away(self, work: Workplace) -> None:
        for number in range(3):
            dying = work.ledger()
            dying.reserve(hold(str(number)))
            dying.close()
        keeper = work.ledger()
        keeper.recover()
        assert len(list((work.folder / "running").iterdir())) == 1


def test_nobody_else_may_read_the_ledger(folder: Path) -> None:
    old = os.umask(0)
    try:
        with closing(_ledger(folder.parent)) as ledger:
            ledger.settle(bill("a"))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    finally:
        os.umask(old)
    assert {"ledger.db", "ledger.db-wal", "running"} <= modes.keys()
    for path in [folder, *folder.rglob("*")]:
        assert modes[path.name] == (0o700 if path.is_dir() else 0o600), path


def test_a_committed_bill_is_on_the_disk(folder: Path) -> None:
    with closing(_ledger(folder.parent)) as ledger:
        ledger.settle(bill("a"))
        with ledger._database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        with closing(sqlite3.connect(folder / "ledger.db")) as other:
            assert other.execute("SELECT count(*) FROM entries").fetchone() == (1,)
