"""The ledger as the settings describe it."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.adapters.sql.pending import PendingFile
from app.bootstrap.ledger import build_ledger, build_limits, build_restraint_shares, open_ledger_reader
from app.costs.budgets import Limit, Payer, Period, RestraintShares
from app.costs.errors import BudgetExhaustedError
from app.costs.measured import MEASURING_KEY
from app.errors import HomeError, SettingsError
from app.settings import load_settings
from tests.contracts.ledger import FAR_OFF, LONG_AGO, NOON, bill, hold


def test_it_lies_in_the_home_and_its_reader_finds_it(tmp_path: Path) -> None:
    budget = {"payer": "person", "period": "day", "usd": "0.50"}
    settings = load_settings(home=tmp_path / "home", budgets=[budget])
    with closing(build_ledger(settings)) as ledger:
        assert not settings.home.exists()  # nothing is opened before its first use
        ledger.settle(bill("a", "0"))
        with pytest.raises(BudgetExhaustedError):
            ledger.reserve(hold("b", "0.51"))
    with open_ledger_reader(settings) as reader:
        assert [entry.id for entry in reader.entries(LONG_AGO, FAR_OFF)] == ["a"]
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_report_holds_what_waited_to_be_written(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home")
    with closing(build_ledger(settings)) as ledger:
        ledger.reserve(hold("lost", "0.25"))
    PendingFile(tmp_path / "home" / "ledger").keep(bill("waited", "0"), NOON)
    with open_ledger_reader(settings) as reader:
        assert {entry.id for entry in reader.entries(LONG_AGO, FAR_OFF)} == {"lost", "waited"}


def test_a_home_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(HomeError):
        build_ledger(load_settings(home=tmp_path))


def test_budgets_become_limits(tmp_path: Path) -> None:
    budgets = [
        {"payer": "company", "period": "month", "usd": "500.000000000001"},
        {"payer": "key", "name": "k1", "period": "day", "tokens": 0},
    ]
    assert build_limits(load_settings(home=tmp_path, budgets=budgets)) == (
        Limit(Payer.COMPANY, "*", Period.MONTH, Decimal("500.000000000001"), None),
        Limit(Payer.KEY, "k1", Period.DAY, None, 0),
        Limit(Payer.KEY, MEASURING_KEY, Period.DAY, Decimal(1), None),
    )


def test_restraints_come_from_the_settings(tmp_path: Path) -> None:
    assert build_restraint_shares(load_settings(home=tmp_path)) == RestraintShares(0.8, 0.9, 0.97)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"budgets": [{"payer": "team", "period": "day"}]}, "limits usd, tokens, or both"),
        ({"budgets": [{"payer": "company", "name": "acme", "period": "day", "tokens": 1}]}, "leave its name out"),
        ({"budgets": [{"payer": "team", "period": "day", "usd": 50.0}]}, "an amount in US dollars stands in quotes"),
        ({"budgets": [{"payer": "team", "period": "day", "usd": "-1"}]}, "below 10 million with at most twelve decimals"),
        ({"budgets": [{"payer": "team", "period": "week", "tokens": 1}]}, "'day' or 'month'"),
        ({"budget_restraints": {"compressed_only": 0.9, "small_only": 0.8, "free_only": 1.0}}, "must not fall"),
        ({"ledger": {"url": "mysql://x", "keep_question_text": False, "lost_after_s": 1}}, "begins with postgresql://"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load_settings(home=tmp_path, **arguments)
