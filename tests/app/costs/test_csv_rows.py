import csv
import io
from decimal import Decimal

import pytest

from app.costs.csv_rows import Cell, write_rows


def written(*cells: Cell) -> list[str]:
    out = io.StringIO()
    write_rows(out, ["column"] * len(cells), [cells])
    return list(csv.reader(io.StringIO(out.getvalue())))[1]


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=x", "\n=x"])
def test_text_that_a_spreadsheet_would_run_is_defused(evil: str) -> None:
    assert written(evil) == [f"'{evil}"]


def test_figures_stay_figures() -> None:
    assert written(Decimal("-0.50"), -3, Decimal("1E-9"), Decimal(1000000), 0.25) == [
        "-0.5",
        "-3",
        "0.000000001",
        "1000000",
        "0.25",
    ]


def test_unknown_is_empty_and_not_zero() -> None:
    assert written(None, Decimal(0), 0) == ["", "0", "0"]


def test_commas_quotes_and_line_breaks_survive() -> None:
    assert written('a, "b"\nc', "plain") == ['a, "b"\nc', "plain"]
