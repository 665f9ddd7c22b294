import pytest

from app.answers.answers import Citation
from eval.datasets.cases import Case, Quote
from eval.measures.answers import citation_precision, includes, is_correct, shown_answer, token_f1


def _case(answer: str, *must_include: str) -> Case:
    return Case("a", 1, "How?", answer, must_include, (Quote("a.md", "q"),), "fact", unreviewed=False)


def _citation(quote: str, document: str = "a.md") -> Citation:
    return Citation(1, document, "A", (), quote, "a.md", None)


@pytest.mark.parametrize(
    ("answer", "phrase", "found"),
    [
        ("You get 26 weeks of leave.", "26 weeks", True),
        ("You get 26-week leave.", "26 week", True),
        ("126 weeks", "26 weeks", False),
        ("It costs $1,500.00", "$1,500", True),
        ("It takes 60 days", "6", False),
        ("This is not allowed.", "No", False),
        ("No, never.", "No", True),
        ("Write to tts-travel@gsa.gov!", "tts-travel@gsa.gov", True),
        ("plus", "++", False),
        ("C++ here", "++", True),
    ],
)
def test_includes(answer: str, phrase: str, found: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert includes(answer, phrase) is found


def test_marks_are_no_part_of_an_answer() -> None:
    assert shown_answer("Use **this** [1]. And that [2][3].") == "Use this. And that."


def test_all_that_must_be_included_is_needed() -> None:
    assert is_correct(_case("x", "26 weeks", "unpaid"), "26 weeks, unpaid")
    assert not is_correct(_case("x", "26 weeks", "unpaid"), "26 weeks")


def test_without_must_include_the_gold_answer_decides() -> None:
    assert is_correct(
        _case("14 days"), "Book your flight at least 14 days before you leave for the airport, and keep the receipt"
    )
    assert is_correct(_case("the blue door on the left"), "blue door, left side")
    assert not is_correct(_case("14 days"), "Book early")


def test_token_f1_by_hand() -> None:
    assert token_f1("the red door", "a red gate") == pytest.approx(0.5)
    assert token_f1("red", "") == 0.0
    assert token_f1("Red!", "red") == 1.0


def test_citation_precision() -> None:
    gold = [Quote("a.md", "Each person may use bicycles for five days in a year.")]
    inside = _citation("* Each person may use **bicycles** for five days in a year.")
    part = _citation("In short, each person may use bicycles for five days, no more.")
    assert citation_precision([inside, part], gold) == 1.0
    assert citation_precision([inside, _citation("Something else entirely.")], gold) == 0.5
    assert citation_precision([_citation(inside.quote, "b.md")], gold) == 0.0
    assert citation_precision([_citation("***")], gold) == 0.0
    assert citation_precision([], gold) is None
