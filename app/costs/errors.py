"""What can go wrong with money.

    CostsError
    ├── LedgerError             the ledger cannot be read or written
    │   ├── LedgerBusyError     another process holds it, and did not let go in time
    │   ├── LedgerFullError     there is no room left where it lies
    │   ├── LedgerRefusedError  it cannot hold what it was given: an absurd amount, broken text
    │   └── LedgerSchemaError   it was written by a newer release, or by something else
    ├── UnknownEntryError       no entry of the ledger has this id
    ├── BudgetExhaustedError    a limit leaves no room for what was asked; it says when it resets
    └── PriceFileError          the price file cannot be used

Every message says what happened, to what, and what to do.
"""

from datetime import datetime


class CostsError(Exception):
    """Base of all errors of this package."""


class LedgerError(CostsError):
    """The ledger cannot be read or written."""


class LedgerBusyError(LedgerError):
    """Another process holds the ledger, and did not let go in time."""


class LedgerFullError(LedgerError):
    """There is no room left where the ledger lies."""


class LedgerRefusedError(LedgerError):
    """The ledger cannot hold what it was given: an amount that does not fit exactly, an absurd count, broken text."""


class LedgerSchemaError(LedgerError):
    """The ledger was written by a newer release of Farthing, or by something else."""


class UnknownEntryError(CostsError):
    """No entry of the ledger has this id."""


class BudgetExhaustedError(CostsError):
    """A limit leaves no room for what was asked. `resets_at` is when it begins anew, in UTC; `None` when it never does."""

    def __init__(self, message: str, resets_at: datetime | None = None) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class PriceFileError(CostsError):
    """The price file cannot be used. The message names file, model and key."""
