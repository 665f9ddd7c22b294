"""Rows of cells as a Markdown pipe table."""

from collections.abc import Iterable, Sequence
from typing import Final

from indexing.adapters.formats.text import escape_inline

MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 200


def pipe_table(rows: Iterable[Sequence[str]]) -> str:
    """Lay rows out as a pipe table whose head is the first row that is not empty.

    Empty rows, and columns that are empty everywhere, are left out. Of a very large table the first 20,000 rows and 200 columns
    are taken, and a sentence below it says so. The result is empty when every cell is.
    """
    kept: list[list[str]] = []
    rows_left_out = 0
    columns_left_out = False
    for row in rows:
        cells = [" ".join(cell.split()) for cell in row[:MAX_COLUMNS]]
        if not any(cells):
            continue
        if len(kept) == MAX_ROWS:
            rows_left_out += 1
            continue
        columns_left_out = columns_left_out or any(cell.strip() for cell in row[MAX_COLUMNS:])
        kept.append(cells)
    if not kept:
        return ""
    width = max(len(row) for row in kept)
    squared = [row + [""] * (width - len(row)) for row in kept]
    used = [column for column in range(width) if any(row[column] for row in squared)]
    head, *body = [_line(row[column] for column in used) for row in squared]
    return "\n".join([head, "|" + " --- |" * len(used), *body, *_notes(rows_left_out, columns_left_out=columns_left_out)]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(escape_inline(cell).replace("|", "\\|") for cell in cells) + " |"


def _notes(rows_left_out: int, *, columns_left_out: bool) -> list[str]:
    notes = []
    if rows_left_out:
        notes.append(f"{rows_left_out:,} more rows of this table are left out.")
    if columns_left_out:
        notes.append(f"Columns after the first {MAX_COLUMNS} of this table are left out.")
    return ["", " ".join(notes)] if notes else []
