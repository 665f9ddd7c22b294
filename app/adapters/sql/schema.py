"""The tables as this release uses them. How they came about stands in `migrations`; a test compares the two.

Times are microseconds since 1970 in UTC, money is millionths of a millionth of a dollar, and `NULL` is unknown.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

VERSION_TABLE: Final = "ledger_version"
REVISIONS: Final = ("0001", "0002", "0003", "0004")
"""Every revision of the tables, oldest first; the last is this release's."""

METADATA: Final = MetaData()

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what is called INTEGER

ENTRIES: Final = Table(
    "entries",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("at_us", BigInteger, nullable=False),
    Column("surface", Text, nullable=False),
    Column("person", Text),
    Column("team", Text),
    Column("api_key", Text),
    Column("question_hash", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("rung_path", Text, nullable=False),  # a JSON list
    Column("last_rung", Text),
    Column("groundedness", Float),
    Column("generation", Text, nullable=False),
    Column("prices", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("profile", Text),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("cost_pico_usd", BigInteger),
    Column("known_pico_usd", BigInteger, nullable=False),  # what of the cost is known, where not all of it is
    Column("baseline_tokens", BigInteger, nullable=False),
    Column("baseline_pico_usd", BigInteger),
    Column("saved_pico_usd", BigInteger),
    Column("ms", Float, nullable=False),
    Column("notes", Text, nullable=False),  # a JSON list
    Index("entries_at", "at_us", "number"),
)

ENTRY_LINES: Final = Table(
    "entry_lines",
    METADATA,
    Column("entry_number", BigInteger, ForeignKey("entries.number"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("stage", Text, nullable=False),
    Column("rung", Text),
    Column("model", Text),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("cost_pico_usd", BigInteger),
    Column("ms", Float, nullable=False),
    Column("estimated", Boolean, nullable=False),
)

QUESTION_TEXTS: Final = Table(  # apart from the entries, which nobody can change, so that a text can be erased
    "question_texts",
    METADATA,
    Column("entry_number", BigInteger, ForeignKey("entries.number"), primary_key=True),
    Column("question", Text, nullable=False),
)

HOLDS: Final = Table(
    "holds",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("answer_id", Text, nullable=False, index=True),
    Column("instance", Text, nullable=False, index=True),
    Column("at_us", BigInteger, nullable=False),
    Column("surface", Text, nullable=False),
    Column("person", Text),
    Column("team", Text),
    Column("api_key", Text),
    Column("cost_pico_usd", BigInteger),
    Column("tokens", BigInteger, nullable=False),
    Column("until_us", BigInteger),  # until then it is not lost, whatever becomes of its process
)

BUDGET_USE: Final = Table(
    "budget_use",
    METADATA,
    Column("payer", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("period_start", String(10), primary_key=True),  # a date
    Column("spent_pico_usd", BigInteger, nullable=False),
    Column("spent_tokens", BigInteger, nullable=False),
    Column("held_pico_usd", BigInteger, nullable=False),
    Column("held_tokens", BigInteger, nullable=False),
    Column("unknown_entries", BigInteger, nullable=False),
)

FEEDBACK: Final = Table(
    "feedback",
    METADATA,
    Column("number", _NUMBER, primary_key=True),
    Column("entry_number", BigInteger, ForeignKey("entries.number"), nullable=False, index=True),
    Column("at_us", BigInteger, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("person", Text),
    Column("comment", Text),
)

CACHE_HITS: Final = Table(
    "cache_hits",
    METADATA,
    Column("day", String(10), primary_key=True),  # a date
    Column("group_hash", String(64), primary_key=True),  # of the columns down to api_key: a key takes no NULL
    Column("answer_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("surface", Text, nullable=False),
    Column("person", Text),
    Column("team", Text),
    Column("api_key", Text),
    Column("hits", BigInteger, nullable=False),
    Column("saved_pico_usd", BigInteger, nullable=False),
    Column("unknown_saved", BigInteger, nullable=False),
    Column("abstained", BigInteger, nullable=False),
)


def to_us(at: datetime) -> int:
    """Turn a moment into what the column holds. A time without a zone is taken as UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def from_us(at_us: int) -> datetime:
    """Turn what the column holds back into a moment, in UTC."""
    return _EPOCH + timedelta(microseconds=at_us)
