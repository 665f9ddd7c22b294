"""The measures of a run: what each is called, which questions it is taken over, and what a failed case counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Over(StrEnum):
    """The questions that a measure is taken over."""

    ALL = "all"
    ANSWERABLE = "answerable"
    UNANSWERABLE = "unanswerable"


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    `failed` is the value of a case that raised an error: the worst there is; `None` where that cannot be said, as for the tokens
    of a context that was never made. `more_is_better` says which way is up. `share` marks a value in [0, 1].
    """

    name: str
    label: str
    over: Over
    failed: float | None
    more_is_better: bool
    share: bool = True


MEASURES: Final = (
    Measure("evidence_retention", "evidence retention", Over.ANSWERABLE, 0.0, more_is_better=True),
    Measure("recall_at_5", "recall@5, pages", Over.ANSWERABLE, 0.0, more_is_better=True),
    Measure("recall_at_10", "recall@10, pages", Over.ANSWERABLE, 0.0, more_is_better=True),
    Measure("ndcg_at_10", "nDCG@10, pages", Over.ANSWERABLE, 0.0, more_is_better=True),
    Measure("rr_at_10", "RR@10, pages", Over.ANSWERABLE, 0.0, more_is_better=True),
    Measure("context_tokens", "context tokens", Over.ALL, None, more_is_better=False, share=False),
    Measure("answer_correct", "answer correct", Over.ANSWERABLE, 0.0, more_is_better=True),
    Measure("token_f1", "token F1", Over.ANSWERABLE, 0.0, more_is_better=True),
    Measure("groundedness", "groundedness", Over.ALL, 0.0, more_is_better=True),
    Measure("citation_precision", "citation precision", Over.ANSWERABLE, 0.0, more_is_better=True),
    Measure("abstained_answerable", "abstained, answerable", Over.ANSWERABLE, 1.0, more_is_better=False),
    Measure("abstained_unanswerable", "abstained, unanswerable", Over.UNANSWERABLE, 0.0, more_is_better=True),
    Measure("answer_tokens", "tokens billed", Over.ALL, None, more_is_better=False, share=False),
    Measure("latency_ms", "latency, ms", Over.ALL, None, more_is_better=False, share=False),
)
"""Groundedness and citation precision are taken over answers that were given, the others over every question of their kind."""

MEASURE_BY_NAME: Final[Mapping[str, Measure]] = {measure.name: measure for measure in MEASURES}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one arm did with one case.

    `values` holds the measures that apply to this case; one that cannot be known is `None`. `error` says why a case failed.
    `cost_usd` is what the answer cost, or for an arm that does not answer, what its prompt would; `prompt_usd` is the latter for
    every arm. `good` says that the answer is correct and wholly grounded, `None` where nothing is cited that could be checked.
    `missing` are the gold quotes that the context lacks.
    """

    arm: str
    case_id: str
    case_type: str
    answerable: bool
    values: Mapping[str, float | None]
    cost_usd: Decimal | None
    prompt_usd: Decimal | None
    good: bool | None
    context: str = ""
    missing: tuple[str, ...] = ()
    answer: str | None = None
    error: str | None = None


def failed_outcome(
    arm: str, case_id: str, case_type: str, *, answerable: bool, measures: frozenset[str], quotes: tuple[str, ...], error: str
) -> Outcome:
    """The outcome of a case that raised an error: the worst value of every measure that applies.

    Args:
        arm: The arm's name.
        case_id: The case.
        case_type: Its type.
        answerable: Whether the documents hold an answer.
        measures: The measures of answers that the arm is taken by; the others stay unknown.
        quotes: The gold quotes, which are all missing.
        error: What was raised.
    """
    applies = {Over.ALL, Over.ANSWERABLE if answerable else Over.UNANSWERABLE}
    values = {
        m.name: m.failed if m.name in measures or m.name not in ANSWER_MEASURES else None for m in MEASURES if m.over in applies
    }
    good = False if "groundedness" in measures else None
    return Outcome(arm, case_id, case_type, answerable, values, None, None, good, missing=quotes, error=error)


ANSWER_MEASURES: Final = frozenset(
    "answer_correct token_f1 groundedness citation_precision abstained_answerable abstained_unanswerable answer_tokens".split()
)
"""Measures that need an answer; unknown for arms that only make a context."""

PLAIN_ANSWER_MEASURES: Final = frozenset({"answer_correct", "token_f1", "answer_tokens"})
"""Those of an answer that cites nothing."""
