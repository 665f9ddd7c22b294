"""The HTTP surface over a real index and a model that hashes words."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from app.bootstrap import build_application
from app.settings import Settings, load_settings
from indexing.errors import EmbeddingError
from indexing.sync import SyncReport
from tests.fakes.embedder import FakeEmbedder

Index = Callable[..., SyncReport]

ANSWER_KEYS = [
    "id", "question", "outcome", "answer", "citations", "related", "rung", "groundedness", "generation", "receipt",
]  # fmt: skip
CITATION_KEYS = ["n", "document", "title", "heading_path", "quote", "uri", "lines"]
RECEIPT_KEYS = [
    "lines", "input_tokens", "output_tokens", "cost_usd", "baseline_input_tokens", "baseline_cost_usd", "saved_usd", "ms",
    "notes",
]  # fmt: skip
LINE_KEYS = [
    "stage", "rung", "model", "input_tokens", "cached_input_tokens", "output_tokens", "cost_usd", "estimated", "ms",
]  # fmt: skip


@contextmanager
def serving(settings: Settings, embedder: FakeEmbedder, *, wait: bool = True) -> Iterator[TestClient]:
    with TestClient(build_application(settings, embedder), raise_server_exceptions=False) as client:
        if wait:
            until_ready(client)
        yield client


def until_ready(client: TestClient, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while client.get("/ready").status_code != 200:
        assert time.monotonic() < deadline, client.get("/ready").json()
        time.sleep(0.02)


@pytest.fixture
def client(settings: Settings, embedder: FakeEmbedder, index: Index) -> Iterator[TestClient]:
    index()
    with serving(settings, embedder) as client:
        yield client


def ask(client: TestClient, question: str = "How many days of leave?", **more: Any) -> Any:
    return client.post("/v1/ask", json={"question": question, **more})


def problem(response: Any, status: int, name: str) -> str:
    """Check that a response is this problem, and return its detail."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert list(body) == ["type", "title", "status", "detail", "instance"]
    assert body["type"] == f"urn:farthing:problem:{name}"
    assert body["status"] == status
    return str(body["detail"])


@pytest.mark.usefixtures("best_unit_answers")
def test_an_answer_has_exactly_the_documented_shape(client: TestClient) -> None:
    response = ask(client)
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ANSWER_KEYS
    assert (answer["outcome"], answer["rung"], answer["groundedness"], answer["related"]) == ("answered", "extractive", 1.0, [])
    assert answer["question"] == "How many days of leave?"
    assert answer["answer"].endswith("[1]")
    (citation,) = answer["citations"]
    assert list(citation) == CITATION_KEYS
    assert (citation["n"], citation["document"], citation["title"]) == (1, "leave.md", "Leave")
    assert citation["heading_path"][-1:] == ["Days"]
    assert citation["quote"] in answer["answer"]
    assert citation["uri"].endswith("leave.md")
    assert citation["lines"] == [5, 5]
    receipt = answer["receipt"]
    assert list(receipt) == RECEIPT_KEYS
    assert [line["stage"] for line in receipt["lines"]] == ["embed_query", "search", "context", "generate"]
    assert all(list(line) == LINE_KEYS and line["cost_usd"] == "0" for line in receipt["lines"])
    assert (receipt["input_tokens"], receipt["output_tokens"], receipt["cost_usd"]) == (0, 0, "0")
    assert receipt["baseline_input_tokens"] > 50
    assert receipt["saved_usd"] == receipt["baseline_cost_usd"]
    assert 0 < float(receipt["baseline_cost_usd"]) < 0.01
    assert receipt["ms"] >= max(line["ms"] for line in receipt["lines"])


@pytest.mark.usefixtures("always_abstains")
def test_an_abstention_has_the_same_shape_with_the_closest_pages(client: TestClient) -> None:
    answer = ask(client).json()
    assert list(answer) == ANSWER_KEYS
    assert (answer["outcome"], answer["rung"], answer["groundedness"], answer["citations"]) == ("abstained", "abstain", None, [])
    assert answer["answer"].startswith("Nothing in the documents")
    assert sorted(page["document"] for page in answer["related"]) == ["leave.md", "travel.md"]
    assert all(list(page) == ["document", "title", "uri"] for page in answer["related"])
    assert answer["receipt"]["baseline_input_tokens"] > 50


