"""The composition root: the one place where adapters are chosen and parts are put together.

What is put together of several parts stands here; its modules build the parts.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from app.answering.serving import IndexHandle
from app.bootstrap.index import Engine, HomeGenerations, build_embedding_cache, require_match
from app.bootstrap.models import build_prices
from app.bootstrap.sources import build_sources, refuse_overlaps
from app.bootstrap.status import read_status
from app.home import check_home
from app.settings import Settings
from indexing.embedding import Embedder
from indexing.generations import Generations
from indexing.planning import SyncTools
from indexing.tokens import TokenCounter
from retrieval.weights import Weights, shipped_weights

if TYPE_CHECKING:  # commands that need only some of these must not wait for the others
    from fastapi import FastAPI

    from app.answering.profiles import ContextSettings
    from app.answering.service import AnswerService
    from app.errors import AppError

__all__ = [
    "Engine",
    "HomeGenerations",
    "build_application",
    "build_context_settings",
    "build_counter",
    "build_embedder",
    "build_embedding_cache",
    "build_generations",
    "build_prices",
    "build_service",
    "build_sources",
    "open_sync_tools",
    "read_status",
    "refuse_overlaps",
    "require_match",
]


def build_embedder(settings: Settings) -> Embedder:
    """The configured embedding model. It is loaded by its first text."""
    from indexing.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder

    return SentenceTransformersEmbedder(settings.embedding.model, home=settings.home.resolve())


def build_counter() -> TokenCounter:
    """The tokenizer that sizes, budgets and the baseline are counted with."""
    from indexing.adapters.tiktoken_counter import TiktokenCounter

    return TiktokenCounter()


def build_context_settings(settings: Settings) -> "ContextSettings":
    """How much an answer reads as long as no profile is in force."""
    from app.answering.profiles import ContextSettings

    return ContextSettings(settings.retrieval.budget_tokens)


def build_service(
    settings: Settings, embedder: Embedder | None = None, context_settings: "Callable[[], ContextSettings] | None" = None
) -> "AnswerService":
    """Put the answering flow together. Nothing is opened or loaded before the first question.

    Args:
        settings: The settings.
        embedder: Replaces the configured model.
        context_settings: Replaces the profile in force.

    Raises:
        HomeError: The home cannot be used safely.
    """
    from app.answering.profiles import LiveContextSettings, ProfileStore
    from app.answering.service import AnswerService
    from app.costs.baseline import NaiveBaseline

    embedder = embedder or build_embedder(settings)
    counter, weights = build_counter(), shipped_weights()
    if context_settings is None:
        store, plain = ProfileStore(settings.home.resolve()), build_context_settings(settings)
        context_settings = LiveContextSettings(store, plain, lambda: embedder.spec, _report_profile)
    return AnswerService(
        index=IndexHandle(build_generations(settings, embedder, counter, weights), _report_failure),
        embedder=embedder,
        counter=counter,
        weights=weights,
        context_settings=context_settings,
        baseline=NaiveBaseline(counter, build_prices().price(settings.baseline.model), settings.baseline.output_tokens),
        max_question_characters=settings.answering.max_question_characters,
    )


def build_generations(settings: Settings, embedder: Embedder, counter: TokenCounter, weights: Weights) -> HomeGenerations:
    """The generations of the configured home, for reading. Raises `HomeError`."""
    check_home(settings.home)
    home = settings.home.resolve()
    return HomeGenerations(Generations(home), Engine(settings, home), lambda: embedder.spec, counter, weights)


def build_application(settings: Settings, embedder: Embedder | None = None) -> "FastAPI":
    """Put the HTTP surface together. Raises `HomeError`."""
    from app.api.application import create_application

    return create_application(
        service=build_service(settings, embedder),
        read_status=partial(read_status, settings),
        http_labels=settings.access.http_labels,
        slots=settings.server.slots,
        queue=settings.server.queue,
    )


@contextmanager
def open_sync_tools(settings: Settings, embedder: Embedder | None = None) -> Iterator[SyncTools]:
    """What an indexing run works with; its parser, cache and connections are closed at the end.

    Raises:
        HomeError: The home cannot be used safely.
        ChunkIndexError: A server cannot be reached.
    """
    from indexing.adapters.parser_process import SubprocessParser

    check_home(settings.home)
    home = settings.home.resolve()
    embedder = embedder or build_embedder(settings)
    with ExitStack() as stack:
        engine = stack.enter_context(closing(Engine(settings, home)))
        cache = stack.enter_context(closing(build_embedding_cache(settings, embedder)))
        parser = SubprocessParser(
            memory_limit_bytes=settings.parser.memory_bytes,
            time_limit_s=settings.parser.timeout_s,
            max_file_bytes=settings.index.max_file_bytes,
        )
        stack.enter_context(closing(parser))
        yield SyncTools(Generations(home), engine.store(), engine.name, parser, build_counter(), embedder, cache)


def _report_failure(generation: str, error: Exception) -> None:
    import structlog  # an indexing run, which never gets here, starts without it

    log = structlog.get_logger("farthing.index")
    log.warning("a new generation cannot be opened; the old one serves on", generation=generation, reason=str(error))


def _report_profile(error: "AppError") -> None:
    import structlog  # as above

    log = structlog.get_logger("farthing.profiles")
    log.warning("a profile cannot be used; what was in use before stays in use", reason=str(error))
