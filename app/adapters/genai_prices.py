"""Prices from the `genai-prices` package: an offline table, as new as its release."""

from decimal import Decimal
from importlib.metadata import version
from typing import Any

import genai_prices
from genai_prices.types import TieredPrices

from app.costs.pricing import PRICE_DECIMALS, Price


class GenaiPriceBook:
    """`PriceBook` over `genai-prices`.

    Where a model's price rises with the length of the prompt, the price of the lowest tier is taken: prompts here are
    a few thousand tokens long, and a lower baseline claims a smaller saving.
    """

    @property
    def version(self) -> str:
        """The release of the package."""
        return f"genai-prices {version('genai-prices')}"

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
    """The price of the lowest tier. A few are listed as binary fractions, 1.0399999999999998 for 1.04, and are rounded."""
    listed = price.base if isinstance(price, TieredPrices) else price
    return None if listed is None else round(listed, PRICE_DECIMALS)
