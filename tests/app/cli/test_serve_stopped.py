"""`farthing serve` is told to stop while answers are being streamed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from app.bootstrap import build_ledger, open_ledger_reader
from app.costs.ledger import Entry, Outcome
from app.settings import Settings, load_settings
from indexing.sync import SyncReport
from tests.app.api.serving import RIGHT, Client, Event, endpoint, events, wait_until
from tests.fakes.provider import Body, FakeProvider, Fault

ROOT = Path(__file__).resolve().parents[3]
LONG = json.dumps({"sentences": [{"text": "Everybody has 27 days of paid leave, " * 20, "units": [1]}]})
STREAMS = 20
SHORT_ONES = 4

pytestmark = pytest.mark.slow


def answer(body: Body) -> str:
    return RIGHT if "(short)" in body["messages"][1]["content"] else LONG


@contextmanager
def serving(settings: Settings, provider: FakeProvider) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    """A service on a free port, ready; killed at the end if it still runs."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "FARTHING_HOME": str(settings.home),
        "FARTHING_ENDPOINTS": json.dumps([endpoint(provider, timeout_s=60.0)]),
        "FARTHING_CACHE__ENABLED": "false",
        "FARTHING_SERVER__SLOTS": str(STREAMS),
    }
    command = [sys.executable, "-m", "tests.app.cli.serve_worker", str(port)]
    client = Client(port)
    with subprocess.Popen(command, env=environment, cwd=settings.home.parent, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _ready(client), 60)
            yield process, client
        finally:
            client.opened.close()
            process.kill()


def _ready(client: Client) -> bool:
    with suppress(ConnectionError):
        return client.get("/ready") == 200
    return False


def entries(settings: Settings) -> list[Entry]:
    now = datetime.now(UTC)
    with open_ledger_reader(settings) as reader:
        return list(reader.entries(now - timedelta(hours=1), now + timedelta(hours=1)))


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer, token_s=0.2) as provider:
        yield provider


def test_each_stream_gets_a_final_event_and_is_settled(
    settings: Settings, index: Callable[..., SyncReport], provider: FakeProvider
) -> None:
    index()
    with serving(settings, provider) as (process, client), ThreadPoolExecutor(STREAMS) as pool:

        def ask(number: int) -> list[Event]:
            kind = "(short)" if number < SHORT_ONES else "(long)"
            return list(events(client.post(stream=True, question=f"How many days of paid leave? {kind} {number}")))

        asked = [pool.submit(ask, number) for number in range(STREAMS)]
        wait_until(lambda: provider.bill.calls == STREAMS)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        process.wait(20)
        assert time.monotonic() - began < 10
        last = [future.result()[-1] for future in asked]
    assert [event.name for event in last] == ["receipt"] * SHORT_ONES + ["problem"] * (STREAMS - SHORT_ONES)
    assert {event.data["type"] for event in last[SHORT_ONES:]} == {"urn:farthing:problem:stopping"}
    billed = entries(load_settings(home=settings.home))
    assert [entry.outcome for entry in billed].count(Outcome.ANSWERED) == SHORT_ONES
    assert [entry.outcome for entry in billed].count(Outcome.FAILED) == STREAMS - SHORT_ONES
    assert sum(entry.receipt.input_tokens for entry in billed) == provider.bill.input_tokens
    assert all(entry.receipt.output_tokens > 0 for entry in billed)


def test_a_model_that_hangs_does_not_keep_it_and_is_settled_by_the_next_process(
    settings: Settings, index: Callable[..., SyncReport], provider: FakeProvider
) -> None:
    index()
    provider.always = Fault.HANG
    with serving(settings, provider) as (process, client):
        response = client.post(stream=True)
        wait_until(lambda: len(provider.requests) == 1)
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        assert list(events(response))[-1].name == "problem"
    with closing(build_ledger(settings)) as next_one:
        next_one.recover()
    (entry,) = entries(settings)
    assert entry.outcome is Outcome.LOST
    assert (entry.receipt.cost_usd or Decimal(0)) > 0
