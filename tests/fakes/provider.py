"""An OpenAI-compatible provider on loopback that does what it is told, right and wrong, and keeps its own books.

In a test: `with FakeProvider() as provider:`, then `provider.url`, `provider.faults.append(Fault.RESET)`, `provider.bill`.
For benchmarks and tests that kill processes: `python -m tests.fakes.provider --port 8099`; it prints its address, and answers
GET /bill with its books, GET /moments with when it wrote, and POST /faults with a list of faults for the next calls.
"""

import argparse
import contextlib
import importlib
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from indexing.adapters.tiktoken_counter import TiktokenCounter
from tests.fakes.faults import STATUSES, Fault

__all__ = ["Bill", "Body", "FakeProvider", "Fault", "running"]

Body = dict[str, Any]


@dataclass
class Bill:
    """What the provider charges for: calls that reached the model, and their tokens by its own count."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Moments:
    """When a call came in, its first piece of text went out, and its last; on the monotonic clock, in seconds."""

    began: float
    first: float
    ended: float


@dataclass
class FakeProvider:
    """The provider and its script; start it as a context manager, or with `start` and `close`.

    `answer` makes the text from the request's body. `faults` come over the next calls, one each (`None` for none); `always` over
    every call. `rejects` are parameters that it answers with 400, in the words of `rejection`. `moments` are
    those of the last call for each user message. A batch is worked off as soon as it is looked at, and then has `batch_status`;
    of each the rows in `batch_failures`, by their number, fail. Safe to change while it runs.
    """

    answer: Callable[[Body], str] = lambda _: '{"sentences": [{"text": "It is so.", "units": [1]}]}'
    key: str | None = None
    models: tuple[str, ...] | None = ("small-model", "strong-model")
    first_token_s: float = 0.0
    token_s: float = 0.0
    faults: list[Fault | None] = field(default_factory=list)
    always: Fault | None = None
    rejects: frozenset[str] = frozenset()
    rejection: str = "Unsupported parameter: '{}' is not supported with this model."
    retry_after: str | None = None
    port: int = 0
    bill: Bill = field(default_factory=Bill)
    requests: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    moments: dict[str, Moments] = field(default_factory=dict)
    connections: int = 0
    batches: dict[str, Body] = field(default_factory=dict)
    files: dict[str, list[Body]] = field(default_factory=dict)
    batch_status: str = "completed"
    batch_failures: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.counter = TiktokenCounter()
        self.lock = threading.Lock()
        self.stopping = threading.Event()

    def start(self) -> Self:
        self.counter.count("loads the vocabulary before the first call")
        self._server = _Server(("127.0.0.1", self.port), type("Handler", (_Handler,), {"script": self}))
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def next_fault(self) -> Fault | None:
        with self.lock:
            return self.always or (self.faults.pop(0) if self.faults else None)

    def charge(self, *, calls: int = 0, input_tokens: int = 0, output_tokens: int = 0) -> None:
        with self.lock:
            self.bill.calls += calls
            self.bill.input_tokens += input_tokens
            self.bill.output_tokens += output_tokens


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # clients leave; anything else is a fault of this fake
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    script: FakeProvider

    def setup(self) -> None:
        with self.script.lock:
            self.script.connections += 1
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        pass

    def do_GET(self) -> None:
        match urlsplit(self.path).path.split("/")[1:]:
            case ["v1", "batches"]:
                self._json(200, {"object": "list", "data": list(self.script.batches.values()), "has_more": False})
                return
            case ["v1", "batches", name]:
                self._work_off(self.script.batches[name])
                self._json(200, self.script.batches[name])
                return
            case ["v1", "files", name, "content"]:
                self._whole(200, "application/jsonl", "\n".join(map(json.dumps, self.script.files[name])))
                return
        match urlsplit(self.path).path:
            case "/bill":
                self._json(200, asdict(self.script.bill))
            case "/moments":
                self._json(200, {asked: asdict(moments) for asked, moments in list(self.script.moments.items())})
            case "/v1/models" if self.script.always == Fault.HTML:
                self._html()
            case "/v1/models" if self._key_is_wrong():
                self._error(401, "Incorrect API key provided: " + self.headers.get("authorization", ""), "invalid_api_key")
            case "/v1/models" if self.script.models is not None:
                self._json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.script.models]})
            case _:
                self._error(404, "not found", None)

    def do_POST(self) -> None:
        if self.path == "/v1/files":
            self._take_file()
            return
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/faults":
            self.script.faults += [Fault(name) for name in body]
            self._json(200, {})
            return
        if self.path == "/v1/batches":
            self._take_batch(body)
            return
        self.script.requests.append(body)
        self.script.headers.append({name.lower(): value for name, value in self.headers.items()})
        rejected = sorted(self.script.rejects & body.keys())
        fault = self.script.next_fault()
        if self._key_is_wrong():
            self._error(401, "Incorrect API key provided: " + self.headers.get("authorization", ""), "invalid_api_key")
        elif self.script.models is not None and body["model"] not in self.script.models:
            self._error(404, f"The model `{body['model']}` does not exist", "model_not_found")
        elif rejected:
            self._error(400, self.script.rejection.format(rejected[0]), None)
        elif fault in STATUSES:
            words = body["messages"][1]["content"] if fault == Fault.BAD_REQUEST else "no"
            self._error(STATUSES[fault], words, "insufficient_quota" if fault == Fault.NO_QUOTA else None)
        elif fault and fault not in _MIDWAY and hasattr(self, "_" + fault.name.lower()):
            getattr(self, "_" + fault.name.lower())()
        else:
            self._answer(body, fault)

    def _take_file(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"])).decode()
        name = f"file-{len(self.script.files)}"
        self.script.files[name] = [json.loads(line) for line in sent.splitlines() if line.startswith("{")]
        self._json(200, {"id": name, "object": "file"})

    def _take_batch(self, body: Body) -> None:
        batch = {"id": f"batch-{len(self.script.batches)}", "object": "batch", "status": "in_progress", **body}
        self.script.batches[batch["id"]] = batch
        if (fault := self.script.next_fault()) in STATUSES:  # it is there, and nobody is told
            self._error(STATUSES[fault], "no", None)
        else:
            self._json(200, batch)

    def _work_off(self, batch: Body) -> None:
        if batch["status"] != "in_progress" or self.script.batch_status == "in_progress":
            return
        batch["status"] = self.script.batch_status
        rows = self.script.files[batch["input_file_id"]]
        if batch["status"] == "failed":
            batch["errors"] = {"object": "list", "data": [{"message": "it is not to be had"}]}
            return
        batch["request_counts"] = {"total": len(rows), "completed": len(rows), "failed": 0}
        batch["output_file_id"] = f"{batch['id']}-output"
        self.script.files[batch["output_file_id"]] = [
            self._batch_row(row) for number, row in enumerate(rows) if number not in self.script.batch_failures
        ]

    def _batch_row(self, row: Body) -> Body:
        """One prompt's answer, charged for like a call."""
        self.script.requests.append(row["body"])
        text = self.script.answer(row["body"])
        input_tokens = sum(self.script.counter.count(message["content"]) for message in row["body"]["messages"])
        output_tokens = self.script.counter.count(text)
        self.script.charge(calls=1, input_tokens=input_tokens, output_tokens=output_tokens)
        body = {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": input_tokens, "completion_tokens": output_tokens},
        }
        return {"custom_id": row["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}

    def _answer(self, body: Body, fault: Fault | None) -> None:
        input_tokens = sum(self.script.counter.count(message["content"]) for message in body["messages"])
        self.script.charge(calls=1, input_tokens=input_tokens)
        words = re.findall(r"\s*\S+\s*|\s+", self.script.answer(body))
        most = int(body.get("max_completion_tokens") or body.get("max_tokens") or len(words))
        breaks_off = _MIDWAY.get(fault)
        text = ""
        began = time.monotonic()
        try:
            self._sleep(self.script.first_token_s)
            self._begin("text/event-stream")
            self._choice({"role": "assistant", "content": ""})
            first = time.monotonic()
            for word in words[:most]:
                text += word
                self._choice({"content": word})
                self._sleep(self.script.token_s)
                if breaks_off and len(text) * 2 >= sum(map(len, words)):
                    break
        finally:  # a client that has left is charged for what was written
            output_tokens = self.script.counter.count(text)
            self.script.charge(output_tokens=output_tokens)
        if breaks_off:
            breaks_off(self)
            return
        self._end(body, fault, input_tokens, output_tokens, too_long=len(words) > most)
        self.script.moments[body["messages"][-1]["content"]] = Moments(began, first, time.monotonic())
        if fault == Fault.NEVER_ENDS:
            self._hang()
        else:
            self._chunk("")

    def _end(self, body: Body, fault: Fault | None, input_tokens: int, output_tokens: int, *, too_long: bool) -> None:
        if fault == Fault.REFUSED:
            self._choice({"refusal": "I cannot help with that."})
        finish = "length" if too_long else "stop"
        self._choice({}, "content_filter" if fault == Fault.FILTERED else finish)
        if fault == Fault.CUT_BEFORE_USAGE:
            self._cut()
            return
        sign = -1 if fault == Fault.NEGATIVE_USAGE else 1_000_000 if fault == Fault.ABSURD_USAGE else 1
        usage = {"prompt_tokens": sign * input_tokens, "completion_tokens": sign * output_tokens}
        if fault != Fault.NO_USAGE and body.get("stream_options", {}).get("include_usage"):
            self._event({"choices": [], "usage": usage | {"prompt_tokens_details": {"cached_tokens": 0}}})
        self._chunk("data: [DONE]\n\n")

    def _redirect(self) -> None:
        self.send_response(307)
        self.send_header("location", f"{self.script.url}/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def _hang(self) -> None:
        self.script.stopping.wait(30)
        self.close_connection = True

    def _drip_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        self._drip(b"a")

    def _reset(self) -> None:
        # With a linger of zero seconds, closing sends a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _html(self) -> None:
        self._whole(200, "text/html", "<!DOCTYPE html>\n<html><body>Sign in: please\n\ndata</body></html>\n\n")

    def _error_body(self) -> None:
        self._json(200, {"error": {"message": "something is wrong", "code": 500}})

    def _bad_json(self) -> None:
        self._whole(200, "text/event-stream", 'data: {"choices": [{"delta"\n\n')

    def _not_utf8(self) -> None:
        self._whole(200, "text/event-stream", b"data: \xff\xfe\n\n")

    def _no_events(self) -> None:
        self._whole(200, "text/event-stream", "data: [DONE]\n\n")

    def _no_choices(self) -> None:
        self._whole(200, "text/event-stream", 'data: {"id": "x", "choices": []}\n\ndata: [DONE]\n\n')

    def _odd_events(self) -> None:
        odd = [3, [], {}, {"choices": 7}, {"choices": [None]}, {"choices": [{"delta": []}]}, {"usage": "much"}]
        self._whole(200, "text/event-stream", "".join(f"data: {json.dumps(event)}\n\n" for event in odd))

    def _flood(self) -> None:
        self._begin("text/event-stream")
        while not self.script.stopping.is_set():
            self._chunk("data: " + "x" * 100_000)

    def _compressed(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-encoding", "gzip")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\n\x1f\x8b\x08\x00\x00\r\n0\r\n\r\n")

    def _endless_error(self) -> None:
        self.wfile.write(b"HTTP/1.1 500 Oh\r\ncontent-length: 1000000\r\n\r\n")
        self._drip(b"a")

    def _cut(self) -> None:
        self._reset()

    def _stop_cleanly(self) -> None:
        self._chunk("")

    def _error_midway(self) -> None:
        self._event({"error": {"message": "the model fell over"}})
        self._chunk("")

    def _stall(self) -> None:
        self._hang()

    def _drip(self, piece: bytes = b"1\r\n:\r\n") -> None:
        for _ in range(3000):
            if self.script.stopping.wait(0.01):
                break
            self.wfile.write(piece)
        self.close_connection = True

    def _key_is_wrong(self) -> bool:
        return self.script.key is not None and self.headers.get("authorization") != f"Bearer {self.script.key}"

    def _sleep(self, seconds: float) -> None:
        if seconds:
            self.script.stopping.wait(seconds)

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _event(self, event: Body) -> None:
        self._chunk(f"data: {json.dumps(event)}\n\n")

    def _choice(self, delta: Body, finish_reason: str | None = None) -> None:
        self._event(
            {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
        )

    def _error(self, status: int, message: str, code: str | None) -> None:
        self._json(status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}})

    def _json(self, status: int, content: Body) -> None:
        self._whole(status, "application/json", json.dumps(content))

    def _whole(self, status: int, kind: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        if self.script.retry_after is not None and status == STATUSES[Fault.OVERLOADED]:
            self.send_header("retry-after", self.script.retry_after)
        self.end_headers()
        self.wfile.write(data)


_MIDWAY: dict[Fault | None, Callable[[Any], None]] = {
    Fault.CUT: _Handler._cut,
    Fault.CUT_CLEANLY: _Handler._stop_cleanly,
    Fault.ERROR_INSIDE: _Handler._error_midway,
    Fault.STALL: _Handler._stall,
    Fault.DRIP: _Handler._drip,
}


@contextlib.contextmanager
def running(arguments: list[str]) -> Iterator[FakeProvider]:
    """The provider that a command line describes."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--first-token-ms", type=float, default=0.0)
    parser.add_argument("--token-ms", type=float, default=0.0)
    parser.add_argument("--answer", help="module:function, from the request's body to the text")
    parser.add_argument("--model", action="append", help="a model that it knows; may be given more than once (default: any)")
    options = parser.parse_args(arguments)
    provider = FakeProvider(models=tuple(options.model) if options.model else None)
    provider.port = options.port
    provider.first_token_s, provider.token_s = options.first_token_ms / 1000, options.token_ms / 1000
    if options.answer:
        module, _, function = options.answer.partition(":")
        provider.answer = getattr(importlib.import_module(module), function)
    with provider:
        yield provider


if __name__ == "__main__":
    with running(sys.argv[1:]) as started:
        sys.stdout.write(f"{started.url}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
