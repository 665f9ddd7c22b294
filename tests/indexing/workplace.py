"""A home with fakes around the real sync, and what its index holds, in a form that two homes can be compared by."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexing.catalog import CATALOG_FILE
from indexing.documents import Chunk
from indexing.embedding import Embedder, EmbeddingCache
from indexing.generations import Generations
from indexing.index import ChunkIndexStore
from indexing.language import ENGLISH, Language
from indexing.parsing import DocumentParser
from indexing.planning import SyncTools
from indexing.sources import DocumentSource
from indexing.sync import SyncReport, sync
from indexing.tokens import TokenCounter
from tests.fakes.chunk_index import FakeChunkIndexStore
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.embedding_cache import FakeEmbeddingCache
from tests.fakes.parser import FakeParser
from tests.fakes.tokens import FakeTokenCounter


@dataclass(slots=True)
class Workplace:
    home: Path
    store: ChunkIndexStore = field(default_factory=FakeChunkIndexStore)
    parser: DocumentParser = field(default_factory=FakeParser)
    counter: TokenCounter = field(default_factory=FakeTokenCounter)
    embedder: Embedder = field(default_factory=FakeEmbedder)
    cache: EmbeddingCache = field(default_factory=FakeEmbeddingCache)
    engine: str = "fake"
    language: Language = ENGLISH

    @property
    def generations(self) -> Generations:
        return Generations(self.home)

    @property
    def tools(self) -> SyncTools:
        return SyncTools(
            generations=self.generations,
            store=self.store,
            engine=self.engine,
            parser=self.parser,
            counter=self.counter,
            embedder=self.embedder,
            cache=self.cache,
            language=self.language,
        )

    def sync(self, *sources: DocumentSource) -> SyncReport:
        return sync(sources, self.tools)

    def serving(self) -> str:
        return self.generations.current().generation

    def points(self) -> dict[str, tuple[Chunk, list[float]]]:
        """Chunks and vectors of the serving generation of the fake index."""
        assert isinstance(self.store, FakeChunkIndexStore)
        points = self.store.points(self.serving(), self.embedder.spec.dimension)
        return {identity: (chunk, vector.tolist()) for identity, (chunk, vector) in points.items()}

    def texts(self) -> list[str]:
        return sorted(chunk.text for chunk, _ in self.points().values())

    def catalog(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table of the serving generation's catalog."""
        return catalog_rows(self.generations.directory(self.serving()))


def catalog_rows(directory: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(directory / CATALOG_FILE)) as connection:
        tables = ("documents", "chunks", "skipped", "terms", "aliases")
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


def page(title: str, *sections: str) -> str:
    """A page with a title and a section for each text, headed `Part 1`, `Part 2` and so on."""
    return "\n".join([f"# {title}", *(f"\n## Part {n}\n\n{text}\n" for n, text in enumerate(sections, start=1))])


def texts_of(embedder: FakeEmbedder, words: Sequence[str]) -> list[bool]:
    """Which of these words stand in what has been embedded so far."""
    return [any(word in text for text in embedder.embedded) for word in words]
