"""What the service remembers between questions: the fast path's bytes, hits that are counted, and one computation for many."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.adapters.disk_answer_store import DiskAnswerStore
from app.adapters.redis_answer_store import RedisAnswerStore
from app.answers.answers import Abstention, Answer, Answered
from app.answers.codec import JsonAnswers
from app.answers.shapes import answer_shape
from app.caching.cache import HitKind, hit_kind
from app.caching.flights import Flights
from app.caching.memory import Memory
from app.costs.budgets import Limit, Payer, Period
from app.costs.errors import BudgetExhaustedError
from app.costs.hits import HitBook
from app.costs.rungs import Rung
from app.generation.errors import EndpointUnavailableError
from indexing.language import ENGLISH
from tests.app.answering.desk import Desk, Model, page, said
from tests.fakes.answer_store import ForgetfulAnswerStore
from tests.fakes.ledger import FakeLedger

LEAVE = "# Leave\n\n## Days\n\nEverybody has 27 days of paid leave. Unused days of leave expire in March.\n"
QUESTION = "How many days of paid leave has everybody?"

pytestmark = pytest.mark.usefixtures("best_unit_answers")


@pytest.fixture(autouse=True)
def _warnings_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


def timeless(body: dict[str, Any]) -> dict[str, Any]:
    """An answer's JSON without its times."""
    receipt = body["receipt"]
    return {**body, "receipt": {**receipt, "ms": 0, "lines": [{**line, "ms": 0} for line in receipt["lines"]]}}


@pytest.mark.parametrize(
    "asked",
    [
        QUESTION,
        f"  {QUESTION}\n",
        "how many days of paid leave HAS everybody",
        "How many days of “paid” leave\thas everybody?",
        'How many days of "paid\\unpaid" leave has everybody </script> \u2028 \U0001f600 ß é e\u0301?',
        'How many days of paid leave has everybody,"outcome":"x","ms":0.0?',
        "How many days\x00of paid\x7fleave has everybody?",
        "How many days of paid leave has everybody? " + "Really? " * 240,
    ],
    ids=["plain", "spaces", "casing", "quotes and a tab", "escapes", "what bodies are cut at", "control characters", "very long"],
)  # fmt: skip
def test_the_fast_path_says_what_the_slow_one_does(asked: str) -> None:
    desk = Desk(LEAVE)
    desk.service.warm_up()
    assert desk.quick_bytes(asked) is None
    desk.ask(asked)
    slow = desk.ask(asked)
    assert slow.steps[0].rung == Rung.CACHE
    expected = answer_shape(slow).model_dump_json(exclude_unset=True).encode()
    for _ in range(2):  # from the store, and from what is ready
        found = desk.quick_bytes(asked)
        assert found is not None
        assert timeless(json.loads(found)) == timeless(json.loads(expected))
        assert list(json.loads(found)) == list(json.loads(expected))
        assert _without_times(found) == _without_times(expected)
    desk.service.close()


def _without_times(body: bytes) -> bytes:
    before, *after = body.split(b'"ms":')
    return b'"ms":'.join([before, *(part.lstrip(b"0123456789.") for part in after)])


def test_an_abstention_too_is_given_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ladder.climb.extract", lambda *_: None)
    desk = Desk(LEAVE)
    desk.service.warm_up()
    desk.ask(QUESTION)
    slow, found = desk.ask(QUESTION), desk.quick_bytes(QUESTION)
    assert isinstance(slow, Abstention)
    assert found is not None
    assert _without_times(found) == _without_times(answer_shape(slow).model_dump_json(exclude_unset=True).encode())
    desk.service.close()


def test_same_words_are_given_at_once_with_the_question_as_it_was_asked() -> None:
    desk = Desk(LEAVE)
    desk.service.warm_up()
    desk.ask(QUESTION)
    asked = "Please, how many days of paid leave has everybody? Thanks!"
    found = desk.quick(asked)
    assert found is not None
    assert (found["question"], found["rung"]) == (asked, "cache")
    desk.service.close()


