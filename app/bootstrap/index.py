"""The configured index: its engine, and the generations that a home keeps."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.home import check_home
from app.jobs.checkup import Check
from app.settings import Settings
from indexing.catalog import Catalog
from indexing.embedding import Embedder, EmbedderSpec
from indexing.errors import IndexMismatchError
from indexing.generations import Generations, IndexManifest
from indexing.index import ChunkIndexStore
from indexing.language import Language, language
from indexing.tokens import TokenCounter
from retrieval.leasing import OpenGeneration
from retrieval.lexicon import lexicon_rarity
from retrieval.retriever import Retriever
from retrieval.search import PassageSearcher
from retrieval.weights import Weights, shipped_weights

if TYPE_CHECKING:  # the embedded engine must not wait for the server's client
    from qdrant_client import QdrantClient

    from app.jobs.status import LocalStatusShape
    from indexing.adapters.embedding_cache import DiskEmbeddingCache

_EMBEDDINGS: Final = "embeddings"
_SCRATCH: Final = "run"


class Engine:
    """The configured index engine: its writing and its reading side. A server is connected to when it is first needed."""

    def __init__(self, settings: Settings, home: Path) -> None:
        self._settings = settings
        self._home = home
        self._language = language(settings.language)

    @property
    def name(self) -> str:
        """The engine's name, as manifests carry it."""
        return self._settings.index.engine

    def store(self) -> ChunkIndexStore:
        """The writing side. Raises `ChunkIndexError` when a server cannot be reached."""
        if self.name == "qdrant":
            from indexing.adapters.qdrant_index import QdrantIndexStore

            return QdrantIndexStore(self._client, self._settings.qdrant.collection_prefix, self._language)
        from indexing.adapters.edge_index import EdgeIndexStore

        return EdgeIndexStore(self._language)

    def searcher(self, manifest: IndexManifest, directory: Path) -> PassageSearcher:
        """The reading side of one generation. Raises `ChunkIndexError`."""
        if self.name == "qdrant":
            from indexing.adapters.qdrant_index import collection_name
            from retrieval.adapters.qdrant_searcher import QdrantPassageSearcher

            collection = collection_name(self._settings.qdrant.collection_prefix, manifest.generation)
            return QdrantPassageSearcher(self._client, collection, manifest.embedder.dimension, self._language)
        from retrieval.adapters.edge_searcher import EdgePassageSearcher

        return EdgePassageSearcher(directory, manifest.embedder.dimension, self._language, self._home / _SCRATCH)

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
        self,
        generations: Generations,
        engine: Engine,
        spec: Callable[[], EmbedderSpec],
        counter: TokenCounter,
        weights: Weights,
        language: Language,
    ) -> None:
        self._generations = generations
        self._engine = engine
        self._language = language
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
        require_match(manifest, self._engine.name, self._language.code, self._spec())
        catalog = Catalog(directory)
        try:
            searcher = self._engine.searcher(manifest, directory)
        except BaseException:
            catalog.close()
            raise
        retriever = Retriever(searcher, catalog, self._counter, self._weights, self._language)
        return OpenGeneration(
            generation, searcher, retriever, catalog.labels(), lexicon_rarity(catalog), partial(_close, searcher, catalog)
        )

    def close(self) -> None:
        """Close what all generations share."""
        self._engine.close()


def require_match(manifest: IndexManifest, engine: str, language: str, spec: EmbedderSpec) -> None:
    """Check that an index fits the settings. The arithmetic (`variant`) may differ: its vectors are all but equal.

    Raises:
        IndexMismatchError: It was built by another engine, for another language, or with another model.
    """
    built = manifest.embedder
    if manifest.engine != engine:
        raise IndexMismatchError(
            f"The index was built by the engine {manifest.engine!r}, and index.engine is {engine!r}. "
            "Set it back, or run `farthing index` again."
        )
    if manifest.language != language:
        raise IndexMismatchError(
            f"The index was built for documents in the language {manifest.language!r}, and language is {language!r}. "
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


def build_generations(settings: Settings, embedder: Embedder, counter: TokenCounter, weights: Weights) -> HomeGenerations:
    """The generations of the configured home, for reading. Raises `HomeError`."""
    check_home(settings.home)
    home = settings.home.resolve()
    return HomeGenerations(
        Generations(home), Engine(settings, home), lambda: embedder.spec, counter, weights, language(settings.language)
    )


def checks(settings: Settings) -> Iterator[Check]:
    """Whether model, tokenizer, engine and index can be used."""
    yield Check("model", partial(_check_model, settings))
    yield Check("tokenizer", _check_tokenizer)
    yield Check("engine", partial(_check_engine, settings))
    yield Check("index", partial(_check_index, settings))


def read_status(settings: Settings) -> "LocalStatusShape":
    """What is indexed.

    Raises:
        HomeError: The home cannot be used safely.
        ChunkIndexError: Nothing has been indexed yet, or the index is not understood.
    """
    from app.jobs import status

    check_home(settings.home)
    home = settings.home.resolve()
    return status.read_status(Generations(home), home / _EMBEDDINGS)


def build_counter() -> TokenCounter:
    """The tokenizer that sizes, budgets and the baseline are counted with."""
    from indexing.adapters.tiktoken_counter import TiktokenCounter

    return TiktokenCounter()


def build_embedding_cache(settings: Settings, embedder: Embedder) -> "DiskEmbeddingCache":
    """The vectors that this home keeps; the caller closes it."""
    from indexing.adapters.embedding_cache import DiskEmbeddingCache

    return DiskEmbeddingCache(settings.home.resolve() / _EMBEDDINGS, lambda: embedder.spec)


def _close(searcher: PassageSearcher, catalog: Catalog) -> None:
    searcher.close()
    catalog.close()


def _check_model(settings: Settings) -> str:
    embedder = build_embedder(settings)
    embedder.embed_query("ready?")  # loads the weights, and checks them
    return f"{embedder.spec.model}, {embedder.spec.dimension} dimensions, {embedder.spec.variant}"


def _check_tokenizer() -> str:
    counter = build_counter()
    counter.count("ready?")
    return counter.name


def _check_engine(settings: Settings) -> str:
    with closing(Engine(settings, settings.home.resolve())) as engine:
        engine.store()  # asks a server for its version
        return f"{engine.name} at {settings.qdrant.url}" if engine.name == "qdrant" else f"{engine.name}, in this process"


def _check_index(settings: Settings) -> str:
    generations = build_generations(settings, build_embedder(settings), build_counter(), shipped_weights())
    try:
        current = generations.current()
        if current is None:
            return "nothing has been indexed yet; `farthing index PATH` does"
        generations.open(current).close()
    finally:
        generations.close()
    return f"generation {current} can be asked"
