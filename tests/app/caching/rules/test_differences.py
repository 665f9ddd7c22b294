import json
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.caching.rules.differences import RULES, differences, is_alias
from indexing.language import ENGLISH
from retrieval.passages import Query

PIECES = (
    "how many days when who may approve the voucher not without before after turn on off Figma Zoom manager contractor 3 5 hours "
    "weeks more than at least up to until by 5th 2024 in May Monday Friday private public Mexico India sick leave why what does "
    "it mean maximum minimum GSA DC Chicago ? ,"
).split()
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map(" ".join)


def kinds(old: str, new: str) -> set[str]:
    return {reason.split(": ")[0] for reason in differences(Query(old), Query(new), ENGLISH)}


MEANINGS = ("", "more than", "fewer than", "at least", "at most")
DATED = ("on", "before", "after", "until", "by", "since", "not on", "not before")


@given(texts, texts)
def test_old_and_new_exchanged_give_the_same_reasons_turned_round(old: str, new: str) -> None:
    there, back = differences(Query(old), Query(new), ENGLISH), differences(Query(new), Query(old), ENGLISH)
    assert kinds(old, new) == kinds(new, old) <= set(RULES)
    assert len(there) == len(back)


@given(texts)
def test_a_question_does_not_differ_from_itself(text: str) -> None:
    assert differences(Query(text), Query(text), ENGLISH) == ()
    assert differences(Query(text), Query(f"  {text}  "), ENGLISH) == ()


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("number", "Do I report a stay of 3 months?", "People ops: staying away seven months, what now?"),
        ("number", "limit for receipts: $25", "from 75 dollars on, is a receipt wanted?"),
        ("number", "up to 4 hours of leave?", "leave, can it be 4 days?"),
        ("number", "plans for FY2024", "What is planned for 2025?"),
        ("contrast", "How do I turn on dark mode?", "switch the dark theme off, how"),
        ("contrast", "Can I see it before signing?", "access, after I have signed"),
        ("contrast", "minimum balance to travel", "What is the most I may have? upper limit please"),
        ("contrast", "may my boss see this", "Is it open to contractors?"),
        ("contrast", "does an employee sign", "the manager's signature, is it needed"),
        ("contrast", "benefits when full-time", "I work part time: any benefits?"),
        ("contrast", "rules for domestic trips", "international travel rules"),
        ("contrast", "opening hours on Wednesday", "Is it open thursdays?"),
        ("contrast", "parking in the D.C. office", "where to park in SF"),
        ("contrast", "a report due in March", "What is reported for April?"),
        ("negation", "Which expenses are reimbursable?", "what is not reimbursable, of all one can expense"),
        ("asked for", "When does the badge expire?", "Why is my badge no good?"),
        ("asked for", "Who approves a voucher?", "How long until approval of vouchers comes?"),
        ("name", "Is SSO the way into Figma?", "single sign-on, does Zoom have it"),
        ("exchanged", "How large a file can I push through DOD SAFE?", "How large a file can I push through IntelDocs?"),
        ("exchanged", "How long is parental leave?", "How long is parental leave for detailees?"),
    ],
)
def test_each_rule_finds_its_difference(kind: str, old: str, new: str) -> None:
    assert kind in kinds(old, new)


@pytest.mark.parametrize("number", ["3 days", "three days", "$25", "a week", "1,500 miles", "40h"])
@pytest.mark.parametrize(("one", "other"), list(permutations(MEANINGS, 2)))
def test_the_same_quantity_compared_otherwise_is_another(number: str, one: str, other: str) -> None:
    assert "qualified" in kinds(f"May I be away for {one} {number}?", f"is it allowed, {other} {number}")


