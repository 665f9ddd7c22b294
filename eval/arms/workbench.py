"""A dataset made ready: its documents indexed by the product itself, in a home of their own, and opened for asking."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.access.callers import Caller
from app.answering.profiles import ProfileStore
from app.answering.service import AnswerService
from app.bootstrap import (
    build_context_settings,
    build_embedder,
    build_embedding_cache,
    build_generations,
    build_prices,
    build_rungs,
    build_service,
    build_sources,
    open_sync_tools,
)
from app.bootstrap.ledger import build_ledger
from app.costs.hits import AnsweringLedger
from app.costs.pricing import Price
from app.generation.endpoints import Rungs
from app.home import prepare_home
from app.settings import Settings
from eval.arms.baselines import Page
from eval.callers import eval_caller
from eval.datasets.cases import Dataset, exclude_unfindable
from eval.datasets.quotes import normalised_page
from indexing.chunking import CHUNKER_VERSION, chunk_document
from indexing.documents import DEFAULT_TENANT, EVERYONE, Document
from indexing.embedding import Embedder, EmbeddingCache
from indexing.files import write_durably
from indexing.generations import Generations
from indexing.planning import Progress, SyncTools
from indexing.sources import DocumentSource, Skipped
from indexing.sync import sync
from indexing.tokens import TokenCounter
from retrieval.context import ContextSettings
from retrieval.leasing import OpenGeneration
from retrieval.weights import Weights, shipped_weights

_EVAL_FOLDER: Final = "eval"
_PAGES_FILE: Final = "pages.json"
_HASH_DIGITS: Final = 16
_BATCH: Final = 128


@dataclass(frozen=True, slots=True)
class Workbench:
    """Everything that arms and tuning work with.

    `settings` are the product's, `own_settings` the same with the home that the index lies in. `pages` are the parsed documents;
    `context_settings` those of the profile in force, or of the settings; `price` is that of the baseline's model, `None` when it
    is not listed; `profile` the name of the profile in force. `rungs` are the models that answer; what they cost stands in
    `ledger`: the product's own where endpoints are configured, otherwise one beside the index.
    """

    dataset: Dataset
    settings: Settings
    own_settings: Settings
    pages: tuple[Page, ...]
    generation: OpenGeneration
    caller: Caller
    service: AnswerService
    embedder: Embedder
    counter: TokenCounter
    weights: Weights
    context_settings: ContextSettings
    profile: str | None
    price: Price | None
    prices_version: str
    rungs: Rungs
    ledger: AnsweringLedger
    cache: EmbeddingCache
    index_recipe: str

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, from the product's cache where it has them: `(len(texts), dimension)`, float32, in order."""
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        found: dict[str, NDArray[np.float32]] = dict(self.cache.get_many(hashes))
        unknown = {name: text for name, text in zip(hashes, texts, strict=True) if name not in found}
        names = sorted(unknown, key=lambda name: (len(unknown[name]), name))  # texts of equal length waste no padding
        for start in range(0, len(names), _BATCH):
            some = names[start : start + _BATCH]
            vectors = dict(zip(some, self.embedder.embed_documents([unknown[name] for name in some]), strict=True))
            self.cache.put_many(vectors)
            found |= vectors
        return np.array([found[name] for name in hashes], dtype=np.float32).reshape(len(texts), self.embedder.spec.dimension)


