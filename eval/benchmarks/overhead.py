"""What Farthing adds to a model's time: per answer, and to the first piece of text.

    python -m eval.benchmarks.overhead [--questions 48] [--rounds 5] [--at-once 8]

Run in the repository, whose tests bring a provider that takes a set time, a process of its own on loopback: 400 ms to the first
token and 10 ms for each further one, and then one five times as fast, with which the service is asked three times as often.
Indexes the manual into a home of its own below FARTHING_HOME, starts `farthing serve`, and streams every question once to warm
up, then in rounds. Provider and callers read one clock, so that each answer is compared with its own call: the overhead is the
caller's time less the provider's. A model's reply is JSON, whose third token is the first of the text: the delay of the first
text is how long after that token the caller had it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from app.bootstrap import build_sources, open_sync_tools
from app.home import prepare_home
from app.settings import Settings, load_settings
from eval.benchmarks.answering import Service, quantile
from eval.datasets.json_lines import read_json_lines
from indexing.planning import NoProgress
from indexing.sync import sync

_ROOT: Final = Path(__file__).resolve().parents[2]
_TOKENS_BEFORE_TEXT: Final = 2


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a provider takes to its first token, and for each further one."""

    first_token_ms: int
    token_ms: int


_SPEEDS: Final = (Speed(400, 10), Speed(100, 2))


@dataclass(frozen=True, slots=True)
class Heard:
    """One streamed answer on its caller's side, in seconds of the clock that the provider reads too; and its receipt's lines."""

    question: str
    began: float
    first: float
    ended: float
    lines: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Round:
    """The answers that were made by one call each, with what was added to each in ms, and to its first text."""

    overheads: Sequence[float]
    delays: Sequence[float]
    heard: Sequence[Heard]


class Provider:
    """The provider's process."""

    def __init__(self, speed: Speed) -> None:
        command = [sys.executable, "-m", "tests.fakes.provider", "--answer", "eval.benchmarks.overhead:answer"]
        timing = ["--first-token-ms", str(speed.first_token_ms), "--token-ms", str(speed.token_ms)]
        self._process = subprocess.Popen([*command, *timing], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.speed = speed
        self.url = self._process.stdout.readline().strip()

    def moments(self) -> dict[str, dict[str, float]]:
        """When the last call for each question came in, wrote first, and ended."""
        with urllib.request.urlopen(f"{self.url.removesuffix('/v1')}/moments") as response:
            told: dict[str, dict[str, float]] = json.load(response)
        return {prompt.rpartition("Question: ")[2].splitlines()[0]: moments for prompt, moments in told.items()}

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)


def answer(body: dict[str, Any]) -> str:
    """What the model says: the first two units, word for word, so that one call makes an answer."""
    units = body["messages"][-1]["content"].partition("[1] ")[2].partition("</units>")[0]
    first, _, rest = units.partition("[2] ")
    texts = [text.strip().splitlines()[0] for text in (first, rest.partition("[3] ")[0]) if text.strip()]
    return json.dumps({"sentences": [{"text": text, "units": [n]} for n, text in enumerate(texts, start=1)]})


def build_index(settings: Settings) -> None:
    """Index the manual."""
    with open_sync_tools(settings) as tools:
        sync(build_sources(settings, [_ROOT / "docs"], (), "manual"), tools, NoProgress())


def ask(port: int, question: str) -> Heard:
    """Stream one answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps({"question": question, "stream": True})
    began = time.monotonic()
    connection.request("POST", "/v1/ask", body, {"content-type": "application/json"})
    response = connection.getresponse()
    if response.status != HTTPStatus.OK:
        sys.exit(f"{response.status}: {response.read().decode()}")
    first, event, lines = 0.0, "", []
    for raw in response:
        line = raw.decode().rstrip()
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: ") and event == "text":
            first = first or time.monotonic()
        elif line.startswith("data: ") and event == "receipt":
            lines = json.loads(line.removeprefix("data: "))["lines"]
    ended = time.monotonic()
    connection.close()
    return Heard(question, began, first, ended, lines)


def run_round(port: int, provider: Provider, questions: Sequence[str], at_once: int) -> Round:
    """Ask every question once."""
    with ThreadPoolExecutor(at_once) as pool:
        heard = list(pool.map(lambda question: ask(port, question), questions))
    moments = provider.moments()
    single = [one for one in heard if sum(line["model"] is not None for line in one.lines) == 1]
    overheads, delays = [], []
    for one in single:
        told = moments[one.question]
        overheads.append(1000 * ((one.ended - one.began) - (told["ended"] - told["began"])))
        delays.append(1000 * (one.first - told["first"]) - _TOKENS_BEFORE_TEXT * provider.speed.token_ms)
    return Round(overheads, delays, single)


def main() -> None:
    """Build, start, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=8)
    arguments = parser.parse_args()
    home = prepare_home(prepare_home(load_settings().home) / "bench-overhead")
    build_index(load_settings(home=home))
    rows = read_json_lines(_ROOT / "eval" / "datasets" / "manual" / "questions.jsonl")
    questions = [row["question"] for row in rows[: arguments.questions]]
    for speed in _SPEEDS:
        _show(run(home, speed, questions, arguments.rounds, arguments.at_once), speed, arguments.at_once)


def run(home: Path, speed: Speed, questions: Sequence[str], rounds: int, at_once: int) -> list[Round]:
    """Start provider and service, warm up, and ask."""
    provider = Provider(speed)
    service = _start(home, provider.url)
    try:
        service.seconds_until("/ready")
        run_round(service.port, provider, questions, at_once)
        return [run_round(service.port, provider, questions, at_once) for _ in range(rounds)]
    finally:
        service.stop()
        provider.stop()


def _start(home: Path, url: str) -> Service:
    endpoint: dict[str, Any] = {"name": "fake", "rung": "small", "url": url, "model": "fake", "price_model": "openai/gpt-5-mini"}
    endpoint |= {"context_tokens": 16_000, "max_output_tokens": 300, "timeout_s": 60}
    os.environ |= {
        "FARTHING_ENDPOINTS": json.dumps([endpoint]),
        "FARTHING_LADDER__JUDGE": "false",
        "FARTHING_CACHE__ENABLED": "false",
    }
    return Service(home)


def _show(rounds: Sequence[Round], speed: Speed, at_once: int) -> None:
    lines = [line for one in rounds for heard in one.heard for line in heard.lines if line["model"] is None]
    count = sum(len(one.heard) for one in rounds)
    provider = f"{speed.first_token_ms} ms to the first token, {speed.token_ms} ms a token"
    table = Table(title=f"{provider}: {count} answers of one call each, {at_once} at once, {len(rounds)} rounds")
    for column in ("what", "p50, median of rounds", "lowest and highest", "p95", "to reach (p50)"):
        table.add_column(column, justify="left" if column == "what" else "right")
    rows = (
        ("overhead per answer", [one.overheads for one in rounds], "30 ms"),
        ("first text after its first token", [one.delays for one in rounds], "15 ms"),
    )
    for title, by_round, target in rows:
        medians = [statistics.median(times) for times in by_round]
        every = [value for times in by_round for value in times]
        spread = f"{min(medians):.1f} to {max(medians):.1f} ms"
        table.add_row(title, f"{statistics.median(medians):.1f} ms", spread, f"{quantile(every, 0.95):.1f} ms", target)
    for stage in dict.fromkeys(line["stage"] for line in lines):
        times = [line["ms"] for line in lines if line["stage"] == stage]
        table.add_row(f"  {stage}", f"{statistics.median(times):.1f} ms", "", f"{quantile(times, 0.95):.1f} ms", "")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
