"""Which limits bind a spender, how far they are used, and whether a call still fits: the arithmetic that every ledger shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from app.costs.budgets import Limit, LimitUse, Payer, Period, period_end
from app.costs.errors import BudgetExhaustedError
from app.costs.ledger import Hold, Spender

EVERYBODY: Final = "*"
"""As a limit's name: each of them, or the company."""


@dataclass(frozen=True, slots=True)
class Used:
    """What one payer spent and has set aside in one period.

    `unknown_entries` counts the entries whose cost is unknown: a limit in dollars cannot say how much is left, and is used up.
    """

    spent_usd: Decimal = Decimal(0)
    spent_tokens: int = 0
    held_usd: Decimal = Decimal(0)
    held_tokens: int = 0
    unknown_entries: int = 0


def payers(spender: Spender) -> Mapping[Payer, str]:
    """Everybody on whose account a spender's answers go."""
    named = {
        Payer.COMPANY: EVERYBODY,
        Payer.TEAM: spender.team,
        Payer.PERSON: spender.person,
        Payer.KEY: spender.key,
        Payer.SURFACE: spender.surface.value,
    }
    return {payer: name for payer, name in named.items() if name is not None}


def binding_limits(limits: Sequence[Limit], spender: Spender) -> tuple[tuple[Limit, str], ...]:
    """The limits that bind a spender, each with the name it binds him under.

    Where a payer has limits of its own for a period, those for `*` do not bind it in that period.
    """
    accounts = payers(spender)
    own = {(limit.payer, limit.period) for limit in limits if limit.name == accounts.get(limit.payer)}
    return tuple(
        (limit, accounts[limit.payer])
        for limit in limits
        if limit.payer in accounts
        and (limit.name == accounts[limit.payer] or (limit.name == EVERYBODY and (limit.payer, limit.period) not in own))
    )


def limit_use(limit: Limit, name: str, used: Used, now: datetime) -> LimitUse:
    """How far a limit is used: by dollars or by tokens, whichever is further."""
    shares = [0.0]
    unknown_entries = 0 if limit.usd is None else used.unknown_entries
    if limit.usd is not None:
        shares.append(_share(used.spent_usd + used.held_usd, limit.usd))
        shares.append(1.0 if unknown_entries else 0.0)
    if limit.tokens is not None:
        shares.append(_share(Decimal(used.spent_tokens + used.held_tokens), Decimal(limit.tokens)))
    return LimitUse(limit, name, max(shares), period_end(limit.period, now), unknown_entries)


def require_room(limit: Limit, name: str, used: Used, hold: Hold, now: datetime) -> None:
    """Check that a hold fits into what a limit leaves.

    Args:
        limit: One that binds the spender.
        name: The name it binds under.
        used: What is spent and set aside without this hold.
        hold: What is to be set aside.
        now: When; the limit's period is the one that it lies in.

    Raises:
        BudgetExhaustedError: It does not fit, or its cost or something in the period's spending is unknown and the limit is in
            dollars.
    """
    use = limit_use(limit, name, used, now)
    what = _words(use)
    until = f"It begins anew on {use.resets_at:%Y-%m-%d %H:%M} UTC."
    if limit.usd is not None:
        if hold.cost_usd is None:
            raise BudgetExhaustedError(
                f"{what} is in dollars, and what this call costs is unknown. Give the model a price, or choose one that has one.",
                None,
            )
        if used.unknown_entries:
            raise BudgetExhaustedError(
                f"{what} counts as used up: {used.unknown_entries} answers in this period have an unknown cost. {until} "
                "Give every model a price.",
                use.resets_at,
            )
    too_dear = limit.usd is not None and used.spent_usd + used.held_usd + (hold.cost_usd or 0) > limit.usd
    too_long = limit.tokens is not None and used.spent_tokens + used.held_tokens + hold.tokens > limit.tokens
    if too_dear or too_long:
        raise BudgetExhaustedError(
            f"{what} is {use.used_share:.0%} used, and this call may need more than is left. {until} "
            "Ask again then, or have the limit raised.",
            use.resets_at,
        )


def _share(used: Decimal, limit: Decimal) -> float:
    return float(used / limit) if limit else 1.0


def _words(use: LimitUse) -> str:
    period = {Period.DAY: "daily", Period.MONTH: "monthly"}[use.limit.period]
    whose = "the company" if use.limit.payer is Payer.COMPANY else f"the {use.limit.payer.value} {use.name}"
    return f"The {period} budget of {whose}"
