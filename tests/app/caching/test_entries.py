"""The record of a cached answer: every byte of it counts."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.caching.entries import CachedAnswer, CitedUnit, EntryKind, decode_entry, encode_entry
from tests.fakes.answer_store import cached_answer

ENTRY = cached_answer("How many days?", units=(CitedUnit("u", "h", "d", ("everyone", "hr")),), labels=("everyone",))
TEXT = st.text(max_size=20)


@settings(max_examples=200, deadline=None)
@given(
    st.builds(
        CachedAnswer,
        id=TEXT,
        tenant=TEXT,
        key=st.binary(min_size=32, max_size=32),
        same_words_key=st.binary(min_size=32, max_size=32),
        question=TEXT,
        labels=st.lists(TEXT, max_size=3).map(tuple),
        kind=st.sampled_from(EntryKind),
        units=st.lists(st.builds(CitedUnit, TEXT, TEXT, TEXT, st.lists(TEXT, max_size=3).map(tuple)), max_size=3).map(tuple),
        generation=TEXT,
        prompt_version=TEXT,
        profile_version=TEXT,
        policy_version=TEXT,
        created_at=st.floats(0, 1e11),
        expires_at=st.floats(0, 1e11),
        cost_usd=st.none() | st.decimals(0, 100, places=12),
        baseline_usd=st.none() | st.decimals(0, 100, places=12),
        groundedness=st.none() | st.floats(0, 1),
        vector=st.lists(st.floats(-1, 1, width=32), max_size=4).map(lambda numbers: b"\0" * 4 * len(numbers)),
        body=st.binary(max_size=100),
    )
)
def test_comes_back_as_it_was(entry: CachedAnswer) -> None:
    assert decode_entry(entry.key, encode_entry(entry)) == entry


def test_any_byte_that_is_turned_and_any_cut_is_noticed() -> None:
    stored = encode_entry(ENTRY)
    assert decode_entry(ENTRY.key, stored) == ENTRY
    for at in range(len(stored)):
        assert decode_entry(ENTRY.key, stored[:at]) is None
        assert decode_entry(ENTRY.key, stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]) is None


def test_an_entry_under_another_key_is_none() -> None:
    assert decode_entry(cached_answer("another").key, encode_entry(ENTRY)) is None


@pytest.mark.parametrize("stored", [None, 7, "text", b"", bytearray(encode_entry(ENTRY))], ids=type)
def test_what_is_no_record_is_none(stored: object) -> None:
    assert decode_entry(ENTRY.key, stored) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.replace(b'"tenant"', b'"tenanT"'),
        lambda facts: facts.replace(b'"kind":"answer"', b'"kind":"guess!"'),
        lambda facts: facts.replace(b'"groundedness":1.0', b'"groundedness":"1"'),
        lambda facts: facts.replace(b"{", b"[", 1),
    ],
    ids=["another field", "another kind", "another type", "no JSON"],
)
def test_sound_bytes_that_say_something_else_are_none(change: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.caching.entries.zlib.crc32", lambda *_: 0)
    stored = encode_entry(ENTRY)
    assert decode_entry(ENTRY.key, stored) == ENTRY
    changed = change(stored)
    assert changed != stored
    assert len(changed) == len(stored)
    assert decode_entry(ENTRY.key, changed) is None


@pytest.mark.parametrize("changes", [{"key": b"short"}, {"same_words_key": b""}, {"vector": b"123"}])
def test_keys_and_vectors_of_another_length_are_refused(changes: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="bytes"):
        encode_entry(cached_answer("odd", **changes))


def test_money_stays_exact_and_unknown_stays_unknown() -> None:
    for cost_usd in (Decimal("0.000123456789"), Decimal(0), None):
        entry = cached_answer("cost", cost_usd=cost_usd)
        found = decode_entry(entry.key, encode_entry(entry))
        assert found is not None
        assert found.cost_usd == cost_usd


def test_the_vector_is_given_as_numbers() -> None:
    assert ENTRY.question_vector.tolist() == [1.0, 0.0, 0.0, 0.0]
