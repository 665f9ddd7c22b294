import time
from math import inf

import pytest

from indexing.language import ENGLISH
from indexing.language.quantities import Kind


def facts(text: str) -> list[tuple[Kind, str, str | None]]:
    return [(token.kind, token.key, token.unit) for token in ENGLISH.read(text) if token.kind is not Kind.WORD]


@pytest.mark.parametrize(
    ("text", "key", "unit"),
    [
        ("twelve", "12", None),
        ("1,000 people", "1000", None),
        ("$5k", "5000", "dollar"),
        ("5,000 dollars", "5000", "dollar"),
        ("$1.5 million", "1500000", "dollar"),
        ("$499/month", "499", "dollar"),
        ("50 %", "50", "percent"),
        ("fifty percent", "50", "percent"),
        ("twenty-five days", "25", "day"),
        ("a 30-day trial", "30", "day"),
        ("ten working days", "10", "business day"),
        ("10 business days", "10", "business day"),
        ("10 calendar days", "10", "day"),
        ("a hundred people", "100", None),
        ("one week", "1", "week"),
        ("3rd", "3", "ordinal"),
        ("the third time", "3", "ordinal"),
        ("2.50", "2.5", None),
        ("100", "100", None),
        ("12345678901234567890123456789012345", "12345678901234567890123456789012345", None),
    ],
)
def test_numbers_have_one_form(text: str, key: str, unit: str | None) -> None:
    assert facts(text) == [(Kind.NUMBER, key, unit)]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2024-03-01", "2024-3-1"),
        ("March 1, 2024", "2024-3-1"),
        ("Mar. 1st 2024", "2024-3-1"),
        ("1 March 2024", "2024-3-1"),
        ("the 1st of March", "?-3-1"),
        ("June 2023", "2023-6-?"),
        ("in May", "?-5-?"),
        ("3/4/2024", "2024-3-4|2024-4-3"),
        ("3/24/24", "2024-3-24"),
        ("31/31/2024", "2024-31/31-?"),
    ],
)
def test_dates_have_one_form(text: str, key: str) -> None:
    assert facts(text) == [(Kind.DATE, key, None)]


@pytest.mark.parametrize(("text", "key"), [("10:30 AM", "10:30a"), ("5 p.m.", "5:00p"), ("17:05", "17:05"), ("09:00", "9:00")])
def test_times_have_one_form(text: str, key: str) -> None:
    assert facts(text) == [(Kind.TIME, key, None)]


@pytest.mark.parametrize(
    "code",
    [
        "FL-600",
        "v6.15.0",
        "6.15.0",
        "18F",
        "a.b@example.org",
        "https://example.org/a_b",
        "max_tokens",
        "--all",
        "login.gov",
        "#leave",
    ],
)
def test_codes_are_kept_whole(code: str) -> None:
    assert facts(f"Use {code}, please.") == [(Kind.CODE, code.lower(), None)]


def test_brackets_of_a_paragraph_are_silent() -> None:
    assert facts("401(k)") == facts("401k")


def test_contracted_negations_are_taken_apart() -> None:
    assert [token.key for token in ENGLISH.read("It can't, cannot, won’t and doesn't; Anna's may")] == (  # noqa: RUF001 - the apostrophe is tested
        "it can not can not will not and does not anna may".split()
    )


def test_one_of_them_is_no_number_and_may_no_month() -> None:
    assert facts("One of them may go, and one may stay.") == []


def test_a_capital_after_a_stop_a_quote_or_a_bullet_means_nothing() -> None:
    opening = [token.shown for token in ENGLISH.read('Note: Ask Anna. Then "Say so" (Or Not)') if token.opens]
    assert opening == ["Note", "Ask", "Then", "Say", "Or"]


@pytest.mark.parametrize("piece", ["a+", "a-", "a.", "/a", "1,", "a_", "1:"])
def test_the_time_grows_with_the_length_alone(piece: str) -> None:
    seconds = {2_000: inf, 32_000: inf}
    for _ in range(3):
        for pieces, least in seconds.items():
            start = time.perf_counter()
            ENGLISH.read(piece * pieces)
            seconds[pieces] = min(least, time.perf_counter() - start)
    assert seconds[32_000] < 80 * seconds[2_000]  # 16 times the length: 16 times as long, not 256 times
