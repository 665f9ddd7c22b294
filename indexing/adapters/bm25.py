"""The words of a text as a sparse vector, for BM25. Both index engines use this one encoder."""

from typing import Final

from qdrant_edge import Bm25, Bm25Config, SparseVector

from indexing.language import Language

AVERAGE_CHUNK_WORDS: Final = 120.0
"""About how many words, without stop words, a chunk has. Stored vectors depend on it: a change of it needs a new format."""


class WordsEncoder:
    """Counts the stemmed words of a language. A document's weights saturate with length and repetition; a query's are all 1.

    How rare a word is does not stand in the vectors: the engine multiplies by it when it searches.

    Source:
        BM25 with k = 1.2 and b = 0.75, as Robertson and Zaragoza give it (2009).
    """

    def __init__(self, language: Language) -> None:
        self._bm25 = Bm25(Bm25Config(language=language.stemmer, avg_len=AVERAGE_CHUNK_WORDS))

    def document(self, text: str) -> SparseVector:
        """The weights of a text that is searched."""
        return self._bm25.embed_document(text)

    def query(self, text: str) -> SparseVector:
        """The words of a question; no indices when it has stop words only."""
        return self._bm25.embed_query(text)
