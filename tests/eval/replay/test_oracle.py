"""The oracle is right when the evidence is in its prompt, invents otherwise, and knows as a judge which was which."""

import pytest

from app.answering.naive_prompt import INSTRUCTIONS
from app.generation.endpoints import Completion, Finish, Prompt
from app.generation.prompting import Statement, answer_prompt, judge_prompt, read_reply, read_verdicts
from eval.datasets.cases import Case, Quote
from eval.measures.answers import is_correct
from eval.replay.oracle import Oracle, OracleSettings, numbered_units, sentences_of, units_that_hold
from tests.fakes.tokens import FakeTokenCounter


def case(name: str, question: str, answer: str, must: str, quote: str) -> Case:
    return Case(name, 1, question, answer, (must,), (Quote("a.md", quote),), "fact", unreviewed=False)


LEAVE = case("leave", "How long is leave?", "Leave is 27 days. Ask Maria about it.", "27 days", "27 days of leave")
GYM = case("gym", "When does the gym open?", "It opens at seven.", "seven", "opens at seven")
MOON = Case("moon", 3, "Who owns the moon?", "It is not said.", (), (), "unanswerable", unreviewed=False)
CASES = (LEAVE, GYM, MOON)
HELD = "Leave\n[1] Some words. [2] Everybody has 27 days\nof leave.\nPeople\n[3] Maria knows."
LACKING = "Gym\n[1] It has a door. [2] The door is red, and leads to leave."


def oracle(**changes: float) -> Oracle:
    return Oracle(CASES, FakeTokenCounter(), OracleSettings(**{"misjudges": 0.0, **changes}))


def ask(one: Oracle, prompt: Prompt, most: int = 300) -> Completion:
    told: list[str] = []
    completion = one.generate(prompt, most, told.append)
    assert "".join(told) == completion.text
    return completion


def reply(one: Oracle, asked: Case, units: str) -> tuple[list[str], list[tuple[int, ...]]]:
    read = read_reply(ask(one, answer_prompt(units, asked.question, "")).text)
    assert read is not None
    return [sentence.text for sentence in read.sentences], [sentence.units for sentence in read.sentences]


def test_with_the_evidence_it_gives_the_gold_answer_and_cites_where_it_stands() -> None:
    assert reply(oracle(), LEAVE, HELD) == (["Leave is 27 days.", "Ask Maria about it."], [(2,), (2, 3)])


@pytest.mark.parametrize(("asked", "units"), [(LEAVE, LACKING), (GYM, HELD), (MOON, HELD)])
def test_without_it_it_invents_something_wrong_and_cites_units_of_the_prompt(asked: Case, units: str) -> None:
    texts, cited = reply(oracle(), asked, units)

    assert texts
    assert not asked.answerable or not is_correct(asked, " ".join(texts))
    assert all(number in {1, 2, 3} for numbers in cited for number in numbers)


def test_a_question_that_is_too_hard_is_so_in_whatever_context() -> None:
    texts, _ = reply(oracle(slips=1.0), LEAVE, HELD)

    assert not is_correct(LEAVE, " ".join(texts))


def test_it_can_say_that_it_does_not_know() -> None:
    assert reply(oracle(invents=0.0), LEAVE, LACKING) == ([], [])


@pytest.mark.parametrize(("context", "right"), [("There are 27 days of leave.", True), ("There are days.", False)])
def test_it_answers_the_naive_prompt_in_plain_text(context: str, right: bool) -> None:  # noqa: FBT001 - a parameter of the test
    prompt = Prompt("", INSTRUCTIONS.format(context=context, question=LEAVE.question), wants_json=False)

    assert (ask(oracle(), prompt).text == LEAVE.answer) is right


@pytest.mark.parametrize(("misjudges", "verdicts"), [(0.0, [True, False, False]), (1.0, [False, True, True])])
def test_as_a_judge_it_is_wrong_as_often_as_it_was_told(misjudges: float, verdicts: list[bool]) -> None:
    statements = [
        Statement("Leave is 27 days.", ("Everybody has 27 days\nof leave.",)),
        Statement("Leave is 27 days.", ("The door is red.",)),
        Statement("Leave is 31 days.", ("Everybody has 27 days of leave.",)),
    ]
    text = ask(oracle(misjudges=misjudges), judge_prompt(statements)).text

    assert read_verdicts(text, 3) == verdicts


def test_the_same_prompt_gets_the_same_reply_and_its_tokens_are_counted() -> None:
    prompt = answer_prompt(LACKING, LEAVE.question, "")
    first, second = ask(oracle(), prompt), ask(oracle(), prompt)

    assert first == second
    assert first.usage is not None
    assert first.usage.output_tokens == FakeTokenCounter().count(first.text)
    assert first.usage.input_tokens > FakeTokenCounter().count(LACKING)


def test_it_stops_at_the_limit() -> None:
    completion = ask(oracle(), answer_prompt(HELD, LEAVE.question, ""), most=5)

    assert completion.finish is Finish.LENGTH
    assert completion.usage is not None
    assert completion.usage.output_tokens == 5
    assert not completion.text.endswith("}")


def test_units_are_read_in_order_and_quotes_found_over_several() -> None:
    units = numbered_units(HELD)

    assert [unit.split()[0] for unit in units] == ["Leave", "Everybody", "Maria"]
    assert units_that_hold(["some words. everybody"], units) == [1, 2]
    assert units_that_hold(["27 days of leave", "is not there"], units) is None
    assert numbered_units("nothing") == []


def test_long_answers_have_four_sentences() -> None:
    assert sentences_of("One is. Two is. Three is. Four is. Five is.") == ["One is.", "Two is.", "Three is.", "Four is. Five is."]
