"""Files beside the ledger: a lock among processes, and who is running."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from app.costs.errors import LedgerBusyError, LedgerError
from indexing.files import lock_open, take_lock


def make_private(folder: Path) -> None:
    """Make the ledger's folder, and the home around it, for this account alone. Raises `OSError`."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Map what the file system raises inside the block.

    Raises:
        LedgerError: Something at `path` cannot be used.
    """
    try:
        yield
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be used: {error.strerror}. Make room on the disk, and check its permissions."
        ) from error


@contextmanager
def folder_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold a lock among all processes and threads that use the same folder. It goes when its holder dies.

    Raises:
        LedgerBusyError: Somebody else held it all the time.
        LedgerError: The lock's file cannot be made.
    """
    with file_errors(path):
        try:
            lock = take_lock(path, timeout_s)
        except TimeoutError as error:
            raise LedgerBusyError(f"Another process holds {path}. Try again when it is done.") from error
    with lock:
        yield


class Presence:
    """Tells the processes that run from those that died, by a locked file of each: the system lets go of it when one dies.

    Where the holds of a process have no such file here, it runs, or ran, on another machine.
    """

    def __init__(self, folder: Path) -> None:
        """Take a place in the folder, which is made if there is none. Raises `OSError`."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._lock = folder.with_name("running.lock")
        self.instance: Final = uuid.uuid4().hex
        with folder_lock(self._lock, 10.0):  # so that nobody looks between the making of the file and its locking
            self._descriptor = os.open(folder / self.instance, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            lock_open(self._descriptor)

    def others(self) -> tuple[frozenset[str], frozenset[str]]:
        """The processes of this folder, without this one: those that run, and those that died. Raises `LedgerError`."""
        running: set[str] = set()
        dead: set[str] = set()
        with folder_lock(self._lock, 10.0), file_errors(self._folder):
            for file in self._folder.iterdir():
                if file.name != self.instance:
                    (dead if _nobody_holds(file) else running).add(file.name)
        return frozenset(running), frozenset(dead)

    def forget(self, dead: frozenset[str]) -> None:
        """Remove what is left of processes that died, once nothing of theirs is open. Raises `LedgerError`."""
        with file_errors(self._folder):
            for name in dead:
                (self._folder / name).unlink(missing_ok=True)

    def leave(self) -> None:
        """Be no more. The file stays for somebody to see that this process is gone, in case it left something open."""
        with suppress(OSError):
            os.close(self._descriptor)


def _nobody_holds(file: Path) -> bool:
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return lock_open(descriptor)
    finally:
        os.close(descriptor)
