"""The ladder climbs when the ground check asks for it, and comes to an end whatever models and budgets do."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.answers.events import Decision, Event, Step, TextPiece
from app.costs.budgets import Restraint, Standing
from app.costs.errors import BudgetExhaustedError, LedgerBusyError
from app.costs.ledger import Entry, Hold, Spender, Surface
from app.costs.pricing import Price, Usage
from app.costs.receipts import NaivePrompt, ReceiptLine, Stage, Till
from app.generation.accounting import UNLIMITED, Allowance
from app.generation.calls import CallKind, Calls
from app.generation.endpoints import Completion, Endpoint, Finish, Prompt, Rungs, TextListener
from app.generation.errors import EndpointRefusedError, EndpointUnavailableError, StreamCutError
from app.ladder.climb import Climbed, Ladder, LadderSettings, Task
from retrieval.context import ContextSettings
from retrieval.lexicon import lexicon_rarity
from retrieval.weights import Weights
from tests.retrieval.finding import COUNTER, CountedLexicon, find

WEIGHTS = Weights({"coverage_with_headings": 1.0}, {"coverage": 10.0}, -1.0, {}, 50.0)
DOUBTFUL = replace(WEIGHTS, answerable_bias=-50.0)
LIKELY = replace(WEIGHTS, answerable_bias=1.4)  # 80 %
UNJUDGED = LadderSettings(1_500, 2.0, judge=False)
PRICE = Price(Decimal(1), Decimal(10))
PAGE = "# Leave\n\nEverybody has 27 days of paid leave. Unused days of leave expire in March."
QUESTION = "How many days of paid leave?"

RIGHT = json.dumps({"sentences": [{"text": "Everybody has 27 days of paid leave.", "units": [1]}]})
WRONG = json.dumps({"sentences": [{"text": "Everybody has 31 days of paid leave.", "units": [1]}]})
UNSURE = json.dumps({"sentences": [{"text": "Staff enjoy a generous allowance of paid leave.", "units": [1]}]})
NOTHING = '{"insufficient": true}'


class Scripted:
    """A model that says one thing after the other, in two pieces; an exception is raised."""

    def __init__(self, *replies: str | Exception) -> None:
        self.replies = list(replies)
        self.prompts: list[Prompt] = []

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        assert max_output_tokens > 0
        self.prompts.append(prompt)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        on_text(reply[:20])
        on_text(reply[20:])
        return Completion(reply, Finish.STOP, Usage(100, 10))


class OpenLedger:
    """Admits everything, or nothing."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.holds: list[Hold] = []

    def standing(self, spender: Spender) -> Standing:  # noqa: ARG002 - the port's
        return Standing()

    def reserve(self, hold: Hold) -> None:
        if self.refusal:
            raise self.refusal
        self.holds.append(hold)

    def settle(self, entry: Entry) -> None:
        raise AssertionError(entry)


def endpoint(generator: Scripted, name: str = "mini", price: Price | None = PRICE) -> Endpoint:
    return Endpoint(name, name, generator, price, 10_000, 400)


class Climb:
    """One climb over scripted models, with everything that it left behind."""

    def __init__(
        self,
        small: Sequence[Scripted] = (),
        strong: Sequence[Scripted] = (),
        *,
        allowance: Allowance = UNLIMITED,
        ledger: OpenLedger | None = None,
        weights: Weights = WEIGHTS,
        settings: LadderSettings = UNJUDGED,
        pages: Sequence[str] = (PAGE,),
        question: str = QUESTION,
        budget_tokens: int = 500,
    ) -> None:
        evidence = find(question, *pages)
        context_settings = ContextSettings(budget_tokens)
        context = context_settings.make_context(evidence, WEIGHTS, COUNTER)
        rarity = lexicon_rarity(CountedLexicon([passage.chunk for passage in evidence.passages]))
        task = Task(question, evidence, context, context_settings, rarity, allowance)
        rungs = Rungs(
            tuple(endpoint(one, f"mini-{number}") for number, one in enumerate(small)),
            tuple(endpoint(one, f"max-{number}") for number, one in enumerate(strong)),
        )
        self.till = Till()
        self.ledger = ledger or OpenLedger()
        self.told: list[Event] = []
        calls = Calls("a", Spender(Surface.HTTP), self.ledger, self.till, COUNTER)
        ladder = Ladder(rungs, settings, weights, COUNTER)
        self.end: Climbed = ladder.climb(task, calls, self.till, self.told.append)

    @property
    def text(self) -> str | None:
        return " ".join(one.text for one in self.end.draft.sentences) if self.end.draft else None

    @property
    def paid(self) -> list[ReceiptLine]:
        return [line for line in self.till.lines if line.model]

    @property
    def shown(self) -> str:
        """The text that a listener has at the end, after what was withdrawn."""
        text = ""
        for event in self.told:
            if isinstance(event, TextPiece):
                text += event.text
            elif event.decision not in {Decision.TRY, Decision.KEEP, Decision.SKIP}:
                text = ""
        return text


