import pytest

from app.answers.errors import QuestionError
from app.answers.questions import Question, admit


@pytest.mark.parametrize("text", ["", "   ", "\n\t ", "\x00\x1b", "\ud800"])
def test_an_empty_question_is_refused(text: str) -> None:
    with pytest.raises(QuestionError, match="empty"):
        admit(Question(text), 2000)


def test_a_long_question_is_refused_by_size_and_limit() -> None:
    with pytest.raises(QuestionError, match=r"100,000 characters; the limit is 2,000"):
        admit(Question("x" * 100_000), 2000)


def test_the_limit_itself_is_allowed() -> None:
    assert admit(Question("x" * 2000), 2000).text == "x" * 2000


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("  How much?\n", "How much?"),
        ("How\x1b[31m much?", "How [31m much?"),
        ("one\u00a0two", "one\u00a0two"),
        ("क्षेत्र 🧑\u200d💻", "क्षेत्र 🧑\u200d💻"),
        ("half \udcff", "half"),
    ],
)
def test_what_is_admitted_can_be_encoded_and_shown(text: str, admitted: str) -> None:
    assert admit(Question(text), 2000).text == admitted
    admitted.encode()
