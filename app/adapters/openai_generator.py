"""Models at OpenAI-compatible endpoints, by the `openai` client."""

import json
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from http import HTTPStatus
from itertools import chain
from typing import Any, Final, cast

import httpx2
import openai

from app.adapters.bounded_http import Bounds, bounded_client
from app.adapters.openai_errors import ErrorEventError, mapped_errors
from app.costs.pricing import Usage
from app.generation.endpoints import Completion, Finish, Prompt, TextListener
from app.generation.errors import EndpointGarbledError, GenerationError, StreamCutError

_FIRST_PIECE_SHARE: Final = 0.5
"""The share of the time that may pass before the first piece: another endpoint still has time to answer then."""

_SOME_BYTES: Final = 65_536
_BYTES_PER_TOKEN: Final = 4_096
"""A token in an event of its own takes about 300 bytes; some endpoints add as much about themselves."""
_MODEL_LIST_BYTES: Final = 4_000_000

_MOST_UNSEEN_INPUT_TOKENS: Final = 10_000
_MOST_UNSEEN_OUTPUT_TOKENS: Final = 64
"""What an endpoint may add to a prompt and an answer of its own: templates, marks of begin and end."""

_LONGEST_END_S: Final = 0.1
_DATA: Final = b"data:"
_DONE: Final = b"[DONE]"

FINISHES: Final[Mapping[str, Finish]] = {"length": Finish.LENGTH, "content_filter": Finish.FILTERED}
"""What the API calls an end; anything else is `STOP`."""

_UNPROCESSED: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_COMPLAINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "stream_options": ("stream_options", "include_usage"),
    "response_format": ("response_format", "json_object", "json mode"),
    "temperature": ("temperature",),
}
"""How a provider that does not take a parameter names it."""
_OF_A_VALUE: Final = ("too large", "too long", "at most", "maximum", "exceed")
"""Words of a provider that takes the parameter, and not what was asked for this once."""


class OpenAIGenerator:
    """`Generator` over one model at one OpenAI-compatible endpoint. Answers are always streamed.

    What an endpoint does not take (JSON mode, usage in streams, a temperature, `max_tokens`) is learned from its refusal, and
    left out from then on. The time is for a whole call; half of it may pass before the first piece.
    """

    def __init__(self, name: str, url: str, key: str | None, model: str, timeout_s: float) -> None:
        self._name = name
        self._model = model
        self._timeout_s = timeout_s
        self._bounds = Bounds()
        self._refused: frozenset[str] = frozenset()
        self._client = open_client(url, key, self._bounds, timeout_s)

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        """Have the model write, and tell `on_text` each piece as it comes.

        Raises:
            EndpointUnavailableError: Nothing was written, and another try or endpoint may help.
            EndpointRefusedError: Wrong key, unknown model, a request it does not accept.
            EndpointGarbledError: What came back is no answer of a model.
            StreamCutError: The answer broke off; the error holds what had been written.
        """
        began = time.monotonic()
        self._bounds.deadline = began + self._timeout_s * _FIRST_PIECE_SHARE
        self._bounds.left_bytes = _SOME_BYTES + max_output_tokens * _BYTES_PER_TOKEN
        answer = _Answer()
        try:
            # Closed at once when the listener raises: as long as the stream is open, the provider writes on, and bills it.
            with closing(self._pieces(prompt, max_output_tokens, answer)) as pieces:
                for piece in pieces:
                    self._bounds.deadline = began + self._timeout_s
                    if piece:
                        on_text(piece)
        except GenerationError:
            if answer.finish is None:  # what is cut off after the end is only the usage
                raise
        text = "".join(answer.written)
        if answer.finish is None:
            self._refuse_unfinished(answer, text)
        assert answer.finish is not None
        usage = read_usage(answer.usage, len(f"{prompt.system}{prompt.user}".encode()), len(text.encode()), max_output_tokens)
        return Completion(text, answer.finish, usage)

    def body(self, prompt: Prompt, max_output_tokens: int) -> dict[str, Any]:
        """The body of a call that is not streamed, without what the endpoint has refused so far."""
        whole = _without(self._refused, _body(self._model, prompt, max_output_tokens))
        return {name: value for name, value in whole.items() if not name.startswith("stream")}

    def list_models(self) -> frozenset[str] | None:
        """The models that the endpoint says it has; `None` when it does not say. Spends no tokens.

        Raises:
            EndpointUnavailableError: It cannot be reached, or is overloaded.
            EndpointRefusedError: It refuses the key.
            EndpointGarbledError: What came back is no list of models.
        """
        self._bounds.deadline = time.monotonic() + self._timeout_s
        self._bounds.left_bytes = _MODEL_LIST_BYTES
        with mapped_errors(self._name, []):
            try:
                listed = self._client.get("/models", cast_to=object)
            except openai.APIStatusError as error:
                if error.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}:
                    return None
                raise
        models = listed.get("data") if isinstance(listed, Mapping) else None
        if not isinstance(models, list):
            raise EndpointGarbledError(
                f"The endpoint {self._name!r} lists no models at /models. Check that its url is that of an OpenAI-compatible "
                "API, often ending in /v1."
            )
        return frozenset(model["id"] for model in models if isinstance(model, Mapping) and isinstance(model.get("id"), str))

    def _pieces(self, prompt: Prompt, max_output_tokens: int, answer: "_Answer") -> Generator[str, None, None]:
        """Each piece of text, empty for an event without any. Errors of the listener do not come through here."""
        with (
            mapped_errors(self._name, answer.written, prompt.user),
            closing(self._open(prompt, max_output_tokens)) as response,
        ):
            for data in _event_data(response):
                if data == _DONE:
                    # Read to its end, a connection can be used again. What comes after the last event is no part of the answer.
                    self._bounds.deadline = min(self._bounds.deadline, time.monotonic() + _LONGEST_END_S)
                else:
                    yield answer.take(json.loads(data))

    def _open(self, prompt: Prompt, max_output_tokens: int) -> httpx2.Response:
        """Send the request, without what the endpoint has refused so far; learn from another refusal, and send again."""
        while True:
            refused = self._refused
            body = _without(refused, _body(self._model, prompt, max_output_tokens))
            try:
                response = self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=body, stream=True, stream_cls=openai.Stream[object]
                )
            except openai.APIStatusError as error:
                more = _complaint(error, body)
                if more is None:
                    raise
                self._refused |= {more}
            else:
                # The client's own stream closes the connection at its last event, and the next call would have to connect anew.
                return cast("httpx2.Response", response)  # as `cast_to` says, whatever the types of `post` do

    def _refuse_unfinished(self, answer: "_Answer", text: str) -> None:
        if text:
            raise StreamCutError(f"The endpoint {self._name!r} broke off its answer.", written=text, sent=True)
        said = "no choices" if answer.events else "nothing that is an event of a stream"
        raise EndpointGarbledError(
            f"The endpoint {self._name!r} answered with {said}. Check that its url is that of an OpenAI-compatible API, often "
            "ending in /v1, and that it can stream.",
            sent=True,
        )


