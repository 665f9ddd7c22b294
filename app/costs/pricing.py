"""What tokens cost: usage, prices, and the one multiplication between them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

PRICE_DECIMALS: Final = 6
"""The decimals that a price per million tokens may have, so that a cost has at most twelve and is kept exactly."""

_LARGE_USD: Final = 1
_ROUND_USD: Final = 1_000

_TOKENS_PER_PRICE: Final = Decimal(1_000_000)
_TOO_MUCH_USD: Final = 10**9


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call. `cached_input_tokens` is a part of `input_tokens`, not an addition."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What a model charges, in USD per million tokens.

    `output_usd` is `None` for a model that is listed without one, such as an embedding model. `cached_input_usd` is `None`
    when caching earns no discount, and `batch`, the price by the provider's batch API, when none is listed.

    Raises:
        ValueError: A price is negative, no number, or has more than `PRICE_DECIMALS` decimals: what it comes to could not
            be booked to the last digit.
    """

    input_usd: Decimal
    output_usd: Decimal | None
    cached_input_usd: Decimal | None = None
    batch: "Price | None" = None

    def __post_init__(self) -> None:
        for price in (self.input_usd, self.output_usd, self.cached_input_usd):
            if price is not None and not is_price(price):
                raise ValueError(f"{price} is no price: at least 0, with at most {PRICE_DECIMALS} decimals")


class PriceBook(Protocol):
    """Looks up what models charge."""

    @property
    def version(self) -> str:
        """Which prices these are, such as `genai-prices 0.2.3`; the ledger keeps it with every entry."""

    def price(self, model: str) -> Price | None:
        """The price of a model, written `provider/model`, or `None` when it is not listed."""


def is_price(amount: Decimal) -> bool:
    """Whether an amount can be a price per million tokens: not negative, below a billion, and bookable to its last digit."""
    return amount.is_finite() and 0 <= amount < _TOO_MUCH_USD and amount == round(amount, PRICE_DECIMALS)


def price_usage(usage: Usage | None, price: Price | None) -> Decimal | None:
    """Turn the tokens of one call into US dollars.

    Args:
        usage: Tokens as the provider counted them, or `None` if it did not say.
        price: Prices in USD per million tokens, or `None` if the model is not listed.

    Returns:
        Cost in USD, exact, or `None` when it cannot be known. Unknown is not zero: reports must show it, and budgets
        must count it as a breach.

    Raises:
        ValueError: A count is negative, or more cached than total input tokens were reported.

    Source:
        Token nesting per the OpenTelemetry GenAI conventions.
    """
    if usage is None or price is None:
        return None
    if min(usage.input_tokens, usage.output_tokens, usage.cached_input_tokens) < 0:
        raise ValueError(f"token counts must not be negative: {usage}")
    if usage.cached_input_tokens > usage.input_tokens:
        raise ValueError(f"more cached than total input tokens: {usage}")
    if price.output_usd is None and usage.output_tokens:
        return None
    cached_usd = price.input_usd if price.cached_input_usd is None else price.cached_input_usd
    fresh_tokens = usage.input_tokens - usage.cached_input_tokens
    output_usd = usage.output_tokens * (price.output_usd or Decimal(0))
    return (fresh_tokens * price.input_usd + usage.cached_input_tokens * cached_usd + output_usd) / _TOKENS_PER_PRICE


def plain_usd(amount: Decimal | None) -> str | None:
    """Write an amount as a plain decimal: no exponent, no trailing zeros, `"0"` for nothing, `None` for unknown."""
    if amount is None:
        return None
    text = f"{amount:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def dollars(amount: Decimal | str | None) -> str:
    """An amount for people: `$0.00118`, `$0`, `unknown`."""
    if amount is None:
        return "unknown"
    exact = Decimal(amount)
    return "$0" if exact == 0 else f"{'-' if exact < 0 else ''}${abs(exact):.5f}"


def amount(usd: Decimal | None) -> str:
    """An amount of any size: `$0.00118`, `$12.35`, `$1,234,567`, `unknown`."""
    if usd is None or abs(usd) < _LARGE_USD:
        return dollars(usd)
    return f"{'-' if usd < 0 else ''}${abs(usd):{',.0f' if abs(usd) >= _ROUND_USD else ',.2f'}}"
