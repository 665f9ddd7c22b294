"""Rows of figures as CSV, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, TextIO, TypeAlias

from app.costs.pricing import plain_usd

Cell: TypeAlias = str | int | float | Decimal | None
"""What stands in one cell; `None` is an empty cell: unknown, or not there."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_rows(out: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a header and rows, as RFC 4180 has it.

    Text that a spreadsheet would run as a formula gets an apostrophe before it. Amounts are plain decimals.

    Source:
        OWASP, CSV Injection.
    """
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_written(cell) for cell in row] for row in rows)


def _written(cell: Cell) -> str | int | float | None:
    if isinstance(cell, Decimal):
        return plain_usd(cell)
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell
