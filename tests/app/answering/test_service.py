"""How searches take turns, through the whole flow."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from app.costs.receipts import Stage
from indexing.errors import EmbeddingError
from tests.app.answering.desk import Desk, said
from tests.fakes.embedder import FakeEmbedder

LEAVE = "# Leave\n\n## Days\n\nEverybody has 27 days of paid leave.\n"
QUESTION = "How many days of paid leave has everybody?"

pytestmark = pytest.mark.usefixtures("best_unit_answers")


class SlowEmbedder(FakeEmbedder):
    """Takes 20 ms for a question, and knows how many it had at once; fails on demand."""

    def __init__(self) -> None:
        super().__init__(dimension=64)
        self.fails = False
        self.most = 0
        self._here = 0
        self._lock = threading.Lock()

    def embed_query(self, text: str) -> NDArray[np.float32]:
        if self.fails:
            raise EmbeddingError("the model cannot be loaded")
        with self._lock:
            self._here += 1
            self.most = max(self.most, self._here)
        time.sleep(0.02)
        with self._lock:
            self._here -= 1
        return super().embed_query(text)


@pytest.mark.parametrize("places", [1, 2])
def test_no_more_searches_run_than_there_are_turns(places: int) -> None:
    embedder = SlowEmbedder()
    desk = Desk(LEAVE, embedder=embedder, turns=threading.Semaphore(places))
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(desk.ask, [f"{QUESTION} Number {n}." for n in range(6)]))
    assert embedder.most == places
    assert {said(answer) for answer in answers} == {"Everybody has 27 days of paid leave."}


def test_waiting_for_a_turn_stands_on_the_receipt() -> None:
    turns = threading.Semaphore(0)
    desk = Desk(LEAVE, turns=turns)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(desk.ask, QUESTION)
        time.sleep(0.1)
        assert not asked.done()
        turns.release()
        answer = asked.result(timeout=5)
    waited = next(line.ms for line in answer.receipt.lines if line.stage is Stage.EMBED_QUERY)
    assert 90 <= waited <= answer.receipt.ms


def test_a_search_that_fails_gives_its_turn_back() -> None:
    embedder = SlowEmbedder()
    desk = Desk(LEAVE, embedder=embedder, turns=threading.Semaphore(1))
    embedder.fails = True
    for _ in range(2):
        with pytest.raises(EmbeddingError):
            desk.ask(QUESTION)
    embedder.fails = False
    with ThreadPoolExecutor(1) as pool:
        assert said(pool.submit(desk.ask, QUESTION).result(timeout=5)) == "Everybody has 27 days of paid leave."
