"""What one question costs in time, over a service with at least 10,000 chunks, and how soon the service is there.

    python -m eval.benchmarks.answering --data ../shared/data [--chunks 10000] [--questions 150]

Indexes the handbooks, and copies of them until there are enough chunks (a copy embeds nothing), into a home of its own below
FARTHING_HOME, starts `farthing serve` on a free port, and asks it over HTTP: every question once to warm up, then again, timed.
The stages are those of the receipts.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console
from rich.table import Table

from app.bootstrap import build_counter, build_embedder, build_generations, build_sources, open_sync_tools
from app.home import prepare_home
from app.settings import Settings, load_settings
from eval.callers import eval_caller
from eval.datasets.cases import QUESTIONS_FILE
from eval.datasets.json_lines import read_json_lines
from indexing.planning import NoProgress
from indexing.sync import sync
from retrieval.candidates import SEARCH_LIMIT
from retrieval.weights import shipped_weights

HANDBOOKS: Final = ("handbook-18f", "handbook-gitlab", "guides-18f")
FARTHING: Final = str(Path(sys.executable).with_name("farthing"))
_COPIES: Final = 8
_HELP_RUNS: Final = 5
_START_LIMIT_S: Final = 120.0


def build_index(data: Path, settings: Settings, chunks: int) -> int:
    """Index the handbooks, and as many copies as are needed; returns the number of chunks."""
    total = 0
    for number in range(_COPIES):
        for name in HANDBOOKS:
            with open_sync_tools(settings) as tools:
                source = build_sources(settings, [data / name / "docs"], (), f"{name}-{number}")
                total = sync(source, tools, NoProgress()).total_chunks
            if total >= chunks:
                return total
    return total


def questions_of(data: Path, count: int) -> list[str]:
    """The first questions of the handbooks that have any, one handbook after the other."""
    files = [file for name in HANDBOOKS if (file := data / name / QUESTIONS_FILE).is_file()]
    return [row["question"] for file in files for row in read_json_lines(file)[: count // len(files)]]


def quantile(times: Sequence[float], share: float) -> float:
    """The time that a share of them, in [0, 1], does not exceed; one that was measured."""
    return sorted(times)[int(share * (len(times) - 1))]


class Service:
    """A running `farthing serve`."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = {**os.environ, "FARTHING_HOME": str(home)}
        command = [FARTHING, "serve", "--port", str(self.port)]
        self._began = time.perf_counter()
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def seconds_until(self, path: str) -> float:
        """How long after the start `path` answered 200."""
        while time.perf_counter() - self._began < _START_LIMIT_S:
            try:
                with urllib.request.urlopen(self._url(path), timeout=5):
                    return time.perf_counter() - self._began
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        sys.exit(f"{path} did not answer within {_START_LIMIT_S:.0f} s")

    def ask(self, question: str) -> tuple[float, dict[str, Any]]:
        """Ask; returns the milliseconds it took the caller, and the answer."""
        body = json.dumps({"question": question}).encode()
        request = urllib.request.Request(self._url("/v1/ask"), body, {"Content-Type": "application/json"})
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
        return (time.perf_counter() - began) * 1000.0, answer

    def memory_bytes(self) -> int:
        """The resident memory of the process."""
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def worked_seconds(self) -> float:
        """How long its threads have been at work on a processor, all together."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def engine_milliseconds(settings: Settings, questions: Sequence[str]) -> list[float]:
    """What the engine's own search takes - both lists of 100, inside the scope - without fetching and ranking what it found."""
    embedder = build_embedder(settings)
    generations = build_generations(settings, embedder, build_counter(), shipped_weights())
    current = generations.current()
    if current is None:
        sys.exit("the index is gone")
    generation = generations.open(current)
    scope = eval_caller().scope
    vectors = [embedder.embed_query(question) for question in questions]
    times: list[float] = []
    for _ in range(2):  # the first round warms up
        times.clear()
        for question, vector in zip(questions, vectors, strict=True):
            began = time.perf_counter()
            generation.searcher.search(question, vector, scope, SEARCH_LIMIT)
            times.append((time.perf_counter() - began) * 1000.0)
    generation.close()
    generations.close()
    return times


def help_seconds() -> float:
    """The median of whole runs of `farthing --help`."""
    runs = []
    for _ in range(_HELP_RUNS):
        began = time.perf_counter()
        subprocess.run([FARTHING, "--help"], check=True, stdout=subprocess.DEVNULL)
        runs.append(time.perf_counter() - began)
    return statistics.median(runs)


def main() -> None:
    """Build, start, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=150)
    arguments = parser.parse_args()
    console = Console(width=110)
    home = prepare_home(prepare_home(load_settings().home) / "bench-answering")
    chunks = build_index(arguments.data, load_settings(home=home), arguments.chunks)
    service = Service(home)
    try:
        health, ready = service.seconds_until("/health"), service.seconds_until("/ready")
        questions = questions_of(arguments.data, arguments.questions)
        for question in questions:
            service.ask(question)
        answers = [service.ask(question) for question in questions]
        memory = service.memory_bytes()
    finally:
        service.stop()
    engine = engine_milliseconds(load_settings(home=home), questions)
    stages: dict[str, list[float]] = defaultdict(list)
    for _, answer in answers:
        for line in answer["receipt"]["lines"]:
            stages[line["stage"]].append(line["ms"])
    table = Table(title=f"{chunks:,} chunks, {len(answers)} questions over HTTP, one at a time")
    for column in ("what", "p50", "p95", "to reach"):
        table.add_column(column, justify="left" if column == "what" else "right")
    rows = (
        ("question to answer, as the caller sees it", [ms for ms, _ in answers], "25 ms"),
        ("  in the service", [answer["receipt"]["ms"] for _, answer in answers], ""),
        *((f"    {stage}", times, "") for stage, times in stages.items()),
        ("the engine's search alone", engine, "3 ms"),
    )
    for title, times, target in rows:
        table.add_row(title, f"{statistics.median(times):.1f} ms", f"{quantile(times, 0.95):.1f} ms", target)
    table.add_row("memory of the service", f"{memory / 1e6:,.0f} MB", "", "1,200 MB")
    table.add_row("/health after the start", f"{health:.2f} s", "", "2 s")
    table.add_row("/ready after the start", f"{ready:.2f} s", "", "15 s")
    table.add_row("farthing --help", f"{help_seconds():.2f} s", "", "0.5 s")
    console.print(table)


if __name__ == "__main__":
    main()
