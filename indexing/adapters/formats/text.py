"""Bytes to text, and text to Markdown that shows just this text."""

import codecs
import re
from typing import Final

from indexing.errors import ParsingError

EMPTY: Final = "empty: there is no text in it"
BINARY: Final = "binary: its name says text, its content does not"

_MAX_CONTROL_SHARE: Final = 0.01
_MAX_CP1252_SHARE: Final = 0.5
_CONTROL_BYTES: Final = bytes(sorted({*range(32), 127} - set(b"\t\n\v\f\r\x1b")))
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")

_TAG_START: Final = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY_START: Final = re.compile(r"&(?=#?\w{1,32};)")
_BLOCK_START: Final = re.compile(r"^(\s*)(#{1,6}(?=\s|$)|>|(?:```|~~~)|\[[^\]\n]+\]:|(?:=+|-+)\s*$)")


def decode_text(content: bytes) -> str:
    """Decode a text file: UTF-8, UTF-16 with a byte order mark, or Windows-1252. The byte order mark is taken off.

    Raises:
        ParsingError: The content is binary, empty, or in another encoding.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = _decode_strictly(content, "utf-16")
    elif b"\0" in content:
        raise ParsingError(BINARY)
    else:
        try:
            text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
        except UnicodeDecodeError:
            text = _decode_cp1252(content)
    encoded = text.encode("utf-8", "replace")
    if len(encoded) - len(encoded.translate(None, _CONTROL_BYTES)) > _MAX_CONTROL_SHARE * len(encoded):
        raise ParsingError(BINARY)
    if not text.strip():
        raise ParsingError(EMPTY)
    return text


def _decode_cp1252(content: bytes) -> str:
    # Western European text has few letters outside ASCII; more of them are another encoding, or no text at all.
    outside_ascii = sum(1 for byte in content if byte > 127)  # noqa: PLR2004 - the last ASCII code
    if outside_ascii > _MAX_CP1252_SHARE * len(content):
        raise ParsingError("its encoding is not UTF-8, UTF-16 or Windows-1252; save it as UTF-8")
    return _decode_strictly(content, "cp1252")


def _decode_strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as exc:
        raise ParsingError("its encoding is not UTF-8, UTF-16 or Windows-1252, or it is damaged; save it as UTF-8") from exc


def without_control_characters(text: str) -> str:
    """Text that a converter made, without the control characters that no reader sees; every line end becomes a newline."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def escape_inline(text: str) -> str:
    """Text in which `<` and `&` do not begin HTML. Entities, not backslashes: a search for tags must not find any either."""
    return _TAG_START.sub("&lt;", _ENTITY_START.sub("&amp;", text))


def escape_block_start(line: str) -> str:
    """A line that does not begin a heading, quotation, code block or link definition, nor underline the line above.

    Lists are left: a line that begins with a number or a dash in plain text is a list to its reader, too.
    """
    return _BLOCK_START.sub(r"\1\\\2", line)


def escape_line(line: str) -> str:
    """One line of plain text as a paragraph of Markdown, on one line."""
    return escape_block_start(escape_inline(" ".join(line.split())))
