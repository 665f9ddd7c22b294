"""Measuring: what is drawn, what is asked, what is billed, and that nothing waits for it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.access.callers import Caller
from app.answering.measuring import Measuring, NaiveText
from app.answers.answers import Abstention, Answer, Answered
from app.answers.events import Decision, Step
from app.costs.budgets import Limit, Payer, Period
from app.costs.ledger import Entry, Outcome, Spender, Surface
from app.costs.measured import MEASURING_KEY, MeasuredPair
from app.costs.pricing import Price
from app.costs.receipts import NaivePrompt, Receipt, Stage
from app.generation.endpoints import Endpoint, Prompt, Rungs
from app.generation.errors import EndpointUnavailableError, StreamCutError
from indexing.documents import AccessScope
from retrieval.errors import SearchError
from retrieval.passages import Query
from tests.fakes.entries import build_entry, free_line, paid_line
from tests.fakes.generator import FakeGenerator
from tests.fakes.ledger import FakeLedger
from tests.fakes.tokens import FakeTokenCounter

COUNTER = FakeTokenCounter()
PRICE = Price(Decimal(1), Decimal(10))
SCOPE = AccessScope("default", frozenset({"hr"}))
ASKER = Caller(SCOPE, Spender(Surface.HTTP, "ada", "sales"))
LOWEST, HIGHEST = "0" * 32, "f" * 32


def answer(rung: str = "small", *, notes: tuple[str, ...] = (), answered: bool = True, identity: str = LOWEST) -> Answer:
    steps = (Step(rung, Decision.TRY, "tried"),) if rung in {"small", "small-wide", "strong"} else ()
    about = (identity, "How many days?", "g1", Receipt((free_line(), paid_line()), NaivePrompt(2_000, None), 25.0, notes), steps)
    return Answered(*about, "27. [1]", (), rung, 1.0) if answered else Abstention(*about, ())


class Bench:
    """Measuring over fakes."""

    def __init__(self, ledger: FakeLedger, price: Price | None = PRICE) -> None:
        self.ledger = ledger
        self.small = FakeGenerator(lambda _: "They have 27 days.", COUNTER)
        self.strong = FakeGenerator(lambda _: "They have 27 days in all.", COUNTER)
        self.asked: list[tuple[Query, AccessScope]] = []
        self.failure: Exception | None = None
        self.rungs = Rungs(
            (Endpoint("mini", "mini", self.small, price, 9_000, 300),), (Endpoint("max", "max", self.strong, PRICE, 9_000, 300),)
        )

    def write(self, query: Query, scope: AccessScope) -> NaiveText:
        self.asked.append((query, scope))
        if self.failure:
            raise self.failure
        return NaiveText(f"Context: {query.text}", "g2")

    @contextmanager
    def measuring(self, share: float = 1.0) -> Iterator[Measuring]:
        """Closed at the end, after what was offered has been dealt with."""
        measuring = Measuring(share, self.write, self.rungs, self.ledger, "p1", COUNTER)
        yield measuring
        deadline = time.monotonic() + 10
        while measuring._worker.waiting and time.monotonic() < deadline:
            time.sleep(0.005)
        measuring.close()


@pytest.fixture
def ledger() -> FakeLedger:
    return FakeLedger([Limit(Payer.KEY, MEASURING_KEY, Period.DAY, usd=Decimal(1))])


@pytest.fixture
def bench(ledger: FakeLedger) -> Bench:
    return Bench(ledger)


def entry_of(ledger: FakeLedger) -> Entry:
    (entry,) = ledger.written.values()
    return entry


def test_the_naive_prompt_is_sent_in_the_askers_rights_and_billed_apart(bench: Bench, ledger: FakeLedger) -> None:
    with bench.measuring() as measuring:
        measuring.offer(LOWEST, answer(), Query("How many days?", "leave"), ASKER)
    assert bench.asked == [(Query("How many days?", "leave"), SCOPE)]
    assert bench.small.prompts == [Prompt("", "Context: How many days?", wants_json=False)]
    entry = entry_of(ledger)
    assert (entry.id, entry.outcome, entry.rung_path, entry.generation) == (f"{LOWEST}-measured", Outcome.WORK, ("small",), "g2")
    assert entry.spender == Spender(Surface.BACKGROUND, key=MEASURING_KEY)
    (line,) = entry.receipt.lines
    assert (line.stage, line.rung, line.model) == (Stage.MEASURE, "small", "mini")
    assert line.cost_usd == Decimal(line.input_tokens + 10 * line.output_tokens) / 1_000_000 > 0
    assert entry.receipt.saved_usd == -line.cost_usd  # what measuring costs is not saved


def test_the_pair_is_read_by_the_reports(bench: Bench, ledger: FakeLedger) -> None:
    ledger.settle(build_entry([paid_line("0.25")], id=LOWEST, at=datetime.now(UTC)))
    with bench.measuring() as measuring:
        measuring.offer(LOWEST, answer(), Query("How many days?"), ASKER)
    naive = ledger.written[f"{LOWEST}-measured"].receipt.cost_usd
    long_ago, far_off = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    assert ledger.measured_pairs(long_ago, far_off) == [MeasuredPair(LOWEST, Decimal("0.25"), naive)]


@pytest.mark.parametrize(
    ("given", "model"),
    [
        (answer("small-wide"), "mini"),
        (answer("strong"), "max"),
        (answer("extractive"), "mini"),
        (answer("cache"), "mini"),
        (answer("strong", answered=False), "max"),
        (answer("extractive", answered=False), "mini"),
    ],
)
def test_the_model_is_that_of_the_answers_rung(bench: Bench, ledger: FakeLedger, given: Answer, model: str) -> None:
    with bench.measuring() as measuring:
        measuring.offer(LOWEST, given, Query("How many days?"), ASKER)
    assert entry_of(ledger).receipt.lines[0].model == model


@pytest.mark.parametrize(
    ("share", "identity", "given", "surface"),
    [
        (0.0, LOWEST, answer(), Surface.HTTP),
        (0.5, HIGHEST, answer(), Surface.HTTP),
        (1.0, LOWEST, answer(notes=("The budget is 85% used.",)), Surface.HTTP),
        (1.0, LOWEST, answer(), Surface.EVAL),
        (1.0, LOWEST, answer(), Surface.COMMAND_LINE),
        (1.0, LOWEST, answer(), Surface.BACKGROUND),
    ],
    ids=["none", "not-drawn", "restrained", "eval", "command-line", "background"],
)
def test_what_is_not_drawn_is_left_alone(bench: Bench, share: float, identity: str, given: Answer, surface: Surface) -> None:
    with bench.measuring(share) as measuring:
        measuring.offer(identity, given, Query("How many days?"), Caller(SCOPE, Spender(surface)))
    assert bench.asked == []


def test_everything_is_drawn_with_a_share_of_one(bench: Bench) -> None:
    with bench.measuring(1.0) as measuring:
        measuring.offer(HIGHEST, answer(), Query("How many days?"), ASKER)
    assert len(bench.asked) == 1


def test_the_budget_of_its_own_cannot_be_overspent() -> None:
    ledger = FakeLedger([Limit(Payer.KEY, MEASURING_KEY, Period.DAY, usd=Decimal("0.01"))])
    bench = Bench(ledger)
    with bench.measuring() as measuring:
        for number in range(20):
            measuring.offer(f"{number:032x}", answer(), Query("How many days?"), ASKER)
    spent = sum(entry.receipt.cost_usd or 0 for entry in ledger.written.values())
    assert 0 < len(ledger.written) < 20 or spent <= Decimal("0.01")
    assert spent <= Decimal("0.01")


def test_a_model_without_a_price_is_not_measured(ledger: FakeLedger) -> None:
    bench = Bench(ledger, price=None)
    with bench.measuring() as measuring:
        measuring.offer(LOWEST, answer(), Query("How many days?"), ASKER)
    assert bench.small.prompts == []
    assert ledger.written == {}


@pytest.mark.parametrize(
    ("failure", "output_tokens"),
    [(EndpointUnavailableError("down"), 0), (StreamCutError("cut", written="They have", sent=True), 2)],
)
def test_a_call_that_fails_is_billed_and_is_no_pair(
    bench: Bench, ledger: FakeLedger, failure: EndpointUnavailableError | StreamCutError, output_tokens: int
) -> None:
    bench.small.failures = [failure]
    with bench.measuring() as measuring:
        measuring.offer(LOWEST, answer(), Query("How many days?"), ASKER)
    entry = entry_of(ledger)
    assert (entry.rung_path, entry.receipt.output_tokens) == ((), output_tokens)
    spender = Spender(Surface.BACKGROUND, key=MEASURING_KEY)
    tightest = ledger.standing(spender).tightest
    assert tightest is not None
    assert tightest.used_share == float(entry.receipt.cost_usd or 0)  # nothing stays set aside


def test_a_search_that_fails_does_not_stop_the_next_one(bench: Bench) -> None:
    bench.failure = SearchError("The index did not answer.")
    with bench.measuring() as measuring:
        measuring.offer(LOWEST, answer(), Query("one"), ASKER)
        while not bench.asked:
            time.sleep(0.005)
        bench.failure = None
        measuring.offer(HIGHEST, answer(), Query("two"), ASKER)
    assert len(bench.small.prompts) == 1


def test_who_asks_never_waits_and_the_end_drops_what_waits(bench: Bench, ledger: FakeLedger) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(_: Prompt) -> str:
        entered.set()
        go_on.wait(10)
        return "They have 27 days."

    bench.small._answer = slow
    measuring = Measuring(1.0, bench.write, bench.rungs, ledger, "p1", COUNTER)
    began = time.monotonic()
    for number in range(100):
        measuring.offer(f"{number:032x}", answer(), Query("How many days?"), ASKER)
    assert time.monotonic() - began < 2
    assert entered.wait(10)
    closing: Callable[[], None] = measuring.close
    closer = threading.Thread(target=closing)
    closer.start()
    go_on.set()
    closer.join(10)
    assert not closer.is_alive()
    assert 1 <= len(ledger.written) <= 34  # the one in flight, and at most what waited
    measuring.offer(HIGHEST, answer(), Query("too late"), ASKER)
    assert f"{HIGHEST}-measured" not in ledger.written


def test_without_models_there_is_nothing_to_measure(ledger: FakeLedger) -> None:
    bench = Bench(ledger)
    bench.rungs = Rungs()
    with bench.measuring() as measuring:
        measuring.offer(LOWEST, answer("extractive"), Query("How many days?"), ASKER)
    assert bench.asked == []


def test_a_strong_model_alone_is_asked(bench: Bench, ledger: FakeLedger) -> None:
    bench.rungs = Rungs((), bench.rungs.strong)
    with bench.measuring() as measuring:
        measuring.offer(LOWEST, answer("extractive"), Query("How many days?"), ASKER)
    assert entry_of(ledger).receipt.lines[0].model == "max"
