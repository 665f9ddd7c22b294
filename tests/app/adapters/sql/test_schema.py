"""The ledger's tables: made by steps, the same as the code thinks, older ones brought up, and strangers' left alone."""

from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DatabaseError

from app.adapters.sql.database import LedgerDatabase
from app.adapters.sql.migrations import script_directory, upgrade
from app.adapters.sql.schema import METADATA, REVISIONS, VERSION_TABLE, to_us
from app.costs.errors import LedgerError, LedgerSchemaError
from app.costs.hits import HitSum
from app.costs.reports import Verdict
from tests.app.adapters.sql.conftest import Workplace
from tests.contracts.hits import group
from tests.contracts.ledger import NOON, bill, hold


def engine(work: Workplace) -> sa.Engine:
    """The database itself, past everything that looks after it."""
    work.folder.mkdir(mode=0o700, exist_ok=True)
    url = work.url.replace("postgresql:", "postgresql+psycopg:") or f"sqlite:///{work.folder / 'ledger.db'}"
    return sa.create_engine(url, poolclass=sa.NullPool)


def test_the_steps_lead_to_the_tables_that_the_code_uses(work: Workplace) -> None:
    work.ledger().reserve(hold("a"))
    with engine(work).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_this_release_knows_every_step() -> None:
    steps = [script.revision for script in script_directory().walk_revisions()]
    assert tuple(reversed(steps)) == REVISIONS


def test_an_older_ledger_is_brought_up_with_all_that_it_holds(work: Workplace) -> None:
    with engine(work).begin() as connection:
        upgrade(connection, REVISIONS[0])
        columns = {
            column.name: 0 if column.type.python_type in {int, float} else "[]"
            for column in METADATA.tables["entries"].columns
            if not column.nullable and not column.primary_key
        }
        row = {**columns, "id": "old", "surface": "http", "outcome": "answered", "at_us": to_us(NOON)}
        connection.execute(sa.insert(METADATA.tables["entries"]).values(row))
    opened = work.open()
    opened.reader.add_feedback("old", Verdict.RIGHT, None, None)
    opened.ledger.settle(bill("new"))
    opened.ledger.add_hits({group("old"): HitSum(1)})
    whole = opened.whole()
    assert (whole.entries, whole.right_answers, whole.cache_hits) == (2, 1, 1)


def test_a_newer_ledger_is_refused_and_its_bills_wait(work: Workplace) -> None:
    work.ledger().reserve(hold("a"))
    with engine(work).begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(LedgerSchemaError, match=r"revision 9999.*Run the release that wrote it"):
        work.ledger().reserve(hold("b"))
    work.ledger().settle(bill("b"))
    with engine(work).begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '{REVISIONS[-1]}'"))
    opened = work.open()
    opened.ledger.settle(bill("c"))
    assert {entry.id for entry in opened.entries()} >= {"b", "c"}


def test_somebody_elses_tables_are_left_alone(work: Workplace) -> None:
    with engine(work).begin() as connection:
        connection.execute(sa.text("CREATE TABLE entries (what INTEGER)"))
    with pytest.raises(LedgerSchemaError, match="tables that Farthing did not make"):
        work.ledger().reserve(hold("a"))
    with engine(work).connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["entries"]


def test_a_file_that_is_no_database_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "ledger.db").write_bytes(b"Dear diary, " * 1000)
    with (
        closing(LedgerDatabase(folder)) as database,
        pytest.raises(LedgerSchemaError, match="no SQLite database"),
        database.reading(),
    ):
        pass
    assert (folder / "ledger.db").read_bytes() == b"Dear diary, " * 1000


@pytest.mark.parametrize(
    "change",
    ["UPDATE entries SET outcome = 'failed'", "DELETE FROM entries", "UPDATE entry_lines SET ms = 0", "DELETE FROM entry_lines"],
)
def test_what_is_written_cannot_be_changed(work: Workplace, change: str) -> None:
    opened = work.open()
    opened.ledger.settle(bill("a"))
    with pytest.raises(DatabaseError, match="append-only"), engine(work).begin() as connection:
        connection.execute(sa.text(change))
    with pytest.raises(LedgerError, match="append-only"), work.database().writing() as connection:
        connection.execute(sa.text(change))
    assert opened.entries() == [bill("a")]
