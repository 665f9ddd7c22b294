"""Where the HTTP surface listens."""

import errno
import socket
from collections.abc import Iterator
from functools import partial

from app.jobs.checkup import Check, ProblemError
from app.settings import Settings


def checks(settings: Settings) -> Iterator[Check]:
    """Whether it can listen."""
    yield Check("port", partial(_check_port, settings.server.host, settings.server.port))


def _check_port(host: str, port: int) -> str:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"{host}:{port} is in use, perhaps by `farthing serve`"
        raise ProblemError(f"{host}:{port} cannot be listened on ({error}). Correct server.host or server.port.") from error
    return f"{host}:{port} is free"
