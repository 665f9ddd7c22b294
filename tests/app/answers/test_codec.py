"""Answers as bytes and back, whatever they hold."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.answers.answers import Abstention, Answer, Answered, Citation, RelatedPage
from app.answers.codec import JsonAnswers
from app.answers.shapes import answer_shape
from app.costs.receipts import NaivePrompt, Receipt, ReceiptLine, Stage

RECEIPT = Receipt(
    (
        ReceiptLine(Stage.SEARCH, 0, 0, Decimal(0), 1.25),
        ReceiptLine(Stage.GENERATE, 400, 20, Decimal("0.00012"), 810.5, 100, "small", "mini", estimated=True),
    ),
    NaivePrompt(2_000, Decimal("0.0025")),
    900.0,
    ("only the small model is asked",),
)
UNKNOWN = Receipt((ReceiptLine(Stage.GENERATE, 1, 1, None, 1.0),), NaivePrompt(5, None), 1.0)
QUOTE = 'He said: "27 days" \\ {"outcome":1}\n| a | b |\u2028\U0001f600 <b>&amp;'
CITED = (
    Citation(1, "a/leave.md", "Leave \u00fc", ("Rules", "Days"), QUOTE, "docs/a/leave.md", (3, 5)),
    Citation(2, "x.pdf", "X", (), "Text.", "docs/x.pdf", None),
)
ANSWERS: list[Answer] = [
    Answered("1" * 32, QUOTE, "g1", RECEIPT, (), f"{QUOTE} [1] Text. [2]", CITED, "small", 1.0),
    Answered("2" * 32, "Why?", "g1", UNKNOWN, (), "Because. [1]", CITED[:1], "cache", 0.5),
    Abstention("3" * 32, "Who?", "g2", RECEIPT, (), (RelatedPage("p.md", "P", "docs/p.md"),)),
    Abstention("4" * 32, "Who?", "g2", UNKNOWN, (), ()),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=["answered", "of unknown cost", "abstained", "without pages"])
def test_an_answer_comes_back_as_it_was(answer: Answer) -> None:
    codec = JsonAnswers()
    body = codec.encode(answer)
    assert codec.decode(body) == answer
    assert body == answer_shape(answer).model_dump_json(exclude_unset=True).encode()


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\x80\x04pickle", b'{"text": "of another release"}'])
def test_what_holds_no_answer_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="AnswerShape"):
        JsonAnswers().decode(body)


@pytest.mark.parametrize("answer", ANSWERS, ids=["answered", "of unknown cost", "abstained", "without pages"])
def test_a_kept_answer_is_cut_where_its_question_and_its_times_stand(answer: Answer) -> None:
    line = ReceiptLine(Stage.CACHE, 0, 0, Decimal(0), 0.0)
    kept = replace(answer, receipt=Receipt((line,), answer.receipt.baseline, 0.0))
    codec = JsonAnswers()
    parts = codec.parts(codec.encode(kept), asked := f"As {QUOTE} was put?")
    given = codec.decode(b"1.25".join(parts))
    receipt = replace(kept.receipt, lines=(replace(line, ms=1.25),), ms=1.25)
    assert given == replace(kept, question=asked, receipt=receipt)
    assert len(parts) == 3
