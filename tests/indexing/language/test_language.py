"""A language is a parameter: what is known of it, and what stays neutral where nothing is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.caching.rules.differences import differences
from app.caching.rules.wording import exact_key, same_words_key
from app.grounding import Readings, Source, Support, check_sentence
from indexing.errors import LanguageError
from indexing.language import ENGLISH, LANGUAGES, Language, language
from indexing.language.quantities import Kind
from indexing.language.question_form import QuestionForm
from retrieval.passages import Query

GERMAN, FRENCH = language("de"), language("fr")

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"


def check(sentence: str, cited: str, known: Language) -> Support:
    return check_sentence(sentence, [Source(cited)], lambda terms: dict.fromkeys(terms, 1.0), Readings(known)).support


def quantities(text: str, known: Language) -> list[tuple[str, str | None]]:
    return [(token.key, token.unit) for token in known.read(text) if token.kind is not Kind.WORD]


def differ(old: str, new: str, known: Language = ENGLISH) -> tuple[str, ...]:
    return tuple(reason.partition(":")[0] for reason in differences(Query(old), Query(new), known))


def test_a_language_that_cannot_be_stemmed_is_refused_by_name() -> None:
    with pytest.raises(LanguageError, match=r"'tlh' is not a language that can be stemmed. There are: da, de, en, "):
        Language("tlh")
    assert language("de") is language("de")


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_stems_and_reads_what_is_neutral(code: str) -> None:
    known = language(code)
    assert known.terms("27 FL-600")
    assert quantities("27 2024-03-01 FL-600 https://example.org/x", known) == [
        ("27", None),
        ("2024-3-1", None),
        ("fl-600", None),
        ("https://example.org/x", None),
    ]
    assert known.has_vocabulary == (code in {"en", "de"})


def english(number: int) -> str:
    ones, tens = ONES.split(), TENS.split()
    if number < 20:
        return ones[number]
    return tens[number // 10 - 2] + (f"-{ones[number % 10]}" if number % 10 else "")


@given(st.integers(2, 99), st.sampled_from(["days", "business days", "dollars", "percent", "weeks"]))
def test_a_number_reads_the_same_in_words_and_in_digits(number: int, unit: str) -> None:
    assert quantities(f"{english(number)} {unit}", ENGLISH) == quantities(f"{number} {unit}", ENGLISH)
    assert quantities(f"{english(number)} thousand {unit}", ENGLISH) == quantities(f"{number:,},000 {unit}", ENGLISH)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$5k", "5,000 dollars"),
        ("1.5 million euros", "1,500,000 euros"),
        ("€ 1.5 million", "1,500,000 €"),
        ("twenty-five days", "25 days"),
        ("thirteen days", "13 days"),
        ("5 business days", "five working days"),
        ("half an hour", "0.5 hours"),
        ("5 March 2024", "March 5, 2024"),
        ("5 march 2024", "5 March 2024"),
    ],
)
def test_the_cache_and_the_ground_check_read_one_quantity(one: str, other: str) -> None:
    assert quantities(one, ENGLISH) == quantities(other, ENGLISH)
    assert check(f"The allowance is {one} here.", f"The allowance is {other} here.", ENGLISH) is Support.SUPPORTED
    assert "number" not in differ(f"Is it {one}?", f"Is it {other}?")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$5k", "$5"),
        ("1.5 million euros", "1.5 euros"),
        ("twenty-five days", "20 days"),
        ("thirteen days", "seventeen days"),
        ("5 business days", "5 days"),
    ],
)
def test_the_cache_and_the_ground_check_tell_two_quantities_apart(one: str, other: str) -> None:
    assert check(f"The allowance is {one} here.", f"The allowance is {other} here.", ENGLISH) is Support.UNSUPPORTED
    assert "number" in differ(f"Is it {one}?", f"Is it {other}?")


def test_days_in_words_tell_questions_apart() -> None:
    assert "number" in differ(
        "May I take thirteen days off in a row?", "Can an employee have seventeen consecutive vacation days?"
    )


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("fünfundzwanzig Tage", [("25", "day")]),
        ("einundzwanzig Euro", [("21", "euro")]),
        ("zweihundertfünfzig Euro", [("250", "euro")]),
        ("1.500.000 Euro", [("1500000", "euro")]),
        ("1,5 Millionen Euro", [("1500000", "euro")]),
        ("27,50 €", [("27.5", "euro")]),
        ("5 Arbeitstage", [("5", "workday")]),
        ("am 31. März 2024", [("2024-3-31", None)]),
        ("am 31.03.2024", [("2024-3-31", None)]),
        ("ab dem 1. Januar", [("?-1-1", None)]),
        ("Version 6.15.0", [("6.15.0", None)]),
    ],
)
def test_german_quantities(text: str, read: list[tuple[str, str | None]]) -> None:
    assert quantities(text, GERMAN) == read


def test_german_sentences_end_where_a_reader_says() -> None:
    text = "Am 31. März endet die Frist. Danach gilt § 3 Abs. 2 BGB. Das sind z. B. max. zehn Tage, d. h. zwei Wochen. Ende."
    assert [text[start:end] for start, end in GERMAN.sentences.spans(text)] == [
        "Am 31. März endet die Frist.",
        "Danach gilt § 3 Abs. 2 BGB.",
        "Das sind z. B. max. zehn Tage, d. h. zwei Wochen.",
        "Ende.",
    ]


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("Wie viele Urlaubstage habe ich?", QuestionForm.NUMBER),
        ("Wer genehmigt Reisen?", QuestionForm.CONTACT),
        ("Darf ich im Homeoffice arbeiten?", QuestionForm.YES_NO),
        ("Welche Unterlagen brauche ich?", QuestionForm.LIST),
        ("Was bedeutet BEM?", QuestionForm.DEFINITION),
        ("Wie beantrage ich Elternzeit?", QuestionForm.PROCEDURE),
        ("Was ist der Unterschied zwischen Voll- und Teilzeit?", QuestionForm.COMPARISON),
        ("Urlaub?", QuestionForm.FACT),
    ],
)
def test_german_question_forms(question: str, form: QuestionForm) -> None:
    assert GERMAN.question_form(question) is form


@pytest.mark.parametrize(
    ("sentence", "cited", "support"),
    [
        (
            "Jeder Mitarbeiter hat im Jahr 27 Tage Urlaub.",
            "Pro Jahr stehen jeder Beschäftigten 27 Tage Urlaub zu.",
            Support.UNSURE,
        ),
        (
            "Jeder Mitarbeiter hat im Jahr 28 Tage Urlaub.",
            "Pro Jahr stehen jeder Beschäftigten 27 Tage Urlaub zu.",
            Support.UNSUPPORTED,
        ),
        ("Die Kündigung muss nicht schriftlich erfolgen.", "Die Kündigung muss schriftlich erfolgen.", Support.UNSUPPORTED),
        ("Der Antrag kann gestellt werden.", "Der Antrag muss gestellt werden.", Support.UNSUPPORTED),
        ("Im Jahr gibt es 27 Tage Urlaub.", "Im Jahr gibt es 27 Tage Urlaub für alle.", Support.SUPPORTED),
        ("Im Jahr gibt es siebenundzwanzig Tage Urlaub.", "Im Jahr gibt es 27 Tage Urlaub für alle.", Support.SUPPORTED),
    ],
)
def test_the_ground_check_reads_german(sentence: str, cited: str, support: Support) -> None:
    assert check(sentence, cited, GERMAN) is support


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("Wie viele Urlaubstage hat ein Praktikant?", "Wie viele Urlaubstage hat eine Führungskraft?", "contrast"),
        ("Ist Vollzeit möglich?", "Ist Teilzeit möglich?", "contrast"),
        ("Muss ich das melden?", "Muss ich das nicht melden?", "negation"),
        ("Sind 3 Tage erlaubt?", "Sind mehr als 3 Tage erlaubt?", "qualified"),
        ("Wann endet der Vertrag?", "Warum endet der Vertrag?", "asked for"),
        ("Gilt das im März?", "Gilt das im April?", "contrast"),
        ("Sind 20 Tage erlaubt?", "Darf ich fünfundzwanzig Tage nehmen?", "number"),
    ],
)
def test_the_cache_tells_german_questions_apart(old: str, new: str, rule: str) -> None:
    assert rule in differ(old, new, GERMAN)
    assert rule in differ(new, old, GERMAN)


def test_politeness_and_openings_make_no_difference_in_german() -> None:
    plain = same_words_key(Query("Wie kann ich Urlaub beantragen?"), GERMAN)
    assert same_words_key(Query("Hallo zusammen, wie kann man Urlaub beantragen, bitte?"), GERMAN) == plain
    assert same_words_key(Query("Können Sie mir sagen, wie kann ich Urlaub beantragen"), GERMAN) == plain
    assert same_words_key(Query("Wie kann ich Urlaub stornieren?"), GERMAN) != plain


def test_where_no_words_are_known_what_is_not_word_for_word_is_unsure_and_never_wrong() -> None:
    cited = "Tous les employés ont 27 jours de congés par an."
    assert check(cited, cited, FRENCH) is Support.SUPPORTED
    assert check("Les employés ont 27 jours de congés.", cited, FRENCH) is Support.UNSURE
    assert check("Chaque Salarié Anglais a 27 jours.", cited, FRENCH) is Support.UNSURE
    assert check("Les employés ont 28 jours de congés.", cited, FRENCH) is Support.UNSUPPORTED  # a number needs no words
    asked = Query("Combien de jours de congés ai-je ?")
    assert same_words_key(asked, FRENCH) == exact_key(asked, FRENCH)
