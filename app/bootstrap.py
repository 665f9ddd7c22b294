"""The composition root: the one place where adapters are chosen and parts are put together."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.answering.serving import IndexHandle, OpenGeneration
from app.errors import CommandError
from app.home import check_home
from app.settings import Settings
from app.status import Status
from indexing.catalog import Catalog
from indexing.documents import AccessLabel, parse_labels
from indexing.embedding import Embedder, EmbedderSpec
from indexing.errors import IndexMismatchError
from indexing.generations import Generations, IndexManifest
from indexing.index import ChunkIndexStore
from indexing.planning import SyncTools
from indexing.sources import DocumentSource
from indexing.tokens import TokenCounter
from retrieval.retriever import Retriever
from retrieval.search import PassageSearcher
from retrieval.weights import Weights, shipped_weights

if TYPE_CHECKING:  # commands that need only some of these must not wait for the others
    from fastapi import FastAPI
    from qdrant_client import QdrantClient

    from app.answering.profiles import ContextSettings
    from app.answering.service import AnswerService
    from app.costs.pricing import PriceBook
    from app.errors import AppError
    from indexing.adapters.embedding_cache import DiskEmbeddingCache

_SCRATCH: Final = "run"
_EMBEDDINGS: Final = "embeddings"


class Engine:
    """The configured index engine: its writing and its reading side. A server is connected to when it is first needed."""

    def __init__(self, settings: Settings, home: Path) -> None:
        self._settings = settings
        self._home = home

    @property
    def name(self) -> str:
        """The engine's name, as manifests carry it."""
        return self._settings.index.engine

    def store(self) -> ChunkIndexStore:
        """The writing side. Raises `ChunkIndexError` when a server cannot be reached."""
        if self.name == "qdrant":
            from indexing.adapters.qdrant_index import QdrantIndexStore

            return QdrantIndexStore(self._client, self._settings.qdrant.collection_prefix)
        from indexing.adapters.edge_index import EdgeIndexStore

        return EdgeIndexStore()

    def searcher(self, manifest: IndexManifest, directory: Path) -> PassageSearcher:
        """The reading side of one generation. Raises `ChunkIndexError`."""
        if self.name == "qdrant":
            from indexing.adapters.qdrant_index import collection_name
            from retrieval.adapters.qdrant_searcher import QdrantPassageSearcher

            collection = collection_name(self._settings.qdrant.collection_prefix, manifest.generation)
            return QdrantPassageSearcher(self._client, collection, manifest.embedder.dimension)
        from retrieval.adapters.edge_searcher import EdgePassageSearcher

        return EdgePassageSearcher(directory, manifest.embedder.dimension, self._home / _SCRATCH)

    def close(self) -> None:
        """Close the connection to a server, if there is one."""
        client: QdrantClient | None = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    @cached_property
    def _client(self) -> "QdrantClient":
        from indexing.adapters.qdrant_index import connect_qdrant

        key = self._settings.qdrant.api_key.get_secret_value()
        return connect_qdrant(self._settings.qdrant.url, key or None, self._settings.qdrant.timeout_s)


class HomeGenerations:
    """`GenerationSource` over the generations of a home."""

    def __init__(
        self, generations: Generations, engine: Engine, spec: Callable[[], EmbedderSpec], counter: TokenCounter, weights: Weights
    ) -> None:
        self._generations = generations
        self._engine = engine
        self._spec = spec
        self._counter = counter
        self._weights = weights

    def current(self) -> str | None:
        """The id of the generation that should serve, or `None` when nothing has been indexed."""
        return self._generations.current_id()

    def open(self, generation: str) -> OpenGeneration:
        """Open a generation for asking.

        Raises:
            IndexMismatchError: It was built by another engine, or with another model, than the configured one.
            ChunkIndexError: It cannot be opened.
        """
        manifest, directory = self._generations.manifest(generation), self._generations.directory(generation)
        require_match(manifest, self._engine.name, self._spec())
        catalog = Catalog(directory)
        try:
            searcher = self._engine.searcher(manifest, directory)
        except BaseException:
            catalog.close()
            raise
        retriever = Retriever(searcher, catalog, self._counter, self._weights)
        return OpenGeneration(generation, searcher, retriever, catalog.labels(), partial(_close, searcher, catalog))

    def close(self) -> None:
        """Close what all generations share."""
        self._engine.close()


def require_match(manifest: IndexManifest, engine: str, spec: EmbedderSpec) -> None:
    """Check that an index fits the settings. The arithmetic (`variant`) may differ: its vectors are all but equal.

    Raises:
        IndexMismatchError: It was built by another engine, or with another model.
    """
    built = manifest.embedder
    if manifest.engine != engine:
        raise IndexMismatchError(
            f"The index was built by the engine {manifest.engine!r}, and index.engine is {engine!r}. "
            "Set it back, or run `farthing index` again."
        )
    if (built.model, built.revision, built.dimension) != (spec.model, spec.revision, spec.dimension):
        raise IndexMismatchError(
            f"The index was built with the model {built.model} ({built.dimension} dimensions, revision {built.revision[:12]}), "
            f"and embedding.model is {spec.model} ({spec.dimension} dimensions, revision {spec.revision[:12]}). "
            "Set embedding.model back, or run `farthing index` again."
        )


