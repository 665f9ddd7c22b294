"""The arithmetic of a report."""

from dataclasses import replace
from decimal import Decimal

from app.costs.reports import Summary

PLAIN = Summary(
    name=None,
    entries=12,
    answers=8,
    abstentions=2,
    failed=1,
    lost=1,
    spent_usd=Decimal("0.4"),
    unknown_cost_entries=0,
    saved_usd=Decimal(1),
    unknown_saved_entries=0,
    input_tokens=100,
    output_tokens=10,
    cached_input_tokens=0,
    zero_token_answers=2,
    right_answers=3,
    wrong_answers=1,
    good_answers=2,
    groundedness=0.9,
)


def test_answers_pay_for_everything_that_was_spent() -> None:
    assert PLAIN.cost_per_answer_usd == Decimal("0.05")


def test_good_answers_pay_for_the_others_too() -> None:
    assert PLAIN.good_share == 0.5
    assert PLAIN.cost_per_good_answer_usd == Decimal("0.1")


def test_shares_are_of_the_answers() -> None:
    assert PLAIN.zero_token_share == 0.25


def test_what_is_not_known_is_not_made_up() -> None:
    unknown = replace(PLAIN, unknown_cost_entries=1)
    assert (unknown.cost_per_answer_usd, unknown.cost_per_good_answer_usd) == (None, None)
    unjudged = replace(PLAIN, right_answers=0, wrong_answers=0, good_answers=0)
    assert (unjudged.good_share, unjudged.cost_per_good_answer_usd) == (None, None)
    assert replace(PLAIN, good_answers=0).cost_per_good_answer_usd is None
    silent = replace(PLAIN, answers=0)
    assert (silent.cost_per_answer_usd, silent.zero_token_share) == (None, None)
