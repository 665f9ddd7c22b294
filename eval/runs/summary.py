"""From outcomes to `run.json`: figures with intervals for each arm, and paired differences between arms."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from app.costs.pricing import plain_usd
from eval.arms.arms import FARTHING
from eval.measures.costs import cost_per_answer, cost_per_good_answer
from eval.measures.intervals import Interval, bootstrap, percentile
from eval.measures.measures import MEASURES, Outcome

_BARE: Final = frozenset({"abstained_answerable", "abstained_unanswerable", "answer_tokens"})
"""Measures that stand as one number, with their interval under `intervals`."""

_PERCENTILES: Final[Mapping[str, tuple[int, ...]]] = {"context_tokens": (50, 95), "latency_ms": (50, 95, 99)}
_NO_MEAN: Final = frozenset({"latency_ms"})

_OF_A_TYPE: Final = (
    "evidence_retention",
    "recall_at_10",
    "context_tokens",
    "answer_correct",
    "token_f1",
    "groundedness",
    "citation_precision",
    "abstained_answerable",
    "abstained_unanswerable",
)


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The `arms` and `paired` of `run.json`. A measure that cannot be known is `None`."""
    by_arm: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_arm[outcome.arm].append(outcome)
    arms = {name: _arm(own) for name, own in by_arm.items()}
    paired = {
        f"{FARTHING}-{name}": paired_differences(by_arm[FARTHING], own)
        for name, own in by_arm.items()
        if FARTHING in by_arm and name != FARTHING
    }
    return {"arms": arms, "paired": paired}


def known(outcomes: Iterable[Outcome], measure: str) -> dict[str, float]:
    """The values of a measure by case, where it applies and is known."""
    return {o.case_id: value for o in outcomes if (value := o.values.get(measure)) is not None}


def paired_differences(first: Sequence[Outcome], second: Sequence[Outcome]) -> dict[str, dict[str, float] | None]:
    """First less second, question by question, for each measure that both know of at least one question."""
    differences: dict[str, dict[str, float] | None] = {}
    for measure in MEASURES:
        own, other = known(first, measure.name), known(second, measure.name)
        interval = bootstrap([own[case] - other[case] for case in own if case in other])
        differences[measure.name] = _json(interval)
    return differences


def _arm(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    for measure in MEASURES:
        values = list(known(outcomes, measure.name).values())
        if measure.name in _PERCENTILES:
            figures[measure.name] = _distribution(measure.name, values, intervals)
            continue
        interval = bootstrap(values)
        if measure.name in _BARE:
            figures[measure.name] = round(interval.value, 6) if interval else None
            intervals[measure.name] = _json(interval)
        else:
            figures[measure.name] = _json(interval)
    costs = [outcome.cost_usd for outcome in outcomes]
    judged = [outcome.good for outcome in outcomes if outcome.good is not None]
    correct = [value == 1.0 for value in known(outcomes, "answer_correct").values()]
    figures |= {
        "cost_usd_per_answer": plain_usd(_rounded(cost_per_answer(costs))),
        "cost_usd_per_correct_answer": plain_usd(_rounded(cost_per_good_answer(costs, sum(correct)))),
        "cost_usd_per_correct_grounded_answer": plain_usd(_rounded(cost_per_good_answer(costs, sum(judged)))),
        "cost_basis": "billed" if known(outcomes, "answer_tokens") or judged else "the priced prompt",
        "prompt_usd_per_answer": plain_usd(_rounded(cost_per_answer([outcome.prompt_usd for outcome in outcomes]))),
        "correct_answers": sum(correct) if correct else None,
        "correct_grounded_answers": sum(judged) if judged else None,
    }
    intervals |= _cost_intervals(outcomes, judged)
    failed = [{"id": outcome.case_id, "error": outcome.error} for outcome in outcomes if outcome.error is not None]
    return {**figures, "intervals": intervals, "failed": failed, "by_type": _by_type(outcomes)}


def _distribution(name: str, values: list[float], intervals: dict[str, Any]) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    statistics: dict[str, Interval | None] = {} if name in _NO_MEAN else {"mean": bootstrap(values)}
    statistics |= {f"p{q}": bootstrap(values, percentile(q)) for q in _PERCENTILES[name]}
    for statistic, interval in statistics.items():
        figures[statistic] = round(interval.value, 3) if interval else None
        intervals[f"{name}_{statistic}"] = _json(interval)
    return figures


def _cost_intervals(outcomes: Sequence[Outcome], judged: Sequence[bool]) -> dict[str, Any]:
    """Intervals of both costs. They are statistics, so floating point will do; the amounts themselves stay exact."""
    if any(outcome.cost_usd is None for outcome in outcomes):
        return {"cost_usd_per_answer": None, "cost_usd_per_correct_grounded_answer": None}
    costs = [float(outcome.cost_usd or 0) for outcome in outcomes]
    per_good = None
    if len(judged) == len(outcomes) and any(judged):
        good = np.array(judged, dtype=np.float64)
        positions = [float(position) for position in range(len(costs))]
        per_good = bootstrap(positions, _ratio(np.array(costs), good))
    return {
        "cost_usd_per_answer": _json(bootstrap(costs), digits=9),
        "cost_usd_per_correct_grounded_answer": _json(per_good, digits=9),
    }


def _ratio(costs: "np.typing.NDArray[np.float64]", good: "np.typing.NDArray[np.float64]") -> Callable[..., Any]:
    def of(positions: "np.typing.NDArray[np.float64]") -> Any:
        drawn = positions.astype(np.int64)
        return costs[drawn].sum(axis=-1) / np.maximum(good[drawn].sum(axis=-1), 1)

    return of


def _by_type(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    types: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        types[outcome.case_type].append(outcome)
    return {
        name: {"cases": len(own), **{measure: _json(bootstrap(list(known(own, measure).values()))) for measure in _OF_A_TYPE}}
        for name, own in sorted(types.items())
    }


def _rounded(amount: Any) -> Any:
    return None if amount is None else round(amount, 9)


def _json(interval: Interval | None, digits: int = 6) -> dict[str, float] | None:
    return None if interval is None else interval.to_json(digits)
