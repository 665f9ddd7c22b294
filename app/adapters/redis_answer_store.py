"""Cached answers in Redis, for several machines. Every change is one script, so that no reader sees half of it.

What Redis itself writes to its disk (snapshots, its append-only file) is its operator's affair.
"""

import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.adapters.redis_answer_scripts import ADD_HITS, PUT, RELEASE, REMOVE
from app.caching.entries import CachedAnswer, decode_entry, encode_entry, is_torn
from app.caching.errors import AnswerStoreError
from app.caching.store import (
    CHANGES_AT_ONCE,
    HIT_WORTH_NANO,
    LARGEST_SHARE,
    NANO,
    OTHER_RELEASE,
    PINNED_WORTH,
    REMOVALS_REMEMBERED,
    Changes,
    Hits,
    Mark,
    StoredAnswer,
    StoreUsage,
    goes_last,
    nano_usd,
)

_T = TypeVar("_T")

_PREFIX: Final = b"farthing:answers:"
_STORE: Final = _PREFIX + b"store"
_ENTRY: Final = _PREFIX + b"entry:"
_FACTS: Final = _PREFIX + b"facts:"
_LEASE: Final = _PREFIX + b"lease:"
_CHANGED: Final = _PREFIX + b"changed"
_REMOVED: Final = _PREFIX + b"removed"

_AT_ONCE: Final = 200
"""Keys in one call: few enough to be answered within the time-out."""

_OVERHEAD_BYTES: Final = 1024
"""What Redis needs for an entry besides its bytes: three keys, three places in sorted sets, a hash of five."""

_BREATH_S: Final = 0.5
"""After any failure Redis is left alone for so long: a question makes several calls, and waits out one of them at most."""

_FAILURES: Final = 3
_PAUSE_S: Final = 5.0
"""After so many failures in a row Redis is left alone for so long."""

_SAY_AGAIN_S: Final = 60.0

