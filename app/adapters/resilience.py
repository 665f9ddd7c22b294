"""Patience with one endpoint: retries within a budget, and a circuit breaker that stops asking one that is down."""

import random
import threading
import time
from typing import Final

import stamina
from purgatory import SyncCircuitBreakerFactory
from purgatory.domain.model import CLOSED, HALF_OPENED, OpenedState
from purgatory.service._sync.circuitbreaker import SyncCircuitBreaker

from app.generation.endpoints import Completion, Generator, Prompt, TextListener
from app.generation.errors import EndpointGarbledError, EndpointUnavailableError, StreamCutError

_TRIES: Final = 4
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 1.0
_JITTER_S: Final = 0.2
_OF_ITS_HEALTH: Final = (EndpointUnavailableError, EndpointGarbledError, StreamCutError)


class ResilientGenerator:
    """`Generator` around that of one endpoint.

    A call is tried again, after a pause with jitter, only when it cannot have been billed: nothing was sent, or the endpoint
    answered with an error. No try begins later than `retry_budget_s` after the first. Where the provider says when to come back,
    that is when it is tried again, or not at all if it lies beyond the budget.

    After `failures_to_open` failures in a row nothing is sent for `open_s` seconds; then one call tries, and decides. A refusal
    (wrong key, unknown model) says nothing of an endpoint's health and does not count.
    """

    def __init__(
        self,
        name: str,
        generator: Generator,
        *,
        retry_budget_s: float = 5.0,
        failures_to_open: int = 5,
        open_s: float = 30.0,
    ) -> None:
        self._name = name
        self._generator = generator
        self._retry_budget_s = retry_budget_s
        self._failures_to_open = failures_to_open
        self._open_s = open_s
        self._lock = threading.Lock()  # the breaker's own state is not safe to share between threads
        self._breaker = self._closed_breaker()
        self._tried_again_at = 0.0
        self._last_failure = ""

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        """Have the model write; raises as the generator within does, and `EndpointUnavailableError` while it is left alone."""
        give_up_at = time.monotonic() + self._retry_budget_s

        def pause(error: Exception) -> bool | float:
            if not isinstance(error, EndpointUnavailableError) or error.sent or error.written:
                return False
            left_s = give_up_at - time.monotonic()
            if error.retry_after_s is None:
                return left_s > _LONGEST_WAIT_S
            pause_s = error.retry_after_s + random.uniform(0, _JITTER_S)  # noqa: S311 - only spreads the callers
            return pause_s if pause_s < left_s else False

        for attempt in stamina.retry_context(
            pause, _TRIES, None, wait_initial=_FIRST_WAIT_S, wait_max=_LONGEST_WAIT_S, wait_jitter=_JITTER_S
        ):
            self._enter()  # outside the attempt: an open breaker is not waited for
            with attempt:
                return self._watched(prompt, max_output_tokens, on_text)
        raise AssertionError("unreachable")  # the last attempt raises its own error

    def _watched(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        """Call the generator, and let the breaker know how it ended."""
        failure: BaseException | None = None
        try:
            return self._generator.generate(prompt, max_output_tokens, on_text)
        except _OF_ITS_HEALTH as error:
            failure = error
            raise
        finally:
            with self._lock:
                self._breaker.__exit__(type(failure) if failure else None, failure, None)
                self._last_failure = str(failure) if failure else self._last_failure
                if failure and self._breaker.context.state != CLOSED:
                    self._tried_again_at = time.monotonic() + self._open_s

    def _enter(self) -> None:
        with self._lock:
            left_s = self._tried_again_at - time.monotonic()
            if self._breaker.context.state == HALF_OPENED:
                raise self._left_alone("is being tried by another call")
            try:
                self._breaker.__enter__()
            except OpenedState as error:
                if left_s > 0:
                    raise self._left_alone(f"is tried again in {left_s:.0f} s") from error
                # The breaker reads the wall clock. That was set back, or it would be half open by now.
                self._breaker = self._closed_breaker()

    def _left_alone(self, words: str) -> EndpointUnavailableError:
        return EndpointUnavailableError(
            f"The endpoint {self._name!r} has failed {self._failures_to_open} times in a row and {words}. "
            f"The last time: {self._last_failure}"
        )

    def _closed_breaker(self) -> SyncCircuitBreaker:
        return SyncCircuitBreakerFactory(self._failures_to_open, self._open_s).get_breaker(self._name)