class _Answer:
    """What has come of an answer so far."""

    def __init__(self) -> None:
        self.events = 0
        self.written: list[str] = []
        self.finish: Finish | None = None
        self.usage: Any = None

    def take(self, event: object) -> str:
        """Read one event of the stream, which may hold anything; its text, or nothing."""
        self.events += 1
        if not isinstance(event, Mapping):
            return ""
        if error := event.get("error"):
            raise ErrorEventError(str(error.get("message") if isinstance(error, Mapping) else error))
        self.usage = event.get("usage") or self.usage
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, Mapping):
            return ""
        delta = choice.get("delta")
        delta = delta if isinstance(delta, Mapping) else {}
        if choice.get("finish_reason"):
            self.finish = self.finish or FINISHES.get(str(choice["finish_reason"]), Finish.STOP)
        if delta.get("refusal"):
            self.finish = Finish.FILTERED
        text = delta.get("content")
        if not isinstance(text, str) or not text:
            return ""
        self.written.append(text)
        return text


def _event_data(response: httpx2.Response) -> Iterator[bytes]:
    """The data of each event of a stream. Only line feeds end a line: JSON may hold other separators as they are.

    A body that is one JSON object, which some gateways give errors in, is one event: no line of a stream begins with a brace.
    """
    blocks = response.iter_bytes()
    first, rest = next(blocks, b""), b""
    if first.lstrip().startswith(b"{"):
        yield b"".join([first, *blocks])
        return
    for block in chain([first], blocks):
        *lines, rest = (rest + block).split(b"\n")
        yield from _data(lines)
    yield from _data([rest])


def _data(lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        if line.startswith(_DATA):
            yield line.removeprefix(_DATA).strip()


def open_client(url: str, key: str | None, bounds: Bounds, timeout_s: float) -> openai.OpenAI:
    """A client of one endpoint that keeps to `bounds`, tries once, and tells the endpoint nothing of the environment."""
    client = openai.OpenAI(
        base_url=url,
        api_key=key or "none",  # endpoints without keys ignore it
        timeout=timeout_s,
        max_retries=0,
        http_client=bounded_client(bounds, timeout_s),
    )
    client.organization = client.project = None  # the environment's, which would go to any endpoint
    return client


def read_usage(usage: Any, prompt_bytes: int, text_bytes: int, max_output_tokens: int) -> Usage | None:
    """What a provider says was used, or `None` when it says nothing, or something that cannot be.

    A token has at least one byte, so there cannot be more tokens than bytes, but for what the endpoint adds of its own. Output
    up to what was asked for may be hidden reasoning, which is billed.
    """
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    counts = [usage.get("prompt_tokens"), usage.get("completion_tokens"), 0 if cached is None else cached]
    whole = [count for count in counts if isinstance(count, int) and not isinstance(count, bool)]
    if len(whole) < len(counts):
        return None
    read = Usage(*whole)
    most_output = max(text_bytes, max_output_tokens) + _MOST_UNSEEN_OUTPUT_TOKENS
    possible = (
        0 < read.input_tokens <= prompt_bytes + _MOST_UNSEEN_INPUT_TOKENS
        and (1 if text_bytes else 0) <= read.output_tokens <= most_output
        and 0 <= read.cached_input_tokens <= read.input_tokens
    )
    return read if possible else None


def _body(model: str, prompt: Prompt, max_output_tokens: int) -> dict[str, Any]:
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    body: dict[str, Any] = {
        "model": model,
        "messages": [*system, {"role": "user", "content": prompt.user}],
        "max_tokens": max_output_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return body | ({"response_format": {"type": "json_object"}} if prompt.wants_json else {})


def _without(refused: frozenset[str], body: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in body.items() if name not in refused}
    if "max_tokens" in refused:
        kept["max_completion_tokens"] = body["max_tokens"]
    return kept


def _complaint(error: openai.APIStatusError, body: Mapping[str, Any]) -> str | None:
    """The parameter of `body` that an endpoint does not take and that can be left out, or `None` when it is something else."""
    if error.status_code not in _UNPROCESSED:
        return None
    words = f"{error.param} {error.message}".lower()
    if any(wording in words for wording in _OF_A_VALUE):
        return None
    for name, namings in _COMPLAINTS.items():
        if name in body and any(naming in words for naming in namings):
            return name
    return None
