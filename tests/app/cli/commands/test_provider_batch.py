"""`farthing batch --provider-batch`, over a provider on loopback: its batch price, and every reply paid for once."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app import bootstrap, cli
from app.costs.ledger import Outcome
from app.jobs.provider_batch import ProviderBatch
from app.settings import load_settings
from indexing.sync import sync
from tests.app.cli.commands.batching import Run, answers, batch, draft, entries, line_of, use_endpoint, write_questions
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.faults import Fault
from tests.fakes.provider import Body, FakeProvider

RECORD = Path("answers.jsonl.batch.json")
FULL, BATCH = (Decimal(1), Decimal(10)), (Decimal("0.5"), Decimal(5))

pytestmark = pytest.mark.usefixtures("_indexed", "_with_batches")


@pytest.fixture
def _with_batches(_indexed: None, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, provider, batch=True)


@pytest.fixture
def tokens(provider: FakeProvider) -> Iterator[dict[bool, list[int]]]:
    """What the provider read and wrote: in batches (`True`), which are not streamed, and in calls."""
    counted = {True: [0, 0], False: [0, 0]}

    def answer(body: Body) -> str:
        text, sums = draft(body), counted["stream" not in body]
        sums[0] += sum(provider.counter.count(message["content"]) for message in body["messages"])
        sums[1] += provider.counter.count(text)
        return text

    provider.answer = answer
    yield counted
    assert sum(sums[0] for sums in counted.values()) == provider.bill.input_tokens


def charged(tokens: dict[bool, list[int]]) -> Decimal:
    """What the provider's own count comes to, at its two prices."""
    parts = [tokens[True][0] * BATCH[0], tokens[True][1] * BATCH[1], tokens[False][0] * FULL[0], tokens[False][1] * FULL[1]]
    return sum(parts, Decimal(0)) / 1_000_000


def booked() -> Decimal:
    return sum((entry.receipt.cost_usd or Decimal(0) for entry in entries()), Decimal(0))


def run_batch(run: Run, *arguments: str) -> Any:
    return batch(run, "--provider-batch", *arguments)


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def publish(text: str) -> None:
    Path("docs/leave.md").write_text(text)
    settings = load_settings()
    with bootstrap.open_sync_tools(settings, FakeEmbedder(dimension=64)) as tools:
        sync(bootstrap.build_sources(settings, [Path("docs")], (), None), tools)


