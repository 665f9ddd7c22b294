"""How likely each unit of the best passages is a part of the answer, counted from words, place and form."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from indexing.documents import UnitKind
from indexing.language.question_form import QuestionForm
from retrieval.analysis import AnalysedChunk, AnalysedQuery, AnalysedUnit
from retrieval.passages import ContextUnit, Passage
from retrieval.weights import Weights, probability


@dataclass(frozen=True, slots=True)
class _Seen:
    """One unit as the features see it.

    `hits`, `lead` and `heads` are the query's terms in the unit, in what introduces it and in its headings; `own` is the unit's
    coverage of the query, the rest is what to compare it with.
    """

    query: AnalysedQuery
    passage: Passage
    chunk: AnalysedChunk
    unit: AnalysedUnit
    kind: UnitKind
    hits: frozenset[str]
    lead: frozenset[str]
    heads: frozenset[str]
    position: int
    score_gap: float
    cosine_gap: float
    own: float
    best_in_chunk: float
    best_of_all: float
    best_position: int
    window: float


_FEATURES: Final[Mapping[str, Callable[[_Seen], float]]] = {
    "passage_score_gap": lambda s: s.score_gap,
    "log_passage_rank": lambda s: math.log(s.passage.rank),
    "passage_cosine_gap": lambda s: s.cosine_gap,
    "passage_coverage": lambda s: s.passage.coverage,
    "coverage": lambda s: s.own,
    "coverage_to_best": lambda s: s.own / s.best_of_all,
    "coverage_to_best_in_passage": lambda s: s.own / s.best_in_chunk,
    "coverage_with_lead": lambda s: s.query.coverage(s.hits | s.lead),
    "coverage_with_headings": lambda s: s.query.coverage(s.hits | s.lead | s.heads),
    "coverage_beyond_headings": lambda s: s.query.coverage(s.hits - s.heads),
    "window_coverage": lambda s: s.window,
    "distance_to_best": lambda s: math.log1p(abs(s.position - s.best_position)),
    "precision": lambda s: min(1.0, len(s.hits) / (len(s.unit.term_set) or 1)),  # one acronym may cover several terms
    "first": lambda s: float(s.position == 0),
    "alone": lambda s: float(len(s.chunk.units) == 1),
    "item": lambda s: float(s.kind is UnitKind.ITEM),
    "table": lambda s: float(s.kind is UnitKind.TABLE),
    "code": lambda s: float(s.kind is UnitKind.CODE),
    "item_for_list": lambda s: float(s.kind is UnitKind.ITEM and s.query.form is QuestionForm.LIST),
    "number_wanted_and_there": lambda s: float(s.query.form is QuestionForm.NUMBER and s.unit.has_digit),
    "number_wanted_and_missing": lambda s: float(s.query.form is QuestionForm.NUMBER and not s.unit.has_digit),
    "log_length": lambda s: math.log(s.unit.word_count),
}
UNIT_FEATURES: Final = tuple(_FEATURES)
"""The features' names, in the order of `unit_features`."""


def unit_features(
    query: AnalysedQuery, passages: Sequence[Passage], analysed: Sequence[AnalysedChunk]
) -> list[list[tuple[float, ...]]]:
    """The features of each unit of each passage, in the order of `UNIT_FEATURES`. `passages` come best first."""
    hits = [[query.hits(unit.term_set) for unit in chunk.units] for chunk in analysed]
    coverages = [[query.coverage(found) for found in of_chunk] for of_chunk in hits]
    best_of_all = max((max(own, default=0.0) for own in coverages), default=0.0) or math.inf
    best_score = passages[0].score if passages else 0.0
    best_cosine = max((passage.cosine for passage in passages if passage.cosine is not None), default=0.0)
    worst_cosine = min((passage.cosine for passage in passages if passage.cosine is not None), default=0.0)
    rows: list[list[tuple[float, ...]]] = []
    for passage, chunk, found, own in zip(passages, analysed, hits, coverages, strict=True):
        heads = query.hits(chunk.heads)
        best_in_chunk = max(own, default=0.0)
        cosine = worst_cosine if passage.cosine is None else passage.cosine
        rows.append([])
        for position, unit in enumerate(chunk.units):
            seen = _Seen(
                query=query,
                passage=passage,
                chunk=chunk,
                unit=unit,
                kind=passage.chunk.units[position].kind,
                hits=found[position],
                lead=query.hits(unit.lead),
                heads=heads,
                position=position,
                score_gap=best_score - passage.score,
                cosine_gap=best_cosine - cosine,
                own=own[position],
                best_in_chunk=best_in_chunk or math.inf,
                best_of_all=best_of_all,
                best_position=own.index(best_in_chunk),
                window=query.coverage(frozenset().union(*found[max(0, position - 1) : position + 2])),
            )
            rows[-1].append(tuple(feature(seen) for feature in _FEATURES.values()))
    return rows


def score_units(
    query: AnalysedQuery, passages: Sequence[Passage], analysed: Sequence[AnalysedChunk], weights: Weights
) -> list[ContextUnit]:
    """The probability that each unit belongs to the answer.

    Returns:
        All units of `passages`, in their order, with scores in (0, 1).
    """
    by_feature = [weights.unit.get(name, 0.0) for name in UNIT_FEATURES]
    return [
        ContextUnit(
            passage.chunk, position, probability(weights.unit_bias + sum(w * v for w, v in zip(by_feature, row, strict=True)))
        )
        for passage, rows in zip(passages, unit_features(query, passages, analysed), strict=True)
        for position, row in enumerate(rows)
    ]
