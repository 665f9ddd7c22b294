import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grounding import Readings, Source, Support, check_sentence
from app.grounding.checks import find
from indexing.aliases import Alias
from indexing.documents import AccessLabel
from indexing.language import ENGLISH
from retrieval.lexicon import lexicon_rarity

SUPPORTED, UNSURE, UNSUPPORTED = Support.SUPPORTED, Support.UNSURE, Support.UNSUPPORTED

LEAVE = Source("Full-time employees get 25 days of paid leave a year, and interns get 12 days.", ("Leave", "Paid leave"))
CARDS = Source("Anna Smith in Berlin must approve purchases above $5,000 before March 1, 2024.", ("Company cards",))
VISITORS = Source("Visitors may not use the guest network unless their host has signed form FL-600.", ("Visitors",))


def even(terms: Sequence[str]) -> Mapping[str, float]:
    return dict.fromkeys(terms, 1.0)


def verdict(sentence: str, *cited: Source) -> Support:
    return check_sentence(sentence, cited, even, Readings(ENGLISH)).support


def asked(sentence: str, cited: Source, question: str) -> Support:
    return check_sentence(sentence, [cited], even, Readings(ENGLISH), question).support


def reason(sentence: str, *cited: Source) -> str:
    return check_sentence(sentence, cited, even, Readings(ENGLISH)).reason


@pytest.mark.parametrize("source", [LEAVE, CARDS, VISITORS])
def test_a_unit_word_for_word_is_supported(source: Source) -> None:
    assert verdict(source.text.replace(" ", "  "), source, LEAVE) is SUPPORTED


def test_all_units_together_are_supported_in_any_order() -> None:
    for cited in itertools.permutations([LEAVE, CARDS, VISITORS]):
        assert find(f"{CARDS.text} {LEAVE.text} {VISITORS.text}", cited, even, Readings(ENGLISH)).verbatim


def test_a_part_of_a_unit_without_its_exception_is_not_supported() -> None:
    assert verdict("Visitors may not use the guest network.", VISITORS) is UNSURE
    assert "unless" in reason("Visitors may not use the guest network.", VISITORS)


def test_nothing_cited_supports_nothing() -> None:
    assert verdict("Interns get 12 days.") is UNSUPPORTED


@pytest.mark.parametrize(
    ("sentence", "cited"),
    [
        ("Interns get twelve days a year.", LEAVE),
        ("Paid leave: interns get 12 days.", LEAVE),
        ("Purchases above 5,000 dollars must be approved by Anna Smith in Berlin before 2024-03-01.", CARDS),
        ("Anna Smith must approve purchases above $5k before 1 March.", CARDS),
        ("No, visitors may not use the guest network unless the host has signed FL-600.", VISITORS),
        ("1. Interns get 12 days of leave.", LEAVE),
        (f"No. {VISITORS.text}", VISITORS),
        (f"Yes: {CARDS.text}", CARDS),
        (f"No - {LEAVE.text}", LEAVE),
    ],
)
def test_other_words_in_the_same_sense_are_supported(sentence: str, cited: Source) -> None:
    assert verdict(sentence, cited) is SUPPORTED


@pytest.mark.parametrize(
    ("sentence", "cited", "why"),
    [
        ("Interns get 15 days of paid leave.", LEAVE, "the number 15 days is in no cited unit"),
        ("Interns get 12 weeks of paid leave.", LEAVE, "the number 12 weeks is in no cited unit"),
        ("Interns get twelve business days of paid leave.", LEAVE, "the number twelve business days is in no cited unit"),
        ("Purchases above $50k need approval.", CARDS, "the number $50k is in no cited unit"),
        ("Approve it before March 2, 2024.", CARDS, "the date March 2, 2024 is in no cited unit"),
        ("Approve it before March 1, 2025.", CARDS, "the date March 1, 2025 is in no cited unit"),
        ("Purchases are approved by Anna Jones.", CARDS, "the name Jones is in no cited unit"),
        ("Visitors sign form FL-700.", VISITORS, "the code FL-700 is in no cited unit"),
        (
            "Full-time employees get 12 days of paid leave a year, and interns get 12 days.",
            LEAVE,
            "where it says 12 days, the cited unit says 25 days",
        ),
        (CARDS.text.replace("must", "may"), CARDS, "where it says 'may', the cited unit says 'must'"),
        (CARDS.text.replace("before", "after"), CARDS, "where it says 'after', the cited unit says 'before'"),
        (VISITORS.text.replace("may not", "may"), VISITORS, "it leaves out 'not'"),
        (CARDS.text.replace("must", "must not"), CARDS, "it says 'not' where the cited unit does not"),
    ],
)
def test_what_disagrees_is_unsupported_and_says_why(sentence: str, cited: Source, why: str) -> None:
    check = check_sentence(sentence, [cited], even, Readings(ENGLISH))
    assert (check.support, check.reason) == (UNSUPPORTED, why)


