"""What every `Ledger` with its `LedgerReader` keeps to. A test class gives the fixture `open_ledger`."""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import pytest

from app.costs.budgets import Limit, Payer, Period
from app.costs.errors import BudgetExhaustedError, UnknownEntryError
from app.costs.hits import AnsweringLedger
from app.costs.ledger import Entry, Hold, Outcome, Spender, Surface
from app.costs.measured import SUFFIX, MeasuredPair, ReportReader
from app.costs.pricing import Price, Usage, price_usage
from app.costs.receipts import NaivePrompt, Receipt, ReceiptLine, Stage
from app.costs.reports import Grouping, Summary, Verdict

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
LONG_AGO, FAR_OFF = datetime(1971, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
ANN = Spender(Surface.HTTP, person="ann", team="sales", key="k1")
BOB = Spender(Surface.COMMAND_LINE, person="bob", team="sales")
NOBODY = Spender(Surface.BATCH)
CALLS, CALLS_OF_A_BILL = 10_000, 25
DAILY = Limit(Payer.COMPANY, "*", Period.DAY, usd=Decimal(1))


@dataclass
class Clock:
    """The time of day, as a test sets it."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Opened:
    ledger: AnsweringLedger
    reader: ReportReader
    clock: Clock

    def whole(self) -> Summary:
        (row,) = self.reader.summary(LONG_AGO, FAR_OFF, None)
        return row

    def by(self, by: Grouping) -> dict[str | None, Summary]:
        return {row.name: row for row in self.reader.summary(LONG_AGO, FAR_OFF, by)}

    def entries(self) -> list[Entry]:
        return list(self.reader.entries(LONG_AGO, FAR_OFF))

    def share(self, spender: Spender = ANN) -> float:
        tightest = self.ledger.standing(spender).tightest
        assert tightest is not None
        return tightest.used_share


class OpenLedger(Protocol):
    def __call__(self, limits: Sequence[Limit] = ()) -> Opened: ...


def bill(
    identity: str,
    cost: str | None = "0.25",
    *,
    spender: Spender = ANN,
    at: datetime = NOON,
    outcome: Outcome = Outcome.ANSWERED,
    groundedness: float | None = 1.0,
    lines: tuple[ReceiptLine, ...] | None = None,
) -> Entry:
    """An entry whose one paid line costs `cost`: nothing is a free answer, `None` an unknown price."""
    paid = cost is None or Decimal(cost) != 0
    usage = (1000, 50, 200) if paid else (0, 0, 0)
    line = ReceiptLine(
        Stage.GENERATE,
        usage[0],
        usage[1],
        None if cost is None else Decimal(cost),
        12.5,
        usage[2],
        rung="small" if paid else "extractive",
        model="openai/gpt-5-mini" if paid else None,
    )
    free = ReceiptLine(Stage.SEARCH, 0, 0, Decimal(0), 3.25)
    return Entry(
        id=identity,
        at=at,
        spender=spender,
        question_hash="ab" * 32,
        question=None,
        outcome=outcome,
        rung_path=("extractive", "small") if paid else ("extractive",),
        receipt=Receipt(lines or (free, line), NaivePrompt(2500, Decimal("0.75")), 40.5, ("compressed only",)),
        groundedness=groundedness,
        generation="g1",
        prices="p1",
        prompt="q1",
        profile=None,
    )


def hold(identity: str, cost: str | None = "0.25", tokens: int = 1000, spender: Spender = ANN) -> Hold:
    return Hold(identity, spender, None if cost is None else Decimal(cost), tokens)


class LedgerContract:
    """The rules of money, whatever it is kept in."""

    def test_what_is_settled_is_read_back_to_the_last_digit(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        entries = [
            replace(bill("a", "0.000000000001"), profile="lean"),
            bill("b", None, spender=BOB, outcome=Outcome.FAILED, groundedness=None, at=NOON + timedelta(seconds=1)),
            bill("c", "0", spender=NOBODY, outcome=Outcome.ABSTAINED, groundedness=0.5, at=NOON + timedelta(microseconds=1)),
        ]
        for entry in entries:
            opened.ledger.settle(entry)
        assert opened.entries() == [entries[0], entries[2], entries[1]]

    def test_settling_again_changes_nothing(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY])
        opened.ledger.settle(bill("a", "0.25"))
        opened.ledger.settle(bill("a", "0.25"))
        opened.ledger.settle(bill("a", "0.75", outcome=Outcome.FAILED))
        assert opened.entries() == [bill("a", "0.25")]
        assert opened.share() == 0.25

    def test_without_limits_nothing_stands_against_a_spender(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        opened.ledger.reserve(hold("a", None, 10**9))
        assert opened.ledger.standing(ANN).tightest is None

    def test_holds_of_one_answer_add_up_and_are_released_by_its_entry(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY])
        opened.ledger.reserve(hold("a", "0.25"))
        opened.ledger.reserve(hold("a", "0.5"))
        opened.ledger.reserve(hold("b", "0.125"))
        assert opened.share() == 0.875
        opened.ledger.settle(bill("a", "0.0625"))
        assert opened.share() == 0.1875

    def test_the_last_cent_can_be_spent_and_not_one_digit_more(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY])
        opened.ledger.settle(bill("a", "0.75"))
        with pytest.raises(BudgetExhaustedError):
            opened.ledger.reserve(hold("b", "0.250000000001"))
        assert opened.share() == 0.75
        opened.ledger.reserve(hold("b", "0.25"))
        with pytest.raises(BudgetExhaustedError):
            opened.ledger.reserve(hold("c", "0.000000000001"))

    def test_a_refusal_says_which_limit_how_far_and_until_when(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([Limit(Payer.TEAM, "sales", Period.MONTH, usd=Decimal(2))])
        opened.ledger.settle(bill("a", "1.5"))
        with pytest.raises(
            BudgetExhaustedError, match=r"monthly budget of the team sales is 75% used.*2026-04-01 00:00"
        ) as caught:
            opened.ledger.reserve(hold("b", "0.75"))
        assert caught.value.resets_at == datetime(2026, 4, 1, tzinfo=UTC)

    def test_one_full_limit_sets_nothing_aside_on_the_others(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY, Limit(Payer.PERSON, "ann", Period.DAY, tokens=500)])
        with pytest.raises(BudgetExhaustedError, match="person ann"):
            opened.ledger.reserve(hold("a", "0.25", 501))
        assert opened.share() == 0

    def test_tokens_are_limited_like_dollars(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([Limit(Payer.KEY, "*", Period.DAY, tokens=2000)])
        opened.ledger.settle(bill("a", "0.25"))
        assert opened.share() == 1050 / 2000
        opened.ledger.reserve(hold("b", "0.25", 950))
        with pytest.raises(BudgetExhaustedError):
            opened.ledger.reserve(hold("c", "0.25", 1))
        opened.ledger.reserve(hold("d", "0.25", 10**6, spender=BOB))  # has no key

    def test_a_limit_for_each_binds_each_alone(self, open_ledger: OpenLedger) -> None:
        each = Limit(Payer.PERSON, "*", Period.DAY, usd=Decimal("0.25"))
        opened = open_ledger([each, Limit(Payer.PERSON, "bob", Period.DAY, usd=Decimal(1))])
        opened.ledger.reserve(hold("a", "0.25"))
        with pytest.raises(BudgetExhaustedError):
            opened.ledger.reserve(hold("b", "0.25"))
        opened.ledger.reserve(hold("c", "0.75", spender=BOB))  # his own limit stands in place of everybody's
        assert (opened.share(ANN), opened.share(BOB)) == (1.0, 0.75)

    def test_an_unknown_cost_fits_into_no_limit_in_dollars(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY])
        with pytest.raises(BudgetExhaustedError, match="unknown") as caught:
            opened.ledger.reserve(hold("a", None))
        assert caught.value.resets_at is None
        opened.ledger.settle(bill("b", None))
        assert opened.share() == 1.0
        with pytest.raises(BudgetExhaustedError, match="unknown cost"):
            opened.ledger.reserve(hold("c", "0.01"))

    def test_an_unknown_cost_fits_into_a_limit_in_tokens(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([Limit(Payer.COMPANY, "*", Period.DAY, tokens=2000)])
        opened.ledger.reserve(hold("a", None, 1000))
        opened.ledger.settle(bill("a", None))
        assert opened.share() == 1050 / 2000

    def test_a_limit_of_zero_is_used_up_and_admits_what_is_free(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([Limit(Payer.COMPANY, "*", Period.DAY, usd=Decimal(0))])
        assert opened.share() == 1.0
        with pytest.raises(BudgetExhaustedError):
            opened.ledger.reserve(hold("a", "0.000000000001"))
        opened.ledger.reserve(hold("b", "0"))

    def test_what_a_call_cost_beyond_its_hold_is_booked_all_the_same(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY])
        opened.ledger.reserve(hold("a", "0.25"))
        opened.ledger.settle(bill("a", "1.5"))
        assert opened.share() == 1.5

    def test_a_limit_begins_anew(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY, Limit(Payer.COMPANY, "*", Period.MONTH, usd=Decimal(10))])
        opened.ledger.settle(bill("a", "1"))
        opened.clock.now = NOON + timedelta(hours=12)
        assert [use.used_share for use in opened.ledger.standing(ANN).uses] == [0.0, 0.0]  # the first of April
        opened.clock.now = NOON + timedelta(hours=12, microseconds=-1)
        assert [use.used_share for use in opened.ledger.standing(ANN).uses] == [1.0, 0.1]

    def test_an_answer_over_midnight_is_booked_where_its_money_was_set_aside(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY])
        opened.ledger.reserve(hold("a", "0.5"))
        opened.clock.now = NOON + timedelta(days=1)
        opened.ledger.settle(bill("a", "0.25", at=opened.clock.now))
        assert opened.share() == 0
        opened.clock.now = NOON
        assert opened.share() == 0.25

    @pytest.mark.parametrize("jump", [timedelta(days=-20_000), timedelta(days=20_000), timedelta(hours=-13)])
    def test_a_clock_that_jumps_breaks_nothing(self, open_ledger: OpenLedger, jump: timedelta) -> None:
        opened = open_ledger([DAILY])
        opened.ledger.reserve(hold("a", "0.5"))
        opened.clock.now = NOON + jump
        opened.ledger.reserve(hold("a", "0.25"))
        opened.ledger.reserve(hold("b", "0.25"))
        opened.ledger.settle(bill("a", "0.125", at=opened.clock.now))
        opened.clock.now = NOON
        opened.ledger.settle(bill("b", "0.125", at=NOON + jump))
        settled = [opened.share()]
        opened.clock.now = NOON + jump
        settled.append(opened.share())
        assert sum(settled) == 0.25  # each bill once, in one period, and no hold is left in either
        rows = opened.reader.summary(datetime(1900, 1, 1, tzinfo=UTC), FAR_OFF, None)
        assert (rows[0].entries, rows[0].spent_usd) == (2, Decimal("0.25"))

    def test_threads_that_race_for_the_last_dollar_overspend_nothing(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY])
        granted = []

        def race(runner: int) -> None:
            for n in range(10):
                try:
                    opened.ledger.reserve(hold(f"{runner}-{n}", "0.05"))
                except BudgetExhaustedError:
                    return
                opened.ledger.settle(bill(f"{runner}-{n}", "0.05"))
                granted.append(n)

        runners = [threading.Thread(target=race, args=(runner,)) for runner in range(8)]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()
        assert len(granted) == 20
        assert opened.whole().spent_usd == 1
        assert opened.share() == 1.0

    def test_the_whole_adds_up(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        assert opened.whole() == Summary(None, 0, 0, 0, 0, 0, Decimal(0), 0, Decimal(0), 0, 0, 0, 0, 0, 0, 0, 0, 0, None)
        for entry in (
            bill("a", "0.25"),
            bill("b", "0.125", spender=BOB, groundedness=0.5),
            bill("c", "0"),
            bill("d", None, outcome=Outcome.FAILED, groundedness=None),
            bill("e", "1", outcome=Outcome.LOST, groundedness=None),
            bill("f", "0", outcome=Outcome.ABSTAINED, groundedness=None),
        ):
            opened.ledger.settle(entry)
        opened.reader.add_feedback("a", Verdict.WRONG, "ann", None)
        opened.reader.add_feedback("a", Verdict.RIGHT, "ann", "on second thought")
        opened.reader.add_feedback("b", Verdict.RIGHT, None, None)
        opened.reader.add_feedback("c", Verdict.WRONG, None, None)
        opened.reader.add_feedback("f", Verdict.RIGHT, None, None)  # an abstention is no answer
        last = [opened.reader.last_verdict(one) for one in ("a", "c", "d", "no such")]
        assert last == [Verdict.RIGHT, Verdict.WRONG, None, None]
        whole = opened.whole()
        assert whole == Summary(
            name=None,
            entries=6,
            answers=3,
            abstentions=1,
            failed=1,
            lost=1,
            spent_usd=Decimal("1.375"),
            unknown_cost_entries=1,
            saved_usd=Decimal("2.375"),
            unknown_saved_entries=1,
            input_tokens=4000,
            output_tokens=200,
            cached_input_tokens=800,
            zero_token_answers=1,
            cached_answers=0,
            right_answers=2,
            wrong_answers=1,
            good_answers=1,
            groundedness=2.5 / 3,
        )
        assert whole.cost_per_answer_usd is None
        assert whole.cost_per_good_answer_usd is None

    def test_people_teams_surfaces_and_days_add_up_each_for_itself(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        opened.ledger.settle(bill("a", "0.25"))
        opened.ledger.settle(bill("b", "0.5", spender=BOB, at=NOON + timedelta(days=1)))
        opened.ledger.settle(bill("c", "0", spender=NOBODY))
        spent = {by: {row.name: row.spent_usd for row in opened.by(by).values()} for by in ("person", "team", "surface", "day")}
        quarter, half, nothing = Decimal("0.25"), Decimal("0.5"), Decimal(0)
        assert list(spent["person"].items()) == [("bob", half), ("ann", quarter), (None, nothing)]
        assert spent["team"] == {"sales": Decimal("0.75"), None: nothing}
        assert spent["surface"] == {"http": quarter, "cli": half, "batch": nothing}
        assert list(spent["day"].items()) == [("2026-03-31", quarter), ("2026-04-01", half)]
        assert opened.by("day")["2026-03-31"].cost_per_answer_usd == Decimal("0.125")

    def test_rungs_models_and_stages_get_the_money_of_their_lines(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        lines = (
            ReceiptLine(Stage.SEARCH, 0, 0, Decimal(0), 1.0),
            ReceiptLine(Stage.GENERATE, 100, 10, Decimal("0.25"), 1.0, rung="small", model="m1"),
            ReceiptLine(Stage.JUDGE, 10, 1, None, 1.0, rung="small", model="m1"),
            ReceiptLine(Stage.GENERATE, 200, 20, Decimal("0.5"), 1.0, rung="strong", model="m2"),
        )
        opened.ledger.settle(replace(bill("a", lines=lines), rung_path=("small", "strong")))
        opened.ledger.settle(bill("b", "0"))
        rungs, models, stages = opened.by("rung"), opened.by("model"), opened.by("stage")
        assert {name: (row.spent_usd, row.answers, row.unknown_cost_entries) for name, row in rungs.items()} == {
            None: (Decimal(0), 0, 0),
            "extractive": (Decimal(0), 1, 0),
            "small": (Decimal("0.25"), 0, 1),
            "strong": (Decimal("0.5"), 1, 0),
        }
        assert rungs["extractive"].saved_usd == Decimal("0.75")
        assert {name: (row.input_tokens, row.answers) for name, row in models.items()} == {
            None: (0, 2),
            "m1": (110, 1),
            "m2": (200, 1),
        }
        assert (stages["generate"].entries, stages["generate"].spent_usd) == (2, Decimal("0.75"))
        assert models["m2"].saved_usd is None

    def test_what_was_measured_is_read_beside_what_its_answer_cost(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        for identity, cost in (("a", "0.25"), ("b", "0"), ("c", None), ("d", "0.5"), ("e", "0.5"), ("f", "0.5")):
            opened.ledger.settle(bill(identity, cost))
        for identity, cost in (("b", "0.75"), ("a", "1.000000000001"), ("c", "1"), ("d", None), ("nobody", "1")):
            opened.ledger.settle(bill(f"{identity}{SUFFIX}", cost, outcome=Outcome.WORK, groundedness=None))
        failed = bill(f"e{SUFFIX}", "0.125", outcome=Outcome.WORK, groundedness=None)
        opened.ledger.settle(replace(failed, rung_path=()))
        late = bill(f"f{SUFFIX}", "1", outcome=Outcome.WORK, groundedness=None, at=NOON + timedelta(days=2))
        opened.ledger.settle(late)
        opened.ledger.settle(bill("g-audit", "1", outcome=Outcome.WORK))
        assert opened.reader.measured_pairs(NOON, NOON + timedelta(days=1)) == [
            MeasuredPair("b", Decimal(0), Decimal("0.75")),
            MeasuredPair("a", Decimal("0.25"), Decimal("1.000000000001")),
        ]
        assert [pair.answer_id for pair in opened.reader.measured_pairs(NOON + timedelta(days=1), FAR_OFF)] == ["f"]

    def test_only_what_lies_within_counts(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        for n in range(4):
            opened.ledger.settle(bill(str(n), at=NOON + timedelta(hours=n)))
        since, until = NOON + timedelta(hours=1), NOON + timedelta(hours=3)
        assert [entry.id for entry in opened.reader.entries(since, until)] == ["1", "2"]
        assert opened.reader.summary(since, until, None)[0].entries == 2
        assert [row.entries for row in opened.reader.summary(since, until, "stage")] == [2, 2]
        assert opened.reader.summary(FAR_OFF, FAR_OFF, "team") == []

    def test_a_verdict_on_nothing_is_an_error_that_names_it(self, open_ledger: OpenLedger) -> None:
        with pytest.raises(UnknownEntryError, match="'no-such-answer'"):
            open_ledger().reader.add_feedback("no-such-answer", Verdict.RIGHT, None, None)

    def test_ten_thousand_generated_calls_agree_to_the_last_digit(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        rng = random.Random(4)
        expected = [generated(rng, n) for n in range(CALLS // CALLS_OF_A_BILL)]
        for entry in expected:
            opened.ledger.settle(entry)
        known = [line.cost_usd for entry in expected for line in entry.receipt.lines if line.cost_usd is not None]
        assert opened.entries() == expected
        assert opened.whole().spent_usd == sum(known)
        for by in ("model", "stage", "rung", "team", "day"):
            assert sum(row.spent_usd for row in opened.by(by).values()) == sum(known)


def generated(rng: random.Random, number: int) -> Entry:
    """A bill of many calls, each priced exactly by hand: whole millionths of a dollar per million tokens."""
    lines = []
    for _ in range(CALLS_OF_A_BILL):
        prices = [rng.choice([rng.randint(0, 99), rng.randint(10**4, 10**8)]) for _ in range(3)]
        tokens = rng.choice([rng.randint(0, 9), rng.randint(0, 200_000)])
        usage = Usage(tokens, rng.randint(0, 9_000), rng.randint(0, tokens))
        price = Price(*(Decimal(micro) / 10**6 for micro in (prices[0], prices[1], prices[2])))
        cost = price_usage(usage, price)
        fresh = tokens - usage.cached_input_tokens
        pico = fresh * prices[0] + usage.output_tokens * prices[1] + usage.cached_input_tokens * prices[2]
        assert cost is not None
        assert int(cost.scaleb(12)) == cost.scaleb(12) == pico
        known = cost if rng.random() < 0.95 else None
        rung, model = rng.choice([("small", "m1"), ("strong", "m2")])
        stage = rng.choice([Stage.GENERATE, Stage.JUDGE])
        lines.append(ReceiptLine(stage, tokens, usage.output_tokens, known, rng.random(), usage.cached_input_tokens, rung, model))
    at = NOON + timedelta(seconds=number)
    return bill(f"g{number}", lines=tuple(lines), at=at, spender=rng.choice([ANN, BOB, NOBODY]))
