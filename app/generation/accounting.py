"""Where an answer meets the money: what its asker's budget still allows, and the entry that settles it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from app.costs.budgets import LimitUse, Payer, Restraint, RestraintShares
from app.costs.errors import BudgetExhaustedError, LedgerError
from app.costs.ledger import Entry, Ledger, Outcome, Spender, Surface
from app.costs.receipts import NaivePrompt, Receipt, Till
from app.generation.prompting import prompts_version

DRAWN_FROM: Final = frozenset({Surface.HTTP, Surface.BATCH})
"""Whose answers may be looked at again in the background, to audit or to measure them. A single question on the command line
ends with its process: whoever asked it would wait."""

_NOTES: Final[Mapping[Restraint, str]] = {
    Restraint.COMPRESSED_ONLY: "only compressed contexts are read",
    Restraint.SMALL_ONLY: "only the small model is asked",
    Restraint.FREE_ONLY: "only what costs nothing answers",
}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a budget still allows, and the refusal to give where nothing free answers; `None` as long as models may be asked."""

    restraint: Restraint
    refusal: BudgetExhaustedError | None = None


UNLIMITED: Final = Allowance(Restraint.NONE)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an entry says of a question besides its bill and how it ended."""

    question: str
    generation: str
    profile: str | None


class Account:
    """The open account of one answer. Used by one thread."""

    def __init__(self, settle: Callable[[Entry], None], entry: Callable[..., Entry], till: Till, baseline: NaivePrompt) -> None:
        self._settle = settle
        self._entry = entry
        self._till = till
        self._baseline = baseline
        self.settled = False

    def settle(self, path: tuple[str, ...], groundedness: float | None) -> Receipt:
        """Close the bill and write its entry. Raises `LedgerError` when it can be neither written nor kept for later."""
        outcome = Outcome.ABSTAINED if groundedness is None else Outcome.ANSWERED
        return self._close(outcome, path, groundedness)

    def settle_work(self, path: tuple[str, ...]) -> Receipt:
        """Close the bill of something that is no answer to anybody. Raises as `settle`."""
        return self._close(Outcome.WORK, path, None)

    def fail(self) -> None:
        """Write down what was spent on an answer that nobody will get. Raises as `settle`."""
        self._close(Outcome.FAILED, tuple(dict.fromkeys(line.rung for line in self._till.lines if line.rung)), None)

    def _close(self, outcome: Outcome, path: tuple[str, ...], groundedness: float | None) -> Receipt:
        receipt = self._till.settle(self._baseline)
        self.settled = True
        self._settle(self._entry(outcome=outcome, rung_path=path, receipt=receipt, groundedness=groundedness))
        return receipt


class Accounts:
    """Keeps the books for the service. Safe to use from several threads."""

    def __init__(self, ledger: Ledger, shares: RestraintShares, prices: str, close: Callable[[], None] = lambda: None) -> None:
        """Open the books. `close` closes the ledger with them, where nobody else does."""
        self.ledger = ledger
        self.close = close
        self._shares = shares
        self._prices = prices

    def allowance(self, spender: Spender, till: Till) -> Allowance:
        """What the asker's limits allow now. A restraint is noted on the receipt. Without the ledger nothing may be spent."""
        try:
            standing = self.ledger.standing(spender)
        except LedgerError:
            till.note("The ledger cannot be read, so no model was asked.")
            return Allowance(Restraint.FREE_ONLY)
        restraint, tightest = self._shares.restraint(standing), standing.tightest
        if restraint is Restraint.NONE or tightest is None:
            return UNLIMITED
        words = _in_words(tightest)
        till.note(f"{words}: {_NOTES[restraint]}.")
        if restraint < Restraint.FREE_ONLY:
            return Allowance(restraint)
        message = (
            f"{words}, and nothing that is free answers this question. The budget begins anew at "
            f"{tightest.resets_at:%Y-%m-%d %H:%M} UTC; an operator can raise it in the settings under budgets."
        )
        return Allowance(restraint, BudgetExhaustedError(message, tightest.resets_at))

    @contextmanager
    def open(self, answer_id: str, spender: Spender, till: Till, baseline: NaivePrompt, about: Settlement) -> Iterator[Account]:
        """The account of one answer. Whatever goes wrong before it is settled, what was spent is written down."""
        entry = partial(
            Entry,
            id=answer_id,
            at=datetime.now(UTC),
            spender=spender,
            question_hash=question_hash(about.question),
            question=about.question,
            generation=about.generation,
            prices=self._prices,
            prompt=prompts_version(),
            profile=about.profile,
        )
        account = Account(self.ledger.settle, entry, till, baseline)
        try:
            yield account
        except BaseException:
            if not account.settled:
                account.fail()
            raise


def question_hash(question: str) -> str:
    """SHA-256, in hex, of a question without regard to case and white space."""
    return hashlib.sha256(" ".join(question.split()).casefold().encode()).hexdigest()


def _in_words(use: LimitUse) -> str:
    whose = "the company" if use.limit.payer is Payer.COMPANY else f"the {use.limit.payer.value} {use.name}"
    budget = f"The budget of {whose} for this {use.limit.period.value}"
    if use.unknown_entries:
        return f"{budget} counts as used up, because entries of unknown cost are on it ({use.unknown_entries:,})"
    return f"{budget} is {min(use.used_share, 1.0):.0%} used"
