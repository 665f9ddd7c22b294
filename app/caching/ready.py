"""Cached answers as the bytes that are sent, in front of the store: what is asked over and over needs no look into it."""

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from app.caching.cache import Hit
from app.caching.store import Mark

_MOST: Final = 1_024
_LARGEST_BYTES: Final = 32_768
"""More than this is not kept ready, so that all together take 32 MB at most."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A hit, and its whole response in parts: between two of them stands a time."""

    hit: Hit
    parts: tuple[bytes, ...]


@dataclass(slots=True)
class ReadyAnswers:
    """What was given last. It forgets everything as soon as anything in the store has changed. Safe to use from several threads.

    The caller says how far he knows the store, and which generation serves: what was added under others is never given.
    """

    _under: tuple[Mark, str] | None = None
    _kept: dict[Hashable, Ready] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable, store: Mark, serving: str) -> Ready | None:
        """What was added under a key, unless it has expired."""
        with self._lock:
            if self._under != (store, serving):
                self._kept.clear()
                self._under = (store, serving)
            ready = self._kept.get(key)
        return ready if ready and ready.hit.entry.expires_at > time.time() else None

    def add(self, key: Hashable, store: Mark, serving: str, ready: Ready) -> None:
        """Keep what the store had when it was known so far. The oldest makes room."""
        if sum(map(len, ready.parts)) > _LARGEST_BYTES:
            return
        with self._lock:
            if self._under != (store, serving):
                return
            if len(self._kept) >= _MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = ready
