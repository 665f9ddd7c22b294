"""The questions in memory: exact, and never behind the store."""

import random
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.caching.cached_questions import CachedQuestions
from app.caching.entries import CachedAnswer, EntryKind
from app.caching.store import CHANGES_AT_ONCE
from tests.fakes.answer_store import FakeAnswerStore, ForgetfulAnswerStore, Shelf, cached_answer


def unit_vectors(count: int, dimension: int = 8) -> NDArray[np.float32]:
    rows = np.random.default_rng(4).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def entry(question: str, vector: NDArray[np.float32], **changes: object) -> CachedAnswer:
    return cached_answer(question, vector=vector.astype("<f4").tobytes(), **changes)


def test_finds_the_nearest_as_comparing_all_of_them_does() -> None:
    store = FakeAnswerStore()
    vectors = unit_vectors(300)
    entries = [entry(f"question {n}", vector) for n, vector in enumerate(vectors[:-1])]
    for one in entries:
        store.put(one)
    questions = CachedQuestions(store)
    questions.refresh()
    found = questions.nearest("default", vectors[-1], 5)
    cosines = vectors[:-1] @ vectors[-1]
    expected = np.argsort(-cosines)[:5]
    assert [neighbour.key for neighbour in found] == [entries[n].key for n in expected]
    np.testing.assert_allclose([neighbour.cosine for neighbour in found], cosines[expected], rtol=1e-5)
    assert len(questions.nearest("default", vectors[-1], 1000)) == 299


def test_follows_random_puts_and_removals_of_another_process() -> None:
    rng, shelf = random.Random(3), Shelf()
    mine, other = FakeAnswerStore(shelf=shelf), FakeAnswerStore(shelf=shelf)
    questions = CachedQuestions(mine)
    vectors = unit_vectors(400)
    alive: dict[bytes, CachedAnswer] = {}
    for step, vector in enumerate(vectors):
        one = entry(f"question {rng.randrange(120)}", vector)
        if rng.random() < 0.6:
            other.put(one)
            alive[one.key] = one
        elif one.key in alive:
            other.remove([one.key])
            del alive[one.key]
        if step % 10 == 0:
            questions.refresh()
            assert len(questions) == len(alive)
            found = questions.nearest("default", vectors[0], 1000)
            expected = {key: float(entry.question_vector @ vectors[0]) for key, entry in alive.items()}
            assert {neighbour.key: neighbour.cosine for neighbour in found} == pytest.approx(expected, abs=1e-6)


def test_more_changes_than_one_call_tells_are_all_taken_in() -> None:
    store = FakeAnswerStore()
    for n in range(CHANGES_AT_ONCE + 5):
        store.put(cached_answer(f"question {n}"))
    questions = CachedQuestions(store)
    questions.refresh()
    assert len(questions) == CHANGES_AT_ONCE + 5


def test_the_same_words_are_found_whatever_their_order_and_forgotten_with_the_entry() -> None:
    store = FakeAnswerStore()
    first, second, third = (cached_answer(text) for text in ("days of leave", "leave of days", "days of work"))
    for one in (first, second, third):
        store.put(one)
    questions = CachedQuestions(store)
    questions.refresh()
    assert set(questions.same_words("default", first.same_words_key)) == {first.key, second.key}
    store.remove([first.key])
    questions.refresh()
    assert questions.same_words("default", first.same_words_key) == (second.key,)


def test_tenants_never_see_each_other_and_abstentions_are_not_proposed() -> None:
    store = FakeAnswerStore()
    (vector,) = unit_vectors(1)
    theirs = replace(entry("theirs", vector), tenant="another")
    nothing = entry("nothing found", vector, kind=EntryKind.ABSTENTION)
    for one in (theirs, nothing):
        store.put(one)
    questions = CachedQuestions(store)
    questions.refresh()
    assert questions.nearest("default", vector, 5) == ()
    assert questions.same_words("default", theirs.same_words_key) == ()
    assert questions.same_words("default", nothing.same_words_key) == (nothing.key,)
    assert [neighbour.key for neighbour in questions.nearest("another", vector, 5)] == [theirs.key]


def test_questions_of_another_model_are_passed_over() -> None:
    store = FakeAnswerStore()
    store.put(entry("eight numbers", unit_vectors(1)[0]))
    questions = CachedQuestions(store)
    questions.refresh()
    assert questions.nearest("default", unit_vectors(1, 4)[0], 5) == ()


def test_a_store_that_began_anew_is_read_anew() -> None:
    shelf = Shelf()
    store = FakeAnswerStore(shelf=shelf)
    store.put(cached_answer("old"))
    questions = CachedQuestions(store)
    questions.refresh()
    store.shelf = Shelf()
    store.put(cached_answer("new"))
    questions.refresh()
    assert len(questions) == 1
    assert questions.same_words("default", cached_answer("new").same_words_key)


def test_a_broken_store_proposes_nothing() -> None:
    questions = CachedQuestions(ForgetfulAnswerStore())
    questions.refresh()
    assert questions.nearest("default", unit_vectors(1)[0], 5) == ()


def test_an_erased_question_leaves_no_numbers_behind() -> None:
    store = FakeAnswerStore()
    kept, erased = unit_vectors(2)
    store.put(entry("kept", kept))
    store.put(entry("erased", erased))
    questions = CachedQuestions(store)
    questions.refresh()
    store.remove([cached_answer("erased").key])
    questions.refresh()
    (rows,) = questions._by_tenant.values()
    assert erased.tobytes() not in rows.matrix.tobytes()
    assert kept.tobytes() in rows.matrix.tobytes()
