"""What a month would cost at other volumes: a fixed part, and a part for each question, from what was measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from app.costs.confidence import UsdBounds, mean_bounds
from app.costs.hits import HitSum
from app.costs.ledger import Entry, Outcome, Surface
from app.costs.receipts import Stage
from app.costs.reports import NO_HITS, LedgerReader

VOLUMES: Final = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""The questions a day that every forecast shows."""

FEW_QUESTIONS: Final = 100
"""Below this many measured questions a forecast is a guess: a share of them is known to within ten points at best."""

DAYS_A_MONTH: Final = 30

SAMPLE_ENTRIES: Final = 50_000
"""About so many entries are read of a larger ledger: they settle an average to about two percent, in seconds."""

_SLICES: Final = 97  # a prime, so that the slices of a month fall on all hours of the day and all days of the week
_ENOUGH: Final = 0.1
"""Slices that hold less than this share of the questions they were to hold missed when these were asked."""

_S_A_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class StageAverage:
    """What one stage takes for a question on average; `cost_usd` is `None` when the cost of one of its calls is unknown."""

    stage: Stage
    cost_usd: Decimal | None
    input_tokens: float
    output_tokens: float


@dataclass(frozen=True, slots=True)
class Averages:
    """What a question takes on average, as measured.

    `questions` counts what people asked, whatever came of it, and among it cache hits, which cost nothing and take no time. What
    Farthing did of its own accord, such as audits, is shared out among them, and questions of an evaluation are left out.
    `cost_usd` is `None` without questions or when the cost of a call is unknown: of how many entries, says
    `unknown_cost_entries`. `bounds` is the 95 % interval of `cost_usd`; `None` with it, and for fewer than two questions.
    `stages` are those that cost something or used tokens, in the order of the flow.

    `naive_usd` is the naive prompt's cost over the `naive_questions` for which it is known; `None` without any. `own_ms` is the
    time of the steps that called no model. `zero_token_share` is the share of the answers for which no model read or wrote
    anything; `None` without answers.
    """

    questions: int
    cost_usd: Decimal | None
    bounds: UsdBounds | None
    unknown_cost_entries: int
    stages: tuple[StageAverage, ...]
    naive_usd: Decimal | None
    naive_questions: int
    zero_token_share: float | None
    own_ms: float

    @property
    def few(self) -> bool:
        """Whether so few questions were measured that a forecast is a guess."""
        return self.questions < FEW_QUESTIONS


@dataclass(frozen=True, slots=True)
class Measurement:
    """Averages, of how many entries, and whether only a sample of these was read."""

    averages: Averages
    entries: int
    sampled: bool


@dataclass(frozen=True, slots=True)
class Month:
    """A month of 30 days at one volume, in US dollars; `None` is unknown.

    `variable_usd` lies within `bounds`. `total_usd` and `naive_usd` both hold the fixed part: the usual pipeline needs servers,
    too. `busy_processors` is how many processors the steps that call no model keep busy around the clock.
    """

    questions_per_day: int
    variable_usd: Decimal | None
    bounds: UsdBounds | None
    fixed_usd: Decimal
    naive_usd: Decimal | None
    busy_processors: float

    @property
    def total_usd(self) -> Decimal | None:
        """Fixed and variable part together."""
        return None if self.variable_usd is None else self.fixed_usd + self.variable_usd

    @property
    def saved_usd(self) -> Decimal | None:
        """What the naive pipeline would cost more; negative when it would cost less."""
        return None if self.naive_usd is None or self.total_usd is None else self.naive_usd - self.total_usd


@dataclass(slots=True)
class _StageSum:
    usd: Decimal = Decimal(0)
    unknown: bool = False
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True)
class _Sums:
    """What entries and cache hits add up to.

    `read` counts the entries. `asked_usd` and `asked_usd2` are the costs of the questions, and their squares.
    """

    read: int = 0
    questions: int = 0
    answers: int = 0
    zero_token_answers: int = 0
    unknown: int = 0
    asked_usd: Decimal = Decimal(0)
    asked_usd2: Decimal = Decimal(0)
    work_usd: Decimal = Decimal(0)
    naive_usd: Decimal = Decimal(0)
    naive_questions: int = 0
    own_ms: float = 0.0
    stages: dict[Stage, _StageSum] = field(default_factory=dict)


def measure_ledger(reader: LedgerReader, since: datetime, until: datetime) -> Measurement:
    """What the questions from `since` up to, not including, `until` took on average.

    A large ledger is sampled: slices are read that lie evenly over the time. Where these hold hardly any question, because all
    were asked in a short while, it is read whole.

    Raises:
        LedgerError: It cannot be read.
    """
    surfaces = reader.summary(since, until, "surface")
    entries = sum(row.entries for row in surfaces)
    hits = NO_HITS
    for row in surfaces:
        if row.name not in {Surface.EVAL, Surface.BACKGROUND}:
            hits = hits.plus(row.hits)
    if entries > SAMPLE_ENTRIES:
        slices = _slices(since, until, SAMPLE_ENTRIES / entries)
        sums = _add_up(entry for period in slices for entry in reader.entries(*period))
        if sums.questions > SAMPLE_ENTRIES * _ENOUGH:
            _count_hits(hits, Decimal(sums.read) / entries, sums)
            return Measurement(_averages(sums), entries, sampled=True)
    return Measurement(measure(reader.entries(since, until), hits), entries, sampled=False)


