"""Finding the cheapest settings that keep enough evidence: a seeded search over replayed retrieval, without any model call."""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from eval.errors import EvalError
from eval.measures.intervals import Interval, bootstrap
from eval.tuning.measuring import PROOF, SEARCH, Measured, Replayer
from indexing.language.question_form import QuestionForm
from retrieval.context import UNIT_GROUPS, ContextSettings
from retrieval.selection import SelectionSettings

FLOOR_MEASURE: Final = "evidence_retention"

_SEED: Final = 7
_GRID: Final = (150, 200, 250, 300, 350, 400, 450, 500, 600, 700, 850, 1000, 1250, 1500)
_RANDOM_TRIALS: Final = 80
_LOCAL_TRIALS: Final = 80
_BUDGETS: Final = (120, 1_500)
_GAPS: Final = (0.5, 12.0)
_CEILING: Final = 20
_SCALES: Final = (0.5, 2.0)
_WIDE_SCALES: Final = (1.0, 1.5)
_WIDE_CEILINGS: Final = range(12, 81, 3)
_FEWEST: Final = 10
"""A half with fewer questions than this proves nothing."""

LOST_POINTS: Final = 0.02
FEWER_TIMES: Final = 3.5
"""Compression proves itself where it loses no more than so much of what whole passages hold, at so many times fewer tokens."""

