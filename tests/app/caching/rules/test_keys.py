"""What a cached answer is kept under: everything that decides what it may be, and nothing that tells two askers apart."""

from dataclasses import replace

import pytest

from app.caching.entries import KEY_BYTES
from app.caching.rules.keys import CacheKeys, Versions, make_keys
from indexing.documents import AccessScope
from indexing.language import ENGLISH
from retrieval.passages import Query

VERSIONS = Versions("prompt", "profile", "policy")
QUERY = Query("How many days of leave?")


def keys(
    text: str = QUERY.text, labels: str = "everyone hr", tenant: str = "acme", versions: Versions = VERSIONS, background: str = ""
) -> CacheKeys:
    return make_keys(Query(text, background), AccessScope(tenant, frozenset(labels.split())), versions, ENGLISH)


def test_the_same_question_in_the_same_rights_has_the_same_keys() -> None:
    first = keys()
    assert keys("  HOW many days of\nleave", "hr everyone") == replace(first, query=Query("  HOW many days of\nleave"))
    assert len(first.exact) == len(first.same_words) == KEY_BYTES
    assert first.exact != first.same_words
    assert first.labels == ("everyone", "hr")


def test_the_same_words_have_the_same_second_key_alone() -> None:
    polite = keys("Please, how many days of leave? Thanks!")
    assert polite.exact != keys().exact
    assert polite.same_words == keys().same_words


@pytest.mark.parametrize(
    "other",
    [
        keys(tenant="emca"),
        keys(versions=replace(VERSIONS, prompt="another")),
        keys(versions=replace(VERSIONS, profile="another")),
        keys(versions=replace(VERSIONS, policy="another")),
        keys(background="What is said of travel?"),
        keys("How many days of sick leave?"),
        keys(versions=Versions("prompt\x1eprofile", "policy", "")),
    ],
    ids=["tenant", "prompt", "profile", "policy", "background", "question", "shifted versions"],
)
def test_whatever_decides_the_answer_makes_both_keys_others(other: CacheKeys) -> None:
    assert other.exact != keys().exact
    assert other.same_words != keys().same_words


@pytest.mark.parametrize("labels", ["everyone", "hr", "everyone hr board", "everyonehr", ""])
def test_other_rights_have_other_exact_keys(labels: str) -> None:
    assert keys(labels=labels).exact != keys().exact
