"""What every generator must do. Subclass it with a `make` fixture: from a function of the prompt to a generator of its text."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.generation.endpoints import Finish, Generator, Prompt
from app.generation.errors import EndpointUnavailableError

Make = Callable[[Callable[[Prompt], str]], Generator]

PROMPT = Prompt("Answer from the units.", "1: Annual leave is 25 days.\n\nHow much leave?")


def ignore(_: str) -> None:
    """A listener that does not care."""


class GeneratorContract:
    @pytest.fixture
    def unavailable(self) -> Generator:
        """A generator whose endpoint is down for one call."""
        raise NotImplementedError

    def test_the_pieces_are_the_text_in_order(self, make: Make) -> None:
        pieces: list[str] = []
        completion = make(lambda _: "Annual leave is 25 days,\n and  ünused days 你好 expire. ").generate(
            PROMPT, 50, pieces.append
        )
        assert completion.text == "".join(pieces) == "Annual leave is 25 days,\n and  ünused days 你好 expire. "
        assert len(pieces) > 5
        assert completion.finish is Finish.STOP

    def test_the_whole_prompt_reaches_the_model(self, make: Make) -> None:
        def echo(prompt: Prompt) -> str:
            return f"{prompt.system}|{prompt.user}|{prompt.wants_json}"

        for prompt in (PROMPT, Prompt("ä\u2028", 'quotes " and \\ and </tags>', wants_json=False)):
            assert make(echo).generate(prompt, 100, ignore).text == echo(prompt)

    def test_usage_grows_with_prompt_and_answer(self, make: Make) -> None:
        short = make(lambda _: "yes").generate(Prompt("s", "u"), 100, ignore).usage
        long = make(lambda _: "yes " * 50).generate(Prompt("s", "u " * 50), 100, ignore).usage
        assert short
        assert long
        assert 0 < short.input_tokens < long.input_tokens
        assert 0 < short.output_tokens < long.output_tokens
        assert short.cached_input_tokens == 0

    def test_an_answer_is_capped(self, make: Make) -> None:
        completion = make(lambda _: "word " * 30).generate(PROMPT, 10, ignore)
        assert completion.finish is Finish.LENGTH
        assert completion.text.split() == ["word"] * 10
        assert completion.usage
        assert completion.usage.output_tokens <= 11

    def test_an_error_of_the_listener_comes_through_as_it_is(self, make: Make) -> None:
        generator = make(lambda _: "one two three")
        pieces: list[str] = []

        def leave(piece: str) -> None:
            pieces.append(piece)
            raise ValueError("the client has left")

        with pytest.raises(ValueError, match="the client has left"):
            generator.generate(PROMPT, 50, leave)
        assert len(pieces) == 1
        assert generator.generate(PROMPT, 50, ignore).text == "one two three"

    def test_threads_get_their_own_answers(self, make: Make) -> None:
        generator = make(lambda prompt: f"answer to {prompt.user}")
        prompts = [Prompt("s", f"question {n}") for n in range(24)]
        with ThreadPoolExecutor(8) as pool:
            texts = list(pool.map(lambda prompt: generator.generate(prompt, 50, ignore).text, prompts))
        assert texts == [f"answer to {prompt.user}" for prompt in prompts]

    def test_an_endpoint_that_is_down_wrote_nothing_and_may_come_back(self, unavailable: Generator) -> None:
        with pytest.raises(EndpointUnavailableError) as caught:
            unavailable.generate(PROMPT, 50, ignore)
        assert caught.value.written == ""
        assert unavailable.generate(PROMPT, 50, ignore).text
