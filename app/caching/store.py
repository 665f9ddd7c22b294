"""Where cached answers are kept, as ports: serving, looking after, and one process computing for all.

Serving never fails: a store that is away, full, busy or damaged knows nothing and keeps nothing. Looking after it is an order,
and fails when it cannot be carried out.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from app.caching.entries import CachedAnswer, EntryKind

CHANGES_AT_ONCE: Final = 1_000
"""How many changes one call tells, at most."""

REMOVALS_REMEMBERED: Final = 50_000
"""How many removals a store can tell about; who has missed more begins anew."""

LARGEST_SHARE: Final = 8
"""An entry that would take more than one part in so many of all room is not kept: too many would have to go for it."""

HIT_WORTH_NANO: Final = 1_000
"""What a hit is worth besides the dollars that it saved, in billionths: time. It orders what cost nothing, or an unknown sum."""

PINNED_WORTH: Final = 1e300
"""What a person decided goes last: a mark before what is pinned, so that nobody makes pins go by calling answers wrong."""

LEAST_RULED_WORTH: Final = PINNED_WORTH / 2
"""What goes last is worth so much at least."""

OTHER_RELEASE: Final = (
    "holds an entry that was written by another release, in a form that this one cannot read. It is left alone, and not given. "
    "`farthing cache clear` removes it with everything else."
)

NANO: Final = 10**9
"""Stores count dollars in whole billionths."""


@dataclass(frozen=True, slots=True)
class Hits:
    """How often a cached answer was given again, and what that saved; hits whose saving is unknown add nothing to `saved_usd`."""

    count: int
    saved_usd: Decimal


NO_HITS: Final = Hits(0, Decimal(0))


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the changes of a store have been read.

    `store` is its identity: one that began anew has another. `sequence` is the newest change that was told, `began` the newest
    that there was when the reader began: removals before it were never his.
    """

    store: str
    sequence: int
    began: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since a mark, oldest first: key -> entry, or `None` for what is gone.

    `anew` says that what is known from before must be forgotten first. `more` says that the next call has something to tell too.
    `mark` is `None` while nothing can be known.
    """

    mark: Mark | None
    entries: Mapping[bytes, CachedAnswer | None]
    anew: bool
    more: bool


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An entry as the store has it. `stored_bytes` is what it takes."""

    entry: CachedAnswer
    hits: Hits
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """How full a store is, how many entries had to make room since it began, and how many calls have failed in this process."""

    entries: int
    stored_bytes: int
    max_bytes: int
    evicted: int
    faults: int


class AnswerStore(Protocol):
    """Cached answers, for serving. Safe for several threads and processes. No method raises."""

    def get(self, key: bytes) -> CachedAnswer | None:
        """The entry of an exact key; `None` when there is none, it has expired, or it is not whole (it is then removed).

        What is whole and in a form of another release is passed over and left alone, with a word in the log.

        Quick enough for an event loop: microseconds on a disk, one round trip on a server.
        """

    def put(self, entry: CachedAnswer) -> None:
        """Keep an entry, in place of one with the same key, whose hits it inherits.

        Where room is short, those go that have saved and are likely to save least for the room they take. An entry that has
        expired, or would need more than an eighth of all room, is not kept.
        """

    def add_hits(self, hits: Mapping[bytes, Hits]) -> None:
        """Count hits, by key. Keys that are gone are passed over."""

    def changes_since(self, mark: Mark | None) -> Changes:
        """What has been put and removed since, by any process, at most `CHANGES_AT_ONCE`; `None` asks for everything."""


class AnswerStoreAdmin(Protocol):
    """The same store, for looking after it."""

    def entries(self) -> Iterator[StoredAnswer]:
        """Every whole entry, in no order. Those that are not whole are removed on the way, and other releases' left alone.

        Raises:
            AnswerStoreError: The store cannot be read.
        """

    def remove(self, keys: Collection[bytes]) -> int:
        """Remove entries. When it returns, neither their bytes nor those of any removed or expired before are left in its files.

        Returns:
            How many there were.

        Raises:
            AnswerStoreError: The store cannot be written, or somebody holds on to its journal.
        """

    def clear(self) -> int:
        """Remove everything, entries that cannot be read included. Returns and raises as `remove`."""

    def usage(self) -> StoreUsage:
        """How full the store is.

        Raises:
            AnswerStoreError: The store cannot be read.
        """


class TendedStore(AnswerStore, AnswerStoreAdmin, Protocol):
    """Both sides of one store, for whoever looks through what is kept and keeps something else in its place."""


class FlightLeases(Protocol):
    """Who computes, where several processes are asked the same at once. No method raises.

    Where the store is away, everybody computes.
    """

    def claim(self, key: bytes, ttl_s: float) -> bool:
        """Take a key for `ttl_s` seconds at most; whether it was free. One that was killed blocks nobody for longer."""

    def release(self, key: bytes) -> None:
        """Give back a key that this object claimed; nothing happens when somebody else has it by now."""


def goes_last(kind: EntryKind) -> int:
    """The place of a kind among those that have to make room last, counted from the end; 0 for those that need not."""
    return {EntryKind.PINNED: 1, EntryKind.WRONG: 2}.get(kind, 0)


def worth_per_byte(*, last: int, cost_nano: int, saved_nano: int, hits: int, stored_bytes: int) -> float:
    """What keeping an entry is worth for the room it takes; a store adds its clock to it, and evicts the least.

    The clock is the worth of the entry that was last evicted, so that what is no longer asked for is overtaken by what comes.

    Args:
        last: As `goes_last`.
        cost_nano: What making it cost, in billionths of a dollar.
        saved_nano: What its hits saved, likewise.
        hits: How many they were.
        stored_bytes: What it takes.

    Source:
        GreedyDual-Size with frequency: L. Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching
        Policy", HP Laboratories report HPL-98-69R1, 1998.
    """
    return PINNED_WORTH / last if last else (cost_nano + saved_nano + HIT_WORTH_NANO * (hits + 1)) / stored_bytes


def nano_usd(amount: Decimal | None) -> int:
    """Dollars in whole billionths; 0 for an unknown amount, which makes an entry worth nothing besides its hits."""
    return 0 if amount is None else int(amount * NANO)
