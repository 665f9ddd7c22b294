from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from app.costs.forecast import FEW_QUESTIONS, VOLUMES, forecast, measure, measure_ledger
from app.costs.hits import HitGroup, HitSum
from app.costs.ledger import Outcome, Spender, Surface
from app.costs.receipts import Stage
from tests.fakes.entries import NOON, build_entry, paid_line
from tests.fakes.ledger import FakeLedger


def test_a_question_costs_what_was_spent_by_the_questions() -> None:
    averages = measure(
        [
            build_entry(),
            build_entry([paid_line("0.004", (800, 200)), paid_line("0.001", (100, 1), stage=Stage.JUDGE)]),
            build_entry(outcome=Outcome.ABSTAINED),
            build_entry([paid_line("0.003", (800, 0))], outcome=Outcome.FAILED, naive_usd=None),
        ]
    )
    assert averages.questions == 4
    assert averages.cost_usd == Decimal("0.002")
    assert [(stage.stage, stage.cost_usd, stage.input_tokens, stage.output_tokens) for stage in averages.stages] == [
        (Stage.GENERATE, Decimal("0.00175"), 400.0, 50.0),
        (Stage.JUDGE, Decimal("0.00025"), 25.0, 0.25),
    ]
    assert averages.zero_token_share == 0.5
    assert (averages.naive_usd, averages.naive_questions) == (Decimal("0.01"), 3)
    assert averages.own_ms == 20.0


def test_the_sum_of_the_stages_is_the_cost_of_a_question() -> None:
    averages = measure([build_entry([paid_line("0.0001"), paid_line("0.0007", stage=Stage.VERIFY)]) for _ in range(8)])
    assert sum(stage.cost_usd or 0 for stage in averages.stages) == averages.cost_usd


def test_background_work_is_shared_out_and_evaluations_are_left_out() -> None:
    asked = [build_entry([paid_line("0.001")]) for _ in range(4)]
    audit = build_entry([paid_line("0.002", stage=Stage.AUDIT)], surface=Surface.BACKGROUND, outcome=Outcome.WORK)
    evaluated = build_entry([paid_line("5")], surface=Surface.EVAL)
    averages = measure([*asked, audit, evaluated])
    assert averages.questions == 4
    assert averages.cost_usd == Decimal("0.0015")
    assert averages.bounds is not None
    assert averages.bounds.low == averages.bounds.high == Decimal("0.0015")


def test_one_unknown_cost_makes_the_forecast_unknown_and_the_stage_is_named() -> None:
    averages = measure([build_entry([paid_line(None)]), build_entry([paid_line(stage=Stage.JUDGE)])])
    assert (averages.cost_usd, averages.bounds, averages.unknown_cost_entries) == (None, None, 1)
    assert {stage.stage: stage.cost_usd for stage in averages.stages} == {Stage.GENERATE: None, Stage.JUDGE: Decimal("0.0005")}
    for month in forecast(averages, 5, Decimal(10)):
        assert (month.variable_usd, month.total_usd, month.saved_usd) == (None, None, None)
        assert month.naive_usd is not None


def test_without_questions_nothing_is_known() -> None:
    averages = measure([])
    assert averages.questions == 0
    assert averages.few
    assert (averages.cost_usd, averages.bounds, averages.naive_usd, averages.zero_token_share) == (None, None, None, None)


def test_few_questions_are_said_to_be_few() -> None:
    assert measure([build_entry()] * (FEW_QUESTIONS - 1)).few
    assert not measure([build_entry()] * FEW_QUESTIONS).few


def test_the_interval_holds_the_average_and_narrows_with_more_questions() -> None:
    mixed = [build_entry(), build_entry([paid_line("0.004")])]
    few, many = measure(mixed * 10), measure(mixed * 1000)
    for averages in (few, many):
        assert averages.cost_usd == Decimal("0.002")
        assert averages.bounds is not None
        assert averages.bounds.low < averages.cost_usd < averages.bounds.high
    assert few.bounds is not None
    assert many.bounds is not None
    assert (few.bounds.high - few.bounds.low) / (many.bounds.high - many.bounds.low) == pytest.approx(10, rel=0.05)


