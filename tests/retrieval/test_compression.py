from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.documents import PREFACE, UnitKind
from indexing.plain_text import plain_text
from retrieval.analysis import shown_text
from retrieval.compression import compress
from retrieval.passages import Context, ContextUnit
from retrieval.retriever import Evidence
from retrieval.weights import Weights, shipped_weights
from tests.indexing.pages import Page, document, pages
from tests.retrieval.finding import COUNTER, SCOPE, find

NO_WEIGHTS = Weights({}, {}, 0.0, {}, 0.0)
BY_COVERAGE = Weights({"coverage_with_headings": 1.0}, {"coverage": 10.0}, -1.0, {}, 0.0)


def packed(evidence: Evidence, budget: int = 10_000, weights: Weights = BY_COVERAGE) -> Context:
    return compress(evidence, evidence.passages, weights, COUNTER, budget)


def texts(context: Context) -> list[str]:
    return [shown_text(unit.chunk, unit.position) for unit in context.units]


def assert_readable(context: Context) -> None:
    """No unit without its lead-in or antecedent, none cut, everything in reading order."""
    held = {(unit.chunk.id, unit.position) for unit in context.units}
    assert len(held) == len(context.units)
    at: dict[str, tuple[int, int]] = {}
    documents: list[str] = []
    for unit in context.units:
        assert shown_text(unit.chunk, unit.position) in context.text
        own = unit.chunk.units[unit.position]
        if own.lead_in == PREFACE:
            assert all(line in context.text for line in plain_text(unit.chunk.preface).split("\n"))
        elif own.lead_in is not None:
            assert (unit.chunk.id, own.lead_in) in held
        place = (unit.chunk.ordinal, unit.position)
        assert at.get(unit.chunk.document_id, (-1, -1)) < place
        at[unit.chunk.document_id] = place
        if unit.chunk.document_id not in documents[-1:]:
            documents.append(unit.chunk.document_id)
    assert len(set(documents)) == len(documents)


@given(
    first=pages(max_blocks=6),
    second=pages(max_blocks=6),
    asked=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    budget=st.integers(0, 400),
    weights=st.sampled_from([shipped_weights(), BY_COVERAGE, NO_WEIGHTS]),
)
@settings(max_examples=200, deadline=None)
def test_any_budget_is_kept_and_what_is_packed_can_be_read(
    first: Page, second: Page, asked: list[int], budget: int, weights: Weights
) -> None:
    evidence = find(" ".join(f"w{number}x" for number in asked), *("\n\n".join(page.parts) for page in (first, second)))
    context = packed(evidence, budget, weights)
    assert context.tokens == COUNTER.count(context.text) <= budget
    assert bool(context.units) == bool(context.text)
    assert_readable(context)
    assert context == packed(evidence, budget, weights)
    allowed = {passage.chunk.id for passage in evidence.passages}
    assert {unit.chunk.id for unit in context.units} <= allowed


@given(page=pages(max_blocks=10))
@settings(max_examples=60, deadline=None)
def test_with_room_for_all_nothing_is_left_out(page: Page) -> None:
    evidence = find("w1x w2x", "\n\n".join(page.parts))
    context = packed(evidence, 1_000_000, NO_WEIGHTS)
    everything = {shown_text(p.chunk, n) for p in evidence.passages for n in range(len(p.chunk.units))}
    assert set(texts(context)) == everything


def test_headings_are_printed_once_and_units_in_reading_order() -> None:
    page = "# Travel\n\nBook travel early.\n\n## Trains\n\nTravel by train. Sit down.\n\n## Planes\n\nNo travel by plane."
    evidence = find("travel", document(page, title="Handbook"))
    assert packed(evidence).text == (
        "Handbook > Travel\nBook travel early.\nTrains\nTravel by train. Sit down.\nPlanes\nNo travel by plane."
    )


def test_equal_headings_on_other_pages_are_printed_for_each() -> None:
    evidence = find("travel", *(document(f"# Rules\n\nTravel {n}.", title="Same", path=f"{n}.md") for n in range(2)))
    assert packed(evidence).text.count("Same > Rules") == 2


def test_pages_come_in_the_order_of_their_best_passage() -> None:
    evidence = find("travel leave", "# A\n\nLeave. Other words.", "# B\n\nTravel and leave.")
    context = packed(evidence)
    assert context.units[0].chunk.document_id == evidence.passages[0].chunk.document_id


def test_an_item_brings_its_introduction_and_what_it_is_nested_under() -> None:
    evidence = find("zebra", "# Zoo\n\nSome words. You may bring:\n\n- animals\n  - one zebra\n  - dogs\n- plants")
    assert texts(packed(evidence, 16)) == ["You may bring:", "animals", "one zebra"]
    assert packed(evidence, 8).units == ()  # the zebra alone would fit, but says nothing


def test_an_introduction_in_an_earlier_chunk_is_printed_as_preface() -> None:
    items = "\n".join(f"- item {n} {'filling ' * 40}" for n in range(12))
    evidence = find("zebra", f"You must not bring:\n\n{items}\n- a zebra")
    context = packed(evidence, 12)
    assert texts(context) == ["a zebra"]
    assert context.text.endswith("You must not bring:\na zebra")
    assert len(evidence.passages) > 1
    assert packed(evidence).text.count("You must not bring:") == 1  # the chunk before has it


