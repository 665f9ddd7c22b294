"""What was spent and saved, and what a month would cost: figures for any surface to show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from app.costs.csv_rows import Cell
from app.costs.focus import charges, focus_rows
from app.costs.forecast import Measurement, Month, forecast, measure_ledger
from app.costs.hits import HitSum
from app.costs.measured import MeasuredSaving, ReportReader, measured_saving
from app.costs.reports import Grouping, LedgerReader, Summary
from app.costs.shapes import ReportShape, SummaryShape, hit_shape, measured_shape, moment, summary_shape

SUMMARY_COLUMNS: Final = tuple(SummaryShape.model_fields)
"""The columns of `CostReport.rows`."""

_NO_MODEL: Final = "no model"


@dataclass(frozen=True, slots=True)
class CostReport:
    """What was spent and saved from `since` up to, not including, `until`: in all, and in groups when broken down `by` something.

    `hits` are the cache hits by kind, `measured` is the measured saving, and `unpriced` names the models without a price.
    """

    since: datetime
    until: datetime
    by: Grouping | None
    total: Summary
    groups: Sequence[Summary]
    hits: Mapping[str, HitSum]
    measured: MeasuredSaving | None
    unpriced: Sequence[str]

    def shape(self) -> ReportShape:
        """The report as JSON."""
        return ReportShape(
            since=moment(self.since),
            until=moment(self.until),
            by=self.by,
            total=summary_shape(self.total),
            hits={kind: hit_shape(found) for kind, found in sorted(self.hits.items())},
            measured=measured_shape(self.measured),
            groups=[summary_shape(row) for row in self.groups],
        )

    def rows(self) -> Iterator[list[Cell]]:
        """The groups as rows of `SUMMARY_COLUMNS`, or else the whole as the only one."""
        for shape in map(summary_shape, self.groups if self.by else [self.total]):
            yield [getattr(shape, column) for column in SUMMARY_COLUMNS]


@dataclass(frozen=True, slots=True)
class FocusExport:
    """Billing data: rows of `FOCUS_COLUMNS`, and the models of which some cost is unknown, so that cells of theirs are empty."""

    rows: Sequence[Sequence[Cell]]
    unpriced: Sequence[str]


def report_costs(reader: ReportReader, since: datetime, until: datetime, by: Grouping | None) -> CostReport:
    """Say what was spent and saved. Raises `LedgerError`."""
    (total,) = reader.summary(since, until, None)
    models = reader.summary(since, until, "model") if total.unknown_cost_entries else []
    return CostReport(
        since,
        until,
        by,
        total,
        groups=reader.summary(since, until, by) if by else [],
        hits=reader.hits(since, until),
        measured=measured_saving(reader.measured_pairs(since, until)),
        unpriced=[row.name or _NO_MODEL for row in models if row.unknown_cost_entries],
    )


def export_charges(reader: LedgerReader, since: datetime, until: datetime, providers: Mapping[str, str]) -> FocusExport:
    """Hand out what was spent as billing data; `providers` says who runs each model. Raises `LedgerError`."""
    found = charges(reader.entries(since, until))
    unpriced = sorted({charge.model or _NO_MODEL for charge in found if charge.cost_usd is None})
    return FocusExport(list(focus_rows(found, providers)), unpriced)


def forecast_costs(
    reader: LedgerReader, since: datetime, until: datetime, questions_per_day: int, fixed_usd: Decimal
) -> tuple[Measurement, list[Month]]:
    """Say what a month would cost, as `forecast` does, from what was measured. Raises `LedgerError`."""
    measured = measure_ledger(reader, since, until)
    return measured, forecast(measured.averages, questions_per_day, fixed_usd)
