import io
from decimal import Decimal

import pytest

from app.cli.figures import bar, counted, percent, print_whole, sparkline
from app.cli.rendering import console, table
from app.costs.pricing import amount


@pytest.mark.parametrize(("share", "drawn"), [(0, ""), (1, "████████"), (0.5, "████"), (0.0001, "▏"), (0.99, "███████▉")])
def test_a_bar_is_as_long_as_its_share(share: float, drawn: str) -> None:
    assert bar(share) == drawn.ljust(8)


def test_a_longer_bar_is_never_a_smaller_share() -> None:
    drawn = [bar(number / 1000) for number in range(1001)]
    assert drawn == sorted(drawn, key=lambda text: (text.count("█"), -ord(text.strip("█ ") or "\uffff")))
    assert {len(text) for text in drawn} == {8}


def test_a_sparkline_has_a_column_for_each_amount() -> None:
    assert sparkline([Decimal(number) for number in range(8)]) == "▁▂▃▄▅▆▇█"
    assert sparkline([Decimal(0), Decimal(0)]) == "▁▁"
    assert sparkline([]) == ""


def test_a_long_sparkline_draws_neighbours_together() -> None:
    assert sparkline([Decimal(1)] * 120) == "█" * 60
    assert len(sparkline([Decimal(1)] * 3650)) == 60


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (None, "unknown"), ("0", "$0"), ("0.00118", "$0.00118"), ("-0.5", "-$0.50000"), ("12.346", "$12.35"),
        ("-1234.5", "-$1,234"), ("1234567.8", "$1,234,568"),
    ],
)  # fmt: skip
def test_amounts_of_any_size_can_be_read(usd: str | None, shown: str) -> None:
    assert amount(None if usd is None else Decimal(usd)) == shown


def test_a_share_that_is_not_known_is_no_zero() -> None:
    assert (percent(None), percent(0.0), percent(0.7125)) == ("unknown", "0.0 %", "71.2 %")


def test_one_is_not_many() -> None:
    assert [counted(count, "entry", "entries") for count in (0, 1, 2000)] == ["0 entries", "1 entry", "2,000 entries"]


def test_a_table_is_never_cut() -> None:
    out = io.StringIO()
    rows = table("name", *("figure" for _ in range(20)))
    rows.add_row("x" * 60, *("1,234,567,890" for _ in range(20)))
    print_whole(rows, console(out))
    assert "…" not in out.getvalue()
    assert out.getvalue().count("1,234,567,890") == 20
