import pytest

from indexing.aliases import Alias, aliases_of, find_aliases, terms_in_capitals
from indexing.chunking import chunk_document
from indexing.language import ENGLISH
from tests.fakes.tokens import FakeTokenCounter
from tests.indexing.pages import document


@pytest.mark.parametrize(
    "text",
    [
        "You earn Return To Office (RTO) days each month.",
        "You earn Return To Office (“RTO”) days each month.",
        "You earn Return To Office [RTO; see below] days each month.",
        "An RTO (Return To Office) day is earned each month.",
        "An RTO (short for Return To Office, since 2021) day is earned each month.",
        "We call it Return To Office, or RTO, and so do you.",
        "We call it Return To Office, also known as the RTO.",
        "RTO stands for Return To Office and nothing else.",
        "RTO, or Return To Office, is earned each month.",
        "RTO - Return To Office",
        "RTO: Return To Office. It is earned each month.",
        "RTO – The Return To Office is earned each month.",  # noqa: RUF001 - the dash is meant
        "| RTO | Return To Office | HR |",
        "| Return To Office | RTO |",
        "Return To Office: RTO",
        "Many Return To Office (RTOs) days.",
    ],
)
def test_every_way_to_define(text: str) -> None:
    assert find_aliases(text, ENGLISH) == {Alias("RTO", "Return To Office")}


@pytest.mark.parametrize(
    ("acronym", "phrase"),
    [
        ("OKR", "objectives and key results"),
        ("COLA", "cost of living adjustment"),
        ("FMLA", "Family and Medical Leave Act"),
        ("HCD", "human-centered design"),
        ("DEI", "Diversity, Equity, and Inclusion"),
        ("R&D", "research & development"),
        ("CI/CD", "continuous integration/continuous delivery"),
        ("M&IE", "meals and incidental expenses"),
        ("IAA", "interagency agreement"),
        ("FedRAMP", "Federal Risk and Authorization Management Program"),
        ("INFOSEC", "information security"),
        ("SaaS", "software as a service"),
        ("PMA", "President's Management Agenda"),
    ],
)
def test_the_letters_begin_the_words(acronym: str, phrase: str) -> None:
    assert find_aliases(f"Our new {phrase} ({acronym}) is here.", ENGLISH) == {Alias(acronym, phrase)}
    assert find_aliases(f"The {acronym} ({phrase}) is here.", ENGLISH) == {Alias(acronym, phrase)}


@pytest.mark.parametrize(
    "text",
    [
        "Ask your manager (HR) first.",
        "We pay for travel (USD only).",
        "The paid and unpaid time you take off (PTO) counts.",
        "Time off paid (PTO) counts.",
        "The contract representatives (COR) meet.",  # letters from inside a word
        "A paid. Time off (PTO) counts.",  # a sentence ends inside
        "Budget of Management (OM) rules.",  # no phrase begins with a small word
        "All about us (AU).",  # one content word
        "It is information technology (IT).",  # a stop word is no name
        "PTO - we paid a lot",
        "Mail jane@PTO (paid time off).",
        "PTO (paid time off",
        "",
    ],
)
def test_what_defines_nothing(text: str) -> None:
    assert find_aliases(text, ENGLISH) == set()


def test_the_shortest_phrase_that_fits_is_taken() -> None:
    assert find_aliases("Private time, paid time off (PTO)", ENGLISH) == {Alias("PTO", "paid time off")}
    assert find_aliases("Agreements of contractors, general service office (GSO)", ENGLISH) == {
        Alias("GSO", "general service office")
    }


@pytest.mark.parametrize("piece", ["PTO (", "PTO (paid ", "Paid time ", "PTO, or ", "a-", "(PTO)", "| PTO ", "AB (" + "1" * 50])
def test_long_lines_take_no_long_time(piece: str) -> None:
    assert len(find_aliases(piece * 20_000, ENGLISH)) <= 1  # a pattern that looked at a line again and again would run for hours


def test_a_page_defines_in_title_headings_and_units_and_each_name_once() -> None:
    page = document(
        "# Annual Wellness Day (AWD)\n\n## Paid Parental Leave (PPL)\n\n"
        "- **OKR** - Objectives and Key Results\n- OKRs (objectives and key results)\n\n"
        "| Term | Meaning |\n|---|---|\n| EAP | [Employee Assistance Program](eap.md) |\n\n```\nNight Shift Timer (NST)\n```",
        title="Annual Wellness Day (AWD)",
    )
    found = aliases_of(chunk_document(page, FakeTokenCounter(), ENGLISH), ENGLISH)
    assert [alias.acronym for alias in found] == ["AWD", "EAP", "NST", "OKR", "PPL"]
    assert found[3] == Alias("OKR", "Objectives and Key Results")
    assert found == sorted(found)


def test_terms_in_capitals_stand_never_otherwise() -> None:
    text = "PTO and SaaS: the FAR says how far. OKRs go. PTO again, IT too, A plan, HeLLo."
    assert terms_in_capitals(text, ENGLISH) == {"pto", "saa", "okr", "hello"}
    assert terms_in_capitals("no acronym here", ENGLISH) == frozenset()
