"""What was worked out a moment ago, kept for whoever needs the same again; a page's text no longer than its generation."""

import threading
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from cachetools import LRUCache

_O = TypeVar("_O", bound=Hashable)
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Recent(Generic[_K, _V]):
    """Keeps so many values, and lets go of those that were not asked for longest. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._kept: LRUCache[_K, _V] = LRUCache(most)
        self._lock = threading.Lock()

    def get(self, key: _K) -> _V | None:
        """The value of a key, if it is still kept."""
        with self._lock:
            return self._kept.get(key)

    def get_all(self, keys: Iterable[_K]) -> dict[_K, _V]:
        """The values of those of the keys that are still kept, in their order."""
        kept = self._kept
        with self._lock:
            return {key: kept[key] for key in keys if key in kept}

    def add(self, key: _K, value: _V) -> None:
        """Keep a value."""
        with self._lock:
            self._kept[key] = value

    def add_all(self, values: Mapping[_K, _V]) -> None:
        """Keep several values."""
        with self._lock:
            for key, value in values.items():
                self._kept[key] = value

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()


class RecentOf(Generic[_O, _K, _V]):
    """What is kept for each of several owners, such as generations of the index. It goes with its owner.

    So whoever still works with an old generation adds to what is kept for that one, and to nothing that lives longer. Safe to use
    from several threads.
    """

    def __init__(self, most: int) -> None:
        """Begin with nothing; `most` values are kept for each owner."""
        self._most = most
        self._of: WeakKeyDictionary[_O, Recent[_K, _V]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def __getitem__(self, owner: _O) -> Recent[_K, _V]:
        """What is kept for an owner, who is held on to by nobody here."""
        kept = self._of.get(owner)
        if kept is None:
            with self._lock:
                kept = self._of.setdefault(owner, Recent(self._most))
        return kept
