"""Answers in Redis: the same contract, and no question that waits for a server which is away, slow or mad."""

import logging
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from socket import socket

import pytest
import redis

from app.adapters.redis_answer_store import RedisAnswerStore
from app.caching.errors import AnswerStoreError
from app.caching.store import Changes, Hits
from tests.contracts.answer_store import FULL, AnswerStoreContract, Room, check_forgotten_removals
from tests.contracts.redis import misbehaving_server, redis_server

NOTHING = b"*-1\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def raw(server: str) -> Iterator[redis.Redis]:
    """The empty server itself."""
    client = redis.Redis.from_url(server)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def room(server: str, raw: redis.Redis) -> Iterator[Room]:  # noqa: ARG001 - the server is emptied
    stores = []

    def open_store(max_bytes: int = 50_000_000) -> RedisAnswerStore:
        stores.append(RedisAnswerStore(server, max_bytes, timeout_s=2))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


class TestRedisAnswerStore(AnswerStoreContract):
    pass


@pytest.fixture(autouse=True)
def _warnings_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value[:-1],
        lambda value: value + b"\0",
        lambda value: b"fac1" + value[4:],
        lambda _: b"",
        lambda _: b"\x80\x05.",
    ],
    ids=["torn", "too long", "another mark", "empty", "pickle"],
)
def test_what_is_not_whole_is_a_miss_and_removed(room: Room, raw: redis.Redis, damage: Callable[[bytes], bytes]) -> None:
    store = room()
    store.put(FULL)
    name = b"farthing:answers:entry:" + FULL.key
    value = raw.get(name)
    assert isinstance(value, bytes)
    raw.set(name, damage(value))
    assert store.get(FULL.key) is None
    assert raw.get(name) is None
    assert store.usage().entries == 0
    store.put(FULL)
    raw.set(name, damage(value))
    assert list(store.entries()) == []
    assert store.usage().entries == 0


def test_what_another_release_wrote_is_a_miss_and_left_alone(
    room: Room, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    store = room()
    store.put(FULL)
    name = b"farthing:answers:entry:" + FULL.key
    value = raw.get(name)
    assert isinstance(value, bytes)
    raw.set(name, b"FAC2" + value[4:])
    assert store.get(FULL.key) is None
    assert list(store.entries()) == []
    assert raw.get(name) == b"FAC2" + value[4:]
    assert "written by another release" in caplog.text
    assert store.clear() == 1


def test_what_the_server_drops_by_itself_is_gone(room: Room, raw: redis.Redis) -> None:
    store = room()
    store.put(FULL)
    mark = store.changes_since(None).mark
    raw.flushall()
    assert store.get(FULL.key) is None
    assert list(store.entries()) == []
    changes = store.changes_since(mark)
    assert changes.anew
    assert changes.mark is None
    store.put(FULL)
    again = store.changes_since(mark)
    assert again.anew
    assert set(again.entries) == {FULL.key}


def test_clearing_leaves_nothing_of_any_entry(room: Room, raw: redis.Redis) -> None:
    store = room()
    store.put(FULL)
    raw.set(b"farthing:answers:entry:lost", b"leave")
    raw.set(b"somebody else's", b"leave")
    assert store.clear() == 1
    assert sorted(raw.keys()) == [b"farthing:answers:removed", b"farthing:answers:store", b"somebody else's"]


def test_who_missed_too_many_removals_begins_anew(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.adapters.redis_answer_store._CONSTANTS", (1000, "1e300", 5))
    check_forgotten_removals(room)


def test_entries_expire_on_the_server(room: Room, raw: redis.Redis) -> None:
    room().put(FULL)
    ttl_ms = raw.pttl(b"farthing:answers:entry:" + FULL.key)
    assert isinstance(ttl_ms, int)
    assert 0 < ttl_ms <= 3_600_000


def test_a_name_of_another_type_is_garbage(room: Room, raw: redis.Redis) -> None:
    raw.set(b"farthing:answers:store", b"no hash")
    store = room()
    store.put(FULL)
    assert store.changes_since(None).entries == {}
    with pytest.raises(AnswerStoreError, match="WRONGTYPE"):
        store.usage()


def use_everything(store: RedisAnswerStore, *, granted: bool = True) -> list[float]:
    """Call every serving method several times; how long each call took, in seconds. `granted`: what a claim may be told."""
    calls: list[Callable[[], object]] = [
        lambda: store.get(FULL.key),
        lambda: store.put(FULL),
        lambda: store.add_hits({FULL.key: Hits(1, Decimal(1))}),
        lambda: store.changes_since(None),
        lambda: store.claim(FULL.key, 1),
        lambda: store.release(FULL.key),
    ]
    seconds = []
    for call in calls * 5:
        began = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - began)
        assert result in (None, True, granted, Changes(None, {}, anew=False, more=False))
    return seconds


@pytest.mark.parametrize(
    "reply",
    [
        None,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$-5\r\n",
        b"*2\r\n:1\r\n",
        b"\xff\xfe\x00\r\n",
        b":7\r\n",
        b"$3\r\nabc\r\n",
        NOTHING,
    ],
    ids=["silent", "HTTP", "a length below none", "half a list", "noise", "a number", "a word", "no list"],
)
def test_a_silent_or_mad_server_is_a_miss_that_costs_its_time_out_a_few_times(reply: bytes | None) -> None:
    timeout_s = 0.05
    with misbehaving_server(reply) as url:
        store = RedisAnswerStore(url, 1_000_000, timeout_s)
        seconds = use_everything(store, granted=reply != NOTHING)
        assert max(seconds) < timeout_s * 10
        assert sum(second > timeout_s / 2 for second in seconds) <= 5
        if reply not in (b":7\r\n", b"$3\r\nabc\r\n", NOTHING):  # these are replies, and may pass for one
            assert store.faults == len(seconds)
        with pytest.raises(AnswerStoreError, match="Check that the server is up"):
            list(store.entries())
        store.close()


def test_a_server_that_is_away_is_said_once_and_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://user:secret@127.0.0.1:{unused.getsockname()[1]}/0"
        store = RedisAnswerStore(url, 1_000_000, 0.05)
        seconds = use_everything(store)
    assert sorted(seconds)[len(seconds) // 2] < 0.001
    assert store.faults == len(seconds)
    assert caplog.text.count("Questions are answered without it") == 1
    assert "secret" not in caplog.text
    for order in (store.usage, store.clear, lambda: store.remove([FULL.key])):
        with pytest.raises(AnswerStoreError) as caught:
            order()
        assert "secret" not in str(caught.value)


def test_a_server_that_comes_back_is_used_again(server: str, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.adapters.redis_answer_store._PAUSE_S", 0.2)
    store = RedisAnswerStore(server, 1_000_000, 0.05)
    store.put(FULL)
    raw.execute_command("CLIENT", "PAUSE", "1500", "ALL")
    began = time.perf_counter()
    assert [store.get(FULL.key) for _ in range(50)] == [None] * 50
    assert time.perf_counter() - began < 1
    time.sleep(2)
    assert store.get(FULL.key) == FULL
    store.close()
