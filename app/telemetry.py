"""Logs: one line an event, on stderr. Questions and answers never stand in them.

Everything goes through the standard library's root logger, ours as well as the libraries', and one handler writes it. A line that
is written while a request is served has the request's id, in whatever thread: see `bind_request`.
"""

import logging
import re
import sys
import threading
import uuid
from contextlib import suppress
from typing import Final

import structlog

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_log = logging.getLogger("farthing")


def configure_logging() -> None:
    """Have a service write its log: coloured lines on a terminal, elsewhere one object of JSON for each event.

    Warnings of Python, and errors that nobody handles in a thread or a destructor, are events, too.
    """
    # Locals of a traceback would hold questions.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    as_json = (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *((plain,) if sys.stderr.isatty() else as_json),
        ]
    )
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    _write_with(formatter)
    _log.setLevel(logging.INFO)
    logging.captureWarnings(True)
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_end_of_thread


def configure_command_logging() -> None:
    """Have a command say on stderr what somebody who waits for it should know."""
    _write_with(logging.Formatter("farthing: %(message)s"))


def bind_request(claimed: str | None) -> str:
    """Put the id of a request on each line that is written in this context from now on, and in the contexts copied from it.

    Args:
        claimed: The id that the caller gave, if any: taken where it has 1 to 64 of the characters `A-Za-z0-9._-`.

    Returns:
        The id: the caller's, or a new one.
    """
    request_id = claimed if claimed and _REQUEST_ID.fullmatch(claimed) else uuid.uuid4().hex
    structlog.contextvars.bind_contextvars(request_id=request_id)
    return request_id


class _Handler(logging.Handler):
    """Writes to the stderr of the moment: once a stream has been exchanged and closed, writing to it would fail whoever logs."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - whatever a caller has put into it, it is one line, and the caller goes on
            fault = f"A line of the log has the wrong form: {record.name}, line {record.lineno}."
            line = self.format(logging.LogRecord(record.name, logging.ERROR, record.pathname, record.lineno, fault, None, None))
        with suppress(OSError, ValueError):  # nobody reads it
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def _write_with(formatter: logging.Formatter) -> None:
    root, handler = logging.getLogger(), _Handler()
    handler.setFormatter(formatter)
    root.handlers[:] = [*(one for one in root.handlers if not isinstance(one, _Handler)), handler]
    root.setLevel(logging.WARNING)


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    error = unraisable.exc_value
    _log.error(unraisable.err_msg or "An error was ignored.", exc_info=error and (type(error), error, unraisable.exc_traceback))


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not issubclass(ended.exc_type, SystemExit):
        name = ended.thread.name if ended.thread else "of no name"
        _log.error("The thread %s ended.", name, exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback))
