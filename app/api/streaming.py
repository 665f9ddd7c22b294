"""An answer as it is made, as server-sent events: status, text, citations, and the receipt last."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from anyio import CancelScope
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from app.answers.answers import Answer
from app.answers.events import Decision, Step
from app.answers.shapes import AnswerShape, StatusEvent, TextEvent, answer_shape, step_shape
from app.api.errors import problem_shape
from app.api.open_answers import Happening, OpenAnswer

KEEP_ALIVE_S: Final = 15.0
"""After so long without an event a comment is sent, so that no proxy takes the connection for dead."""

_WITHDRAWS: Final = frozenset({Decision.CLIMB, Decision.FAIL, Decision.ABSTAIN})


async def stream_answer(answer: OpenAnswer, path: str, *, explain: bool) -> StreamingResponse:
    """Send what happens while a question is answered, as it happens.

    Args:
        answer: The answer that is being made.
        path: The request's path, for problems.
        explain: Send the reason of each step with the citations.

    Raises:
        Exception: Whatever ends the answer before its first event, so that it gets a status of its own. Later ones are sent as
            an event `problem`.
    """
    begun: list[Happening] = []
    while not begun or _decides_nothing(begun[-1]):
        begun.append(await answer.next())
    if isinstance(begun[-1], Exception):
        raise begun[-1]
    return _AnswerStream(answer, _events(answer, begun, path, explain=explain))


class _AnswerStream(StreamingResponse):
    """A response that lasts as long as its answer is being made, also when the caller has gone: so long it takes up a slot."""

    def __init__(self, answer: OpenAnswer, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await self._answer.ended()


def _decides_nothing(happening: Happening) -> bool:
    """Whether only the next event shows if it was an abstention or a budget's refusal, which has a status of its own."""
    return isinstance(happening, Step) and happening.decision is Decision.ABSTAIN


async def _events(answer: OpenAnswer, begun: list[Happening], path: str, *, explain: bool) -> AsyncIterator[bytes]:
    written = False
    while True:
        if not begun:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    begun.append(await answer.next())
            except TimeoutError:
                yield format_sse_event(comment="still here")
                continue
        happening = begun.pop(0)
        if isinstance(happening, Exception):
            yield _event("problem", problem_shape(happening, path))
            return
        if isinstance(happening, Answer):
            for part in _answer(answer_shape(happening, explain=explain), written=written):
                yield part
            return
        if isinstance(happening, Step):
            withdrawn = written and happening.decision in _WITHDRAWS
            written = written and not withdrawn
            yield _event("status", StatusEvent(**step_shape(happening).model_dump(), withdraws_text=withdrawn))
        else:
            written = True
            yield _event("text", TextEvent(text=happening.text))


def _answer(shape: AnswerShape, *, written: bool) -> list[bytes]:
    text = [] if written else [_event("text", TextEvent(text=shape.answer))]
    everything = shape.model_dump(mode="json", exclude_unset=True)
    receipt = {"id": shape.id, **everything.pop("receipt")}
    return [*text, _json_event("citations", everything), _json_event("receipt", receipt)]


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())


def _json_event(name: str, data: Mapping[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False))
