"""`farthing cache stats`."""

import json
import sys
from datetime import UTC, datetime

from rich.console import Console

from app import bootstrap
from app.cli import OK
from app.cli.figures import counted, percent
from app.cli.rendering import console, printable, table
from app.cli.since import parse_since
from app.costs.pricing import amount
from app.jobs.cache_stats import CacheStats, cache_stats
from app.settings import load_settings


def run(since: str, *, as_json: bool) -> int:
    """Say what is kept, what it saved, and by what it is decided."""
    until = datetime.now(UTC)
    start = parse_since(since, until)
    settings = load_settings()
    with bootstrap.open_answers(settings) as store, bootstrap.open_ledger_reader(settings) as ledger:
        stats = cache_stats(store, ledger, bootstrap.read_decision_basis(settings), start, until)
    if as_json:
        print(json.dumps(stats.shape(), ensure_ascii=False))
    else:
        _show(stats, console(sys.stdout))
    return OK


def _show(stats: CacheStats, out: Console) -> None:
    kept, usage = stats.kept, stats.kept.usage
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in kept.kinds.items() if count)
    out.print(f"kept       {counted(usage.entries, 'entry', 'entries')}{': ' + kinds if kinds else ''}")
    if kept.oldest and kept.newest:
        out.print(f"made       {kept.oldest:%Y-%m-%d %H:%M} to {kept.newest:%Y-%m-%d %H:%M} UTC")
    share = percent(usage.stored_bytes / usage.max_bytes)
    out.print(f"room       {usage.stored_bytes:,} of {usage.max_bytes:,} bytes ({share}), {usage.evicted:,} had to make room")
    out.print(f"faults     {usage.faults:,} in this process")
    saved = amount(stats.cached.saved_usd) if stats.cached else "$0"
    out.print(f"asked      {stats.asked:,} since {stats.since:%Y-%m-%d %H:%M} UTC, saved {saved}")
    for name, count in (
        *((kind.replace("_", " "), one.count) for kind, one in sorted(stats.hits.items())),
        ("closer look", stats.closer),
    ):
        out.print(f"  {name:12} {count:>9,}  {percent(stats.rate(count)) if stats.asked else ''}")
    out.print(f"in other words: {stats.basis.words()}")
    audits = counted(stats.basis.learned.audits, "audit", "audits")
    out.print(f"calibrated on {printable(stats.basis.learned.made_from)}, and {audits} since")
    if kept.top:
        out.print()
        rows = table("most asked", "hits", "saved")
        for one in kept.top:
            rows.add_row(printable(one.entry.question), f"{one.hits.count:,}", amount(one.hits.saved_usd))
        out.print(rows)