def test_hits_of_the_fast_path_are_counted_in_the_book_and_for_the_store() -> None:
    desk = Desk(LEAVE)
    desk.service.warm_up()
    first = desk.ask(QUESTION)
    for _ in range(3):
        desk.quick_bytes(QUESTION)
    desk.quick_bytes("Please, how many days of paid leave has everybody?")
    desk.service.close()
    (stored,) = desk.store.entries()
    assert stored.hits.count == 4
    now = datetime.now(UTC)
    hits = desk.ledger.hits(now - timedelta(days=1), now + timedelta(days=1))
    assert {kind: found.count for kind, found in hits.items()} == {"exact": 3, "same_words": 1}
    baseline = first.receipt.baseline.cost_usd
    assert baseline is not None
    assert hits["exact"].saved_usd == 3 * baseline
    assert list(desk.ledger.written) == [first.id]  # no entry of their own


def test_before_the_warm_up_and_for_what_cannot_be_asked_nothing_is_given_at_once() -> None:
    desk = Desk(LEAVE)
    desk.ask(QUESTION)
    assert desk.quick(QUESTION) is None
    desk.service.warm_up()
    assert desk.quick(QUESTION) is not None
    for text in ("", " \n", "\x00", "x" * 2_001, QUESTION + "x" * 2_000):
        assert desk.quick(text) is None
    assert desk.quick(QUESTION, "hr") is None
    desk.service.close()


def test_an_expired_entry_is_not_given_though_it_is_ready() -> None:
    desk = Desk(LEAVE, ttl_s=0.4)
    desk.service.warm_up()
    desk.ask(QUESTION)
    assert desk.quick(QUESTION) is not None
    time.sleep(0.45)
    assert desk.quick(QUESTION) is None
    desk.service.close()


def test_a_new_generation_is_not_answered_from_what_was_ready_before() -> None:
    desk = Desk(page("leave", LEAVE))
    desk.service.warm_up()
    desk.ask(QUESTION)
    assert desk.quick(QUESTION) is not None
    desk.publish(page("leave", LEAVE.replace("27", "30")))
    assert desk.quick(QUESTION) is None
    assert said(desk.ask(QUESTION)) == "Everybody has 30 days of paid leave."
    found = desk.quick(QUESTION)
    assert found is not None
    assert "30 days" in found["answer"]
    desk.service.close()


def test_what_another_process_removes_is_given_for_50_ms_at_most(tmp_path: Path) -> None:
    with_disk = Desk(LEAVE, store=DiskAnswerStore(tmp_path / "answers", 10_000_000))
    other = DiskAnswerStore(tmp_path / "answers", 10_000_000)
    with_disk.service.warm_up()
    with_disk.ask(QUESTION)
    for _ in range(5):
        assert with_disk.quick(QUESTION) is not None
    other.clear()
    gone = time.monotonic()
    while with_disk.quick(QUESTION) is not None:
        assert time.monotonic() - gone < 0.5
    with_disk.service.close()
    other.close()


def test_while_the_store_cannot_be_read_nothing_ready_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(LEAVE)
    desk.service.warm_up()
    desk.ask(QUESTION)
    assert desk.quick(QUESTION) is not None
    broken = ForgetfulAnswerStore()
    monkeypatch.setattr(desk.store, "get", broken.get)
    monkeypatch.setattr(desk.store, "changes_since", broken.changes_since)
    time.sleep(0.06)
    assert desk.quick(QUESTION) is None
    monkeypatch.undo()
    assert desk.quick(QUESTION) is not None
    desk.service.close()


