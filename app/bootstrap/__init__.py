"""The composition root: the one place where adapters are chosen and parts are put together.

What is put together of several parts stands here; its modules build the parts.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from app.bootstrap.answering import (
    build_context_settings,
    build_service,
    open_inspection,
    open_provider_batch,
    open_service,
    open_serving_generation,
)
from app.bootstrap.caching import open_answers, read_decision_basis
from app.bootstrap.index import (
    Engine,
    HomeGenerations,
    build_counter,
    build_embedder,
    build_embedding_cache,
    build_generations,
    read_status,
    require_match,
)
from app.bootstrap.ledger import build_ledger, open_ledger_reader
from app.bootstrap.models import build_prices, build_rungs
from app.bootstrap.sources import build_sources, refuse_overlaps
from app.home import check_home
from app.settings import Settings
from indexing.embedding import Embedder
from indexing.generations import Generations
from indexing.language import language
from indexing.planning import SyncTools

if TYPE_CHECKING:  # commands that need only some of these must not wait for the others
    from fastapi import FastAPI

    from app.caching.store import TendedStore
    from app.jobs.cache_care import CacheCare
    from app.jobs.feedback import Feedback
    from app.jobs.index import Indexing

__all__ = [
    "Engine",
    "HomeGenerations",
    "build_application",
    "build_cache_care",
    "build_context_settings",
    "build_counter",
    "build_embedder",
    "build_embedding_cache",
    "build_feedback",
    "build_generations",
    "build_indexing",
    "build_ledger",
    "build_prices",
    "build_rungs",
    "build_service",
    "build_sources",
    "open_answers",
    "open_inspection",
    "open_ledger_reader",
    "open_provider_batch",
    "open_service",
    "open_sync_tools",
    "read_decision_basis",
    "read_status",
    "refuse_overlaps",
    "require_match",
]


def build_application(settings: Settings, embedder: Embedder | None = None) -> "FastAPI":
    """Put the HTTP surface together. Raises `HomeError`."""
    from app.api.application import create_application
    from app.api.callers import Callers

    return create_application(
        service=build_service(settings, embedder),
        read_status=partial(read_status, settings),
        callers=Callers(settings.access.http_labels, settings.access.person_header, settings.access.team_header),
        feedback=build_feedback(settings),
        slots=settings.server.slots,
        queue=settings.server.queue,
    )


def build_cache_care(settings: Settings) -> "CacheCare":
    """What looks after cached answers. Opening them raises as `open_answers` and `open_inspection`."""
    from app.answers.codec import JsonAnswers
    from app.jobs.cache_care import CacheCare

    return CacheCare(
        partial(open_answers, settings),
        partial(open_inspection, settings),
        partial(open_ledger_reader, settings),
        JsonAnswers(),
        language(settings.language),
    )


def build_feedback(settings: Settings) -> "Feedback":
    """What takes in what people say of answers. Raises `HomeError` when it is used."""
    from app.jobs.feedback import Feedback

    reader = partial(open_ledger_reader, settings)
    return Feedback(reader, _answers(settings), settings.cache.ttl_s, language(settings.language))


def build_indexing(settings: Settings) -> "Indexing":
    """What brings index and cached answers up to date. Nothing is opened before it runs."""
    from app.jobs.index import Indexing

    return Indexing(
        home=settings.home,
        open_tools=partial(open_sync_tools, settings),
        open_answers=_answers(settings),
        open_generation=partial(open_serving_generation, settings),
        open_service=partial(open_service, settings),
        refresh_usd=Decimal(settings.cache.refresh_usd),
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
        yield SyncTools(
            Generations(home), engine.store(), engine.name, parser, build_counter(), embedder, cache, language(settings.language)
        )


def _answers(settings: Settings) -> "Callable[[], AbstractContextManager[TendedStore]] | None":
    """Opens the answer cache; `None` where it is off."""
    return partial(open_answers, settings) if settings.cache.enabled else None
