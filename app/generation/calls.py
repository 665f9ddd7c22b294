"""The model calls of one answer: money set aside before each, and each billed, whatever came of it."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.costs.ledger import Hold, Ledger, Spender
from app.costs.pricing import Price, Usage, price_usage
from app.costs.receipts import Stage, Till
from app.generation.endpoints import Completion, Endpoint, Prompt, TextListener
from app.generation.errors import EndpointRefusedError, GenerationError
from indexing.tokens import TokenCounter

_FRAME_TOKENS: Final = 64
"""More than what providers add around a system and a user message."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallKind:
    """What a call is for: the stage and rung that it stands under on the receipt, and the most that it may write."""

    stage: Stage
    rung: str
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class FirstCall:
    """The call of a model that an answer begins with."""

    kind: CallKind
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class BatchReply:
    """What a model wrote in a provider's batch for the first call of an answer, and the price that holds there."""

    call: FirstCall
    completion: Completion
    model: str
    price: Price

    def bill(self, till: Till, counter: TokenCounter) -> None:
        """Put it on the bill: the provider charges for it whether or not it is of use."""
        prompt, completion = self.call.prompt, self.completion
        estimate = Usage(counter.count(prompt.system) + counter.count(prompt.user), counter.count(completion.text))
        usage = completion.usage or estimate
        kind, cost_usd = self.call.kind, price_usage(usage, self.price)
        till.paid(kind.stage, kind.rung, self.model, usage, cost_usd, 0.0, estimated=completion.usage is None)


class Calls:
    """Calls models for one answer. Used by one thread. Where the call of a `reply` would be made, that is given instead."""

    def __init__(
        self,
        answer_id: str,
        spender: Spender,
        ledger: Ledger,
        till: Till,
        counter: TokenCounter,
        reply: BatchReply | None = None,
    ) -> None:
        self._answer_id = answer_id
        self._spender = spender
        self._ledger = ledger
        self._till = till
        self._counter = counter
        self._reply = reply

    def ask(
        self,
        kind: CallKind,
        endpoints: Sequence[Endpoint],
        prompt: Prompt,
        on_text: TextListener,
        on_failure: Callable[[Endpoint, GenerationError], None],
    ) -> Completion:
        """Ask the first endpoint that answers, in order.

        Args:
            kind: What the call is for.
            endpoints: At least one.
            prompt: What the model receives.
            on_text: Is told each piece of text as it comes.
            on_failure: Is told of each endpoint that failed; what `on_text` was told before that is withdrawn.

        Raises:
            GenerationError: All of them failed; this is the last one's failure.
            BudgetExhaustedError: A limit leaves no room for the call.
            LedgerError: Nothing could be set aside, so nothing was asked.
        """
        if self._reply and self._reply.call == FirstCall(kind, prompt):
            completion, self._reply = self._reply.completion, None
            on_text(completion.text)
            return completion
        *others, last = endpoints
        for endpoint in others:
            try:
                return self._ask(kind, endpoint, prompt, on_text)
            except GenerationError as error:
                _log.warning("%s", error)
                on_failure(endpoint, error)
        try:
            return self._ask(kind, last, prompt, on_text)
        except GenerationError as error:
            _log.warning("%s", error)
            on_failure(last, error)
            if kind.stage is Stage.GENERATE:
                self._till.note(f"No endpoint of the rung {kind.rung} answered; the log says why.")
            raise

    def _ask(self, kind: CallKind, endpoint: Endpoint, prompt: Prompt, on_text: TextListener) -> Completion:
        cap = min(kind.max_output_tokens, endpoint.max_output_tokens)
        most = most_usage(prompt, cap)
        counted = self._counter.count(prompt.system) + self._counter.count(prompt.user)
        if counted + cap > endpoint.context_tokens:
            raise EndpointRefusedError(
                f"The prompt has {counted:,} tokens, its answer may have {cap:,}; {endpoint.name} takes "
                f"{endpoint.context_tokens:,} in all. Lower retrieval.budget_tokens or ladder.wide_budget_tokens, or correct "
                "the endpoint's context_tokens."
            )
        held_usd = price_usage(most, endpoint.price)
        self._ledger.reserve(Hold(self._answer_id, self._spender, held_usd, most.input_tokens + most.output_tokens))
        began, written = time.perf_counter(), list[str]()

        def on_piece(piece: str) -> None:
            written.append(piece)
            on_text(piece)

        try:
            completion = endpoint.generator.generate(prompt, cap, on_piece)
        except GenerationError as error:
            if error.sent:
                self._bill(kind, endpoint, Usage(counted, self._counter.count(error.written)), began, estimated=True)
            raise
        except BaseException:  # the listener's, or somebody's at the keyboard: the provider bills what it wrote all the same
            self._bill(kind, endpoint, Usage(counted, self._counter.count("".join(written))), began, estimated=True)
            raise
        usage = completion.usage or Usage(counted, self._counter.count(completion.text))
        self._bill(kind, endpoint, usage, began, estimated=completion.usage is None)
        return completion

    def _bill(self, kind: CallKind, endpoint: Endpoint, usage: Usage, began: float, *, estimated: bool) -> None:
        ms = (time.perf_counter() - began) * 1000
        cost_usd = price_usage(usage, endpoint.price)
        self._till.paid(kind.stage, kind.rung, endpoint.model, usage, cost_usd, ms, estimated=estimated)


def most_usage(prompt: Prompt, max_output_tokens: int) -> Usage:
    """The most that a call can be billed for: whatever the model's tokenizer, a byte makes at most one token."""
    return Usage(len(prompt.system.encode()) + len(prompt.user.encode()) + _FRAME_TOKENS, max_output_tokens)