@pytest.mark.parametrize(
    ("sentence", "cited", "why"),
    [
        ("Interns get 12 days of leave and free lunch.", LEAVE, "not in the cited units: 'free', 'lunch'"),
        ("Interns get a purchase.", CARDS, "not in the cited units: 'intern'"),
        ("Paid employees full-time leave interns.", LEAVE, "its words are in the cited units, but not beside each other"),
        ("You can.", LEAVE, "it says nothing that can be looked up"),
        ("Purchases above $5,000 can be approved by Anna Smith.", CARDS, "it says 'can' where the cited unit says 'must'"),
        ("Interns never wait 12 days.", LEAVE, "it says 'never', and the cited unit does not"),
        ("Interns get 12 days of paid leave.", LEAVE, "where it says 12 days, the cited unit says 25 days"),
        ("Company cards.", CARDS, "its words are only in the headings of what it cites"),
        ("Visitors use the guest network unless the host has signed.", VISITORS, "the cited unit says 'not' about 'guest'"),
        ("Purchases above $5,000 must be approved by Smith Anna.", CARDS, "Smith Anna do not stand together in a cited unit"),
    ],
)
def test_what_cannot_be_told_is_unsure_and_says_why(sentence: str, cited: Source, why: str) -> None:
    check = check_sentence(sentence, [cited], even, Readings(ENGLISH))
    assert (check.support, check.reason) == (UNSURE, why)


def test_headings_count() -> None:
    assert verdict("Company cards: Anna Smith must approve purchases above $5,000.", CARDS) is SUPPORTED


def test_a_date_may_say_less_than_its_evidence_and_never_more() -> None:
    assert verdict("Anna Smith must approve purchases above $5,000 before March 2024.", CARDS) is SUPPORTED
    yearless = Source(CARDS.text.replace(", 2024", ""))
    assert verdict(CARDS.text, yearless) is UNSUPPORTED


def test_a_date_that_is_none_agrees_with_itself_alone() -> None:
    source = Source("The code 31/31/2024 was never a date.")
    assert verdict("Never a date: 31/31/2024 was the code.", source) is not UNSUPPORTED
    assert verdict("Never a date: 31/30/2024 was the code.", source) is UNSUPPORTED


def test_a_number_of_another_unit_does_not_help() -> None:
    other = Source("Exit status 2 means that the command was refused.")
    own = Source("Exit status 1 means that the work was done, but files were skipped.")
    assert verdict("Exit status 2 means that the work was done, but files were skipped.", own, other) is UNSUPPORTED


def test_an_acronym_is_known_by_its_words() -> None:
    written = Source("The General Services Administration pays for travel.")
    assert verdict("For travel, GSA pays.", written) is not UNSUPPORTED
    assert verdict("For travel, NASA pays.", written) is UNSUPPORTED


def test_the_united_states_are_not_us() -> None:
    assert verdict("People in the US may apply.", Source("Let us know which people may apply in the end.")) is UNSUPPORTED
    assert verdict("People in the US may apply.", Source("People in the U.S. may apply.")) is SUPPORTED


def test_a_name_may_come_from_the_question_but_is_not_supported_by_it() -> None:
    sentence = "At Acme visitors may not use the guest network unless their host has signed form FL-600."
    assert verdict(sentence, VISITORS) is UNSUPPORTED
    assert asked(sentence, VISITORS, "Can visitors of ACME use the guest network?") is UNSURE
    assert asked(sentence, VISITORS, "Can visitors of Zenith use the guest network?") is UNSUPPORTED


@pytest.mark.parametrize(
    ("sentence", "cited", "question"),
    [
        ("Interns get 15 days of paid leave.", LEAVE, "Is it true that interns get 15 days of paid leave?"),
        ("Yes, approve it before March 2, 2024.", CARDS, "Must it be approved before March 2, 2024?"),
        ("Visitors sign form FL-700.", VISITORS, "Do visitors sign form FL-700?"),
        (CARDS.text.replace("Smith", "Jones"), CARDS, "Does Anna Jones approve purchases?"),
    ],
)
def test_what_the_asker_has_wrong_stays_wrong(sentence: str, cited: Source, question: str) -> None:
    assert asked(sentence, cited, question) is UNSUPPORTED