def test_without_models_the_units_answer_word_for_word() -> None:
    climb = Climb()

    assert climb.text == "Everybody has 27 days of paid leave. Unused days of leave expire in March."
    assert (climb.end.rung, climb.end.path, climb.end.groundedness) == ("extractive", ("extractive",), 1.0)
    assert climb.paid == []


def test_without_models_and_evidence_there_is_no_answer() -> None:
    climb = Climb(weights=DOUBTFUL)

    assert climb.end.draft is None
    assert climb.end.steps[-1].decision is Decision.ABSTAIN


def test_a_supported_draft_of_the_small_model_is_kept_and_shown_as_it_comes() -> None:
    climb = Climb([Scripted(RIGHT)], [Scripted()])

    assert climb.text == climb.shown == "Everybody has 27 days of paid leave."
    assert (climb.end.rung, climb.end.path, climb.end.groundedness) == ("small", ("small",), 1.0)
    assert [(line.stage, line.rung, line.cost_usd) for line in climb.paid] == [(Stage.GENERATE, "small", Decimal("0.0002"))]


def test_a_number_that_is_not_there_climbs_to_the_strong_model() -> None:
    climb = Climb([Scripted(WRONG)], [Scripted(RIGHT)])

    assert climb.text == climb.shown == "Everybody has 27 days of paid leave."
    assert climb.end.path == ("small", "strong")
    decisions = [(step.rung, step.decision) for step in climb.end.steps]
    assert decisions == [
        ("small", Decision.TRY), ("small", Decision.CLIMB), ("small-wide", Decision.SKIP), ("strong", Decision.TRY),
        ("strong", Decision.KEEP),
    ]  # fmt: skip
    assert "31" in climb.end.steps[1].reason


def test_where_an_answer_is_likely_a_wider_context_is_read() -> None:
    small = Scripted(NOTHING, RIGHT)
    pages = [PAGE, *(f"# Paid {n}\n\nPaid days of something else number {n}, as the rules of leave have it." for n in range(30))]
    climb = Climb([small], [Scripted()], pages=pages, budget_tokens=30, weights=LIKELY)

    assert climb.end.path == ("small", "small-wide")
    assert len(small.prompts[1].user) > 2 * len(small.prompts[0].user)
    assert climb.end.context.tokens > 30


def test_at_the_top_what_is_not_supported_is_left_out() -> None:
    both = json.dumps({"sentences": [*json.loads(RIGHT)["sentences"], *json.loads(WRONG)["sentences"]]})

    assert Climb([Scripted(both)]).text == "Everybody has 27 days of paid leave."
    assert Climb([Scripted(WRONG)]).end.draft is None


def test_of_a_draft_that_was_wrong_nothing_unsure_is_kept() -> None:
    mixed = json.dumps({"sentences": [*json.loads(UNSURE)["sentences"], *json.loads(WRONG)["sentences"]]})
    climb = Climb([Scripted(mixed)])

    assert climb.end.draft is None


@pytest.mark.parametrize("units", [[], [0], [99], [1, 99], [-1]])
def test_a_sentence_that_cites_what_was_not_sent_is_not_kept(units: list[int]) -> None:
    reply = json.dumps({"sentences": [{"text": "Everybody has 27 days of paid leave.", "units": units}]})

    assert Climb([Scripted(reply)]).end.draft is None


def test_insufficient_all_the_way_is_an_abstention() -> None:
    climb = Climb([Scripted(NOTHING)], [Scripted(NOTHING)])

    assert climb.end.draft is None
    assert climb.end.path == ("small", "strong")


