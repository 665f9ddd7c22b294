"""The batch API as a provider on loopback has it, and what it may say that is no answer."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.adapters.openai_batch import OpenAIBatch
from app.adapters.openai_generator import OpenAIGenerator
from app.costs.pricing import Usage
from app.generation.endpoints import Completion, Finish
from app.generation.errors import EndpointGarbledError, EndpointRefusedError, EndpointUnavailableError
from tests.contracts.generator import PROMPT, ignore
from tests.fakes.provider import FakeProvider, Fault

PROMPTS = {"a": PROMPT, "b": PROMPT}


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _: "one two") as started:
        yield started


def connect(provider: FakeProvider) -> OpenAIBatch:
    model = OpenAIGenerator("house", provider.url, None, "small-model", 5.0)
    model.generate(PROMPT, 100, ignore)
    return OpenAIBatch("house", provider.url, None, model.body)


def done(provider: FakeProvider, body: Any, status: int = 200) -> Completion | None:
    """What is made of a body as one of two results."""
    batch = connect(provider)
    identity = batch.submit("key", PROMPTS, 100)
    assert batch.progress(identity).ended
    provider.files[f"{identity}-output"][0]["response"] = {"status_code": status, "body": body}
    results = batch.results(identity, PROMPTS, 100)
    assert results["b"].text == "one two"
    return results.get("a")


def test_it_is_handed_in_found_and_read(provider: FakeProvider) -> None:
    provider.rejects = frozenset({"max_tokens", "temperature"})
    batch = connect(provider)
    assert batch.find("key") is None
    identity = batch.submit("key", PROMPTS, 100)
    assert batch.find("key") == identity
    provider.batch_status = "in_progress"
    assert not batch.progress(identity).ended
    provider.batch_status = "completed"
    progress = batch.progress(identity)
    assert (progress.ended, progress.done, progress.total, progress.problem) == (True, 2, 2, None)
    results = batch.results(identity, PROMPTS, 100)
    assert {(one.text, one.finish) for one in results.values()} == {("one two", Finish.STOP)}
    assert sum(one.usage.input_tokens for one in results.values() if one.usage) * 3 == provider.bill.input_tokens * 2
    sent = provider.requests[-1]
    assert sent["max_completion_tokens"] == 100
    assert not {"max_tokens", "temperature", "stream", "stream_options"} & sent.keys()  # learned from the first call


@pytest.mark.parametrize("body", [None, [], {}, {"choices": 7}, {"choices": [None]}, {"choices": [{"message": {"content": 3}}]}])
def test_a_reply_that_says_nothing_is_there_and_empty(provider: FakeProvider, body: Any) -> None:
    assert done(provider, body) == Completion("", Finish.STOP, None)


def test_usage_that_cannot_be_is_not_believed(provider: FakeProvider) -> None:
    choices = [{"message": {"content": "one"}, "finish_reason": "length"}]
    usage = {"prompt_tokens": 20, "completion_tokens": 1}
    assert done(provider, {"choices": choices, "usage": usage}) == Completion("one", Finish.LENGTH, Usage(20, 1))
    absurd = usage | {"completion_tokens": 10**9}
    assert done(provider, {"choices": choices, "usage": absurd}) == Completion("one", Finish.LENGTH, None)
    refused = [{"message": {"content": None, "refusal": "I cannot"}, "finish_reason": "stop"}]
    assert done(provider, {"choices": refused}) == Completion("", Finish.FILTERED, None)


def test_a_row_that_failed_is_missing(provider: FakeProvider) -> None:
    assert done(provider, {"error": {"message": "no"}}, 400) is None


@pytest.mark.parametrize("row", [3, {}, {"custom_id": "stranger"}, {"custom_id": "a", "response": "yes"}])
def test_results_that_nobody_can_read_are_not_taken_for_failures(provider: FakeProvider, row: Any) -> None:
    batch = connect(provider)
    identity = batch.submit("key", PROMPTS, 100)
    batch.progress(identity)
    provider.files[f"{identity}-output"][0] = row
    with pytest.raises(EndpointGarbledError, match="batch API"):
        batch.results(identity, PROMPTS, 100)


def test_what_the_provider_refuses_is_said_in_our_words(provider: FakeProvider) -> None:
    batch = connect(provider)
    provider.faults = [Fault.FORBIDDEN, Fault.OVERLOADED]
    with pytest.raises(EndpointRefusedError, match="'house' answered 403"):
        batch.submit("key", PROMPTS, 100)
    with pytest.raises(EndpointUnavailableError, match="'house' answered 429"):
        batch.submit("key", PROMPTS, 100)
