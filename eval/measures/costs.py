"""What answers cost. Unknown is `None`, never 0: one unknown amount makes every sum it belongs to unknown."""

from collections.abc import Sequence
from decimal import Decimal

from app.costs.receipts import sum_usd


def cost_per_answer(costs_usd: Sequence[Decimal | None]) -> Decimal | None:
    """The mean cost of a question, abstentions and wrong answers included; `None` without questions or for unknown costs."""
    total = sum_usd(list(costs_usd))
    return None if total is None or not costs_usd else total / len(costs_usd)


def cost_per_good_answer(costs_usd: Sequence[Decimal | None], good_answers: int) -> Decimal | None:
    """All dollars spent, by the number of answers that are good: correct, or correct and wholly supported by what they cite.

    Args:
        costs_usd: The cost of every question.
        good_answers: How many of them were answered well.

    Returns:
        Dollars, or `None` when no answer is good or a cost is unknown.
    """
    total = sum_usd(list(costs_usd))
    return None if total is None or not good_answers else total / good_answers
