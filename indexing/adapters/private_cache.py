"""diskcache, hardened: a directory of its owner's alone, bytes that stand in the database, and nothing else.

diskcache keeps whatever it is given by pickling it, and follows file names that stand in its database (CVE-2025-69872). Here only
bytes go in and out, inside the database, and every other kind of row counts as absent.
"""

import logging
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import diskcache
from diskcache.core import MODE_RAW

from indexing.files import lock_open

DATABASE: Final = "cache.db"

_T = TypeVar("_T")
_C = TypeVar("_C", bound=diskcache.Cache)

_MIN_FILE_BYTES: Final = 2**30
"""Nothing goes into files."""

_OTHERS: Final = 0o077
_SAY_AGAIN_S: Final = 60.0
"""How long a warning is not repeated."""

_PASSING: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Faults that may be over the next time, and say nothing against the rows that are there."""

_log = logging.getLogger(__name__)


class BytesDisk(diskcache.Disk):  # type: ignore[misc] # diskcache ships no types
    """Takes and gives bytes that stand in the database, and nothing else.

    A refusal to read is an `OSError`, which diskcache takes for "not there".
    """

    def __init__(self, directory: str, **settings: object) -> None:
        # The settings come from the database; only what this class needs is taken over.
        del settings
        super().__init__(directory, min_file_size=_MIN_FILE_BYTES)

    def put(self, key: object) -> tuple[object, bool]:
        """A key as the database has it. Raises `TypeError` for anything but bytes."""
        if type(key) is not bytes:
            raise TypeError(f"a key of this cache is bytes, not {type(key).__name__}")
        return sqlite3.Binary(key), True

    def get(self, key: object, raw: object) -> bytes:
        """A key from the database. Raises `OSError` for one that was pickled."""
        if not raw or not isinstance(key, bytes):
            raise OSError("a foreign key in a cache of bytes")
        return key

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, None, object]:  # noqa: ARG002, FBT001 - diskcache's signature
        """A value as the database has it. Raises `TypeError` for anything but bytes."""
        if read or type(value) is not bytes:
            raise TypeError(f"a value of this cache is bytes, not {type(value).__name__}")
        return 0, MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:  # noqa: FBT001 - diskcache's signature
        """A value from the database. Raises `OSError` for one that was pickled, or lies in a file."""
        if read or mode != MODE_RAW or filename is not None or not isinstance(value, bytes):
            raise OSError("a foreign value in a cache of bytes")
        return value

    def filename(self, key: object = None, value: object = None) -> Any:  # noqa: ARG002 - diskcache's signature
        """Refuses."""
        raise OSError("a cache of bytes keeps nothing in files")

    def remove(self, file_path: object) -> None:
        """Nothing: no file is ours, so a file name in the database is somebody's trick."""


