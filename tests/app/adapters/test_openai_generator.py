"""The adapter against a provider that does every thing wrong that providers do."""

import inspect
import json
import socket
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.openai_errors import MEANINGS, mapped_errors
from app.adapters.openai_generator import OpenAIGenerator, read_usage
from app.costs.pricing import Usage
from app.generation.endpoints import Finish, Prompt
from app.generation.errors import (
    EndpointGarbledError,
    EndpointRefusedError,
    EndpointUnavailableError,
    GenerationError,
    StreamCutError,
)
from tests.contracts.generator import PROMPT, GeneratorContract, Make, ignore
from tests.fakes.provider import Body, FakeProvider, Fault

KEY = "sk-a-very-secret-key"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _: "one two three four", key=KEY) as started:
        yield started


def connect(
    provider: FakeProvider, *, key: str | None = KEY, model: str = "small-model", timeout_s: float = 5.0
) -> OpenAIGenerator:
    return OpenAIGenerator("house", provider.url, key, model, timeout_s)


class TestOpenAIGenerator(GeneratorContract):
    @pytest.fixture
    def make(self, provider: FakeProvider) -> Make:
        def write(answer: Callable[[Prompt], str]) -> OpenAIGenerator:
            def from_body(body: Body) -> str:
                system, user = (message["content"] for message in body["messages"])
                return answer(Prompt(system, user, wants_json="response_format" in body))

            provider.answer = from_body
            return connect(provider)

        return write

    @pytest.fixture
    def unavailable(self, provider: FakeProvider) -> OpenAIGenerator:
        provider.faults = [Fault.BROKEN]
        return connect(provider)


def generate(provider: FakeProvider, **options: object) -> tuple[str, Usage | None]:
    completion = connect(provider, **options).generate(PROMPT, 50, ignore)  # type: ignore[arg-type] # passed on
    return completion.text, completion.usage


def test_usage_is_what_the_provider_bills(provider: FakeProvider) -> None:
    _, usage = generate(provider)
    assert usage == Usage(provider.bill.input_tokens, provider.bill.output_tokens)


@pytest.mark.parametrize("fault", [Fault.NO_USAGE, Fault.NEGATIVE_USAGE, Fault.ABSURD_USAGE, Fault.CUT_BEFORE_USAGE])
def test_usage_that_is_missing_or_cannot_be_is_unknown(provider: FakeProvider, fault: Fault) -> None:
    provider.faults = [fault]
    assert generate(provider) == ("one two three four", None)


@pytest.mark.parametrize("fault", [Fault.FILTERED, Fault.REFUSED])
def test_a_refusal_of_the_provider_is_no_answer(provider: FakeProvider, fault: Fault) -> None:
    provider.faults = [fault]
    assert connect(provider).generate(PROMPT, 50, ignore).finish is Finish.FILTERED


@pytest.mark.parametrize(
    ("fault", "error", "sent"),
    [
        (Fault.OVERLOADED, EndpointUnavailableError, False),
        (Fault.BROKEN, EndpointUnavailableError, False),
        (Fault.TIMEOUT, EndpointUnavailableError, False),
        (Fault.CONFLICT, EndpointUnavailableError, False),
        (Fault.GATEWAY_TIMEOUT, EndpointUnavailableError, True),
        (Fault.RESET, EndpointUnavailableError, True),
        (Fault.HANG, EndpointUnavailableError, True),
        (Fault.DRIP_HEADERS, EndpointUnavailableError, True),
        (Fault.NO_QUOTA, EndpointRefusedError, False),
        (Fault.NO_MONEY, EndpointRefusedError, False),
        (Fault.FORBIDDEN, EndpointRefusedError, False),
        (Fault.BAD_REQUEST, EndpointRefusedError, False),
        (Fault.REDIRECT, EndpointRefusedError, False),
        (Fault.HTML, EndpointGarbledError, True),
        (Fault.ERROR_BODY, EndpointGarbledError, True),
        (Fault.BAD_JSON, EndpointGarbledError, True),
        (Fault.NOT_UTF8, EndpointGarbledError, True),
        (Fault.NO_EVENTS, EndpointGarbledError, True),
        (Fault.NO_CHOICES, EndpointGarbledError, True),
        (Fault.ODD_EVENTS, EndpointGarbledError, True),
        (Fault.FLOOD, EndpointGarbledError, True),
        (Fault.COMPRESSED, EndpointGarbledError, True),
        (Fault.ENDLESS_ERROR, EndpointUnavailableError, True),
    ],
)
def test_a_fault_before_the_first_word(provider: FakeProvider, fault: Fault, error: type[GenerationError], sent: bool) -> None:  # noqa: FBT001 - a column of the table
    provider.faults = [fault]
    pieces: list[str] = []
    began = time.monotonic()
    with pytest.raises(error) as caught:
        connect(provider, timeout_s=0.6).generate(PROMPT, 50, pieces.append)
    assert time.monotonic() - began < 1.0
    assert type(caught.value) is error
    assert (caught.value.sent, caught.value.written, pieces) == (sent, "", [])
    assert "'house'" in str(caught.value)
    assert KEY not in str(caught.value)
    assert "Annual leave" not in str(caught.value)
    assert len(provider.requests) == 1


