"""What the corpus says about words: how rare a term is, and which names mean the same."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, TypeAlias

from indexing.aliases import Alias
from indexing.documents import AccessLabel

Rarity: TypeAlias = Callable[[Sequence[str]], Mapping[str, float]]
"""Gives each term, as `indexing.language.Language.terms` makes them, a weight above 0 that is higher the rarer it is.

Numbers, dates and codes come in their common form, which a corpus need not know.
"""


class Lexicon(Protocol):
    """Document frequencies of one generation, counted over chunks, and the aliases that its documents define."""

    @property
    def chunk_count(self) -> int:
        """The number of chunks in the generation."""

    def document_frequencies(self, terms: Iterable[str]) -> Mapping[str, int]:
        """In how many chunks each term (as made by `indexing.language.Language.terms`) stands; unknown terms are absent.

        A term behind `indexing.aliases.capitals_key` counts the chunks in which it stands in capitals only.
        """

    def aliases(self, names: Iterable[str], labels: AbstractSet[AccessLabel]) -> Sequence[Alias]:
        """The aliases with a name among `names` (as `indexing.aliases.name_key` makes them), the most widely defined first.

        Only what documents with one of the labels define.
        """


def inverse_document_frequency(document_frequency: int, chunk_count: int) -> float:
    """The weight of a term: high for rare ones, above 0 for all.

    Source:
        The BM25 form of Robertson and Sparck Jones, kept positive by adding 1 inside the logarithm.
    """
    return math.log(1.0 + (chunk_count - document_frequency + 0.5) / (document_frequency + 0.5))


def lexicon_rarity(lexicon: Lexicon) -> Rarity:
    """The rarity of terms in a corpus; one that stands nowhere weighs most."""

    def weigh(terms: Sequence[str]) -> Mapping[str, float]:
        frequencies = lexicon.document_frequencies(terms)
        return {term: inverse_document_frequency(frequencies.get(term, 0), lexicon.chunk_count) for term in terms}

    return weigh
