"""Work behind the answer's back: threads that nobody waits for, and that no failure ends."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Final, Generic, TypeVar

_T = TypeVar("_T")

_log: Final = logging.getLogger(__name__)


class Worker(Generic[_T]):
    """Works off what it is offered, one after the other and in order, in a thread that starts with the first of it.

    Each is worked off in the context of whoever offered it, so that the log knows the request. Once it is done, nothing of it is
    held on to. Safe to use from several threads.
    """

    def __init__(self, name: str, work: Callable[[_T], None], most: int, failed: Callable[[_T, Exception], None]) -> None:
        """Put it together; nothing runs yet.

        Args:
            name: The thread's.
            work: Does what there is to do.
            most: So many wait at most, besides the one that is worked on.
            failed: Is told of an error, foreseen or not, inside the `except` block; then the next one is taken.
        """
        self._name = name
        self._work = work
        self._most = most
        self._failed = failed
        self._waiting: deque[tuple[Context, _T]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        """Whether no more is taken; long work may look, and stop."""
        return self._closed

    def offer(self, item: _T) -> bool:
        """Leave something to the thread, without waiting; `False` when too many wait, or no more is taken."""
        with self._changed:
            if self._closed or len(self._waiting) >= self._most:
                return False
            self._waiting.append((copy_context(), item))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return True

    def close(self, *, drop: bool, limit_s: float | None = None) -> None:
        """Take no more, and wait for what is being done, at most `limit_s`; what waits is dropped, or done first."""
        with self._changed:
            self._closed = True
            if drop:
                self._waiting.clear()
            self._changed.notify()
        if self._thread:
            self._thread.join(limit_s)

    def _run(self) -> None:
        while self._next():
            pass

    def _next(self) -> bool:
        """Work one off; in a frame of its own, which lets go of it. `False` at the end."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting:
                return False
            context, item = self._waiting.popleft()
        context.run(self._do, item)
        return True

    def _do(self, item: _T) -> None:
        try:
            self._work(item)
        except Exception as error:  # noqa: BLE001 - a thread that ended here would take all that comes later with it
            self._failed(item, error)


class Repeated:
    """Does something again and again in a thread of its own."""

    def __init__(self, name: str, work: Callable[[], bool], every_s: float) -> None:
        """Put it together; `start` begins.

        Args:
            name: The thread's.
            work: Says whether it is done for good. An error of it is logged, and it is done again.
            every_s: How long to wait in between.
        """
        self._work = work
        self._every_s = every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def runs(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """Do it no more. What is being done is not waited for: see `join`."""
        self._stopped.set()

    def join(self) -> None:
        """Wait for the end, if it has begun."""
        if self._thread.ident:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set() and not self._done():
            self._stopped.wait(self._every_s)

    def _done(self) -> bool:
        try:
            return self._work()
        except Exception:  # noqa: BLE001 - it may go well the next time
            _log.exception("What the thread %s does failed; it is done again.", self._thread.name)
            return False
