"""Looking after the answer cache: which entries an order means, and hits that are counted in passing."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.caching.entries import CachedAnswer
from app.caching.store import NO_HITS, AnswerStore, AnswerStoreAdmin, Hits
from app.generation.accounting import question_hash
from indexing.documents import AccessLabel

_WRITE_AFTER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries are meant: those that every condition given holds for. Without any, all.

    `question` is compared without regard to case and white space. `label` means entries that cite a unit with it, and those made
    for a caller who has it. `created_before` is in seconds since 1970.
    """

    id: str | None = None
    tenant: str | None = None
    question: str | None = None
    document_id: str | None = None
    label: AccessLabel | None = None
    created_before: float | None = None

    def takes(self, entry: CachedAnswer) -> bool:
        """Whether an entry is meant."""
        return (
            self.id in (None, entry.id)
            and self.tenant in (None, entry.tenant)
            and (self.question is None or question_hash(self.question) == question_hash(entry.question))
            and (self.document_id is None or any(unit.document_id == self.document_id for unit in entry.units))
            and (self.label is None or self.label in entry.labels or any(self.label in unit.labels for unit in entry.units))
            and (self.created_before is None or entry.created_at < self.created_before)
        )


def drop(store: AnswerStoreAdmin, selection: Selection) -> int:
    """Remove what is meant, its bytes included, and erase the bytes of what was removed before.

    Returns:
        How many entries there were.

    Raises:
        AnswerStoreError: The store cannot be read or written, or some bytes are still there.
    """
    if selection == Selection():
        return store.clear()  # takes what cannot be read along
    return store.remove([stored.entry.key for stored in store.entries() if selection.takes(stored.entry)])


class HitTally:
    """Counts hits in memory, where an event loop may not wait, and writes them down now and then. Safe for several threads.

    A process that is killed loses the hits of its last second; nothing is decided by a few more or less.
    """

    def __init__(self, store: AnswerStore, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._noted: dict[bytes, Hits] = {}
        self._written_s = clock_s()

    def note(self, key: bytes, saved_usd: Decimal | None) -> bool:
        """Count one hit; `saved_usd` is `None` when nobody knows.

        Returns:
            Whether it is time to call `write` (in a thread that may wait). Said once: whoever is told must see to it.
        """
        with self._lock:
            known = self._noted.get(key, NO_HITS)
            self._noted[key] = Hits(known.count + 1, known.saved_usd + (saved_usd or 0))
            now = self._clock_s()
            due = now - self._written_s >= _WRITE_AFTER_S
            if due:
                self._written_s = now
            return due

    def write(self) -> None:
        """Write down what was noted. Waits for the store."""
        with self._lock:
            noted, self._noted = self._noted, {}
            self._written_s = self._clock_s()
        self._store.add_hits(noted)
