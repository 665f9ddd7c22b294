"""Answers on disk: whole or not at all, gone when they are removed, and deaf to whatever somebody plants in the database."""

import logging
import os
import pickle
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.adapters.disk_answer_store import DiskAnswerStore
from app.caching.errors import AnswerStoreError
from tests.contracts.answer_store import FULL, AnswerStoreContract, Room, Store, check_forgotten_removals
from tests.fakes.answer_store import cached_answer


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "answers"


@pytest.fixture
def room(directory: Path) -> Iterator[Room]:
    stores = []

    def open_store(max_bytes: int = 50_000_000) -> DiskAnswerStore:
        stores.append(DiskAnswerStore(directory, max_bytes))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


class TestDiskAnswerStore(AnswerStoreContract):
    pass


@pytest.fixture(autouse=True)
def _warnings_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


def rows(directory: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(directory / "cache.db")
    try:
        with connection:
            return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def test_is_readable_by_its_owner_only(directory: Path, room: Room) -> None:
    room().put(FULL)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}


def test_looking_up_makes_nothing_on_the_disk(directory: Path, room: Room) -> None:
    store = room()
    assert store.get(FULL.key) is None
    assert store.changes_since(None).entries == {}
    assert list(store.entries()) == []
    store.release(FULL.key)
    assert not directory.exists()


@pytest.mark.parametrize(
    "damage",
    [lambda value: value[:-1], lambda value: value + b"\0", lambda value: b"fac1" + value[4:], lambda _: b""],
    ids=["torn", "too long", "another mark", "empty"],
)
def test_what_is_not_whole_is_a_miss_and_removed(directory: Path, room: Room, damage: Callable[[bytes], bytes]) -> None:
    store = room()
    other = cached_answer("other")
    for entry in (FULL, other):
        store.put(entry)
        ((value,),) = rows(directory, "SELECT value FROM Cache WHERE key = ?", entry.key)
        assert isinstance(value, bytes)
        rows(directory, "UPDATE Cache SET value = ? WHERE key = ?", damage(value), entry.key)
    assert store.get(FULL.key) is None
    store.put(cached_answer("whole"))
    assert rows(directory, "SELECT 1 FROM Cache WHERE key = ?", FULL.key) == []
    assert [stored.entry.question for stored in store.entries()] == ["whole"]
    assert rows(directory, "SELECT 1 FROM Cache WHERE key = ?", other.key) == []
    assert store.usage().entries == 1


