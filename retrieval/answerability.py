"""How likely the evidence holds an answer at all, from what retrieval saw; it decides between answering and abstaining."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.passages import Context, Passage
from retrieval.retriever import Evidence
from retrieval.weights import Weights, probability


@dataclass(frozen=True, slots=True)
class _Seen:
    """The evidence as the features see it."""

    evidence: Evidence
    context: Context
    best: Passage


def _coverage_of_first(seen: _Seen, count: int) -> float:
    found = frozenset[str]().union(
        *(seen.evidence.analysed[p.chunk.id].body | seen.evidence.analysed[p.chunk.id].heads for p in _first(seen, count))
    )
    return seen.evidence.terms.coverage(found)


def _first(seen: _Seen, count: int) -> Sequence[Passage]:
    return seen.evidence.passages[:count]


_FEATURES: Final[Mapping[str, Callable[[_Seen], float]]] = {
    "best_cosine": lambda s: max((p.cosine for p in s.evidence.passages if p.cosine is not None), default=0.0),
    "first_coverage": lambda s: s.best.coverage,
    "coverage_of_three": lambda s: _coverage_of_first(s, 3),
    "score_margin": lambda s: s.best.score - s.evidence.passages[min(4, len(s.evidence.passages) - 1)].score,
    "best_unit": lambda s: math.log(max((u.score for u in s.context.units), default=1e-6)),
}
ANSWERABLE_FEATURES: Final = tuple(_FEATURES)
"""The features' names, in the order of `answerable_features`."""


def answerable_features(evidence: Evidence, context: Context) -> tuple[float, ...]:
    """The features of one question's evidence, in the order of `ANSWERABLE_FEATURES`. Something must have been found."""
    seen = _Seen(evidence, context, evidence.passages[0])
    return tuple(feature(seen) for feature in _FEATURES.values())


def answer_probability(evidence: Evidence, context: Context, weights: Weights) -> float:
    """The calibrated probability, in [0, 1], that the evidence answers the question; 0 when nothing was found."""
    if not evidence.passages or not context.units:
        return 0.0
    row = answerable_features(evidence, context)
    log_odds = weights.answerable_bias + sum(
        weights.answerable.get(n, 0.0) * v for n, v in zip(ANSWERABLE_FEATURES, row, strict=True)
    )
    return probability(log_odds)
