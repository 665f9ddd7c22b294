"""What costs nothing is written behind the answer's back; what costs something never is."""

import threading

import pytest

from app.costs.errors import LedgerBusyError
from app.costs.ledger import Entry, Hold, Spender, Surface
from app.costs.write_behind import WriteBehindLedger
from tests.contracts.ledger import bill, hold
from tests.fakes.ledger import FakeLedger


class SlowLedger(FakeLedger):
    """Writes only while the test lets it; a failure is raised once."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.order: list[str] = []
        self.failure: Exception | None = None

    def settle(self, entry: Entry) -> None:
        assert self.go.wait(10)
        failure, self.failure = self.failure, None
        if failure:
            raise failure
        super().settle(entry)
        self.order.append(entry.id)


@pytest.fixture
def slow() -> SlowLedger:
    return SlowLedger()


def test_an_entry_without_cost_waits_for_nobody_and_is_written_before_the_close(slow: SlowLedger) -> None:
    closed: list[list[str]] = []
    ledger = WriteBehindLedger(slow, lambda: closed.append(slow.order.copy()))
    for number in range(3):
        ledger.settle(bill(f"free-{number}", "0"))
    assert slow.order == []
    slow.go.set()
    ledger.close()
    assert closed == [["free-0", "free-1", "free-2"]]


def test_an_entry_for_which_money_was_set_aside_is_written_at_once(slow: SlowLedger) -> None:
    ledger = WriteBehindLedger(slow, lambda: None)
    slow.go.set()
    ledger.reserve(hold("paid", "0.01"))
    ledger.settle(bill("paid", "0.005"))
    assert slow.order == ["paid"]
    ledger.close()


def test_when_too_many_wait_the_next_one_waits_for_the_disk(slow: SlowLedger) -> None:
    ledger = WriteBehindLedger(slow, lambda: None, capacity=1)
    threading.Timer(0.05, slow.go.set).start()
    for number in range(20):
        ledger.settle(bill(f"free-{number}", "0"))
    assert len(slow.order) >= 18  # one may wait, and one may be on its way
    ledger.close()
    assert len(slow.order) == 20


@pytest.mark.parametrize("failure", [LedgerBusyError("planted"), RuntimeError("planted")])
def test_a_failure_is_told_and_the_next_entry_is_written(
    slow: SlowLedger, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    ledger = WriteBehindLedger(slow, lambda: None)
    slow.failure = failure
    slow.go.set()
    for name in ("first", "second"):
        ledger.settle(bill(name, "0"))
    ledger.close()
    assert slow.order == ["second"]
    assert "first" in caplog.text
    assert "planted" in caplog.text


def test_after_the_close_entries_are_written_at_once(slow: SlowLedger) -> None:
    ledger = WriteBehindLedger(slow, lambda: None)
    ledger.close()
    slow.go.set()
    ledger.settle(bill("late", "0"))
    assert slow.order == ["late"]


def test_an_answer_for_which_nothing_could_be_set_aside_waits_for_nobody(slow: SlowLedger) -> None:
    class Refusing(SlowLedger):
        def reserve(self, hold: Hold) -> None:
            raise LedgerBusyError(hold.answer_id)

    refusing = Refusing()
    ledger = WriteBehindLedger(refusing, lambda: None)
    with pytest.raises(LedgerBusyError):
        ledger.reserve(hold("busy", "1"))
    ledger.settle(bill("busy", "0"))
    assert refusing.order == []
    assert ledger.standing(Spender(Surface.HTTP)) == slow.standing(Spender(Surface.HTTP))
    refusing.go.set()
    ledger.close()
    assert refusing.order == ["busy"]
