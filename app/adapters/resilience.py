"""Patience with one endpoint: retries within a budget, and a circuit breaker that stops asking one that is down."""

import random
import threading
import time
from typing import Final

import stamina

from app.generation.endpoints import Completion, Generator, Prompt, TextListener
from app.generation.errors import EndpointGarbledError, EndpointUnavailableError, StreamCutError

_TRIES: Final = 4
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 1.0
_JITTER_S: Final = 0.2
stamina.instrumentation.set_on_retry_hooks([])  # its own would log to standard output, where answers stand

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
        self._generator = generator
        self._retry_budget_s = retry_budget_s
        self._breaker = _Breaker(name, failures_to_open, open_s)

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
            trial = self._breaker.enter()  # outside the attempt: an open breaker is not waited for
            with attempt:
                return self._watched(prompt, max_output_tokens, on_text, trial=trial)
        raise AssertionError("unreachable")  # the last attempt raises its own error

    def _watched(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener, *, trial: bool) -> Completion:
        """Call the generator, and let the breaker know how it ended."""
        failure: str | None = None
        try:
            return self._generator.generate(prompt, max_output_tokens, on_text)
        except _OF_ITS_HEALTH as error:
            failure = str(error)
            raise
        finally:
            self._breaker.leave(failure, trial=trial)


class _Breaker:
    """Lets calls through until so many in a row have failed; then none for a time, and after it one, which decides.

    Safe to use from several threads. It keeps its own time, which no change of the clock moves.
    """

    def __init__(self, name: str, failures_to_open: int, open_s: float) -> None:
        self._name = name
        self._failures_to_open = failures_to_open
        self._open_s = open_s
        self._lock = threading.Lock()
        self._failures = 0
        self._last_failure = ""
        self._closed_until = 0.0
        self._trying = False

    def enter(self) -> bool:
        """Begin a call, which must `leave`; whether it is the one that decides. Raises `EndpointUnavailableError`."""
        with self._lock:
            if self._failures < self._failures_to_open:
                return False
            left_s = self._closed_until - time.monotonic()
            if self._trying or left_s > 0:
                words = "is being tried by another call" if self._trying else f"is tried again in {left_s:.0f} s"
                raise EndpointUnavailableError(
                    f"The endpoint {self._name!r} has failed {self._failures_to_open} times in a row and {words}. "
                    f"The last time: {self._last_failure}"
                )
            self._trying = True
            return True

    def leave(self, failure: str | None, *, trial: bool) -> None:
        """End a call; `failure` is what went wrong, as far as it tells of the endpoint's health."""
        with self._lock:
            self._trying = self._trying and not trial
            if failure is None:
                self._failures = 0
                return
            self._failures = min(self._failures + 1, self._failures_to_open)
            self._last_failure = failure
            self._closed_until = time.monotonic() + self._open_s
