"""Vectors on disk, by the hash of the embedded text."""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

import diskcache
import numpy as np
from numpy.typing import NDArray

from indexing.adapters.private_cache import PrivateCache, open_diskcache
from indexing.embedding import EmbedderSpec

DEFAULT_MAX_BYTES: Final = 4 * 2**30
"""Room for about 1.8 million vectors of 384 numbers."""

_HEADER: Final = struct.Struct("<II")
"""Before the numbers: how many there are, and a CRC-32 over key and numbers."""

_TIMEOUT_S: Final = 60.0
"""How long a lock of another process is waited for."""

_SETTINGS: Final = {
    "eviction_policy": "least-recently-stored",
    "cull_limit": 2,  # rows removed for each row stored once the cache is full
    "sqlite_synchronous": 2,  # FULL: what was stored outlives a power cut
}


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
        self._spec = spec
        self._cache = PrivateCache(
            directory,
            "embedding cache",
            "Indexing goes on without it.",
            partial(_open, max_bytes=max_bytes),
        )

    @property
    def problem(self) -> str | None:
        """Why the cache is out of use, and what to do; `None` while it works."""
        return self._cache.problem

    def get_many(self, embedding_hashes: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that are known: hash -> shape `(dimension,)`, float32. Unknown, torn or wrong-sized ones are absent."""
        if not embedding_hashes or not self._cache.exists:
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

        return self._cache.use(read) or {}

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

        self._cache.use(write)

    def close(self) -> None:
        """Close the database's connections of this thread."""
        self._cache.close()


def _open(directory: str, max_bytes: int) -> diskcache.Cache:
    return open_diskcache(diskcache.Cache, directory, max_bytes, _TIMEOUT_S, _SETTINGS)


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
