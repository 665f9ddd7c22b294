"""What the answer cache gives and costs in time: exact hits over HTTP, verified hits, and misses.

    python -m eval.benchmarks.cache_speed [--documents docs] [--connections 16] [--seconds 10] [--entries 5000]

Indexes a folder into a home of its own, which is removed at the end. `farthing serve` on a free port is asked the same few
questions over and over by one process with raw sockets, which takes its share of the same cores. Verified hits and misses are
measured in this process, where the scripted model that verifies answers at once: what is counted is the product's own time.
"""

import argparse
import json
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.table import Table

from app.answering.service import AnswerService
from app.answers.answers import Answer
from app.answers.questions import Question
from app.bootstrap import build_embedder, build_service, build_sources, open_sync_tools
from app.bootstrap.caching import build_answer_store
from app.caching.cache import AnswerCache, HitKind, hit_kind
from app.caching.rules.calibration import Band, Calibration
from app.costs.pricing import Price, Usage
from app.generation.endpoints import Completion, Endpoint, Finish, Prompt, Rungs, TextListener
from app.home import prepare_home
from app.settings import Settings, load_settings
from eval.benchmarks.answer_store import make_entries
from eval.benchmarks.answering import Service, quantile
from eval.callers import eval_caller
from indexing.embedding import Embedder
from indexing.planning import NoProgress
from indexing.sync import sync

_CALLER: Final = eval_caller()
_QUESTIONS: Final = (
    "Where does Farthing keep everything that it writes?",
    "Which access label does a document get when nobody names one?",
    "What happens when a page is renamed or moved?",
    "How many answers are given at once?",
    "Which formats of files can be indexed?",
    "How is a budget for a team set?",
    "What is a rung?",
    "How long are questions kept?",
)
_REWORDED: Final = (
    "In which place does Farthing keep all the things that it writes?",
    "Which access label will a document get if nobody names any?",
    "What will happen when some page is renamed or moved elsewhere?",
    "How many of the answers are being given at once?",
    "Which formats of files is it possible to index?",
    "How is a budget set up for some team?",
    "What is meant by a rung?",
    "How long will the questions be kept?",
)
_ROUNDS: Final = 10
_MISSES: Final = 200
_LIKELY: Final = Calibration({}, 5.0, (Band(0.0, 1_000, 900),))
"""Whatever no rule drops is right nine times in ten, so that the model must verify it."""


class Verifier:
    """A model that says yes to everything at once, and cites the first unit where an answer is wanted."""

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:  # noqa: ARG002 - the port's signature
        """As the port."""
        text = '{"insufficient": true}' if prompt.wants_json else "yes"
        on_text(text)
        return Completion(text, Finish.STOP, Usage(100, 1))


@dataclass(slots=True)
class Asker:
    """One connection and the question that it waits for an answer to."""

    connection: socket.socket
    asked_at: float = 0.0
    received: bytes = b""


def load(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> list[float]:
    """Ask for some seconds over so many connections, each the next question as soon as it has an answer.

    Returns:
        How long each answer took, in milliseconds.
    """
    times_ms: list[float] = []
    with selectors.DefaultSelector() as selector:
        for number in range(connections):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, Asker(connection, time.perf_counter()))
            connection.sendall(requests[number % len(requests)])
        until = time.perf_counter() + seconds
        while (now := time.perf_counter()) < until:
            for key, _ in selector.select(1.0):
                asker: Asker = key.data
                asker.received += asker.connection.recv(65_536)
                if not _is_whole(asker.received):
                    continue
                now = time.perf_counter()
                times_ms.append((now - asker.asked_at) * 1000)
                asker.received, asker.asked_at = b"", now
                asker.connection.sendall(requests[len(times_ms) % len(requests)])
        for key in list(selector.get_map().values()):
            key.data.connection.close()
    return times_ms


