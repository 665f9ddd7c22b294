"""Entries that the database could not take: kept in a file, one JSON object a line, until it can."""

import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from app.adapters.sql.files import folder_lock, make_private
from app.costs.errors import LedgerBusyError, LedgerError, LedgerRefusedError
from app.costs.ledger import Entry
from indexing.files import append_whole, sync_path

_WAIT_S: Final = 30.0
_PRIVATE: Final = 0o600

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry, and when it was to be settled."""

    settled_at: datetime
    entry: Entry


Write: TypeAlias = Callable[[Entry, datetime], None]

_LINE: Final = TypeAdapter(Kept)


class PendingFile:
    """The file `pending.jsonl` of a folder. Safe for several processes, any of which may be killed at any point.

    A line is acknowledged once it is on the disk with its line break; what a killed process left without one was never
    acknowledged, and is dropped. Lines go only after all of them are in the database, so that some may be written there twice:
    writing must not mind.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "pending.jsonl"
        self._lock = folder / "pending.lock"

    def waiting(self) -> bool:
        """Whether there is anything to write."""
        try:
            return self._path.stat().st_size > 0
        except OSError:
            return False

    def keep(self, entry: Entry, settled_at: datetime) -> None:
        """Add an entry. It is on the disk when this returns.

        Raises:
            LedgerError: It cannot be kept.
        """
        try:
            line = _LINE.dump_json(Kept(settled_at, entry)) + b"\n"
            make_private(self._folder)
            with folder_lock(self._lock, _WAIT_S):
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _PRIVATE)
                try:
                    _append(descriptor, line)
                finally:
                    os.close(descriptor)
                sync_path(self._folder)
        except PydanticSerializationError as error:
            raise LedgerRefusedError(f"The bill of answer {entry.id} cannot be written down: {error}.") from error
        except OSError as error:
            raise LedgerError(
                f"The bill of answer {entry.id} can be written neither into the ledger nor into {self._path}: {error.strerror}. "
                "Make room on the disk, and check its permissions."
            ) from error

    def apply(self, write: Write) -> bool:
        """Write all entries, in their order, and empty the file.

        Args:
            write: Writes one entry, settled at the given time, into the ledger.

        Returns:
            Whether nothing waits any more; `False` when another process is at it.

        Raises:
            LedgerError: One of them could not be written; all of them stay.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(folder_lock(self._lock, 0.0))
            except LedgerBusyError:
                return False
            try:
                file = stack.enter_context(self._path.open("rb+"))
                for line in file:
                    if line.endswith(b"\n"):
                        self._apply_line(line, write)
                file.truncate(0)
                os.fsync(file.fileno())
            except FileNotFoundError:
                return True
            except OSError as error:
                raise LedgerError(
                    f"{self._path} cannot be read: {error.strerror}. Check the disk and its permissions."
                ) from error
        return True

    def _apply_line(self, line: bytes, write: Write) -> None:
        try:
            kept = _LINE.validate_json(line)
            write(kept.entry, kept.settled_at)
        except (ValidationError, LedgerRefusedError) as error:  # it would stand in the way of all others for ever
            aside = self._path.with_name("pending-refused.jsonl")
            # Only the kind of error: a validation's message holds what it has read, and so a question.
            _log.error("A bill that waits in %s cannot be used (%s); it is moved to %s.", self._path, type(error).__name__, aside)
            with open(aside, "ab", opener=lambda path, flags: os.open(path, flags, _PRIVATE)) as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())


def _append(descriptor: int, line: bytes) -> None:
    whole = os.fstat(descriptor).st_size
    while whole and os.pread(descriptor, 1, whole - 1) != b"\n":  # what a killed process left unfinished
        whole -= 1
    os.ftruncate(descriptor, whole)
    append_whole(descriptor, line)
    try:
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, whole)
        raise
