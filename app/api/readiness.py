"""Getting ready in the background, so that the service says at once that it lives and, later, that it can answer."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from app.api.errors import NotReadyError
from app.workers import Repeated
from indexing.errors import IndexingError
from retrieval.errors import RetrievalError

_TRY_AGAIN_AFTER_S: Final = 1.0

_log = structlog.get_logger("farthing.readiness")


class Readiness:
    """Warms the service up in a thread, again every second until it succeeds: an index may come later than the service."""

    def __init__(self, warm_up: Callable[[], None]) -> None:
        self._warm_up = warm_up
        self._ready = threading.Event()
        self._why: Exception = NotReadyError("The model and the index are being opened.")
        self._attempts = Repeated("warm-up", self._attempt, _TRY_AGAIN_AFTER_S)

    def start(self) -> None:
        """Begin, and return at once."""
        self._attempts.start()

    def stop(self) -> None:
        """Stop trying; an attempt that is under way is not waited for."""
        self._attempts.stop()

    def require(self) -> None:
        """Pass when questions can be answered.

        Raises:
            NotReadyError: The first attempt is still under way.
            Exception: Why the last attempt failed; the next one is under way.
        """
        if not self._ready.is_set():
            raise self._why

    def _attempt(self) -> bool:
        try:
            self._warm_up()
        except Exception as error:  # noqa: BLE001 - also what nobody foresaw, such as too many open files, may pass
            if type(error) is not type(self._why):
                foreseen = isinstance(error, (IndexingError, RetrievalError))
                _log.warning("not ready", reason=str(error), exc_info=not foreseen)
            self._why = error
            return False
        self._ready.set()
        _log.info("ready")
        return True
