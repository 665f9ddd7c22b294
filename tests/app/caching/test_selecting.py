"""Which entries an order means, and hits that are counted in passing."""

from decimal import Decimal

import pytest

from app.caching.entries import CitedUnit
from app.caching.selecting import HitTally, Selection, drop
from app.caching.store import Hits
from tests.fakes.answer_store import FakeAnswerStore, cached_answer

LEAVE = cached_answer("How many days of leave?", units=(CitedUnit("u1", "h1", "leave", ("hr", "staff")),), created_at=100.0)
TRAVEL = cached_answer("What may a hotel cost?", units=(CitedUnit("u2", "h2", "travel", ("everyone",)),), created_at=200.0)
THEIRS = cached_answer("Theirs", tenant="another", labels=("hr",), created_at=300.0)


@pytest.fixture
def store() -> FakeAnswerStore:
    store = FakeAnswerStore()
    for entry in (LEAVE, TRAVEL, THEIRS):
        store.put(entry)
    return store


@pytest.mark.parametrize(
    ("selection", "dropped"),
    [
        (Selection(id=LEAVE.id), {LEAVE}),
        (Selection(tenant="another"), {THEIRS}),
        (Selection(question="  how many DAYS of leave? "), {LEAVE}),
        (Selection(question="how many days"), set()),
        (Selection(document_id="travel"), {TRAVEL}),
        (Selection(label="hr"), {LEAVE, THEIRS}),
        (Selection(label="everyone"), {LEAVE, TRAVEL}),
        (Selection(created_before=200.0), {LEAVE}),
        (Selection(label="hr", created_before=200.0), {LEAVE}),
        (Selection(), {LEAVE, TRAVEL, THEIRS}),
    ],
)
def test_drops_what_is_meant_and_nothing_else(store: FakeAnswerStore, selection: Selection, dropped: set[object]) -> None:
    assert drop(store, selection) == len(dropped)
    assert {stored.entry for stored in store.entries()} == {LEAVE, TRAVEL, THEIRS} - dropped


def test_hits_are_noted_and_written_once_a_second(store: FakeAnswerStore) -> None:
    now = [10.0]
    tally = HitTally(store, lambda: now[0])
    assert not tally.note(LEAVE.key, Decimal("0.001"))
    assert not tally.note(LEAVE.key, None)
    now[0] += 1
    assert tally.note(TRAVEL.key, Decimal("0.002"))
    assert not tally.note(TRAVEL.key, Decimal("0.002"))
    tally.write()
    hits = {stored.entry.key: stored.hits for stored in store.entries()}
    assert hits[LEAVE.key] == Hits(2, Decimal("0.001"))
    assert hits[TRAVEL.key] == Hits(2, Decimal("0.004"))
    tally.write()
    assert {stored.entry.key: stored.hits for stored in store.entries()} == hits
