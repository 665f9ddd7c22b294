"""The fast path over HTTP: known answers at once, byte for byte as the slow path sends them, and nothing else."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.quick import QuickAnswers
from app.bootstrap import build_application, open_ledger_reader
from app.cli.commands.serve import _listen
from app.settings import Settings, load_settings
from indexing.sync import SyncReport
from tests.fakes.embedder import FakeEmbedder

QUESTION = "How many days of paid leave has everybody?"
Index = Callable[..., SyncReport]

pytestmark = pytest.mark.usefixtures("best_unit_answers")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each question so far was answered on the fast path."""
    seen: list[bool] = []
    original = QuickAnswers.__call__

    def watch(self: QuickAnswers, body: bytes, scope: Any) -> bytes | None:
        found = original(self, body, scope)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(QuickAnswers, "__call__", watch)
    return seen


@pytest.fixture
def client(settings: Settings, embedder: FakeEmbedder, index: Index, quick: list[bool]) -> Iterator[TestClient]:
    index()
    allowed = load_settings(home=settings.home, access={"http_labels": ["everyone", "hr"]})
    with TestClient(build_application(allowed, embedder), raise_server_exceptions=False) as client:
        until = time.monotonic() + 10
        while client.get("/ready").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.02)
        client.post("/v1/ask", json={"question": QUESTION})
        quick.clear()
        yield client


def timeless(content: bytes) -> bytes:
    return re.sub(rb'"ms":[0-9.]+', b'"ms":0', content)


def test_an_exact_hit_is_answered_on_the_fast_path_as_the_slow_one_would(
    client: TestClient, quick: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = client.post("/v1/ask", json={"question": QUESTION})
    monkeypatch.setattr(QuickAnswers, "__call__", lambda *_: None)
    slow = client.post("/v1/ask", json={"question": QUESTION})
    assert quick == [True]
    assert (fast.status_code, fast.json()["rung"], slow.json()["rung"]) == (200, "cache", "cache")
    assert timeless(fast.content) == timeless(slow.content)
    assert dict(fast.headers).keys() == dict(slow.headers).keys()
    for name in ("content-type", "cache-control", "content-security-policy", "x-content-type-options", "referrer-policy"):
        assert fast.headers[name] == slow.headers[name]


def test_what_asks_for_more_or_is_at_fault_goes_the_usual_way(client: TestClient, quick: list[bool]) -> None:
    cases: list[tuple[dict[str, Any], int]] = [
        ({"explain": True}, 200),
        ({"stream": True}, 200),
        ({"conversation": {"question": "What may a hotel cost?"}}, 200),
        ({"labels": ["board"]}, 403),
        ({"labels": ["h r"]}, 422),
        ({"surprise": 1}, 422),
        ({"question": " "}, 422),
        ({"question": 3}, 422),
        ({"question": "x" * 2_001}, 422),
    ]
    for more, status in cases:
        assert client.post("/v1/ask", json={"question": QUESTION, **more}).status_code == status, more
    assert quick == [False] * len(cases)


def test_what_does_not_say_that_it_is_json_goes_the_usual_way(client: TestClient, quick: list[bool]) -> None:
    for content_type in ("text/plain", "application/jsonx", "application/x-www-form-urlencoded", ""):
        client.post("/v1/ask", content=json.dumps({"question": QUESTION}), headers={"content-type": content_type})
    assert quick == [False] * 4


def test_json_with_a_charset_is_json(client: TestClient, quick: list[bool]) -> None:
    for content_type in ("application/json; charset=utf-8", "Application/JSON"):
        body = json.dumps({"question": QUESTION})
        assert client.post("/v1/ask", content=body, headers={"content-type": content_type}).status_code == 200
    assert quick == [True, True]


def test_garbage_is_no_hit_and_no_fault_of_the_fast_path(client: TestClient, quick: list[bool]) -> None:
    bodies = (b"", b"{", b"\xff", b"[]", b'{"question": "\\ud800"}', b'{"question": NaN}', b"[" * 5_000)
    for body in bodies:
        response = client.post("/v1/ask", content=body, headers={"content-type": "application/json"})
        assert response.status_code in {400, 422}, body
    assert quick == [False] * len(bodies)


def test_who_asks_is_whose_hit_it_is(settings: Settings, embedder: FakeEmbedder, index: Index) -> None:
    index()
    named = load_settings(home=settings.home, access={"person_header": "x-person", "team_header": "x-team"})
    with TestClient(build_application(named, embedder)) as client:
        while client.get("/ready").status_code != 200:
            time.sleep(0.02)
        for _ in range(3):
            client.post("/v1/ask", json={"question": QUESTION}, headers={"x-person": "ada", "x-team": "sales"})
    now = datetime.now(UTC)
    with open_ledger_reader(settings) as reader:
        (row,) = reader.summary(now - timedelta(days=1), now + timedelta(days=1), "person")
        hits = reader.hits(now - timedelta(days=1), now + timedelta(days=1))
    assert (row.name, row.cached_answers, row.spent_usd) == ("ada", 2, Decimal(0))
    assert {kind: found.count for kind, found in hits.items()} == {"exact": 2}


def test_bodies_are_not_held_back_until_their_heads_are_acknowledged() -> None:
    """Nagle's algorithm would do that, for 40 ms, on connections that are kept open."""
    (listening,) = _listen("127.0.0.1", 0)
    with listening, socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
