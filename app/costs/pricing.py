"""What tokens cost: usage, prices, and the one multiplication between them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

_TOKENS_PER_PRICE: Final = Decimal(1_000_000)


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
    when caching earns no discount.
    """

    input_usd: Decimal
    output_usd: Decimal | None
    cached_input_usd: Decimal | None = None


class PriceBook(Protocol):
    """Looks up what models charge."""

    def price(self, model: str) -> Price | None:
        """The price of a model, written `provider/model`, or `None` when it is not listed."""


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
