"""The fake keeps the contract of the engines that it stands in for."""

from pathlib import Path

import pytest

from tests.contracts.chunk_index import ChunkIndexContract
from tests.contracts.corpus import Engine
from tests.contracts.passage_searcher import PassageSearcherContract
from tests.fakes.chunk_index import FakeChunkIndexStore, FakePassageSearcher


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    store = FakeChunkIndexStore()
    return Engine(store, tmp_path, lambda generation, _directory, dimension: FakePassageSearcher(store, generation, dimension))


class TestFakeChunkIndex(ChunkIndexContract):
    pass


class TestFakePassageSearcher(PassageSearcherContract):
    pass