def measure(entries: Iterable[Entry], hits: HitSum = NO_HITS) -> Averages:
    """What questions took on average. Entries are read one by one, however many there are; `hits` were asked beside them."""
    sums = _add_up(entries)
    _count_hits(hits, Decimal(1), sums)
    return _averages(sums)


def forecast(averages: Averages, questions_per_day: int, fixed_usd: Decimal) -> list[Month]:
    """A month at each of the usual volumes and at `questions_per_day`, in order.

    Args:
        averages: What a question takes; it is taken to hold at every volume.
        questions_per_day: A volume of one's own, above zero.
        fixed_usd: What a month costs whatever is asked.
    """
    return [_month(averages, volume, fixed_usd) for volume in sorted({*VOLUMES, questions_per_day})]


def _slices(since: datetime, until: datetime, share: float) -> list[tuple[datetime, datetime]]:
    step = (until - since) / _SLICES
    begins = [since + step * (number + (1 - share) / 2) for number in range(_SLICES)]
    return [(begin, begin + step * share) for begin in begins]


def _add_up(entries: Iterable[Entry]) -> _Sums:
    sums = _Sums()
    for entry in entries:
        sums.read += 1
        if entry.spender.surface is not Surface.EVAL:
            _count(entry, sums)
    return sums


def _count_hits(hits: HitSum, share: Decimal, sums: _Sums) -> None:
    """Count in the share of the cache hits that belongs to the share of the entries that was read."""
    answers = round((hits.count - hits.abstained) * share)
    sums.questions += round(hits.count * share)
    sums.answers += answers
    sums.zero_token_answers += answers
    sums.naive_usd += hits.saved_usd * share  # what costs nothing saves all that the naive prompt would cost
    sums.naive_questions += round((hits.count - hits.unknown_saved) * share)


def _count(entry: Entry, sums: _Sums) -> None:
    receipt = entry.receipt
    cost_usd = receipt.cost_usd
    sums.unknown += cost_usd is None
    for line in receipt.lines:
        stage = sums.stages.setdefault(line.stage, _StageSum())
        stage.usd += line.cost_usd or 0
        stage.unknown |= line.cost_usd is None
        stage.input_tokens += line.input_tokens
        stage.output_tokens += line.output_tokens
        if line.model is None:
            sums.own_ms += line.ms
    if entry.outcome is Outcome.WORK or entry.spender.surface is Surface.BACKGROUND:
        sums.work_usd += cost_usd or 0
        return
    sums.questions += 1
    sums.asked_usd += cost_usd or 0
    sums.asked_usd2 += (cost_usd or 0) ** 2
    if receipt.baseline.cost_usd is not None:
        sums.naive_usd += receipt.baseline.cost_usd
        sums.naive_questions += 1
    if entry.outcome is Outcome.ANSWERED:
        sums.answers += 1
        sums.zero_token_answers += not (receipt.input_tokens or receipt.output_tokens)


def _averages(sums: _Sums) -> Averages:
    known = sums.questions > 0 and not sums.unknown
    asked = mean_bounds(sums.questions, sums.asked_usd, sums.asked_usd2) if known else None
    work_usd = sums.work_usd / sums.questions if sums.questions else Decimal(0)
    return Averages(
        questions=sums.questions,
        cost_usd=(sums.asked_usd + sums.work_usd) / sums.questions if known else None,
        bounds=UsdBounds(asked.low + work_usd, asked.high + work_usd) if asked else None,
        unknown_cost_entries=sums.unknown,
        stages=_stage_averages(sums),
        naive_usd=sums.naive_usd / sums.naive_questions if sums.naive_questions else None,
        naive_questions=sums.naive_questions,
        zero_token_share=sums.zero_token_answers / sums.answers if sums.answers else None,
        own_ms=sums.own_ms / sums.questions if sums.questions else 0.0,
    )


def _stage_averages(sums: _Sums) -> tuple[StageAverage, ...]:
    if not sums.questions:
        return ()
    paid: Sequence[tuple[Stage, _StageSum]] = [
        (stage, total)
        for stage, total in ((stage, sums.stages.get(stage, _StageSum())) for stage in Stage)
        if total.unknown or total.usd or total.input_tokens or total.output_tokens
    ]
    return tuple(
        StageAverage(
            stage,
            None if total.unknown else total.usd / sums.questions,
            total.input_tokens / sums.questions,
            total.output_tokens / sums.questions,
        )
        for stage, total in paid
    )


def _month(averages: Averages, questions_per_day: int, fixed_usd: Decimal) -> Month:
    questions = Decimal(questions_per_day * DAYS_A_MONTH)
    return Month(
        questions_per_day=questions_per_day,
        variable_usd=None if averages.cost_usd is None else averages.cost_usd * questions,
        bounds=averages.bounds.times(questions) if averages.bounds else None,
        fixed_usd=fixed_usd,
        naive_usd=None if averages.naive_usd is None else averages.naive_usd * questions + fixed_usd,
        busy_processors=averages.own_ms / 1000 * questions_per_day / _S_A_DAY,
    )
