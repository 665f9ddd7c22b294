"""The fake keeps the contract of the embedder that it stands in for."""

import pytest

from tests.contracts.embedder import EmbedderContract
from tests.fakes.embedder import FakeEmbedder


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder(dimension=64)


class TestFakeEmbedder(EmbedderContract):
    pass
