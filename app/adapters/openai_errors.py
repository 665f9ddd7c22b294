"""What the `openai` client's errors mean: the one place where they become ours."""

import email.utils
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import httpx2
import openai

from app.adapters.bounded_http import AnswerEncodedError, AnswerTooLargeError
from app.generation.errors import (
    EndpointGarbledError,
    EndpointRefusedError,
    EndpointUnavailableError,
    GenerationError,
    StreamCutError,
)


class ErrorEventError(ValueError):
    """An error where a piece of an answer should be, in a stream that began well."""


Meaning: TypeAlias = type[EndpointUnavailableError | EndpointRefusedError | EndpointGarbledError]

MEANINGS: Final[Mapping[type[Exception], Meaning]] = {
    openai.APITimeoutError: EndpointUnavailableError,
    openai.APIConnectionError: EndpointUnavailableError,
    openai.ConflictError: EndpointUnavailableError,
    openai.RateLimitError: EndpointUnavailableError,
    openai.InternalServerError: EndpointUnavailableError,
    openai.BadRequestError: EndpointRefusedError,
    openai.AuthenticationError: EndpointRefusedError,
    openai.OAuthError: EndpointRefusedError,
    openai.PermissionDeniedError: EndpointRefusedError,
    openai.NotFoundError: EndpointRefusedError,
    openai.UnprocessableEntityError: EndpointRefusedError,
    openai.APIStatusError: EndpointRefusedError,
    openai.APIResponseValidationError: EndpointGarbledError,
    openai.APIError: EndpointGarbledError,
    openai.OpenAIError: EndpointGarbledError,
    # Raised by parts of the client that are not used here: parsed answers, webhooks, web sockets.
    openai.LengthFinishReasonError: EndpointGarbledError,
    openai.ContentFilterFinishReasonError: EndpointGarbledError,
    openai.InvalidWebhookSignatureError: EndpointGarbledError,
    openai.WebSocketConnectionClosedError: EndpointGarbledError,
    openai.WebSocketQueueFullError: EndpointGarbledError,
}
"""Every error of the client, by class: a test fails when one is missing."""

_NEVER_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)
_MAY_BE_BILLED: Final = frozenset({HTTPStatus.GATEWAY_TIMEOUT, 524})
"""Answers of a gateway that gave up on a model which may have gone on writing. 524 is Cloudflare's."""

_NO_KEY: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_DETAIL_CHARACTERS: Final = 200


@contextmanager
def mapped_errors(name: str, written: list[str], prompt: str = "") -> Iterator[None]:
    """Turn the client's errors into ours.

    Args:
        name: The settings' name for the endpoint.
        written: The pieces that have arrived; looked at when an error comes.
        prompt: What was sent; a provider's words that quote it are not repeated, since they end in logs.

    Raises:
        GenerationError: The client raised an error.
    """
    try:
        yield
    # The body is read here, so errors of reading and of decoding it come as they are: JSON nested too deeply is a RecursionError.
    except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, ValueError, RecursionError) as error:
        text = "".join(written)
        if text:
            raise StreamCutError(
                f"The endpoint {name!r} broke off its answer ({type(_cause(error)).__name__}).", written=text, sent=True
            ) from error
        raise _meaning(name, error, prompt) from error


def meaning_of(error: Exception) -> Meaning:
    """Which of our errors a client's error is; the nearest parent's for one that no release had so far."""
    if isinstance(error, openai.APIStatusError) and error.status_code == HTTPStatus.REQUEST_TIMEOUT:
        return EndpointUnavailableError
    if isinstance(error, openai.RateLimitError) and error.code == "insufficient_quota":
        return EndpointRefusedError
    return next((MEANINGS[parent] for parent in type(error).__mro__ if parent in MEANINGS), EndpointGarbledError)


def _meaning(name: str, error: Exception, prompt: str) -> GenerationError:
    if isinstance(error, openai.APIStatusError):
        return _status_meaning(name, error, prompt)
    if isinstance(error, (openai.APIConnectionError, httpx2.TransportError)):
        sent = not isinstance(_cause(error), _NEVER_SENT)
        words = "was reached and did not answer" if sent else "cannot be reached"
        remedy = "Raise its timeout_s, or look at its own log." if sent else "Correct its url, or start it."
        return EndpointUnavailableError(f"The endpoint {name!r} {words} ({type(_cause(error)).__name__}). {remedy}", sent=sent)
    said = f": {_shown(str(error), prompt)}" if type(error) in {AnswerTooLargeError, AnswerEncodedError, ErrorEventError} else ""
    return EndpointGarbledError(
        f"The endpoint {name!r} did not answer as a model does{said}. Check that its url is that of an OpenAI-compatible API, "
        "often ending in /v1.",
        sent=True,
    )


def _status_meaning(name: str, error: openai.APIStatusError, prompt: str) -> GenerationError:
    status = error.status_code
    start = f"The endpoint {name!r} answered {status}"
    if meaning_of(error) is EndpointUnavailableError:
        after_s = _retry_after_s(error.response.headers)
        asked = "" if after_s is None else f" and asks for {after_s:.0f} s of patience"
        sent = status in _MAY_BE_BILLED
        return EndpointUnavailableError(
            f"{start}{asked}. It is overloaded or broken; try again.", sent=sent, retry_after_s=after_s
        )
    if status in _NO_KEY:  # what it says may quote the key
        return EndpointRefusedError(f"{start}: it refuses the key. Correct the key that its api_key_name names.")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return EndpointRefusedError(f"{start}: it has moved, and redirects are not followed. Write its new address into its url.")
    said = _shown(error.message, prompt)
    if status == HTTPStatus.NOT_FOUND:
        return EndpointRefusedError(f"{start}: it does not know the model or the address ({said}). Correct its model or url.")
    return EndpointRefusedError(f"{start} ({said}). Correct its settings, or ask whoever runs it.")


def _cause(error: Exception) -> BaseException:
    return (error.__cause__ if isinstance(error, openai.APIConnectionError) else None) or error


def _shown(words: str, prompt: str) -> str:
    """A provider's words, cut and on one line; only that there were some, when they repeat what was sent."""
    if any(line.strip() and line.strip() in words for line in prompt.splitlines()):
        return "its words repeat the prompt"
    line = " ".join("".join(character if character.isprintable() else " " for character in words).split())
    return line[:_DETAIL_CHARACTERS]


def _retry_after_s(headers: Mapping[str, Any]) -> float | None:
    value = headers.get("retry-after", "")
    try:
        after_s = float(value)
    except ValueError:
        after_s = _s_until(value)
    return after_s if 0 <= after_s < float("inf") else None


def _s_until(date: str) -> float:
    """The seconds until an HTTP date; negative for what is none, such as one in the year 99999."""
    try:
        parts = email.utils.parsedate_tz(date)
        return email.utils.mktime_tz(parts) - time.time() if parts else -1.0
    except (ValueError, OverflowError):
        return -1.0
