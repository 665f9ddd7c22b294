"""The ledger and its reports."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from app.costs.budgets import Limit, Payer, Period, RestraintShares
from app.costs.errors import LedgerError
from app.costs.measured import MEASURING_KEY, ReportReader
from app.home import check_home
from app.jobs.checkup import Check
from app.settings import Settings

if TYPE_CHECKING:  # SQLAlchemy loads slowly, and not every command needs it
    from app.adapters.sql.database import LedgerDatabase
    from app.adapters.sql.ledger import SqlLedger

_FOLDER = "ledger"


def build_ledger(settings: Settings) -> "SqlLedger":
    """The configured ledger, for the caller to close. Nothing is opened before its first use. Raises `HomeError`."""
    return _ledger(settings, _database(settings))


@contextmanager
def open_ledger_reader(settings: Settings) -> Iterator[ReportReader]:
    """The reading side of the configured ledger, with what waited to be written; closed at the end. Raises `HomeError`."""
    from app.adapters.sql.reader import SqlLedgerReader

    database = _database(settings)
    with closing(_ledger(settings, database)) as ledger:
        with suppress(LedgerError):  # it waits on; if the ledger cannot be read either, the reader says so
            ledger.recover()
        yield SqlLedgerReader(database)


def checks(settings: Settings) -> Iterator[Check]:
    """Whether the ledger can be read and written."""
    yield Check("ledger", partial(_check_ledger, settings))


def build_limits(settings: Settings) -> tuple[Limit, ...]:
    """What may be spent: the budgets, and what measuring the saving may cost."""
    return (
        *(
            Limit(budget.payer, budget.name, budget.period, None if budget.usd is None else Decimal(budget.usd), budget.tokens)
            for budget in settings.budgets
        ),
        Limit(Payer.KEY, MEASURING_KEY, Period.DAY, usd=Decimal(settings.measuring.usd_per_day)),
    )


def build_restraint_shares(settings: Settings) -> RestraintShares:
    """When a budget that comes to its end holds back what."""
    return RestraintShares(
        compressed_only=settings.budget_restraints.compressed_only,
        small_only=settings.budget_restraints.small_only,
        free_only=settings.budget_restraints.free_only,
    )


def _ledger(settings: Settings, database: "LedgerDatabase") -> "SqlLedger":
    from app.adapters.sql.ledger import SqlLedger

    return SqlLedger(
        database,
        settings.home.resolve() / _FOLDER,
        build_limits(settings),
        lost_after_s=settings.ledger.lost_after_s,
        keep_question_text=settings.ledger.keep_question_text,
    )


def _database(settings: Settings) -> "LedgerDatabase":
    from app.adapters.sql.database import LedgerDatabase

    check_home(settings.home)
    return LedgerDatabase(settings.home.resolve() / _FOLDER, settings.ledger.url.get_secret_value())


def _check_ledger(settings: Settings) -> str:
    on_server = bool(settings.ledger.url.get_secret_value())
    if not on_server and not settings.home.exists():
        return "will be made when it is needed"
    with closing(build_ledger(settings)) as ledger:
        ledger.recover()  # reads it, and writes what has waited
        ledger.add_hits({})  # begins to write, and writes nothing
    return f"{'postgresql' if on_server else 'sqlite, in the home'}, can be read and written"
