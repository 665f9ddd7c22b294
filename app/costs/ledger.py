"""The ledger: what was spent, by whom, on what; and the holds that keep a budget from being spent twice."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from app.costs.budgets import Standing
from app.costs.receipts import Receipt


class Surface(StrEnum):
    """Where a question came from."""

    HTTP = "http"
    COMMAND_LINE = "cli"
    BATCH = "batch"
    EVAL = "eval"
    BACKGROUND = "background"


class Outcome(StrEnum):
    """How an entry ended.

    `failed` is an answer that ended in an error after money was spent; `lost` one whose process died, booked at the most that it
    can have cost; `work` is an entry for something other than an answer, such as an audit.
    """

    ANSWERED = "answered"
    ABSTAINED = "abstained"
    FAILED = "failed"
    LOST = "lost"
    WORK = "work"


@dataclass(frozen=True, slots=True)
class Spender:
    """Who pays: where the question came from, and the person, team and API key behind it; `None` where nobody said."""

    surface: Surface
    person: str | None = None
    team: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger: an answer's bill with what it was for. Never changed once it is written.

    `id` is the answer's. `at` is in UTC. `question_hash` is the SHA-256 of the normalised question, in hex; `question` its text,
    which the ledger keeps only where the setting says so, and gives back as `None` otherwise. `rung_path` names the rungs that
    ran, in order; `groundedness` is `None` without an answer. `prices` is the version of the price table, `prompt` that of the
    prompts, `profile` the name of the profile in force, `None` for the plain settings.
    """

    id: str
    at: datetime
    spender: Spender
    question_hash: str
    question: str | None
    outcome: Outcome
    rung_path: tuple[str, ...]
    receipt: Receipt
    groundedness: float | None
    generation: str
    prices: str
    prompt: str
    profile: str | None


@dataclass(frozen=True, slots=True)
class Hold:
    """The most that the next call of an answer can cost, to be set aside before it is made.

    `answer_id` ties it to the entry that will settle it. `cost_usd` is `None` when the model's price is unknown, which no limit
    in dollars admits. `until` is for a call that goes on without this process, such as one in a provider's batch: the hold does
    not count as lost before that time.
    """

    answer_id: str
    spender: Spender
    cost_usd: Decimal | None
    tokens: int
    until: datetime | None = None


class Ledger(Protocol):
    """Keeps entries and budgets. Safe to use from several threads and processes."""

    def standing(self, spender: Spender) -> Standing:
        """How far the limits that bind a spender are used now.

        Raises:
            LedgerError: It cannot be read.
        """

    def reserve(self, hold: Hold) -> None:
        """Set money and tokens aside, atomically, on every limit that binds the spender. Holds of one answer add up.

        Raises:
            BudgetExhaustedError: A limit has no room for it; nothing was set aside.
            LedgerError: It cannot be written; nothing was set aside.
        """

    def settle(self, entry: Entry) -> None:
        """Append an entry, book what it cost on the limits, and release the answer's holds, in one transaction.

        Settling the same entry again changes nothing. What cannot be written now is kept in a file beside the ledger and
        written later, so that nothing is lost.

        Raises:
            LedgerError: It could be neither written nor kept.
        """
