"""`POST /v1/feedback`."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.callers import Callers
from app.api.errors import install_problem_handlers
from app.api.feedback import FEEDBACK_PATH, feedback_router
from app.caching.entries import EntryKind
from app.costs.errors import LedgerBusyError
from app.costs.reports import Verdict
from app.jobs.feedback import Feedback
from indexing.language import ENGLISH
from tests.fakes.answer_store import FakeAnswerStore, cached_answer
from tests.fakes.entries import build_entry
from tests.fakes.ledger import FakeLedger


class NotingLedger(FakeLedger):
    """Keeps what was said word for word."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, Verdict, str | None, str | None]] = []

    def add_feedback(self, answer_id: str, verdict: Verdict, person: str | None, comment: str | None) -> None:
        super().add_feedback(answer_id, verdict, person, comment)
        self.said.append((answer_id, verdict, person, comment))


@pytest.fixture
def ledger() -> NotingLedger:
    ledger = NotingLedger()
    ledger.settle(build_entry(id="a1", at=datetime.now(UTC)))
    return ledger


@pytest.fixture
def store() -> FakeAnswerStore:
    """Keeps two answers."""
    store = FakeAnswerStore()
    for number in (1, 2):
        store.put(cached_answer(f"Question {number}?", id=f"a{number}"))
    return store


@pytest.fixture
def client(ledger: NotingLedger, store: FakeAnswerStore) -> TestClient:
    feedback = Feedback(lambda: nullcontext(ledger), lambda: nullcontext(store), 1_000, ENGLISH)
    application = FastAPI()
    install_problem_handlers(application)
    application.include_router(feedback_router(feedback, Callers((), "x-person", "")))
    return TestClient(application, raise_server_exceptions=False)


def test_a_verdict_is_written_down_with_who_said_it(client: TestClient, ledger: NotingLedger) -> None:
    body = {"id": "a1", "verdict": "wrong", "comment": " It is 28 days. "}
    response = client.post(FEEDBACK_PATH, json=body, headers={"x-person": "ada"})
    assert (response.status_code, response.json()) == (200, {"id": "a1", "verdict": "wrong"})
    assert ledger.said == [("a1", Verdict.WRONG, "ada", "It is 28 days.")]


def test_only_what_is_wrong_and_known_leaves_the_cache(client: TestClient, store: FakeAnswerStore) -> None:
    for body in ({"id": "a1", "verdict": "right"}, {"id": "a2", "verdict": "wrong"}, {"id": "a1", "verdict": "wrong"}):
        marked = [stored.entry.id for stored in store.entries() if stored.entry.kind is EntryKind.WRONG]
        assert marked == []
        client.post(FEEDBACK_PATH, json=body)
    marked = [stored.entry.id for stored in store.entries() if stored.entry.kind is EntryKind.WRONG]
    assert marked == ["a1"]


def test_comment_and_person_may_be_missing(client: TestClient, ledger: NotingLedger) -> None:
    for comment in ({}, {"comment": None}, {"comment": "  "}):
        assert client.post(FEEDBACK_PATH, json={"id": "a1", "verdict": "right", **comment}).status_code == 200
    assert set(ledger.said) == {("a1", Verdict.RIGHT, None, None)}
    (total,) = ledger.summary(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC), None)
    assert (total.right_answers, total.wrong_answers) == (1, 0)


def test_an_unknown_answer_is_not_found(client: TestClient) -> None:
    response = client.post(FEEDBACK_PATH, json={"id": "a2", "verdict": "right"})
    assert (response.status_code, response.json()["type"]) == (404, "urn:farthing:problem:unknown-answer")
    assert "'a2'" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"id": "a1"}, "verdict"),
        ({"id": "a1", "verdict": "maybe"}, "verdict"),
        ({"id": "", "verdict": "right"}, "id"),
        ({"id": "x" * 201, "verdict": "right"}, "id"),
        ({"id": "a1", "verdict": "right", "comment": "x" * 2_001}, "comment"),
        ({"id": "a1", "verdict": "right", "stars": 5}, "stars"),
        (["a1", "right"], "no JSON object"),
    ],
)
def test_a_malformed_verdict_is_refused_by_name(client: TestClient, ledger: NotingLedger, body: Any, word: str) -> None:
    response = client.post(FEEDBACK_PATH, json=body)
    assert response.status_code == 422
    assert word in response.json()["detail"]
    assert ledger.said == []


def test_a_ledger_that_is_locked_says_when_to_come_back(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> None:
        raise LedgerBusyError("/home/me/ledger.db is locked")

    monkeypatch.setattr(NotingLedger, "add_feedback", locked)
    response = client.post(FEEDBACK_PATH, json={"id": "a1", "verdict": "right"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    assert "/home/me" not in response.text