def leave_at_work(run: Run, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand a batch of three questions in, and interrupt the run that waits for it."""
    write_questions(3)
    provider.batch_status = "in_progress"
    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", stop)
        assert run_batch(run).status == cli.INTERRUPTED


def test_all_but_the_first_question_cost_the_batch_price(run: Run, provider: FakeProvider, tokens: dict[bool, list[int]]) -> None:
    write_questions(6)
    done = run_batch(run)
    assert (done.status, done.err) == (cli.OK, "")
    assert {answer["rung"] for answer in answers()} == {"small"}
    assert [len(provider.files[body["input_file_id"]]) for body in provider.batches.values()] == [5]
    assert provider.bill.calls == 6
    assert tokens[True][0] > tokens[False][0] > 0
    assert booked() == charged(tokens) == sum(Decimal(answer["receipt"]["cost_usd"]) for answer in answers())
    assert {entry.id for entry in entries()} == {answer["id"] for answer in answers()}
    assert line_of(done.out, "spent") == f"${charged(tokens):.5f}"
    assert not RECORD.exists()


def test_an_interrupted_run_is_picked_up_and_pays_once(
    run: Run, provider: FakeProvider, tokens: dict[bool, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_questions(4)
    provider.batch_status = "in_progress"
    monkeypatch.setattr(time, "sleep", stop)
    done = run_batch(run)
    assert done.status == cli.INTERRUPTED
    assert "3 questions have no answer yet" in done.err
    assert "that run picks it up" in done.err
    assert [entry.outcome for entry in entries()] == [Outcome.ANSWERED]  # nothing counts as lost
    refused = batch(run)
    assert refused.status == cli.REFUSED
    assert "with --provider-batch" in refused.err
    provider.batch_status = "completed"
    assert run_batch(run).status == cli.OK
    assert (len(provider.batches), provider.bill.calls, len(answers()), len(entries())) == (1, 4, 4, 4)
    assert booked() == charged(tokens)
    assert run_batch(run).status == cli.OK
    assert (len(provider.batches), provider.bill.calls) == (1, 4)


def test_a_batch_that_arrived_unheard_is_found_again(run: Run, provider: FakeProvider, tokens: dict[bool, list[int]]) -> None:
    write_questions(3)
    provider.faults = [None, Fault.BROKEN]
    done = run_batch(run)
    assert done.status not in {cli.OK, cli.INTERRUPTED}
    assert "mini" in done.err
    assert RECORD.exists()
    assert run_batch(run).status == cli.OK
    assert (len(provider.batches), provider.bill.calls, len(answers())) == (1, 3, 3)
    assert booked() == charged(tokens)


@pytest.mark.parametrize("held", [False, True])
def test_a_run_that_died_before_it_handed_in_goes_on(
    run: Run, provider: FakeProvider, tokens: dict[bool, list[int]], monkeypatch: pytest.MonkeyPatch, *, held: bool
) -> None:
    leave_at_work(run, provider, monkeypatch)
    RECORD.write_text(json.dumps(json.loads(RECORD.read_text()) | {"held": held, "batch_id": None}))
    provider.batches.clear()
    provider.batch_status = "completed"
    assert run_batch(run).status == cli.OK
    assert (len(provider.batches), provider.bill.calls, len(answers())) == (1, 3, 3)
    assert {entry.outcome for entry in entries()} == {Outcome.ANSWERED}
    assert booked() == charged(tokens)


def test_a_run_that_died_before_it_forgot_the_batch_asks_nothing_again(
    run: Run, provider: FakeProvider, tokens: dict[bool, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_questions(3)
    with monkeypatch.context() as patched:
        patched.setattr(ProviderBatch, "forget", stop)
        assert run_batch(run).status == cli.INTERRUPTED
    assert len(answers()) == 3
    assert RECORD.exists()
    assert run_batch(run).status == cli.OK
    assert not RECORD.exists()
    assert (len(answers()), len(entries()), provider.bill.calls) == (3, 3, 3)
    assert booked() == charged(tokens)


def test_replies_to_an_index_of_yesterday_are_billed_and_not_used(
    run: Run, provider: FakeProvider, tokens: dict[bool, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_at_work(run, provider, monkeypatch)
    publish("# Leave\n\nEverybody has 27 days of paid leave since May.\n")
    provider.batch_status = "completed"
    assert run_batch(run).status == cli.OK
    assert provider.bill.calls == 1 + 2 + 2
    assert booked() == charged(tokens)
    assert {len([line for line in answer["receipt"]["lines"] if line["model"]]) for answer in answers()} == {1, 2}


def test_an_answer_that_was_billed_and_not_written_down_is_not_billed_again(
    run: Run, provider: FakeProvider, tokens: dict[bool, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_at_work(run, provider, monkeypatch)
    before = Path("answers.jsonl").read_bytes(), RECORD.read_bytes()
    provider.batch_status = "completed"
    run_batch(run)
    Path("answers.jsonl").write_bytes(before[0])
    RECORD.write_bytes(before[1])
    assert run_batch(run).status == cli.OK
    assert (len(answers()), len(entries()), provider.bill.calls) == (3, 3, 3)
    assert booked() == charged(tokens)


def test_rows_that_failed_are_asked_one_by_one(run: Run, provider: FakeProvider, tokens: dict[bool, list[int]]) -> None:
    write_questions(4)
    provider.batch_failures = {0, 2}
    assert run_batch(run).status == cli.OK
    assert (provider.bill.calls, len(answers()), len(entries())) == (4, 4, 4)
    assert booked() == charged(tokens)


def test_a_batch_that_is_not_taken_is_said_and_asked_one_by_one(
    run: Run, provider: FakeProvider, tokens: dict[bool, list[int]]
) -> None:
    write_questions(3)
    provider.batch_status = "failed"
    done = run_batch(run)
    assert done.status == cli.OK
    assert "did not take the batch (it is not to be had)" in done.err
    assert tokens[True] == [0, 0]
    assert booked() == charged(tokens)


def test_a_budget_bounds_the_batch_before_it_is_handed_in(
    run: Run, provider: FakeProvider, tokens: dict[bool, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_questions(30)
    monkeypatch.setenv("FARTHING_BUDGETS", json.dumps([{"payer": "surface", "name": "batch", "period": "day", "usd": "0.02"}]))
    done = run_batch(run)
    assert done.status == cli.PARTLY
    assert "The daily budget of the surface batch" in done.err
    assert 1 < len(answers()) < 30
    assert not RECORD.exists()
    assert booked() == charged(tokens) <= Decimal("0.02")
    monkeypatch.setenv("FARTHING_BUDGETS", "[]")
    assert run_batch(run).status == cli.OK
    assert (len(answers()), provider.bill.calls) == (30, 30)


@pytest.mark.parametrize(
    ("more", "words"),
    [({"batch": False}, "has a batch API. Set batch = true"), ({"price_model": ""}, "The batch price of the endpoint 'mini'")],
)
def test_without_a_batch_api_or_its_price_it_is_refused(
    run: Run, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, more: dict[str, object], words: str
) -> None:
    write_questions(1)
    use_endpoint(monkeypatch, provider, **{"batch": True, **more})
    done = run_batch(run)
    assert done.status == cli.REFUSED
    assert words in done.err
    assert provider.requests == []


@pytest.mark.parametrize(
    ("record", "words"),
    [("{", "cannot be read"), ('{"key": "k", "endpoint": "gone", "rows": []}', "at the endpoint 'gone'")],
)
def test_a_record_that_tells_of_something_else_is_refused(run: Run, provider: FakeProvider, record: str, words: str) -> None:
    write_questions(1)
    RECORD.write_text(record)
    done = run_batch(run)
    assert done.status == cli.REFUSED
    assert words in done.err
    assert (RECORD.read_text(), provider.requests) == (record, [])
