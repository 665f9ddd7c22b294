"""The Qdrant engines that the contracts run over: the client's in-memory mode, and a server where `QDRANT_URL` names one."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from indexing.adapters.qdrant_index import QdrantIndexStore, collection_name, connect_qdrant
from indexing.language import ENGLISH
from retrieval.adapters.qdrant_searcher import QdrantPassageSearcher
from tests.contracts.corpus import Engine


def qdrant_engines() -> object:
    """The fixture `engine`, once for each kind of Qdrant."""

    @pytest.fixture(params=["memory", "server"])
    def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
        url = os.environ.get("QDRANT_URL")
        if request.param == "server" and url is None:
            pytest.skip("QDRANT_URL does not name a Qdrant server")
        if request.param == "server" and url is not None:
            client = connect_qdrant(url, os.environ.get("QDRANT_API_KEY"), 30)
        else:
            client = QdrantClient(":memory:")
        prefix = f"test_{uuid.uuid4().hex[:12]}"
        yield Engine(
            QdrantIndexStore(client, prefix, ENGLISH),
            tmp_path,
            lambda generation, _directory, dimension: QdrantPassageSearcher(
                client, collection_name(prefix, generation), dimension, ENGLISH
            ),
        )
        for collection in client.get_collections().collections:
            if collection.name.startswith(prefix):
                client.delete_collection(collection.name)
        client.close()

    return engine
