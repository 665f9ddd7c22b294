"""Holds that outlive their process."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("holds", sa.Column("until_us", sa.BigInteger))
