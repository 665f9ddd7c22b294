"""The fake provider as a process of its own, and its books."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from app.adapters.openai_generator import OpenAIGenerator
from app.generation.errors import EndpointUnavailableError, StreamCutError
from indexing.adapters.tiktoken_counter import TiktokenCounter
from tests.contracts.generator import PROMPT, ignore
from tests.fakes.provider import Body, FakeProvider, Fault, running

ROOT = Path(__file__).resolve().parents[2]


def echo(body: Body) -> str:
    return f"asked: {body['messages'][1]['content']}"


def test_as_a_process_it_answers_bills_and_fails_on_command() -> None:
    command = [sys.executable, "-m", "tests.fakes.provider", "--answer", "tests.fakes.test_provider:echo", "--token-ms", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            generator = OpenAIGenerator("fake", url, None, "any-model", 5)
            completion = generator.generate(PROMPT, 50, ignore)
            assert completion.text == f"asked: {PROMPT.user}"
            base = url.removesuffix("/v1")
            urlopen(Request(f"{base}/faults", data=json.dumps(["500"]).encode())).close()
            with pytest.raises(EndpointUnavailableError):
                generator.generate(PROMPT, 50, ignore)
            with urlopen(f"{base}/bill") as answer:
                bill = json.load(answer)
        finally:
            process.terminate()
    assert completion.usage
    assert bill == {
        "calls": 1,
        "input_tokens": completion.usage.input_tokens,
        "output_tokens": completion.usage.output_tokens,
    }


def test_it_bills_what_was_read_and_written_also_of_an_answer_that_breaks_off() -> None:
    counter = TiktokenCounter()
    with running(["--first-token-ms", "1"]) as provider:
        provider.answer, provider.faults = lambda _: "one two three four", [None, Fault.CUT_CLEANLY]
        generator = OpenAIGenerator("fake", provider.url, None, "any-model", 5)
        generator.generate(PROMPT, 50, ignore)
        with pytest.raises(StreamCutError) as caught:
            generator.generate(PROMPT, 50, ignore)
    assert provider.bill.calls == 2
    assert provider.bill.input_tokens == 2 * (counter.count(PROMPT.system) + counter.count(PROMPT.user))
    assert provider.bill.output_tokens == counter.count("one two three four") + counter.count(caught.value.written)


def test_two_providers_keep_books_of_their_own() -> None:
    with FakeProvider() as first, FakeProvider() as second:
        OpenAIGenerator("fake", first.url, None, "small-model", 5).generate(PROMPT, 50, ignore)
    assert (first.bill.calls, second.bill.calls) == (1, 0)
