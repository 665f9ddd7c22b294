"""Both databases keep the ledger's contract."""

import pytest

from tests.contracts.ledger import LedgerContract


@pytest.fixture
def generated_bills(url: str) -> int:
    return 1_000 if url else 10_000


class TestSqlLedger(LedgerContract):
    pass
