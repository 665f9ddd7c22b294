"""What was worked out a moment ago, kept for whoever needs the same again: a judge's verdicts, and what a search found."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexing.documents import AccessScope
from retrieval.passages import Query
from retrieval.retriever import Candidates

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")

_SEARCHES: Final = 64
"""Each holds some hundred chunks with their terms, most of which the others hold as well."""


class Recent(Generic[_K, _V]):
    """Keeps so many values, and lets go of those that were not asked for longest. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[_K, _V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _K) -> _V | None:
        """The value of a key, if it is still kept."""
        with self._lock:
            value = self._kept.get(key)
            if value is not None:
                self._kept.move_to_end(key)
            return value

    def add(self, key: _K, value: _V) -> None:
        """Keep a value."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Searches:
    generation: str
    found: Recent[tuple[Query, AccessScope], tuple[NDArray[np.float32], Candidates]]


class RecentSearches:
    """What was found for the last questions in the generation that serves. Safe to use from several threads.

    Nothing of an earlier generation is held on to, so that an erased page stays in no memory.
    """

    def __init__(self, most: int = _SEARCHES) -> None:
        self._most = most
        self._serving = _Searches("", Recent(most))

    def get(self, query: Query, scope: AccessScope, generation: str) -> tuple[NDArray[np.float32], Candidates] | None:
        """The query's vector and what was found, for the same rights in the same generation; `None` when it is not kept."""
        serving = self._serving
        if generation != serving.generation:
            self._serving = _Searches(generation, Recent(self._most))
            return None
        return serving.found.get((query, scope))

    def add(self, generation: str, scope: AccessScope, vector: NDArray[np.float32], found: Candidates) -> None:
        """Keep what was found, unless another generation serves by now."""
        serving = self._serving
        if generation == serving.generation:  # replaced just now, it is dropped with what is added
            serving.found.add((found.query, scope), (vector, found))
