"""A generator without a model: a function from prompt to text. For tests that ask, and for the contract that it keeps."""

import re
from collections.abc import Callable

from app.costs.pricing import Usage
from app.generation.endpoints import Completion, Finish, Prompt, TextListener
from app.generation.errors import GenerationError
from indexing.tokens import TokenCounter


class FakeGenerator:
    """Writes what `answer` makes of the prompt, word by word, and stops after `max_output_tokens` words.

    `prompts` lists what it was asked. `failures` are raised by the next calls, one each; `usage` says whether it reports any.
    """

    def __init__(
        self,
        answer: Callable[[Prompt], str],
        counter: TokenCounter,
        *,
        failures: list[GenerationError] | None = None,
        reports_usage: bool = True,
    ) -> None:
        self._answer = answer
        self._counter = counter
        self._reports_usage = reports_usage
        self.failures = failures or []
        self.prompts: list[Prompt] = []

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        self.prompts.append(prompt)
        if self.failures:
            raise self.failures.pop(0)
        words = re.findall(r"\s*\S+\s*", self._answer(prompt))
        pieces = words[:max_output_tokens]
        for piece in pieces:
            on_text(piece)
        text = "".join(pieces)
        usage = Usage(self._counter.count(f"{prompt.system}\n{prompt.user}"), self._counter.count(text))
        finish = Finish.STOP if len(pieces) == len(words) else Finish.LENGTH
        return Completion(text, finish, usage if self._reports_usage else None)
