"""Plain text: every line stays on its line, and none is mistaken for a mark of Markdown that would hide or merge it."""

import re
from typing import Final

from indexing.adapters.formats.text import decode_text, escape_block_start, escape_inline
from indexing.parsing import ParsedDocument

_DEEPEST_INDENT: Final = 3  # four spaces would make a code block of an indented paragraph
_RULE: Final = re.compile(r"\s*(?:=+|-+)\s*$")
_TERMINAL_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def parse(content: bytes) -> ParsedDocument:
    """Read a text or log file. A single line underlined with `===` or `---` stays a heading."""
    lines = decode_text(content).split("\n")
    shown = [_shown(lines, position) for position in range(len(lines))]
    return ParsedDocument(markdown="\n".join(shown), title=None, first_line=1, labels=None, keywords="")


def _shown(lines: list[str], position: int) -> str:
    line = _TERMINAL_COLOUR.sub("", lines[position]).rstrip("\r")
    if _RULE.match(line):
        above = lines[position - 1].strip() if position else ""
        above_that = lines[position - 2].strip() if position > 1 else ""
        return line.strip() if above and not above_that and not _RULE.match(above) else ""
    words = line.lstrip()
    indent = min(len(line) - len(words), _DEEPEST_INDENT) if words else 0
    return " " * indent + escape_block_start(escape_inline(words))
