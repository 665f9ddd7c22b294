"""Logs: one line an event, on stderr. Questions and answers never stand in them."""

import logging
import sys

import structlog


def configure_logging() -> None:
    """Send structlog's events, and the server's own messages, to stderr: coloured on a terminal, JSON elsewhere."""
    timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[structlog.processors.add_log_level, timestamp, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Looked up for each event: once a stream has been exchanged and closed, writing to it would fail whoever logs.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
