"""Cached answers on disk: the values in diskcache, hardened, and beside them, in the same database, what orders them."""

import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import diskcache

from app.caching.entries import CachedAnswer, decode_entry, encode_entry, is_torn
from app.caching.errors import AnswerStoreError
from app.caching.store import (
    CHANGES_AT_ONCE,
    LARGEST_SHARE,
    LEAST_RULED_WORTH,
    NANO,
    OTHER_RELEASE,
    REMOVALS_REMEMBERED,
    Changes,
    Hits,
    Mark,
    StoredAnswer,
    StoreUsage,
    goes_last,
    nano_usd,
    worth_per_byte,
)
from indexing.adapters.private_cache import PrivateCache, open_diskcache

_T = TypeVar("_T")

_Row: TypeAlias = tuple[bytes, bytes | None, Hits, int]
"""An entry's key, its bytes, its hits, and what it takes."""

_SCHEMA_VERSION: Final = 1
_TIMEOUT_S: Final = 10.0
"""How long a lock of another process is waited for."""

_SPARE_BYTES: Final = 16_384
"""Room that answers leave for counted hits, leases and marks of removal, which are written without making room."""

_EXPIRED_AT_ONCE: Final = 8
"""How many expired entries one new one sweeps out."""

_READ_AT_ONCE: Final = 500

_SETTINGS: Final = {
    "eviction_policy": "none",  # by worth, here below
    "cull_limit": 0,
    "sqlite_synchronous": 1,  # NORMAL: a killed process loses nothing, a power cut the last moment, and neither the database
    "sqlite_secure_delete": 1,
}

