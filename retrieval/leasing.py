"""The index as the service holds it: one opened generation at a time, swapped when a sync has finished a new one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from indexing.documents import AccessLabel
from indexing.errors import IndexingError, IndexMissingError
from retrieval.errors import RetrievalError
from retrieval.lexicon import Rarity
from retrieval.retriever import Retriever
from retrieval.search import PassageSearcher

CHECK_EVERY_S: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class OpenGeneration:
    """A generation that can be asked. `labels` are those that its documents carry; `rarity` weighs terms by its documents.

    What is remembered of its pages belongs to it, to one of its parts, or to a `RecentOf` under it: so an erased page
    stays in no memory once the last question that began on it has ended.
    """

    id: str
    searcher: PassageSearcher
    retriever: Retriever
    labels: frozenset[AccessLabel]
    rarity: Rarity
    close: Callable[[], None]


class GenerationSource(Protocol):
    """Where generations come from."""

    def current(self) -> str | None:
        """The id of the generation that should serve, or `None` when nothing has been indexed. Cheap: called often."""

    def open(self, generation: str) -> OpenGeneration:
        """Open a generation for asking.

        Raises:
            ChunkIndexError: It cannot be opened, or was built with another model than the configured one.
        """

    def close(self) -> None:
        """Release what all generations share. Called after the last one has been retired."""


@dataclass(slots=True)
class _Held:
    generation: OpenGeneration
    readers: int = 0
    retired: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> bool:
        """Count a reader in; `False` when this generation has been retired meanwhile."""
        with self.lock:
            if self.retired:
                return False
            self.readers += 1
            return True

    def leave(self) -> None:
        with self.lock:
            self.readers -= 1
            last = self.retired and self.readers == 0
        if last:
            self.generation.close()

    def retire(self) -> None:
        """Close once the last reader has left."""
        with self.lock:
            self.retired = True
            idle = self.readers == 0
        if idle:
            self.generation.close()


class IndexHandle:
    """Lends the current generation to one question at a time, many at once.

    At most every half second, one of the borrowers looks whether there is a newer generation, and opens it while the others
    go on with the one that serves. A question keeps the generation it began with to its end; a generation is closed when
    its last question is answered. One that cannot be opened is reported once and left alone: the old one goes on serving.
    """

    def __init__(
        self,
        source: GenerationSource,
        on_failure: Callable[[str, Exception], None],
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        self._source = source
        self._on_failure = on_failure
        self._check_every_s = check_every_s
        self._held: _Held | None = None
        self._check_at = 0.0
        self._refreshing = threading.Lock()
        self._reported: str | None = None

    @contextmanager
    def lease(self) -> Iterator[OpenGeneration]:
        """Borrow the current generation.

        Raises:
            IndexMissingError: Nothing has been indexed yet.
            ChunkIndexError: There is a generation, but it cannot be opened.
        """
        held = self._enter()
        try:
            yield held.generation
        finally:
            held.leave()

    def settled(self) -> OpenGeneration | None:
        """The generation that serves, not to be searched; `None` while none is open, or a newer one waits to be opened.

        Quick enough for an event loop: at most it reads a pointer.
        """
        held = self._held
        if held is None:
            return None
        if time.monotonic() >= self._check_at:
            try:
                current = self._source.current()
            except IndexingError:
                return None  # the next lease reports it
            if current not in {held.generation.id, self._reported}:
                return None
            self._check_at = time.monotonic() + self._check_every_s
        return held.generation

    def close(self) -> None:
        """Let go of the generation; questions in flight finish first."""
        with self._refreshing:
            if self._held:
                self._held.retire()
                self._held = None
            self._source.close()

    def _enter(self) -> _Held:
        while True:
            self._refresh()
            held = self._held
            if held and held.enter():
                return held

    def _refresh(self) -> None:
        if self._held is None:
            with self._refreshing:
                if self._held is None:
                    self._open_first()
        elif time.monotonic() >= self._check_at and self._refreshing.acquire(blocking=False):
            try:
                self._check_at = time.monotonic() + self._check_every_s
                self._follow()
            finally:
                self._refreshing.release()

    def _open_first(self) -> None:
        current = self._source.current()
        if current is None:
            raise IndexMissingError("Nothing has been indexed yet. Run `farthing index PATH` first.")
        self._held = _Held(self._source.open(current))
        self._check_at = time.monotonic() + self._check_every_s

    def _follow(self) -> None:
        serving = self._held
        try:
            current = self._source.current()
            if serving is None or current is None or current in {serving.generation.id, self._reported}:
                return
            self._held = _Held(self._source.open(current))
        except (IndexingError, RetrievalError) as error:
            self._reported = current
            self._on_failure(current or "", error)
            return
        serving.retire()
