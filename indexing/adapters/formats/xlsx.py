"""Excel workbooks, by openpyxl: each visible sheet a heading and a pipe table of the values last computed."""

import io
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

from openpyxl import load_workbook

from indexing.adapters.formats.html import converted
from indexing.adapters.formats.package import check_package, core_title
from indexing.adapters.formats.tables import pipe_table
from indexing.adapters.formats.text import escape_line, without_control_characters
from indexing.parsing import ParsedDocument


def parse(content: bytes) -> ParsedDocument:
    """Read a workbook. Hidden sheets and sheets without values are left out."""
    check_package(content)
    workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    parts = []
    for sheet in workbook.worksheets:
        if sheet.sheet_state != "visible":
            continue
        sheet.reset_dimensions()  # the declared size may claim a million columns
        if table := pipe_table(_rows(sheet)):
            parts.append(f"## {escape_line(sheet.title)}\n\n{table}")
    workbook.close()
    return converted(without_control_characters("\n".join(parts)), core_title(content))


def _rows(sheet: Any) -> Iterator[list[str]]:
    for row in sheet.iter_rows():
        yield [_shown(cell.value, getattr(cell, "number_format", "")) for cell in row]


def _shown(value: object, number_format: str) -> str:
    """A value as its reader sees it, as far as that can be said without Excel: 0.25 shown as a per cent is 25%."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return f"{value * 100:.10g}%" if "%" in number_format else f"{value:.15g}" if isinstance(value, float) else str(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time(0) else value.isoformat(sep=" ", timespec="minutes")
    return "" if value is None else str(value)
