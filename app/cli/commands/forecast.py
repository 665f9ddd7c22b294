"""`farthing costs forecast`."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from rich.console import Console
from rich.text import Text

from app import bootstrap
from app.cli import OK
from app.cli.figures import counted, percent, print_whole
from app.cli.rendering import console, table
from app.cli.since import parse_since
from app.costs.confidence import UsdBounds
from app.costs.forecast import FEW_QUESTIONS, Measurement, Month
from app.costs.pricing import amount
from app.costs.shapes import forecast_shape
from app.errors import CommandError
from app.jobs.cost_report import forecast_costs
from app.settings import load_settings

_MOST: Final = 10**12  # beyond it figures are typing errors, and lose digits


def run(questions_per_day: int, since: str, fixed_usd_per_month: str, *, as_json: bool) -> int:
    """Say what a month would cost, from what was measured."""
    if not 1 <= questions_per_day <= _MOST:
        raise CommandError(
            f"--questions-per-day {questions_per_day} is not between 1 and {_MOST:,}. Write a number such as 5000."
        )
    fixed_usd = _fixed(fixed_usd_per_month)
    until = datetime.now(UTC)
    start = parse_since(since, until)
    with bootstrap.open_ledger_reader(load_settings()) as reader:
        measured, months = forecast_costs(reader, start, until, questions_per_day, fixed_usd)
    if as_json:
        print(forecast_shape(start, until, measured, months).model_dump_json())
    else:
        show(start, measured, months, questions_per_day, console(sys.stdout))
    return OK


def show(since: datetime, measured: Measurement, months: Sequence[Month], questions_per_day: int, out: Console) -> None:
    """Print a forecast for a person: what was measured, then a month at each volume."""
    if not measured.averages.questions:
        out.print(
            f"Nothing was asked since {since:%Y-%m-%d %H:%M} UTC, so there is nothing to forecast from. "
            "Ask with `farthing ask QUESTION`, or look further back with --since."
        )
        return
    _show_measured(since, measured, out)
    out.print()
    _show_months(months, questions_per_day, out)


def _fixed(text: str) -> Decimal:
    try:
        fixed_usd = Decimal(text)
    except InvalidOperation:
        fixed_usd = Decimal("NaN")
    if not fixed_usd.is_finite() or not 0 <= fixed_usd <= _MOST:
        raise CommandError(f"--fixed-usd-per-month {text!r} is no amount. Write US dollars, such as 250 or 99.50.")
    return fixed_usd


def _show_measured(since: datetime, measured: Measurement, out: Console) -> None:
    averages = measured.averages
    words = f"measured since {since:%Y-%m-%d %H:%M} UTC: {counted(averages.questions, 'question', 'questions')}"
    if measured.sampled:
        words += f", a sample of {measured.entries:,} entries spread evenly over the time"
    if averages.zero_token_share is not None:
        words += f"; {percent(averages.zero_token_share)} of the answers without any token"
    out.print(Text(words, style="dim"))
    if averages.unknown_cost_entries:
        unknown = counted(averages.unknown_cost_entries, "entry", "entries")
        out.print(
            Text(
                f"UNKNOWN COST: for {unknown}, so the forecast is unknown, too. `farthing costs` names their models; "
                "give these a price: prices.file, and price_model of the endpoint.",
                style="bold red",
            )
        )
    if averages.few:
        out.print(
            Text(
                f"Fewer than {FEW_QUESTIONS} questions were measured: take this for a guess, and ask more first.",
                style="bold red",
            )
        )
    out.print()
    rows = table("a question on average", "tokens in", "tokens out", "cost", "95 % interval")
    for average in averages.stages:
        rows.add_row(
            average.stage.value, f"{average.input_tokens:,.1f}", f"{average.output_tokens:,.1f}", amount(average.cost_usd), ""
        )
    tokens = [sum(stage.input_tokens for stage in averages.stages), sum(stage.output_tokens for stage in averages.stages)]
    rows.add_row("all", *(f"{count:,.1f}" for count in tokens), amount(averages.cost_usd), _between(averages.bounds))
    rows.add_row("the naive prompt", "", "", amount(averages.naive_usd), "")
    print_whole(rows, out)


def _show_months(months: Sequence[Month], questions_per_day: int, out: Console) -> None:
    rows = table("questions a day", "variable", "95 % interval", "fixed", "a month", "naive", "saved", "cores")
    for month in months:
        rows.add_row(
            f"{month.questions_per_day:,}",
            amount(month.variable_usd),
            _between(month.bounds),
            amount(month.fixed_usd),
            Text(amount(month.total_usd), style="bold"),
            amount(month.naive_usd),
            amount(month.saved_usd),
            f"{month.busy_processors:,.2f}",
            style="bold" if month.questions_per_day == questions_per_day else None,
        )
    print_whole(rows, out)
    out.print(
        Text(
            "A month has 30 days. Both totals hold the fixed part. cores: kept busy by the steps that call no model.",
            style="dim",
        )
    )


def _between(bounds: UsdBounds | None) -> str:
    return f"{amount(bounds.low)} to {amount(bounds.high)}" if bounds else "unknown"
