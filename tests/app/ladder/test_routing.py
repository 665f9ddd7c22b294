"""A rung is asked where what retrieval saw makes it worth its price."""

from dataclasses import replace

import pytest

from app.costs.rungs import Rung
from app.ladder.extraction import extract
from app.ladder.routing import choose_first_rung, why_not_climb
from retrieval.context import ContextSettings
from retrieval.weights import Weights
from tests.retrieval.finding import COUNTER, find

WEIGHTS = Weights({"coverage_with_headings": 1.0}, {"coverage": 10.0}, -1.0, {}, 2.0)  # 88 %
PAGE = "# Leave\n\nEverybody has 27 days of paid leave. Unused days of leave expire in March."


@pytest.mark.parametrize(
    ("answerable", "worth"),
    [
        (0.5, set()),
        (0.74, set()),
        (0.75, {Rung.SMALL_WIDE}),
        (0.89, {Rung.SMALL_WIDE}),
        (0.9, {Rung.STRONG}),
        (1.0, {Rung.STRONG}),
    ],
)
def test_after_a_failed_draft_one_rung_at_most_is_worth_asking(answerable: float, worth: set[str]) -> None:
    assert {rung for rung in (Rung.SMALL_WIDE, Rung.STRONG) if why_not_climb(rung, answerable) is None} == worth


def test_the_reason_names_the_probability() -> None:
    assert why_not_climb(Rung.STRONG, 0.4) == "an answer is only 40% likely to be there"
    assert why_not_climb(Rung.SMALL_WIDE, 0.95) == "the compressed context held the answer with a probability of 95%"


@pytest.mark.parametrize(("extractive_from", "first"), [(2.0, Rung.SMALL), (0.9, Rung.SMALL), (0.8, Rung.EXTRACTIVE)])
def test_verbatim_units_come_first_only_from_the_probability_that_was_set(extractive_from: float, first: str) -> None:
    evidence = find("How many days of paid leave?", PAGE)
    context = ContextSettings(500).make_context(evidence, WEIGHTS, COUNTER)
    verbatim = extract(evidence, context, WEIGHTS)
    route = choose_first_rung(evidence, context, verbatim, WEIGHTS, extractive_from)

    assert route.first == first
    assert route.answerable == pytest.approx(0.88, abs=0.01)
    assert "88%" in route.reason


def test_without_verbatim_units_a_model_is_asked() -> None:
    doubtful = replace(WEIGHTS, answerable_bias=-50.0)
    evidence = find("How many days of paid leave?", PAGE)
    context = ContextSettings(500).make_context(evidence, doubtful, COUNTER)

    assert choose_first_rung(evidence, context, None, doubtful, 0.0).first == Rung.SMALL
