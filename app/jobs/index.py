"""Bringing the index up to date, and after it the answers that were made from it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.costs.pricing import PriceBook, Usage, plain_usd, price_usage
from app.home import prepare_home
from app.jobs.errors import DOMAIN_ERRORS
from indexing.files import write_durably
from indexing.generations import Generations
from indexing.planning import Progress, SyncTools
from indexing.sources import DocumentSource
from indexing.sync import SyncReport, dry_run, sync
from retrieval.leasing import OpenGeneration

if TYPE_CHECKING:  # a run that changes nothing must not wait for them
    from app.answering.service import AnswerService
    from app.caching.renewal import LostAnswer, Refreshed, Renewal
    from app.caching.store import TendedStore

_CHECKED: Final = "answers-checked"
"""The file of a home that names the generation that all cached answers were last held against."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the embedding would take: seconds here, and the bill of an embedding API; `None` is unknown."""

    seconds: float | None
    embedding_api_usd: Decimal | None
    model: str

    def to_json(self) -> dict[str, float | str | None]:
        """The estimate as JSON."""
        seconds = None if self.seconds is None else round(self.seconds, 1)
        return {"seconds": seconds, "embedding_api_usd": plain_usd(self.embedding_api_usd), "model": self.model}


@dataclass(frozen=True, slots=True)
class CacheReport:
    """What became of the cached answers, and of those that were to be made afresh."""

    renewal: "Renewal"
    refreshed: "Refreshed | None"

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return {**self.renewal.to_json(), "refreshed": self.refreshed and self.refreshed.to_json()}


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a run came to. The new index serves, whatever became of the cached answers.

    `cached` is `None` where there were none to look at. Where not all were looked at, `interrupted` or the `problem` says why.
    """

    report: SyncReport
    cached: CacheReport | None
    problem: str | None = None
    interrupted: bool = False


class Indexing:
    """Brings the index of a home up to date, and the cached answers with it."""

    def __init__(
        self,
        home: Path,
        open_tools: Callable[[], AbstractContextManager[SyncTools]],
        open_answers: "Callable[[], AbstractContextManager[TendedStore]] | None",
        open_generation: Callable[[], AbstractContextManager[OpenGeneration]],
        open_service: "Callable[[], AbstractContextManager[AnswerService]]",
        refresh_usd: Decimal,
    ) -> None:
        """Put it together. Everything is opened when it is needed; what that raises comes through.

        Args:
            home: Where it all lies; it is made when it is missing.
            open_tools: Opens what a sync works with.
            open_answers: Opens the answer cache; `None` where it is off.
            open_generation: Opens the generation that serves.
            open_service: Opens what answers questions afresh.
            refresh_usd: What answering afresh may cost after one sync.
        """
        self._home = home
        self._open_tools = open_tools
        self._open_answers = open_answers
        self._open_generation = open_generation
        self._open_service = open_service
        self._refresh_usd = refresh_usd

    def run(self, sources: Sequence[DocumentSource], refreshed: int, progress: Progress) -> Indexed:
        """Read the sources and write what changed; then look after the cached answers.

        Args:
            sources: What is indexed.
            refreshed: How many of the most asked questions at most are answered afresh whose cached answers died.
            progress: Is told how far it is: as by `sync`, and then in the phases `check` and `refresh` (answers).

        Raises:
            HomeError: The home cannot be used safely.
            IndexingError: The index cannot be brought up to date; the one that was there serves on.
        """
        prepare_home(self._home)
        with self._open_tools() as tools:
            report = sync(sources, tools, progress)
        cached = None
        try:
            if renewal := self.renew(progress):
                cached = CacheReport(renewal, None)
                if lost := renewal.lost[:refreshed]:
                    cached = CacheReport(renewal, self.refresh(lost, progress))
        except KeyboardInterrupt:
            return Indexed(report, cached, interrupted=True)
        except DOMAIN_ERRORS as error:
            return Indexed(report, cached, str(error))
        return Indexed(report, cached)

    def renew(self, progress: Progress) -> "Renewal | None":
        """Hold the cached answers against the generation that serves; `None` where that has been done, or there are none.

        Raises:
            AnswerStoreError: The cache cannot be read or written.
            ChunkIndexError: The index cannot be opened.
            SearchError: The index engine failed.
        """
        home = self._home.resolve()
        serving = Generations(home).current_id()
        if self._open_answers is None or serving is None or _read(home / _CHECKED) == serving:
            return None
        renewal = None
        with self._open_answers() as store:
            if store.usage().entries:
                from app.caching.renewal import renew  # noqa: PLC0415 - as above

                with self._open_generation() as generation:
                    renewal, serving = renew(store, generation, progress), generation.id
            else:
                store.remove(())  # erases what was removed or has expired before
        write_durably(home / _CHECKED, serving)
        return renewal

    def refresh(self, lost: "Sequence[LostAnswer]", progress: Progress) -> "Refreshed":
        """Answer questions afresh whose cached answers died, for as much money as that may cost. Raises as opening a service."""
        from app.caching.renewal import refresh  # noqa: PLC0415 - as above

        with self._open_service() as service:
            return refresh(service.ask, lost, self._refresh_usd, progress)


def estimate(
    sources: Sequence[DocumentSource], tools: SyncTools, prices: PriceBook, model: str, progress: Progress
) -> tuple[SyncReport, Estimate]:
    """Say what a run would do, and what it would take here, or by an embedding API's `model`. Raises as `dry_run`."""
    report, seconds = dry_run(sources, tools, progress)
    return report, Estimate(seconds, price_usage(Usage(report.tokens_embedded, 0), prices.price(model)), model)


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return None
