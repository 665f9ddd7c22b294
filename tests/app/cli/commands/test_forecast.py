"""`farthing costs forecast`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app import cli
from app.costs.forecast import VOLUMES
from tests.fakes.entries import build_entry, paid_line
from tests.fakes.ledger import FakeLedger

Run = Callable[..., Any]

FORECAST = ("costs", "forecast", "--questions-per-day")


@pytest.fixture
def asked(ledger: FakeLedger) -> FakeLedger:
    """150 questions, a third of which cost 0.003 dollars: 0.001 on average, beside 0.01 for the naive prompt."""
    now = datetime.now(UTC)
    for number in range(150):
        ledger.settle(build_entry([] if number % 3 else [paid_line("0.003")], at=now - timedelta(minutes=number)))
    return ledger


@pytest.mark.usefixtures("asked")
def test_a_month_is_shown_at_every_volume_beside_the_naive_pipeline(run: Run) -> None:
    done = run(*FORECAST, "5000", "--fixed-usd-per-month", "250")
    assert (done.status, done.err) == (cli.OK, "")
    assert "150 questions; 66.7 % of the answers without any token" in done.out
    assert "Fewer than" not in done.out
    (row,) = [line.split() for line in done.out.splitlines() if line.startswith("5,000 ")]
    assert [row[0], row[1], row[5], row[6], row[7], row[8]] == ["5,000", "$150.00", "$250.00", "$400.00", "$1,750", "$1,350"]
    for volume in VOLUMES:
        assert f"\n{volume:,} " in done.out


@pytest.mark.usefixtures("asked")
def test_json_has_measured_averages_and_months(run: Run) -> None:
    done = json.loads(run(*FORECAST, "5000", "--json").out)
    assert list(done) == ["since", "until", "entries", "sampled", "measured", "months"]
    measured = done["measured"]
    assert (measured["questions"], measured["few"], measured["cost_usd"], measured["naive_usd"]) == (150, False, "0.001", "0.01")
    assert [stage["stage"] for stage in measured["stages"]] == ["generate"]
    months = {month["questions_per_day"]: month for month in done["months"]}
    assert list(months) == sorted({*VOLUMES, 5000})
    assert months[5000]["total_usd"] == months[5000]["variable_usd"] == "150"
    bounds = months[5000]["bounds"]
    assert Decimal(bounds["low_usd"]) < 150 < Decimal(bounds["high_usd"])


def test_too_few_questions_are_said_to_be_few_with_the_interval(run: Run, ledger: FakeLedger) -> None:
    for usd in ("0.001", "0.003"):
        ledger.settle(build_entry([paid_line(usd)], at=datetime.now(UTC)))
    done = run(*FORECAST, "10")
    assert "Fewer than 100 questions were measured" in done.out
    assert "$0.00200  $0.00004 to $0.00396" in " ".join(done.out.replace("  ", " ").split()).replace("$0.00200 ", "$0.00200  ")


def test_an_unknown_cost_makes_the_forecast_unknown(run: Run, ledger: FakeLedger) -> None:
    ledger.settle(build_entry([paid_line(None)], at=datetime.now(UTC)))
    done = run(*FORECAST, "10")
    assert "UNKNOWN COST: for 1 entry" in done.out
    (row,) = [line.split() for line in done.out.splitlines() if line.startswith("10 ")]
    assert row[1:5] == ["unknown", "unknown", "$0", "unknown"]


@pytest.mark.usefixtures("ledger")
def test_an_empty_ledger_says_so_in_a_sentence(run: Run) -> None:
    done = run(*FORECAST, "1000")
    assert (done.status, done.err) == (cli.OK, "")
    (line,) = done.out.splitlines()
    assert "nothing to forecast from" in line
    assert json.loads(run(*FORECAST, "1000", "--json").out)["months"][0]["total_usd"] is None


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--questions-per-day", "0"), "--questions-per-day 0 is not between 1 and 1,000,000,000,000"),
        (("--questions-per-day", "-5"), "--questions-per-day -5 is not between"),
        (("--questions-per-day", "9" * 400), "is not between"),
        (("--questions-per-day", "many"), "Invalid value for '--questions-per-day'"),
        ((), "Missing option '--questions-per-day'"),
        (("--questions-per-day", "5", "--since", "x"), "--since 'x' cannot be read"),
        (("--questions-per-day", "5", "--fixed-usd-per-month", "-1"), "--fixed-usd-per-month '-1' is no amount"),
        (("--questions-per-day", "5", "--fixed-usd-per-month", "nan"), "--fixed-usd-per-month 'nan' is no amount"),
        (("--questions-per-day", "5", "--fixed-usd-per-month", "1e99"), "--fixed-usd-per-month '1e99' is no amount"),
        (("--questions-per-day", "5", "--fixed-usd-per-month", "much"), "--fixed-usd-per-month 'much' is no amount"),
    ],
)
def test_what_cannot_work_is_refused_by_name(run: Run, arguments: tuple[str, ...], words: str) -> None:
    done = run("costs", "forecast", *arguments)
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert words in done.err


@pytest.mark.usefixtures("asked")
def test_a_sample_is_named_as_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.costs.forecast.SAMPLE_ENTRIES", 100)
    monkeypatch.setattr("app.costs.forecast._ENOUGH", -1)
    assert ", a sample of 150 entries spread evenly over the time" in run(*FORECAST, "10").out
    assert json.loads(run(*FORECAST, "10", "--json").out)["sampled"] is True


@pytest.mark.usefixtures("asked")
def test_the_largest_volume_keeps_its_digits(run: Run) -> None:
    arguments = (*FORECAST, f"{10**12}", "--fixed-usd-per-month", f"{10**12}")
    assert json.loads(run(*arguments, "--json").out)["months"][-1]["total_usd"] == "1030000000000"
    assert "$1,030,000,000,000" in run(*arguments).out


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("option", [("--since", "12w"), ("--json",), ("--by", "team"), ("--focus",)])
def test_an_option_before_forecast_is_refused_and_not_ignored(run: Run, option: tuple[str, ...]) -> None:
    done = run("costs", *option, "forecast", "--questions-per-day", "5")
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert "Options of `forecast` go after it" in done.err
