"""Hits of the answer cache, in sums."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "cache_hits",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("group_hash", sa.String(64), primary_key=True),
        sa.Column("answer_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("surface", sa.Text, nullable=False),
        sa.Column("person", sa.Text),
        sa.Column("team", sa.Text),
        sa.Column("api_key", sa.Text),
        sa.Column("hits", sa.BigInteger, nullable=False),
        sa.Column("saved_pico_usd", sa.BigInteger, nullable=False),
        sa.Column("unknown_saved", sa.BigInteger, nullable=False),
        sa.Column("abstained", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
