"""The answering flow, put together."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.bootstrap.caching import build_auditor, build_calibration, build_memory
from app.bootstrap.index import build_counter, build_embedder, build_generations
from app.bootstrap.ledger import build_ledger, build_restraint_shares
from app.bootstrap.models import build_prices, build_rungs
from app.home import check_home
from app.settings import Settings
from indexing.embedding import Embedder
from indexing.generations import Generations
from indexing.language import language
from retrieval.leasing import IndexHandle, OpenGeneration
from retrieval.weights import shipped_weights

if TYPE_CHECKING:  # commands that need only some of these must not wait for the others
    from app.answering.service import AnswerService
    from app.caching.rules.calibration import Calibration
    from app.costs.hits import AnsweringLedger
    from app.errors import AppError
    from app.generation.endpoints import Rungs
    from app.jobs.provider_batch import ProviderBatch
    from retrieval.context import ContextSettings


_SEARCHES_AT_ONCE: Final = 2
"""One is in the model while the other is in the interpreter. More hold each other up: with eight questions at once, 65 to 80 ms
were added to the provider's time without turns, 50 with them (`eval/benchmarks/overhead.py`, the faster provider)."""


def build_context_settings(settings: Settings) -> "ContextSettings":
    """How much an answer reads as long as no profile is in force."""
    from retrieval.context import ContextSettings

    return ContextSettings(settings.retrieval.budget_tokens)


def build_service(
    settings: Settings,
    embedder: Embedder | None = None,
    context_settings: "Callable[[], ContextSettings] | None" = None,
    rungs: "Rungs | None" = None,
    ledger: "AnsweringLedger | None" = None,
    calibration: "Callable[[], Calibration] | None" = None,
) -> "AnswerService":
    """Put the answering flow together. Nothing is opened or loaded before the first question.

    Args:
        settings: The settings.
        embedder: Replaces the configured model.
        context_settings: Replaces the profile in force.
        rungs: Replaces the configured endpoints.
        ledger: Replaces the configured ledger, which is closed with the service; this one is its caller's.
        calibration: Replaces the answer cache's own.

    Raises:
        HomeError: The home cannot be used safely.
        PriceFileError: The price file cannot be used.
    """
    from app.answering.measuring import Measuring, NaivePrompts
    from app.answering.naive_prompt import NaiveBaseline
    from app.answering.service import AnswerService
    from app.generation.accounting import Accounts
    from app.ladder.climb import Ladder, LadderSettings

    check_home(settings.home)
    embedder = embedder or build_embedder(settings)
    counter, weights, prices = build_counter(), shipped_weights(), build_prices(settings)
    rungs = build_rungs(settings) if rungs is None else rungs
    books, close = (ledger, lambda: None) if ledger else _own_ledger(settings)
    ladder_settings = LadderSettings(settings.ladder.wide_budget_tokens, settings.ladder.extractive_from, settings.ladder.judge)
    generations = build_generations(settings, embedder, counter, weights)
    index = IndexHandle(generations, _report_failure)
    baseline = NaiveBaseline(counter, prices.price(settings.baseline.model), settings.baseline.output_tokens)
    naive = NaivePrompts(index, embedder, baseline)
    ladder = Ladder(rungs, ladder_settings, weights, counter)
    accounts = Accounts(books, build_restraint_shares(settings), prices.version, close)
    # A search that waits for a server holds nobody up; were it to take a turn, one that hangs would.
    turns = threading.Semaphore(_SEARCHES_AT_ONCE) if settings.index.engine == "edge" else None
    own = None if calibration or not settings.cache.enabled else build_calibration(settings)
    return AnswerService(
        index=index,
        embedder=embedder,
        counter=counter,
        language=language(settings.language),
        weights=weights,
        context_settings=context_settings or _follow_profiles(settings, embedder),
        memory=build_memory(
            settings,
            rungs,
            books,
            [settings.embedding.model, settings.language, weights],
            calibration or own,
            generations.current,
        ),
        ladder=ladder,
        accounts=accounts,
        baseline=baseline,
        measuring=Measuring(settings.measuring.share, naive.write, rungs, books, prices.version, counter),
        max_question_characters=settings.answering.max_question_characters,
        auditor=build_auditor(settings, own, index.lease, ladder, accounts, counter) if own else None,
        reuse_searches=settings.cache.enabled,
        turns=turns,
    )


def _follow_profiles(settings: Settings, embedder: Embedder) -> "Callable[[], ContextSettings]":
    from app.answering.profiles import LiveContextSettings, ProfileStore

    store, plain = ProfileStore(settings.home.resolve()), build_context_settings(settings)
    return LiveContextSettings(store, plain, lambda: embedder.spec, _report_profile)


def _own_ledger(settings: Settings) -> "tuple[AnsweringLedger, Callable[[], None]]":
    from app.costs.write_behind import WriteBehindLedger

    own = build_ledger(settings)
    ledger = WriteBehindLedger(own, own.close)
    return ledger, ledger.close


@contextmanager
def open_serving_generation(settings: Settings) -> Iterator[OpenGeneration]:
    """The generation that serves, opened for reading without a service.

    Raises:
        HomeError: The home cannot be used safely.
        ChunkIndexError: Nothing has been indexed yet, or it cannot be opened.
    """
    generations = build_generations(settings, build_embedder(settings), build_counter(), shipped_weights())
    with closing(generations):
        generation = generations.open(Generations(settings.home.resolve()).current().generation)
        try:
            yield generation
        finally:
            generation.close()


@contextmanager
def open_service(settings: Settings) -> "Iterator[AnswerService]":
    """The answering flow, closed at the end. Raises as `build_service`."""
    with closing(build_service(settings)) as service:
        yield service


@contextmanager
def open_inspection(settings: Settings) -> "Iterator[tuple[AnswerService, OpenGeneration]]":
    """A service to ask what it would do, and the generation that serves. Raises as `open_serving_generation`."""
    with open_serving_generation(settings) as generation, open_service(settings) as service:
        yield service, generation


@contextmanager
def open_provider_batch(settings: Settings, file: Path) -> "Iterator[tuple[AnswerService, ProviderBatch]]":
    """The batch at a provider that a file remembers, and the flow that answers with its replies; both closed at the end.

    Raises:
        CommandError: No endpoint takes a batch, or nobody knows what it charges.
        BatchFileError: What an earlier run left cannot be read.
        HomeError, PriceFileError: As `build_service`.
    """
    from app.jobs.provider_batch import open_batch

    rungs = build_rungs(settings)
    with closing(build_ledger(settings)) as ledger:
        batch = open_batch(rungs, file, ledger)
        with closing(build_service(settings, rungs=rungs, ledger=ledger)) as service:
            yield service, batch


def _report_failure(generation: str, error: Exception) -> None:
    import structlog  # an indexing run, which never gets here, starts without it

    log = structlog.get_logger("farthing.index")
    log.warning("a new generation cannot be opened; the old one serves on", generation=generation, reason=str(error))


def _report_profile(error: "AppError") -> None:
    import structlog  # as above

    log = structlog.get_logger("farthing.profiles")
    log.warning("a profile cannot be used; what was in use before stays in use", reason=str(error))
