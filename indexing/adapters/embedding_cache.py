"""Vectors on disk, by the hash of the embedded text.

diskcache keeps whatever it is given by pickling it, and follows file names that stand in its database (CVE-2025-69872). Here
only bytes go in and out, inside the database, and every other kind of row counts as absent.
"""

import logging
import os
import sqlite3
import stat
import struct
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

import diskcache
import numpy as np
from diskcache.core import MODE_RAW
from numpy.typing import NDArray

from indexing.embedding import EmbedderSpec

_T = TypeVar("_T")

DEFAULT_MAX_BYTES: Final = 4 * 2**30
"""Room for about 1.8 million vectors of 384 numbers."""

_DATABASE: Final = "cache.db"
_HEADER: Final = struct.Struct("<II")
"""Before the numbers: how many there are, and a CRC-32 over key and numbers."""

_SETTINGS: Final = {
    "eviction_policy": "least-recently-stored",
    "cull_limit": 2,  # rows removed for each row stored once the cache is full
    "sqlite_synchronous": 2,  # FULL: what was stored outlives a power cut
    "disk_min_file_size": 2**30,  # nothing goes into files
}

_log = logging.getLogger(__name__)


class DiskEmbeddingCache:
    """Keeps vectors in a directory that only its owner can read. Safe for several threads and processes.

    The cache saves time and nothing else: where its directory belongs to somebody else, or the disk fails, it says so once in the
    log and in `problem`, and goes on knowing nothing. A damaged database is removed and begun anew.
    """

    def __init__(self, directory: Path, spec: Callable[[], EmbedderSpec], max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        """Name the directory; it is made when the first vector is kept.

        Args:
            directory: The cache's own.
            spec: Gives the embedder's identity. It is asked at every call, because the first embedding may settle the arithmetic.
            max_bytes: Above it, the vectors that were stored first are removed.
        """
        self._directory = directory
        self._spec = spec
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._cache: diskcache.Cache | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the cache is out of use, and what to do; `None` while it works."""
        return self._problem

    def get_many(self, embedding_hashes: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that are known: hash -> shape `(dimension,)`, float32. Unknown, torn or wrong-sized ones are absent."""
        if not embedding_hashes or not (self._directory / _DATABASE).is_file():
            return {}
        spec = self._spec()

        def read(cache: diskcache.Cache) -> dict[str, NDArray[np.float32]]:
            found = {}
            for embedding_hash in embedding_hashes:
                key = _key(spec, embedding_hash)
                vector = _decode(key, cache.get(key), spec.dimension)
                if vector is not None:
                    found[embedding_hash] = vector
            return found

        return self._use(read) or {}

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep vectors, in one transaction. Durable when it returns, so that an interrupted sync pays for none of them again."""
        if not vectors:
            return
        spec = self._spec()

        def write(cache: diskcache.Cache) -> None:
            with cache.transact(retry=True):
                for embedding_hash, vector in vectors.items():
                    key = _key(spec, embedding_hash)
                    cache.set(key, _encode(key, vector), retry=True)

        self._use(write)

    def close(self) -> None:
        """Close the database's connections of this thread."""
        with self._lock:
            if self._cache is not None:
                self._cache.close()
                self._cache = None

    def _use(self, action: Callable[[diskcache.Cache], _T]) -> _T | None:
        """Run an action on the open cache; on a damaged database once more, on a new one."""
        for attempt in range(2):
            try:
                cache = self._open()
                return None if cache is None else action(cache)
            except diskcache.Timeout:
                _log.warning("The embedding cache in %s is busy; this time it is not used.", self._directory)
                return None
            except sqlite3.OperationalError as error:
                # Full, read-only, or unreadable: the rows may be sound, so they stay.
                self._give_up(f"cannot be used ({error}). Check the disk and its permissions, or remove that directory.")
                return None
            except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError) as error:
                # What is no database, or one with other tables and settings than diskcache's.
                if attempt:
                    self._give_up(f"cannot be made anew ({error}). Remove that directory.")
                    return None
                _log.warning("The embedding cache in %s is damaged (%s); it begins anew.", self._directory, error)
                self.close()
                _remove_database(self._directory)
            except OSError as error:
                self._give_up(f"cannot be used ({error}). Check the disk and its permissions.")
                return None
        return None

    def _open(self) -> diskcache.Cache | None:
        with self._lock:
            if self._problem is not None:
                return None
            if self._cache is None:
                refusal = _prepare(self._directory)
                if refusal is not None:
                    self._problem = f"The embedding cache in {self._directory} {refusal}"
                    _log.warning("%s Indexing goes on without it.", self._problem)
                    return None
                # Not even a name from the environment is put into the path: diskcache would expand `$NAME` and `~`.
                place = os.path.realpath(self._directory)
                if "$" in place:
                    raise OSError(f"diskcache cannot keep a `$` in a path, and {place} has one")
                self._cache = diskcache.Cache(place, disk=_BytesDisk, size_limit=self._max_bytes, **_SETTINGS)
            return self._cache

    def _give_up(self, why: str) -> None:
        with self._lock:
            self._problem = f"The embedding cache in {self._directory} {why}"
        _log.warning("%s Indexing goes on without it.", self._problem)


