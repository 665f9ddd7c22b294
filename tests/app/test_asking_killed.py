"""Processes that answer are killed at any point; provider, receipts and ledger agree all the same."""

import json
import multiprocessing
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.request import urlopen

import pytest

from app.bootstrap import build_ledger, build_prices, open_ledger_reader
from app.costs.ledger import Entry, Outcome
from app.costs.pricing import Usage, price_usage
from app.settings import Settings, load_settings
from indexing.sync import SyncReport
from tests.app.asking_worker import CLIENTS, ask_for_ever, said

ROOT = Path(__file__).resolve().parents[2]
KILLS = 50
AT_ONCE = 2
PRICE = "openai/gpt-5-mini"

pytestmark = pytest.mark.slow


@pytest.fixture
def provider() -> Iterator[str]:
    """The address of a provider in a process of its own: it outlives those that ask it, and keeps its books."""
    command = [sys.executable, "-m", "tests.fakes.provider", "--answer", "tests.app.asking_worker:answer"]
    timing = ["--first-token-ms", "3", "--token-ms", "0.5"]
    with subprocess.Popen([*command, *timing], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def models(settings: Settings, provider: str) -> Settings:
    plain = {"url": provider, "price_model": PRICE, "context_tokens": 8_000, "max_output_tokens": 300, "timeout_s": 20.0}
    rungs = [plain | {"name": rung, "rung": rung, "model": f"{rung}-model"} for rung in ("small", "strong")]
    return load_settings(home=settings.home, endpoints=rungs, cache={"enabled": False})


def test_fifty_kills_lose_no_receipt_and_leave_nothing_unbilled(
    models: Settings, provider: str, index: Callable[..., SyncReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index()
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.app.asking_worker", "app.answering.service", "app.adapters.sql.ledger", "openai"])
    receipts, rng = tmp_path / "receipts.jsonl", random.Random(50)
    receipts.touch()
    for kill in range(0, KILLS, AT_ONCE):
        before = receipts.stat().st_size
        workers = [context.Process(target=ask_for_ever, args=(models, f"{kill + side}", receipts)) for side in range(AT_ONCE)]
        for worker in workers:
            worker.start()
        until = time.monotonic() + 60
        while receipts.stat().st_size == before:
            assert time.monotonic() < until, "nothing was answered"
            time.sleep(0.001)
        for worker in workers:
            time.sleep(rng.random() * 0.15)
            worker.kill()
        for worker in workers:
            worker.join()
    with closing(build_ledger(models)) as keeper:
        keeper.recover()
    _check(models, said(receipts), _settled_bill(provider))


def _settled_bill(provider: str) -> Usage:
    """The provider's books, once it has stopped writing for callers that are gone."""
    bill = None
    while True:
        with urlopen(f"{provider.removesuffix('/v1')}/bill") as response:
            before, bill = bill, json.load(response)
        if bill == before:
            return Usage(bill["input_tokens"], bill["output_tokens"])
        time.sleep(0.5)


def _check(models: Settings, acknowledged: list[tuple[str, Decimal]], bill: Usage) -> None:
    now = datetime.now(UTC)
    with open_ledger_reader(models) as reader:
        billed = list(reader.entries(now - timedelta(hours=1), now + timedelta(hours=1)))
    bills, receipts = {entry.id: entry for entry in billed}, dict(acknowledged)
    assert len(bills) == len(billed)
    assert len(receipts) == len(acknowledged) > KILLS
    assert {answer: bills[answer].receipt.cost_usd for answer in receipts} == receipts
    lost = [entry for entry in billed if entry.outcome is Outcome.LOST]
    assert not receipts.keys() & {entry.id for entry in lost}
    assert 0 < len(lost) <= KILLS * CLIENTS
    provider_usd = price_usage(bill, build_prices(models).price(PRICE))
    assert provider_usd is not None
    total_usd, settled_usd = _usd(billed), _usd(billed) - _usd(lost)
    assert settled_usd <= provider_usd <= total_usd
    assert settled_usd > provider_usd / 10  # enough was settled for the bounds to say something


def _usd(entries: list[Entry]) -> Decimal:
    amounts = [entry.receipt.cost_usd for entry in entries]
    assert None not in amounts
    return sum((amount for amount in amounts if amount is not None), Decimal(0))