def build_embedder(settings: Settings) -> Embedder:
    """The configured embedding model. It is loaded by its first text."""
    from indexing.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder

    return SentenceTransformersEmbedder(settings.embedding.model, home=settings.home.resolve())


def build_counter() -> TokenCounter:
    """The tokenizer that sizes, budgets and the baseline are counted with."""
    from indexing.adapters.tiktoken_counter import TiktokenCounter

    return TiktokenCounter()


def build_prices() -> "PriceBook":
    """The table of what models charge."""
    from app.adapters.genai_prices import GenaiPriceBook

    return GenaiPriceBook()


def build_embedding_cache(settings: Settings, embedder: Embedder) -> "DiskEmbeddingCache":
    """The vectors that this home keeps; the caller closes it."""
    from indexing.adapters.embedding_cache import DiskEmbeddingCache

    return DiskEmbeddingCache(settings.home.resolve() / _EMBEDDINGS, lambda: embedder.spec)


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


def build_sources(
    settings: Settings, paths: Sequence[Path], labels: tuple[AccessLabel, ...], name: str | None
) -> list[DocumentSource]:
    """The sources of one indexing run: the paths of the command, or else the readers of the settings.

    Without a `name`, each path is a source of its own, named by its resolved path; with one, all paths are one source.
    """
    from indexing.adapters.folder_source import FolderSource
    from indexing.adapters.llamaindex_source import LlamaIndexSource

    limit = settings.index.max_file_bytes
    if name is not None:
        return [FolderSource(name, paths, labels, limit)]
    if paths:
        by_name = {str(path.resolve()): path for path in paths}
        return [FolderSource(resolved, [path], labels, limit) for resolved, path in by_name.items()]
    return [
        LlamaIndexSource(reader.name, reader.class_path, reader.arguments, parse_labels(reader.labels))
        for reader in settings.sources
    ]


def refuse_overlaps(settings: Settings, paths: Sequence[Path], name: str | None) -> None:
    """See to it that no page is indexed twice, under two sources that then go stale apart, each with labels of its own.

    Where indexed sources lie is known only of those without a name of their own; who gives a name looks after it.

    Raises:
        HomeError: The home cannot be used safely.
        CommandError: A path lies inside another one of the command, or inside or around one that is indexed already.
    """
    check_home(settings.home)
    named = [path.resolve() for path in paths]
    identity = Generations(settings.home.resolve()).current_id()
    indexed = Generations(settings.home.resolve()).manifest(identity).sources if identity else ()
    others = [Path(source) for source in indexed if name is None and source.startswith(os.sep) and Path(source) not in named]
    for number, path in enumerate(named):
        for other, known in [*((one, False) for one in named[number + 1 :]), *((one, True) for one in others)]:
            inner, outer = (path, other) if path.is_relative_to(other) else (other, path)
            if not inner.is_relative_to(outer):
                continue
            remedy = (
                f"Index {other} again instead, or remove it first: farthing index EMPTY_FOLDER --source {other}"
                if known
                else f"Name {outer} alone."
            )
            raise CommandError(f"{inner} lies inside {outer}: its pages would be indexed twice, and go stale apart. {remedy}")


def read_status(settings: Settings) -> Status:
    """What is indexed.

    Raises:
        HomeError: The home cannot be used safely.
        ChunkIndexError: Nothing has been indexed yet, or the index is not understood.
    """
    check_home(settings.home)
    home = settings.home.resolve()
    generations = Generations(home)
    manifest = generations.current()
    return Status(
        generation=manifest.generation,
        documents=manifest.documents,
        chunks=manifest.chunks,
        units=manifest.units,
        index_bytes=_allocated_bytes(generations.directory(manifest.generation)),
        cache_bytes=_allocated_bytes(home / _EMBEDDINGS),
        engine=manifest.engine,
        model=manifest.embedder.model,
        dimension=manifest.embedder.dimension,
        indexed_at=datetime.fromisoformat(manifest.created_at),
        indexed_by=manifest.created_by,
        sources=manifest.sources,
    )


def _report_failure(generation: str, error: Exception) -> None:
    import structlog  # an indexing run, which never gets here, starts without it

    log = structlog.get_logger("farthing.index")
    log.warning("a new generation cannot be opened; the old one serves on", generation=generation, reason=str(error))


def _report_profile(error: "AppError") -> None:
    import structlog  # as above

    log = structlog.get_logger("farthing.profiles")
    log.warning("a profile cannot be used; what was in use before stays in use", reason=str(error))


def _close(searcher: PassageSearcher, catalog: Catalog) -> None:
    searcher.close()
    catalog.close()


def _allocated_bytes(folder: Path) -> int:
    """What a folder takes on the disk; sparse files count by their blocks."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
