"""Turns what the embedded engine raises into our errors. The only place that knows its exceptions."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from indexing.adapters.edge_files import full_disk
from indexing.errors import ChunkIndexError

NO_SPACE_TEXT: Final = ("no space left on device", "disk quota exceeded")
"""How operating systems say it, and engines pass it on."""

_NO_SPACE_NUMBERS: Final = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def edge_errors(directory: Path) -> Iterator[None]:
    """Map what the embedded engine and the file system raise inside the block; put engine and file calls only in there.

    Raises:
        ChunkIndexError: The engine failed, or the disk did.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE_NUMBERS:
            raise full_disk(directory, "no space left") from error
        raise ChunkIndexError(
            f"The index in {directory} cannot be read or written: {error}. Check the disk and its permissions."
        ) from error
    except BaseException as error:
        if not _from_edge(error):
            raise
        text = str(error)
        if any(sign in text.lower() for sign in NO_SPACE_TEXT):
            raise full_disk(directory, "no space left") from error
        raise ChunkIndexError(
            f"The index engine failed in {directory}: {text}. If that goes on, run `farthing index PATH` to make a new index."
        ) from error


def _from_edge(error: BaseException) -> bool:
    """The engine raises bare `Exception`, `ValueError` for what it cannot convert, and panics that are no `Exception`."""
    return type(error) in {Exception, ValueError} or type(error).__name__ == "PanicException"
