"""An answer as it is made, as server-sent events: status, text, citations, and the receipt last."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor
from typing import Any, Final, TypeAlias

from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from app.answering.answers import Answer
from app.answering.events import Event, Listener, Step
from app.api.errors import problem_shape
from app.api.schemas import AnswerShape, StatusEvent, TextEvent, answer_shape, step_shape

KEEP_ALIVE_S: Final = 15.0
"""After so long without an event a comment is sent, so that no proxy takes the connection for dead."""

_WITHDRAWS: Final = frozenset({"climb", "fail", "abstain"})

_Happening: TypeAlias = Event | Answer | Exception


async def stream_answer(ask: Callable[[Listener], Answer], path: str, workers: Executor, *, explain: bool) -> StreamingResponse:
    """Answer in a thread of `workers`, and send what happens as it happens.

    When the caller goes away, the answer is finished all the same, so that everything that was generated is billed.

    Args:
        ask: Answers the question, telling the listener each step.
        path: The request's path, for problems.
        workers: Runs `ask`.
        explain: Send the reason of each step with the citations.

    Raises:
        Exception: Whatever ends the answer before its first event, so that it gets a status of its own. Later ones are sent as
            an event `problem`.
    """
    happenings: asyncio.Queue[_Happening] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(happening: _Happening) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(happenings.put_nowait, happening)

    def work() -> None:
        try:
            tell(ask(tell))
        except Exception as error:  # noqa: BLE001 - it is the caller's, who waits on the other side of the queue
            tell(error)

    workers.submit(work)
    first = await happenings.get()
    if isinstance(first, Exception):
        raise first
    return StreamingResponse(_events(first, happenings, path, explain=explain), media_type="text/event-stream")


async def _events(first: _Happening, happenings: asyncio.Queue[_Happening], path: str, *, explain: bool) -> AsyncIterator[bytes]:
    happening, written = first, False
    while True:
        if isinstance(happening, Exception):
            yield _event("problem", problem_shape(happening, path))
            return
        if isinstance(happening, Step):
            withdrawn = written and happening.decision in _WITHDRAWS
            written = written and not withdrawn
            yield _event("status", StatusEvent(**step_shape(happening).model_dump(), withdraws_text=withdrawn))
        elif isinstance(happening, Answer):
            for part in _answer(answer_shape(happening, explain=explain), written=written):
                yield part
            return
        else:
            written = True
            yield _event("text", TextEvent(text=happening.text))
        while True:
            try:
                happening = await asyncio.wait_for(happenings.get(), KEEP_ALIVE_S)
                break
            except TimeoutError:
                yield format_sse_event(comment="still here")


def _answer(shape: AnswerShape, *, written: bool) -> list[bytes]:
    text = [] if written else [_event("text", TextEvent(text=shape.answer))]
    everything = shape.model_dump(mode="json", exclude_unset=True)
    receipt = {"id": shape.id, **everything.pop("receipt")}
    return [*text, _json_event("citations", everything), _json_event("receipt", receipt)]


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())


def _json_event(name: str, data: Mapping[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False))
