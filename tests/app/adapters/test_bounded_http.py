"""Calls to model endpoints end, whatever the other side sends."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.adapters.bounded_http import AnswerEncodedError, Bounds, bounded_client


class Compressing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = gzip.compress(b"x" * 1_000_000)
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-encoding", "gzip")
        self.send_header("x-asked-for", self.headers["accept-encoding"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Compressing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_a_compressed_answer_is_refused_before_it_is_unpacked(url: str) -> None:
    bounds = Bounds()
    bounds.left_bytes = 100_000

    with bounded_client(bounds, 5.0) as client, pytest.raises(AnswerEncodedError, match="compressed"):
        client.get(url)
