import pytest

from indexing.language import ENGLISH
from indexing.language.question_form import QuestionForm


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("What are the requirements for parental leave?", QuestionForm.LIST),
        ("List all the holidays we observe", QuestionForm.LIST),
        ("Which tools can I use for video calls?", QuestionForm.LIST),
        ("What types of leave are there?", QuestionForm.LIST),
        ("what three things must a travel voucher have", QuestionForm.LIST),
        ("What documents do I need on my first day?", QuestionForm.LIST),
        ("What is the difference between a gift and an award?", QuestionForm.COMPARISON),
        ("Should I use Slack rather than email for this?", QuestionForm.COMPARISON),
        ("Concur versus the paper form", QuestionForm.COMPARISON),
        ("How many days of leave do I get?", QuestionForm.NUMBER),
        ("When is the timesheet due?", QuestionForm.NUMBER),
        ("how long does onboarding take", QuestionForm.NUMBER),
        ("What is the per diem rate in Chicago?", QuestionForm.NUMBER),
        ("What time does the all-hands start?", QuestionForm.NUMBER),
        ("How much can I spend on training?", QuestionForm.NUMBER),
        ("Who approves my travel?", QuestionForm.CONTACT),
        ("Where can I find the link to the calendar?", QuestionForm.CONTACT),
        ("which slack channel is for laptop problems", QuestionForm.CONTACT),
        ("How do I request a new laptop?", QuestionForm.PROCEDURE),
        ("What should I do if my card is lost?", QuestionForm.PROCEDURE),
        ("Process for onboarding a contractor", QuestionForm.PROCEDURE),
        ("Can I work from abroad?", QuestionForm.YES_NO),
        ("Hi, is overtime paid?", QuestionForm.YES_NO),
        ("If I fall ill on holiday, do I get the days back?", QuestionForm.YES_NO),
        ("Am I allowed to accept gifts?", QuestionForm.YES_NO),
        ("What is a guild?", QuestionForm.DEFINITION),
        ("What does PTAP stand for?", QuestionForm.DEFINITION),
        ("define billable hours", QuestionForm.DEFINITION),
        ("Why was the old badge policy withdrawn?", QuestionForm.FACT),
        ("travel card lost abroad", QuestionForm.FACT),
        ("", QuestionForm.FACT),
        ("???", QuestionForm.FACT),
    ],
)
def test_real_questions_have_their_form(question: str, form: QuestionForm) -> None:
    assert ENGLISH.question_form(question) is form
    assert ENGLISH.question_form(question.upper()) is form


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["what ", "which a ", ", ", " ", "so ", "what aaaaaaaa", "?", "how "])
def test_hostile_questions_are_read_at_once(piece: str) -> None:
    assert ENGLISH.question_form(piece * 20_000) in QuestionForm
