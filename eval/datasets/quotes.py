"""Finding a quote in a page or a context, whatever marks, white space and case stand between its words."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from indexing.documents import Chunk
from indexing.plain_text import plain_text

_MARKS: Final = re.compile(r"(^|\s)(#{1,6}|[-*+]|\|)\s")
_LINKS: Final = re.compile(r"\[([^\]]*)\](\([^)]*\))?")
_SILENT: Final = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """The letters and digits of a text as a reader sees it, in lower case; nothing else is left."""
    return _SILENT.sub("", plain_text(text).lower())


def normalised_quote(quote: str) -> str:
    """The same of a quote.

    Quotes were flattened to one line by their authors, so that the marks of lists, headings and tables, and link targets, can
    stand anywhere in them. They are taken away first.
    """
    return normalised(_LINKS.sub(r"\1", _MARKS.sub(" ", quote)))


def normalised_page(chunks: Iterable[Chunk]) -> str:
    """What a context would hold if the whole page were sent: its chunks in reading order, each section under its last heading."""
    parts: list[str] = []
    path: tuple[str, ...] | None = None
    for chunk in chunks:
        if chunk.heading_path != path and chunk.heading_path:
            parts.append(normalised(chunk.heading_path[-1]))
        path = chunk.heading_path
        parts.append(normalised(chunk.text))
    return "".join(parts)


def missing_quotes(quotes: Sequence[str], context: str) -> list[str]:
    """The quotes, as given, that are not in the context whole."""
    held = normalised(context)
    return [quote for quote in quotes if normalised_quote(quote) not in held]
