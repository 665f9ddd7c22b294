"""Answers to put into a batch, made without a service."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from app.access.callers import scope_with
from app.answers.answers import Abstention, Answer, Answered
from app.answers.events import Step
from app.costs.receipts import NaivePrompt, Receipt
from app.jobs.questions_file import BatchQuestion
from tests.fakes.entries import free_line, paid_line

MakeAnswer = Callable[..., Answer]


def build_answer(
    question: BatchQuestion, steps: tuple[Step, ...] = (), *, answered: bool = True, usd: str | None = "0.001"
) -> Answer:
    """An answer that cost `usd`, of which the naive prompt would have cost 0.01 dollars."""
    receipt = Receipt((free_line(), paid_line(usd)), NaivePrompt(2_000, Decimal("0.01")), 25.0)
    about = (f"answer-to-{question.id}", question.text, "g1", receipt, steps)
    return Answered(*about, "It is so. [1]", (), "small", 1.0) if answered else Abstention(*about, ())


@pytest.fixture
def make_answer() -> MakeAnswer:
    return build_answer


@pytest.fixture
def questions() -> list[BatchQuestion]:
    return [BatchQuestion(f"q{number}", f"Question {number}?", scope_with([])) for number in range(10)]
