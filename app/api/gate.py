"""Guards in front of the routes: admission and body limits for questions; safe headers and an id on every response."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import BodyTooLargeError, BodyTooSlowError, OverloadedError, problem_response
from app.telemetry import bind_request

MAX_BODY_BYTES: Final = 65_536
BODY_TIMEOUT_S: Final = 10.0

_HEADERS: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)

_REQUEST_ID: Final = b"x-request-id"


class AskGate:
    """Admits at most `slots + queue` questions; `slots` of them are answered at once, the others wait.

    The count is taken before anything is awaited, so that overload is turned away at once, whatever the questions that were
    admitted do. Then the body is read, up to 64 KB and ten seconds; only a whole question waits for a slot, so that slow
    senders keep none from being answered.
    """

    def __init__(
        self, app: ASGIApp, path: str, slots: int, queue: int, quick: Callable[[bytes, Scope], bytes | None] = lambda *_: None
    ) -> None:
        """Put the gate up.

        Args:
            app: What is behind it.
            path: Whose requests it guards.
            slots: How many are answered at once.
            queue: How many more may wait.
            quick: Answers a request from its body at once, needing no slot, or says that it cannot.
        """
        self._app = app
        self._quick = quick
        self._path = path
        self._capacity = slots + queue
        self._admitted = 0
        self._slots = asyncio.Semaphore(slots)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one request, if it is a question."""
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if self._admitted >= self._capacity:
            await problem_response(OverloadedError(), self._path)(scope, receive, send)
            return
        self._admitted += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self._admitted -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read_body(scope, receive)
        except (BodyTooLargeError, BodyTooSlowError) as error:
            await problem_response(error, self._path)(scope, receive, send)
            return
        if body is None:
            return  # the caller has gone
        if (answer := self._quick(body, scope)) is not None:
            await Response(answer, media_type="application/json")(scope, receive, send)
            return
        async with self._slots:
            await self._app(scope, _replay(body, receive), send)


class Envelope:
    """Gives each request an id, which its response and all of its log lines have, and each response safe headers.

    The headers keep a browser from doing anything with a response but show it. An id that the caller sent as `X-Request-Id` is
    kept, where it has the form of one. Whatever makes a response must be inside, the last resort for faults as well.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its response back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Each request has a task, and so a context, of its own: nothing is left bound for the next one.
        request_id = bind_request(dict(scope["headers"]).get(_REQUEST_ID, b"").decode("latin-1")).encode()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS, (_REQUEST_ID, request_id)]
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _read_body(scope: Scope, receive: Receive) -> bytes | None:
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise BodyTooLargeError(_too_large())
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY_BYTES:
                    raise BodyTooLargeError(_too_large())
    except TimeoutError as error:
        raise BodyTooSlowError from error
    return body


def _too_large() -> str:
    return f"The body may have {MAX_BODY_BYTES:,} bytes. Ask a shorter question."


def _replay(body: bytes, receive: Receive) -> Receive:
    unread = [body]

    async def replayed() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replayed
