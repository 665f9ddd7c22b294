"""How likely the evidence holds an answer at all, from what retrieval saw; it decides between answering and abstaining."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.passages import Context, ContextUnit, Passage
from retrieval.question_form import QuestionForm
from retrieval.retriever import Evidence
from retrieval.weights import Weights

_LOOKED_AT_UNITS: Final = 4


@dataclass(frozen=True, slots=True)
class _Seen:
    """The evidence as the features see it."""

    evidence: Evidence
    context: Context
    best: Passage
    rarest: str | None


def _coverage_of_first(seen: _Seen, count: int) -> float:
    found = frozenset[str]().union(
        *(seen.evidence.analysed[p.chunk.id].body | seen.evidence.analysed[p.chunk.id].heads for p in _first(seen, count))
    )
    return seen.evidence.terms.coverage(found)


def _first(seen: _Seen, count: int) -> Sequence[Passage]:
    return seen.evidence.passages[:count]


def _best_units(context: Context) -> Sequence[ContextUnit]:
    return sorted(context.units, key=lambda unit: -unit.score)[:_LOOKED_AT_UNITS]


def _has_digit(evidence: Evidence, unit: ContextUnit) -> bool:
    return evidence.analysed[unit.chunk.id].units[unit.position].has_digit


_FEATURES: Final[Mapping[str, Callable[[_Seen], float]]] = {
    "best_cosine": lambda s: max((p.cosine for p in s.evidence.passages if p.cosine is not None), default=0.0),
    "first_cosine": lambda s: s.best.cosine or 0.0,
    "first_coverage": lambda s: s.best.coverage,
    "coverage_of_three": lambda s: _coverage_of_first(s, 3),
    "score_margin": lambda s: s.best.score - s.evidence.passages[min(4, len(s.evidence.passages) - 1)].score,
    "best_unit": lambda s: math.log(max((u.score for u in s.context.units), default=1e-6)),
    "rarest_term_found": lambda s: float(
        s.rarest is None
        or any(
            s.rarest in s.evidence.analysed[p.chunk.id].body or s.rarest in s.evidence.analysed[p.chunk.id].heads
            for p in _first(s, 3)
        )
    ),
    "number_wanted_and_missing": lambda s: float(
        s.evidence.terms.form is QuestionForm.NUMBER and not any(_has_digit(s.evidence, unit) for unit in _best_units(s.context))
    ),
    "terms": lambda s: math.log(len(s.evidence.terms.weights) + 1),
}
ANSWERABLE_FEATURES: Final = tuple(_FEATURES)
"""The features' names, in the order of `answerable_features`."""


def answerable_features(evidence: Evidence, context: Context) -> tuple[float, ...]:
    """The features of one question's evidence, in the order of `ANSWERABLE_FEATURES`. Something must have been found."""
    weights = evidence.terms.weights
    rarest = max(weights, key=lambda term: weights[term]) if weights else None
    seen = _Seen(evidence, context, evidence.passages[0], rarest)
    return tuple(feature(seen) for feature in _FEATURES.values())


def answer_probability(evidence: Evidence, context: Context, weights: Weights) -> float:
    """The calibrated probability, in [0, 1], that the evidence answers the question; 0 when nothing was found."""
    if not evidence.passages or not context.units:
        return 0.0
    row = answerable_features(evidence, context)
    odds = weights.answerable_bias + sum(
        weights.answerable.get(n, 0.0) * v for n, v in zip(ANSWERABLE_FEATURES, row, strict=True)
    )
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, odds))))