def test_a_fact_that_stands_in_the_unit_elsewhere_is_exchanged_only_where_much_around_it_is_alike() -> None:
    donors = Source("You can take up to 7 days of leave in a year to give bone marrow, and up to 30 days to give an organ.")
    assert verdict("Up to 30 days of leave in a year to give an organ.", donors) is not UNSUPPORTED
    assert verdict(donors.text.replace("7", "30"), donors) is UNSUPPORTED
    vendor = Source("The requester must ensure that the vendor will work towards it.")
    assert verdict("For longer the vendor must work towards it.", vendor) is UNSURE


def test_two_sentences_that_end_alike_do_not_say_the_same() -> None:
    started, joined = Source("The lab was started in March 2014."), Source("The centers were founded in October 2017.")
    assert verdict("The lab was started in March 2014, and the centers in October 2017.", started, joined) is not UNSUPPORTED


def test_a_channel_may_stand_there_without_its_mark() -> None:
    ask = Source("Please visit staffing-resourcing to ask for somebody.", ("Outreach",))
    assert verdict("Please ask in #staffing-resourcing.", ask) is not UNSUPPORTED
    assert verdict("Please ask in #outreach.", ask) is UNSURE
    assert verdict("Please ask in #staffing-office.", ask) is UNSUPPORTED


def test_words_with_strokes_between_them_are_no_path() -> None:
    package = Source("Statement of Work (SOW)/Performance Work Statement (PWS)/Statement of Objectives (SOO)", ("Package",))
    assert verdict("The package has a SOW/PWS/SOO.", package) is not UNSUPPORTED
    assert verdict("The package has a SOW/PWS/QASP.", package) is UNSUPPORTED
    assert verdict("The package is in /etc/soo.", package) is UNSUPPORTED


def test_what_is_forbidden_is_so_with_any_verb() -> None:
    order = Source("In short, no public official shall refer a relative to another one.")
    assert verdict("In short, no public official may refer a relative to another one.", order) is UNSURE
    assert verdict("In short, public officials may refer a relative to another one.", order) is not SUPPORTED


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    class Lexicon:
        chunk_count = 1_000

        def document_frequencies(self, terms: Iterable[str]) -> Mapping[str, int]:
            return {term: 900 for term in terms if term != "gym"}

        def aliases(self, names: Iterable[str], labels: AbstractSet[AccessLabel]) -> Sequence[Alias]:  # noqa: ARG002 - the port's
            return ()

    covered = find("Interns get leave and gym days.", [LEAVE], lexicon_rarity(Lexicon()), Readings(ENGLISH)).coverage
    assert covered < find("Interns get leave and gym days.", [LEAVE], even, Readings(ENGLISH)).coverage


NUMBERS = st.integers(min_value=2, max_value=10_000)
TEMPLATES = st.sampled_from(
    [
        "Everybody has {} days of leave.",
        "{} people work here.",
        "The fee is ${}.",
        "Reports of more than {} pages, with annexes, are refused",
        "In 1998 we had {}",
    ]
)


@given(TEMPLATES, NUMBERS, NUMBERS, NUMBERS)
def test_a_changed_number_in_a_verbatim_sentence_is_never_supported(template: str, true: int, false: int, beside: int) -> None:
    cited = [Source(template.format(f"{true:,}")), Source(f"There are {beside} desks and {false} chairs.")]
    sentence = template.format(f"{false:,}")
    assert (verdict(sentence, *cited) is SUPPORTED) == (true == false)


WORDS = st.sampled_from(
    "employees interns may must not 12 25 days leave Berlin Anna before after unless a the of paid year GSA $5 2024 "
    "1/2/2024 40/40/2024 2024-01-02 5pm 5:00 FL-6 No, First".split()
)
TEXTS = st.lists(WORDS, min_size=1, max_size=9).map(" ".join)


@given(TEXTS, st.lists(st.builds(Source, TEXTS), max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_the_cited_units_changes_nothing(sentence: str, cited: list[Source], draw: random.Random) -> None:
    shuffled = draw.sample(cited, len(cited))
    assert check_sentence(sentence, cited, even, Readings(ENGLISH)) == check_sentence(sentence, shuffled, even, Readings(ENGLISH))


@given(st.text(max_size=200), st.lists(st.builds(Source, st.text(max_size=200)), min_size=1, max_size=3))
def test_any_text_is_checked(sentence: str, cited: list[Source]) -> None:
    assert check_sentence(sentence, cited, even, Readings(ENGLISH)).reason
    assert check_sentence(cited[0].text, cited, even, Readings(ENGLISH)).support is SUPPORTED
