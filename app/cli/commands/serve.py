"""`farthing serve`."""

import uvicorn

from app.bootstrap import build_application
from app.cli import OK
from app.settings import load_settings
from app.telemetry import configure_logging

_DRAIN_S = 5


def run(host: str | None, port: int | None) -> int:
    """Serve until a signal comes; then questions in flight have five seconds to finish."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load_settings(**({"server": given} if given else {}))
    configure_logging()
    uvicorn.run(
        build_application(settings),
        host=settings.server.host,
        port=settings.server.port,
        timeout_graceful_shutdown=_DRAIN_S,
        access_log=False,  # it would write to stdout; each question is logged once, without its text
        log_config=None,
        server_header=False,
    )
    return OK