class _BytesDisk(diskcache.Disk):  # type: ignore[misc] # diskcache ships no types
    """Takes and gives bytes that stand in the database, and nothing else.

    A refusal to read is an `OSError`, which diskcache takes for "not there".
    """

    def __init__(self, directory: str, **settings: object) -> None:
        # The settings come from the database; only what this class needs is taken over.
        del settings
        super().__init__(directory, min_file_size=_SETTINGS["disk_min_file_size"])

    def put(self, key: object) -> tuple[object, bool]:
        if type(key) is not bytes:
            raise TypeError(f"a key of the embedding cache is bytes, not {type(key).__name__}")
        return sqlite3.Binary(key), True

    def get(self, key: object, raw: object) -> bytes:
        if not raw or not isinstance(key, bytes):
            raise OSError("a foreign key in the embedding cache")
        return key

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, None, object]:  # noqa: ARG002, FBT001 - diskcache's signature
        if read or type(value) is not bytes:
            raise TypeError(f"a value of the embedding cache is bytes, not {type(value).__name__}")
        return 0, MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:  # noqa: FBT001 - diskcache's signature
        if read or mode != MODE_RAW or filename is not None or not isinstance(value, bytes):
            raise OSError("a foreign value in the embedding cache")
        return value

    def filename(self, key: object = None, value: object = None) -> Any:  # noqa: ARG002 - diskcache's signature
        raise OSError("the embedding cache keeps nothing in files")

    def remove(self, file_path: object) -> None:
        """Nothing: no file is ours, so a file name in the database is somebody's trick."""


def _remove_database(directory: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            (directory / f"{_DATABASE}{ending}").unlink()


def _prepare(directory: Path) -> str | None:
    """Make the directory, for its owner alone. Returns why it is refused, or `None`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        return "is a link. Remove it, or move the directory it leads to here."
    if facts.st_uid != os.geteuid():
        return f"belongs to user {facts.st_uid}, and this is user {os.geteuid()}. Remove it, or run as its owner."
    directory.chmod(0o700)
    # SQLite gives its log the mode of the database.
    (directory / _DATABASE).touch(mode=0o600)
    (directory / _DATABASE).chmod(0o600)
    return None


def _key(spec: EmbedderSpec, embedding_hash: str) -> bytes:
    return sha256(f"{spec.key}\n{embedding_hash}".encode()).digest()


def _encode(key: bytes, vector: NDArray[np.float32]) -> bytes:
    numbers = np.ascontiguousarray(vector, dtype="<f4").tobytes()
    return _HEADER.pack(len(vector), zlib.crc32(numbers, zlib.crc32(key))) + numbers


def _decode(key: bytes, value: object, dimension: int) -> NDArray[np.float32] | None:
    if not isinstance(value, bytes) or len(value) != _HEADER.size + 4 * dimension:
        return None
    count, checksum = _HEADER.unpack_from(value)
    numbers = value[_HEADER.size :]
    if count != dimension or checksum != zlib.crc32(numbers, zlib.crc32(key)):
        return None
    return np.frombuffer(numbers, dtype="<f4").astype(np.float32, copy=False)
