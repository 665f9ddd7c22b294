"""Measuring through the whole flow: what is sent is what the asker may read."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.access.callers import Caller
from app.answers.questions import Question
from app.bootstrap import build_service
from app.costs.ledger import Spender, Surface
from app.costs.measured import SUFFIX
from app.costs.pricing import Price
from app.generation.endpoints import Endpoint, Prompt, Rungs
from app.settings import Settings, load_settings
from indexing.documents import AccessScope
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.generator import FakeGenerator
from tests.fakes.ledger import FakeLedger
from tests.fakes.tokens import FakeTokenCounter

RIGHT = json.dumps({"sentences": [{"text": "Everybody has 27 days of paid leave.", "units": [1]}]})


@pytest.mark.parametrize(("labels", "secret"), [(frozenset({"everyone"}), False), (frozenset({"everyone", "hr"}), True)])
def test_the_naive_prompt_holds_what_the_asker_may_read(
    settings: Settings,
    embedder: FakeEmbedder,
    index: Callable[..., object],
    labels: frozenset[str],
    secret: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    index()
    index({"pay.md": "# Pay\n\nPaid leave costs the company 9,000 dollars in days.\n"}, labels=("hr",))
    generator, ledger = FakeGenerator(lambda prompt: RIGHT if prompt.wants_json else "27 days.", FakeTokenCounter()), FakeLedger()
    rungs = Rungs((Endpoint("mini", "mini", generator, Price(Decimal(1), Decimal(10)), 10_000, 300),))
    measured = load_settings(home=settings.home, measuring={"share": 1.0, "usd_per_day": "1"})
    service = build_service(measured, embedder, rungs=rungs, ledger=ledger)
    question = Question("How many days of paid leave does everybody have?")
    answer = service.ask(question, Caller(AccessScope("default", labels), Spender(Surface.HTTP, "ada")))
    deadline = time.monotonic() + 10
    while not any(identity.endswith(SUFFIX) for identity in ledger.written) and time.monotonic() < deadline:
        time.sleep(0.01)
    service.close()

    (naive,) = [prompt for prompt in generator.prompts if not prompt.wants_json]
    assert isinstance(naive, Prompt)
    assert "Everybody has 27 days" in naive.user
    assert "How many days of paid leave" in naive.user
    assert ("9,000 dollars" in naive.user) == secret
    (pair,) = ledger.measured_pairs(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    assert pair.cost_usd == answer.receipt.cost_usd
    assert pair.naive_usd > 0