def test_where_an_answer_is_all_but_certain_the_strong_model_reads_the_same_context() -> None:
    small, strong = Scripted(NOTHING), Scripted(RIGHT)
    pages = [PAGE, *(f"# Paid {n}\n\nPaid days of something else number {n}, as the rules of leave have it." for n in range(30))]
    climb = Climb([small], [strong], pages=pages, budget_tokens=30)

    assert climb.end.path == ("small", "strong")
    assert [step.rung for step in climb.end.steps if step.decision is Decision.SKIP] == ["small-wide"]
    assert strong.prompts == small.prompts


def test_after_a_wide_context_the_strong_model_is_not_asked() -> None:
    pages = [PAGE, *(f"# Paid {n}\n\nPaid days of something else number {n}, as the rules of leave have it." for n in range(30))]
    climb = Climb([Scripted(NOTHING, NOTHING)], [Scripted()], pages=pages, budget_tokens=30, weights=LIKELY)

    assert climb.end.path == ("small", "small-wide")
    assert climb.end.draft is None


def test_the_strong_model_is_not_asked_when_an_answer_is_unlikely_to_be_there() -> None:
    climb = Climb([Scripted(NOTHING)], [Scripted()], weights=DOUBTFUL)

    assert climb.end.path == ("small",)
    assert climb.end.steps[-2].decision is Decision.SKIP


def test_a_reply_in_the_wrong_form_is_repaired_once_and_cheaply() -> None:
    small = Scripted("27 days [1]", RIGHT)
    climb = Climb([small])

    assert climb.text == "Everybody has 27 days of paid leave."
    assert len(climb.paid) == 2
    assert "Unused days" not in small.prompts[1].user


def test_a_reply_that_cannot_be_repaired_climbs() -> None:
    climb = Climb([Scripted("27 days", "still 27")], [Scripted(RIGHT)])

    assert climb.end.path == ("small", "strong")
    assert len(climb.paid) == 3


def test_when_no_reply_can_be_read_the_units_answer() -> None:
    climb = Climb([Scripted(*["27 days"] * 4)], [Scripted(*["27 days"] * 2)])

    assert climb.end.rung == "extractive"
    assert climb.text == "Everybody has 27 days of paid leave. Unused days of leave expire in March."
    assert Climb([Scripted(*["27 days"] * 4)], weights=DOUBTFUL).end.draft is None


def test_a_failing_endpoint_is_followed_by_the_next_of_its_rung() -> None:
    climb = Climb([Scripted(EndpointUnavailableError("it is down")), Scripted(RIGHT)])

    assert climb.end.rung == "small"
    assert [line.model for line in climb.paid] == ["mini-1"]
    assert any(step.decision is Decision.FAIL and "it is down" in step.reason for step in climb.end.steps)


def test_what_a_cut_stream_wrote_is_billed_and_withdrawn() -> None:
    cut = StreamCutError("it broke off", written=RIGHT[:40], sent=True)
    climb = Climb([Scripted(cut), Scripted(RIGHT)])

    assert [(line.model, line.estimated) for line in climb.paid] == [("mini-0", True), ("mini-1", False)]
    assert climb.paid[0].output_tokens == COUNTER.count(RIGHT[:40])
    assert climb.shown == climb.text


def test_when_no_endpoint_answers_the_units_do() -> None:
    climb = Climb([Scripted(EndpointRefusedError("wrong key"))], [Scripted()])

    assert climb.end.rung == "extractive"
    assert climb.paid == []


def test_when_no_endpoint_answers_and_the_units_do_not_either_there_are_only_the_pages() -> None:
    assert Climb([Scripted(EndpointRefusedError("wrong key"))], weights=DOUBTFUL).end.draft is None


def test_when_the_strong_model_fails_the_supported_part_from_below_is_kept() -> None:
    both = json.dumps({"sentences": [*json.loads(RIGHT)["sentences"], *json.loads(WRONG)["sentences"]]})
    climb = Climb([Scripted(both)], [Scripted(EndpointUnavailableError("down"))])

    assert climb.text == "Everybody has 27 days of paid leave."
    assert climb.end.rung == "small"


