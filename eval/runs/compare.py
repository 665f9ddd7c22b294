"""Two runs side by side: differences with paired intervals, and the cases that flipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eval.errors import RunError
from eval.measures.intervals import Interval, bootstrap
from eval.measures.measures import MEASURES, Measure, Outcome
from eval.runs.run import read_outcomes
from eval.runs.summary import known

FLIPPING: Final = ("evidence_retention", "answer_correct", "abstained_answerable", "abstained_unanswerable")


@dataclass(frozen=True, slots=True)
class Flip:
    """A case whose measure went from one end to the other."""

    case_id: str
    measure: Measure
    improved: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm in two runs: the second less the first, over the cases that both have. `only` counts the cases of one run alone."""

    arm: str
    cases: int
    only: int
    differences: Sequence[tuple[Measure, float, float, Interval]]
    flips: Sequence[Flip]


def compare_runs(first: Path, second: Path) -> list[Comparison]:
    """Compare the arms that both runs have, case by case.

    Returns:
        One comparison an arm, in the order of the first run.

    Raises:
        RunError: One of them is not a run, or they have no case of an arm in common.
    """
    (_, before), (_, after) = read_outcomes(first), read_outcomes(second)
    arms = [arm for arm in dict.fromkeys(o.arm for o in before) if any(o.arm == arm for o in after)]
    comparisons = [_compare(arm, [o for o in before if o.arm == arm], [o for o in after if o.arm == arm]) for arm in arms]
    shared = [comparison for comparison in comparisons if comparison.cases]
    if not shared:
        raise RunError(f"{first} and {second} have no question of an arm in common. Compare runs on the same dataset.")
    return shared


def _compare(arm: str, before: Sequence[Outcome], after: Sequence[Outcome]) -> Comparison:
    ids_before, ids_after = {o.case_id for o in before}, {o.case_id for o in after}
    differences, flips = [], []
    for measure in MEASURES:
        old, new = known(before, measure.name), known(after, measure.name)
        both = [case for case in old if case in new]
        interval = bootstrap([new[case] - old[case] for case in both])
        if interval is None:
            continue
        differences.append((measure, _mean([old[c] for c in both]), _mean([new[c] for c in both]), interval))
        if measure.name in FLIPPING:
            flips += [Flip(c, measure, (new[c] > old[c]) == measure.more_is_better) for c in both if new[c] != old[c]]
    return Comparison(arm, len(ids_before & ids_after), len(ids_before ^ ids_after), differences, flips)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
