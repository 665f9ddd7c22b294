"""The ledger's database: opened, brought to this release's tables, and its errors put into our words."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.adapters.sql.files import folder_lock, make_private
from app.adapters.sql.schema import METADATA, REVISIONS, VERSION_TABLE
from app.costs.errors import LedgerBusyError, LedgerError, LedgerFullError, LedgerRefusedError, LedgerSchemaError

_FILE: Final = "ledger.db"
_WAIT_S: Final = 5
_OPENING_WAIT_S: Final = 60.0
"""Migrating a large ledger takes its time; another process that opens it meanwhile waits."""

_ADVISORY_LOCK: Final = 0x6661727468696E67  # "farthing"
_SQLITE_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_POSTGRES_BUSY: Final = {"55P03", "40P01", "40001", "57014"}  # lock not available, deadlock, serialisation, statement timeout
_POSTGRES_FULL: Final = {"53100", "53200"}


class LedgerDatabase:
    """SQLite in a folder of the home, or a PostgreSQL server. Opened by its first use, and again after a failure.

    Safe to use from several threads, and by several processes at once. A forked process must make its own.
    """

    def __init__(self, folder: Path, url: str = "") -> None:
        """Name the database.

        Args:
            folder: The ledger's own, for the SQLite file; made with mode 0700 by the first use.
            url: `postgresql://...`; empty for SQLite in the folder.
        """
        self._folder = folder
        self._url = make_url(url or f"sqlite:///{folder / _FILE}")
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self._turn = threading.Lock()

    @property
    def place(self) -> str:
        """Where the ledger lies, without a password."""
        return self._url.render_as_string(hide_password=True) if self._is_server else str(self._folder / _FILE)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that changes nothing.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        with self._our_words(), self._open().connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write: all of it or nothing is kept, and what is kept is durable.

        Raises:
            LedgerError: The ledger cannot be written.
        """
        with self._our_words(), self._my_turn(), self._open().connect() as connection:
            connection.execution_options(farthing_writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @property
    def _is_server(self) -> bool:
        return self._url.get_backend_name() == "postgresql"

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        """Let the threads of a process write one after the other: SQLite would make them poll for it."""
        if self._is_server:
            yield
            return
        if not self._turn.acquire(timeout=_WAIT_S):
            raise LedgerBusyError(f"The ledger in {self.place} is busy. Try again in a moment.")
        try:
            yield
        finally:
            self._turn.release()

    def _open(self) -> Engine:
        with self._opening:
            if self._engine is None:
                engine = self._server() if self._is_server else self._file()
                try:
                    self._prepare(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def _server(self) -> Engine:
        connect_args = {
            "connect_timeout": _WAIT_S,
            "tcp_user_timeout": 2 * _WAIT_S * 1000,
            "options": f"-c lock_timeout={_WAIT_S * 1000}",
            "application_name": "farthing",
        }
        return sa.create_engine(
            self._url.set(drivername="postgresql+psycopg"),
            connect_args=connect_args,
            pool_pre_ping=True,
            pool_timeout=_WAIT_S,
            hide_parameters=True,
        )

    def _file(self) -> Engine:
        make_private(self._folder)
        os.close(os.open(self._folder / _FILE, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its own files this file's mode
        engine = sa.create_engine(self._url, connect_args={"timeout": _WAIT_S}, pool_timeout=_WAIT_S, hide_parameters=True)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _prepare(self, engine: Engine) -> None:
        """Bring the tables to this release's. Only one process does so at a time."""
        with engine.connect() as connection:
            if not self._is_server and _journal_mode(connection) != "wal":
                with folder_lock(self._folder / "opening.lock", _OPENING_WAIT_S):
                    _journal_mode(connection, "wal")
            with connection.begin():
                if self._is_current(connection):
                    return
        with engine.connect() as connection:
            connection.execution_options(farthing_writes=True)
            with connection.begin():
                if self._is_server:
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_OPENING_WAIT_S:.0f}s'"))
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
                if not self._is_current(connection):
                    from app.adapters.sql.migrations import upgrade  # noqa: PLC0415 - alembic loads slowly, and is rarely needed

                    upgrade(connection)

    def _is_current(self, connection: Connection) -> bool:
        """Whether the tables are this release's; `False` when they are older, or not there yet.

        Raises:
            LedgerSchemaError: They are newer, or somebody else's.
        """
        tables = set(sa.inspect(connection).get_table_names())
        if VERSION_TABLE not in tables:
            if tables & METADATA.tables.keys() or (tables and not self._is_server):
                raise LedgerSchemaError(
                    f"{self.place} holds tables that Farthing did not make. Move them away, or give the ledger another place."
                )
            return False
        version = connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE))).scalar()
        if version is not None and version not in REVISIONS:
            raise LedgerSchemaError(
                f"The ledger in {self.place} has the tables of revision {version}, and this release knows them up to "
                f"{REVISIONS[-1]}. Run the release that wrote it, or a newer one."
            )
        return bool(version == REVISIONS[-1])

    @contextmanager
    def _our_words(self) -> Iterator[None]:
        """Raise the database's errors as ours."""
        try:
            yield
        except PoolTimeoutError as error:
            raise LedgerBusyError(f"The ledger in {self.place} is busy. Try again in a moment.") from error
        except (DataError, OverflowError, UnicodeError) as error:
            raise LedgerRefusedError(
                f"The ledger in {self.place} cannot hold what it was given: {error}. Look for absurd counts or broken text."
            ) from error
        except DBAPIError as error:
            raise self._translated(error.orig) from error
        except sqlite3.Error as error:
            raise self._translated(error) from error
        except (SQLAlchemyError, OSError) as error:
            raise LedgerError(
                f"The ledger in {self.place} cannot be used: {error}. Check the disk and its permissions."
            ) from error

    def _translated(self, fault: BaseException | None) -> LedgerError:
        code = _code(fault)
        if code in _SQLITE_BUSY or code in _POSTGRES_BUSY:
            return LedgerBusyError(
                f"Another process holds the ledger in {self.place}, and did not let go in {_WAIT_S} s. Try again in a moment."
            )
        if code == sqlite3.SQLITE_FULL or code in _POSTGRES_FULL:
            return LedgerFullError(f"There is no room left where the ledger lies ({self.place}). Make room.")
        if code == sqlite3.SQLITE_NOTADB:
            return LedgerSchemaError(f"{self.place} is no SQLite database. Move it away, or give the ledger another place.")
        detail = str(fault).strip().partition("\n")[0]
        return LedgerError(
            f"The ledger in {self.place} cannot be used: {detail}. Check that it is there, that its disk has room, and who may "
            "use it."
        )


def _code(fault: BaseException | None) -> int | str | None:
    """SQLite's primary result code, or PostgreSQL's state."""
    if isinstance(fault, sqlite3.Error):
        return getattr(fault, "sqlite_errorcode", 0) & 0xFF
    return fault.sqlstate if isinstance(fault, psycopg.Error) else None


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver's guesses
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins by reading and then wants to write is refused, not queued, when another one wrote meanwhile.
    writes = connection.get_execution_options().get("farthing_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _journal_mode(connection: Connection, mode: str | None = None) -> str:
    """Ask for the journal mode, or set it, outside of any transaction."""
    raw = connection.connection.driver_connection
    assert raw is not None
    row = raw.execute(f"PRAGMA journal_mode{f' = {mode}' if mode else ''}").fetchone()
    return str(row[0])
