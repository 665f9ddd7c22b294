"""Answers as they are made, over real HTTP on both sides: a caller that may leave, and a provider that may do anything."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api import streaming
from app.bootstrap import build_application, build_prices, open_ledger_reader
from app.costs.ledger import Entry, Outcome
from app.costs.pricing import Usage, plain_usd, price_usage
from app.settings import Settings
from indexing.sync import SyncReport
from tests.app.api.serving import QUESTION, RIGHT, WRONG, Event, endpoint, events, says, served, wait_until, with_models
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.provider import FakeProvider, Fault

Index = Callable[..., SyncReport]
LEAVE: dict[str, str | None] = {
    "leave.md": "# Leave\n\n## Days\n\nEverybody has 27 days of paid leave. Unused days expire in March.\n"
}


@pytest.fixture(autouse=True)
def _indexed(index: Index) -> None:
    index(LEAVE)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=says(RIGHT)) as provider:
        yield provider


def names(seen: list[Event]) -> list[str]:
    """The kinds of events, runs of one kind told once."""
    return [event.name for before, event in zip([None, *seen], seen, strict=False) if before is None or before.name != event.name]


def shown(seen: list[Event]) -> str:
    """The text that a reader has before the citations come, after what was withdrawn."""
    text = ""
    for event in seen:
        if event.name == "text":
            text += event.data["text"]
        elif event.name == "status" and event.data["withdraws_text"]:
            text = ""
    return text


def entries(settings: Settings) -> list[Entry]:
    now = datetime.now(UTC)
    with open_ledger_reader(settings) as reader:
        return list(reader.entries(now - timedelta(hours=1), now + timedelta(hours=1)))


def billed_usd(settings: Settings, provider: FakeProvider, price_model: str = "openai/gpt-5-mini") -> Decimal | None:
    """What the provider's own books come to."""
    return price_usage(Usage(provider.bill.input_tokens, provider.bill.output_tokens), build_prices(settings).price(price_model))


def test_events_come_in_order_with_the_receipt_last(settings: Settings, embedder: FakeEmbedder, provider: FakeProvider) -> None:
    models = with_models(settings, endpoint(provider))
    with served(models, embedder) as client:
        seen = client.stream(explain=True)
    assert names(seen) == ["status", "text", "status", "citations", "receipt"]
    assert shown(seen) == "Everybody has 27 days of paid leave."
    answer, receipt = seen[-2].data, seen[-1].data
    assert answer["answer"] == "Everybody has 27 days of paid leave. [1]"
    assert (answer["rung"], answer["citations"][0]["document"]) == ("small", "leave.md")
    assert [step["decision"] for step in answer["explanation"]] == ["try", "keep"]
    assert "receipt" not in answer
    assert receipt["id"] == answer["id"]
    (entry,) = entries(models)
    assert (entry.id, plain_usd(entry.receipt.cost_usd)) == (receipt["id"], receipt["cost_usd"])
    assert entry.receipt.cost_usd == billed_usd(models, provider)


def test_without_a_stream_the_answer_is_the_same_and_explains_only_when_asked(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider
) -> None:
    with served(with_models(settings, endpoint(provider)), embedder) as client:
        plain, explained = json.load(client.post()), json.load(client.post(explain=True))
    assert plain["answer"] == "Everybody has 27 days of paid leave. [1]"
    assert "explanation" not in plain
    assert [step["rung"] for step in explained["explanation"]] == ["small", "small"]


def test_without_models_the_text_comes_whole(settings: Settings, embedder: FakeEmbedder, best_unit_answers: None) -> None:
    del best_unit_answers
    with served(settings, embedder) as client:
        seen = client.stream()
    assert names(seen) == ["status", "text", "citations", "receipt"]
    assert shown(seen) == seen[-2].data["answer"]
    assert "explanation" not in seen[-2].data


def test_text_of_a_draft_that_is_not_kept_is_withdrawn(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider
) -> None:
    provider.answer = says(WRONG)
    models = with_models(settings, endpoint(provider), endpoint(provider, "max", "strong", price_model="openai/gpt-5"))
    with served(models, embedder) as client:
        seen = client.stream()
    told = [
        (event.data["rung"], event.data["decision"], event.data["withdraws_text"]) for event in seen if event.name == "status"
    ]
    assert ("small", "climb", True) in told
    assert told[-1] == ("strong", "keep", False)
    assert shown(seen) == "Everybody has 27 days of paid leave."
    (entry,) = entries(models)
    assert entry.receipt.input_tokens == provider.bill.input_tokens
    assert entry.receipt.output_tokens == provider.bill.output_tokens


def test_what_goes_wrong_before_the_first_event_has_its_own_status(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider, always_abstains: None
) -> None:
    del always_abstains
    nothing_left = [{"payer": "company", "period": "day", "usd": "0"}]
    with served(with_models(settings, endpoint(provider), budgets=nothing_left), embedder) as client:
        for stream in (False, True):
            refused = client.post(stream=stream)
            assert refused.status == 429
            assert 0 < int(refused.getheader("retry-after") or 0) <= 86_400
            assert json.load(refused)["type"] == "urn:farthing:problem:budget"
            assert client.post(stream=stream, question=" ").status == 422
            assert client.post(stream=stream, labels=["hr"]).status == 403
    assert provider.bill.calls == 0