def test_twenty_who_ask_the_same_are_answered_by_one_call() -> None:
    model = Model()
    desk = Desk(LEAVE, model=model, extractive_from=2.0)
    model.during = lambda: time.sleep(0.3)
    together = threading.Barrier(20)

    def ask(person: int) -> Answer:
        together.wait()
        return desk.ask(QUESTION, person=str(person))

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert len(model.answered) == 1
    assert len(desk.embedder.asked) == 1
    assert {said(answer) for answer in answers} == {"Everybody has 27 days of paid leave."}
    paid = [answer for answer in answers if answer.receipt.cost_usd]
    assert len(paid) == 1
    kinds = [hit_kind(answer) for answer in answers]
    assert (kinds.count(None), HitKind.SHARED in kinds) == (1, True)
    assert len(desk.ledger.written) == 20
    assert sum(entry.rung_path == (Rung.CACHE,) for entry in desk.ledger.written.values()) == 19


def test_when_the_one_who_computes_fails_another_does() -> None:
    model, failed = Model(), threading.Event()
    desk = Desk(LEAVE, model=model, extractive_from=2.0)
    waiting = threading.Event()

    def fail_first() -> None:
        if not failed.is_set():
            assert waiting.wait(5)
            time.sleep(0.1)
            failed.set()
            raise RuntimeError("the first one's caller has left")

    model.during = fail_first
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(desk.ask, QUESTION)
        while not desk.embedder.asked:
            time.sleep(0.01)
        others = [pool.submit(desk.ask, QUESTION) for _ in range(4)]
        waiting.set()
        with pytest.raises(RuntimeError, match="has left"):
            first.result()
        assert {said(one.result()) for one in others} == {"Everybody has 27 days of paid leave."}
    assert len(model.answered) == 1


def test_an_abstention_is_shared_and_one_that_a_budget_caused_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = threading.Event()

    def nothing(*_: object) -> None:
        slow.wait(0.3)

    monkeypatch.setattr("app.ladder.climb.extract", nothing)
    desk = Desk(LEAVE)
    assert [isinstance(one, Abstention) for one in at_once(desk, 5)] == [True] * 5
    assert len(desk.embedder.asked) == 1

    limit = Limit(Payer.PERSON, "poor", Period.DAY, usd=Decimal(0))
    model = Model()
    desk = Desk(LEAVE, model=model, limits=[limit], extractive_from=2.0)
    outcomes: dict[str, Any] = {}

    def ask(person: str) -> None:
        try:
            outcomes[person] = desk.ask(QUESTION, person=person)
        except BudgetExhaustedError as error:
            outcomes[person] = error

    threads = [threading.Thread(target=ask, args=(person,)) for person in ("poor", "ada", "bob")]
    for thread in threads:
        thread.start()
        while not desk.embedder.asked:
            time.sleep(0.005)
    for thread in threads:
        thread.join()
    assert isinstance(outcomes["poor"], BudgetExhaustedError)
    assert isinstance(outcomes["ada"], Answered)
    assert isinstance(outcomes["bob"], Answered)
    assert len(model.answered) == 1


def at_once(desk: Desk, number: int) -> list[Answer]:
    together = threading.Barrier(number)

    def ask(_: int) -> Answer:
        together.wait()
        return desk.ask(QUESTION)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(ask, range(number)))


def test_two_processes_pay_once() -> None:
    model = Model()
    here = Desk(LEAVE, model=model, extractive_from=2.0)
    there = Desk(model=model, like=here, extractive_from=2.0)
    model.during = lambda: time.sleep(0.3)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda desk: desk.ask(QUESTION), (here, there)))
    assert len(model.answered) == 1
    assert {said(answer) for answer in answers} == {"Everybody has 27 days of paid leave."}
    assert here.store.shelf.leases == {}


@pytest.mark.parametrize("warm", [True, False])
def test_it_closes_whether_or_not_it_was_warmed_up(warm: bool) -> None:  # noqa: FBT001 - a case
    desk = Desk(LEAVE)
    if warm:
        desk.service.warm_up()
        desk.service.warm_up()
    desk.ask(QUESTION)
    desk.ask(QUESTION)
    desk.service.close()
    assert not any(thread.name == "cache-hits" for thread in threading.enumerate())
    (stored,) = desk.store.entries()
    assert stored.hits.count == 1


