from datetime import UTC, datetime, timedelta

import pytest

from app.cli.since import parse_since
from app.errors import CommandError

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [("24h", timedelta(hours=24)), ("30d", timedelta(days=30)), ("12w", timedelta(weeks=12)), ("1d", timedelta(days=1))],
)
def test_hours_days_and_weeks_are_counted_from_now(text: str, ago: timedelta) -> None:
    assert parse_since(text, NOW) == NOW - ago


def test_a_date_means_its_beginning_in_utc() -> None:
    assert parse_since("2026-10-01", NOW) == datetime(2026, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "d",
        "30m",
        "-3d",
        "3.5d",
        "30d ",
        "999999w",
        "1000000h",
        "yesterday",
        "2026-13-01",
        "2026-02-30",
        "01.10.2026",
        "٣d",
    ],
)
def test_what_is_no_moment_is_named_with_what_would_be(text: str) -> None:
    with pytest.raises(CommandError) as error:
        parse_since(text, NOW)
    assert f"--since {text!r} cannot be read" in str(error.value)
    assert "30d" in str(error.value)


@pytest.mark.parametrize("text", ["0h", "0d", "2026-11-23", "9999-12-31"])
def test_what_is_not_past_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="is not in the past"):
        parse_since(text, NOW)
