"""Many prompts at once, by the batch API of an OpenAI-compatible endpoint: `/files` and `/batches`."""

import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from app.adapters.bounded_http import Bounds
from app.adapters.openai_errors import mapped_errors
from app.adapters.openai_generator import FINISHES, open_client, read_usage
from app.generation.endpoints import BatchProgress, Completion, Finish, Prompt
from app.generation.errors import EndpointGarbledError

MakeBody: TypeAlias = Callable[[Prompt, int], Mapping[str, Any]]
"""The body of one call, from a prompt and the most tokens that may be written."""

_READ_S: Final = 60.0
_CALL_S: Final = 900.0
"""Files of a batch are large, and nobody waits for them."""

_REPLY_BYTES: Final = 64_000_000
_ROW_BYTES: Final = 16_384
_BYTES_PER_TOKEN: Final = 64
_KEY: Final = "farthing"
_ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})


class OpenAIBatch:
    """`BatchGenerator` over one model at one OpenAI-compatible endpoint. Used by one thread."""

    def __init__(self, name: str, url: str, key: str | None, make_body: MakeBody) -> None:
        self._name = name
        self._make_body = make_body
        self._bounds = Bounds()
        self._client = open_client(url, key, self._bounds, _READ_S)

    def submit(self, key: str, prompts: Mapping[str, Prompt], max_output_tokens: int) -> str:
        """Hand in prompts, each under an id of the caller's; the batch's id at the provider. Raises `GenerationError`."""
        lines = [
            json.dumps(
                {
                    "custom_id": identity,
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": self._make_body(prompt, max_output_tokens),
                }
            )
            for identity, prompt in prompts.items()
        ]
        self._allow(_REPLY_BYTES)
        with mapped_errors(self._name, []):
            file = self._client.files.create(file=("batch.jsonl", "\n".join(lines).encode()), purpose="batch")
            batch = self._client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={_KEY: key}
            )
        return self._text(batch.id)

    def find(self, key: str) -> str | None:
        """The id of the batch that was handed in under a key, or `None` when it never arrived. Raises `GenerationError`."""
        self._allow(_REPLY_BYTES)
        with mapped_errors(self._name, []):
            for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(_KEY) == key:
                    return self._text(batch.id)
        return None

    def progress(self, batch_id: str) -> BatchProgress:
        """How far a batch is. Raises `GenerationError`."""
        self._allow(_REPLY_BYTES)
        with mapped_errors(self._name, []):
            batch = self._client.batches.retrieve(batch_id)
        counts, errors = batch.request_counts, batch.errors and batch.errors.data
        done = (counts.completed or 0) + (counts.failed or 0) if counts else 0
        problem = str(errors[0].message) if errors else None
        return BatchProgress(batch.status in _ENDED, done, (counts.total or 0) if counts else 0, problem)

    def results(self, batch_id: str, prompts: Mapping[str, Prompt], max_output_tokens: int) -> Mapping[str, Completion]:
        """What the model wrote, by the caller's ids; prompts that failed are missing.

        Raises:
            GenerationError: It could not be fetched, or a part of it cannot be read, so that nobody knows what is billed.
        """
        self._allow(_REPLY_BYTES + len(prompts) * (_ROW_BYTES + max_output_tokens * _BYTES_PER_TOKEN))
        with mapped_errors(self._name, []):
            file_id = self._client.batches.retrieve(batch_id).output_file_id
            if not file_id:
                return {}
            rows = [json.loads(line) for line in self._client.files.content(file_id).content.splitlines() if line.strip()]
        completions: dict[str, Completion] = {}
        for row in rows:
            identity = row.get("custom_id") if isinstance(row, Mapping) else None
            response = row.get("response") if isinstance(row, Mapping) else None
            if not isinstance(identity, str) or identity not in prompts or not isinstance(response, Mapping | None):
                raise self._garbled()
            if response and response.get("status_code") == HTTPStatus.OK:
                completions[identity] = _completion(response.get("body"), prompts[identity], max_output_tokens)
        return completions

    def _allow(self, most_bytes: int) -> None:
        self._bounds.deadline = time.monotonic() + _CALL_S
        self._bounds.left_bytes = most_bytes

    def _text(self, identity: object) -> str:
        if not isinstance(identity, str) or not identity:
            raise self._garbled()
        return identity

    def _garbled(self) -> EndpointGarbledError:
        return EndpointGarbledError(
            f"The endpoint {self._name!r} did not answer as a batch API does. Check that its url is that of an OpenAI-compatible "
            "API with /files and /batches, or remove batch from its settings.",
            sent=True,
        )


def _completion(body: object, prompt: Prompt, max_output_tokens: int) -> Completion:
    """Read one answer, which may hold anything; what cannot be read is empty, and billed."""
    body = body if isinstance(body, Mapping) else {}
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    choice = choice if isinstance(choice, Mapping) else {}
    message = choice.get("message")
    message = message if isinstance(message, Mapping) else {}
    content = message.get("content")
    text = content if isinstance(content, str) else ""
    finish = Finish.FILTERED if message.get("refusal") else FINISHES.get(str(choice.get("finish_reason")), Finish.STOP)
    usage = read_usage(body.get("usage"), len(f"{prompt.system}{prompt.user}".encode()), len(text.encode()), max_output_tokens)
    return Completion(text, finish, usage)
