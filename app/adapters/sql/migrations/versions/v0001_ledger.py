"""Entries that nobody can change, holds, and what the budgets have used."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_APPEND_ONLY = ("entries", "entry_lines")


def upgrade() -> None:
    """Make the tables, and the triggers that keep what is written."""
    _create_entries()
    _create_holds()
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$"
        )
    for table in _APPEND_ONLY:
        if dialect == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()"
            )
        else:
            for change in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                )


def _create_entries() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "entries",
        sa.Column("number", number, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("surface", sa.Text, nullable=False),
        sa.Column("person", sa.Text),
        sa.Column("team", sa.Text),
        sa.Column("api_key", sa.Text),
        sa.Column("question_hash", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("rung_path", sa.Text, nullable=False),
        sa.Column("last_rung", sa.Text),
        sa.Column("groundedness", sa.Float),
        sa.Column("generation", sa.Text, nullable=False),
        sa.Column("prices", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("profile", sa.Text),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_input_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_pico_usd", sa.BigInteger),
        sa.Column("known_pico_usd", sa.BigInteger, nullable=False),
        sa.Column("baseline_tokens", sa.BigInteger, nullable=False),
        sa.Column("baseline_pico_usd", sa.BigInteger),
        sa.Column("saved_pico_usd", sa.BigInteger),
        sa.Column("ms", sa.Float, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
    )
    op.create_index("entries_at", "entries", ["at_us", "number"])
    op.create_table(
        "entry_lines",
        sa.Column("entry_number", sa.BigInteger, sa.ForeignKey("entries.number"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("rung", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_input_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_pico_usd", sa.BigInteger),
        sa.Column("ms", sa.Float, nullable=False),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "question_texts",
        sa.Column("entry_number", sa.BigInteger, sa.ForeignKey("entries.number"), primary_key=True),
        sa.Column("question", sa.Text, nullable=False),
    )


def _create_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("answer_id", sa.Text, nullable=False, index=True),
        sa.Column("instance", sa.Text, nullable=False, index=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("surface", sa.Text, nullable=False),
        sa.Column("person", sa.Text),
        sa.Column("team", sa.Text),
        sa.Column("api_key", sa.Text),
        sa.Column("cost_pico_usd", sa.BigInteger),
        sa.Column("tokens", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "budget_use",
        sa.Column("payer", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("period_start", sa.String(10), primary_key=True),
        sa.Column("spent_pico_usd", sa.BigInteger, nullable=False),
        sa.Column("spent_tokens", sa.BigInteger, nullable=False),
        sa.Column("held_pico_usd", sa.BigInteger, nullable=False),
        sa.Column("held_tokens", sa.BigInteger, nullable=False),
        sa.Column("unknown_entries", sa.BigInteger, nullable=False),
    )
