"""The fake keeps the contract of the generators that it stands in for."""

import pytest

from app.generation.errors import EndpointUnavailableError
from tests.contracts.generator import PROMPT, GeneratorContract, Make, ignore
from tests.fakes.generator import FakeGenerator
from tests.fakes.tokens import FakeTokenCounter


class TestFakeGenerator(GeneratorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda answer: FakeGenerator(answer, FakeTokenCounter())

    @pytest.fixture
    def unavailable(self) -> FakeGenerator:
        return FakeGenerator(lambda _: "well", FakeTokenCounter(), failures=[EndpointUnavailableError("it is down")])


def test_it_remembers_what_it_was_asked_and_may_keep_usage_to_itself() -> None:
    generator = FakeGenerator(lambda _: "well", FakeTokenCounter(), reports_usage=False)
    assert generator.generate(PROMPT, 5, ignore).usage is None
    assert generator.prompts == [PROMPT]
