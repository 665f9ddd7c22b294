"""Cached answers as the bytes that are sent, in front of the store: what is asked over and over needs no look into it."""

import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from app.caching.cache import Hit
from app.caching.store import Mark
from retrieval.leasing import OpenGeneration
from retrieval.recent import RecentOf

_MOST: Final = 1_024
_LARGEST_BYTES: Final = 32_768
"""More than this is not kept ready, so that all together take 32 MB at most."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A hit, and its whole response in parts: between two of them stands a time."""

    hit: Hit
    parts: tuple[bytes, ...]


class ReadyAnswers:
    """What was given last, of each generation that is open. Safe to use from several threads.

    It forgets everything as soon as anything in the store has changed. The caller says how far he knows the store, and which
    generation serves: what was added under others is never given.
    """

    def __init__(self) -> None:
        self._known: Mark | None = None
        self._kept: RecentOf[OpenGeneration, Hashable, tuple[Mark, Ready]] = RecentOf(_MOST)

    def get(self, key: Hashable, store: Mark, serving: OpenGeneration) -> Ready | None:
        """What was added under a key, unless it has expired."""
        kept = self._kept[serving]
        if self._known != store:
            kept.clear()
            self._known = store
        mark, ready = kept.get(key) or (None, None)
        return ready if ready and mark == store and ready.hit.entry.expires_at > time.time() else None

    def add(self, key: Hashable, store: Mark, serving: OpenGeneration, ready: Ready) -> None:
        """Keep what the store had when it was known so far."""
        if sum(map(len, ready.parts)) <= _LARGEST_BYTES:
            self._kept[serving].add(key, (store, ready))
