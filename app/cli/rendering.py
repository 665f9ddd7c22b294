"""How things look on a terminal, and in a pipe: the same words, without control characters there."""

import sys
import unicodedata
from typing import TextIO

from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 100


def console(stream: TextIO) -> Console:
    """A console that colours and wraps on a terminal, and writes plain lines elsewhere. It reads no markup."""
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def complain(message: str) -> None:
    """Tell the person something that is not a result."""
    print(f"farthing: {printable(message)}", file=sys.stderr)


def printable(text: str) -> str:
    """Text from documents, made harmless: no control characters but line breaks, and none that reverse the reading order."""
    return "".join("    " if c == "\t" else c for c in text if c in "\n\t" or not _drives_terminal(c))


def table(*columns: str) -> Table:
    """A table without a frame; the first column is words, the others are figures."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for position, column in enumerate(columns):
        grid.add_column(column, justify="right" if position else "left", no_wrap=True)
    return grid


def _drives_terminal(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"} or unicodedata.bidirectional(character) in {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip
