"""`farthing serve`."""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress

import uvicorn

from app.bootstrap import build_application
from app.cli import OK
from app.errors import CommandError
from app.settings import load_settings
from app.telemetry import configure_logging

_DRAIN_S = 5
_END_S = 2


def run(host: str | None, port: int | None) -> int:
    """Serve until a signal comes; then questions in flight have five seconds to finish, and are told the end if they do not."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load_settings(**({"server": given} if given else {}))
    configure_logging()
    with ExitStack() as stack:
        sockets = [stack.enter_context(found) for found in _listen(settings.server.host, settings.server.port)]
        application = build_application(settings)
        config = uvicorn.Config(
            application,
            timeout_graceful_shutdown=_DRAIN_S + _END_S,
            access_log=False,  # it would write to stdout; each question is logged once, without its text
            log_config=None,
            server_header=False,
        )
        with suppress(KeyboardInterrupt):  # the server shuts down in order, and then passes the signal on
            _Server(config, application.state.stop_answers).run(sockets=sockets)
    return OK


class _Server(uvicorn.Server):
    """A server that ends each open answer with a word to its caller, before it cuts connections off."""

    def __init__(self, config: uvicorn.Config, stop_answers: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop_answers = stop_answers

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(_DRAIN_S, self._stop_answers)
        await super().shutdown(sockets)


def _listen(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a host, before anything is loaded: the server itself would end without a word to the person."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        listening = [socket.create_server(address, family=family) for family, _, _, _, address in found]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = "it is in use, perhaps by another `farthing serve`"
        else:
            why = error.strerror or str(error)
        raise CommandError(
            f"{host}:{port} cannot be listened on: {why}. Choose another with --host and --port, or server.host and server.port."
        ) from error
    for one in listening:  # asyncio does this only for sockets that it made; without it each answer waits 40 ms for its caller
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
