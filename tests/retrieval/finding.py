"""Pages cut, indexed and searched with fakes around the real code, so that later steps work on evidence as it comes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from indexing.aliases import Alias
from indexing.chunking import chunk_document
from indexing.documents import EVERYONE, AccessLabel, AccessScope, Chunk, Document
from indexing.language import ENGLISH
from retrieval.lexicon import Lexicon
from retrieval.passages import Query
from retrieval.retriever import Evidence, Retriever
from retrieval.weights import Weights, shipped_weights
from tests.fakes.chunk_index import FakeChunkIndexStore, FakePassageSearcher
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.tokens import FakeTokenCounter
from tests.indexing.pages import document

COUNTER = FakeTokenCounter()
SCOPE = AccessScope("acme", frozenset({EVERYONE}))


class CountedLexicon:
    """Document frequencies counted in memory; no aliases."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self.chunk_count = len(chunks)
        self._counts = Counter(term for chunk in chunks for term in set(ENGLISH.terms(chunk.words_text)))

    def document_frequencies(self, terms: Iterable[str]) -> Mapping[str, int]:
        return {term: self._counts[term] for term in terms if term in self._counts}

    def aliases(self, names: Iterable[str], labels: AbstractSet[AccessLabel]) -> Sequence[Alias]:  # noqa: ARG002 - the port's
        return []


def make_retriever(
    pages: Sequence[Document], weights: Weights | None = None, lexicon: Lexicon | None = None
) -> tuple[Retriever, FakeEmbedder]:
    embedder = FakeEmbedder(64)
    chunks = [chunk for page in pages for chunk in chunk_document(page, COUNTER, ENGLISH)]
    store = FakeChunkIndexStore()
    index = store.create("one", Path(), 64)
    index.upsert(chunks, embedder.embed_documents([chunk.embedding_text for chunk in chunks]))
    index.commit()
    searcher = FakePassageSearcher(store, "one", 64)
    return Retriever(searcher, lexicon or CountedLexicon(chunks), COUNTER, weights or shipped_weights(), ENGLISH), embedder


def find(question: str, *pages: Document | str, scope: AccessScope = SCOPE, weights: Weights | None = None) -> Evidence:
    """What is found for a question in these pages; a string becomes a page of its own."""
    documents = [
        page if isinstance(page, Document) else document(page, path=f"page-{number}.md") for number, page in enumerate(pages)
    ]
    retriever, embedder = make_retriever(documents, weights)
    return retriever.retrieve(Query(question), embedder.embed_query(question), scope)
