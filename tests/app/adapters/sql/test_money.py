"""Dollars go into the ledger and come out again as they were."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.sql.money import from_pico, to_pico
from app.costs.errors import LedgerRefusedError


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_every_amount_that_fits_comes_back(pico: int) -> None:
    assert to_pico(from_pico(pico)) == pico


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_an_amount_is_kept_exactly_or_refused(amount: Decimal) -> None:
    try:
        pico = to_pico(amount)
    except LedgerRefusedError:
        return
    assert from_pico(pico) == amount


def test_unknown_stays_unknown() -> None:
    assert to_pico(None) is None
    assert from_pico(None) is None


@pytest.mark.parametrize("amount", ["9223372.036854775807", "-0.000000000001", "1E+3", "0E-30"])
def test_amounts_at_the_edges_fit(amount: str) -> None:
    assert from_pico(to_pico(Decimal(amount))) == Decimal(amount)
