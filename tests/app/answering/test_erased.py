"""What a page said stays in no memory of the service, once the page is gone from the index."""

import gc
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from app.access.callers import Caller
from app.answering.service import AnswerService
from app.answers.questions import Question
from app.bootstrap import build_service
from app.costs.ledger import Spender, Surface
from app.settings import Settings, load_settings
from indexing.documents import EVERYONE, AccessScope
from indexing.sync import SyncReport
from tests.app.api.serving import endpoint
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.provider import Body, FakeProvider

Index = Callable[..., SyncReport]
SCOPE = AccessScope("default", frozenset({EVERYONE}))
QUESTIONS = ("How many days of paid leave has everybody?", "How many days of paid leave are there?")
SLOW = "How many days of leave does the scheme give?"
AFTERWARDS = {"leave.md": "# Leave\n\nEverybody has 30 days of paid leave.\n"}


def holders(canary: bytes) -> list[str]:
    """The objects of this process that hold a text with a canary in it, as it is or folded to lower case."""
    texts, found = (canary.decode(), canary.decode().lower()), list[str]()
    stack, seen = gc.get_objects(), set[int]()
    while stack:
        holder = stack.pop()
        for held in gc.get_referents(holder):
            if isinstance(held, str):
                if any(text in held for text in texts) and not any(text is held for text in texts):
                    found.append(f"{type(holder)}: {held[:100]!r}")
            elif isinstance(held, bytes):
                if canary in held and held is not canary:
                    found.append(f"{type(holder)}: {held[:100]!r}")
            elif not gc.is_tracked(held) and id(held) not in seen:  # such as a dictionary of texts
                seen.add(id(held))
                stack.append(held)
    return found


def says_so(body: Body) -> str:
    """The model repeats what it is shown, in other words; asked to judge, it agrees."""
    shown = body["messages"][-1]["content"]
    if "units" not in body["messages"][0]["content"] or "[1]" not in shown:
        return '{"supported": [true]}'
    told = shown.partition("[1]")[2].partition("\n")[0]
    return json.dumps({"sentences": [{"text": f"It is generous: {told.strip()}", "units": [1]}]})


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(says_so) as provider:
        yield provider


@pytest.fixture
def service(settings: Settings, embedder: FakeEmbedder, provider: FakeProvider) -> Iterator[AnswerService]:
    with_model = load_settings(home=settings.home, endpoints=[endpoint(provider)], measuring={"share": 1.0})
    with closing(build_service(with_model, embedder)) as service:
        yield service


def index_canary(index: Index) -> bytes:
    """Index a page with a word that stands nowhere else, and return the word, as bytes that no text is."""
    canary = f"q{secrets.token_hex(8)}z".encode()
    name = canary.decode().capitalize()
    index({"leave.md": f"# Leave\n\n## The {name} scheme\n\nEverybody has 27 days of paid leave under the {name} scheme.\n"})
    return canary.capitalize()


def ask_everything(service: AnswerService) -> None:
    for text in QUESTIONS:
        for surface in (Surface.HTTP, Surface.BATCH):
            service.ask(Question(text), Caller(SCOPE, Spender(surface)))
        for _ in range(2):  # from the store, and from what is ready
            service.quick(Question(text), Caller(SCOPE, Spender(Surface.HTTP)))


def forget(provider: FakeProvider, embedder: FakeEmbedder) -> None:
    """Let go of what the test's own fakes were given."""
    embedder.embedded.clear()
    provider.requests.clear()
    provider.moments.clear()
    gc.collect()


def test_an_erased_page_stays_in_no_memory(
    index: Index, service: AnswerService, provider: FakeProvider, embedder: FakeEmbedder
) -> None:
    canary = index_canary(index)
    service.warm_up()
    ask_everything(service)
    assert any("Reading" in one or "Chunk" in one for one in holders(canary)), "nothing was warm"
    index(AFTERWARDS)
    service._index._check_at = 0.0  # half a second has passed
    ask_everything(service)
    service._measuring.close()
    forget(provider, embedder)
    assert holders(canary) == []


@pytest.mark.parametrize("at", ["before it begins", "while it runs"])
def test_a_slow_search_on_an_old_lease_brings_nothing_back(
    index: Index,
    service: AnswerService,
    provider: FakeProvider,
    embedder: FakeEmbedder,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
) -> None:
    canary = index_canary(index)
    service.warm_up()
    arrived, go = threading.Event(), threading.Event()

    def wait() -> None:
        if threading.current_thread().name == "slow":
            arrived.set()
            assert go.wait(30)

    class Turns:
        def __enter__(self) -> None:
            if at == "before it begins":
                wait()

        def __exit__(self, *_: object) -> None:
            if at == "while it runs":
                wait()

    monkeypatch.setattr(service, "_turns", Turns())
    slow = threading.Thread(target=service.ask, args=(Question(SLOW), Caller(SCOPE, Spender(Surface.HTTP))), name="slow")
    slow.start()
    assert arrived.wait(30)
    index(AFTERWARDS)
    service._index._check_at = 0.0
    ask_everything(service)
    go.set()
    slow.join()
    del slow
    service.quick(Question(QUESTIONS[0]), Caller(SCOPE, Spender(Surface.HTTP)))
    service._measuring.close()
    forget(provider, embedder)
    assert holders(canary) == []
