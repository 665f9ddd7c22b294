from decimal import Decimal
from pathlib import Path

import pytest

from app.adapters.genai_prices import GenaiPriceBook
from app.costs.errors import PriceFileError
from app.costs.price_file import PriceFileBook
from app.costs.pricing import Price


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.toml"


def book(file: Path, text: str) -> PriceFileBook:
    file.write_text(text, encoding="utf-8")
    return PriceFileBook(file, GenaiPriceBook())


def test_the_file_wins_and_the_list_answers_for_the_rest(file: Path) -> None:
    prices = book(
        file,
        """
        ["openai/gpt-5-mini"]
        input_usd = "0.2"
        output_usd = "1.5"
        cached_input_usd = "0.025"
        batch_input_usd = "0.1"
        batch_output_usd = "0.75"
        ["house/llama"]
        input_usd = 0
        output_usd = 0.1
        """,
    )
    batch = Price(Decimal("0.1"), Decimal("0.75"))
    assert prices.price("openai/gpt-5-mini") == Price(Decimal("0.2"), Decimal("1.5"), Decimal("0.025"), batch)
    assert prices.price("house/llama") == Price(Decimal(0), Decimal("0.1"))  # a TOML number is read digit by digit
    assert prices.price("openai/gpt-5-nano") == GenaiPriceBook().price("openai/gpt-5-nano")
    assert prices.price("house/other") is None


def test_the_version_names_the_list_and_changes_with_the_file(file: Path) -> None:
    listed = GenaiPriceBook().version
    assert listed.startswith("genai-prices ")
    first = book(file, '["a/b"]\ninput_usd = "1"\noutput_usd = "2"\n').version
    second = book(file, '["a/b"]\ninput_usd = "1"\noutput_usd = "3"\n').version
    assert first.startswith(f"{listed}, file ")
    assert second.startswith(f"{listed}, file ")
    assert first != second


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('input_uds = "1"', "`input_uds` is not a price. Did you mean `input_usd`?"),
        ('input_usd = "-1"', "`input_usd` is '-1'"),
        ('input_usd = "free"', "`input_usd` is 'free'"),
        ('input_usd = "0.1234567"', "at most 6 decimals"),
        ("input_usd = 0.1234567", "at most 6 decimals"),
        ("input_usd = nan", "`input_usd` is Decimal('NaN')"),
        ('input_usd = "inf"', "`input_usd` is 'inf'"),
        ('input_usd = "1e40"', "`input_usd` is '1e40'"),
        ("input_usd = true", "`input_usd` is True"),
        ("input_usd = []", "`input_usd` is []"),
        ('output_usd = "1"', "`input_usd` is missing"),
        ('input_usd = "1"', "`output_usd` is missing"),
        ('input_usd = "1"\noutput_usd = "1"\nbatch_input_usd = "1"', "go together"),
    ],
)
def test_what_is_no_price_is_refused_by_file_model_and_key(file: Path, line: str, words: str) -> None:
    with pytest.raises(PriceFileError) as caught:
        book(file, f'["a/b"]\n{line}\n')
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert "a/b" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x =", "cannot be read as TOML"),
        ("x = 3", "no model with prices"),
        ("[gpt]\ninput_usd = 1", "provider/model"),
        ("\ud800", "cannot be read as TOML"),
    ],
)
def test_what_is_no_price_file_is_refused(file: Path, text: str, words: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(PriceFileError, match=words):
        PriceFileBook(file, GenaiPriceBook())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match=r"none\.toml"):
        PriceFileBook(tmp_path / "none.toml", GenaiPriceBook())
