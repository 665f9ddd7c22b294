"""Chunks and queries as sets of terms, made once and kept, so that scoring is counting."""

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from indexing.documents import PREFACE, Chunk, UnitKind
from indexing.language import Language
from indexing.language.question_form import QuestionForm
from indexing.plain_text import plain_text
from indexing.tokens import TokenCounter
from retrieval.aliases import OtherName
from retrieval.lexicon import Lexicon, inverse_document_frequency
from retrieval.recent import Recent

CACHED_CHUNKS: Final = 8_000
"""How many analysed chunks a generation keeps, at about 6 KB each."""


@dataclass(frozen=True, slots=True)
class AnalysedUnit:
    """The terms of one unit. `lead` are those of the units without which it cannot be read. `text` is what a reader sees."""

    text: str
    tokens: int
    terms: tuple[str, ...]
    term_set: frozenset[str]
    lead: frozenset[str]
    has_digit: bool
    word_count: int


@dataclass(frozen=True, slots=True)
class AnalysedChunk:
    """The terms of one chunk. `heads` are those of title and headings, `body` those of its units and preface.

    `heading_tokens` counts the title and each heading of the path; `preface` is what a reader sees of the chunk's preface.
    """

    heading_tokens: tuple[int, ...]
    preface: str
    preface_tokens: int
    units: tuple[AnalysedUnit, ...]
    body: frozenset[str]
    title: frozenset[str]
    heads: frozenset[str]
    last_heading: frozenset[str]
    bigrams: frozenset[tuple[str, str]]
    term_count: int
    has_digit: bool


@dataclass(frozen=True, slots=True)
class AnalysedQuery:
    """The terms of a query with their rarity. `weights` sum to `total`, which is above 0; `terms` are their keys.

    `other_names` are those of what the query names; a term that one of them covers counts as standing where that one stands.
    """

    weights: Mapping[str, float]
    terms: frozenset[str]
    total: float
    bigrams: tuple[tuple[str, str], ...]
    form: QuestionForm
    other_names: tuple[OtherName, ...] = ()

    def hits(self, found: AbstractSet[str]) -> frozenset[str]:
        """The query's terms that stand in `found`, under their own or another name."""
        own = self.terms & found
        return own.union(*(name.covers for name in self.other_names if name.found_as <= found)) if self.other_names else own

    def coverage(self, found: AbstractSet[str]) -> float:
        """The share of the query's terms, weighted by rarity, that stand in `found`: 0 to 1."""
        return math.fsum(self.weights[term] for term in self.hits(found)) / self.total  # the same in any order of a set

    def bigram_share(self, found: frozenset[tuple[str, str]]) -> float:
        """The share of the query's neighbouring terms that are neighbours in `found` too: 0 to 1."""
        return sum(bigram in found for bigram in self.bigrams) / len(self.bigrams) if self.bigrams else 0.0


def analyse_query(text: str, lexicon: Lexicon, language: Language) -> AnalysedQuery:
    """Weigh the terms of a query by their rarity in the corpus; a term that stands nowhere weighs most."""
    distinct = list(dict.fromkeys(language.terms(text)))
    frequencies = lexicon.document_frequencies(distinct)
    weights = {term: inverse_document_frequency(frequencies.get(term, 0), lexicon.chunk_count) for term in distinct}
    return AnalysedQuery(
        weights=weights,
        terms=frozenset(weights),
        total=math.fsum(weights.values()) or 1.0,
        bigrams=tuple(pairwise(distinct)),
        form=language.question_form(text),
    )


def shown_text(chunk: Chunk, position: int) -> str:
    """A unit as a reader sees it: code as it stands, tables row by row, everything else on one line."""
    text = chunk.unit_text(position)
    match chunk.units[position].kind:
        case UnitKind.CODE:
            return text
        case UnitKind.TABLE:
            return plain_text(text)
        case _:
            return plain_text(text).replace("\n", " ")


def analyse_chunk(chunk: Chunk, counter: TokenCounter, language: Language) -> AnalysedChunk:
    """Take a chunk apart into the terms and tokens of its units and headings."""
    terms = language.terms
    texts = [shown_text(chunk, position) for position in range(len(chunk.units))]
    preface_text = plain_text(chunk.preface)
    *tokens, preface_tokens = counter.count_many([*texts, preface_text])
    unit_terms = [tuple(terms(text)) for text in texts]
    preface = frozenset(terms(preface_text))
    title = terms(chunk.title)
    headings = terms(" ".join(chunk.heading_path))
    leads = []
    for unit in chunk.units:
        lead, at = set[str](), unit.lead_in
        while at is not None and at != PREFACE:
            lead.update(unit_terms[at])
            at = chunk.units[at].lead_in
        leads.append(frozenset(lead | preface) if at == PREFACE else frozenset(lead))
    units = tuple(
        AnalysedUnit(
            text=text,
            tokens=count,
            terms=own,
            term_set=frozenset(own),
            lead=lead,
            has_digit=any(map(str.isdigit, text)),
            word_count=max(1, len(text.split())),
        )
        for text, count, own, lead in zip(texts, tokens, unit_terms, leads, strict=True)
    )
    body = [term for own in unit_terms for term in own]
    return AnalysedChunk(
        heading_tokens=tuple(counter.count_many([chunk.title, *chunk.heading_path])),
        preface=preface_text,
        preface_tokens=preface_tokens,
        units=units,
        body=frozenset(body) | preface,
        title=frozenset(title),
        heads=frozenset(title) | frozenset(headings),
        last_heading=frozenset(terms(chunk.heading_path[-1])) if chunk.heading_path else frozenset(),
        bigrams=frozenset([*pairwise(body), *pairwise(headings)]),
        term_count=len(body),
        has_digit=any(unit.has_digit for unit in units),
    )


class ChunkAnalyses:
    """The analysed chunks of one generation, least recently used first out. Safe to use from several threads."""

    def __init__(self, counter: TokenCounter, language: Language, size: int = CACHED_CHUNKS) -> None:
        self._counter = counter
        self._language = language
        self._kept: Recent[str, AnalysedChunk] = Recent(size)

    def of(self, chunks: Iterable[Chunk]) -> list[AnalysedChunk]:
        """The analysis of each chunk, in order."""
        wanted = list(chunks)
        known = self._kept.get_all(chunk.id for chunk in wanted)
        fresh = {chunk.id: analyse_chunk(chunk, self._counter, self._language) for chunk in wanted if chunk.id not in known}
        self._kept.add_all(fresh)
        known |= fresh
        return [known[chunk.id] for chunk in wanted]