class PrivateCache(Generic[_C]):
    """A diskcache that may fail. Safe for several threads and processes.

    It saves time or money and nothing else: where its directory belongs to somebody else, or the disk fails, it says so in the
    log and in `problem`, and goes on knowing nothing. A damaged database is removed and begun anew.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        consequence: str,
        open_cache: Callable[[str], _C],
        *,
        refuse_loose: bool = False,
    ) -> None:
        """Name the directory; it is made when `use` is first called.

        Args:
            directory: The cache's own.
            name: What messages call it.
            consequence: What goes on without it, as a sentence.
            open_cache: Opens the database in a directory, with `BytesDisk`. Raises `ValueError` where it is not as it should be.
            refuse_loose: Refuse a directory that others may enter, instead of closing it: what they planted may look sound.
        """
        self._directory = directory
        self._name = name
        self._consequence = consequence
        self._open_cache = open_cache
        self._refuse_loose = refuse_loose
        self._lock = threading.Lock()
        self._cache: _C | None = None
        self._opened: tuple[int, int] | None = None
        self._problem: str | None = None
        self._said: dict[str, float] = {}
        self._faults = 0

    @property
    def problem(self) -> str | None:
        """Why the cache is out of use, and what to do; `None` while it works."""
        return self._problem

    @property
    def faults(self) -> int:
        """How many actions have come to nothing."""
        return self._faults

    @property
    def exists(self) -> bool:
        """Whether there is anything to look into."""
        try:
            return self._cache is not None or (self._directory / DATABASE).is_file()
        except OSError:
            return True  # it may not be looked into; `use` says why

    def use(self, action: Callable[[_C], _T]) -> _T | None:
        """Run an action on the open cache; on a damaged database once more, on a new one. `None` when it cannot be done."""
        for attempt in range(2):
            try:
                cache = self._cache or self._open()
                return None if cache is None else action(cache)
            except (diskcache.Timeout, sqlite3.DatabaseError, OSError, ValueError, TypeError, AttributeError) as error:
                if not self._may_try_again(error, attempt):
                    self._faults += 1
                    break
        return None

    def reopen_if_replaced(self) -> None:
        """Let go of a database that another process, or a person, has removed meanwhile: the next use opens what is there now."""
        if self._cache is not None and self._opened != _identity(self._directory):
            self.close()

    def refuse(self) -> str:
        """Why an action has just come to nothing, as a message."""
        return self._problem or f"The {self._name} in {self._directory} cannot be used just now; the log says why. Try again."

    def warn(self, what: str) -> None:
        """Log what the cache is or holds, as what follows its place in a sentence; the same once a minute at most."""
        now = time.monotonic()
        if now - self._said.get(what, -_SAY_AGAIN_S) >= _SAY_AGAIN_S:
            self._said[what] = now
            _log.warning("The %s in %s %s", self._name, self._directory, what)

    def close(self) -> None:
        """Close the database's connections of this thread."""
        with self._lock:
            if self._cache is not None:
                self._cache.close()
                self._cache = None

    def _open(self) -> _C | None:
        with self._lock:
            if self._problem is not None:
                return None
            if self._cache is None:
                refusal = self._prepare()
                if refusal is not None:
                    self._problem = f"The {self._name} in {self._directory} {refusal}"
                    _log.warning("%s %s", self._problem, self._consequence)
                    return None
                # Not even a name from the environment is put into the path: diskcache would expand `$NAME` and `~`.
                place = os.path.realpath(self._directory)
                if "$" in place:
                    raise OSError(f"diskcache cannot keep a `$` in a path, and {place} has one")
                with _alone(self._directory):
                    (self._directory / DATABASE).touch(mode=0o600)  # SQLite gives its log the mode of the database
                    (self._directory / DATABASE).chmod(0o600)
                    self._opened = _identity(self._directory)
                    self._cache = self._open_cache(place)
            return self._cache

    def _prepare(self) -> str | None:
        """Make the directory, for its owner alone. Returns why it is refused, or `None`."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = self._directory.lstat()
        if not stat.S_ISDIR(facts.st_mode):
            return "is a link. Remove it, or move the directory it leads to here."
        if facts.st_uid != os.geteuid():
            return f"belongs to user {facts.st_uid}, and this is user {os.geteuid()}. Remove it, or run as its owner."
        if self._refuse_loose and facts.st_mode & _OTHERS:
            mode = stat.S_IMODE(facts.st_mode)
            return f"may be entered by others (mode {mode:04o}), who may have changed it. Remove it; it is made again."
        self._directory.chmod(0o700)
        return None

    def _may_try_again(self, error: Exception, attempt: int) -> bool:
        """Say what went wrong, and begin anew where the database is not ours or not whole."""
        code = _primary_code(error)
        if isinstance(error, diskcache.Timeout):
            self.warn("is busy; this time it is not used.")
        elif code in _PASSING:
            self._close_connection()
            self.warn(f"cannot be used just now ({error}). Check that the disk is not full. {self._consequence}")
        elif isinstance(error, OSError) or (isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR):
            # Read-only or unreadable: the rows may be sound, so they stay.
            self._give_up(f"cannot be used ({error}). Check the disk and its permissions, or remove that directory.")
        elif attempt:
            self._give_up(f"cannot be made anew ({error}). Remove that directory.")
        else:
            # What is no database, or one with other tables and settings than ours.
            self._begin_anew(error)
            return True
        return False

    def _begin_anew(self, error: Exception) -> None:
        _log.warning("The %s in %s is damaged, or of another version (%s); it begins anew.", self._name, self._directory, error)
        self.close()
        with suppress(OSError), _alone(self._directory):
            if self._opened == _identity(self._directory):  # else another process has begun it anew already
                for ending in ("", "-wal", "-shm", "-journal"):
                    with suppress(OSError):
                        (self._directory / f"{DATABASE}{ending}").unlink()

    def _close_connection(self) -> None:
        """End a transaction that may be left half done; the next use connects again."""
        if self._cache is not None:
            with suppress(sqlite3.Error):
                self._cache.close()

    def _give_up(self, why: str) -> None:
        with self._lock:
            self._problem = f"The {self._name} in {self._directory} {why}"
        _log.warning("%s %s", self._problem, self._consequence)


def open_diskcache(kind: type[_C], directory: str, max_bytes: int, timeout_s: float, settings: Mapping[str, object]) -> _C:
    """Open a diskcache, or a subclass, that keeps bytes only. Raises what diskcache and SQLite raise."""
    cache: _C = kind(
        directory,
        timeout=timeout_s,
        disk=BytesDisk,
        size_limit=max_bytes,
        disk_min_file_size=_MIN_FILE_BYTES,
        **settings,
    )
    return cache


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold off other processes that would open or remove the database now."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lock_open(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


def _identity(directory: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(directory / DATABASE)  # noqa: PTH116 - a third of the time, on the way of every question
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _primary_code(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
