"""An answer store in memory, for tests of what uses one. Several objects over one `Shelf` stand for several processes."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import wraps
from hashlib import sha256
from itertools import count
from threading import RLock
from typing import Concatenate, ParamSpec, TypeVar

from app.caching.entries import CachedAnswer, EntryKind, encode_entry
from app.caching.store import (
    CHANGES_AT_ONCE,
    LARGEST_SHARE,
    NO_HITS,
    Changes,
    Hits,
    Mark,
    StoredAnswer,
    StoreUsage,
    goes_last,
    nano_usd,
    worth_per_byte,
)

P = ParamSpec("P")
T = TypeVar("T")

_IDENTITIES = count(1)


@dataclass
class Shelf:
    """What the processes share."""

    identity: str = field(default_factory=lambda: f"fake-{next(_IDENTITIES)}")
    stored: dict[bytes, StoredAnswer] = field(default_factory=dict)
    worths: dict[bytes, float] = field(default_factory=dict)
    changes: dict[bytes, int] = field(default_factory=dict)
    leases: dict[bytes, tuple[object, float]] = field(default_factory=dict)
    sequence: int = 0
    clock: float = 0.0
    evicted: int = 0
    lock: AbstractContextManager[object] = field(default_factory=RLock)


def _alone(
    method: "Callable[Concatenate[FakeAnswerStore, P], T]",
) -> "Callable[Concatenate[FakeAnswerStore, P], T]":
    """One thread at a time on a shelf."""

    @wraps(method)
    def call(store: "FakeAnswerStore", *args: P.args, **named: P.kwargs) -> T:
        with store.shelf.lock:
            return method(store, *args, **named)

    return call


class FakeAnswerStore:
    def __init__(self, max_bytes: int = 10_000_000, shelf: Shelf | None = None) -> None:
        self.shelf = shelf or Shelf()
        self._max_bytes = max_bytes

    def get(self, key: bytes) -> CachedAnswer | None:
        stored = self.shelf.stored.get(key)
        return stored.entry if stored and stored.entry.expires_at > time.time() else None

    @_alone
    def put(self, entry: CachedAnswer) -> None:
        size = len(encode_entry(entry))
        if entry.expires_at <= time.time() or size * LARGEST_SHARE > self._max_bytes:
            return
        known = self.shelf.stored.get(entry.key)
        self.shelf.stored[entry.key] = StoredAnswer(entry, known.hits if known else NO_HITS, size)
        self._changed(entry.key)
        self._weigh(entry.key)
        for key in [key for key, stored in self.shelf.stored.items() if stored.entry.expires_at <= time.time()]:
            self._forget(key)
        while self._size() > self._max_bytes:
            least = min(self.shelf.worths, key=self.shelf.worths.__getitem__)
            if not self.shelf.stored[least].entry.kind.is_ruling:
                self.shelf.clock = max(self.shelf.clock, self.shelf.worths[least])
            self.shelf.evicted += 1
            self._forget(least)

    @_alone
    def add_hits(self, hits: Mapping[bytes, Hits]) -> None:
        for key, more in hits.items():
            if stored := self.shelf.stored.get(key):
                total = Hits(stored.hits.count + more.count, stored.hits.saved_usd + more.saved_usd)
                self.shelf.stored[key] = replace(stored, hits=total)
                self._weigh(key)

    @_alone
    def changes_since(self, mark: Mark | None) -> Changes:
        anew = mark is None or mark.store != self.shelf.identity
        if mark is None or anew:
            mark = Mark(self.shelf.identity, 0, self.shelf.sequence)
        later = sorted((at, key) for key, at in self.shelf.changes.items() if at > mark.sequence)
        told = later[:CHANGES_AT_ONCE]
        read_to = told[-1][0] if told else mark.sequence
        entries = {key: self.get(key) for _, key in told}
        return Changes(Mark(mark.store, read_to, mark.began), entries, anew=anew, more=len(later) > len(told))

    def entries(self) -> Iterator[StoredAnswer]:
        yield from list(self.shelf.stored.values())

    @_alone
    def remove(self, keys: Collection[bytes]) -> int:
        known = [key for key in keys if key in self.shelf.stored]
        for key in known:
            self._forget(key)
        return len(known)

    @_alone
    def clear(self) -> int:
        return self.remove(list(self.shelf.stored))

    @_alone
    def usage(self) -> StoreUsage:
        return StoreUsage(len(self.shelf.stored), self._size(), self._max_bytes, self.shelf.evicted, 0)

    @_alone
    def claim(self, key: bytes, ttl_s: float) -> bool:
        _, until = self.shelf.leases.get(key, (None, 0.0))
        if until > time.time():
            return False
        self.shelf.leases[key] = (self, time.time() + ttl_s)
        return True

    @_alone
    def release(self, key: bytes) -> None:
        owner, _ = self.shelf.leases.get(key, (None, 0.0))
        if owner is self:
            del self.shelf.leases[key]

    def close(self) -> None:
        pass

    def _size(self) -> int:
        return sum(stored.stored_bytes for stored in self.shelf.stored.values())

    def _changed(self, key: bytes) -> None:
        self.shelf.sequence += 1
        self.shelf.changes[key] = self.shelf.sequence

    def _forget(self, key: bytes) -> None:
        del self.shelf.stored[key], self.shelf.worths[key]
        self._changed(key)

    def _weigh(self, key: bytes) -> None:
        stored = self.shelf.stored[key]
        self.shelf.worths[key] = self.shelf.clock + worth_per_byte(
            last=goes_last(stored.entry.kind),
            cost_nano=nano_usd(stored.entry.cost_usd),
            saved_nano=nano_usd(stored.hits.saved_usd),
            hits=stored.hits.count,
            stored_bytes=stored.stored_bytes,
        )


class ForgetfulAnswerStore:
    """What a refused or broken store looks like: nothing is ever known, and everybody computes."""

    def get(self, key: bytes) -> CachedAnswer | None:  # noqa: ARG002 - the port's signature
        return None

    def put(self, entry: CachedAnswer) -> None:
        pass

    def add_hits(self, hits: Mapping[bytes, Hits]) -> None:
        pass

    def changes_since(self, mark: Mark | None) -> Changes:  # noqa: ARG002 - the port's signature
        return Changes(None, {}, anew=False, more=False)

    def claim(self, key: bytes, ttl_s: float) -> bool:  # noqa: ARG002 - the port's signature
        return True

    def release(self, key: bytes) -> None:
        pass


def cached_answer(question: str, *, number: int = 0, **changes: object) -> CachedAnswer:
    """An entry for tests; `number` tells bodies apart."""
    key = sha256(question.encode()).digest()
    entry = CachedAnswer(
        id=key.hex()[:32],
        tenant="default",
        key=key,
        same_words_key=sha256(" ".join(sorted(question.lower().split())).encode()).digest(),
        question=question,
        background="",
        labels=("everyone",),
        kind=EntryKind.ANSWER,
        units=(),
        documents=(),
        passages=(),
        proposable=True,
        generation="g1",
        prompt_version="p1",
        profile_version="f1",
        policy_version="a1",
        created_at=1_700_000_000.5,
        expires_at=time.time() + 3600,
        cost_usd=Decimal("0.0001"),
        baseline_usd=Decimal("0.001"),
        groundedness=1.0,
        vector=b"\0\0\x80?" + b"\0" * 12,
        body=b'{"text": "' + question.encode() + b" %d" % number + b'"}',
    )
    return replace(entry, **changes)  # type: ignore[arg-type] # any fields
