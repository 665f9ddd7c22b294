"""The questions that have cached answers, in memory: found by their words, and by what they mean."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.caching.entries import CachedAnswer, EntryKind
from app.caching.store import AnswerStore, Changes, Mark

_FIRST_ROWS: Final = 64
_PROPOSED: Final = frozenset({EntryKind.ANSWER, EntryKind.PINNED})
_NO_VECTOR: Final = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A cached question near another one: the key of its entry, the cosine of the two, and the units that its answer cites."""

    key: bytes
    cosine: float
    units: frozenset[str]


@dataclass(slots=True)
class _Rows:
    """The vectors of one tenant's questions; `keys[row]` says whose a row is."""

    matrix: NDArray[np.float32]
    keys: list[bytes] = field(default_factory=list)


class CachedQuestions:
    """What an answer store holds, as questions. Safe for several threads.

    It is exact: every question of the tenant is compared. It follows what other processes put and remove at each `refresh`. What
    it finds is a proposal: the entry itself is asked of the store, and may be gone by then. Abstentions, and what is not
    `proposable`, are found by the same words alone; what was marked as wrong is not found.
    """

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._mark: Mark | None = None
        self._forget_all()

    def refresh(self, *, wait: bool = True) -> Mark | None:
        """Take in what has changed in the store. Cheap when nothing has.

        Args:
            wait: Whether to wait for another thread that is at it, and to read on until nothing is left.

        Returns:
            How far the store is known by now, or `None` where that is not sure: it cannot be read, or it was not waited for.
        """
        if not self._lock.acquire(blocking=wait):
            return None
        try:
            changes = self._take_in()
            while wait and changes.more:
                changes = self._take_in()
            return None if changes.more else changes.mark
        finally:
            self._lock.release()

    def has_ruling(self, key: bytes) -> bool:
        """Whether a person decided something that is kept under a key. Never waits."""
        return key in self._rulings

    def same_words(self, tenant: str, same_words_key: bytes) -> tuple[bytes, ...]:
        """The keys of the tenant's questions with the same words, in no order."""
        with self._lock:
            return tuple(self._by_words.get((tenant, same_words_key), ()))

    def nearest(self, tenant: str, vector: NDArray[np.float32], limit: int) -> tuple[Neighbour, ...]:
        """The tenant's questions that are nearest in meaning, nearest first; equally near ones in no order.

        Args:
            tenant: Whose questions.
            vector: The asked question's: shape `(dimension,)`, float32, length 1. Questions of another dimension are passed over.
            limit: How many at most.
        """
        with self._lock:
            rows = self._by_tenant.get((tenant, len(vector)))
            if rows is None or not rows.keys:
                return ()
            # Not `@`: for it BLAS starts threads, which on a busy machine wait for each other twenty times as long as this takes.
            cosines = np.einsum("ij,j->i", rows.matrix[: len(rows.keys)], vector)
            best = np.argpartition(-cosines, limit - 1)[:limit] if limit < len(cosines) else np.arange(len(cosines))
            ranked = best[np.argsort(-cosines[best], kind="stable")]
            return tuple(Neighbour(rows.keys[row], float(cosines[row]), self._cited[rows.keys[row]]) for row in ranked)

    def _take_in(self) -> Changes:
        changes = self._store.changes_since(self._mark)
        if changes.anew:
            self._forget_all()
        for key, entry in changes.entries.items():
            self._forget(key)
            if entry is not None and entry.kind.is_ruling:
                self._rulings.add(key)
            if entry is not None and entry.kind is not EntryKind.WRONG:
                self._add(entry)
        if changes.anew or changes.mark:  # else nothing can be known just now, and what was known is read on from there
            self._mark = changes.mark
        return changes

    def __len__(self) -> int:
        with self._lock:
            return len(self._places)

    def _forget_all(self) -> None:
        self._by_tenant: dict[tuple[str, int], _Rows] = {}
        self._by_words: defaultdict[tuple[str, bytes], set[bytes]] = defaultdict(set)
        self._places: dict[bytes, tuple[tuple[str, int], int, tuple[str, bytes]]] = {}
        self._cited: dict[bytes, frozenset[str]] = {}
        self._rulings: set[bytes] = set()

    def _add(self, entry: CachedAnswer) -> None:
        vector = entry.question_vector if entry.proposable and entry.kind in _PROPOSED else _NO_VECTOR
        group, words = (entry.tenant, len(vector)), (entry.tenant, entry.same_words_key)
        rows = self._by_tenant.setdefault(group, _Rows(np.empty((_FIRST_ROWS, len(vector)), np.float32)))
        row = len(rows.keys)
        if row == len(rows.matrix):
            rows.matrix = np.concatenate([rows.matrix, np.empty_like(rows.matrix)])
        rows.matrix[row] = vector
        rows.keys.append(entry.key)
        self._by_words[words].add(entry.key)
        self._places[entry.key] = (group, row, words)
        self._cited[entry.key] = frozenset(unit.id for unit in entry.units)

    def _forget(self, key: bytes) -> None:
        """Take a question out; the last row moves to its place."""
        self._rulings.discard(key)
        place = self._places.pop(key, None)
        if place is None:
            return
        del self._cited[key]
        group, row, words = place
        self._by_words[words].discard(key)
        if not self._by_words[words]:
            del self._by_words[words]
        rows = self._by_tenant[group]
        last = rows.keys.pop()
        if last != key:
            rows.matrix[row] = rows.matrix[len(rows.keys)]
            rows.keys[row] = last
            _, _, last_words = self._places[last]
            self._places[last] = (group, row, last_words)
        rows.matrix[len(rows.keys)] = 0  # an erased question leaves nothing behind
