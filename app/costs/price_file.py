"""The price file: what the operator's own contracts say, over the table of list prices.

    ["openai/gpt-5-mini"]
    input_usd = "0.25"
    output_usd = "2"
    cached_input_usd = "0.025"
    batch_input_usd = "0.125"
    batch_output_usd = "1"

Prices are in USD per million tokens.
"""

import difflib
import hashlib
import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from app.costs.errors import PriceFileError
from app.costs.pricing import PRICE_DECIMALS, Price, PriceBook, is_price

_KEYS: Final = ("input_usd", "output_usd", "cached_input_usd", "batch_input_usd", "batch_output_usd")
_VERSION_DIGITS: Final = 12


class PriceFileBook:
    """`PriceBook` over a price file; what the file does not list, another book is asked for.

    Raises:
        PriceFileError: The file cannot be read, or says something that is no price. The message names file, model and key.
    """

    def __init__(self, file: Path, listed: PriceBook) -> None:
        self._listed = listed
        try:
            content = file.read_bytes()
            tables = tomllib.loads(content.decode("utf-8"), parse_float=Decimal)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PriceFileError(
                f"The price file {file} cannot be read as TOML: {error}. Correct it, or the setting prices.file."
            ) from error
        self._prices = {model: _price(file, model, table) for model, table in tables.items()}
        self._hash = hashlib.sha256(content).hexdigest()[:_VERSION_DIGITS]

    @property
    def models(self) -> frozenset[str]:
        """The models that the file lists."""
        return frozenset(self._prices)

    @property
    def version(self) -> str:
        """The other book's version, and the first digits of the SHA-256 of the file."""
        return f"{self._listed.version}, file {self._hash}"

    def price(self, model: str) -> Price | None:
        """The price of a model, written `provider/model`, or `None` when it is listed nowhere."""
        return self._prices.get(model) or self._listed.price(model)


def _price(file: Path, model: str, table: Any) -> Price:
    place = f"The price file {file}, [{model!r}]"
    if not isinstance(table, Mapping) or "/" not in model:
        raise PriceFileError(f'{place}: this is no model with prices. Write ["provider/model"], and its prices below it.')
    for key in table:
        if key not in _KEYS:
            nearest = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.0)[0]
            raise PriceFileError(f"{place}: `{key}` is not a price. Did you mean `{nearest}`?")
    prices = {key: _amount(f"{place}: `{key}`", value) for key, value in table.items()}
    for needed in ("input_usd", "output_usd"):
        if needed not in prices:
            raise PriceFileError(f'{place}: `{needed}` is missing. Give it; write "0" only for what is free of charge.')
    if ("batch_input_usd" in prices) != ("batch_output_usd" in prices):
        raise PriceFileError(f"{place}: `batch_input_usd` and `batch_output_usd` go together. Give both, or neither.")
    batch = Price(prices["batch_input_usd"], prices["batch_output_usd"]) if "batch_input_usd" in prices else None
    return Price(prices["input_usd"], prices["output_usd"], prices.get("cached_input_usd"), batch)


def _amount(place: str, value: Any) -> Decimal:
    try:
        # bool is a kind of int, and no price
        amount = Decimal(value) if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool) else None
    except InvalidOperation:
        amount = None
    if amount is None or not is_price(amount):
        raise PriceFileError(
            f"{place} is {value!r}, and must be USD per million tokens: at least 0, with at most {PRICE_DECIMALS} decimals, "
            'as in "0.25".'
        )
    return amount
