"""One module for each family of formats, each with `parse(content: bytes) -> ParsedDocument`.

They run inside the limited subprocess (`parser_worker`) and are imported there on first use, so that a folder of Markdown never
pays for the PDF library. A reason why a document cannot be read is a `ParsingError`; the worker names whatever else they raise.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

FORMATS: Final[Mapping[str, str]] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "markdown",
    ".html": "html",
    ".htm": "html",
    ".txt": "plain",
    ".text": "plain",
    ".log": "plain",
    ".rst": "rst",
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "xlsx",
    ".csv": "delimited",
    ".tsv": "delimited",
}
"""The suffixes that are read, in lower case, and the module of this package that reads each."""


def suffix_of(path: str) -> str:
    """The suffix that decides how a document is read: `.md` for `travel/Per-Diem.MD`; empty without one."""
    return PurePosixPath(path).suffix.lower()