def _is_whole(received: bytes) -> bool:
    """Whether a response has come to its end. Ends the run where it is no answer."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    if not received.startswith(b"HTTP/1.1 200"):
        sys.exit(f"not an answer: {received[:300]!r}")
    at = received.index(b"content-length: ") + 16
    return len(received) == head_end + 4 + int(received[at : received.index(b"\r", at)])


def request_bytes(question: str) -> bytes:
    """A question as HTTP."""
    body = json.dumps({"question": question}).encode()
    head = "POST /v1/ask HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def index(settings: Settings, embedder: Embedder, documents: Path) -> None:
    """Index a folder."""
    with open_sync_tools(settings, embedder) as tools:
        sync(build_sources(settings, [documents], (), None), tools, NoProgress())


def measure_http(console: Console, settings: Settings, connections: int, seconds: float) -> None:
    """Exact hits over HTTP, and what the service itself worked for each."""
    service = Service(settings.home)
    try:
        service.seconds_until("/ready")
        for question in (*_QUESTIONS, *_QUESTIONS):
            answer = service.ask(question)[1]
        assert answer["rung"] == "cache" or answer["outcome"] == "abstained", answer
        requests = [request_bytes(question) for question in _QUESTIONS]
        load(service.port, requests, connections, 1.0)
        worked = service.worked_seconds()
        times = load(service.port, requests, connections, seconds)
        worked = service.worked_seconds() - worked
    finally:
        service.stop()
    table = Table(title=f"exact hits over HTTP, {connections} connections, one process asking")
    for column in ("a second", "p50", "p99", "the service's own work, each"):
        table.add_column(column, justify="right")
    cells = (f"{len(times) / seconds:,.0f}", f"{statistics.median(times):.2f} ms", f"{quantile(times, 0.99):.2f} ms")
    table.add_row(*cells, f"{worked / len(times) * 1e6:.0f} us")
    console.print(table)


def measure_flow(console: Console, settings: Settings, embedder: Embedder, entries: int) -> None:
    """Verified hits, and what a miss pays for having asked, in this process, beside so many other entries."""
    rungs = Rungs((Endpoint("verifier", "verifier", Verifier(), Price(Decimal(1), Decimal(1)), 100_000, 500),))
    table = Table(title=f"in the service, one question at a time, {entries:,} other answers in the cache")
    for column in ("what", "questions", "p50", "p99", "to reach"):
        table.add_column(column, justify="left" if column == "what" else "right")
    store = build_answer_store(settings)
    assert store is not None
    others = make_entries(entries)
    with closing(store), closing(build_service(settings, embedder, rungs=rungs, calibration=lambda: _LIKELY)) as service:
        verified: list[float] = []
        for round_number in range(_ROUNDS):
            store.clear()
            if round_number == 0:
                for entry in others:
                    store.put(entry)
                service.warm_up()
            for question in _QUESTIONS:
                _ask(service, question)
            answers = [_ask(service, question) for question in _REWORDED]
            verified += [ms for answer, ms in answers if hit_kind(answer) is HitKind.VERIFIED]
        for entry in others:
            store.put(entry)
        asking, keeping = Stopwatch(AnswerCache, "find", "propose"), Stopwatch(AnswerCache, "keep")
        whole: list[float] = []
        for number in range(_MISSES):
            _, ms = _ask(service, f"What does page {number} say of topic {number * 7919 % 1009}?")
            whole.append(ms)
            asking.next()
            keeping.next()
    table.add_row("verified hits, the model's own time left out", *_cells(verified), "15 ms")
    table.add_row("misses, from question to answer", *_cells(whole), "")
    table.add_row("  of that, asking the cache", *_cells(asking.times_ms), "2 ms")
    table.add_row("  of that, keeping the answer", *_cells(keeping.times_ms), "")
    console.print(table)


class Stopwatch:
    """Measures how long some methods of a class take, all together for each question."""

    def __init__(self, owner: type, *names: str) -> None:
        self.times_ms: list[float] = []
        self._running_s = 0.0
        for name in names:
            setattr(owner, name, self._timed(getattr(owner, name)))

    def next(self) -> None:
        """One question is over."""
        self.times_ms.append(self._running_s * 1000)
        self._running_s = 0.0

    def _timed(self, method: Callable[..., object]) -> Callable[..., object]:
        def timed(*arguments: object, **named: object) -> object:
            began = time.perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                self._running_s += time.perf_counter() - began

        return timed


def _ask(service: AnswerService, text: str) -> tuple[Answer, float]:
    began = time.perf_counter()
    answer = service.ask(Question(text), _CALLER)
    return answer, (time.perf_counter() - began) * 1000


def _cells(times_ms: Sequence[float]) -> tuple[str, str, str]:
    return f"{len(times_ms):,}", f"{statistics.median(times_ms):.2f} ms", f"{quantile(times_ms, 0.99):.2f} ms"


def main() -> None:
    """Index, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, default=Path("docs"))
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--entries", type=int, default=5_000)
    arguments = parser.parse_args()
    console = Console(width=110)
    with TemporaryDirectory() as folder:
        home = prepare_home(Path(folder) / "home")
        settings = load_settings(home=home, ladder={"extractive_from": 0.0})  # the model is there to verify
        embedder = build_embedder(settings)
        index(settings, embedder, arguments.documents)
        measure_http(console, settings, arguments.connections, arguments.seconds)
        measure_flow(console, settings, embedder, arguments.entries)


if __name__ == "__main__":
    main()
