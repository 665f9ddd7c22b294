"""`farthing index`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from app.bootstrap import build_indexing, build_prices, build_sources, open_sync_tools, refuse_overlaps
from app.cli import INTERRUPTED, OK, PARTLY
from app.cli.progress import ProgressBar
from app.cli.rendering import complain, console, printable, table
from app.costs.pricing import dollars
from app.errors import CommandError
from app.jobs.index import CacheReport, Estimate, estimate
from app.settings import Settings, load_settings
from indexing.documents import parse_labels
from indexing.sources import DocumentSource
from indexing.sync import SyncReport

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
    if dry_run:
        return _dry_run(settings, sources, as_json=as_json)
    try:
        with ProgressBar(console(sys.stderr), _PHASES) as bar:
            done = build_indexing(settings).run(sources, settings.cache.refresh_per_sync if refresh is None else refresh, bar)
    except KeyboardInterrupt:
        complain("Interrupted. The index that was there goes on serving; run the same again to go on where this stopped.")
        return INTERRUPTED
    if done.interrupted:
        complain("Interrupted. The new index serves; cached answers that were not checked yet are checked before they are given.")
    if done.problem:
        complain(f"The new index serves, but the answer cache was not brought up to date. {done.problem}")
    if as_json:
        cached = {"cache": done.cached.to_json()} if done.cached else {}
        print(json.dumps({**done.report.to_json(), **cached}, ensure_ascii=False))
    else:
        show(done.report, None, done.cached, console(sys.stdout))
    if done.interrupted:
        return INTERRUPTED
    return PARTLY if done.problem or done.report.skipped else OK


def _dry_run(settings: Settings, sources: Sequence[DocumentSource], *, as_json: bool) -> int:
    with open_sync_tools(settings) as tools, ProgressBar(console(sys.stderr), _PHASES) as bar:
        report, estimated = estimate(sources, tools, build_prices(settings), settings.embedding.api_price_model, bar)
    if as_json:
        print(json.dumps({**report.to_json(), "estimate": estimated.to_json()}, ensure_ascii=False))
    else:
        show(report, estimated, None, console(sys.stdout))
    return PARTLY if report.skipped else OK


def show(report: SyncReport, estimated: Estimate | None, cached: CacheReport | None, out: Console) -> None:
    """Print what was done, or would be, for a person."""
    counts = report.documents
    documents = table("documents", "new", "changed", "moved", "unchanged", "removed", "skipped")
    figures = (counts.new, counts.changed, counts.moved, counts.unchanged, counts.removed, len(report.skipped))
    documents.add_row("", *(f"{figure:,}" for figure in figures))
    out.print(documents)
    reused = report.total_chunks - report.embedded_chunks
    verb = "to embed" if estimated else "embedded"
    embedded = f"{report.embedded_chunks:,} {verb} ({report.tokens_embedded:,} tokens)"
    out.print(f"{report.total_chunks:,} chunks: {embedded}, {reused:,} reused")
    if estimated:
        seconds = "seconds not measured yet" if estimated.seconds is None else f"about {estimated.seconds:,.0f} s"
        out.print(f"Embedding them: {seconds} on this machine, {dollars(estimated.embedding_api_usd)} by {estimated.model}")
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