@pytest.mark.usefixtures("best_unit_answers")
def test_an_unknown_price_is_null_and_never_zero(settings: Settings, embedder: FakeEmbedder, index: Index) -> None:
    index()
    unpriced = load_settings(home=settings.home, baseline={"model": "nobody/nothing"})
    with serving(unpriced, embedder) as client:
        receipt = ask(client).json()["receipt"]
    assert (receipt["cost_usd"], receipt["baseline_cost_usd"], receipt["saved_usd"]) == ("0", None, None)
    assert receipt["baseline_input_tokens"] > 50


def test_status_says_what_is_indexed_and_nothing_about_the_machine(client: TestClient, settings: Settings) -> None:
    response = client.get("/v1/status")
    status = response.json()
    assert (status["documents"], status["engine"], status["model"], status["dimension"]) == (2, "edge", "fake-hashing", 64)
    assert status["index_bytes"] > 0
    assert str(settings.home.parent) not in response.text
    assert "indexed_by" not in status


@pytest.mark.parametrize("question", ["", "  \n", "\x00", "\ud800"])
def test_an_empty_question_is_a_problem(client: TestClient, question: str) -> None:
    body = json.dumps({"question": question}).encode()
    response = client.post("/v1/ask", content=body, headers={"content-type": "application/json"})
    assert "empty" in problem(response, 422, "question")


def test_a_long_question_is_a_problem_that_names_size_and_limit(client: TestClient) -> None:
    detail = problem(ask(client, "x" * 2_001), 422, "question")
    assert "2,001 characters" in detail
    assert "2,000" in detail