def test_a_stream_before_anything_is_ready_is_told_so(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = with_models(settings).model_copy(update={"home": tmp_path_factory.mktemp("home") / "empty"})
    with TestClient(build_application(empty, FakeEmbedder(dimension=64))) as client:
        response = client.post("/v1/ask", json={"question": QUESTION, "stream": True})
    assert response.status_code == 503
    assert "retry-after" in response.headers


def test_what_goes_wrong_after_the_first_event_is_an_event(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("/secret/path")

    models = with_models(settings, endpoint(provider))
    monkeypatch.setattr("app.ladder.climb.check_reply", fail)
    with served(models, embedder) as client:
        seen = client.stream()
    assert names(seen) == ["status", "text", "problem"]
    assert (seen[-1].data["status"], seen[-1].data["type"]) == (500, "urn:farthing:problem:internal")
    assert "secret" not in json.dumps(seen[-1].data)
    (entry,) = entries(models)
    assert (entry.outcome, entry.receipt.cost_usd) == (Outcome.FAILED, billed_usd(models, provider))


def test_a_silent_provider_is_bridged_by_comments(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "KEEP_ALIVE_S", 0.05)
    provider.first_token_s = 0.4
    with served(with_models(settings, endpoint(provider)), embedder) as client:
        seen = client.stream()
    assert names(seen) == ["status", "", "text", "status", "citations", "receipt"]
    assert seen[1].data == "still here"


def test_the_answer_of_a_caller_that_leaves_is_finished_and_billed_to_the_token(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider
) -> None:
    provider.token_s = 0.05
    models = with_models(settings, endpoint(provider))
    with served(models, embedder) as client:
        response = client.post(stream=True)
        for event in events(response):
            if event.name == "text":
                break
        response.close()
        wait_until(lambda: len(entries(models)) == 1)
    (entry,) = entries(models)
    assert entry.outcome is Outcome.ANSWERED
    assert not any(line.estimated for line in entry.receipt.lines)
    assert entry.receipt.input_tokens == provider.bill.input_tokens > 0
    assert entry.receipt.output_tokens == provider.bill.output_tokens > 0
    assert entry.receipt.cost_usd == billed_usd(models, provider)


def test_a_caller_that_leaves_still_takes_up_a_slot_until_its_answer_is_made(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider
) -> None:
    provider.first_token_s = 1.0
    with served(with_models(settings, endpoint(provider), server={"slots": 1, "queue": 0}), embedder) as client:
        response = client.post(stream=True)
        response.close()
        assert client.post().status == 503
        provider.first_token_s = 0.0
        wait_until(lambda: client.post().status == 200)


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CUT_CLEANLY, Fault.ERROR_INSIDE])
def test_a_stream_that_the_provider_cuts_is_billed_by_own_count_and_another_endpoint_answers(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider, fault: Fault
) -> None:
    models = with_models(settings, endpoint(provider, "first"), endpoint(provider, "second"))
    provider.faults.append(fault)
    with served(models, embedder) as client:
        seen = client.stream(explain=True)
    failed = next(event.data for event in seen if event.name == "status" and event.data["decision"] == "fail")
    assert failed == {
        "rung": "small",
        "decision": "fail",
        "reason": "first: failed; the service's log says how",
        "withdraws_text": True,
    }
    assert shown(seen) == "Everybody has 27 days of paid leave."
    paid = [line for line in seen[-1].data["lines"] if line["model"]]
    assert [line["estimated"] for line in paid] == [True, False]
    (entry,) = entries(models)
    assert entry.receipt.cost_usd == billed_usd(models, provider)


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.ERROR_BODY, Fault.FORBIDDEN])
def test_when_no_model_can_be_asked_the_units_answer_and_the_receipt_says_so(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider, best_unit_answers: None, fault: Fault
) -> None:
    del best_unit_answers
    provider.always = fault
    with served(with_models(settings, endpoint(provider)), embedder) as client:
        seen = client.stream()
    assert seen[-2].data["rung"] == "extractive"
    (note,) = seen[-1].data["notes"]
    assert "No endpoint of the rung small answered" in note


def test_usage_that_cannot_be_is_replaced_by_own_count(
    settings: Settings, embedder: FakeEmbedder, provider: FakeProvider
) -> None:
    provider.faults += [Fault.NEGATIVE_USAGE, Fault.ABSURD_USAGE, Fault.NO_USAGE]
    models = with_models(settings, endpoint(provider))
    with served(models, embedder) as client:
        receipts: list[Any] = [client.stream(question=f"{QUESTION} {n}")[-1].data for n in range(3)]
    assert [[line["estimated"] for line in one["lines"] if line["model"]] for one in receipts] == [[True]] * 3
    total = sum((entry.receipt.cost_usd or Decimal(0) for entry in entries(models)), Decimal(0))
    assert total == billed_usd(models, provider)
