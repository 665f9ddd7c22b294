"""Searching a follow-up: the question alone and the question with its background, both rankings fused.

By meaning: the query's vector is the mean of both readings' vectors. The search is exact, and a chunk's cosine to a mean is, but
for a constant, the mean of its cosines; so one search gives the ranking fused by the mean of both scores.
By words: one BM25 search for the words of both, which adds their scores up.
In the ranker and in the context, the background's terms weigh less than the question's own.

Ranking both readings by themselves and fusing by reciprocal rank was tried: it found less on two sets of follow-ups, and a
background that had nothing to do with the question cost more. `python -m eval.benchmarks.followups` measures what stands here.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexing.documents import AccessLabel
from indexing.language import Language
from retrieval.aliases import OtherName, other_names
from retrieval.analysis import AnalysedQuery, analyse_query
from retrieval.lexicon import Lexicon
from retrieval.passages import Query

BACKGROUND_WEIGHT: Final = 0.3
"""What a term of the background weighs, beside one of the question's own that is as rare. Between 0.2 and 0.5 little changes."""


def embed_query(query: Query, embed: Callable[[str], NDArray[np.float32]]) -> NDArray[np.float32]:
    """The vector to search with: shape `(dimension,)`, float32, normalised.

    Args:
        query: What is searched.
        embed: Embeds one text as a query, normalised; called once, or twice when there is a background.
    """
    vector = embed(query.text)
    if not query.background:
        return vector
    both = vector + embed(f"{query.background} {query.text}")
    length = float(np.linalg.norm(both))
    return (both / length).astype(np.float32) if length else vector


def words_to_search(query: Query, other_names: Iterable[OtherName] = ()) -> str:
    """The text whose words BM25 looks for: the question, its background, and other names of what they name."""
    parts = (query.text, query.background, *(name.text for name in other_names))
    return " ".join(part for part in parts if part)


def analyse(query: Query, lexicon: Lexicon, labels: AbstractSet[AccessLabel], language: Language) -> AnalysedQuery:
    """The terms of a query, those of its background at `BACKGROUND_WEIGHT`, and the other names of what it names.

    Word pairs and the form of the answer are taken from the question alone; other names from documents with one of the
    labels alone.
    """
    names = other_names(words_to_search(query), lexicon, labels, language)
    own = replace(analyse_query(query.text, lexicon, language), other_names=names)
    if not query.background:
        return own
    before = analyse_query(query.background, lexicon, language)
    weights = {**{term: weight * BACKGROUND_WEIGHT for term, weight in before.weights.items()}, **own.weights}
    return replace(own, weights=weights, terms=frozenset(weights), total=sum(weights.values()) or 1.0)