@pytest.mark.parametrize(
    "date", ["5 March", "March 5", "the 5th of March", "Monday", "2024", "May", "next year", "5pm", "end of june"]
)
@pytest.mark.parametrize(("one", "other"), list(permutations(DATED, 2)))
def test_the_same_date_in_another_relation_is_another(date: str, one: str, other: str) -> None:
    assert "qualified" in kinds(f"Are reports due {one} {date}?", f"must I hand it in {other} {date}, the yearly report")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("more than 3 days", "over 3 days"),
        ("at least 3 days", "3 days or more"),
        ("at least 3 days", "3+ days"),
        ("at most 3 days", "no more than 3 days"),
        ("up to 3 days", "three days or less"),
        ("above $25", "> 25 dollars"),
        ("3 days", "within 3 days"),
        ("carry over 40 hours", "carry 40 hours over"),
        ("signed by 2 managers", "2 managers sign"),
        ("used by 18F", "18F uses it"),
        ("before 5 March", "prior to March 5th"),
        ("by Monday", "no later than Monday"),
        ("until May", "till the end of May"),
    ],
)
def test_a_quantity_in_other_words_is_the_same(one: str, other: str) -> None:
    assert {"qualified", "negation"}.isdisjoint(kinds(one, other) | kinds(other, one))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a report due in March", "What is reported for May?"),
        ("a report due on 5 May", "reported in June"),
        ("a report due in may", "reported in march"),
        ("a report due May 5th", "5 April, a report?"),
    ],
)
def test_may_is_a_month_where_it_is_not_the_verb(old: str, new: str) -> None:
    assert "contrast" in kinds(old, new) & kinds(new, old)
    assert "contrast" not in kinds("May I report in March?", "is a report in April or March something I may do")
    assert "contrast" not in kinds("May I report it?", "a report in March")


@pytest.mark.parametrize(
    ("one", "other"),
    list(permutations(("Who", "Where", "When", "What", "Why", "How", "How often"), 2)),
)
def test_all_but_the_question_word_is_the_same(one: str, other: str) -> None:
    assert "asked for" in kinds(f"{one} do interns report to?", f"{other} do the interns report to?")


def test_whether_is_not_how_and_who_is_not_where_of_the_same() -> None:
    assert "asked for" in kinds("How can I carry it over?", "Can I carry it over?")
    assert "asked for" in kinds("Who runs the Berlin office?", "Where is the Berlin office?")
    assert kinds("Who gets the signed form?", "Where do I send a form that has a signature?") == set()
    assert kinds("Who approves it?", "By whom is it approved?") == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("How many credit hours can I hold?", "max number of credit hrs I can be sitting on at once"),
        ("What is the PPL approval chain?", "Who approves Paid Parental Leave?"),
        ("How long can a repo sit idle before it gets archived?", "auto-archive threshold for stale repositories"),
        ("I need 2 weeks off to move, who signs?", "whose approval for a move, two weeks"),
        ("Do uncleared staff report trips abroad?", "no clearance, foreign travel: report it?"),
        ("Which leave is for 3 days at most?", "leave of no more than three days"),
        ("Is a 3-night stay enough for laundry?", "laundry for three nights"),
    ],
)
def test_paraphrases_show_no_difference(old: str, new: str) -> None:
    assert differences(Query(old), Query(new), ENGLISH) == ()


def test_a_follow_up_differs_from_the_same_words_after_another_question() -> None:
    old = Query("and for interns?", background="Who approves leave?")
    assert differences(old, Query("and for interns?", background="Who approves  leave?"), ENGLISH) == ()
    assert differences(old, Query("and for interns?", background="Who approves travel?"), ENGLISH) == (
        "background: one / another",
    )
    assert differences(old, Query("and for interns?"), ENGLISH) == ("background: one / another",)


def test_reasons_say_what_differs() -> None:
    assert differences(Query("a stay of 3 months"), Query("staying away seven months"), ENGLISH) == ("number: 3 / 7",)
    assert differences(Query("turn on dark mode"), Query("switch the dark theme off, how"), ENGLISH) == (
        "contrast: turn ~ on (opposite) / turn ~ off",
    )


def test_initials_and_clippings_are_aliases() -> None:
    assert is_alias("lwp", "a leave without pay".split())
    assert is_alias("repo", ["repositories"])
    assert is_alias("information", ["your", "info"])
    assert not is_alias("it", "is there".split())
    assert not is_alias("car", ["care"])
    assert not is_alias("zoom", ["figma"])


@pytest.mark.data
def test_rules_drop_near_misses_and_leave_paraphrases(shared_data: Path) -> None:
    near: list[bool] = []
    paraphrased: list[bool] = []
    for line in (shared_data / "handbook-18f" / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        old = Query(row["question"])
        near += [bool(differences(old, Query(one["question"]), ENGLISH)) for one in row["near_misses"]]
        paraphrased += [bool(differences(old, Query(text), ENGLISH)) for text in row["paraphrases"]]
    assert sum(near) / len(near) > 0.8
    assert sum(paraphrased) / len(paraphrased) < 0.2
