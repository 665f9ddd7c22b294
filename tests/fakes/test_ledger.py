"""The fake keeps the contract of the ledger that it stands in for."""

from collections.abc import Sequence

import pytest

from app.costs.budgets import Limit
from tests.contracts.hits import HitContract
from tests.contracts.ledger import Clock, LedgerContract, Opened, OpenLedger
from tests.fakes.ledger import FakeLedger


@pytest.fixture
def open_ledger() -> OpenLedger:
    def open_(limits: Sequence[Limit] = ()) -> Opened:
        clock = Clock()
        ledger = FakeLedger(limits, clock)
        return Opened(ledger, ledger, clock)

    return open_


class TestFakeLedger(LedgerContract, HitContract):
    pass
