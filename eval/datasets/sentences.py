"""The sentences of a text, and how rare their words are among others."""

from collections import Counter
from collections.abc import Sequence

from indexing.language import ENGLISH
from indexing.plain_text import plain_text
from retrieval.lexicon import Rarity, inverse_document_frequency


def split_sentences(text: str) -> tuple[str, ...]:
    """The sentences of a piece of Markdown, as a reader sees them."""
    lines = plain_text(text).split("\n")
    return tuple(line[start:end] for line in lines for start, end in ENGLISH.sentences.spans(line))


def counted_rarity(passages: Sequence[str]) -> Rarity:
    """The rarity of terms over passages."""
    distinct = set(passages)
    frequencies = Counter(term for passage in distinct for term in set(ENGLISH.terms(passage)))
    return lambda wanted: {term: inverse_document_frequency(frequencies[term], len(distinct)) for term in wanted}
