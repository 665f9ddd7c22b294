import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answers.conversation import MAX_STATE_TOKENS, Conversation, admit_conversation, continue_from, resolve, stands_alone
from app.answers.errors import ConversationError
from app.bootstrap import build_counter
from indexing.language import ENGLISH
from indexing.tokens import TokenCounter
from retrieval.passages import Query
from tests.fakes.tokens import FakeTokenCounter

STATE = Conversation("How many days of sick leave do I earn?", "Leave", ("Types of leave", "Sick leave"))


@pytest.mark.parametrize(
    "question",
    [
        "And for contractors?",
        "and at what rate do I earn it?",
        "So what do they need to sign?",
        "Ok thanks, and in Berlin?",
        "What about parental leave?",
        "How about on weekends?",
        "Same for part-time staff?",
        "What if I travel abroad?",
        "Anyone else?",
        "who makes that call?",
        "which voucher type do I file that under?",
        "when's that paid?",
        "Does that service cost them anything?",
        "Is that true?",
        "how long does it take?",
        "How is it calculated?",
        "Is it similar to rugby?",
        "who do they report to?",
        "What are its limits?",
        "what's their phone number?",
        "Do I need to reserve that one?",
        "And the next one?",
        "how do I stop that happening to mine?",
        "max hours on the variable ones?",
        "Can I use ngrok instead?",
        "What should I do first?",
        "Who decides?",
        "what number do I dial?",
        "How many weeks?",
        "any awards",
        "Why?",
        "???",
    ],
)
def test_what_leans_on_the_question_before(question: str) -> None:
    assert not stands_alone(question, ENGLISH)


@pytest.mark.parametrize(
    "question",
    [
        "How many days of sick leave do I earn?",
        "sick leave accrual cap?",
        "What is NodeSync?",
        "what's a COR",
        "Define groundedness",
        "IT service desk hours?",
        "Does GSA IT provide wireless peripherals to teleworkers?",
        "Is it possible to carry annual leave over into the next year?",
        "How long does it take to get a Top Secret clearance?",
        "Is it allowed to store account IDs in public code?",
        "It's 8pm and my flight authorization was never approved. Who can I call?",
        "The access form says to mail it to another address. Where does it go?",
        "Who is the person that can change a contract's terms?",
        "What is the name of the tool that is used to create flowcharts?",
        "I'm donating a kidney to my brother. How many paid days off do I get for that?",
        "Do we close offices this year for the holidays?",
        "Interviewing a candidate tomorrow - ok to google them first?",
        "So I have been offered a detail at another agency and my supervisor objects: whose approval counts?",
        "Wie viele Urlaubstage habe ich im Jahr?",
    ],
)
def test_what_stands_alone(question: str) -> None:
    assert stands_alone(question, ENGLISH)


def test_a_question_that_stands_alone_is_searched_as_it_is() -> None:
    assert resolve("How many days of parental leave are there?", STATE, ENGLISH) == Query(
        "How many days of parental leave are there?"
    )
    assert resolve("And for contractors?", None, ENGLISH) == Query("And for contractors?")


def test_a_follow_up_takes_question_title_and_headings_along() -> None:
    query = resolve("And for contractors?", STATE, ENGLISH)
    assert query == Query("And for contractors?", "How many days of sick leave do I earn? Leave Types of leave Sick leave")
    same = Conversation("How many days of sick leave do I earn?", "Leave", ("Types of leave", "Sick leave"))
    assert hash(resolve("And for contractors?", same, ENGLISH)) == hash(query)


def test_a_short_state_is_kept_whole() -> None:
    made = continue_from(STATE.question, STATE.title, list(STATE.heading_path), FakeTokenCounter())
    assert made == STATE
    assert admit_conversation(made, FakeTokenCounter()) == STATE
    assert continue_from("Why?", "", [], FakeTokenCounter()) == Conversation("Why?")


def test_a_long_state_loses_outer_headings_then_the_title_then_the_beginning_of_the_question() -> None:
    counter = FakeTokenCounter()
    question = " ".join(f"q{n}" for n in range(200))
    made = continue_from(question, "t " * 20, ["outer " * 30, "inner " * 30], counter)
    assert (made.title.split(), made.heading_path) == (["t"] * 20, (("inner " * 30).strip(),))
    assert made.question.split() == [f"q{n}" for n in range(130, 200)]
    assert counter.count(made.text) == MAX_STATE_TOKENS
    assert continue_from("Why?", "t " * 61, [], counter) == Conversation("Why?")


@pytest.fixture(scope="module")
def real_counter() -> TokenCounter:
    counter = build_counter()
    counter.count("the tokenizer is read by its first text")
    return counter


@given(
    question=st.text(min_size=1, max_size=2000),
    title=st.text(max_size=400),
    path=st.lists(st.text(max_size=300), max_size=5),
)
def test_a_made_state_never_exceeds_the_limit_and_is_let_in_again(
    real_counter: TokenCounter, question: str, title: str, path: list[str]
) -> None:
    made = continue_from(question, title, path, real_counter)
    assert real_counter.count(made.text) <= MAX_STATE_TOKENS
    if made.question:
        assert admit_conversation(made, real_counter) == made
    assert resolve("And then?", made, ENGLISH) == resolve("And then?", made, ENGLISH)


@given(st.text(max_size=2000))
def test_any_question_can_be_judged(question: str) -> None:
    assert stands_alone(question, ENGLISH) in {True, False}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", ["it takes ", "that ", "ok, ", "and ", " ", "is it not still ", "what is "])
def test_long_questions_are_judged_at_once(piece: str) -> None:
    stands_alone(piece * (2000 // len(piece)), ENGLISH)


def test_a_state_that_is_too_long_is_refused_with_the_limit() -> None:
    with pytest.raises(ConversationError, match=r"130 tokens; the limit is 120.*first citation"):
        admit_conversation(Conversation("q " * 100, "t " * 10, ("h " * 20,)), FakeTokenCounter())


@pytest.mark.parametrize("question", ["", "  \n", "\x00"])
def test_a_state_without_a_question_is_refused(question: str) -> None:
    with pytest.raises(ConversationError, match="no question"):
        admit_conversation(Conversation(question, "Leave"), FakeTokenCounter())


def test_a_state_is_let_in_without_what_cannot_be_encoded() -> None:
    admitted = admit_conversation(Conversation(" Why?\x1b ", "Le\ud800ave", ("\x00Days",)), FakeTokenCounter())
    assert admitted == Conversation("Why?", "Le ave", ("Days",))
    admitted.text.encode()