_SCHEMA: Final = (
    """CREATE TABLE answers (
        key BLOB PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE, expires_at REAL NOT NULL, pinned INTEGER NOT NULL,
        cost_nano INTEGER NOT NULL, stored_bytes INTEGER NOT NULL, hits INTEGER NOT NULL, saved_nano INTEGER NOT NULL,
        worth REAL NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX answers_by_worth ON answers (worth)",
    "CREATE INDEX answers_by_expiry ON answers (expires_at)",
    "CREATE TABLE removals (sequence INTEGER PRIMARY KEY, key BLOB NOT NULL)",
    "CREATE TABLE leases (key BLOB PRIMARY KEY, owner TEXT NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID",
    # One row. `told_from` is the newest removal that is no longer remembered.
    """CREATE TABLE store (
        identity TEXT NOT NULL, sequence INTEGER NOT NULL, told_from INTEGER NOT NULL, clock REAL NOT NULL,
        evicted INTEGER NOT NULL
    )""",
)


class _AnswerCache(diskcache.Cache):  # type: ignore[misc] # diskcache ships no types
    """diskcache's table, and ours beside it. Every change of both is one transaction."""

    def prepare(self) -> None:
        """Make our tables in a new database.

        Raises:
            ValueError: It was made by another version.
        """
        with self.transact():
            ((version,),) = self.rows("PRAGMA user_version")
            if version == 0 and not self.rows("SELECT 1 FROM Cache LIMIT 1"):
                for statement in _SCHEMA:
                    self.rows(statement)
                self.rows("INSERT INTO store VALUES (?, 0, 0, 0.0, 0)", secrets.token_hex(8))
                self.rows(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            elif version != _SCHEMA_VERSION:
                raise ValueError(f"its schema is {version}, and this version's is {_SCHEMA_VERSION}")

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement."""
        found: list[tuple[Any, ...]] = self._sql(statement, values).fetchall()
        return found

    def next_sequence(self) -> int:
        """Number the next change."""
        ((sequence,),) = self.rows("UPDATE store SET sequence = sequence + 1 RETURNING sequence")
        return int(sequence)

    def volume_bytes(self) -> int:
        """What the database takes, less what the running transaction has freed already."""
        ((pages,),) = self.rows("PRAGMA page_count")
        ((free,),) = self.rows("PRAGMA freelist_count")
        return int((pages - free) * self._page_size)

    def forget(self, keys: Collection[bytes]) -> int:
        """Remove entries, and remember that they were. Returns how many there were."""
        removed = 0
        for key in keys:
            known = self.rows("DELETE FROM answers WHERE key = ? RETURNING 1", key)
            value = self.rows("DELETE FROM Cache WHERE key = ? AND raw = 1 RETURNING 1", key)
            if known:
                self.rows("INSERT INTO removals VALUES (?, ?)", self.next_sequence(), key)
            removed += bool(known or value)
        return removed

    def evict(self, max_bytes: int) -> None:
        """Remove what is worth least until the rest fits."""
        while self.volume_bytes() > max_bytes:
            least = self.rows("SELECT key, worth FROM answers ORDER BY worth LIMIT 1")
            if not least:
                return
            ((key, worth),) = least
            self.forget([key])
            clock = worth if worth < LEAST_RULED_WORTH else 0.0
            self.rows("UPDATE store SET evicted = evicted + 1, clock = MAX(clock, ?)", clock)

    def trim_removals(self) -> None:
        """Forget which entries were removed long ago."""
        old = "DELETE FROM removals WHERE sequence <= (SELECT sequence FROM store) - ? RETURNING sequence"
        if gone := self.rows(old, REMOVALS_REMEMBERED):
            self.rows("UPDATE store SET told_from = ?", max(sequence for (sequence,) in gone))


class DiskAnswerStore:
    """Keeps answers in a directory that only its owner can read. It is an `AnswerStore`, an `AnswerStoreAdmin`, `FlightLeases`.

    What is bounded is the database; its journal comes on top, with about 4 MB.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        """Name the directory; it is made when the first answer is kept.

        Args:
            directory: The cache's own.
            max_bytes: What the database may take.
        """
        self._max_bytes = max_bytes
        self._owner = secrets.token_hex(8)
        self._torn: set[bytes] = set()
        self._cache = PrivateCache(
            directory,
            "answer cache",
            "Questions are answered without it.",
            _open,
            refuse_loose=True,
        )

    def get(self, key: bytes) -> CachedAnswer | None:
        """The entry of an exact key; `None` when there is none, it has expired, or it is torn (the next write removes it)."""
        if not self._cache.exists:
            return None
        value = self._cache.use(lambda cache: cache.get(key))
        entry = decode_entry(key, value)
        if entry is None and value is not None:
            self._set_aside(key, value)
        return entry

    def put(self, entry: CachedAnswer) -> None:
        """Keep an entry, in place of one with the same key, whose hits it inherits."""
        value = encode_entry(entry)
        if entry.expires_at > time.time() and len(value) * LARGEST_SHARE <= self._max_bytes:
            self._write(partial(_put, entry=entry, value=value, max_bytes=self._max_bytes))

    def add_hits(self, hits: Mapping[bytes, Hits]) -> None:
        """Count hits, by key. Keys that are gone are passed over."""
        if hits and self._cache.exists:
            self._write(partial(_add_hits, hits=hits))

    def changes_since(self, mark: Mark | None) -> Changes:
        """What has been put and removed since, by any process, at most `CHANGES_AT_ONCE`; `None` asks for everything."""
        self._cache.reopen_if_replaced()
        if not self._cache.exists:
            return Changes(None, {}, anew=mark is not None, more=False)
        return self._cache.use(partial(_changes, mark=mark)) or Changes(None, {}, anew=False, more=False)

    def entries(self) -> Iterator[StoredAnswer]:
        """Every whole entry, in no order. Those that are not whole are removed. Raises `AnswerStoreError`."""
        last, end = b"", list[_Row]()
        while rows := self._order(partial(_page, after=last), nothing=end):
            for key, value, hits, stored_bytes in rows:
                entry = decode_entry(key, value)
                if entry is not None:
                    yield StoredAnswer(entry, hits, stored_bytes)
                elif value is not None:
                    self._set_aside(key, value)
            last = rows[-1][0]
        if self._torn:
            self._write(lambda _: True)

    def remove(self, keys: Collection[bytes]) -> int:
        """Remove entries, and what has expired, bytes included. Returns how many there were. Raises `AnswerStoreError`."""
        removed = self._order(lambda cache: _in_transaction(cache, lambda: _remove(cache, keys)), nothing=0)
        self._erase_journal()
        return removed

    def clear(self) -> int:
        """Remove everything, their bytes included. Returns how many there were. Raises `AnswerStoreError`."""
        removed = self._order(lambda cache: _in_transaction(cache, lambda: _clear(cache)), nothing=0)
        self._erase_journal()
        return removed

    def usage(self) -> StoreUsage:
        """How full the store is. Raises `AnswerStoreError`."""

        def read(cache: _AnswerCache) -> StoreUsage:
            ((entries, evicted),) = cache.rows("SELECT (SELECT COUNT(*) FROM answers), evicted FROM store")
            return StoreUsage(entries, cache.volume_bytes(), self._max_bytes, evicted, self._cache.faults)

        return self._order(read, nothing=StoreUsage(0, 0, self._max_bytes, 0, self._cache.faults))

    def claim(self, key: bytes, ttl_s: float) -> bool:
        """Take a key for `ttl_s` seconds at most; whether it was free."""

        def take(cache: _AnswerCache) -> bool:
            now = time.time()
            cache.rows("DELETE FROM leases WHERE expires_at <= ?", now)
            taken = "INSERT INTO leases VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1"
            return bool(cache.rows(taken, key, self._owner, now + ttl_s))

        return self._write(take) is not False

    def release(self, key: bytes) -> None:
        """Give back a key that this object claimed; nothing happens when somebody else has it by now."""
        if self._cache.exists:
            self._write(lambda cache: cache.rows("DELETE FROM leases WHERE key = ? AND owner = ?", key, self._owner))

    def close(self) -> None:
        """Close the database's connections of this thread."""
        self._cache.close()

    def _set_aside(self, key: bytes, value: object) -> None:
        if is_torn(key, value):
            self._torn.add(key)
        else:
            self._cache.warn(OTHER_RELEASE)

    def _write(self, action: Callable[[_AnswerCache], _T]) -> _T | None:
        """Run an action as one transaction, after removing what was found torn."""
        self._cache.reopen_if_replaced()

        def run(cache: _AnswerCache) -> _T:
            with cache.transact():
                while self._torn:
                    key = self._torn.pop()
                    if is_torn(key, cache.get(key)):
                        cache.forget([key])
                return action(cache)

        return self._cache.use(run)

    def _order(self, action: Callable[[_AnswerCache], _T], nothing: _T) -> _T:
        self._cache.reopen_if_replaced()
        if not self._cache.exists:
            return nothing
        done = self._cache.use(action)
        if done is None:
            raise AnswerStoreError(self._cache.refuse())
        return done

    def _erase_journal(self) -> None:
        """What was removed is overwritten in the database, and still stands in the journal: empty it."""
        ((held, *_),) = self._order(lambda cache: cache.rows("PRAGMA wal_checkpoint(TRUNCATE)"), nothing=[(0,)])
        if held:
            raise AnswerStoreError(
                "The entries are removed, but another process holds on to the answer cache's journal, where their bytes still "
                "stand. Run the command again in a moment."
            )


def _open(directory: str) -> _AnswerCache:
    cache = open_diskcache(_AnswerCache, directory, 0, _TIMEOUT_S, _SETTINGS)
    cache.prepare()
    return cache


def _in_transaction(cache: _AnswerCache, action: Callable[[], _T]) -> _T:
    with cache.transact():
        done = action()
        cache.trim_removals()
        return done


def _put(cache: _AnswerCache, entry: CachedAnswer, value: bytes, max_bytes: int) -> bool:
    now = time.time()
    ((hits, saved_nano),) = cache.rows("SELECT hits, saved_nano FROM answers WHERE key = ?", entry.key) or [(0, 0)]
    ((clock,),) = cache.rows("SELECT clock FROM store")
    last, cost_nano = goes_last(entry.kind), nano_usd(entry.cost_usd)
    worth = clock + worth_per_byte(last=last, cost_nano=cost_nano, saved_nano=saved_nano, hits=hits, stored_bytes=len(value))
    cache.set(entry.key, value, expire=entry.expires_at - now)
    cache.rows(
        "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *(entry.key, cache.next_sequence(), entry.expires_at, last, cost_nano, len(value), hits, saved_nano, worth),
    )
    expired = cache.rows("SELECT key FROM answers WHERE expires_at <= ? ORDER BY expires_at LIMIT ?", now, _EXPIRED_AT_ONCE)
    cache.forget([key for (key,) in expired])
    cache.evict(max_bytes - _SPARE_BYTES)
    cache.trim_removals()
    return True


def _remove(cache: _AnswerCache, keys: Collection[bytes]) -> int:
    removed = cache.forget(keys)
    cache.forget([key for (key,) in cache.rows("SELECT key FROM answers WHERE expires_at <= ?", time.time())])
    return removed


def _add_hits(cache: _AnswerCache, hits: Mapping[bytes, Hits]) -> bool:
    ((clock,),) = cache.rows("SELECT clock FROM store")
    counted = """UPDATE answers SET hits = hits + ?, saved_nano = saved_nano + ? WHERE key = ?
        RETURNING pinned, cost_nano, saved_nano, hits, stored_bytes"""
    for key, more in hits.items():
        for last, cost_nano, saved_nano, count, stored_bytes in cache.rows(counted, more.count, nano_usd(more.saved_usd), key):
            worth = clock + worth_per_byte(
                last=last, cost_nano=cost_nano, saved_nano=saved_nano, hits=count, stored_bytes=stored_bytes
            )
            cache.rows("UPDATE answers SET worth = ? WHERE key = ?", worth, key)
    return True


def _changes(cache: _AnswerCache, mark: Mark | None) -> Changes:
    ((identity, newest, told_from),) = cache.rows("SELECT identity, sequence, told_from FROM store")
    anew = mark is None or mark.store != identity or max(mark.sequence, mark.began) < told_from
    if mark is None or anew:
        mark = Mark(identity, 0, newest)
    if mark.sequence == newest:
        return Changes(mark, {}, anew=anew, more=False)
    changed = cache.rows(
        """SELECT sequence, key FROM answers WHERE sequence > ? UNION ALL SELECT sequence, key FROM removals WHERE sequence > ?
        ORDER BY sequence LIMIT ?""",
        *(mark.sequence, mark.sequence, CHANGES_AT_ONCE),
    )
    entries = {key: decode_entry(key, cache.get(key)) for _, key in changed}
    more = len(changed) == CHANGES_AT_ONCE
    read_to = changed[-1][0] if more else max([newest, *(sequence for sequence, _ in changed[-1:])])
    return Changes(Mark(identity, read_to, mark.began), entries, anew=anew, more=more)


def _page(cache: _AnswerCache, after: bytes) -> list[_Row]:
    found = cache.rows(
        "SELECT key, hits, saved_nano, stored_bytes FROM answers WHERE key > ? ORDER BY key LIMIT ?", after, _READ_AT_ONCE
    )
    return [(key, cache.get(key), Hits(hits, Decimal(saved) / NANO), size) for key, hits, saved, size in found]


def _clear(cache: _AnswerCache) -> int:
    removed = cache.forget([key for (key,) in cache.rows("SELECT key FROM answers")])
    cache.rows("DELETE FROM Cache")
    cache.rows("DELETE FROM leases")
    return removed
