"""An HTTP client whose calls end: by a moment, and after a number of bytes, whatever the other side does."""

import ssl
import threading
import time
import weakref
from collections.abc import Iterable
from typing import Any, Final

import httpcore2
import httpx2

_LONGEST_CONNECT_S: Final = 10.0


class AnswerTooLargeError(ValueError):
    """More arrived than the call was given room for."""


class AnswerEncodedError(ValueError):
    """What arrived is compressed, which was not asked for: no count of bytes says how much it holds."""


class Bounds(threading.local):
    """What the calls of this thread may still use. `deadline` is on the monotonic clock, in seconds."""

    deadline: float = float("inf")
    left_bytes: int = 0


def bounded_client(bounds: Bounds, timeout_s: float) -> httpx2.Client:
    """A client that keeps to `bounds`, and follows no redirects: they would carry the key elsewhere.

    A timeout of the client's own is for one read, so that an endpoint which drips one byte after another would never meet it.
    """
    client = httpx2.Client(
        follow_redirects=False,
        timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, _LONGEST_CONNECT_S)),
        headers={"accept-encoding": "identity"},
        event_hooks={"response": [_refuse_encoded]},
    )
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - a transport of our own would drop proxies
        if isinstance(transport, httpx2.HTTPTransport):
            pool = transport._pool  # noqa: SLF001 - httpx2 does not pass the backend on that its pool takes
            weakref.finalize(client, pool.close)  # a model is used as long as the process, and nobody closes it
            pool._network_backend = _BoundedBackend(pool._network_backend, bounds)  # noqa: SLF001 - the same
    return client


def _refuse_encoded(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise AnswerEncodedError("it is compressed, which was not asked for")


class _BoundedBackend(httpcore2.NetworkBackend):
    def __init__(self, backend: httpcore2.NetworkBackend, bounds: Bounds) -> None:
        self._backend = backend
        self._bounds = bounds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        timeout = _left_s(self._bounds, timeout, httpcore2.ConnectTimeout)
        return _BoundedStream(self._backend.connect_tcp(host, port, timeout, local_address, socket_options), self._bounds)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _BoundedStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, bounds: Bounds) -> None:
        self._stream = stream
        self._bounds = bounds

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _left_s(self._bounds, timeout, httpcore2.ReadTimeout))
        self._bounds.left_bytes -= len(data)
        if self._bounds.left_bytes < 0:
            raise AnswerTooLargeError("it is longer than was asked for")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left_s(self._bounds, timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        timeout = _left_s(self._bounds, timeout, httpcore2.ConnectTimeout)
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._bounds)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left_s(bounds: Bounds, timeout_s: float | None, error: type[Exception]) -> float:
    left_s = bounds.deadline - time.monotonic()
    if left_s <= 0:
        raise error("the call's time is up")
    return left_s if timeout_s is None else min(left_s, timeout_s)
