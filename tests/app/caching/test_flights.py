"""Who computes: one of those who ask the same in this process, and one of several processes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.answers.answers import Abstention, Answer
from app.caching.flights import Flights
from app.costs.receipts import NaivePrompt, Receipt
from tests.fakes.answer_store import FakeAnswerStore, Shelf

ANSWER: Answer = Abstention("id", "Why?", "g1", Receipt((), NaivePrompt(1, None), 0.0), (), ())


def test_the_first_flies_and_the_others_get_what_he_lands_with() -> None:
    flights = Flights(None)
    flight, mine = flights.board(b"key")
    same, others = flights.board(b"key")
    elsewhere, alone = flights.board(b"another")
    assert (mine, others, alone) == (True, False, True)
    assert same is flight
    assert elsewhere is not flight
    assert not flight.landed.is_set()
    flights.land(b"key", flight, ANSWER)
    assert (same.landed.is_set(), same.answer) == (True, ANSWER)
    assert flights.board(b"key")[1]


def test_of_many_threads_one_flies() -> None:
    flights = Flights(None)
    together = threading.Barrier(20)

    def board() -> bool:
        together.wait()
        flight, mine = flights.board(b"key")
        if mine:
            time.sleep(0.05)
            flights.land(b"key", flight, ANSWER)
        else:
            assert flight.landed.wait(5)
            assert flight.answer is ANSWER
        return mine

    with ThreadPoolExecutor(20) as pool:
        boarded = [pool.submit(board) for _ in range(20)]
    assert sum(one.result() for one in boarded) == 1


def test_another_process_waits_until_the_answer_has_arrived() -> None:
    shelf = Shelf()
    here, there = Flights(FakeAnswerStore(shelf=shelf)), Flights(FakeAnswerStore(shelf=shelf))
    arrived = threading.Event()
    entered: list[float] = []

    def wait() -> None:
        with there.alone(b"key", arrived.is_set):
            entered.append(time.monotonic())

    with here.alone(b"key", lambda: False):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.15)
        assert entered == []
        arrived.set()
        waiting.join(5)
        assert len(entered) == 1
    assert shelf.leases == {}


def test_a_process_that_waits_goes_on_when_the_other_has_ended_with_nothing() -> None:
    shelf = Shelf()
    here, there = Flights(FakeAnswerStore(shelf=shelf)), Flights(FakeAnswerStore(shelf=shelf))
    order: list[str] = []

    def wait() -> None:
        with there.alone(b"key", lambda: False):
            order.append("there")

    def fail() -> None:
        with here.alone(b"key", lambda: False):
            waiting.start()
            time.sleep(0.1)
            order.append("here")
            raise RuntimeError("failed")

    waiting = threading.Thread(target=wait)
    with pytest.raises(RuntimeError, match="failed"):
        fail()
    waiting.join(5)
    assert order == ["here", "there"]
    assert shelf.leases == {}


def test_a_killed_process_blocks_nobody_beyond_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.caching.flights._LEASE_S", 0.3)
    shelf = Shelf()
    FakeAnswerStore(shelf=shelf).claim(b"key", 60)  # and is killed
    began = time.monotonic()
    with Flights(FakeAnswerStore(shelf=shelf)).alone(b"key", lambda: False):
        waited = time.monotonic() - began
    assert 0.25 < waited < 2
    assert list(shelf.leases) == [b"key"]  # it was never ours to give back


def test_where_an_answer_costs_too_little_nobody_waits() -> None:
    with Flights(None).alone(b"key", lambda: False), Flights(None).alone(b"key", lambda: False):
        pass