def test_hits_are_written_down_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.caching.memory._WRITE_EVERY_S", 0.05)
    desk = Desk(LEAVE)
    desk.service.warm_up()
    desk.ask(QUESTION)
    desk.quick_bytes(QUESTION)
    until = time.monotonic() + 5
    while next(iter(desk.store.entries())).hits.count == 0:
        assert time.monotonic() < until
        time.sleep(0.01)
    desk.service.close()


def test_without_a_cache_nothing_is_remembered() -> None:
    desk = Desk(LEAVE)
    closed: list[bool] = []
    desk.service._memory = Memory(
        None, Flights(None), None, HitBook(FakeLedger()), "policy", lambda: closed.append(True), ENGLISH
    )
    desk.service.warm_up()
    assert desk.computed(QUESTION)
    assert desk.computed(QUESTION)
    assert desk.quick(QUESTION) is None
    desk.service.close()
    assert closed == [True]


def make_loose(directory: Path) -> None:
    directory.mkdir(mode=0o755)


def make_damaged(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    (directory / "cache.db").write_bytes(b"no database at all" * 1000)


def make_unwritable(directory: Path) -> None:
    directory.write_text("a file where a directory should be")


def make_link(directory: Path) -> None:
    directory.symlink_to(directory.parent)


@pytest.mark.parametrize(
    ("spoil", "says", "works"),
    [(make_loose, "may be entered by others", False), (make_damaged, "begins anew", True),
     (make_unwritable, "cannot be used", False), (make_link, "is a link", False)],
)  # fmt: skip
def test_a_store_that_cannot_be_trusted_is_said_once_and_questions_are_answered_without_it(
    spoil: Callable[[Path], None], says: str, works: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture  # noqa: FBT001 - a case
) -> None:  # fmt: skip
    spoil(tmp_path / "answers")
    desk = Desk(LEAVE, store=DiskAnswerStore(tmp_path / "answers", 10_000_000))
    desk.service.warm_up()
    for _ in range(3):
        assert said(desk.ask(QUESTION)) == "Everybody has 27 days of paid leave."
        desk.quick(QUESTION)
    assert (desk.quick(QUESTION) is not None) is works
    desk.service.close()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert says in lines[0]


def test_a_full_disk_costs_the_cache_and_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DiskAnswerStore(tmp_path / "answers", 10_000_000)
    desk = Desk(LEAVE, store=store)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.adapters.disk_answer_store._put", full)
    assert said(desk.ask(QUESTION)) == said(desk.ask(QUESTION)) == "Everybody has 27 days of paid leave."
    desk.service.close()


def test_a_redis_that_never_replies_delays_no_question_beyond_its_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        store = RedisAnswerStore(f"redis://127.0.0.1:{port}/0", 10_000_000, 0.3)
        desk = Desk(LEAVE, store=store)
        plain = Desk(LEAVE)
        began = time.perf_counter()
        plain.ask(QUESTION)
        alone = time.perf_counter() - began
        desk.service.warm_up()  # pays once
        times = []
        for number in range(6):
            began = time.perf_counter()
            assert desk.quick(QUESTION) is None
            assert said(desk.ask(f"{QUESTION} {number}"))
            times.append(time.perf_counter() - began - alone)
        desk.service.close()
    assert max(times) < 0.3 + 0.2
    assert sum(times) < 1.0
    assert store.faults > 6


def test_a_failing_endpoint_and_a_failing_store_together_still_answer() -> None:
    model = Model()

    def fail() -> None:
        raise EndpointUnavailableError("away")

    model.during = fail
    desk = Desk(LEAVE, model=model, store=_closeable(), extractive_from=2.0)
    answer = desk.ask(QUESTION)
    assert isinstance(answer, Answered)
    assert answer.rung == "extractive"
    desk.service.close()


def _closeable() -> Any:
    class Store(ForgetfulAnswerStore):
        def close(self) -> None:
            pass

    return Store()


def test_a_body_of_another_kind_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="AnswerShape"):
        JsonAnswers().decode(b'{"text": "old"}')