def test_an_error_in_place_of_a_stream_is_told_in_the_words_of_the_provider(provider: FakeProvider) -> None:
    provider.faults = [Fault.ERROR_BODY]
    with pytest.raises(EndpointGarbledError, match="'house' did not answer as a model does: something is wrong"):
        generate(provider)


def test_json_that_is_nested_too_deeply_to_be_read_is_garbled() -> None:
    with pytest.raises(EndpointGarbledError, match="'house' did not answer as a model does"), mapped_errors("house", []):
        json.loads("[" * 60_000)


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CUT_CLEANLY, Fault.ERROR_INSIDE, Fault.STALL, Fault.DRIP])
def test_a_stream_that_breaks_off_keeps_what_was_written_and_ends_in_time(provider: FakeProvider, fault: Fault) -> None:
    provider.faults = [fault]
    pieces: list[str] = []
    began = time.monotonic()
    with pytest.raises(StreamCutError) as caught:
        connect(provider, timeout_s=0.6).generate(PROMPT, 50, pieces.append)
    assert time.monotonic() - began < 1.0
    assert caught.value.written == "".join(pieces)
    assert caught.value.written.startswith("one two")
    assert caught.value.sent
    assert provider.bill.calls == 1


def test_a_first_piece_that_comes_late_leaves_time_for_another_endpoint(provider: FakeProvider) -> None:
    provider.first_token_s = 3.0
    began = time.monotonic()
    with pytest.raises(EndpointUnavailableError):
        generate(provider, timeout_s=0.8)
    assert 0.4 <= time.monotonic() - began < 0.7
    provider.first_token_s, provider.token_s = 0.2, 0.1
    assert generate(provider, timeout_s=0.8)[0] == "one two three four"


def test_an_answer_longer_than_its_time_is_cut(provider: FakeProvider) -> None:
    provider.token_s = 0.2
    with pytest.raises(StreamCutError) as caught:
        generate(provider, timeout_s=0.5)
    assert caught.value.written.split() in (["one", "two"], ["one", "two", "three"])


def test_pieces_are_passed_on_as_they_come(provider: FakeProvider) -> None:
    provider.token_s = 0.1
    at: list[float] = []
    connect(provider).generate(PROMPT, 50, lambda _: at.append(time.monotonic()))
    assert len(at) == 4
    assert all(later - earlier > 0.05 for earlier, later in pairwise(at))


def test_an_endpoint_that_is_not_there_was_sent_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EndpointUnavailableError, match="cannot be reached") as caught:
        OpenAIGenerator("house", url, KEY, "small-model", 2).generate(PROMPT, 50, ignore)
    assert not caught.value.sent


def test_a_wrong_key_and_an_unknown_model_say_what_to_correct(provider: FakeProvider) -> None:
    with pytest.raises(EndpointRefusedError, match="api_key_name") as caught:
        generate(provider, key="sk-wrong-and-secret")
    assert "sk-wrong" not in str(caught.value)
    with pytest.raises(EndpointRefusedError, match=r"does not know the model.*`nobody`"):
        generate(provider, model="nobody")
    assert provider.bill.calls == 0


