"""The guards alone, in front of a route that takes as long as the test wants."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.api import gate
from app.api.gate import MAX_BODY_BYTES, AskGate

PATH = "/v1/ask"


class Route:
    """Answers 200 with the body it got, when it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.running = 0
        self.most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        if scope["path"] == PATH:
            self.running += 1
            self.most = max(self.most, self.running)
            await self.go.wait()
            self.running -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


class Call:
    """One request against the gate."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], messages: list[Message], **scope: Any) -> None:
        self._app = app
        self._messages = messages
        self._scope = {"type": "http", "path": PATH, "method": "POST", "headers": [], **scope}
        self.reads = 0
        self.sent: list[Message] = []

    async def run(self) -> "Call":
        async def receive() -> Message:
            self.reads += 1
            if not self._messages:
                await asyncio.Event().wait()
            return self._messages.pop(0)

        async def send(message: Message) -> None:
            self.sent.append(message)

        await self._app(self._scope, receive, send)
        return self

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def header(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def problem(self) -> Any:
        assert self.header[b"content-type"] == b"application/problem+json"
        return json.loads(self.sent[1]["body"])


def body(content: bytes = b"{}", *, more: bool = False) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


def test_beyond_slots_and_queue_questions_are_turned_away_at_once() -> None:
    async def scenario() -> None:
        route = Route()
        app = AskGate(route, PATH, slots=8, queue=16)
        calls = [Call(app, [body()]) for _ in range(400)]
        tasks = [asyncio.create_task(call.run()) for call in calls]
        await asyncio.sleep(0.05)
        turned_away = [call for call in calls if call.status == 503]
        assert len(turned_away) == 376
        assert all(call.header[b"retry-after"] == b"1" and call.reads == 0 for call in turned_away)
        assert turned_away[0].problem["type"] == "urn:farthing:problem:overloaded"
        route.go.set()
        await asyncio.gather(*tasks)
        assert [call.status for call in calls].count(200) == 24
        assert route.most == 8
        assert (await Call(app, [body()]).run()).status == 200

    asyncio.run(scenario())


def test_other_routes_pass_during_overload() -> None:
    async def scenario() -> None:
        route = Route()
        app = AskGate(route, PATH, slots=1, queue=0)
        waiting = asyncio.create_task(Call(app, [body()]).run())
        await asyncio.sleep(0.01)
        assert (await Call(app, [body()]).run()).status == 503
        assert (await Call(app, [body()], path="/health", method="GET").run()).status == 200
        route.go.set()
        await waiting

    asyncio.run(scenario())


def test_a_declared_large_body_is_refused_unread() -> None:
    async def scenario() -> None:
        size = str(MAX_BODY_BYTES + 1).encode()
        call = await Call(AskGate(Route(), PATH, 1, 0), [body()], headers=[(b"content-length", size)]).run()
        assert call.status == 413
        assert call.reads == 0
        assert call.problem["detail"].startswith("The body may have 65,536 bytes")

    asyncio.run(scenario())


def test_an_undeclared_large_body_is_refused_before_it_is_read_to_its_end() -> None:
    async def scenario() -> None:
        pieces = [body(b"x" * 30_000, more=True) for _ in range(100)]
        call = await Call(AskGate(Route(), PATH, 1, 0), pieces).run()
        assert call.status == 413
        assert call.reads == 3

    asyncio.run(scenario())


def test_a_slow_body_is_refused_and_holds_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "BODY_TIMEOUT_S", 0.2)

    async def scenario() -> None:
        route = Route()
        route.go.set()
        app = AskGate(route, PATH, slots=1, queue=1)
        slow = Call(app, [body(b"{", more=True)])
        task = asyncio.create_task(slow.run())
        await asyncio.sleep(0.01)
        assert (await Call(app, [body()]).run()).status == 200
        await task
        assert slow.status == 408

    asyncio.run(scenario())


def test_a_caller_who_leaves_is_answered_with_nothing() -> None:
    async def scenario() -> None:
        call = await Call(AskGate(Route(), PATH, 1, 0), [body(b"{", more=True), {"type": "http.disconnect"}]).run()
        assert call.sent == []

    asyncio.run(scenario())


def test_a_body_in_pieces_arrives_whole() -> None:
    async def scenario() -> None:
        route = Route()
        route.go.set()
        call = await Call(AskGate(route, PATH, 1, 0), [body(b'{"a"', more=True), body(b":1}")]).run()
        assert call.sent[1]["body"] == b'{"a":1}'

    asyncio.run(scenario())