def test_a_judge_decides_about_unsure_sentences_and_is_billed_as_such() -> None:
    settings = LadderSettings(1_500, 2.0, judge=True)
    kept = Climb([Scripted(UNSURE, '{"supported": [true]}')], settings=settings)
    dropped = Climb([Scripted(UNSURE, '{"supported": [false]}')], settings=settings)
    undecided = Climb([Scripted(UNSURE, "perhaps")], settings=settings)

    assert (kept.end.groundedness, kept.end.rung) == (1.0, "small")
    assert [line.stage for line in kept.paid] == [Stage.GENERATE, Stage.JUDGE]
    assert dropped.end.draft is None
    assert (undecided.end.draft is not None, undecided.end.groundedness) == (True, 0.0)


def test_nothing_is_judged_that_climbs_anyway() -> None:
    mixed = json.dumps({"sentences": [*json.loads(UNSURE)["sentences"], *json.loads(WRONG)["sentences"]]})
    climb = Climb([Scripted(mixed)], [Scripted(RIGHT)], settings=LadderSettings(1_500, 2.0, judge=True))

    assert [line.stage for line in climb.paid] == [Stage.GENERATE, Stage.GENERATE]


def test_a_used_up_budget_falls_back_to_what_is_free_and_says_so() -> None:
    refusal = BudgetExhaustedError("The budget is used up", datetime(2026, 12, 1, tzinfo=UTC))
    climb = Climb([Scripted()], ledger=OpenLedger(refusal))

    assert climb.end.rung == "extractive"
    assert climb.end.held_back is refusal
    assert climb.till.settle(NaivePrompt(0, None)).notes == ("The budget is used up",)


def test_nothing_is_spent_that_cannot_be_written_down() -> None:
    small = Scripted()
    climb = Climb([small], ledger=OpenLedger(LedgerBusyError("locked")))

    assert climb.end.rung == "extractive"
    assert small.prompts == []


@pytest.mark.parametrize(
    ("restraint", "path"),
    [
        (Restraint.NONE, ("small", "small-wide", "strong", "extractive")),
        (Restraint.COMPRESSED_ONLY, ("small", "strong", "extractive")),
        (Restraint.SMALL_ONLY, ("small", "extractive")),
        (Restraint.FREE_ONLY, ("extractive",)),
    ],
)
def test_a_restraint_leaves_rungs_out(restraint: Restraint, path: tuple[str, ...]) -> None:
    pages = [PAGE, *(f"# Paid {n}\n\nPaid days of something else number {n}, as the rules of leave have it." for n in range(30))]
    climb = Climb(
        [Scripted(*["27 days"] * 4)],
        [Scripted("27 days", "27 days")],
        allowance=Allowance(restraint),
        pages=pages,
        budget_tokens=30,
    )

    assert climb.end.path == path


def test_sure_evidence_answers_before_a_model_is_asked_where_the_setting_says_so() -> None:
    small = Scripted()
    climb = Climb([small], settings=LadderSettings(1_500, 0.9, judge=False), question="paid leave days")

    assert climb.end.rung == "extractive"
    assert small.prompts == []


def test_the_most_that_a_call_can_cost_is_set_aside_before_it() -> None:
    climb = Climb([Scripted(RIGHT)])
    [hold], [line] = climb.ledger.holds, climb.paid

    assert hold.cost_usd is not None
    assert line.cost_usd is not None
    assert hold.cost_usd > line.cost_usd
    assert hold.tokens > line.input_tokens + line.output_tokens


def test_a_prompt_that_does_not_fit_is_not_sent() -> None:
    small = Scripted()
    calls = Calls("a", Spender(Surface.HTTP), OpenLedger(), Till(), COUNTER)
    tight = replace(endpoint(small), context_tokens=300)
    with pytest.raises(EndpointRefusedError, match="takes 300 in all"):
        calls.ask(CallKind(Stage.GENERATE, "small", 300), [tight], Prompt("a", "b"), lambda _: None, lambda *_: None)
    assert small.prompts == []


def test_the_steps_are_told_as_they_are_kept() -> None:
    climb = Climb([Scripted(WRONG)], [Scripted(RIGHT)])

    assert [event for event in climb.told if isinstance(event, Step)] == list(climb.end.steps)
