"""The index on a Qdrant server, on the writing side. The client's in-memory mode stands in where `QDRANT_URL` is not set."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.common import client_exceptions
from qdrant_client.http import exceptions as http_exceptions

from indexing.adapters.qdrant_errors import qdrant_errors
from indexing.adapters.qdrant_index import QdrantIndexStore, connect_qdrant
from indexing.errors import ChunkIndexError, IndexForeignError, IndexMissingError
from indexing.language import ENGLISH
from tests.contracts.chunk_index import ChunkIndexContract
from tests.contracts.corpus import DIMENSION, Engine, make_chunk, unit_vectors
from tests.contracts.qdrant import qdrant_engines

pytestmark = pytest.mark.filterwarnings(
    "ignore:Local mode performs exact", "ignore:Payload indexes have no effect", "ignore:Api key is used with an insecure"
)

engine = qdrant_engines()


class TestQdrantIndex(ChunkIndexContract):
    pass


class TestForeignCollections:
    @pytest.fixture
    def client(self) -> Iterator[QdrantClient]:
        client = QdrantClient(":memory:")
        yield client
        client.close()

    def test_leaves_a_collection_of_somebody_else_alone(self, client: QdrantClient, tmp_path: Path) -> None:
        client.create_collection("ours_g1", vectors_config=models.VectorParams(size=8, distance=models.Distance.DOT))
        store = QdrantIndexStore(client, "ours", ENGLISH)
        with pytest.raises(IndexForeignError, match="ours_g1 that Farthing did not make"):
            store.create("g1", tmp_path, DIMENSION)
        with pytest.raises(IndexForeignError, match="ours_g1 is not an index of this version"):
            store.count("g1", tmp_path)
        assert client.collection_exists("ours_g1")

    def test_prefixes_keep_apart(self, client: QdrantClient, tmp_path: Path) -> None:
        engine = Engine(QdrantIndexStore(client, "a", ENGLISH), tmp_path, lambda *_: pytest.fail("not searched"))
        engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
        with pytest.raises(IndexMissingError, match="b_g1"):
            QdrantIndexStore(client, "b", ENGLISH).count("g1", tmp_path)

    def test_filter_fields_are_indexed_and_no_graph_is_built(self, client: QdrantClient, tmp_path: Path) -> None:
        asked: dict[str, Any] = {}
        create, create_index = client.create_collection, client.create_payload_index
        client.create_collection = lambda *args, **named: (asked.update(named), create(*args, **named))[1]  # type: ignore[method-assign]
        client.create_payload_index = lambda name, field, schema, **named: (  # type: ignore[method-assign]
            asked.update({field: schema}),
            create_index(name, field, schema, **named),
        )[1]
        QdrantIndexStore(client, "a", ENGLISH).create("g1", tmp_path, DIMENSION)
        assert asked["hnsw_config"].m == 0
        assert asked["tenant"].is_tenant
        assert {"tenant", "labels", "document_id"} <= set(asked)


class FakeServer(BaseHTTPRequestHandler):
    """Answers like a Qdrant server of some version, or badly."""

    behaviour: ClassVar[str] = "1.19.2"

    def do_GET(self) -> None:
        if self.behaviour == "hang":
            threading.Event().wait(5)
            return
        if self.path != "/" and self.behaviour == "refuse":
            self.send_error(401)
            return
        body = b"<html>" if self.behaviour == "html" else json.dumps(self._answer()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self) -> dict[str, Any]:
        if self.path == "/":
            version = self.behaviour if self.behaviour[0].isdigit() or self.behaviour == "odd" else "1.19.0"
            return {"title": "qdrant - vector search engine", "version": version, "commit": None}
        return {"result": {"collections": []}, "status": "ok", "time": 0.0}

    def log_message(self, *_: object) -> None:
        pass


class TestConnect:
    @pytest.fixture
    def url(self) -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), FakeServer)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()
        thread.join()

    @pytest.mark.parametrize("version", ["1.19.0", "1.19.2-dev", "1.20.0", "2.0.1"])
    def test_takes_servers_that_are_new_enough(self, url: str, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
        monkeypatch.setattr(FakeServer, "behaviour", version)
        connect_qdrant(url, None, 2).close()

    @pytest.mark.parametrize(
        ("behaviour", "words"),
        [
            ("1.18.4", "version 1.18.4; Farthing needs 1.19 or later"),
            ("0.9.0", "needs 1.19 or later"),
            ("odd", "version odd; Farthing needs 1.19"),
            ("refuse", r"refused access .*Check `qdrant\.api_key`"),
            ("hang", r"did not answer in time .*`qdrant\.timeout_s`"),
            ("html", "Qdrant"),
        ],
    )
    def test_says_what_is_wrong_with_the_server(
        self, url: str, monkeypatch: pytest.MonkeyPatch, behaviour: str, words: str
    ) -> None:
        monkeypatch.setattr(FakeServer, "behaviour", behaviour)
        with pytest.raises(ChunkIndexError, match=words):
            connect_qdrant(url, None, 1)

    def test_says_that_nobody_is_there(self) -> None:
        with pytest.raises(ChunkIndexError, match=r"Check that it runs and that `qdrant\.url` is right"):
            connect_qdrant("http://127.0.0.1:9", None, 1)


class TestQdrantErrors:
    def test_every_exception_of_the_client_is_mapped(self) -> None:
        headers = httpx.Headers()
        raised: list[Exception] = [
            http_exceptions.UnexpectedResponse(500, "Internal", b"no space left on device", headers),
            http_exceptions.UnexpectedResponse(503, "Busy", b"", headers),
            http_exceptions.ResponseHandlingException(httpx.ReadError("reset")),
            http_exceptions.ApiException("?"),
            client_exceptions.ResourceExhaustedResponse("slow down", 3),
            client_exceptions.QdrantException("?"),
            ValueError("bad"),
        ]
        for error in raised:
            with pytest.raises(ChunkIndexError, match="ours_g1"), qdrant_errors("ours_g1"):
                raise error
        listed = {
            value
            for module in (http_exceptions, client_exceptions)
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.__name__
        }
        assert listed == {type(error) for error in raised} - {ValueError}

    def test_a_vanished_collection_is_missing(self) -> None:
        with pytest.raises(IndexMissingError, match="farthing index"), qdrant_errors("ours_g1"):
            raise http_exceptions.UnexpectedResponse(404, "Not found", b"", httpx.Headers())
        with pytest.raises(TypeError), qdrant_errors("ours_g1"):
            raise TypeError
