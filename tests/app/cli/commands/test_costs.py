"""`farthing costs`: the figures, their four forms, and what is refused."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from app import cli
from app.bootstrap import build_ledger
from app.costs.hits import HitGroup, HitSum
from app.costs.ledger import Outcome, Spender, Surface
from app.costs.measured import SUFFIX
from app.costs.receipts import Stage
from app.costs.reports import Grouping, Verdict
from app.costs.rungs import Rung
from app.home import prepare_home
from app.settings import load_settings
from tests.fakes.entries import build_entry, paid_line
from tests.fakes.ledger import FakeLedger

Run = Callable[..., Any]

NOW = datetime.now(UTC)


@pytest.fixture
def month(ledger: FakeLedger) -> FakeLedger:
    """Ten answers in three days, for 0.02 dollars, eight of them without any token; three have a verdict."""
    for number in range(8):
        ledger.settle(build_entry(id=f"free-{number}", at=NOW - timedelta(days=3), naive_usd="0.005"))
    ledger.settle(build_entry([paid_line("0.015", (900, 100))], id="small", at=NOW - timedelta(days=1)))
    strong = paid_line("0.005", (400, 50), model="strong")
    ledger.settle(build_entry([strong], id="strong", at=NOW - timedelta(days=1), team="ops", groundedness=0.5))
    ledger.settle(build_entry(id="none", at=NOW - timedelta(hours=1), outcome=Outcome.ABSTAINED, naive_usd=None))
    for identity, verdict in (("small", Verdict.RIGHT), ("strong", Verdict.RIGHT), ("free-0", Verdict.WRONG)):
        ledger.add_feedback(identity, verdict, None, None)
    return ledger


def line_of(out: str, name: str) -> str:
    (line,) = [line for line in out.splitlines() if line.startswith(name)]
    return line.removeprefix(name).strip()


@pytest.mark.usefixtures("month")
def test_the_headline_says_what_was_spent_saved_and_what_an_answer_costs(run: Run) -> None:
    done = run("costs")
    assert (done.status, done.err) == (cli.OK, "")
    assert line_of(done.out, "spent") == "$0.02000"
    assert line_of(done.out, "saved").startswith("$0.04000  against the naive prompt, computed; unknown for 1 entry, left out")
    assert line_of(done.out, "answers  ") == "10  and 1 abstention"
    assert line_of(done.out, "cost per answer").startswith("$0.00200")
    assert line_of(done.out, "cost per right, grounded answer").startswith("$0.00600  95 %: $0.00")
    assert "3 verdicts, 2 right, 1 of them wholly grounded" in done.out
    assert line_of(done.out, "answers without any token").startswith("80.0 %")
    assert line_of(done.out, "tokens") == "1,450  1,300 read, 150 written"
    assert line_of(done.out, "groundedness") == "0.950"
    assert "UNKNOWN" not in done.out


@pytest.mark.usefixtures("month")
def test_json_holds_the_same_figures_unrounded(run: Run) -> None:
    report = json.loads(run("costs", "--json", "--by", "team", "--since", "12w").out)
    assert list(report) == ["since", "until", "by", "total", "hits", "measured", "groups"]
    total = report["total"]
    assert (total["spent_usd"], total["saved_usd"], total["answers"]) == ("0.02", "0.04", 10)
    assert (total["cost_per_answer_usd"], total["cost_per_good_answer_usd"]) == ("0.002", "0.006")
    assert Decimal(total["cost_per_good_answer_low_usd"]) < Decimal("0.006") < Decimal(total["cost_per_good_answer_high_usd"])
    assert [(group["name"], group["spent_usd"]) for group in report["groups"]] == [("sales", "0.015"), ("ops", "0.005")]
    assert datetime.fromisoformat(report["until"]) - datetime.fromisoformat(report["since"]) == timedelta(weeks=12)


@pytest.mark.usefixtures("month")
@pytest.mark.parametrize("by", get_args(Grouping))
def test_every_grouping_has_a_table_and_a_csv(run: Run, by: str) -> None:
    shown = run("costs", "--by", by)
    assert (shown.status, shown.err) == (cli.OK, "")
    report = json.loads(run("costs", "--by", by, "--json").out)
    rows = list(csv.DictReader(io.StringIO(run("costs", "--by", by, "--csv").out)))
    assert [row["name"] or None for row in rows] == [group["name"] for group in report["groups"]]
    assert sum(Decimal(row["spent_usd"]) for row in rows) == Decimal("0.02")
    for group in report["groups"]:
        assert (group["name"] or "(none)") in shown.out
        assert (group["saved_usd"] is None) == (by in {"model", "stage"})


@pytest.mark.usefixtures("month")
def test_bars_show_who_spends_and_days_show_when(run: Run) -> None:
    assert [line.split()[2:4] for line in run("costs", "--by", "team").out.splitlines()[-2:]] == [
        ["██████", "75%"],
        ["██", "25%"],
    ]
    days = run("costs", "--by", "day").out
    assert f"spent a day  ▁▁█{'▁' if NOW.hour else ''}" in days
    assert (NOW - timedelta(days=3)).date().isoformat() in days


@pytest.mark.usefixtures("month")
def test_csv_without_a_grouping_has_the_whole_alone(run: Run) -> None:
    (row,) = csv.DictReader(io.StringIO(run("costs", "--csv").out))
    assert (row["name"], row["spent_usd"], row["cost_per_answer_usd"]) == ("", "0.02", "0.002")


@pytest.mark.usefixtures("month")
def test_focus_prints_a_charge_for_each_day_team_model_and_stage(run: Run) -> None:
    done = run("costs", "--focus")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [(row["SubAccountId"], row["ResourceId"], row["BilledCost"]) for row in rows] == [
        ("ops", "strong", "0.005"),
        ("sales", "mini", "0.015"),
    ]
    assert done.err == ""


def test_focus_names_the_provider_of_each_model(run: Run, ledger: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = {
        "name": "house", "rung": "small", "url": "http://127.0.0.1:9/v1", "model": "mini", "price_model": "openai/gpt-5-mini",
        "context_tokens": 1000, "max_output_tokens": 100, "timeout_s": 1,
    }  # fmt: skip
    monkeypatch.setenv("FARTHING_ENDPOINTS", json.dumps([endpoint]))
    ledger.settle(build_entry([paid_line(), paid_line(model="other")], at=NOW))
    rows = csv.DictReader(io.StringIO(run("costs", "--focus").out))
    assert [row["ProviderName"] for row in rows] == ["openai", "other"]


def test_unknown_costs_are_named_loudly_and_never_counted_as_nothing(run: Run, ledger: FakeLedger) -> None:
    ledger.settle(build_entry([paid_line(None, model="secret")], at=NOW))
    ledger.settle(build_entry([paid_line("0.5")], at=NOW))
    done = run("costs", "--by", "model")
    assert done.out.startswith("UNKNOWN COST: 1 of 2 entries (secret). ")
    assert line_of(done.out, "spent").startswith("$0.50000  and what is unknown of 1 entry")
    assert line_of(done.out, "cost per answer").startswith("unknown")
    total = json.loads(run("costs", "--json").out)["total"]
    assert (total["cost_per_answer_usd"], total["unknown_cost_entries"]) == (None, 1)
    focus = run("costs", "--focus")
    assert {row["ResourceId"]: row["BilledCost"] for row in csv.DictReader(io.StringIO(focus.out))} == {
        "mini": "0.5",
        "secret": "",
    }
    assert "unknown (secret)" in focus.err


def test_without_verdicts_the_cost_of_a_right_answer_is_unknown_and_says_how_to_give_one(run: Run, ledger: FakeLedger) -> None:
    ledger.settle(build_entry(at=NOW))
    assert line_of(run("costs").out, "cost per right, grounded answer") == (
        "unknown  no verdicts yet: farthing feedback ANSWER_ID right|wrong"
    )


@pytest.mark.usefixtures("ledger")
def test_an_empty_ledger_says_so_in_a_sentence(run: Run) -> None:
    done = run("costs", "--by", "day")
    assert (done.status, done.err) == (cli.OK, "")
    (line,) = done.out.splitlines()
    assert line.startswith("Nothing was asked since ")
    assert "farthing ask QUESTION" in line
    report = json.loads(run("costs", "--json").out)
    assert (report["total"]["entries"], report["total"]["cost_per_answer_usd"], report["groups"]) == (0, None, [])
    assert len(run("costs", "--focus").out.splitlines()) == len(run("costs", "--csv", "--by", "team").out.splitlines()) == 1


@pytest.mark.usefixtures("month")
def test_only_what_lies_within_counts(run: Run) -> None:
    assert line_of(run("costs", "--since", "2d").out, "answers  ").startswith("2")
    assert line_of(run("costs", "--since", f"{NOW - timedelta(days=4):%Y-%m-%d}").out, "answers  ").startswith("10")


def test_names_from_outside_do_not_drive_the_terminal(run: Run, ledger: FakeLedger) -> None:
    ledger.settle(build_entry([paid_line(None, model="m\x1b[31m")], at=NOW, team="\x1b[2Jteam\u202e"))
    for by in ("team", "model"):
        out = run("costs", "--by", by).out
        assert all(character == "\n" or character.isprintable() for character in out)


def test_a_long_list_is_cut_and_the_cut_is_named(run: Run, ledger: FakeLedger) -> None:
    for number in range(60):
        ledger.settle(build_entry([paid_line()], at=NOW - timedelta(days=number), team=f"team-{number:02}"))
    by_team, by_day = run("costs", "--by", "team", "--since", "12w").out, run("costs", "--by", "day", "--since", "12w").out
    assert "... and 20 more: --json and --csv list them all" in by_team
    assert "... and 20 earlier ones: --json and --csv list them all" in by_day
    assert NOW.date().isoformat() in by_day


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--json", "--csv"), "--json and --csv are different forms"),
        (("--csv", "--focus"), "--csv and --focus are different forms"),
        (("--json", "--csv", "--focus"), "--json and --csv and --focus are different forms"),
        (("--focus", "--by", "team"), "--focus has rows of its own"),
        (("--by", "colour"), "--by 'colour' is not known. Choose one of team, person, model, rung, stage, surface, day"),
        (("--since", "soon"), "--since 'soon' cannot be read"),
        (("--since", "2100-01-01"), "--since '2100-01-01' is not in the past"),
    ],
)
def test_what_cannot_work_is_refused_by_name(run: Run, arguments: tuple[str, ...], words: str) -> None:
    done = run("costs", *arguments)
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert words in done.err


def test_the_groups_of_the_help_are_those_that_there_are(run: Run) -> None:
    words = " ".join(run("costs", "--help").out.split())
    assert f"{', '.join(get_args(Grouping)[:-1])} or {get_args(Grouping)[-1]}" in words


@pytest.mark.parametrize("command", [["costs"], ["costs", "forecast"], ["feedback"]])
def test_the_help_imports_nothing_heavy(command: list[str]) -> None:
    code = (
        f"import sys\nfrom app.cli import main\nsys.argv = ['farthing', *{command!r}, '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('IMPORTED', sorted({'torch', 'sqlalchemy', 'fastapi', 'numpy', 'rich', 'genai_prices'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "IMPORTED []" in done.stdout, done.stderr


def test_a_measured_saving_stands_beside_the_computed_one(run: Run, ledger: FakeLedger) -> None:
    for number, (cost, naive) in enumerate((("0.001", "0.01"), ("0.002", "0.01"), ("0.003", "0.01"))):
        ledger.settle(build_entry([paid_line(cost)], id=f"a{number}", at=NOW))
        measurement = build_entry(
            [paid_line(naive, stage=Stage.MEASURE)], id=f"a{number}{SUFFIX}", at=NOW,
            surface=Surface.BACKGROUND, outcome=Outcome.WORK, naive_usd="0",
        )  # fmt: skip
        ledger.settle(measurement)
        words = line_of(run("costs").out, f"saved, measured on {number + 1} answer{'s' if number else ''}")
        assert ("too few for an interval" in words) == (number < 2)
    assert words == "80.0 %  95 %: 55.2 % to 100.0 %"
    report = json.loads(run("costs", "--json").out)
    assert report["measured"] == {"answers": 3, "saved_share": 0.8, "low": 0.551586, "high": 1.0}
    assert report["total"]["saved_usd"] == "-0.006"  # the naive prompts were sent, and they were dear


def test_without_measurements_nothing_is_said_of_them(run: Run, month: FakeLedger) -> None:
    assert month.written
    assert "measured" not in run("costs").out
    assert json.loads(run("costs", "--json").out)["measured"] is None


def test_evaluations_and_background_work_are_spent_money_too(run: Run, ledger: FakeLedger) -> None:
    ledger.settle(build_entry([paid_line("0.25")], at=NOW, surface=Surface.EVAL))
    ledger.settle(build_entry([paid_line("0.5", stage=Stage.AUDIT)], at=NOW, surface=Surface.BACKGROUND, outcome=Outcome.WORK))
    groups = json.loads(run("costs", "--json", "--by", "surface").out)["groups"]
    assert {group["name"]: group["spent_usd"] for group in groups} == {"background": "0.5", "eval": "0.25"}


def test_the_configured_ledger_is_what_is_read_and_judged(run: Run) -> None:
    settings = load_settings()
    prepare_home(settings.home)
    with closing(build_ledger(settings)) as real:
        real.settle(build_entry([paid_line("0.015", (900, 100))], id="small", at=NOW))
        real.settle(build_entry(id="free", at=NOW))
    assert run("feedback", "small", "right").status == run("feedback", "free", "wrong").status == cli.OK
    assert run("feedback", "lost", "right").status == cli.REFUSED
    total = json.loads(run("costs", "--json").out)["total"]
    assert (total["spent_usd"], total["cost_per_good_answer_usd"], total["good_share"]) == ("0.015", "0.015", 0.5)
    (row,) = csv.DictReader(io.StringIO(run("costs", "--focus").out))
    assert row["BilledCost"] == "0.015"
    for by in get_args(Grouping):
        assert run("costs", "--by", by).status == cli.OK
    assert json.loads(run("costs", "forecast", "--questions-per-day", "10", "--json").out)["measured"]["cost_usd"] == "0.0075"


def test_a_home_that_is_open_to_others_is_refused(run: Run) -> None:
    Path(".farthing").mkdir()
    Path(".farthing").chmod(0o755)
    for command in (("costs",), ("costs", "forecast", "--questions-per-day", "1"), ("feedback", "a", "right")):
        done = run(*command)
        assert (done.status, done.out) == (cli.REFUSED, "")
        assert "chmod 700" in done.err


def test_what_is_known_of_an_entry_is_shown_and_the_rest_is_unknown(run: Run, ledger: FakeLedger) -> None:
    ledger.settle(build_entry([paid_line("0.5"), paid_line(None, model="secret")], at=NOW))
    assert line_of(run("costs").out, "spent") == "$0.50000  and what is unknown of 1 entry"
    by_model = run("costs", "--by", "model").out
    assert line_of(by_model, "mini").startswith("$0.50000")
    assert line_of(by_model, "secret").startswith("unknown")


def hits(kind: str, found: HitSum) -> dict[HitGroup, HitSum]:
    return {HitGroup(NOW.date(), "free-0", kind, Spender(Surface.HTTP, "bob", "ops")): found}


@pytest.mark.usefixtures("month")
def test_cache_hits_count_among_the_answers_and_are_told_by_kind(run: Run, ledger: FakeLedger) -> None:
    ledger.settle(build_entry(id="looked-up", at=NOW - timedelta(hours=1), rung_path=(Rung.CACHE,)))
    ledger.add_hits(hits("exact", HitSum(1_000, Decimal(5))))
    ledger.add_hits(hits("same_words", HitSum(29, Decimal("0.14"), 1)))
    done = run("costs", "--by", "team")
    assert line_of(done.out, "answers  ") == "1,040  and 1 abstention"
    assert line_of(done.out, "answers from the cache") == "99.0 %  1,030 answers; given at once: 1,000 exact, 29 same words"
    assert line_of(done.out, "saved").startswith(
        "$5.19  against the naive prompt, computed; unknown for 1 entry and 1 cache hit, left out"
    )
    assert line_of(done.out, "cost per answer").startswith("$0.00002")
    assert "1,030" in line_of(done.out, "ops")
    report = json.loads(run("costs", "--json").out)
    assert report["hits"] == {
        "exact": {"count": 1_000, "saved_usd": "5", "unknown_saved": 0, "abstained": 0},
        "same_words": {"count": 29, "saved_usd": "0.14", "unknown_saved": 1, "abstained": 0},
    }
    total = report["total"]
    assert (total["entries"], total["cache_hits"], total["cached_answers"], total["unknown_saved_hits"]) == (12, 1_029, 1_030, 1)
    assert total["cached_share"] == pytest.approx(1_030 / 1_040)


def test_a_ledger_of_cache_hits_alone_has_a_report_and_a_forecast(run: Run, ledger: FakeLedger) -> None:
    ledger.add_hits(hits("exact", HitSum(500, Decimal(0), 500)))
    done = run("costs", "--by", "day")
    assert line_of(done.out, "spent  ") == "$0"
    assert line_of(done.out, "saved").startswith("unknown  against the naive prompt, computed; unknown for 500 cache hits")
    assert line_of(done.out, "answers from the cache") == "100.0 %  500 answers; given at once: 500 exact"
    forecast = run("costs", "forecast", "--questions-per-day", "10")
    assert "500 questions; 100.0 % of the answers without any token" in forecast.out
