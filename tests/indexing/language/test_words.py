import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.language import ENGLISH
from indexing.language.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("1,500 or 1,234,567 or 1,50", ["1500", "or", "1234567", "or", "1", "50"]),
        ("Café NAÏVE Ünïcode", ["cafe", "naive", "unicode"]),
        ("don’t can't", ["don't", "can't"]),  # noqa: RUF001 - the typographic apostrophe is meant
        ("snake_case and kebab-case", ["snake", "case", "and", "kebab", "case"]),
        ("Acme™ №5 Ⅳ 𝐁old ﬁle", ["acmetm", "no5", "iv", "bold", "file"]),  # noqa: RUF001 - compatible forms are meant
        ("İstanbul ΣΟΦΟΣ", ["istanbul", "σοφος"]),
        ("3.5 % of $20", ["3", "5", "of", "20"]),
        ("", []),
        ("-- ... __", []),
    ],
)
def test_words_are_folded(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
def test_words_are_stable_under_folding_again(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once or any(not word.isascii() for word in once)
    assert all(word and not any(character.isspace() or character == "_" for character in word) for word in once)


@given(st.text(st.characters(codec="ascii")))
def test_case_never_matters(text: str) -> None:
    assert words(text.upper()) == words(text.lower())


def test_terms_are_stems_without_function_words_and_possessives() -> None:
    assert ENGLISH.terms("How do I request the company's travelling expenses?") == ENGLISH.terms("request company travel expense")
    assert ENGLISH.terms("don't, can’t and it's") == []  # noqa: RUF001 - as above
    assert ENGLISH.terms("2024 policies policy") == ["2024", "polici", "polici"]


def test_no_stopword_comes_through_whatever_its_case() -> None:
    assert ENGLISH.terms(" ".join(ENGLISH.stopwords) + " " + " ".join(ENGLISH.stopwords).upper()) == []


def test_stems_keep_order_and_length() -> None:
    assert ENGLISH.stems(["running", "runs", "42"]) == ["run", "run", "42"]
    assert ENGLISH.stems([]) == []


def test_every_thread_has_its_stemmer() -> None:
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.extend(ENGLISH.terms("running policies") for _ in range(500))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2000
    assert all(row == ["run", "polici"] for row in found)