@pytest.mark.parametrize(
    ("header", "after_s"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("nonsense", None),
        ("-3", None),
        ("inf", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        ("Mon, 01 Jan 99999999999999 00:00:00 GMT", None),
        (None, None),
    ],
)
def test_how_long_to_wait_is_what_the_provider_says(provider: FakeProvider, header: str | None, after_s: float | None) -> None:
    provider.faults, provider.retry_after = [Fault.OVERLOADED], header
    with pytest.raises(EndpointUnavailableError) as caught:
        generate(provider)
    assert caught.value.retry_after_s == after_s


def test_a_date_to_come_back_at_is_understood(provider: FakeProvider) -> None:
    provider.faults = [Fault.OVERLOADED]
    provider.retry_after = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    with pytest.raises(EndpointUnavailableError) as caught:
        generate(provider)
    assert caught.value.retry_after_s == pytest.approx(60, abs=3)


@pytest.mark.parametrize("rejected", ["response_format", "stream_options", "temperature", "max_tokens"])
def test_what_an_endpoint_does_not_take_is_left_out_from_then_on(provider: FakeProvider, rejected: str) -> None:
    provider.rejects = frozenset({rejected})
    generator = connect(provider)
    assert generator.generate(PROMPT, 3, ignore).text.split() == ["one", "two", "three"]
    assert generator.generate(PROMPT, 3, ignore).text.split() == ["one", "two", "three"]
    first, second, third = provider.requests
    assert rejected in first
    assert rejected not in second
    assert second == third
    assert provider.bill.calls == 2


def test_an_endpoint_that_takes_next_to_nothing_still_answers(provider: FakeProvider) -> None:
    provider.rejects = frozenset({"response_format", "stream_options", "temperature", "max_tokens"})
    text, usage = generate(provider)
    assert (text, usage) == ("one two three four", None)
    assert provider.requests[-1]["max_completion_tokens"] == 50
    provider.rejects |= {"max_completion_tokens"}
    with pytest.raises(EndpointRefusedError, match="max_completion_tokens"):
        generate(provider)


def test_a_cap_that_is_too_high_once_is_still_sent_the_next_time(provider: FakeProvider) -> None:
    generator = connect(provider)
    provider.rejects = frozenset({"max_tokens"})
    provider.rejection = "'{0}' or 'max_completion_tokens' is too large: this model's maximum context length is 8 tokens."
    with pytest.raises(EndpointRefusedError, match="too large"):
        generator.generate(PROMPT, 50, ignore)
    provider.rejects = frozenset()
    generator.generate(PROMPT, 50, ignore)
    assert [body["max_tokens"] for body in provider.requests] == [50, 50]


def test_the_models_are_listed_without_a_token(provider: FakeProvider) -> None:
    assert connect(provider).list_models() == frozenset({"small-model", "strong-model"})
    with pytest.raises(EndpointRefusedError, match="refuses the key"):
        connect(provider, key="wrong").list_models()
    provider.models = None
    assert connect(provider).list_models() is None
    assert provider.bill.calls == 0


def test_a_page_that_lists_no_models_is_garbled(provider: FakeProvider) -> None:
    provider.always = Fault.HTML
    with pytest.raises(EndpointGarbledError, match="lists no models"):
        connect(provider).list_models()


def test_nothing_of_the_environment_goes_to_an_endpoint(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1/")
    generate(provider)
    with pytest.raises(EndpointRefusedError):
        generate(provider, key=None)
    assert len(provider.headers) == 2
    for headers in provider.headers:
        assert "from-the-environment" not in headers.values()
        assert not headers.keys() & {"openai-organization", "openai-project"}


def test_calls_share_a_connection(provider: FakeProvider) -> None:
    generator = connect(provider)
    for _ in range(3):
        generator.generate(PROMPT, 50, ignore)
    assert provider.connections == 1


def test_an_answer_without_a_word_has_an_end_all_the_same(provider: FakeProvider) -> None:
    provider.answer, provider.faults = lambda _: "", [Fault.CUT_BEFORE_USAGE]
    completion = connect(provider).generate(PROMPT, 50, ignore)
    assert (completion.text, completion.finish, completion.usage) == ("", Finish.STOP, None)


def test_an_answer_is_there_even_if_its_connection_never_ends(provider: FakeProvider) -> None:
    provider.faults = [Fault.NEVER_ENDS]
    began = time.monotonic()
    text, usage = generate(provider)
    assert time.monotonic() - began < 0.5
    assert text == "one two three four"
    assert usage


def test_a_listener_that_leaves_ends_the_writing(provider: FakeProvider) -> None:
    provider.answer, provider.token_s = lambda _: "word " * 40, 0.02
    kept = []

    def leave(_: str) -> None:
        raise ValueError("the client has left")

    with pytest.raises(ValueError, match="left") as caught:
        connect(provider).generate(PROMPT, 50, leave)
    kept.append(caught.value)  # as whoever handles it does: it holds on to what was open
    time.sleep(0.3)
    assert 1 <= provider.bill.output_tokens < 10


def test_every_error_of_the_client_has_a_meaning() -> None:
    named = [getattr(openai, name) for name in openai.__all__]
    errors = {one for one in named if inspect.isclass(one) and issubclass(one, Exception)}
    assert errors - MEANINGS.keys() == set()
    assert len(errors) > 15


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5}, Usage(10, 5)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None}, Usage(10, 5)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}, Usage(10, 5, 8)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 11}}, None),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": -1}}, None),
        ({"prompt_tokens": 10, "completion_tokens": 300}, Usage(10, 300)),  # hidden reasoning, within what was asked for
        ({"prompt_tokens": 10, "completion_tokens": 365}, None),
        ({"prompt_tokens": 10_101, "completion_tokens": 5}, None),
        ({"prompt_tokens": 10, "completion_tokens": 0}, None),
        ({"prompt_tokens": 0, "completion_tokens": 5}, None),
        ({"prompt_tokens": True, "completion_tokens": 5}, None),
        ({"prompt_tokens": 10.0, "completion_tokens": 5}, None),
        ({"prompt_tokens": "10", "completion_tokens": 5}, None),
        ({"completion_tokens": 5}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_only_usage_that_can_be_is_believed(usage: object, read: Usage | None) -> None:
    assert read_usage(usage, prompt_bytes=100, text_bytes=20, max_output_tokens=300) == read


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = st.sampled_from(["prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens"])


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=12))
def test_no_usage_breaks_an_answer(usage: object) -> None:
    read = read_usage(usage, 100, 20, 300)
    assert read is None or 0 <= read.cached_input_tokens <= read.input_tokens <= 10_100


def test_the_request_is_small_and_asks_for_json_and_usage(provider: FakeProvider) -> None:
    generate(provider)
    (body,) = provider.requests
    assert body["response_format"] == {"type": "json_object"}
    assert body["stream_options"] == {"include_usage": True}
    assert body["max_tokens"] == 50
    assert len(json.dumps(body)) < 500
