"""The answering flow as the settings have it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from app.access.callers import Caller
from app.answers.questions import Question
from app.bootstrap import answering, build_service
from app.costs.ledger import Spender, Surface
from app.settings import Settings, load_settings
from tests.app.answering.desk import Library, scope
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.ledger import FakeLedger
from tests.indexing.pages import document


class Meeting(FakeEmbedder):
    """Answers once three questions are here at the same time, or half a second later. `met` counts those that met."""

    def __init__(self) -> None:
        super().__init__(dimension=64)
        self._together = threading.Barrier(3, timeout=0.5)
        self.met = 0

    def embed_query(self, text: str) -> NDArray[np.float32]:
        try:
            self._together.wait()
            self.met += 1
        except threading.BrokenBarrierError:
            pass
        return super().embed_query(text)


@pytest.mark.parametrize(("engine", "at_once"), [("edge", 0), ("qdrant", 3)])
def test_only_searches_in_this_process_take_turns(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, engine: str, at_once: int
) -> None:
    embedder = Meeting()
    library = Library(embedder)
    library.publish([document("# Leave\n\nEverybody has 27 days of paid leave.\n", path="leave.md")])
    monkeypatch.setattr(answering, "build_generations", lambda *_: library)
    own = load_settings(home=settings.home, index={"engine": engine}, cache={"enabled": False})
    service = build_service(own, embedder, ledger=FakeLedger())

    def ask(number: int) -> None:
        service.ask(Question(f"How many days of leave has person {number}?"), Caller(scope(), Spender(Surface.HTTP)))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(ask, range(3)))
    service.close()
    assert embedder.met == at_once