@pytest.mark.parametrize(
    "caveat",
    [
        "This does not apply to interns.",
        "Managers are paid, except on Sundays.",
        "Pay stops unless the office agrees.",
        "Only if asked does anybody write.",
        "However, nobody checks.",
        "Otherwise wait.",
    ],
)
def test_the_sentence_that_limits_a_unit_comes_along(caveat: str) -> None:
    evidence = find("zebra allowance", f"Start. The zebra allowance is 5. {caveat} The end is near.")
    context = packed(evidence, COUNTER.count(f"Page 0 The zebra allowance is 5. {caveat}") + 4)
    assert texts(context) == ["The zebra allowance is 5.", caveat]
    small = packed(evidence, COUNTER.count("Page 0 The zebra allowance is 5.") + 3)
    assert "The zebra allowance is 5." not in texts(small)


@pytest.mark.parametrize(
    "opener",
    ["It pays the zebra.", "They keep a zebra.", "But the zebra stays.", "In this case a zebra helps.", "For example, a zebra."],
)
def test_a_sentence_that_points_back_brings_the_one_before(opener: str) -> None:
    evidence = find("zebra", f"Nothing here. The office decides. {opener} More words.")
    context = packed(evidence, COUNTER.count(f"Page 0 The office decides. {opener}") + 4)
    assert texts(context) == ["The office decides.", opener]


def test_a_chain_of_openers_is_followed_to_its_start() -> None:
    evidence = find("zebra", "Unrelated start. The office decides. It writes. This helps the zebra.")
    context = packed(evidence, 18)
    assert texts(context) == ["The office decides.", "It writes.", "This helps the zebra."]


def test_a_limit_that_hangs_on_something_else_brings_that_too() -> None:
    filling = "Many " + "further words follow here " * 8
    page = f"- The first item. {filling}. Zebra allowance is 5. Unless nobody asks. {filling}."
    evidence = find("zebra allowance", page)
    context = packed(evidence, 30)
    assert "Unless nobody asks." in texts(context)
    assert_readable(context)


def test_tables_and_code_come_whole_or_not_at_all() -> None:
    table = "| Animal | Pay |\n|---|---|\n" + "\n".join(f"| animal{n} | {n} |" for n in range(5)) + "\n| zebra | 7 |"
    code = "```sh\nzebra --feed  <now>\n\nrest\n```"
    evidence = find("zebra", f"# T\n\n{table}\n\n# C\n\n{code}")
    context = packed(evidence)
    assert code in context.text
    assert "| Animal | Pay |\n| animal0 | 0 |" in context.text
    for budget in range(60):
        small = packed(evidence, budget)
        assert all(unit.chunk.units[unit.position].kind in {UnitKind.TABLE, UnitKind.CODE} for unit in small.units)
        assert_readable(small)


def test_rows_of_a_long_table_come_with_its_head() -> None:
    rows = "\n".join(f"| animal{n} | {'cell ' * 8}|" for n in range(60))
    evidence = find("zebra", f"| Animal | Pay |\n|---|---|\n{rows}\n| zebra | 7 |\n{rows}")
    context = packed(evidence, 150)
    assert any("zebra" in text for text in texts(context))
    assert "| Animal | Pay |" in context.text


def test_a_text_that_stands_twice_is_sent_once() -> None:
    evidence = find("zebra", "# A\n\nThe zebra rule. One.", "# B\n\nThe zebra rule. Two.")
    assert texts(packed(evidence)).count("The zebra rule.") == 1


def test_a_unit_that_does_not_fit_is_passed_over_for_one_that_does() -> None:
    evidence = find("zebra allowance", f"Zebra allowance {'and more ' * 30}end. A zebra eats.")
    assert texts(packed(evidence, 12)) == ["A zebra eats."]


class _Stingy:
    """Counts a joined text higher than its parts, as tokenizers may."""

    name = "stingy"

    def count(self, text: str) -> int:
        return COUNTER.count(text) + 3 * text.count("\n")

    def count_many(self, texts: list[str]) -> list[int]:
        return [COUNTER.count(text) for text in texts]


@pytest.mark.parametrize("budget", range(0, 90, 3))
def test_what_was_counted_too_low_is_given_back_in_whole_groups(budget: int) -> None:
    items = "\n".join(f"- zebra item {n}\n  - below zebra {n}" for n in range(8))
    evidence = find("zebra", f"# Z\n\nBring these:\n\n{items}\n\nA zebra sleeps.\nIt snores.\n")
    context = compress(evidence, evidence.passages, BY_COVERAGE, _Stingy(), budget)
    assert context.tokens <= budget
    assert_readable(context)


def test_units_outside_the_scope_never_appear() -> None:
    open_page = document("# A\n\nThe open zebra rule.", path="open.md")
    closed = document("# B\n\nThe secret zebra rule. Zebra zebra.", path="closed.md", labels=("hr",))
    foreign = document("# C\n\nThe foreign zebra rule.", path="foreign.md", tenant="other")
    evidence = find("zebra rule", open_page, closed, foreign)
    assert texts(packed(evidence, weights=shipped_weights())) == ["The open zebra rule."]
    both = find("zebra rule", open_page, closed, foreign, scope=replace(SCOPE, labels=frozenset({"hr", "everyone"})))
    assert "secret" in packed(both).text
    assert "foreign" not in packed(both).text
    nobody = find("zebra rule", open_page, closed, scope=replace(SCOPE, labels=frozenset()))
    assert packed(nobody) == Context((), "", 0)


def test_ties_are_broken_by_rank_and_place() -> None:
    evidence = find("zebra", *(f"# H{n}\n\nZebra {n} here. Zebra {n} there." for n in range(4)))
    context = packed(evidence, 15, NO_WEIGHTS)
    best = evidence.passages[0].chunk
    assert [(unit.chunk.id, unit.position) for unit in context.units][:2] == [(best.id, 0), (best.id, 1)]
    assert all(isinstance(unit, ContextUnit) and unit.score == 0.5 for unit in context.units)
