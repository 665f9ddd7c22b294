"""The JSON of money: reports, forecasts and feedback. Amounts are plain decimals in US dollars; `null` is unknown."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from app.costs.confidence import UsdBounds
from app.costs.forecast import Measurement, Month
from app.costs.hits import HitSum
from app.costs.measured import MeasuredSaving
from app.costs.pricing import plain_usd
from app.costs.receipts import Stage
from app.costs.reports import Grouping, Summary, Verdict, good_answer_bounds

MAX_COMMENT_CHARACTERS: Final = 2_000

_AVERAGE_DECIMALS: Final = 12
_SHARE_DECIMALS: Final = 6


class Shape(BaseModel):
    """What every shape is: frozen, and without fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FeedbackRequest(Shape):
    """What somebody says of the answer with this id."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    verdict: Verdict
    comment: Annotated[str, Field(max_length=MAX_COMMENT_CHARACTERS)] | None = None


class FeedbackShape(Shape):
    """What was written down."""

    id: str
    verdict: Verdict


class HitShape(Shape):
    """Cache hits of one kind: how many, what those saved whose saving is known, and how many others there are.

    `abstained` of them gave an abstention again.
    """

    count: int
    saved_usd: str
    unknown_saved: int
    abstained: int


class SummaryShape(Shape):
    """One group of a report, or the whole.

    `spent_usd` and `saved_usd` leave out what is unknown, and say of how many entries and cache hits. Cache hits are no entries,
    but count among the answers or abstentions. `low` and `high` bound
    `cost_per_good_answer_usd` with 95 % confidence.
    """

    name: str | None
    spent_usd: str
    unknown_cost_entries: int
    saved_usd: str | None
    unknown_saved_entries: int
    unknown_saved_hits: int
    entries: int
    answers: int
    abstentions: int
    failed: int
    lost: int
    cost_per_answer_usd: str | None
    cost_per_good_answer_usd: str | None
    cost_per_good_answer_low_usd: str | None
    cost_per_good_answer_high_usd: str | None
    right_answers: int
    wrong_answers: int
    good_answers: int
    good_share: float | None
    zero_token_answers: int
    zero_token_share: float | None
    cached_answers: int
    cached_share: float | None
    cache_hits: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    groundedness: float | None


class MeasuredShape(Shape):
    """The share of the naive pipeline's cost that was saved over so many answers, with its 95 % interval; `null` is unknown."""

    answers: int
    saved_share: float
    low: float | None
    high: float | None


class ReportShape(Shape):
    """What was spent from `since` up to, not including, `until` (ISO 8601, in UTC): in all, and by group when asked for.

    `hits` are the cache hits by kind. `measured` is the saving that was measured; `null` where nothing was.
    """

    since: str
    until: str
    by: Grouping | None
    total: SummaryShape
    hits: dict[str, HitShape]
    measured: MeasuredShape | None
    groups: list[SummaryShape]


class BoundsShape(Shape):
    """A 95 % interval."""

    low_usd: str | None
    high_usd: str | None


class StageAverageShape(Shape):
    """What a stage takes for a question on average."""

    stage: Stage
    cost_usd: str | None
    input_tokens: float
    output_tokens: float


class AveragesShape(Shape):
    """What a question takes on average. `few`: so few were measured that the forecast is a guess."""

    questions: int
    few: bool
    unknown_cost_entries: int
    cost_usd: str | None
    bounds: BoundsShape | None
    stages: list[StageAverageShape]
    naive_usd: str | None
    naive_questions: int
    zero_token_share: float | None
    own_ms: float


class MonthShape(Shape):
    """A month of 30 days at one volume. Total and naive pipeline both hold the fixed part."""

    questions_per_day: int
    variable_usd: str | None
    bounds: BoundsShape | None
    fixed_usd: str
    total_usd: str | None
    naive_usd: str | None
    saved_usd: str | None
    busy_processors: float


class ForecastShape(Shape):
    """What was measured from `since` up to `until`, and the months that follow from it.

    `entries` counts those of the ledger; `sampled` says that only some of them were measured, spread evenly over time.
    """

    since: str
    until: str
    entries: int
    sampled: bool
    measured: AveragesShape
    months: list[MonthShape]


