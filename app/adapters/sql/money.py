"""Money in a column of 64 bits: whole millionths of a millionth of a dollar, so that a token's price fits exactly.

Prices have at most six decimals and hold for a million tokens, so that twelve decimals are enough for any number of tokens.
"""

from decimal import Decimal
from typing import Final, overload

from app.costs.errors import LedgerRefusedError

_PICO_PER_USD: Final = 10**12
_MOST_PICO: Final = 2**63 - 1


@overload
def to_pico(amount: Decimal) -> int: ...
@overload
def to_pico(amount: None) -> None: ...
@overload
def to_pico(amount: Decimal | None) -> int | None: ...
def to_pico(amount: Decimal | None) -> int | None:
    """Turn dollars into what the column holds; `None`, unknown, stays `None`.

    Raises:
        LedgerRefusedError: The amount has more than twelve decimals, or is no amount that anybody spends.
    """
    if amount is None:
        return None
    if amount.is_finite():
        numerator, denominator = amount.as_integer_ratio()
        pico, rest = divmod(numerator * _PICO_PER_USD, denominator)
        if not rest and abs(pico) <= _MOST_PICO:
            return pico
    raise LedgerRefusedError(
        f"The ledger cannot hold {amount} USD exactly: it keeps twelve decimals, and up to nine million dollars. "
        "Give prices with at most six decimals per million tokens."
    )


@overload
def from_pico(pico: int) -> Decimal: ...
@overload
def from_pico(pico: None) -> None: ...
@overload
def from_pico(pico: int | None) -> Decimal | None: ...
def from_pico(pico: int | None) -> Decimal | None:
    """Turn what the column holds back into dollars, exactly."""
    return None if pico is None else Decimal(pico).scaleb(-12)
