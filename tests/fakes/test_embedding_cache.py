"""The fake keeps the contract of the cache that it stands in for."""

import pytest

from tests.contracts.embedding_cache import EmbeddingCacheContract
from tests.fakes.embedding_cache import FakeEmbeddingCache


@pytest.fixture
def cache() -> FakeEmbeddingCache:
    return FakeEmbeddingCache()


class TestFakeEmbeddingCache(EmbeddingCacheContract):
    pass
