"""Prices from the `genai-prices` package: an offline table, as new as its release."""

from decimal import Decimal
from typing import Any

import genai_prices
from genai_prices.types import TieredPrices

from app.costs.pricing import Price


class GenaiPriceBook:
    """`PriceBook` over `genai-prices`.

    Where a model's price rises with the length of the prompt, the price of the lowest tier is taken: prompts here are
    a few thousand tokens long, and a lower baseline claims a smaller saving.
    """

    def price(self, model: str) -> Price | None:
        """The price of a model, written `provider/model`, or `None` when it is not listed."""
        provider, _, name = model.partition("/")
        try:
            listed = genai_prices.calc_price(genai_prices.Usage(input_tokens=1), name, provider_id=provider).model_price
        except LookupError:
            return None
        input_usd = _base(getattr(listed, "input_mtok", None))
        if input_usd is None:
            return None
        return Price(
            input_usd=input_usd,
            output_usd=_base(getattr(listed, "output_mtok", None)),
            cached_input_usd=_base(getattr(listed, "cache_read_mtok", None)),
        )


def _base(price: Any) -> Decimal | None:
    return price.base if isinstance(price, TieredPrices) else price
