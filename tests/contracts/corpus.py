"""Small bodies of chunks for the contract suites, and what it takes to index and search them on any engine."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.documents import EVERYONE, AccessScope, Chunk, Unit, UnitKind, chunk_id, document_id
from indexing.index import ChunkIndexStore
from retrieval.search import PassageSearcher

DIMENSION = 8
TENANT = "acme"
ALL = AccessScope(TENANT, frozenset({EVERYONE}))


@dataclass(frozen=True, slots=True)
class Engine:
    """An index engine under test: its writing side, and how its reading side is opened."""

    store: ChunkIndexStore
    root: Path
    open_searcher: Callable[[str, Path, int], PassageSearcher]

    def directory(self, generation: str) -> Path:
        directory = self.root / generation
        directory.mkdir(exist_ok=True)
        return directory

    def commit(self, generation: str, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        index = self.store.create(generation, self.directory(generation), vectors.shape[1])
        index.upsert(chunks, vectors)
        index.commit()

    @contextmanager
    def searching(self, generation: str, dimension: int = DIMENSION) -> Iterator[PassageSearcher]:
        searcher = self.open_searcher(generation, self.directory(generation), dimension)
        try:
            yield searcher
        finally:
            searcher.close()


def make_chunk(
    text: str,
    *,
    document: str = "page.md",
    ordinal: int = 0,
    tenant: str = TENANT,
    labels: tuple[str, ...] = (EVERYONE,),
    occurrence: int = 0,
) -> Chunk:
    """A chunk of one sentence under two headings, with everything that the codec must carry."""
    page = document_id(tenant, "docs", document)
    return Chunk(
        id=chunk_id(page, ("Rules", "Travel"), text, occurrence),
        tenant=tenant,
        document_id=page,
        document_path=document,
        uri=f"https://example.org/{document}",
        title="Länder & “Reisen”",
        heading_path=("Rules", "Travel"),
        ordinal=ordinal,
        first_unit=ordinal * 3,
        text=text,
        units=(Unit(0, len(text), UnitKind.SENTENCE, (3, 4)), Unit(0, 1, UnitKind.ITEM, None, 0)),
        labels=labels,
        embedding_text=f"Rules > Travel\n{text}",
        words_text=text,
    )


def relabelled(chunk: Chunk, *labels: str) -> Chunk:
    """The same chunk for other readers."""
    return replace(chunk, labels=labels)


def unit_vectors(count: int, dimension: int = DIMENSION, seed: int = 0) -> NDArray[np.float32]:
    """Random directions, shape `(count, dimension)`, normalised."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    normalised: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normalised


def random_text(draw: random.Random, words: int = 12) -> str:
    """Words that no stemmer and no list of stop words touches."""
    return " ".join(f"w{draw.randrange(60)}" for _ in range(words))


def random_body(draw: random.Random, count: int) -> list[Chunk]:
    """Chunks of three tenants, with labels that look alike, several to a document."""
    labels = ("everyone", "hr", "hr:payroll", "HR", "legal", "it")
    chunks = []
    for number in range(count):
        readers = tuple(sorted(draw.sample(labels, draw.randint(1, 3))))
        tenant = draw.choice((TENANT, TENANT.upper(), "other"))
        chunks.append(
            make_chunk(random_text(draw), document=f"{number // 4}.md", ordinal=number % 4, tenant=tenant, labels=readers)
        )
    return chunks


def random_scope(draw: random.Random) -> AccessScope:
    """A caller, often with nothing, with labels that nobody gave, or of a tenant that does not exist."""
    labels = ("everyone", "hr", "hr:payroll", "HR", "legal", "it", "hr:", "*", "")
    tenant = draw.choice((TENANT, TENANT.upper(), "other", "nobody"))
    return AccessScope(tenant, frozenset(draw.sample(labels, draw.randint(0, 4))))