def test_what_another_release_wrote_is_a_miss_and_left_alone(
    directory: Path, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    store = room()
    store.put(FULL)
    ((value,),) = rows(directory, "SELECT value FROM Cache WHERE key = ?", FULL.key)
    assert isinstance(value, bytes)
    rows(directory, "UPDATE Cache SET value = ?", b"FAC2" + value[4:])
    assert store.get(FULL.key) is None
    store.put(cached_answer("whole"))
    assert [stored.entry.question for stored in store.entries()] == ["whole"]
    assert rows(directory, "SELECT value FROM Cache WHERE key = ?", FULL.key) == [(b"FAC2" + value[4:],)]
    assert "written by another release" in caplog.text
    assert store.clear() == 2


def test_a_torn_entry_that_was_made_again_meanwhile_stays(directory: Path, room: Room) -> None:
    store = room()
    store.put(FULL)
    rows(directory, "UPDATE Cache SET value = x'00'")
    assert store.get(FULL.key) is None
    room().put(FULL)
    store.put(cached_answer("another"))
    assert store.get(FULL.key) == FULL


class _Bomb:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (os.environ["BOMB"],)


@pytest.mark.parametrize("mode", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("in_file", [False, True])
def test_a_planted_pickle_is_neither_read_nor_followed(
    directory: Path,
    room: Room,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    in_file: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    sign = tmp_path / "bomb went off"
    monkeypatch.setenv("BOMB", str(sign))
    payload = pickle.dumps(_Bomb())
    outside = tmp_path / "outside.val"
    outside.write_bytes(payload)
    store = room()
    store.put(FULL)
    filename, value = ("../outside.val", None) if in_file else (None, payload)
    rows(directory, "UPDATE Cache SET mode = ?, filename = ?, value = ?", mode, filename, value)
    rows(
        directory,
        "INSERT INTO Cache (key, raw, store_time, mode, filename, value) VALUES (?, 0, 0, ?, ?, ?)",
        *(payload, mode, filename, value),
    )
    assert store.get(FULL.key) is None
    assert list(store.entries()) == []
    assert store.changes_since(None).entries == {FULL.key: None}
    store.put(FULL)
    assert store.get(FULL.key) == FULL
    assert store.clear() == 1
    assert rows(directory, "SELECT 1 FROM Cache") == []
    assert not sign.exists()
    assert outside.read_bytes() == payload


@pytest.mark.parametrize("way", ["remove", "clear"])
def test_what_is_removed_is_in_no_file_any_more(directory: Path, room: Room, way: str) -> None:
    canary = b"canary-4711-" * 20
    store, reader = room(), room()
    kept = cached_answer("kept")
    store.put(kept)
    for n in range(20):
        store.put(cached_answer(f"asked {n}", body=canary * (n + 1), generation="canary-4711-canary"))
    store.put(cached_answer("asked 0", body=b"replaced"))
    assert reader.get(kept.key) == kept
    assert any(b"canary-4711" in file.read_bytes() for file in directory.iterdir())
    if way == "remove":
        assert store.remove([stored.entry.key for stored in store.entries() if stored.entry != kept]) == 20
        assert reader.get(kept.key) == kept
    else:
        assert store.clear() == 21
    for file in directory.iterdir():
        assert b"canary-4711" not in file.read_bytes(), file.name


def test_a_journal_that_somebody_holds_on_to_is_told(directory: Path, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.adapters.disk_answer_store._TIMEOUT_S", 0.1)
    store = room()
    store.put(FULL)
    holder = sqlite3.connect(directory / "cache.db")
    holder.execute("BEGIN")
    holder.execute("SELECT * FROM Cache").fetchall()
    store.put(cached_answer("another"))
    with pytest.raises(AnswerStoreError, match="journal"):
        store.remove([FULL.key])
    holder.close()
    assert store.remove([FULL.key]) == 0


def test_a_busy_database_costs_the_entry_only(
    directory: Path, room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.adapters.disk_answer_store._TIMEOUT_S", 0.05)
    store = room()
    store.put(FULL)
    holder = sqlite3.connect(directory / "cache.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        store.put(cached_answer("another"))
    assert store.claim(FULL.key, 1)
    with pytest.raises(AnswerStoreError, match="Try again"):
        store.remove([FULL.key])
    assert store.get(FULL.key) == FULL
    assert caplog.text.count("is busy") == 1
    holder.execute("ROLLBACK")
    holder.close()
    store.put(cached_answer("another"))
    assert store.usage().entries == 2
    assert store.usage().faults == 5


def test_a_full_disk_costs_new_entries_only(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    store = room()
    store.put(FULL)
    assert isinstance(store, DiskAnswerStore)
    cache = store._cache._cache
    ((pages,),) = cache.rows("PRAGMA page_count")
    cache.rows(f"PRAGMA max_page_count = {pages}")
    for n in range(3):
        store.put(cached_answer(f"no room {n}", body=b"x" * 20_000))
        cache.rows(f"PRAGMA max_page_count = {pages}")  # it is a new connection's own
    assert store.get(FULL.key) == FULL
    assert store.get(cached_answer("no room 0").key) is None
    assert caplog.text.count("Check that the disk is not full. Questions are answered without it.") == 1
    cache.rows("PRAGMA max_page_count = 1000000")
    store.put(cached_answer("room again", body=b"x" * 20_000))
    assert {stored.entry.question for stored in store.entries()} == {FULL.question, "room again"}


@pytest.mark.parametrize(
    "content", [b"this is no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000], ids=["no database", "garbage"]
)
def test_a_damaged_database_begins_anew_and_says_so(
    directory: Path, room: Room, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    directory.mkdir(mode=0o700)
    (directory / "cache.db").write_bytes(content)
    store = room()
    assert store.get(FULL.key) is None
    store.put(FULL)
    assert store.get(FULL.key) == FULL
    assert "begins anew" in caplog.text


def test_pages_that_were_overwritten_begin_anew(directory: Path, room: Room, caplog: pytest.LogCaptureFixture) -> None:
    store = room()
    for n in range(200):
        store.put(cached_answer(f"question {n}"))
    store.remove([])  # everything stands in the database now
    store.close()
    database = directory / "cache.db"
    content = database.read_bytes()
    database.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    again = room()
    assert again.get(FULL.key) is None
    again.put(FULL)
    assert again.get(FULL.key) == FULL
    assert "begins anew" in caplog.text


@pytest.mark.parametrize(
    "statement",
    ["PRAGMA user_version = 0", "PRAGMA user_version = 7", "DROP TABLE answers", "ALTER TABLE store DROP COLUMN clock"],
)
def test_another_schema_begins_anew_and_says_so(
    directory: Path, room: Room, caplog: pytest.LogCaptureFixture, statement: str
) -> None:
    store = room()
    store.put(FULL)
    mark = store.changes_since(None).mark
    store.close()
    rows(directory, statement)
    again = room()
    again.put(cached_answer("new"))
    assert [stored.entry.question for stored in again.entries()] == ["new"]
    assert again.changes_since(mark).anew
    assert caplog.text.count("begins anew") == 1


def test_who_has_the_old_database_open_takes_up_the_new_one(directory: Path, room: Room) -> None:
    store, other = room(), room()
    store.put(FULL)
    assert other.get(FULL.key) == FULL
    mark = other.changes_since(None).mark
    for file in directory.iterdir():
        file.unlink()
    fresh = room()
    fresh.put(cached_answer("new"))
    changes = other.changes_since(mark)
    assert changes.anew
    assert set(changes.entries) == {cached_answer("new").key}
    store.put(cached_answer("newer"))
    assert {stored.entry.question for stored in fresh.entries()} == {"new", "newer"}


def test_somebody_else_s_directory_is_refused(
    directory: Path, room: Room, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.mkdir(mode=0o700)
    owner = directory.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    check_refused(directory, room(), f"belongs to user {owner}", caplog)


def test_a_directory_that_may_not_be_looked_into_is_a_miss(
    directory: Path, room: Room, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.mkdir(mode=0o700)
    owner = directory.stat().st_uid

    def is_file(path: Path) -> bool:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    check_refused(directory, room(), f"belongs to user {owner}", caplog)


def test_a_directory_that_others_may_enter_is_refused(directory: Path, room: Room, caplog: pytest.LogCaptureFixture) -> None:
    directory.mkdir()
    directory.chmod(0o755)
    check_refused(directory, room(), r"may be entered by others \(mode 0755\)", caplog)


def test_a_link_is_refused(directory: Path, room: Room, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(tmp_path / "elsewhere")
    check_refused(directory, room(), "is a link", caplog)


def check_refused(directory: Path, store: Store, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    before = sorted(directory.iterdir())
    store.put(FULL)
    store.put(FULL)
    assert store.get(FULL.key) is None
    assert store.claim(FULL.key, 10)
    assert store.claim(FULL.key, 10)
    assert store.changes_since(None).mark is None
    assert sorted(directory.iterdir()) == before
    assert re.search(reason, caplog.text)
    assert caplog.text.count("Questions are answered without it") == 1


def test_orders_to_a_refused_cache_say_why(directory: Path, room: Room) -> None:
    room().put(FULL)
    directory.chmod(0o750)
    for order in (room().usage, room().clear, lambda: list(room().entries()), lambda: room().remove([FULL.key])):
        with pytest.raises(AnswerStoreError, match="may be entered by others"):
            order()


def test_who_missed_too_many_removals_begins_anew(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.adapters.disk_answer_store.REMOVALS_REMEMBERED", 5)
    check_forgotten_removals(room)
