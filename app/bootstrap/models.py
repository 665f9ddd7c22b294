"""The models at endpoints, and what they charge."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what only some commands need is imported by them
    from app.costs.pricing import PriceBook


def build_prices() -> "PriceBook":
    """The table of what models charge."""
    from app.adapters.genai_prices import GenaiPriceBook

    return GenaiPriceBook()
