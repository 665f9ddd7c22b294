"""What a model is asked, and what it gives back: the port to every model endpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from app.costs.pricing import Price, Usage

TextListener: TypeAlias = Callable[[str], None]
"""Is told each piece of text as it arrives."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model receives. `wants_json` asks for a JSON object, by the provider's JSON mode where it has one."""

    system: str
    user: str
    wants_json: bool = True


class Finish(StrEnum):
    """Why a model stopped."""

    STOP = "stop"
    LENGTH = "length"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote. `usage` is `None` when the provider did not say, or said something that cannot be."""

    text: str
    finish: Finish
    usage: Usage | None


class Generator(Protocol):
    """One model at one endpoint. Safe to use from several threads."""

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        """Have the model write, and tell `on_text` each piece as it comes.

        Raises:
            EndpointUnavailableError: Nothing was written, and another try or endpoint may help: refused, timed out, overloaded.
            EndpointRefusedError: It never will be: wrong key, unknown model, a request it does not accept.
            EndpointGarbledError: What came back is no answer of a model.
            StreamCutError: The answer broke off; the error holds what had been written.
        """


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a provider is with a batch. `problem` is the provider's reason where it did not take the batch."""

    ended: bool
    done: int
    total: int
    problem: str | None = None


class BatchGenerator(Protocol):
    """One model at one endpoint that answers many prompts within a day, at a lower price. All methods raise `GenerationError`."""

    def submit(self, key: str, prompts: Mapping[str, Prompt], max_output_tokens: int) -> str:
        """Hand in prompts, each under an id of the caller's; the batch's id at the provider. `key` finds it again."""

    def find(self, key: str) -> str | None:
        """The id of the batch that was handed in under a key, or `None` when it never arrived."""

    def progress(self, batch_id: str) -> BatchProgress:
        """How far a batch is."""

    def results(self, batch_id: str, prompts: Mapping[str, Prompt], max_output_tokens: int) -> Mapping[str, Completion]:
        """What the model wrote, by the caller's ids. Prompts that failed, which a provider does not bill, are missing."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A generator with what the settings say of it.

    `name` is the settings' name for it, which messages show, and `model` its model's, which receipts show. `context_tokens` is
    the most that prompt and answer may have together; `max_output_tokens` caps an answer. `batch` is there where it has a batch
    API.
    """

    name: str
    model: str
    generator: Generator
    price: Price | None
    context_tokens: int
    max_output_tokens: int
    batch: BatchGenerator | None = None


@dataclass(frozen=True, slots=True)
class Rungs:
    """The endpoints of the rungs that call models, each in the order in which they are tried. Empty: the rung is not there."""

    small: tuple[Endpoint, ...] = ()
    strong: tuple[Endpoint, ...] = ()

    @property
    def cheapest(self) -> tuple[Endpoint, ...]:
        """The endpoints of the cheapest rung that is there; none where none is."""
        return self.small or self.strong
