"""The application behind a real server on loopback, and clients that read its events, or leave."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import uvicorn

from app.bootstrap import build_application
from app.settings import Settings, load_settings
from indexing.embedding import Embedder
from tests.fakes.provider import Body, FakeProvider

QUESTION = "How many days of paid leave has everybody?"
RIGHT = json.dumps({"sentences": [{"text": "Everybody has 27 days of paid leave.", "units": [1]}]})
WRONG = json.dumps({"sentences": [{"text": "Everybody has 31 days of paid leave.", "units": [1]}]})


def endpoint(provider: FakeProvider, name: str = "mini", rung: str = "small", **more: Any) -> dict[str, Any]:
    """One model of a provider, at a listed price, as the settings name it."""
    plain = {"context_tokens": 8_000, "max_output_tokens": 300, "timeout_s": 10.0, "price_model": "openai/gpt-5-mini"}
    return plain | {"name": name, "rung": rung, "url": provider.url, "model": f"{rung}-model"} | more


def with_models(settings: Settings, *endpoints: dict[str, Any], **more: Any) -> Settings:
    """The settings with models, in the same home, and without a cache: every question is to reach a model."""
    return load_settings(home=settings.home, endpoints=endpoints, cache={"enabled": False}, **more)


def says(small: str, strong: str = RIGHT) -> Callable[[Body], str]:
    """A script in which each of the two models says one thing."""
    return lambda body: small if body["model"] == "small-model" else strong


@dataclass
class Event:
    """One server-sent event with its data; a comment has no name."""

    name: str
    data: Any


class Client:
    """Asks a server on loopback. What it opened is closed with the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.opened = ExitStack()

    def post(self, **body: Any) -> HTTPResponse:
        """Send a question, and come back when the response begins."""
        return self._request("POST", "/v1/ask", json.dumps({"question": QUESTION} | body))

    def stream(self, **body: Any) -> list[Event]:
        """All events of one answer."""
        response = self.post(stream=True, **body)
        assert (response.status, response.getheader("content-type")) == (200, "text/event-stream; charset=utf-8")
        return list(events(response))

    def get(self, path: str) -> int:
        return self._request("GET", path).status

    def _request(self, method: str, path: str, body: str | None = None) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.opened.callback(connection.close)
        connection.request(method, path, body, {"content-type": "application/json", "connection": "close"})
        return self.opened.enter_context(connection.getresponse())


def events(response: HTTPResponse) -> Iterator[Event]:
    """The events of a response as they come."""
    name, data = "", ""
    for raw in response:
        line = raw.decode().rstrip("\n")
        if line.startswith(":"):
            yield Event("", line[1:].strip())
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data += line.removeprefix("data: ")
        elif not line and name:
            yield Event(name, json.loads(data))
            name, data = "", ""


@contextmanager
def served(settings: Settings, embedder: Embedder) -> Iterator[Client]:
    """The application on a port of its own, ready; stopped in order at the end."""
    application = build_application(settings, embedder)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(application, log_config=None, timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        client = Client(listening.getsockname()[1])
        try:
            wait_until(lambda: client.get("/ready") == 200)
            yield client
        finally:
            client.opened.close()
            server.should_exit = True
            thread.join()


def wait_until(done: Callable[[], bool], seconds: float = 15.0) -> None:
    """Look again and again until something is so."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)
