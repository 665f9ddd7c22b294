"""The arithmetic of a report."""

from dataclasses import replace
from decimal import Decimal

from app.costs.hits import HitSum
from app.costs.reports import Summary, add_hits_to

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
    cached_answers=1,
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
    assert PLAIN.cached_share == 0.125


def test_what_is_not_known_is_not_made_up() -> None:
    unknown = replace(PLAIN, unknown_cost_entries=1)
    assert (unknown.cost_per_answer_usd, unknown.cost_per_good_answer_usd) == (None, None)
    unjudged = replace(PLAIN, right_answers=0, wrong_answers=0, good_answers=0)
    assert (unjudged.good_share, unjudged.cost_per_good_answer_usd) == (None, None)
    assert replace(PLAIN, good_answers=0).cost_per_good_answer_usd is None
    silent = replace(PLAIN, answers=0)
    assert (silent.cost_per_answer_usd, silent.zero_token_share, silent.cached_share) == (None, None, None)


def test_hits_make_answers_cheaper_and_are_added_up() -> None:
    once = PLAIN.with_hits(HitSum(30, Decimal(2), 1))
    assert (once.answers, once.zero_token_answers, once.cached_answers, once.cache_hits) == (38, 32, 31, 30)
    assert (once.saved_usd, once.entries, once.spent_usd) == (Decimal(3), 12, Decimal("0.4"))
    twice = once.with_hits(HitSum(2, Decimal("0.5")))
    assert (twice.cost_per_answer_usd, twice.hits) == (Decimal("0.01"), HitSum(32, Decimal("2.5"), 1))


def test_a_group_of_nothing_but_hits_has_a_row() -> None:
    rows = add_hits_to([replace(PLAIN, name="sales")], {"ops": HitSum(3, Decimal(1)), None: HitSum(1, Decimal(0), 1)})
    assert {row.name: (row.entries, row.answers, row.spent_usd, row.saved_usd) for row in rows} == {
        "sales": (12, 8, Decimal("0.4"), Decimal(1)),
        "ops": (0, 3, Decimal(0), Decimal(1)),
        None: (0, 1, Decimal(0), Decimal(0)),
    }


def test_an_abstention_that_is_given_again_is_no_answer() -> None:
    found = PLAIN.with_hits(HitSum(30, Decimal(2), 0, abstained=30))
    assert found == replace(PLAIN, abstentions=32, saved_usd=Decimal(3), hits=found.hits)
    assert found.cost_per_answer_usd == PLAIN.cost_per_answer_usd
