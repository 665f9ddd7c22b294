"""`farthing index`."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from app.bootstrap import (
    build_prices,
    build_sources,
    open_sync_tools,
    refresh_answers,
    refuse_overlaps,
    renew_answers,
)
from app.cli import DOMAIN_ERRORS, INTERRUPTED, OK, PARTLY
from app.cli.progress import ProgressBar
from app.cli.rendering import complain, console, printable, table
from app.costs.pricing import Usage, dollars, plain_usd, price_usage
from app.errors import CommandError
from app.home import prepare_home
from app.settings import Settings, load_settings
from indexing.documents import parse_labels
from indexing.sources import DocumentSource
from indexing.sync import SyncReport, sync
from indexing.sync import dry_run as foresee

if TYPE_CHECKING:  # a run that changes nothing must not wait for them
    from app.caching.renewal import Refreshed, Renewal

_PHASES: Final = {
    "read": "reading",
    "embed": "embedding",
    "write": "writing",
    "check": "checking cached answers",
    "refresh": "answering afresh",
}
_SHOWN_SKIPPED: Final = 20


def run(
    paths: tuple[Path, ...],
    labels: tuple[str, ...],
    source: str | None,
    refresh: int | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Bring the index up to date, or say what that would take; the exit status says whether files are skipped."""
    settings = load_settings()
    if not paths and (source is not None or labels):
        raise CommandError("--source and --label say something about paths. Name at least one: farthing index PATH")
    if not paths and not settings.sources:
        raise CommandError("There is nothing to index. Name a folder or a file: farthing index PATH")
    if refresh is not None and dry_run:
        raise CommandError("--refresh answers questions, and --dry-run does nothing. Leave one of them out.")
    refuse_overlaps(settings, paths, source)
    sources = build_sources(settings, paths, parse_labels(labels), source)
    try:
        report, estimate = _run(settings, sources, dry_run=dry_run)
    except KeyboardInterrupt:
        complain("Interrupted. The index that was there goes on serving; run the same again to go on where this stopped.")
        return INTERRUPTED
    most = settings.cache.refresh_per_sync if refresh is None else refresh
    cached, status = (None, OK) if dry_run else _renew(settings, most)
    if as_json:
        extra = {**({"estimate": estimate.to_json()} if estimate else {}), **({"cache": cached.to_json()} if cached else {})}
        print(json.dumps({**report.to_json(), **extra}, ensure_ascii=False))
    else:
        show(report, estimate, cached, console(sys.stdout))
    return status or (PARTLY if report.skipped else OK)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the embedding would take: seconds here, and the bill of an embedding API; `None` is unknown."""

    seconds: float | None
    embedding_api_usd: Decimal | None
    model: str

    def to_json(self) -> dict[str, float | str | None]:
        """The estimate as `farthing index --dry-run --json` prints it."""
        seconds = None if self.seconds is None else round(self.seconds, 1)
        return {"seconds": seconds, "embedding_api_usd": plain_usd(self.embedding_api_usd), "model": self.model}


@dataclass(frozen=True, slots=True)
class CacheReport:
    """What became of the cached answers, and of those that were to be made afresh."""

    renewal: "Renewal"
    refreshed: "Refreshed | None"

    def to_json(self) -> dict[str, Any]:
        """The same as `farthing index --json` prints it."""
        return {**self.renewal.to_json(), "refreshed": self.refreshed and self.refreshed.to_json()}


def _renew(settings: Settings, most: int) -> tuple[CacheReport | None, int]:
    """Bring the cached answers up to date with the index, which serves already; and the exit status."""
    cached, status = None, OK
    try:
        with ProgressBar(console(sys.stderr), _PHASES) as bar:
            if renewal := renew_answers(settings, bar):
                cached = CacheReport(renewal, None)
                if lost := renewal.lost[:most]:
                    cached = CacheReport(renewal, refresh_answers(settings, lost, bar))
    except KeyboardInterrupt:
        complain("Interrupted. The new index serves; cached answers that were not checked yet are checked before they are given.")
        status = INTERRUPTED
    except DOMAIN_ERRORS as error:
        complain(f"The new index serves, but the answer cache was not brought up to date. {error}")
        status = PARTLY
    return cached, status


def _run(settings: Settings, sources: Sequence[DocumentSource], *, dry_run: bool) -> tuple[SyncReport, Estimate | None]:
    if not dry_run:
        prepare_home(settings.home)
    with open_sync_tools(settings) as tools, ProgressBar(console(sys.stderr), _PHASES) as bar:
        if not dry_run:
            return sync(sources, tools, bar), None
        report, seconds = foresee(sources, tools, bar)
    model = settings.embedding.api_price_model
    cost_usd = price_usage(Usage(report.tokens_embedded, 0), build_prices(settings).price(model))
    return report, Estimate(seconds, cost_usd, model)


def show(report: SyncReport, estimate: Estimate | None, cached: CacheReport | None, out: Console) -> None:
    """Print what was done, or would be, for a person."""
    counts = report.documents
    documents = table("documents", "new", "changed", "moved", "unchanged", "removed", "skipped")
    figures = (counts.new, counts.changed, counts.moved, counts.unchanged, counts.removed, len(report.skipped))
    documents.add_row("", *(f"{figure:,}" for figure in figures))
    out.print(documents)
    reused = report.total_chunks - report.embedded_chunks
    verb = "to embed" if estimate else "embedded"
    embedded = f"{report.embedded_chunks:,} {verb} ({report.tokens_embedded:,} tokens)"
    out.print(f"{report.total_chunks:,} chunks: {embedded}, {reused:,} reused")
    if estimate:
        seconds = "seconds not measured yet" if estimate.seconds is None else f"about {estimate.seconds:,.0f} s"
        out.print(f"Embedding them: {seconds} on this machine, {dollars(estimate.embedding_api_usd)} by {estimate.model}")
        out.print("Nothing was done: this was a dry run.")
    else:
        out.print(f"generation {report.generation}, {report.seconds:.1f} s")
    if cached:
        _show_cache(cached, out)
    for skipped in report.skipped[:_SHOWN_SKIPPED]:
        out.print(f"skipped  {printable(skipped.path)}: {printable(skipped.reason)}")
    if len(report.skipped) > _SHOWN_SKIPPED:
        out.print(f"... and {len(report.skipped) - _SHOWN_SKIPPED:,} more: --json lists them all")


def _show_cache(cached: CacheReport, out: Console) -> None:
    renewal, refreshed = cached.renewal, cached.refreshed
    died = sum(renewal.died.values())
    out.print(f"cached answers: {renewal.kept:,} kept, {died:,} died, {len(renewal.lost):,} of them asked more than once")
    for reason, count in renewal.died.items():
        out.print(f"  {count:,}: {reason}")
    if refreshed:
        out.print(f"answered afresh: {refreshed.answers:,}, {dollars(refreshed.cost_usd)}")
        if refreshed.stopped:
            out.print(f"  no more of them: {printable(refreshed.stopped)}")
