"""Both databases keep the ledger's contract."""

from tests.contracts.ledger import LedgerContract


class TestSqlLedger(LedgerContract):
    pass
