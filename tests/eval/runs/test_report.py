from typing import Any

import pytest

from app.costs.pricing import dollars
from eval.measures.intervals import Interval
from eval.measures.measures import MEASURE_BY_NAME, Outcome
from eval.runs.charts import Dot, Line, frontier_chart, quality_chart, type_bars
from eval.runs.report import beside, difference, measured, worst_cases
from eval.runs.run import Run

RETENTION = MEASURE_BY_NAME["evidence_retention"]


def _interval(value: float) -> Interval:
    return Interval(value, value - 0.1, value + 0.1)


def test_a_chart_without_points_is_still_a_chart() -> None:
    assert quality_chart([], []).startswith("<svg")
    assert type_bars({}, []).startswith("<svg")


def test_points_rise_with_the_share_and_move_right_with_tokens() -> None:
    svg = quality_chart([], [Dot("low", 100, _interval(0.3)), Dot("high", 1000, _interval(0.8))])
    circles = [part for part in svg.split("<circle") if 'class="dot' in part]
    places = {part.split("<title>")[1].split(":")[0]: part for part in circles}

    def place(name: str, axis: str) -> float:
        return float(places[name].split(f'{axis}="')[1].split('"')[0])

    assert place("low", "cx") < place("high", "cx")
    assert place("low", "cy") > place("high", "cy")


def test_names_are_escaped_in_charts() -> None:
    name = '"><script>'
    drawn = [
        quality_chart([Line(name, [(100.0, _interval(0.5))])], [Dot(name, 100, _interval(0.5))]),
        type_bars({name: (3, {name: _interval(0.5)})}, [name]),
        frontier_chart([(100, 0.5)], [(100, 0.5)], Line(name, [(100, _interval(0.5))]), [Dot(name, 90, _interval(0.4))], 0.6),
    ]
    assert all("<script" not in svg for svg in drawn)


@pytest.mark.parametrize(
    ("value", "main", "below"),
    [
        (None, "—", ""),
        (0.5, "50.0 %", ""),
        ({"mean": 0.5, "low": 0.4, "high": 0.6}, "50.0 %", "40.0 to 60.0"),
        ({"mean": 1234.4, "p50": 1000.0, "p95": None}, "1,234", "p50 1,000, p95 unknown"),
    ],
)
def test_cells(value: Any, main: str, below: str) -> None:
    assert measured(value, RETENTION) == main
    assert beside(value, RETENTION) == below


def test_differences_and_money() -> None:
    assert difference({"mean": -0.024, "low": 0, "high": 0}, RETENTION) == "-2.4 points"
    assert difference({"mean": -24.2, "low": 0, "high": 0}, MEASURE_BY_NAME["context_tokens"]) == "-24"
    assert (dollars(None), dollars("0"), dollars("0.00123")) == ("unknown", "$0", "$0.00123")


def _outcome(arm: str, case_id: str, **changes: Any) -> Outcome:
    values = {"evidence_retention": 1.0, "abstained_answerable": 0.0, "answer_correct": 1.0, **changes.pop("values", {})}
    return Outcome(arm, case_id, "t", answerable=True, values=values, cost_usd=None, prompt_usd=None, good=True, **changes)


def test_the_worst_come_first(finished: Run) -> None:
    wrong, absent, lost, failed, well, *_ = (case.id for case in finished.cases)
    outcomes = [
        _outcome("farthing", well),
        _outcome("farthing", wrong, values={"answer_correct": 0.0}),
        _outcome("farthing", absent, missing=("q",)),
        _outcome("farthing", lost, missing=("q",)),
        _outcome("no-compression", lost),
        _outcome("farthing", failed, error="it broke"),
    ]
    shown = worst_cases(finished.cases, outcomes)
    assert [item.case.id for item in shown] == [failed, lost, absent, wrong]
    assert shown[1].retained_by == ("no-compression",)
    assert len(worst_cases(finished.cases, outcomes, limit=2)) == 2
