"""The fake keeps the contract of the stores that it stands in for."""

import pytest

from tests.contracts.answer_store import AnswerStoreContract, Room
from tests.fakes.answer_store import FakeAnswerStore, Shelf


@pytest.fixture
def room() -> Room:
    shelf = Shelf()
    return lambda max_bytes=10_000_000: FakeAnswerStore(max_bytes, shelf)


class TestFakeAnswerStore(AnswerStoreContract):
    pass