def test_a_month_has_a_fixed_part_and_a_part_for_each_question() -> None:
    averages = measure([build_entry([paid_line("0.002")]) for _ in range(2)])
    months = {month.questions_per_day: month for month in forecast(averages, 5_000, Decimal(300))}
    assert list(months) == sorted({*VOLUMES, 5_000})
    month = months[5_000]
    assert (month.variable_usd, month.fixed_usd, month.total_usd) == (300, 300, 600)
    assert (month.naive_usd, month.saved_usd) == (1_800, 1_200)
    assert months[10_000_000].variable_usd == 600_000
    assert month.bounds is not None
    assert month.bounds.low == month.bounds.high == 300
    assert months[10_000_000].busy_processors == pytest.approx(0.02 * 10_000_000 / 86_400)


def test_a_volume_that_is_shown_anyway_is_shown_once() -> None:
    assert [month.questions_per_day for month in forecast(measure([build_entry()]), 1_000, Decimal(0))] == list(VOLUMES)


SINCE, UNTIL = NOON, NOON + timedelta(days=10)


def fill(begin: datetime, end: datetime, count: int) -> FakeLedger:
    """Questions spread evenly from `begin` to `end`, every second of which costs 0.002 dollars."""
    ledger = FakeLedger()
    for number in range(count):
        lines = [paid_line("0.002")] if number % 2 else []
        ledger.settle(build_entry(lines, at=begin + (end - begin) * (number / count)))
    return ledger


def test_a_small_ledger_is_read_whole() -> None:
    measured = measure_ledger(fill(SINCE, UNTIL, 50), SINCE, UNTIL)
    assert (measured.entries, measured.sampled, measured.averages.questions) == (50, False, 50)


def test_a_large_ledger_is_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.costs.forecast.SAMPLE_ENTRIES", 500)
    measured = measure_ledger(fill(SINCE, UNTIL, 5_000), SINCE, UNTIL)
    assert (measured.entries, measured.sampled) == (5_000, True)
    assert measured.averages.questions == pytest.approx(500, rel=0.1)
    assert float(measured.averages.cost_usd or 0) == pytest.approx(0.001, rel=0.1)


def test_a_burst_between_the_slices_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.costs.forecast.SAMPLE_ENTRIES", 500)
    measured = measure_ledger(fill(UNTIL - timedelta(seconds=60), UNTIL, 1_000), SINCE, UNTIL)
    assert (measured.entries, measured.sampled, measured.averages.questions) == (1_000, False, 1_000)


def test_cache_hits_are_questions_that_cost_nothing() -> None:
    asked = [build_entry([paid_line("0.004")]) for _ in range(10)]
    averages = measure(asked, HitSum(30, Decimal("0.58"), 1))
    assert (averages.questions, averages.cost_usd, averages.zero_token_share) == (40, Decimal("0.001"), 0.75)
    assert (averages.naive_questions, averages.naive_usd) == (39, Decimal("0.68") / 39)
    assert averages.own_ms == 5.0
    assert measure(asked, HitSum(30, Decimal(0), 30, abstained=10)).zero_token_share == pytest.approx(20 / 30)
    assert averages.stages[0].cost_usd == Decimal("0.001")
    assert averages.bounds is not None
    assert averages.bounds.low < Decimal("0.001") < averages.bounds.high


def hits_of(surface: Surface, count: int) -> dict[HitGroup, HitSum]:
    return {HitGroup(SINCE.date(), "a", "exact", Spender(surface)): HitSum(count, Decimal(count) / 100)}


def test_the_hits_of_the_ledger_count_but_for_those_of_an_evaluation() -> None:
    ledger = fill(SINCE, UNTIL, 50)
    ledger.add_hits(hits_of(Surface.HTTP, 30) | hits_of(Surface.COMMAND_LINE, 20) | hits_of(Surface.EVAL, 900))
    measured = measure_ledger(ledger, SINCE, UNTIL)
    assert (measured.entries, measured.averages.questions) == (50, 100)
    assert measured.averages.cost_usd == Decimal("0.0005")


def test_a_sample_holds_its_share_of_the_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.costs.forecast.SAMPLE_ENTRIES", 500)
    ledger = fill(SINCE, UNTIL, 5_000)
    ledger.add_hits(hits_of(Surface.HTTP, 15_000))
    measured = measure_ledger(ledger, SINCE, UNTIL)
    assert (measured.entries, measured.sampled) == (5_000, True)
    assert measured.averages.questions == pytest.approx(2_000, rel=0.1)
    assert measured.averages.zero_token_share == pytest.approx(0.875, abs=0.01)
    assert float(measured.averages.cost_usd or 0) == pytest.approx(0.00025, rel=0.1)
    assert float(measured.averages.naive_usd or 0) == pytest.approx(0.01)
