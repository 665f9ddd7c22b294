"""`farthing cache stats`."""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any, Final

from rich.console import Console

from app import bootstrap
from app.caching.entries import EntryKind
from app.caching.learning import Learned
from app.caching.rules.decisions import Standing
from app.caching.store import StoredAnswer, StoreUsage
from app.cli import OK
from app.cli.figures import counted, percent
from app.cli.rendering import console, printable, table
from app.cli.since import parse_since
from app.costs.hits import HitSum
from app.costs.pricing import amount, plain_usd
from app.costs.reports import Summary
from app.costs.rungs import Rung
from app.costs.shapes import hit_shape, moment
from app.settings import Settings, load_settings

_TOP: Final = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept: how many of each kind, from when to when (seconds since 1970; `None` without any), and the most asked."""

    kinds: Mapping[str, int]
    oldest_s: float | None
    newest_s: float | None
    top: Sequence[StoredAnswer]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """By what calibration proposals are decided, and what it allows under the settings."""

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


def run(since: str, *, as_json: bool) -> int:
    """Say what is kept, what it saved, and by what it is decided."""
    until = datetime.now(UTC)
    start = parse_since(since, until)
    settings = load_settings()
    with bootstrap.open_answers(settings) as store:
        usage, kept = store.usage(), _kept(list(store.entries()))
    with bootstrap.open_ledger_reader(settings) as ledger:
        (total,) = ledger.summary(start, until, None)
        hits = ledger.hits(start, until)
        rungs = ledger.summary(start, until, "rung")
    cached = next((row for row in rungs if row.name == Rung.CACHE), None)
    verdicts = _verdicts(settings)
    if as_json:
        print(json.dumps(_shape(start, usage, kept, total, hits, cached, verdicts), ensure_ascii=False))
    else:
        _show(start, usage, kept, total, hits, cached, verdicts, console(sys.stdout))
    return OK


def _kept(stored: Sequence[StoredAnswer]) -> Kept:
    kinds = Counter(one.entry.kind.value for one in stored)
    times = [one.entry.created_at for one in stored]
    asked = [one for one in stored if one.hits.count]
    return Kept(
        {kind.value: kinds[kind.value] for kind in EntryKind},
        min(times, default=None),
        max(times, default=None),
        nlargest(_TOP, asked, key=lambda one: one.hits.count),
    )


def _verdicts(settings: Settings) -> Verdicts:
    learned, standing = bootstrap.read_calibration(settings)
    return Verdicts(learned, standing, 1.0 - settings.cache.max_wrong_share)


def _asked(total: Summary) -> int:
    return total.answers + total.abstentions


def _closer(total: Summary) -> int:
    """Hits that took a closer look: verified ones, those that had to be checked or waited for, and those of the command line."""
    return total.cached_answers - total.cache_hits


def _shape(
    since: datetime,
    usage: StoreUsage,
    kept: Kept,
    total: Summary,
    hits: Mapping[str, HitSum],
    cached: Summary | None,
    verdicts: Verdicts,
) -> dict[str, Any]:
    learned, standing = verdicts.learned, verdicts.standing
    asked = _asked(total)
    kinds = {kind: {**hit_shape(one).model_dump(), "rate": one.count / asked if asked else None} for kind, one in hits.items()}
    return {
        "entries": usage.entries,
        "kinds": dict(kept.kinds),
        "bytes": usage.stored_bytes,
        "max_bytes": usage.max_bytes,
        "evicted": usage.evicted,
        "faults": usage.faults,
        "oldest": None if kept.oldest_s is None else moment(datetime.fromtimestamp(kept.oldest_s, UTC)),
        "newest": None if kept.newest_s is None else moment(datetime.fromtimestamp(kept.newest_s, UTC)),
        "since": moment(since),
        "asked": asked,
        "hits": kinds,
        "closer_look": {"count": _closer(total), "rate": _closer(total) / asked if asked else None},
        "saved_usd": plain_usd(cached.saved_usd) if cached else "0",
        "top": [
            {"question": one.entry.question, "hits": one.hits.count, "saved_usd": plain_usd(one.hits.saved_usd)}
            for one in kept.top
        ],
        "calibration": {
            "made_from": learned.made_from,
            "audits": learned.audits,
            "passed": {"asked": learned.calibration.passed.asked, "right": learned.calibration.passed.right},
            "bound": standing.bound,
            "needed": verdicts.needed,
            "serves": standing.serves,
            "verifies": standing.verifies,
        },
    }


def _show(
    since: datetime,
    usage: StoreUsage,
    kept: Kept,
    total: Summary,
    hits: Mapping[str, HitSum],
    cached: Summary | None,
    verdicts: Verdicts,
    out: Console,
) -> None:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in kept.kinds.items() if count)
    out.print(f"kept       {counted(usage.entries, 'entry', 'entries')}{': ' + kinds if kinds else ''}")
    if kept.oldest_s is not None and kept.newest_s is not None:
        days = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") for at in (kept.oldest_s, kept.newest_s)]
        out.print(f"made       {days[0]} to {days[1]} UTC")
    share = percent(usage.stored_bytes / usage.max_bytes)
    out.print(f"room       {usage.stored_bytes:,} of {usage.max_bytes:,} bytes ({share}), {usage.evicted:,} had to make room")
    out.print(f"faults     {usage.faults:,} in this process")
    asked = _asked(total)
    out.print(f"asked      {asked:,} since {since:%Y-%m-%d %H:%M} UTC, saved {amount(cached.saved_usd) if cached else '$0'}")
    for name, count in (
        *((kind.replace("_", " "), one.count) for kind, one in sorted(hits.items())),
        ("closer look", _closer(total)),
    ):
        out.print(f"  {name:12} {count:>9,}  {percent(count / asked) if asked else ''}")
    out.print(f"in other words: {verdicts.words()}")
    audits = counted(verdicts.learned.audits, "audit", "audits")
    out.print(f"calibrated on {printable(verdicts.learned.made_from)}, and {audits} since")
    if kept.top:
        out.print()
        rows = table("most asked", "hits", "saved")
        for one in kept.top:
            rows.add_row(printable(one.entry.question), f"{one.hits.count:,}", amount(one.hits.saved_usd))
        out.print(rows)
