"""What people decide about cached answers."""

import time
from dataclasses import replace

import pytest

from app.answers.codec import JsonAnswers
from app.caching.entries import EntryKind
from app.caching.errors import ReviewError
from app.caching.reviews import mark_wrong, pin
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
    assert mark_wrong(store, LEAVE.id, until_s) == 2
    for entry in (LEAVE, ALIAS):
        mark = store.get(entry.key)
        assert mark is not None
        assert (mark.kind, mark.body, mark.proposable, mark.expires_at) == (EntryKind.WRONG, b"", False, until_s)
    assert store.get(OTHER.key) == OTHER
    assert mark_wrong(store, LEAVE.id, until_s) == 0, "said twice, it is still wrong"


def test_a_wrong_abstention_is_only_forgotten(store: FakeAnswerStore) -> None:
    store.put(replace(OTHER, kind=EntryKind.ABSTENTION))
    assert mark_wrong(store, OTHER.id, time.time() + 1_000) == 1
    assert store.get(OTHER.key) is None


def test_a_pinned_answer_that_is_wrong_goes_too(store: FakeAnswerStore) -> None:
    store.put(replace(OTHER, kind=EntryKind.PINNED))
    mark_wrong(store, OTHER.id, time.time() + 1_000)
    marked = store.get(OTHER.key)
    assert marked is not None
    assert marked.kind is EntryKind.WRONG


def test_a_mark_cannot_be_pinned(store: FakeAnswerStore) -> None:
    mark_wrong(store, LEAVE.id, time.time() + 1_000)
    mark = store.get(LEAVE.key)
    assert mark is not None
    with pytest.raises(ReviewError, match="is no answer"):
        pin(store, [mark], JsonAnswers(), None, time.time())
