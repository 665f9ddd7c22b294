"""`farthing costs`."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, get_args

from rich.console import Console
from rich.text import Text

from app import bootstrap
from app.bootstrap.models import model_providers
from app.cli import OK
from app.cli.figures import bar, counted, percent, print_whole, sparkline
from app.cli.rendering import complain, console, printable, table
from app.cli.since import parse_since
from app.costs.csv_rows import write_rows
from app.costs.focus import FOCUS_COLUMNS
from app.costs.hits import HitSum
from app.costs.measured import MeasuredSaving
from app.costs.pricing import amount
from app.costs.reports import Grouping, Summary, good_answer_bounds
from app.errors import CommandError
from app.jobs.cost_report import SUMMARY_COLUMNS, CostReport, FocusExport, export_charges, report_costs
from app.settings import load_settings

_SHOWN_ROWS: Final = 40
_NOBODY: Final = "(none)"
_UNSPLIT: Final = frozenset({"model", "stage"})
"""Groupings that a saving cannot be split by."""


def run(since: str, by: str | None, *, as_json: bool, as_csv: bool, as_focus: bool) -> int:
    """Say what was spent and saved, in one of four forms."""
    grouping = _grouping(by)
    forms = [name for name, given in (("--json", as_json), ("--csv", as_csv), ("--focus", as_focus)) if given]
    if len(forms) > 1:
        raise CommandError(f"{' and '.join(forms)} are different forms of the same report. Choose one of them.")
    if as_focus and grouping:
        raise CommandError("--focus has rows of its own, by day, team, model and stage. Leave --by out.")
    until = datetime.now(UTC)
    start = parse_since(since, until)
    settings = load_settings()
    with bootstrap.open_ledger_reader(settings) as reader:
        if as_focus:
            _write_focus(export_charges(reader, start, until, model_providers(settings)))
            return OK
        report = report_costs(reader, start, until, grouping)
    if as_json:
        print(report.shape().model_dump_json())
    elif as_csv:
        write_rows(sys.stdout, SUMMARY_COLUMNS, report.rows())
    else:
        show(report, console(sys.stdout))
    return OK


def show(report: CostReport, out: Console) -> None:
    """Print a report for a person: the headline figures, then the groups."""
    if not report.total.entries and not report.total.cache_hits:
        out.print(
            f"Nothing was asked since {report.since:%Y-%m-%d %H:%M} UTC, so nothing was spent. "
            "Ask with `farthing ask QUESTION`, or look further back with --since."
        )
        return
    _show_headline(report, out)
    if report.by:
        out.print()
        _show_groups(report.by, report.total, report.groups, out)


def _grouping(by: str | None) -> Grouping | None:
    known: tuple[Grouping, ...] = get_args(Grouping)
    for grouping in known:
        if by == grouping:
            return grouping
    if by is not None:
        raise CommandError(f"--by {by!r} is not known. Choose one of {', '.join(known)}.")
    return None


def _write_focus(export: FocusExport) -> None:
    write_rows(sys.stdout, FOCUS_COLUMNS, export.rows)
    if export.unpriced:
        models = ", ".join(export.unpriced)
        complain(f"The cost of some calls is unknown ({models}); the cost columns of their rows are empty.")


def _show_headline(report: CostReport, out: Console) -> None:
    total, unpriced = report.total, report.unpriced
    if total.unknown_cost_entries:
        out.print(
            Text(
                f"UNKNOWN COST: {total.unknown_cost_entries:,} of {_entries(total.entries)} ({printable(', '.join(unpriced))}). "
                "Part of their cost is missing below. Give these models a price: prices.file, and price_model of the endpoint.",
                style="bold red",
            )
        )
        out.print()
    out.print(Text(f"since {report.since:%Y-%m-%d %H:%M} UTC", style="dim"))
    for name, figure, words in _headline(report):
        line = Text(f"{name:32}")
        line.append(f"{figure:>12}", style="bold")
        line.append(f"  {words}" if words else "", style="dim")
        out.print(line)


def _headline(report: CostReport) -> list[tuple[str, str, str]]:
    """Name, figure and remark of each line."""
    total = report.total
    saved_words = "against the naive prompt, computed"
    unsaved = [_entries(total.unknown_saved_entries)] if total.unknown_saved_entries else []
    unsaved += [counted(total.hits.unknown_saved, "cache hit", "cache hits")] if total.hits.unknown_saved else []
    if unsaved:
        saved_words += f"; unknown for {' and '.join(unsaved)}, left out"
    abstentions = [counted(total.abstentions, "abstention", "abstentions")] if total.abstentions else []
    others = [*abstentions, *(f"{count:,} {name}" for count, name in ((total.failed, "failed"), (total.lost, "lost")) if count)]
    spent_words = f"and what is unknown of {_entries(total.unknown_cost_entries)}" if total.unknown_cost_entries else ""
    cached = f" ({total.cached_input_tokens:,} of them cached)" if total.cached_input_tokens else ""
    tokens_words = f"{total.input_tokens:,} read{cached}, {total.output_tokens:,} written"
    return [
        ("spent", _spent(total), spent_words),
        ("saved", _saved(total), saved_words),
        *_measured(report.measured),
        ("answers", f"{total.answers:,}", f"and {', '.join(others)}" if others else ""),
        ("cost per answer", amount(total.cost_per_answer_usd), "all that was spent, by the answers" if total.answers else ""),
        ("cost per right, grounded answer", amount(total.cost_per_good_answer_usd), _verdicts(total)),
        ("answers without any token", percent(total.zero_token_share), counted(total.zero_token_answers, "answer", "answers")),
        ("answers from the cache", percent(total.cached_share), _cached(total, report.hits)),
        ("tokens", f"{total.input_tokens + total.output_tokens:,}", tokens_words),
        ("groundedness", "unknown" if total.groundedness is None else f"{total.groundedness:.3f}", ""),
    ]  # fmt: skip


def _cached(total: Summary, hits: Mapping[str, HitSum]) -> str:
    kinds = [f"{found.count:,} {kind.replace('_', ' ')}" for kind, found in sorted(hits.items())]
    words = counted(total.cached_answers, "answer", "answers")
    return f"{words}; given at once: {', '.join(kinds)}" if kinds else words


def _verdicts(total: Summary) -> str:
    judged = total.right_answers + total.wrong_answers
    if not judged:
        return "no verdicts yet: farthing feedback ANSWER_ID right|wrong"
    bounds = good_answer_bounds(total)
    between = f"95 %: {amount(bounds.low)} to {amount(bounds.high)}; " if bounds else ""
    right = f"{total.right_answers:,} right, {total.good_answers:,} of them wholly grounded"
    return f"{between}{counted(judged, 'verdict', 'verdicts')}, {right}"


def _show_groups(by: Grouping, total: Summary, groups: Sequence[Summary], out: Console) -> None:
    split = by not in _UNSPLIT
    shown = groups[-_SHOWN_ROWS:] if by == "day" else groups[:_SHOWN_ROWS]
    if by == "day":
        days = _all_days(groups)
        out.print(f"spent a day  {sparkline([spent for _, spent in days])}  {days[0][0]} to {days[-1][0]}")
        out.print()
    of_answers = ("saved", "no tokens") if split else ()
    rows = table(by, "spent", "share", "answers", "per answer", *of_answers, "tokens", "unknown")
    for row in shown:
        share = float(row.spent_usd / total.spent_usd) if total.spent_usd else 0.0
        rows.add_row(
            printable(row.name or _NOBODY),
            _spent(row),
            f"{bar(share)} {share:>4.0%}",
            f"{row.answers:,}",
            amount(row.cost_per_answer_usd) if row.answers else "-",
            *((_saved(row), percent(row.zero_token_share) if row.answers else "-") if split else ()),
            f"{row.input_tokens + row.output_tokens:,}",
            Text(f"{row.unknown_cost_entries:,}", style="bold red") if row.unknown_cost_entries else "",
        )
    print_whole(rows, out)
    if len(groups) > len(shown):
        out.print(
            f"... and {len(groups) - len(shown):,} {'earlier ones' if by == 'day' else 'more'}: --json and --csv list them all"
        )
    if any(row.unknown_cost_entries for row in shown):
        out.print("unknown: entries of which a cost is not known, and is missing in what was spent")


def _measured(measured: MeasuredSaving | None) -> list[tuple[str, str, str]]:
    if measured is None:
        return []
    name = f"saved, measured on {counted(measured.answers, 'answer', 'answers')}"
    bounds = "too few for an interval"
    if measured.low is not None and measured.high is not None:
        bounds = f"95 %: {percent(measured.low)} to {percent(measured.high)}"
    return [(name, percent(measured.share), bounds)]


def _entries(count: int) -> str:
    return counted(count, "entry", "entries")


def _spent(row: Summary) -> str:
    return "unknown" if row.unknown_cost_entries and not row.spent_usd else amount(row.spent_usd)


def _saved(row: Summary) -> str:
    of, unknown = row.entries + row.cache_hits, row.unknown_saved_entries + row.hits.unknown_saved
    return "unknown" if of and unknown == of else amount(row.saved_usd)


def _all_days(groups: Sequence[Summary]) -> list[tuple[date, Decimal]]:
    """Every day from the first to the last one with entries, with what was spent."""
    spent = {date.fromisoformat(row.name): row.spent_usd for row in groups if row.name}
    first, last = min(spent), max(spent)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [(day, spent.get(day, Decimal(0))) for day in days]
