"""Every call is billed, whatever came of it."""

import logging

import pytest

from app.costs.ledger import Spender, Surface
from app.costs.receipts import NaivePrompt, ReceiptLine, Stage, Till
from app.generation.calls import CallKind, Calls
from app.generation.endpoints import Completion, Endpoint, Finish, Prompt, TextListener
from app.generation.errors import EndpointUnavailableError, GenerationError
from tests.fakes.ledger import FakeLedger
from tests.fakes.tokens import FakeTokenCounter

COUNTER = FakeTokenCounter()
PROMPT = Prompt("be brief", "what is it")


class Model:
    """Writes word after word, or fails at once."""

    def __init__(self, text: str = "it is so", failure: GenerationError | None = None) -> None:
        self.text = text
        self.failure = failure

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        del prompt, max_output_tokens
        if self.failure:
            raise self.failure
        for word in self.text.split():
            on_text(f"{word} ")
        return Completion(self.text, Finish.STOP, None)


def ask(till: Till, *models: Model, stage: Stage = Stage.GENERATE, listener: TextListener = lambda _: None) -> list[str]:
    """Ask models in turn; returns the names of those that failed."""
    failed: list[str] = []
    endpoints = [Endpoint(f"e{n}", f"m{n}", model, None, 8_000, 300) for n, model in enumerate(models)]
    calls = Calls("a", Spender(Surface.HTTP), FakeLedger(), till, COUNTER)
    calls.ask(CallKind(stage, "small", 300), endpoints, PROMPT, listener, lambda endpoint, _: failed.append(endpoint.name))
    return failed


def paid(till: Till) -> list[ReceiptLine]:
    return [line for line in till.lines if line.model]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_a_call_that_its_listener_ends_is_billed_as_far_as_it_came(interruption: type[BaseException]) -> None:
    till, heard = Till(), list[str]()

    def leave(piece: str) -> None:
        heard.append(piece)
        if len(heard) == 2:
            raise interruption

    with pytest.raises(interruption):
        ask(till, Model("one two three four"), listener=leave)
    (line,) = paid(till)
    assert (line.output_tokens, line.estimated) == (COUNTER.count("one two "), True)
    assert line.input_tokens == COUNTER.count(PROMPT.system) + COUNTER.count(PROMPT.user)


def test_failures_are_logged_and_the_receipt_says_when_nobody_could_be_asked(caplog: pytest.LogCaptureFixture) -> None:
    down = EndpointUnavailableError("it is down")
    till = Till()
    with caplog.at_level(logging.WARNING):
        assert ask(till, Model(failure=down), Model()) == ["e0"]
        assert till.settle(NaivePrompt(0, None)).notes == ()
        with pytest.raises(EndpointUnavailableError):
            ask(till, Model(failure=down))
    assert [record.message for record in caplog.records] == ["it is down"] * 2
    (note,) = till.settle(NaivePrompt(0, None)).notes
    assert "No endpoint of the rung small" in note


def test_a_judge_that_cannot_be_asked_is_no_note_on_the_receipt() -> None:
    till = Till()
    with pytest.raises(EndpointUnavailableError):
        ask(till, Model(failure=EndpointUnavailableError("it is down")), stage=Stage.JUDGE)
    assert till.settle(NaivePrompt(0, None)).notes == ()
