"""What every answer store must do. Subclass it with a fixture `room`: stores over one place, each as in a process of its own."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Protocol

import pytest

from app.caching.entries import CachedAnswer, CitedUnit, EntryKind
from app.caching.store import CHANGES_AT_ONCE, NO_HITS, AnswerStore, AnswerStoreAdmin, Changes, FlightLeases, Hits, Mark
from tests.fakes.answer_store import cached_answer


class Store(AnswerStore, AnswerStoreAdmin, FlightLeases, Protocol):
    """All three ports."""


Room = Callable[..., Store]
"""Opens one more store over the same place; `max_bytes` may be given."""

UNITS = (CitedUnit("u1", "h1", "d1", ("everyone",)), CitedUnit("u2", "h2", "d2", ("hr", "team:payroll")))
FULL = cached_answer("How many days of leave?", units=UNITS, labels=("everyone", "hr"), body=bytes(range(256)))


def all_changes(store: AnswerStore, mark: Mark | None) -> tuple[Mark | None, dict[bytes, CachedAnswer | None], bool]:
    """Everything since a mark, and whether it began anew."""
    told: dict[bytes, CachedAnswer | None] = {}
    changes = Changes(mark, {}, anew=False, more=True)
    anew = False
    while changes.more:
        changes = store.changes_since(changes.mark)
        told.update(changes.entries)
        anew |= changes.anew
    return changes.mark, told, anew


class AnswerStoreContract:
    @pytest.mark.parametrize(
        "entry",
        [
            FULL,
            cached_answer("no model was paid", cost_usd=Decimal(0), vector=b""),
            cached_answer("a price nobody knows", cost_usd=None),
            cached_answer("nothing found", kind=EntryKind.ABSTENTION, groundedness=None),
            cached_answer("reviewed äöü \U0001f600", kind=EntryKind.PINNED),
        ],
        ids=["full", "free", "unknown price", "abstention", "pinned"],
    )
    def test_gives_back_exactly_what_was_kept(self, room: Room, entry: CachedAnswer) -> None:
        store = room()
        assert store.get(entry.key) is None
        store.put(entry)
        assert store.get(entry.key) == entry
        assert room().get(entry.key) == entry

    def test_keeps_the_last_of_a_key_with_the_hits_of_the_first(self, room: Room) -> None:
        store = room()
        store.put(cached_answer("q"))
        store.add_hits({cached_answer("q").key: Hits(3, Decimal("0.000000003"))})
        store.put(cached_answer("q", number=2))
        (stored,) = store.entries()
        assert stored.entry == cached_answer("q", number=2, expires_at=stored.entry.expires_at)
        assert stored.hits == Hits(3, Decimal("0.000000003"))
        assert store.usage().entries == 1

    def test_nothing_outlives_its_time(self, room: Room) -> None:
        store = room()
        store.put(cached_answer("late", expires_at=time.time() - 1))
        brief = cached_answer("brief", expires_at=time.time() + 0.5)
        store.put(brief)
        assert store.get(cached_answer("late").key) is None
        assert store.get(brief.key) == brief
        mark, _, _ = all_changes(store, None)
        time.sleep(0.6)
        assert store.get(brief.key) is None
        store.put(cached_answer("next"))
        assert [stored.entry.question for stored in store.entries()] == ["next"]
        _, told, _ = all_changes(store, mark)
        assert told[brief.key] is None

    def test_hits_add_up_and_those_of_strangers_are_passed_over(self, room: Room) -> None:
        store, other = room(), room()
        store.put(FULL)
        (stored,) = store.entries()
        assert stored.hits == NO_HITS
        assert stored.stored_bytes > len(FULL.body)
        store.add_hits({FULL.key: Hits(1, Decimal("0.5")), cached_answer("gone").key: Hits(1, Decimal(1))})
        other.add_hits({FULL.key: Hits(2, Decimal("0.25"))})
        (stored,) = store.entries()
        assert stored.hits == Hits(3, Decimal("0.75"))

    def test_removes_what_is_named_and_says_how_many(self, room: Room) -> None:
        store = room()
        entries = [cached_answer(f"question {n}") for n in range(5)]
        for entry in entries:
            store.put(entry)
        assert store.remove([entries[0].key, entries[1].key, cached_answer("gone").key]) == 2
        assert [store.get(entry.key) is not None for entry in entries] == [False, False, True, True, True]
        assert store.remove([]) == 0
        assert store.clear() == 3
        assert list(store.entries()) == []
        assert store.usage().entries == 0

    def test_an_empty_store_can_be_looked_at(self, room: Room) -> None:
        store = room()
        assert list(store.entries()) == []
        assert (store.remove([FULL.key]), store.clear(), store.usage().entries) == (0, 0, 0)
        store.add_hits({FULL.key: Hits(1, Decimal(1))})
        assert all_changes(store, None)[1] == {}

    def test_tells_what_other_processes_changed_and_nothing_twice(self, room: Room) -> None:
        store, other = room(), room()
        first, second = cached_answer("first"), cached_answer("second")
        store.put(first)
        mark, told, anew = all_changes(store, None)
        assert (told, anew) == ({first.key: first}, True)
        assert all_changes(store, mark) == (mark, {}, False)
        other.put(second)
        other.remove([first.key])
        mark, told, anew = all_changes(store, mark)
        assert (told, anew) == ({first.key: None, second.key: second}, False)
        other.put(first)
        _, told, _ = all_changes(store, mark)
        assert told == {first.key: first}

    def test_hits_are_no_change(self, room: Room) -> None:
        store = room()
        store.put(FULL)
        mark, _, _ = all_changes(store, None)
        store.add_hits({FULL.key: Hits(1, Decimal(1))})
        assert all_changes(store, mark)[1] == {}

    def test_tells_many_changes_in_portions(self, room: Room) -> None:
        store = room()
        entries = {entry.key: entry for entry in (cached_answer(f"question {n}") for n in range(CHANGES_AT_ONCE + 10))}
        for entry in entries.values():
            store.put(entry)
        store.remove(list(entries)[:5])
        first = store.changes_since(None)
        assert first.more
        assert len(first.entries) == CHANGES_AT_ONCE
        _, told, _ = all_changes(store, None)
        assert {key: entry for key, entry in told.items() if entry} == dict(list(entries.items())[5:])

    def test_a_mark_of_another_store_begins_anew(self, room: Room) -> None:
        store = room()
        store.put(FULL)
        _, told, anew = all_changes(store, Mark("another", 10**6, 10**6))
        assert anew
        assert told == {FULL.key: FULL}

    def test_holds_its_bound_and_keeps_what_saves_most(self, room: Room) -> None:
        max_bytes = 400_000
        store = room(max_bytes=max_bytes)
        body = b"x" * 4000
        dear = [cached_answer(f"dear {n}", body=body, cost_usd=Decimal("0.01")) for n in range(5)]
        asked = [cached_answer(f"asked {n}", body=body) for n in range(5)]
        pinned = cached_answer("pinned", body=body, cost_usd=Decimal(0), kind=EntryKind.PINNED)
        wrong = cached_answer("wrong", body=b"", cost_usd=Decimal(0), kind=EntryKind.WRONG)
        for entry in [*dear, *asked, pinned, wrong]:
            store.put(entry)
        store.add_hits({entry.key: Hits(100, Decimal("0.02")) for entry in asked})
        others = [cached_answer(f"other {n}", body=body) for n in range(300)]
        for entry in others:
            store.put(entry)
            assert store.usage().stored_bytes <= max_bytes
        kept = {stored.entry.question for stored in store.entries()}
        assert {entry.question for entry in [*dear, *asked, pinned, wrong]} <= kept
        assert 20 < len(kept) < 100
        assert others[-1].question in kept
        assert store.usage().evicted == 312 - len(kept)
        assert store.usage().entries == len(kept)

    def test_marks_make_room_before_what_is_pinned(self, room: Room) -> None:
        store = room(max_bytes=200_000)
        pinned = [cached_answer(f"pinned {n}", body=b"x" * 4000, kind=EntryKind.PINNED) for n in range(5)]
        for entry in pinned:
            store.put(entry)
        for n in range(100):
            store.put(cached_answer(f"wrong {n}", body=b"x" * 4000, kind=EntryKind.WRONG))
        store.put(cached_answer("as ever", cost_usd=Decimal("0.01")))
        kept = [stored.entry for stored in store.entries()]
        assert {entry.question for entry in pinned} < {entry.question for entry in kept}
        assert len(kept) < 100
        for n in range(100):
            store.put(cached_answer(f"other {n}", cost_usd=Decimal(n) / 10_000))
        assert cached_answer("other 99").question in {stored.entry.question for stored in store.entries()}, "the clock goes on"

    def test_what_was_dear_once_is_overtaken_in_the_end(self, room: Room) -> None:
        store = room(max_bytes=200_000)
        old = cached_answer("old", body=b"x" * 4000, cost_usd=Decimal("0.0005"))
        store.put(old)
        for n in range(600):
            store.put(cached_answer(f"other {n}", body=b"x" * 4000, cost_usd=Decimal("0.0001")))
        assert store.get(old.key) is None

    def test_one_that_would_take_all_room_is_not_kept(self, room: Room) -> None:
        store = room(max_bytes=200_000)
        store.put(FULL)
        store.put(cached_answer("huge", body=b"x" * 100_000))
        assert [stored.entry.question for stored in store.entries()] == [FULL.question]

    def test_threads_lose_nothing_and_one_of_them_gets_a_claim(self, room: Room) -> None:
        store = room()
        claimed = []

        def work(name: str) -> None:
            for n in range(25):
                store.put(cached_answer(f"{name} {n}"))
                store.add_hits({FULL.key: Hits(1, Decimal("0.001"))})
                assert store.get(cached_answer(f"{name} {n}").key) is not None
            if store.claim(FULL.key, 60):
                claimed.append(name)

        store.put(FULL)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, "abcd"))
        stored = {one.entry.question: one.hits for one in store.entries()}
        assert set(stored) == {FULL.question, *(f"{name} {n}" for name in "abcd" for n in range(25))}
        assert stored[FULL.question] == Hits(100, Decimal("0.1"))
        assert len(claimed) == 1

    def test_a_key_is_claimed_once_until_it_is_released(self, room: Room) -> None:
        store, other = room(), room()
        assert store.claim(FULL.key, 10)
        assert not store.claim(FULL.key, 10)
        assert not other.claim(FULL.key, 10)
        assert other.claim(cached_answer("another").key, 10)
        other.release(FULL.key)  # it is not theirs
        assert not other.claim(FULL.key, 10)
        store.release(FULL.key)
        assert other.claim(FULL.key, 10)
        store.release(FULL.key)
        assert not store.claim(FULL.key, 10)

    def test_a_claim_runs_out(self, room: Room) -> None:
        store, other = room(), room()
        assert store.claim(FULL.key, 0.4)
        assert not other.claim(FULL.key, 10)
        time.sleep(0.5)
        assert other.claim(FULL.key, 10)
        store.release(FULL.key)  # too late
        assert not store.claim(FULL.key, 10)


def check_forgotten_removals(room: Room) -> None:
    """A store that remembers five removals: who has missed more begins anew, who reads everything for the first time does not."""
    store = room()
    entries = [cached_answer(f"question {n}") for n in range(40)]
    for entry in entries:
        store.put(entry)
    early, _, _ = all_changes(store, None)
    store.remove([entry.key for entry in entries[:2]])
    assert all_changes(store, early)[1] == {entry.key: None for entry in entries[:2]}
    store.remove([entry.key for entry in entries[2:20]])
    left = {entry.key: entry for entry in entries[20:]}
    mark, told, anew = all_changes(store, early)
    assert anew
    assert {key: entry for key, entry in told.items() if entry} == left
    assert all_changes(store, mark) == (mark, {}, False)
