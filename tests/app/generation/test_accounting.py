"""What a receipt says of a budget that holds a model back."""

from decimal import Decimal

import pytest

from app.costs.budgets import Limit, Payer, Period, Restraint, RestraintShares
from app.costs.ledger import Spender, Surface
from app.costs.receipts import NaivePrompt, Till
from app.generation.accounting import Accounts
from tests.contracts.ledger import bill
from tests.fakes.ledger import FakeLedger


@pytest.mark.parametrize(
    ("cost_usd", "words"),
    [
        ("1", "is 100% used: only what costs nothing answers."),
        (None, "counts as used up, because entries of unknown cost are on it (1): only what costs nothing answers."),
    ],
)
def test_a_budget_that_is_used_up_says_why(cost_usd: str | None, words: str) -> None:
    ledger = FakeLedger([Limit(Payer.COMPANY, "*", Period.DAY, usd=Decimal(1))])
    ledger.settle(bill("before", cost_usd))
    till = Till()
    allowance = Accounts(ledger, RestraintShares(0.8, 0.9, 0.97), "prices").allowance(Spender(Surface.HTTP), till)
    assert allowance.restraint is Restraint.FREE_ONLY
    assert till.settle(NaivePrompt(1, None)).notes == (f"The budget of the company for this day {words}",)
