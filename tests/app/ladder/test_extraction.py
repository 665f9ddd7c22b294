from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.answers.answers import cite, groundedness
from app.ladder.extraction import ExtractionSettings, extract
from indexing.documents import UnitKind
from retrieval.compression import compress
from retrieval.passages import Context
from retrieval.retriever import Evidence
from retrieval.weights import Weights
from tests.indexing.pages import Page, pages
from tests.retrieval.finding import COUNTER, find

SURE = Weights({"coverage_with_headings": 1.0}, {"coverage": 10.0}, -1.0, {}, 50.0)
UNSURE = replace(SURE, answerable_bias=-50.0)


def context_of(evidence: Evidence, budget: int = 1000) -> Context:
    return compress(evidence, evidence.passages, SURE, COUNTER, budget)


def answer(question: str, *markdown: str, **settings: float) -> list[str]:
    evidence = find(question, *markdown)
    draft = extract(evidence, context_of(evidence), SURE, ExtractionSettings(**settings))  # type: ignore[arg-type]
    assert draft is not None
    return [sentence.text for sentence in draft.sentences]


@given(
    page=pages(max_blocks=8),
    question=st.sampled_from(["When is w1x?", "List all the w3x and w5x", "w2x", "How do I w4x w6x?"]),
    max_tokens=st.integers(1, 200),
)
@settings(max_examples=150, deadline=None)
def test_an_answer_is_verbatim_in_reading_order_and_short(page: Page, question: str, max_tokens: int) -> None:
    evidence = find(question, "\n\n".join(page.parts), "# Other\n\nSomething w1x else.")
    context = context_of(evidence)
    bounds = ExtractionSettings(max_tokens=max_tokens)
    draft = extract(evidence, context, SURE, bounds)
    assert draft is not None
    assert groundedness(draft) == 1.0
    units = [sentence.units[0] for sentence in draft.sentences]
    assert all(len(sentence.units) == 1 for sentence in draft.sentences)
    positions = [context.units.index(unit) for unit in units]
    assert all(one < other for one, other in pairwise(positions))
    tokens = sum(COUNTER.count(sentence.text) for sentence in draft.sentences)
    assert tokens <= max_tokens or len(units) <= 2  # the best unit and what introduces it
    text, citations = cite(draft)
    assert all(citation.quote in unit.chunk.text for citation, unit in zip(citations, units, strict=False))
    assert text.strip()
    assert draft == extract(evidence, context, SURE, bounds)


def test_below_the_threshold_there_is_no_answer() -> None:
    evidence = find("zebra", "The zebra eats.")
    context = context_of(evidence)
    assert extract(evidence, context, UNSURE) is None
    assert extract(evidence, context, UNSURE, ExtractionSettings(min_probability=0.0)) is not None
    undecided = replace(SURE, answerable_bias=0.0)
    assert extract(evidence, context, undecided, ExtractionSettings(min_probability=0.5)) is not None
    assert extract(evidence, context, undecided, ExtractionSettings(min_probability=0.501)) is None


def test_without_evidence_or_context_there_is_no_answer_however_sure() -> None:
    nothing = find("zebra")
    assert extract(nothing, Context((), "", 0), SURE, ExtractionSettings(min_probability=0.01)) is None
    something = find("zebra", "The zebra eats.")
    assert extract(something, Context((), "", 0), SURE, ExtractionSettings(min_probability=0.01)) is None


def test_weak_units_and_surplus_units_are_left_out() -> None:
    page = "The zebra eats grass. Nothing of interest here. The zebra sleeps at noon. A zebra runs very fast."
    telling = ["The zebra eats grass.", "The zebra sleeps at noon.", "A zebra runs very fast."]
    assert answer("zebra", page, min_share=0.5) == telling
    assert answer("zebra", page, max_units=1) == ["The zebra eats grass."]
    assert len(answer("zebra", page, min_share=0.0)) == 4


def test_the_length_is_bounded_but_the_best_unit_stands() -> None:
    page = f"The zebra eats {'grass and ' * 20}hay. The other zebra eats nothing at all."
    assert answer("zebra", page, max_tokens=1) == [f"The zebra eats {'grass and ' * 20}hay."]
    assert len(answer("zebra", page, max_tokens=200)) == 2


def test_an_item_comes_with_its_introduction() -> None:
    page = "You may bring these animals:\n\n- one striped zebra called Tim\n- two dogs of any kind\n\nNothing else matters."
    assert answer("Is a zebra allowed?", page, max_units=1) == ["You may bring these animals:", "one striped zebra called Tim"]


def test_a_list_that_is_asked_for_comes_whole_as_far_as_allowed() -> None:
    items = "\n".join(f"- animal {n}" for n in range(12))
    page = f"You may bring these zebra friends:\n\n{items}"
    intro = "You may bring these zebra friends:"
    assert answer("List all the zebra friends", page, max_units=1) == [intro, *(f"animal {n}" for n in range(8))]
    assert answer("List all the zebra friends", page, max_units=1, max_list_items=3) == [
        intro,
        *(f"animal {n}" for n in range(3)),
    ]
    short = answer("List all the zebra friends", page, max_tokens=14)
    assert short == [intro, "animal 0", "animal 1", "animal 2"]
    assert len(answer("Where are the zebra friends?", page, max_units=1)) < len(items)


def test_a_few_words_or_an_introduction_do_not_answer_alone() -> None:
    page = "# A\n\nZebra. Zebra rules:\n\n# B\n\nThe zebra must be fed daily."
    assert answer("zebra", page) == ["The zebra must be fed daily."]
    assert answer("zebra", "Zebra. Zebra.") == ["Zebra."]  # where there is nothing else, it stands


@pytest.mark.parametrize(
    ("block", "kind"),
    [("| Zebra | Pay |\n|---|---|\n| 1 | 2 |", UnitKind.TABLE), ("```\nzebra --pay  <now>\n```", UnitKind.CODE)],
)
def test_tables_and_code_are_answers_too(block: str, kind: UnitKind) -> None:
    evidence = find("zebra", block)
    draft = extract(evidence, context_of(evidence), SURE)
    assert draft is not None
    (unit,) = draft.sentences[0].units
    assert unit.chunk.units[unit.position].kind is kind
    assert unit.text == block
