"""Both databases keep the ledger's contract."""

from tests.contracts.hits import HitContract
from tests.contracts.ledger import LedgerContract


class TestSqlLedger(LedgerContract, HitContract):
    pass