@contextmanager
def open_workbench(
    settings: Settings,
    dataset: Dataset,
    progress: Progress,
    embedder: Embedder | None = None,
    rungs: Rungs | None = None,
) -> Iterator[Workbench]:
    """Index a dataset's documents, as far as that has not been done, check its quotes, and open it.

    The index lies in a home of its own under `FARTHING_HOME/eval`, named by the hash of the documents; embeddings go through the
    product's own cache, so that nothing is embedded twice.

    Args:
        settings: The product's settings.
        dataset: As `load_dataset` gives it.
        progress: Is told how far the indexing is.
        embedder: Replaces the configured model.
        rungs: Replaces the configured endpoints.

    Raises:
        PriceFileError: The price file cannot be used.
        DatasetError: Too many quotes are not on their pages.
        ProfileError: The profile in force was tuned with another embedding model.
        HomeError, IndexingError: The documents cannot be indexed.
    """
    own = _own_settings(settings, dataset)
    embedder = embedder or build_embedder(settings)
    profile = ProfileStore(settings.home.resolve()).current(embedder.spec)
    context_settings = profile.settings if profile else build_context_settings(settings)
    with ExitStack() as stack:
        cache = stack.enter_context(closing(build_embedding_cache(settings, embedder)))
        tools = replace(stack.enter_context(open_sync_tools(own, embedder)), cache=cache)
        dataset, documents = _index(dataset, own, tools, progress)
        weights = shipped_weights()
        generation = stack.enter_context(_open_generation(own, embedder, tools.counter, weights))
        ledger = stack.enter_context(closing(build_ledger(settings if settings.endpoints else own)))
        prices = build_prices(settings)
        rungs = build_rungs(settings) if rungs is None else rungs
        service = stack.enter_context(closing(build_service(own, embedder, lambda: context_settings, rungs, ledger)))
        yield Workbench(
            dataset=dataset,
            settings=settings,
            own_settings=own,
            pages=tuple(Page(one.path, one.markdown) for one in documents.values() if one.markdown.strip()),
            generation=generation,
            caller=eval_caller(generation.labels),
            service=service,
            embedder=embedder,
            counter=tools.counter,
            weights=weights,
            context_settings=context_settings,
            profile=profile.name if profile else None,
            price=prices.price(settings.baseline.model),
            prices_version=prices.version,
            rungs=rungs,
            ledger=ledger,
            cache=cache,
            index_recipe=tools.recipe,
        )


def _own_settings(settings: Settings, dataset: Dataset) -> Settings:
    """The same settings with the home of the dataset's index, which is made."""
    home = prepare_home(settings.home) / _EVAL_FOLDER / dataset.docs_hash[:_HASH_DIGITS]
    # Every case is answered for itself: an answer from the cache would measure another one.
    cache = settings.cache.model_copy(update={"enabled": False})
    return settings.model_copy(update={"home": prepare_home(home), "cache": cache})


def _index(dataset: Dataset, settings: Settings, tools: SyncTools, progress: Progress) -> tuple[Dataset, dict[str, Document]]:
    """Index the documents, unless too many quotes are not on them; the cases that can be asked, and the parsed documents."""
    sources = build_sources(settings, [dataset.docs], (), None)
    documents = _documents(settings.home / _PAGES_FILE, sources, tools)
    findable = exclude_unfindable(dataset, _evidence_pages(dataset, documents, tools))
    sync(sources, tools, progress)
    return findable, documents


@contextmanager
def _open_generation(settings: Settings, embedder: Embedder, counter: TokenCounter, weights: Weights) -> Iterator[OpenGeneration]:
    """The generation that serves in the home of the settings."""
    identity = Generations(settings.home).current().generation
    with (
        closing(build_generations(settings, embedder, counter, weights)) as generations,
        closing(generations.open(identity)) as one,
    ):
        yield one


def _documents(file: Path, sources: Sequence[DocumentSource], tools: SyncTools) -> dict[str, Document]:
    """The parsed documents by their path; kept in a file, so that a second run starts no parser."""
    recipe = f"{tools.parser.version}, {CHUNKER_VERSION}"
    kept = _kept(file, recipe)
    if kept is None:
        raws = (item for source in sources for item in source.documents() if not isinstance(item, Skipped))
        parsed = ((raw, result) for raw, result in tools.parser.parse(raws) if not isinstance(result, Skipped))
        kept = {raw.path: (result.title, result.markdown) for raw, result in parsed}
        write_durably(file, json.dumps({"recipe": recipe, "pages": kept}, ensure_ascii=False))
    return {
        path: Document(path, DEFAULT_TENANT, "", path, path, title, markdown, None, (EVERYONE,), "")
        for path, (title, markdown) in kept.items()
    }


def _kept(file: Path, recipe: str) -> dict[str, tuple[str | None, str]] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["recipe"] == recipe:
            return {path: (title, markdown) for path, (title, markdown) in content["pages"].items()}
    except (OSError, ValueError, KeyError, TypeError):  # absent or torn: parsed again
        pass
    return None


def _evidence_pages(dataset: Dataset, documents: Mapping[str, Document], tools: SyncTools) -> dict[str, str]:
    wanted = {page for case in dataset.cases for page in case.gold_documents}
    chunks = {page: chunk_document(documents[page], tools.counter, tools.language) for page in sorted(wanted & documents.keys())}
    return {page: normalised_page(found) for page, found in chunks.items()}
