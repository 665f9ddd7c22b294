"""Looking after the answer cache, put together."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.bootstrap.answering import build_service, open_serving_generation
from app.bootstrap.caching import build_answer_store
from app.settings import Settings
from indexing.files import write_durably
from indexing.generations import Generations
from indexing.planning import Progress

if TYPE_CHECKING:  # a run that changes nothing must not wait for them
    from app.answering.service import AnswerService
    from app.caching.renewal import LostAnswer, Refreshed, Renewal
    from retrieval.leasing import OpenGeneration

_CHECKED: Final = "answers-checked"
"""The file of a home that names the generation that all cached answers were last held against."""


def renew_answers(settings: Settings, progress: Progress) -> "Renewal | None":
    """Hold the cached answers against the generation that serves; `None` where that has been done, or there are none.

    Raises:
        HomeError: The home cannot be used safely.
        SettingsError: The URL of the cache cannot be read.
        AnswerStoreError: The cache cannot be read or written.
        ChunkIndexError: The index cannot be opened.
        SearchError: The index engine failed.
    """
    home = settings.home.resolve()
    serving = Generations(home).current_id()
    store = None if serving is None or _read(home / _CHECKED) == serving else build_answer_store(settings)
    if store is None or serving is None:
        return None
    renewal = None
    with closing(store):
        if store.usage().entries:
            from app.caching.renewal import renew

            with open_serving_generation(settings) as generation:
                renewal, serving = renew(store, generation, progress), generation.id
        else:
            store.remove(())  # erases what was removed or has expired before
    write_durably(home / _CHECKED, serving)
    return renewal


def refresh_answers(settings: Settings, lost: "Sequence[LostAnswer]", progress: Progress) -> "Refreshed":
    """Answer questions whose cached answers died afresh, within `cache.refresh_usd`. Raises as `build_service` and `ask`."""
    from app.caching.renewal import refresh

    with closing(build_service(settings)) as service:
        return refresh(service.ask, lost, Decimal(settings.cache.refresh_usd), progress)


@contextmanager
def open_inspection(settings: Settings) -> "Iterator[tuple[AnswerService, OpenGeneration]]":
    """A service to ask what it would do, and the generation that serves. Raises as `open_serving_generation`."""
    with open_serving_generation(settings) as generation, closing(build_service(settings)) as service:
        yield service, generation


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return None