def summary_shape(summary: Summary) -> SummaryShape:
    """One row of a report, as every surface writes it."""
    bounds = good_answer_bounds(summary)
    return SummaryShape(
        name=summary.name,
        spent_usd=plain_usd(summary.spent_usd) or "0",
        unknown_cost_entries=summary.unknown_cost_entries,
        saved_usd=plain_usd(summary.saved_usd),
        unknown_saved_entries=summary.unknown_saved_entries,
        unknown_saved_hits=summary.hits.unknown_saved,
        entries=summary.entries,
        answers=summary.answers,
        abstentions=summary.abstentions,
        failed=summary.failed,
        lost=summary.lost,
        cost_per_answer_usd=_average(summary.cost_per_answer_usd),
        cost_per_good_answer_usd=_average(summary.cost_per_good_answer_usd),
        cost_per_good_answer_low_usd=_average(bounds.low) if bounds else None,
        cost_per_good_answer_high_usd=_average(bounds.high) if bounds else None,
        right_answers=summary.right_answers,
        wrong_answers=summary.wrong_answers,
        good_answers=summary.good_answers,
        good_share=summary.good_share,
        zero_token_answers=summary.zero_token_answers,
        zero_token_share=summary.zero_token_share,
        cached_answers=summary.cached_answers,
        cached_share=summary.cached_share,
        cache_hits=summary.cache_hits,
        input_tokens=summary.input_tokens,
        cached_input_tokens=summary.cached_input_tokens,
        output_tokens=summary.output_tokens,
        groundedness=summary.groundedness,
    )


def hit_shape(hits: HitSum) -> HitShape:
    """Cache hits of one kind, as every surface writes them."""
    return HitShape(
        count=hits.count,
        saved_usd=plain_usd(hits.saved_usd) or "0",
        unknown_saved=hits.unknown_saved,
        abstained=hits.abstained,
    )


def measured_shape(measured: MeasuredSaving | None) -> MeasuredShape | None:
    """The measured saving, as every surface writes it."""
    if measured is None:
        return None
    low, high = (None if bound is None else round(bound, _SHARE_DECIMALS) for bound in (measured.low, measured.high))
    return MeasuredShape(answers=measured.answers, saved_share=round(measured.share, _SHARE_DECIMALS), low=low, high=high)


def forecast_shape(since: datetime, until: datetime, measured: Measurement, months: Sequence[Month]) -> ForecastShape:
    """A forecast, as every surface writes it."""
    averages = measured.averages
    return ForecastShape(
        since=moment(since),
        until=moment(until),
        entries=measured.entries,
        sampled=measured.sampled,
        measured=AveragesShape(
            questions=averages.questions,
            few=averages.few,
            unknown_cost_entries=averages.unknown_cost_entries,
            cost_usd=_average(averages.cost_usd),
            bounds=_bounds(averages.bounds),
            stages=[
                StageAverageShape(
                    stage=average.stage,
                    cost_usd=_average(average.cost_usd),
                    input_tokens=round(average.input_tokens, 2),
                    output_tokens=round(average.output_tokens, 2),
                )
                for average in averages.stages
            ],
            naive_usd=_average(averages.naive_usd),
            naive_questions=averages.naive_questions,
            zero_token_share=averages.zero_token_share,
            own_ms=round(averages.own_ms, 2),
        ),
        months=[
            MonthShape(
                questions_per_day=month.questions_per_day,
                variable_usd=_average(month.variable_usd),
                bounds=_bounds(month.bounds),
                fixed_usd=plain_usd(month.fixed_usd) or "0",
                total_usd=_average(month.total_usd),
                naive_usd=_average(month.naive_usd),
                saved_usd=_average(month.saved_usd),
                busy_processors=round(month.busy_processors, 4),
            )
            for month in months
        ],
    )


def moment(at: datetime) -> str:
    """A moment as JSON has it."""
    return at.isoformat(timespec="seconds")


def _bounds(bounds: UsdBounds | None) -> BoundsShape | None:
    return BoundsShape(low_usd=_average(bounds.low), high_usd=_average(bounds.high)) if bounds else None


def _average(usd: Decimal | None) -> str | None:
    """Averages have no end of digits: they are written to a millionth of a millionth of a dollar."""
    return None if usd is None else plain_usd(round(usd, _AVERAGE_DECIMALS))
