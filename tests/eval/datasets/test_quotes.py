import pytest

from eval.datasets.quotes import missing_quotes, normalised, normalised_quote


@pytest.mark.parametrize(
    ("quote", "context"),
    [
        ("You get **26 weeks**.", "You get 26 weeks."),
        ("Steps: - Open it - Close it", "Steps:\n* Open it\n* Close it"),
        ("Ask [People Ops](https://example.org/a_b) first", "Ask People Ops first"),
        ("Pay | Amount | $150", "Pay\nAmount\n$150"),
        ("# Title The text", "Title\nThe   text"),
        ("see [the page] for more", "see the page for more"),
    ],
)
def test_marks_do_not_hide_a_quote(quote: str, context: str) -> None:
    assert missing_quotes([quote], context) == []


def test_other_words_do() -> None:
    assert missing_quotes(["26 weeks", "12 weeks"], "You get 26 weeks.") == ["12 weeks"]


def test_letters_of_other_scripts_count() -> None:
    assert normalised("Ünïcode 日本") == "ünïcode日本"
    assert missing_quotes(["日本"], "中国") == ["日本"]


def test_an_empty_context_holds_nothing() -> None:
    assert missing_quotes(["a"], "") == ["a"]
    assert normalised_quote(" - ") == ""
