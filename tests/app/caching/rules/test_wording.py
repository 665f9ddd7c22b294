import json
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.caching.rules.wording import exact_key, same_words_key
from indexing.language import ENGLISH, Language
from retrieval.passages import Query

CONTENT = (
    "voucher laptop badge manager employee training travel hotel payroll clearance contract survey award intern internal "
    "international policy police manage management"
).split()
COURTESIES = ("Hi! ", "Hello, ", "Hey team, ", "Quick question: ", "Please ", "Could you please tell me ", "So ", "Tell me ")
THANKS = ("", "?", " ??", ", please?", ". Thanks!", "! Thank you so much.")

questions = st.builds(
    lambda opening, words, number: f"{opening} {' '.join(words)} {number}",
    st.sampled_from(["how many", "who approves", "when is", "where do I send", "what is", "why does"]),
    st.lists(st.sampled_from(CONTENT), min_size=2, max_size=5),
    st.integers(2, 500),
)


def same(one: str, other: str) -> bool:
    return same_words_key(Query(one), ENGLISH) == same_words_key(Query(other), ENGLISH)


@given(questions, st.sampled_from(COURTESIES), st.sampled_from(THANKS), st.sampled_from([str, str.upper, str.lower]))
def test_politeness_casing_and_closing_punctuation_change_nothing(
    question: str, before: str, after: str, cased: Callable[[str], str]
) -> None:
    assert same(question, cased(before + question + after))


@given(questions, st.data())
def test_another_number_or_content_word_or_a_negation_makes_another_key(question: str, data: st.DataObject) -> None:
    words = question.split()
    assert not same(question, " ".join([*words[:-1], str(int(words[-1]) + 1)]))
    at = data.draw(st.sampled_from([at for at, word in enumerate(words) if word in CONTENT]))
    other = data.draw(st.sampled_from(CONTENT))
    assume(other != words[at])
    assert not same(question, " ".join([*words[:at], other, *words[at + 1 :]]))
    assert not same(question, " ".join([*words[:at], "not", *words[at:]]))


@given(questions)
def test_content_words_in_another_order_make_another_key(question: str) -> None:
    words = question.split()
    turned = [*words[:-3], words[-2], words[-3], words[-1]]
    assume(words[-2] != words[-3])
    assume(words[-2] in CONTENT)
    assume(words[-3] in CONTENT)
    assert not same(question, " ".join(turned))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What's the sick leave cap?", "sick leave cap"),
        ("What is the limit of credit hours?", "credit hours limit"),
        ("How do I submit a voucher?", "how to submit vouchers"),
        ("Do you know if I can carry over my hours?", "can i carry over my hours"),
        ("I'd like to know how many days I have", "How many days I have?"),
        ("For part-time staff, how many days are there?", "How many days are there for part time staff?"),
        ("18F: which Tock line?", "Which tock line 18f"),
        ("Am I allowed to fly business class?", "May I fly business class"),
        ("Do I have to file a report?", "Must I file a report?"),
        ("I hold a Secret clearance. Do I have to tell GSA?", "Do I need to tell GSA? I hold a secret clearance"),
        ("Is the limit 1,500 dollars?", "is the limit 1500 dollars"),
        ("Is the office\u2019s e-mail public?", "Is the office's email public?"),
        ("opening at 9 a.m.?", "opening at 9am"),
    ],
)
def test_the_same_words_in_another_form_have_one_key(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Can a manager overrule an employee?", "Can an employee overrule a manager?"),
        ("Can managers be reviewed by employees?", "Can managers review employees?"),
        ("I moved from Ohio to Colorado", "I moved to Ohio from Colorado"),
        ("Who approves the manager?", "Who does the manager approve?"),
        ("How do I turn on dark mode?", "How do I turn off dark mode?"),
        ("Can I take leave?", "Must I take leave?"),
        ("Must I not report it?", "Do I not have to report it?"),
        ("Do managers approve leave?", "Can managers approve leave?"),
        ("Can I approve my timesheet?", "Can I approve a timesheet?"),
        ("Can I see my manager's calendar?", "Can my manager see my calendar?"),
        ("Who do I ask in IT?", "Who do I ask in it?"),
        ("What is Schedule A?", "What is a schedule?"),
        ("well-being leave", "being leave"),
        ("Can I ask my manager for leave?", "my manager for leave?"),
        ("Does it cost very much?", "Does it cost?"),
        ("How long is the news archive?", "How long is the new archive?"),
        ("Who signs the customs form?", "Who signs the custom form?"),
        ("Is C allowed?", "Is C++ allowed?"),
        ("less than $5?", "less than 5%?"),
        ("open at 9 am?", "open at 9 pm?"),
        ("employees who manage managers", "who manages managers employees"),
        ("Is training required before travel?", "Is training required after travel?"),
        ("travel with approval", "travel without approval"),
    ],
)
def test_other_questions_have_other_keys(one: str, other: str) -> None:
    assert not same(one, other)


def test_an_exact_key_keeps_every_word() -> None:
    key = exact_key(Query("  Who “approves”   leave? "), ENGLISH)
    assert key == exact_key(Query('who "approves" LEAVE'), ENGLISH)
    assert key != exact_key(Query('Please, who "approves" leave'), ENGLISH)
    assert exact_key(Query("who approves, leave"), ENGLISH) != exact_key(Query("who approves leave"), ENGLISH)


@pytest.mark.parametrize("make", [exact_key, same_words_key])
def test_a_follow_up_has_the_key_of_its_background_too(make: Callable[[Query, Language], str]) -> None:
    key = partial(make, language=ENGLISH)
    alone, after = Query("and for interns?"), Query("and for interns?", background="Who approves leave? Leave")
    assert key(alone) != key(after)
    assert key(after) != key(Query("and for interns?", background="Who approves travel? Travel"))
    assert key(after) == key(Query("And for interns", background="who approves  leave? leave"))
    assert key(after) != key(Query(f"{after.text}\x1f{after.background}"))


@pytest.mark.parametrize("text", ["?", "please", "the", "", "  ", "thanks!", "a | b", "..."])
def test_any_text_has_keys(text: str) -> None:
    assert same(text, text)
    assert not same(text, text + " voucher limit")


@pytest.mark.data
@pytest.mark.parametrize("name", ["handbook-18f", "handbook-gitlab"])
def test_no_two_questions_of_a_handbook_share_a_key(name: str, shared_data: Path) -> None:
    asked = defaultdict(set)
    for line in (shared_data / name / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["type"] == "contextual_anaphora":  # asked without the question before, some are the same word for word
            continue
        for text in (row["question"], *row.get("paraphrases", ())):
            asked[same_words_key(Query(text), ENGLISH)].add(row["id"])
        for number, near_miss in enumerate(row.get("near_misses", ())):
            asked[same_words_key(Query(near_miss["question"]), ENGLISH)].add(f"{row['id']}/{number}")
    assert len(asked) > 80
    assert all(len(ids) == 1 for ids in asked.values())
