"""Both databases keep the ledger's contract."""

import pytest

from tests.contracts.ledger import LedgerContract, OpenLedger


@pytest.fixture
def generated_bills() -> int:
    return 300


class TestSqlLedger(LedgerContract):
    @pytest.mark.slow
    def test_ten_thousand_generated_bills_agree_to_the_last_digit(self, open_ledger: OpenLedger) -> None:
        self.test_generated_bills_agree_to_the_last_digit(open_ledger, 10_000)
