"""What people decide about cached answers."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest

from app.answers.codec import JsonAnswers
from app.caching.entries import EntryKind
from app.caching.errors import ReviewError
from app.caching.reviews import Marked, mark_wrong, pin
from app.caching.rulings import as_ruling
from app.caching.store import Hits
from indexing.language import ENGLISH
from tests.fakes.answer_store import FakeAnswerStore, cached_answer

LEAVE = cached_answer("How many days of leave?")
ALIAS = replace(cached_answer("How much leave is there?"), id=LEAVE.id, proposable=False)
OTHER = cached_answer("What may a hotel cost?")


@pytest.fixture
def store() -> FakeAnswerStore:
    store = FakeAnswerStore()
    for entry in (LEAVE, ALIAS, OTHER):
        store.put(entry)
    return store


def test_a_wrong_answer_is_marked_under_every_wording_and_its_words_are_gone(store: FakeAnswerStore) -> None:
    until_s = time.time() + 1_000
    assert mark_wrong(store, LEAVE.id, until_s, ENGLISH) == Marked(2, pinned=False)
    for entry in (LEAVE, ALIAS):
        assert store.get(entry.key) is None
        mark = store.get(as_ruling(entry, EntryKind.WRONG, until_s, ENGLISH).key)
        assert mark is not None
        assert (mark.kind, mark.body, mark.proposable, mark.expires_at) == (EntryKind.WRONG, b"", False, until_s)
    assert store.get(OTHER.key) == OTHER
    assert mark_wrong(store, LEAVE.id, until_s, ENGLISH) == Marked(0, pinned=False), "said twice, it is still wrong"


def test_a_wrong_abstention_is_only_forgotten(store: FakeAnswerStore) -> None:
    store.put(replace(OTHER, kind=EntryKind.ABSTENTION))
    assert mark_wrong(store, OTHER.id, time.time() + 1_000, ENGLISH) == Marked(1, pinned=False)
    assert OTHER.question not in {stored.entry.question for stored in store.entries()}


def test_a_pinned_answer_that_somebody_calls_wrong_stays_and_it_is_said(store: FakeAnswerStore) -> None:
    pinned = as_ruling(OTHER, EntryKind.PINNED, time.time() + 1_000, ENGLISH)
    store.put(pinned)
    store.remove([OTHER.key])
    assert mark_wrong(store, OTHER.id, time.time() + 1_000, ENGLISH) == Marked(0, pinned=True)
    assert store.get(pinned.key) == pinned


def test_what_is_called_wrong_under_other_wordings_takes_no_pin_away(store: FakeAnswerStore) -> None:
    pinned = as_ruling(LEAVE, EntryKind.PINNED, time.time() + 1_000, ENGLISH)
    store.put(pinned)
    assert mark_wrong(store, LEAVE.id, time.time() + 1_000, ENGLISH) == Marked(2, pinned=True)
    assert store.get(pinned.key) == pinned
    mark = store.get(as_ruling(ALIAS, EntryKind.WRONG, 0.0, ENGLISH).key)
    assert mark is not None
    assert mark.kind is EntryKind.WRONG
    assert {stored.entry.question for stored in store.entries()} == {LEAVE.question, ALIAS.question, OTHER.question}


def test_what_is_put_in_the_place_of_answers_of_every_version_inherits_their_hits(store: FakeAnswerStore) -> None:
    older = replace(LEAVE, key=bytes(32), policy_version="a0", id="older", generation="g0")
    theirs = replace(LEAVE, key=bytes([1]) * 32, labels=("everyone", "hr"), id="theirs")
    for entry in (older, theirs):
        store.put(entry)
    store.add_hits({LEAVE.key: Hits(2, Decimal(1)), older.key: Hits(3, Decimal(2)), theirs.key: Hits(9, Decimal(9))})
    mark_wrong(store, LEAVE.id, time.time() + 1_000, ENGLISH)
    left = {(one.entry.question, one.entry.labels, one.entry.kind): one.hits for one in store.entries()}
    assert left[(LEAVE.question, LEAVE.labels, EntryKind.WRONG)] == Hits(3, Decimal(2))
    assert left[(LEAVE.question, theirs.labels, EntryKind.ANSWER)] == Hits(9, Decimal(9)), "for other rights it is another one"
    assert (LEAVE.question, LEAVE.labels, EntryKind.ANSWER) not in left


def test_a_mark_cannot_be_pinned(store: FakeAnswerStore) -> None:
    mark_wrong(store, LEAVE.id, time.time() + 1_000, ENGLISH)
    mark = store.get(as_ruling(LEAVE, EntryKind.WRONG, 0.0, ENGLISH).key)
    assert mark is not None
    with pytest.raises(ReviewError, match="is no answer"):
        pin(store, [mark], JsonAnswers(), None, time.time(), ENGLISH)
