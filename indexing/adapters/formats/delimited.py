"""CSV and TSV: one pipe table."""

import csv
import io
from collections import Counter
from typing import Final

from indexing.adapters.formats.tables import pipe_table
from indexing.adapters.formats.text import EMPTY, decode_text
from indexing.errors import ParsingError
from indexing.parsing import ParsedDocument

_SAMPLE_CHARACTERS: Final = 8_192
_DELIMITERS: Final = ",;\t|"


def parse(content: bytes) -> ParsedDocument:
    """Read a table of delimited values; what delimits them is found out from its beginning."""
    text = decode_text(content)
    try:
        table = pipe_table(csv.reader(io.StringIO(text, newline=""), _dialect(text)))
    except csv.Error as exc:
        raise ParsingError("it is not a well-formed table: a value is longer than 128 KiB; look for an unclosed quote") from exc
    if not table:
        raise ParsingError(EMPTY)
    return ParsedDocument(markdown=table, title=None, first_line=None, labels=None, keywords="")


def _dialect(text: str) -> type[csv.Dialect]:
    """The delimiter that cuts most of the first lines into the same number of cells, quoted as Excel does.

    `csv.Sniffer` is not used: it guesses quoting from its own regular expressions, which turn quadratic on odd input, and
    takes a letter for a delimiter.
    """
    lines = text[:_SAMPLE_CHARACTERS].splitlines()
    if len(text) > _SAMPLE_CHARACTERS:
        lines.pop()

    def regularity(delimiter: str) -> tuple[bool, int, int]:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        width, rows = widths.most_common(1)[0] if widths else (0, 0)
        return width > 1, rows, width

    best = max(_DELIMITERS, key=regularity)

    class Dialect(csv.excel):
        delimiter = best

    return Dialect
