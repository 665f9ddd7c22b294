"""The index on a Qdrant server, on the searching side."""

from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from indexing.adapters.qdrant_index import QdrantIndexStore
from indexing.language import ENGLISH
from retrieval.adapters.qdrant_searcher import QdrantPassageSearcher
from retrieval.errors import GenerationGoneError
from tests.contracts.corpus import ALL, DIMENSION, make_chunk, unit_vectors
from tests.contracts.passage_searcher import PassageSearcherContract
from tests.contracts.qdrant import qdrant_engines

pytestmark = pytest.mark.filterwarnings(
    "ignore:Local mode performs exact", "ignore:Payload indexes have no effect", "ignore:Api key is used with an insecure"
)

engine = qdrant_engines()


class TestQdrantPassageSearcher(PassageSearcherContract):
    pass


def test_a_collection_removed_while_it_serves_is_gone(tmp_path: Path) -> None:
    client = QdrantClient(":memory:")
    store = QdrantIndexStore(client, "ours", ENGLISH)
    index = store.create("g1", tmp_path, DIMENSION)
    index.upsert([make_chunk("alpha")], unit_vectors(1))
    index.commit()
    searcher = QdrantPassageSearcher(client, "ours_g1", DIMENSION, ENGLISH)
    store.drop("g1", tmp_path)
    with pytest.raises(GenerationGoneError, match="ours_g1"):
        searcher.search("alpha", unit_vectors(1)[0], ALL, 5)
    with pytest.raises(GenerationGoneError, match="ours_g1"):
        searcher.chunks([make_chunk("alpha").id], ALL)
    client.close()