WIDE_FORMS: Final = (QuestionForm.LIST, QuestionForm.COMPARISON, QuestionForm.PROCEDURE)


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """A setting that no other beats on the searched half, with what it does on the other half and against whole passages.

    `whole` are the same passages uncompressed, on the proving half; `lost` is the paired difference in evidence retention, whole
    less compressed.
    """

    searched: Measured
    proved: Measured
    retention: Interval
    whole: Measured
    lost: Interval

    @property
    def times_fewer_tokens(self) -> float:
        """How many times the tokens of this point the whole passages need."""
        return self.whole.mean_tokens / self.proved.mean_tokens if self.proved.mean_tokens else math.inf

    def to_json(self) -> dict[str, Any]:
        """The point as `tune.json` holds it."""
        return {
            "settings": self.searched.settings.to_json(),
            "searched": {FLOOR_MEASURE: round(self.searched.retention, 6), "context_tokens": round(self.searched.mean_tokens, 1)},
            "proved": {FLOOR_MEASURE: self.retention.to_json(), "context_tokens": round(self.proved.mean_tokens, 1)},
            "no_compression": {
                FLOOR_MEASURE: round(self.whole.retention, 6),
                "context_tokens": round(self.whole.mean_tokens, 1),
                "points_lost": self.lost.to_json(),
                "times_fewer_tokens": round(self.times_fewer_tokens, 2),
            },
        }


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a search found.

    `tried` are all settings, as measured on the searched half; `frontier` is in the order of tokens. `pick` is the cheapest point
    that reaches the floor there, `None` when none does. The gains are those of the pick over the current settings on the proving
    half, question by question. `lossless` is the cheapest setting that loses at most `LOST_POINTS` against its own passages sent
    whole, at `FEWER_TIMES` fewer tokens; chosen on the searched half as well, `None` where there is none.
    """

    floor: float
    tried: Sequence[Measured]
    frontier: Sequence[FrontierPoint]
    current: Measured
    current_retention: Interval
    pick: FrontierPoint | None
    lossless: FrontierPoint | None
    retention_gain: Interval | None
    tokens_gain: Interval | None
    searched_questions: int
    proved_questions: int
    replayed: int
    reused: int
    seconds: float

    @property
    def best(self) -> Measured:
        """The highest evidence retention on the searched half, with the fewest tokens among equals."""
        return max(self.tried, key=lambda one: (one.retention, -one.mean_tokens))

    @property
    def held(self) -> bool:
        """Whether the pick reaches the floor on the other half too. One that does not is never put in force."""
        return self.pick is not None and self.pick.retention.value >= self.floor


def tune(
    replayer: Replayer, current: ContextSettings, floor: float, on_trial: Callable[[int, int], None], seed: int = _SEED
) -> Tuning:
    """Search for the cheapest settings with at least `floor` evidence retention.

    The current settings and a grid of budgets are tried first, then random settings, then neighbours of the best ones. The search
    sees one half of the questions; the frontier, and with it the pick, is proved on the other half.

    Args:
        replayer: Measures settings; what it has measured before costs nothing.
        current: The settings in force.
        floor: The least evidence retention, in [0, 1].
        on_trial: Is told how many trials of how many are done.
        seed: Decides the search.

    Raises:
        EvalError: There are too few questions to divide.
    """
    began = time.monotonic()
    if min(replayer.count(SEARCH), replayer.count(PROOF)) < _FEWEST:
        raise EvalError(
            f"Tuning divides the answerable questions by the hash of their ids, here into {replayer.count(SEARCH)} and "
            f"{replayer.count(PROOF)}; each half needs at least {_FEWEST}. Add questions to the dataset."
        )
    tried = _search(replayer, current, floor, on_trial, random.Random(seed))  # noqa: S311 - a search, not a secret
    frontier = [_prove(replayer, one) for one in pareto(tried)]
    reaching = [point for point in frontier if point.searched.retention >= floor]
    pick = reaching[0] if reaching else None
    lossless = _lossless(replayer, current)
    before = replayer.measure(current, PROOF)
    return Tuning(
        floor=floor,
        tried=tried,
        frontier=frontier,
        current=before,
        current_retention=_interval(before.retained),
        pick=pick,
        lossless=lossless,
        retention_gain=_difference(pick.proved.retained, before.retained) if pick else None,
        tokens_gain=_difference(pick.proved.tokens, before.tokens) if pick else None,
        searched_questions=replayer.count(SEARCH),
        proved_questions=replayer.count(PROOF),
        replayed=replayer.replayed,
        reused=replayer.reused,
        seconds=time.monotonic() - began,
    )


def pareto(tried: Sequence[Measured]) -> list[Measured]:
    """Those that no other beats in both tokens and retention, by rising tokens; of equal ones the first."""
    best = -1.0
    frontier = []
    for one in sorted(tried, key=lambda one: (one.mean_tokens, -one.retention)):
        if one.retention > best:
            frontier.append(one)
            best = one.retention
    return frontier


def _search(
    replayer: Replayer, current: ContextSettings, floor: float, on_trial: Callable[[int, int], None], rng: random.Random
) -> list[Measured]:
    total = 1 + len(_GRID) + _RANDOM_TRIALS + _LOCAL_TRIALS
    tried: list[Measured] = []
    for settings in _first_trials(current, rng):
        tried.append(replayer.measure(settings, SEARCH))
        on_trial(len(tried), total)
    for _ in range(_LOCAL_TRIALS):
        settings = _neighbour(_start(tried, floor, rng).settings, rng)
        tried.append(replayer.measure(settings, SEARCH))
        on_trial(len(tried), total)
    return tried


def _first_trials(current: ContextSettings, rng: random.Random) -> Iterator[ContextSettings]:
    yield current
    for budget in _GRID:
        yield replace(current, budget_tokens=budget)
    for _ in range(_RANDOM_TRIALS):
        wide, narrow = rng.randint(3, _CEILING), rng.randint(1, _CEILING)
        ceilings = {form: wide if form in WIDE_FORMS else narrow for form in QuestionForm}
        gap = round(_between(*_GAPS, rng), 2)
        selection = SelectionSettings(gap, ceilings, current.selection.duplicate_overlap)
        scales = {group: round(_between(*_SCALES, rng), 2) for group in UNIT_GROUPS}
        yield ContextSettings(int(round(_between(*_BUDGETS, rng), -1)), selection, scales)


def _lossless(replayer: Replayer, current: ContextSettings) -> FrontierPoint | None:
    """Ever wider selections, each with the largest budget that is small enough: the cheapest that keeps nearly all it holds."""
    found: list[Measured] = []
    for ceiling in _WIDE_CEILINGS:
        selection = replace(current.selection, max_score_gap=_GAPS[1], ceilings=dict.fromkeys(QuestionForm, ceiling))
        whole = replayer.measure_whole(replace(current, selection=selection), SEARCH)
        budget = int(whole.mean_tokens / FEWER_TIMES) // 10 * 10
        for scale in _WIDE_SCALES if budget else ():
            settings = ContextSettings(budget, selection, {**current.unit_scales, "passage": scale})
            compressed = replayer.measure(settings, SEARCH)
            if whole.retention - compressed.retention <= LOST_POINTS:
                found.append(compressed)
    return _prove(replayer, min(found, key=lambda one: one.mean_tokens)) if found else None


def _start(tried: Sequence[Measured], floor: float, rng: random.Random) -> Measured:
    """Where the next step begins: the best so far for this floor every other time, else anywhere on the frontier."""
    frontier = pareto(tried)
    reaching = [one for one in frontier if one.retention >= floor]
    return (reaching[0] if reaching else frontier[-1]) if rng.random() < 0.5 else rng.choice(frontier)  # noqa: PLR2004 - a coin


def _neighbour(settings: ContextSettings, rng: random.Random) -> ContextSettings:
    """The settings with one or two things changed a little."""
    for _ in range(rng.randint(1, 2)):
        settings = rng.choice((_other_budget, _other_gap, _other_ceiling, _other_scale))(settings, rng)
    return settings


def _other_budget(settings: ContextSettings, rng: random.Random) -> ContextSettings:
    budget = settings.budget_tokens * _between(0.85, 1.15, rng)
    return replace(settings, budget_tokens=int(min(_BUDGETS[1], max(_BUDGETS[0], round(budget / 10) * 10))))


def _other_gap(settings: ContextSettings, rng: random.Random) -> ContextSettings:
    gap = settings.selection.max_score_gap * _between(0.75, 1.3, rng)
    return replace(settings, selection=replace(settings.selection, max_score_gap=round(min(_GAPS[1], max(_GAPS[0], gap)), 2)))


def _other_ceiling(settings: ContextSettings, rng: random.Random) -> ContextSettings:
    form = rng.choice(list(QuestionForm))
    ceiling = settings.selection.ceilings[form] + rng.choice((-4, -2, -1, 1, 2, 4))
    ceilings = {**settings.selection.ceilings, form: min(_CEILING, max(1, ceiling))}
    return replace(settings, selection=replace(settings.selection, ceilings=ceilings))


def _other_scale(settings: ContextSettings, rng: random.Random) -> ContextSettings:
    group = rng.choice(list(UNIT_GROUPS))
    scale = settings.unit_scales.get(group, 1.0) * _between(0.8, 1.25, rng)
    return replace(settings, unit_scales={**settings.unit_scales, group: round(min(_SCALES[1], max(_SCALES[0], scale)), 2)})


def _between(low: float, high: float, rng: random.Random) -> float:
    """A number between the two, its logarithm drawn evenly."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _prove(replayer: Replayer, searched: Measured) -> FrontierPoint:
    proved = replayer.measure(searched.settings, PROOF)
    whole = replayer.measure_whole(searched.settings, PROOF)
    lost = _difference(whole.retained, proved.retained)
    return FrontierPoint(searched, proved, _interval(proved.retained), whole, lost)


def _difference(first: Sequence[float], second: Sequence[float]) -> Interval:
    return _interval([a - b for a, b in zip(first, second, strict=True)])


def _interval(values: Sequence[float]) -> Interval:
    interval = bootstrap(list(values))
    if interval is None:
        raise ValueError("there must be a question")
    return interval
