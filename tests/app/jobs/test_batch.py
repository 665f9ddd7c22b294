"""A batch goes on where it can, stops where it must, and loses nothing that is in flight."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from app.access.errors import UnknownLabelError
from app.answers.answers import Answer
from app.answers.events import Decision, Step
from app.costs.errors import BudgetExhaustedError, LedgerError
from app.jobs.batch import Batch, Tally
from app.jobs.questions_file import BatchQuestion
from retrieval.errors import SearchError
from tests.app.jobs.conftest import MakeAnswer, build_answer

TRIED = Step("small", Decision.TRY, "the evidence is there")
DOWN = Step("small", Decision.FAIL, "mini: it cannot be reached")
CLIMBED = Step("small", Decision.CLIMB, "the model says that the units do not answer the question")
GIVEN_UP = Step("abstain", Decision.ABSTAIN, "no answer")


def interrupt() -> None:
    """Ctrl-C."""
    assert threading.main_thread().ident
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


class Kept:
    """What a batch did."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.progress: list[int] = []

    def run(
        self,
        questions: list[BatchQuestion],
        ask: Callable[[BatchQuestion], Answer],
        concurrency: int = 3,
        per_minute: int | None = None,
    ) -> Tally:
        keep: Callable[[BatchQuestion, Answer], None] = lambda question, _: self.ids.append(question.id)  # noqa: E731 - one word
        self.batch = Batch(ask, keep, self.progress.append, concurrency, per_minute)
        return self.batch.run(questions)


def test_every_question_is_asked_once_and_added_up(questions: list[BatchQuestion]) -> None:
    kept = Kept()
    tally = kept.run(questions, lambda question: build_answer(question, answered=question.id != "q3"))
    assert sorted(kept.ids) == sorted(question.id for question in questions)
    assert kept.progress == list(range(1, 11))
    assert tally == Tally(9, 1, [], 4_000, 1_000, Decimal("0.01"), Decimal("0.09"))


def test_answers_for_which_a_model_was_held_back_are_counted(questions: list[BatchQuestion]) -> None:
    def ask(question: BatchQuestion) -> Answer:
        answer = build_answer(question)
        held_back = question.id in {"q3", "q4"}
        return replace(answer, receipt=replace(answer.receipt, notes=("The budget is 100% used.",))) if held_back else answer

    assert Kept().run(questions, ask).noted == 2


def test_an_unknown_cost_is_unknown_in_the_sum(questions: list[BatchQuestion]) -> None:
    tally = Kept().run(questions, lambda question: build_answer(question, usd=None if question.id == "q3" else "0.001"))
    assert (tally.cost_usd, tally.saved_usd) == (None, None)


def test_as_many_are_asked_at_once_as_was_said(questions: list[BatchQuestion]) -> None:
    together = threading.Barrier(5, timeout=10)

    def ask(question: BatchQuestion) -> Answer:
        together.wait()
        return build_answer(question)

    assert Kept().run(questions, ask, concurrency=5).answered == 10


def test_rows_fail_alone_and_are_not_kept(questions: list[BatchQuestion]) -> None:
    def ask(question: BatchQuestion) -> Answer:
        match question.id:
            case "q1":
                raise UnknownLabelError("No document carries 'x'.")
            case "q2":
                raise SearchError("The index did not answer.")
            case "q3":
                return build_answer(question, (TRIED, DOWN, GIVEN_UP), answered=False)
            case "q4":  # one endpoint was down, and another one found nothing
                return build_answer(question, (TRIED, DOWN, CLIMBED, GIVEN_UP), answered=False)
        return build_answer(question, (TRIED, DOWN))

    kept = Kept()
    tally = kept.run(questions, ask)
    assert sorted(tally.failed) == [
        ("q1", "No document carries 'x'."),
        ("q2", "The index did not answer."),
        ("q3", "mini: it cannot be reached"),
    ]
    assert (tally.answered, tally.abstained, len(kept.ids)) == (6, 1, 7)
    assert tally.cost_usd == Decimal("0.008")  # what was spent on the row that failed counts


def test_a_budget_that_is_used_up_stops_the_batch(questions: list[BatchQuestion], make_answer: MakeAnswer) -> None:
    refusal = BudgetExhaustedError("The daily budget is used up.")

    def ask(question: BatchQuestion) -> Answer:
        if question.id == "q4":
            raise refusal
        return make_answer(question)

    kept = Kept()
    tally = kept.run(questions, ask, concurrency=1)
    assert tally.held_back is refusal
    assert kept.ids == ["q0", "q1", "q2", "q3"]


@pytest.mark.parametrize("error", [LedgerError("full"), ZeroDivisionError("a fault")])
def test_what_befalls_every_row_ends_the_batch_after_what_is_in_flight(questions: list[BatchQuestion], error: Exception) -> None:
    slow = threading.Event()

    def ask(question: BatchQuestion) -> Answer:
        if question.id == "q0":
            slow.wait(10)
            time.sleep(0.05)
        if question.id == "q1":
            slow.set()
            raise error
        return build_answer(question)

    kept = Kept()
    with pytest.raises(type(error)):
        kept.run(questions, ask, concurrency=2)
    assert "q0" in kept.ids
    assert len(kept.ids) < 10


def test_an_interrupt_begins_nothing_new_and_finishes_what_is_in_flight(questions: list[BatchQuestion]) -> None:
    both = threading.Barrier(2, timeout=10)

    def ask(question: BatchQuestion) -> Answer:
        if both.wait() == 0:
            interrupt()
        assert kept.batch._stopping.wait(10)
        return build_answer(question)

    kept = Kept()
    tally = kept.run(questions, ask, concurrency=2)
    assert tally.interrupted
    assert sorted(kept.ids) == ["q0", "q1"]


def test_an_interrupt_does_not_wait_for_the_next_turn(questions: list[BatchQuestion]) -> None:
    def ask(question: BatchQuestion) -> Answer:
        interrupt()
        return build_answer(question)

    kept = Kept()
    began = time.monotonic()
    assert kept.run(questions, ask, per_minute=1).interrupted
    assert kept.ids == ["q0"]
    assert time.monotonic() - began < 10


def test_questions_begin_evenly_spaced(questions: list[BatchQuestion]) -> None:
    began: list[float] = []

    def ask(question: BatchQuestion) -> Answer:
        began.append(time.monotonic())
        return build_answer(question)

    Kept().run(questions, ask, concurrency=4, per_minute=1200)  # one in 50 ms
    assert 0.44 < began[-1] - began[0] < 2
