"""How rare a term is: the port to the corpus' document frequencies."""

import math
from collections.abc import Iterable, Mapping
from typing import Protocol


class Lexicon(Protocol):
    """Document frequencies of one generation, counted over chunks."""

    @property
    def chunk_count(self) -> int:
        """The number of chunks in the generation."""

    def document_frequencies(self, terms: Iterable[str]) -> Mapping[str, int]:
        """In how many chunks each term (as made by `indexing.words.terms`) stands; unknown terms are absent."""


def inverse_document_frequency(document_frequency: int, chunk_count: int) -> float:
    """The weight of a term: high for rare ones, above 0 for all.

    Source:
        The BM25 form of Robertson and Sparck Jones, kept positive by adding 1 inside the logarithm.
    """
    return math.log(1.0 + (chunk_count - document_frequency + 0.5) / (document_frequency + 0.5))