def test_a_very_long_question_is_refused_by_its_bytes(client: TestClient) -> None:
    problem(ask(client, "x" * 100_000), 413, "too-large")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"question": 3}', b'{"question": null}', b"{}", b'{"question": "x", "label": "hr"}',
     b'{"question": "x", "labels": "hr"}', b'{"question": "x", "labels": [3]}'],
)  # fmt: skip
def test_a_body_of_the_wrong_form_is_a_problem_that_echoes_nothing(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/ask", content=body, headers={"content-type": "application/json"})
    problem(response, 422, "invalid-request")


@pytest.mark.parametrize("body", [b"no json", b"[1]", b"question=When", b'"When?"'])
def test_a_body_that_is_no_object_is_told_what_to_be(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/ask", content=body, headers={"content-type": "application/json"})
    assert "Send one with content-type application/json" in problem(response, 422, "invalid-request")


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 60_000])
def test_a_body_that_is_no_json_at_all_is_a_problem(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/ask", content=body, headers={"content-type": "application/json"})
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("best_unit_answers")
def test_a_follow_up_is_searched_with_what_came_before(client: TestClient) -> None:
    before = ask(client, "What may a hotel cost?").json()["citations"][0]
    state = {"question": "What may a hotel cost?", "title": before["title"], "heading_path": before["heading_path"]}
    alone = ask(client, "And where do unused ones go?").json()
    after = ask(client, "And where do unused ones go?", conversation=state).json()
    assert list(after) == ANSWER_KEYS
    assert after["question"] == "And where do unused ones go?"
    assert [one["citations"][0]["document"] for one in (alone, after)] == ["leave.md", "travel.md"]
    own = ask(client, "How many days of paid leave has everybody?", conversation=state).json()
    assert own["citations"][0]["document"] == "leave.md"


def test_a_conversation_that_cannot_be_used_is_a_problem(client: TestClient) -> None:
    long = problem(ask(client, "And then?", conversation={"question": "How much leave? " * 100}), 422, "conversation")
    assert "the limit is 120" in long
    assert "no question" in problem(ask(client, "And then?", conversation={"question": " "}), 422, "conversation")
    for wrong in ({}, [], "text", {"question": "Why?", "transcript": "..."}, {"question": "Why?", "heading_path": "Days"}):
        problem(ask(client, "And then?", conversation=wrong), 422, "invalid-request")


def test_a_label_that_may_not_be_claimed_is_refused(client: TestClient) -> None:
    assert "'hr' may not be claimed" in problem(ask(client, labels=["hr"]), 403, "label-refused")


def test_a_malformed_label_is_a_problem(client: TestClient) -> None:
    problem(ask(client, labels=["h r"]), 422, "label")


def test_a_label_that_no_document_carries_is_a_problem(settings: Settings, embedder: FakeEmbedder, index: Index) -> None:
    index()
    allowed = load_settings(home=settings.home, access={"http_labels": ["everyone", "hr"]})
    with serving(allowed, embedder) as client:
        assert "'hr'" in problem(ask(client, labels=["hr"]), 422, "unknown-label")


@pytest.mark.usefixtures("best_unit_answers")
def test_only_claimed_labels_open_their_documents(settings: Settings, embedder: FakeEmbedder, index: Index) -> None:
    index()
    index({"salaries.md": "# Salaries\n\nThe director earns 90,000 euros of salary.\n"}, labels=("hr",))
    allowed = load_settings(home=settings.home, access={"http_labels": ["everyone", "hr"]})
    with serving(allowed, embedder) as client:
        question = "What salary does the director earn in euros?"
        assert ask(client, question, labels=["hr"]).json()["citations"][0]["document"] == "salaries.md"
        assert "salaries" not in ask(client, question).text
    closed = load_settings(home=settings.home, access={"http_labels": []})
    with serving(closed, embedder) as client:
        answer = ask(client, question).json()
        assert (answer["outcome"], answer["related"]) == ("abstained", [])


def test_unknown_routes_and_methods_are_problems(client: TestClient) -> None:
    problem(client.get("/v2/ask"), 404, "not-found")
    response = client.get("/v1/ask")
    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "POST"


def test_what_goes_wrong_inside_stays_inside(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("/secret/path in line 3")

    monkeypatch.setattr("app.ladder.climb.extract", fail)
    response = ask(client)
    problem(response, 500, "internal")
    assert "secret" not in response.text


def test_a_failing_model_is_a_problem_without_its_words(
    client: TestClient, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise EmbeddingError("/secret/weights are damaged")

    monkeypatch.setattr(embedder, "embed_query", fail)
    response = ask(client)
    problem(response, 503, "model")
    assert "secret" not in response.text
    assert response.headers["retry-after"] == "30"


def test_every_response_carries_the_id_of_its_request(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    made = set[str]()
    for response in (
        client.get("/health"),
        client.get("/nowhere"),
        ask(client),
        ask(client, "x" * 100_000),
        ask(client, stream=True),
    ):
        made.add(response.headers["x-request-id"])
    monkeypatch.setattr("app.ladder.climb.extract", fail)
    broken = ask(client, "What does a hotel cost?")
    made.add(broken.headers["x-request-id"])
    assert broken.status_code == 500
    assert broken.headers["x-content-type-options"] == "nosniff"
    assert len(made) == 6
    for sent, kept in (("mine.1", True), ("not mine", False), ("x" * 65, False)):
        assert (client.get("/health", headers={"x-request-id": sent}).headers["x-request-id"] == sent) is kept


def test_every_response_carries_the_safe_headers(client: TestClient) -> None:
    for response in (client.get("/health"), client.get("/nowhere"), client.get("/docs"), ask(client, "x" * 100_000)):
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["x-content-type-options"] == "nosniff"


def test_the_description_lists_every_route_and_its_problems(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    assert sorted(description["paths"]) == ["/health", "/ready", "/v1/ask", "/v1/feedback", "/v1/status"]
    responses = description["paths"]["/v1/ask"]["post"]["responses"]
    assert sorted(responses) == ["200", "403", "408", "413", "422", "429", "500", "503"]
    assert all(list(responses[code]["content"]) == ["application/problem+json"] for code in responses if code != "200")
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert all(path in page.text for path in description["paths"])
    assert "http://" not in page.text
    assert "<script" not in page.text


class SlowEmbedder(FakeEmbedder):
    """Loads for as long as the test wants."""

    def __init__(self) -> None:
        super().__init__(dimension=64)
        self.loaded = threading.Event()

    def embed_query(self, text: str) -> NDArray[np.float32]:
        assert self.loaded.wait(20)
        return super().embed_query(text)


def test_it_lives_at_once_and_is_ready_when_the_model_is_loaded(settings: Settings, index: Index) -> None:
    index()
    slow = SlowEmbedder()
    with serving(settings, slow, wait=False) as client:
        began = time.monotonic()
        assert client.get("/health").json() == {"status": "ok"}
        problem(client.get("/ready"), 503, "not-ready")
        response = ask(client)
        problem(response, 503, "not-ready")
        assert response.headers["retry-after"] == "5"
        assert time.monotonic() - began < 2
        slow.loaded.set()
        until_ready(client)
        assert client.get("/ready").json() == {"status": "ready"}


def test_without_an_index_it_says_so_and_sees_the_first_one_without_a_restart(
    settings: Settings, embedder: FakeEmbedder, index: Index
) -> None:
    with serving(settings, embedder, wait=False) as client:
        deadline = time.monotonic() + 5
        while client.get("/ready").json()["type"] == "urn:farthing:problem:not-ready":
            assert time.monotonic() < deadline
        problem(client.get("/ready"), 503, "nothing-indexed")
        problem(client.get("/v1/status"), 503, "nothing-indexed")
        problem(ask(client), 503, "nothing-indexed")
        index()
        until_ready(client)
        assert ask(client).status_code == 200


def test_overload_is_turned_away_while_health_answers(
    settings: Settings, embedder: FakeEmbedder, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index()
    go = threading.Event()
    monkeypatch.setattr("app.ladder.climb.extract", lambda *_: go.wait(20) and None)
    small = load_settings(home=settings.home, server={"slots": 2, "queue": 3})
    with serving(small, embedder) as client, ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(ask, client) for _ in range(20)]
        deadline = time.monotonic() + 10
        while sum(future.done() for future in asked) < 15:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        began = time.monotonic()
        assert client.get("/health").status_code == 200
        assert time.monotonic() - began < 0.5
        turned_away = [future.result() for future in asked if future.done()]
        for response in turned_away:
            problem(response, 503, "overloaded")
            assert response.headers["retry-after"] == "1"
        go.set()
        assert sorted(future.result().status_code for future in asked) == [200] * 5 + [503] * 15


@pytest.mark.usefixtures("best_unit_answers")
def test_a_new_generation_serves_without_a_restart_and_without_a_dropped_request(
    settings: Settings, embedder: FakeEmbedder, index: Index
) -> None:
    def page(number: int) -> dict[str, str | None]:
        return dict.fromkeys(("a.md", "b.md"), f"# Page\n\nVersion {number} says that leave has {number} days.\n")

    generations = {index(page(0)).generation: 0}
    wide = load_settings(home=settings.home, server={"slots": 8, "queue": 100})
    answers: list[tuple[int, dict[str, Any]]] = []
    stop = threading.Event()

    with serving(wide, embedder) as client:

        def keep_asking() -> None:
            while not stop.is_set():
                response = ask(client, "How many days of leave?")
                answers.append((response.status_code, response.json()))

        threads = [threading.Thread(target=keep_asking) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(1, 4):
            generations[index(page(number)).generation] = number
            time.sleep(0.8)
        stop.set()
        for thread in threads:
            thread.join()
        last = ask(client).json()
    assert {status for status, _ in answers} == {200}
    for _, answer in answers:
        assert f"Version {generations[answer['generation']]} says" in json.dumps(answer["citations"])
    assert {generations[answer["generation"]] for _, answer in answers} >= {0, 1, 2, 3}
    assert generations[last["generation"]] == 3
