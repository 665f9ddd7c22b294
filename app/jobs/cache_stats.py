"""What the answer cache keeps, how often it was given and what that saved, and by what it is decided."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any, Final

from app.caching.entries import EntryKind
from app.caching.learning import Learned
from app.caching.rules.decisions import Standing
from app.caching.store import StoredAnswer, StoreUsage, TendedStore
from app.costs.hits import HitSum
from app.costs.pricing import plain_usd
from app.costs.reports import LedgerReader, Summary
from app.costs.rungs import Rung
from app.costs.shapes import hit_shape, moment

_TOP: Final = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept: how full the store is, how many of each kind, from when to when (`None` without any), and the most asked."""

    usage: StoreUsage
    kinds: Mapping[str, int]
    oldest: datetime | None
    newest: datetime | None
    top: Sequence[StoredAnswer]


@dataclass(frozen=True, slots=True)
class DecisionBasis:
    """By what calibration proposals are decided, what it allows under the settings, and which share must be right for that."""

    learned: Learned
    standing: Standing
    needed: float

    def words(self) -> str:
        """What becomes of questions in other words."""
        bound = f"right in at least {self.standing.bound:.1%} of the best cases, and {self.needed:.1%} are needed"
        if self.standing.serves:
            return f"given on the evidence alone where the bound holds ({bound})"
        if self.standing.verifies:
            return f"given when the model verifies them ({bound})"
        return f"answered afresh: only exact and same-words hits are given ({bound})"


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What is kept, and what became of the questions since a moment: `total` of them, `hits` by kind.

    `cached` are the entries of answers from the cache; `None` without any.
    """

    since: datetime
    kept: Kept
    total: Summary
    hits: Mapping[str, HitSum]
    cached: Summary | None
    basis: DecisionBasis

    @property
    def asked(self) -> int:
        """How many questions had an answer or an abstention."""
        return self.total.answers + self.total.abstentions

    @property
    def closer(self) -> int:
        """Hits that took a closer look: verified, checked or waited for, and those of the command line."""
        return self.total.cached_answers - self.total.cache_hits

    def rate(self, count: int) -> float | None:
        """The share of the questions; `None` without any."""
        return count / self.asked if self.asked else None

    def shape(self) -> dict[str, Any]:
        """The same as JSON."""
        kept, learned, standing = self.kept, self.basis.learned, self.basis.standing
        return {
            "entries": kept.usage.entries,
            "kinds": dict(kept.kinds),
            "bytes": kept.usage.stored_bytes,
            "max_bytes": kept.usage.max_bytes,
            "evicted": kept.usage.evicted,
            "faults": kept.usage.faults,
            "oldest": kept.oldest and moment(kept.oldest),
            "newest": kept.newest and moment(kept.newest),
            "since": moment(self.since),
            "asked": self.asked,
            "hits": {kind: {**hit_shape(one).model_dump(), "rate": self.rate(one.count)} for kind, one in self.hits.items()},
            "closer_look": {"count": self.closer, "rate": self.rate(self.closer)},
            "saved_usd": plain_usd(self.cached.saved_usd) if self.cached else "0",
            "top": [
                {"question": one.entry.question, "hits": one.hits.count, "saved_usd": plain_usd(one.hits.saved_usd)}
                for one in kept.top
            ],
            "calibration": {
                "made_from": learned.made_from,
                "audits": learned.audits,
                "passed": {"asked": learned.calibration.passed.asked, "right": learned.calibration.passed.right},
                "bound": standing.bound,
                "needed": self.basis.needed,
                "serves": standing.serves,
                "verifies": standing.verifies,
            },
        }


def cache_stats(store: TendedStore, ledger: LedgerReader, basis: DecisionBasis, since: datetime, until: datetime) -> CacheStats:
    """Count what is kept, and what was given from `since` up to `until`. Raises `AnswerStoreError` or `LedgerError`."""
    kept = _kept(store)
    (total,) = ledger.summary(since, until, None)
    cached = next((row for row in ledger.summary(since, until, "rung") if row.name == Rung.CACHE), None)
    return CacheStats(since, kept, total, ledger.hits(since, until), cached, basis)


def _kept(store: TendedStore) -> Kept:
    stored = list(store.entries())
    kinds = Counter(one.entry.kind for one in stored)
    times = [datetime.fromtimestamp(one.entry.created_at, UTC) for one in stored]
    return Kept(
        store.usage(),
        {kind.value: kinds[kind] for kind in EntryKind},
        min(times, default=None),
        max(times, default=None),
        nlargest(_TOP, (one for one in stored if one.hits.count), key=lambda one: one.hits.count),
    )
