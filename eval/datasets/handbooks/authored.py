"""Our own questions over public pages: `NAME.jsonl` beside this module, for the pages of `NAME/docs`.

Evidence is a span of characters of the page's file with a hash of its words, so that no text of the pages is copied.
"""

import hashlib
from pathlib import Path
from typing import Any, Final

from eval.datasets.json_lines import read_json_lines
from eval.errors import DatasetError

AUTHORED: Final = Path(__file__).parent
_HASH_DIGITS: Final = 12


def authored_rows(name: str, folder: Path | None = None) -> list[dict[str, Any]]:
    """Our questions over the pages of `name`, in `folder` or beside this module; none over other pages."""
    file = (folder or AUTHORED) / f"{name}.jsonl"
    return read_json_lines(file) if file.is_file() else []


def words_of(piece: dict[str, Any], docs: Path, identity: str) -> str:
    """The words that a piece of evidence of the question `identity` names, as they stand in the file.

    Where something before them on the page has changed, the very same words are found elsewhere on it.

    Raises:
        DatasetError: The page is missing, or no longer holds the words.
    """
    try:
        page = (docs / piece["doc"]).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DatasetError(f"{docs / piece['doc']} is missing; question {identity} was written over it.") from error
    length = piece["end"] - piece["start"]
    for start in (piece["start"], *range(len(page) - length + 1)):
        words: str = page[start : start + length]
        if hashlib.sha256(words.encode()).hexdigest()[:_HASH_DIGITS] == piece["sha256"]:
            return words
    raise DatasetError(f"{docs / piece['doc']} has changed since question {identity} was written over it.")