_GARBAGE: Final = (redis.RedisError, OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What comes of a server that is away, slow, or answers what is not asked."""

_log = logging.getLogger(__name__)


class RedisAnswerStore:
    """Keeps answers on a Redis server. It is an `AnswerStore`, an `AnswerStoreAdmin`, and `FlightLeases`.

    One time-out is all that a question ever waits, and a server that is away costs even that only once in a while.
    """

    def __init__(self, url: str, max_bytes: int, timeout_s: float) -> None:
        """Name the server; it is connected to when it is first needed.

        Args:
            url: As `redis://`, `rediss://` or `unix://`, with user, password and database where it has them.
            max_bytes: What the entries may take, as counted here; the server's `maxmemory` should be larger.
            timeout_s: How long connecting, and each reply, may take.
        """
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # what is newer greets, and each greeting may take the whole time-out
            driver_info=None,
        )
        self._place = _without_secret(url)
        self._max_bytes = max_bytes
        self._owner = secrets.token_hex(8)
        scripts: list[Any] = [self._client.register_script(script) for script in (PUT, ADD_HITS, REMOVE, RELEASE)]
        self._put, self._add_hits, self._remove, self._release = scripts
        self._faults = 0
        self._failures = 0
        self._paused_until_s = 0.0
        self._said_s = -_SAY_AGAIN_S

    @property
    def faults(self) -> int:
        """How many calls have come to nothing, those that were not tried included."""
        return self._faults

    def get(self, key: bytes) -> CachedAnswer | None:
        """The entry of an exact key; `None` when there is none, it has expired, or it is not whole (it is then removed)."""
        value = self._serve(lambda: self._client.get(_ENTRY + key))
        entry = decode_entry(key, value)
        if entry is None and value is not None:
            self._serve(lambda: self._set_aside(key, value))
        return entry

    def put(self, entry: CachedAnswer) -> None:
        """Keep an entry, in place of one with the same key, whose hits it inherits."""
        value = encode_entry(entry)
        size, now = len(value) + _OVERHEAD_BYTES, time.time()
        ttl_ms = int((entry.expires_at - now) * 1000)
        if ttl_ms <= 0 or size * LARGEST_SHARE > self._max_bytes:
            return
        last, cost_nano = goes_last(entry.kind), nano_usd(entry.cost_usd)
        facts = [ttl_ms, entry.expires_at, now, last, cost_nano, size, self._max_bytes, secrets.token_hex(8)]
        self._serve(lambda: self._put(keys=[_PREFIX, entry.key], args=[*_CONSTANTS, value, *facts]))

    def add_hits(self, hits: Mapping[bytes, Hits]) -> None:
        """Count hits, by key. Keys that are gone are passed over."""
        counted = list(hits.items())
        for start in range(0, len(counted), _AT_ONCE):
            part = counted[start : start + _AT_ONCE]
            numbers = [number for _, more in part for number in (more.count, nano_usd(more.saved_usd))]
            names = [_PREFIX, *(key for key, _ in part)]
            self._serve(partial(self._add_hits, keys=names, args=[*_CONSTANTS, *numbers]))

    def changes_since(self, mark: Mark | None) -> Changes:
        """What has been put and removed since, by any process, at most `CHANGES_AT_ONCE`; `None` asks for everything."""
        return self._serve(lambda: self._changes(mark)) or Changes(None, {}, anew=False, more=False)

    def entries(self) -> Iterator[StoredAnswer]:
        """Every whole entry, in no order. Those that are not whole are removed. Raises `AnswerStoreError`."""
        seen: set[bytes] = set()
        cursor = None
        while cursor != 0:
            cursor, found = self._order(partial(self._client.zscan, _CHANGED, cursor or 0, count=_AT_ONCE))
            keys = [key for key, _ in found if key not in seen]
            seen.update(keys)
            for key, value, facts in self._order(partial(self._read, keys)):
                entry = decode_entry(key, value)
                if entry is not None and None not in facts:
                    hits, saved_nano, size = (int(fact or 0) for fact in facts)
                    yield StoredAnswer(entry, Hits(hits, Decimal(saved_nano) / NANO), size)
                elif value is not None:
                    self._order(partial(self._set_aside, key, value))

    def remove(self, keys: Collection[bytes]) -> int:
        """Remove entries from the server's memory. Returns how many there were. Raises `AnswerStoreError`."""
        return self._order(lambda: self._remove_now(list(keys)))

    def clear(self) -> int:
        """Remove everything. Returns how many there were. Raises `AnswerStoreError`."""

        def sweep() -> int:
            listed = self._remove_now([key for key, _ in self._client.zscan_iter(_CHANGED, count=_AT_ONCE)])
            lost = [name.removeprefix(_ENTRY) for name in self._client.scan_iter(_ENTRY + b"*", count=_AT_ONCE)]
            self._remove_now(lost)
            return listed

        return self._order(sweep)

    def usage(self) -> StoreUsage:
        """How full the store is. Raises `AnswerStoreError`."""

        def read() -> StoreUsage:
            entries = self._client.zcard(_CHANGED)
            taken, evicted = self._client.hmget(_STORE, ["bytes", "evicted"])
            return StoreUsage(int(entries), int(taken or 0), self._max_bytes, int(evicted or 0), self._faults)

        return self._order(read)

    def claim(self, key: bytes, ttl_s: float) -> bool:
        """Take a key for `ttl_s` seconds at most; whether it was free."""
        ttl_ms = max(1, int(ttl_s * 1000))
        taken = self._serve(lambda: self._client.set(_LEASE + key, self._owner, nx=True, px=ttl_ms) is None)
        return taken is not True

    def release(self, key: bytes) -> None:
        """Give back a key that this object claimed; nothing happens when somebody else has it by now."""
        self._serve(lambda: self._release(keys=[_LEASE + key], args=[self._owner]))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _changes(self, mark: Mark | None) -> Changes:
        known, *numbers = self._client.hmget(_STORE, ["identity", "sequence", "told_from"])
        if known is None:
            return Changes(None, {}, anew=mark is not None, more=False)
        identity, newest, told_from = known.decode(), int(numbers[0] or 0), int(numbers[1] or 0)
        anew = mark is None or mark.store != identity or max(mark.sequence, mark.began) < told_from
        if mark is None or anew:
            mark = Mark(identity, 0, newest)
        if mark.sequence == newest:
            return Changes(mark, {}, anew=anew, more=False)
        pipeline = self._client.pipeline()
        for name in (_CHANGED, _REMOVED):
            pipeline.zrangebyscore(name, f"({mark.sequence}", "+inf", 0, CHANGES_AT_ONCE, withscores=True)
        told = sorted((int(at), key) for found in pipeline.execute() for key, at in found)[:CHANGES_AT_ONCE]
        values: list[Any] = []
        for start in range(0, len(told), _AT_ONCE):
            values += self._client.mget([_ENTRY + key for _, key in told[start : start + _AT_ONCE]])
        entries = {key: decode_entry(key, value) for (_, key), value in zip(told, values, strict=True)}
        more = len(told) == CHANGES_AT_ONCE
        read_to = told[-1][0] if more else max([newest, *(at for at, _ in told[-1:])])
        return Changes(Mark(identity, read_to, mark.began), entries, anew=anew, more=more)

    def _read(self, keys: list[bytes]) -> list[tuple[bytes, Any, list[bytes | None]]]:
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.get(_ENTRY + key)
            pipeline.hmget(_FACTS + key, ["hits", "saved", "bytes"])
        found = pipeline.execute()
        return list(zip(keys, found[::2], found[1::2], strict=True))

    def _set_aside(self, key: bytes, value: object) -> None:
        if is_torn(key, value):
            self._remove_now([key])
        else:
            self._warn(f"The answer cache at {self._place} {OTHER_RELEASE}")

    def _remove_now(self, keys: list[bytes]) -> int:
        parts = [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
        return sum(int(self._remove(keys=[_PREFIX, *part], args=_CONSTANTS)) for part in parts)

    def _serve(self, action: Callable[[], _T]) -> _T | None:
        """Ask the server, unless it has just failed several times; `None` where nothing came of it."""
        now = time.monotonic()
        if now < self._paused_until_s:
            self._faults += 1
            return None
        if self._failures >= _FAILURES:
            self._paused_until_s = now + _PAUSE_S  # this thread tries, the others do not wait to see
        try:
            done = action()
        except _GARBAGE as error:
            self._faults += 1
            if not isinstance(error, redis.ResponseError):  # a refusal comes at once, and says nothing against the next call
                self._failures += 1
                self._paused_until_s = time.monotonic() + (_PAUSE_S if self._failures >= _FAILURES else _BREATH_S)
            self._warn(f"The answer cache at {self._place} fails ({error}). Questions are answered without it.")
            return None
        self._failures, self._paused_until_s = 0, 0.0
        return done

    def _warn(self, what: str) -> None:
        now = time.monotonic()
        if now - self._said_s >= _SAY_AGAIN_S:
            self._said_s = now
            _log.warning("%s", what)

    def _order(self, action: Callable[[], _T]) -> _T:
        try:
            return action()
        except _GARBAGE as error:
            raise AnswerStoreError(
                f"The answer cache at {self._place} fails ({error}). Check that the server is up and that cache.url is right."
            ) from error


_CONSTANTS: Final = (HIT_WORTH_NANO, repr(PINNED_WORTH), REMOVALS_REMEMBERED)


def _without_secret(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
