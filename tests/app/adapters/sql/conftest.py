"""Ledgers of both databases."""

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy.engine import make_url

from app.adapters.sql.database import LedgerDatabase
from app.adapters.sql.ledger import SqlLedger
from app.adapters.sql.reader import SqlLedgerReader
from app.costs.budgets import Limit
from tests.contracts.ledger import Clock, Opened
from tests.postgres import postgres_programs, postgres_server

URL_VARIABLE = "FARTHING_TEST_POSTGRES_URL"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server: the one that the environment names, or one of the tests' own."""
    named, programs = os.environ.get(URL_VARIABLE), postgres_programs()
    if named:
        yield named
    elif programs is None:
        pytest.skip(f"PostgreSQL is not installed, and {URL_VARIABLE} names no server")
    else:
        with postgres_server(programs) as url:
            yield url


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """The URL of a database of its own, empty, and dropped at the end."""
    name = f"farthing_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def folder() -> Iterator[Path]:
    """The ledger's folder, in memory where there is such a place: a disk that syncs for each bill would only be slow."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=memory) as home:
        yield Path(home) / "ledger"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The setting `ledger.url` of each database in turn."""
    if request.param == "sqlite":
        yield ""
    else:
        with own_database(request.getfixturevalue("postgres")) as own:
            yield own


class Workplace:
    """Opens ledgers over one database, as so many processes would, and closes them."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        self.folder = folder
        self.url = url
        self._stack = stack

    def database(self) -> LedgerDatabase:
        database = LedgerDatabase(self.folder, self.url)
        self._stack.callback(database.close)
        return database

    def ledger(
        self,
        limits: Sequence[Limit] = (),
        *,
        clock: Clock | None = None,
        folder: Path | None = None,
        keep: bool = False,
        database: LedgerDatabase | None = None,
    ) -> SqlLedger:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        ledger = SqlLedger(
            database or self.database(),
            folder or self.folder,
            limits,
            lost_after_s=600,
            keep_question_text=keep,
            clock=clock or Clock(),
        )
        self._stack.callback(ledger.close)
        return ledger

    def open(self, limits: Sequence[Limit] = ()) -> Opened:
        clock = Clock()
        return Opened(self.ledger(limits, clock=clock), SqlLedgerReader(self.database(), clock), clock)


@pytest.fixture
def work(folder: Path, url: str) -> Iterator[Workplace]:
    with ExitStack() as stack:
        yield Workplace(folder, url, stack)


@pytest.fixture
def open_ledger(work: Workplace) -> Callable[..., Opened]:
    return work.open
