"""Retries and the circuit breaker, around a generator that fails on command and around a real client."""

import threading
import time
from collections.abc import Iterator

import pytest
import stamina

from app.adapters.openai_generator import OpenAIGenerator
from app.adapters.resilience import ResilientGenerator
from app.generation.endpoints import Completion, Finish, Prompt, TextListener
from app.generation.errors import (
    EndpointGarbledError,
    EndpointRefusedError,
    EndpointUnavailableError,
    GenerationError,
    StreamCutError,
)
from tests.contracts.generator import PROMPT, GeneratorContract, Make, ignore
from tests.fakes.generator import FakeGenerator
from tests.fakes.provider import FakeProvider, Fault
from tests.fakes.tokens import FakeTokenCounter


@pytest.fixture(autouse=True)
def _no_log_of_retries() -> Iterator[None]:
    stamina.instrumentation.set_on_retry_hooks([])
    yield
    stamina.instrumentation.set_on_retry_hooks(None)


class TestResilientGenerator(GeneratorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda answer: ResilientGenerator("house", FakeGenerator(answer, FakeTokenCounter()))

    @pytest.fixture
    def unavailable(self) -> ResilientGenerator:
        failing = FakeGenerator(lambda _: "well", FakeTokenCounter(), failures=[down() for _ in range(4)])
        return ResilientGenerator("house", failing)


def down(*, after_s: float | None = None, sent: bool = False) -> EndpointUnavailableError:
    return EndpointUnavailableError("it is down", sent=sent, retry_after_s=after_s)


def failing(*failures: GenerationError) -> FakeGenerator:
    return FakeGenerator(lambda _: "well", FakeTokenCounter(), failures=list(failures))


def test_what_was_not_sent_is_tried_again() -> None:
    generator = failing(down(), down())
    assert ResilientGenerator("house", generator).generate(PROMPT, 9, ignore).text == "well"
    assert len(generator.prompts) == 3


@pytest.mark.parametrize(
    "error",
    [
        down(sent=True),
        EndpointUnavailableError("it is down", written="half an"),
        EndpointRefusedError("wrong key"),
        EndpointGarbledError("html"),
        StreamCutError("cut", written="half an", sent=True),
    ],
)
def test_what_may_be_billed_or_never_helps_is_not_tried_again(error: GenerationError) -> None:
    generator = failing(error)
    with pytest.raises(type(error)) as caught:
        ResilientGenerator("house", generator).generate(PROMPT, 9, ignore)
    assert caught.value is error
    assert len(generator.prompts) == 1


def test_tries_end() -> None:
    generator = failing(*(down() for _ in range(9)))
    began = time.monotonic()
    with pytest.raises(EndpointUnavailableError, match="it is down"):
        ResilientGenerator("house", generator, failures_to_open=9).generate(PROMPT, 9, ignore)
    assert len(generator.prompts) == 4
    assert 0.7 < time.monotonic() - began < 3


def test_no_try_begins_after_the_budget() -> None:
    generator = failing(*(down() for _ in range(9)))
    with pytest.raises(EndpointUnavailableError):
        ResilientGenerator("house", generator, retry_budget_s=0.5).generate(PROMPT, 9, ignore)
    assert len(generator.prompts) == 1


def test_the_provider_says_when_to_come_back() -> None:
    generator = failing(down(after_s=0.4))
    began = time.monotonic()
    assert ResilientGenerator("house", generator).generate(PROMPT, 9, ignore).text == "well"
    assert 0.4 <= time.monotonic() - began < 1


def test_nobody_waits_beyond_the_budget_for_a_provider() -> None:
    generator = failing(down(after_s=60))
    began = time.monotonic()
    with pytest.raises(EndpointUnavailableError):
        ResilientGenerator("house", generator).generate(PROMPT, 9, ignore)
    assert time.monotonic() - began < 0.3


def fail(generator: ResilientGenerator, times: int = 1) -> EndpointUnavailableError:
    for _ in range(times):
        with pytest.raises(EndpointUnavailableError) as caught:
            generator.generate(PROMPT, 9, ignore)
    return caught.value


def test_an_endpoint_that_is_down_is_left_alone_and_then_tried_by_one_call() -> None:
    inner = failing(*(down(sent=True) for _ in range(3)))
    generator = ResilientGenerator("house", inner, failures_to_open=2, open_s=0.3)
    fail(generator, 2)
    began = time.monotonic()
    error = fail(generator)
    assert time.monotonic() - began < 0.05
    assert "'house' has failed 2 times in a row and is tried again in" in str(error)
    assert "The last time: it is down" in str(error)
    assert not error.sent
    assert len(inner.prompts) == 2
    time.sleep(0.35)
    assert "it is down" in str(fail(generator))  # the third failure: the trial itself
    assert "tried again" in str(fail(generator))
    time.sleep(0.35)
    assert generator.generate(PROMPT, 9, ignore).text == "well"
    assert generator.generate(PROMPT, 9, ignore).text == "well"


def test_an_open_breaker_is_not_waited_for_between_tries() -> None:
    inner = failing(*(down() for _ in range(9)))
    generator = ResilientGenerator("house", inner, failures_to_open=2)
    assert "is tried again in 30 s" in str(fail(generator))
    assert len(inner.prompts) == 2


def test_a_refusal_and_a_listener_that_leaves_say_nothing_of_an_endpoints_health() -> None:
    inner = failing(*(EndpointRefusedError("wrong key") for _ in range(9)))
    generator = ResilientGenerator("house", inner, failures_to_open=2)
    for _ in range(9):
        with pytest.raises(EndpointRefusedError):
            generator.generate(PROMPT, 9, ignore)

    def leave(_: str) -> None:
        raise ValueError("the client has left")

    for _ in range(9):
        with pytest.raises(ValueError, match="left"):
            generator.generate(PROMPT, 9, leave)
    assert generator.generate(PROMPT, 9, ignore).text == "well"


def test_only_one_call_tries_an_endpoint_that_was_down() -> None:
    release, entered = threading.Event(), threading.Event()

    class Slow:
        down = True

        def generate(self, _prompt: Prompt, _most: int, _on_text: TextListener) -> Completion:
            if self.down:
                raise down(sent=True)
            entered.set()
            release.wait(5)
            return Completion("well", Finish.STOP, None)

    slow = Slow()
    generator = ResilientGenerator("house", slow, failures_to_open=1, open_s=0.1)
    fail(generator)
    slow.down = False
    time.sleep(0.15)
    trial = threading.Thread(target=generator.generate, args=(PROMPT, 9, ignore))
    trial.start()
    assert entered.wait(5)
    assert "being tried by another call" in str(fail(generator))
    release.set()
    trial.join()
    assert generator.generate(PROMPT, 9, ignore).text == "well"


@pytest.mark.parametrize("jump_s", [-3600, 3600])
def test_a_clock_that_jumps_does_not_keep_an_endpoint_out(jump_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = failing(down(sent=True))
    generator = ResilientGenerator("house", inner, failures_to_open=1, open_s=0.2)
    fail(generator)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump_s)
    time.sleep(0.25)
    assert generator.generate(PROMPT, 9, ignore).text == "well"


def test_many_threads_and_one_breaker() -> None:
    class Flaky:
        calls = 0

        def generate(self, _prompt: Prompt, _most: int, _on_text: TextListener) -> Completion:
            Flaky.calls += 1
            if Flaky.calls % 3:
                raise down(sent=True)
            return Completion("well", Finish.STOP, None)

    generator = ResilientGenerator("house", Flaky(), failures_to_open=3, open_s=0.001)
    unforeseen: list[BaseException] = []

    def work() -> None:
        for _ in range(200):
            try:
                generator.generate(PROMPT, 9, ignore)
            except EndpointUnavailableError:
                continue
            except BaseException as error:  # noqa: BLE001 - any other is the point
                unforeseen.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert unforeseen == []
    time.sleep(0.01)
    Flaky.calls = 2
    assert generator.generate(PROMPT, 9, ignore).text == "well"


def test_of_many_threads_one_tries_an_endpoint_that_was_down() -> None:
    start, entered = threading.Barrier(16), threading.Semaphore(0)
    release = threading.Event()

    class Slow:
        tried = 0

        def generate(self, _prompt: Prompt, _most: int, _on_text: TextListener) -> Completion:
            Slow.tried += 1
            entered.release()
            release.wait(5)
            return Completion("well", Finish.STOP, None)

    generator = ResilientGenerator("house", failing(down(sent=True)), failures_to_open=1, open_s=0.01)
    fail(generator)
    generator._generator = Slow()
    time.sleep(0.02)
    ends: list[str] = []

    def work() -> None:
        start.wait(5)
        try:
            ends.append(generator.generate(PROMPT, 9, ignore).text)
        except EndpointUnavailableError as error:
            ends.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=5)
    while len(ends) < 15:
        time.sleep(0.001)
    release.set()
    for thread in threads:
        thread.join()
    assert Slow.tried == 1
    assert sorted("being tried by another call" in end for end in ends) == [False] + [True] * 15
    assert ends[-1] == "well"


def test_over_http_a_busy_provider_is_asked_again_and_bills_once() -> None:
    with FakeProvider(faults=[Fault.OVERLOADED, Fault.BROKEN], retry_after="0.2") as provider:
        generator = ResilientGenerator("house", OpenAIGenerator("house", provider.url, None, "small-model", 5))
        began = time.monotonic()
        completion = generator.generate(PROMPT, 50, ignore)
        assert time.monotonic() - began >= 0.3
        assert completion.usage
        assert (provider.bill.calls, len(provider.requests)) == (1, 3)
        assert provider.bill.output_tokens == completion.usage.output_tokens
