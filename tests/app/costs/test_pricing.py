from decimal import Decimal

import pytest
from genai_prices.data import providers as genai_providers
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.genai_prices import GenaiPriceBook
from app.costs.pricing import Price, Usage, plain_usd, price_usage

PRICE = Price(input_usd=Decimal("0.25"), output_usd=Decimal(2), cached_input_usd=Decimal("0.025"))


def test_a_call_costs_its_fresh_cached_and_output_tokens() -> None:
    cost = price_usage(Usage(input_tokens=2000, output_tokens=250, cached_input_tokens=1000), PRICE)
    assert cost == Decimal("0.00025") + Decimal("0.000025") + Decimal("0.0005")


def test_cached_tokens_cost_like_fresh_ones_where_caching_earns_no_discount() -> None:
    full = Price(Decimal(1), Decimal(1))
    assert price_usage(Usage(1000, 0, 1000), full) == price_usage(Usage(1000, 0), full) == Decimal("0.001")


@pytest.mark.parametrize(
    ("usage", "price"),
    [(None, PRICE), (Usage(1, 1), None), (Usage(1, 1), Price(Decimal(1), None))],
    ids=["no usage", "no price", "no price for output"],
)
def test_unknown_is_none_and_never_zero(usage: Usage | None, price: Price | None) -> None:
    assert price_usage(usage, price) is None


def test_a_model_without_output_price_prices_calls_without_output() -> None:
    assert price_usage(Usage(1_000_000, 0), Price(Decimal("0.02"), None)) == Decimal("0.02")


@pytest.mark.parametrize("usage", [Usage(1, 0, 2), Usage(-1, 0), Usage(0, -1), Usage(1, 1, -1)])
def test_impossible_counts_are_refused(usage: Usage) -> None:
    with pytest.raises(ValueError, match="token"):
        price_usage(usage, PRICE)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_pricing_is_additive_and_exact(fresh: int, cached: int, output: int) -> None:
    parts = [Usage(fresh, 0), Usage(cached, 0, cached), Usage(0, output)]
    whole = price_usage(Usage(fresh + cached, output, cached), PRICE)
    assert whole == sum((price_usage(part, PRICE) or Decimal(0) for part in parts), Decimal(0))


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("0E-9", "0"), ("1E-7", "0.0000001"), ("1.50", "1.5"), ("100", "100"), ("1E+3", "1000"), ("-0.10", "-0.1")],
)
def test_amounts_are_written_plainly(amount: str, text: str) -> None:
    assert plain_usd(Decimal(amount)) == text


def test_an_unknown_amount_stays_unknown() -> None:
    assert plain_usd(None) is None


def test_the_price_book_knows_the_default_models() -> None:
    price = GenaiPriceBook().price("openai/gpt-5-mini")
    assert price == Price(Decimal("0.250"), Decimal(2), Decimal("0.025"))
    embedding = GenaiPriceBook().price("openai/text-embedding-3-small")
    assert embedding == Price(Decimal("0.02"), None, None)


def test_the_price_book_takes_the_lowest_tier() -> None:
    price = GenaiPriceBook().price("anthropic/claude-sonnet-4-5")
    assert price
    assert (price.input_usd, price.output_usd) == (Decimal(3), Decimal(15))


@pytest.mark.parametrize("model", ["openai/no-such-model", "nobody/gpt-5-mini", "gpt-5-mini", "/", ""])
def test_the_price_book_does_not_guess(model: str) -> None:
    assert GenaiPriceBook().price(model) is None


@pytest.mark.parametrize("amount", ["-0.1", "0.0000001", "NaN", "Infinity", "1e40"])
def test_a_price_that_cannot_be_booked_is_refused(amount: str) -> None:
    for prices in ((amount, "1", "1"), ("1", amount, "1"), ("1", "1", amount)):
        with pytest.raises(ValueError, match="is no price"):
            Price(Decimal(prices[0]), Decimal(prices[1]), Decimal(prices[2]))


def test_every_listed_price_can_be_booked() -> None:
    models = [f"{provider.id}/{model.id}" for provider in genai_providers for model in provider.models]
    assert len(models) > 1000
    assert sum(GenaiPriceBook().price(model) is not None for model in models) > 900
