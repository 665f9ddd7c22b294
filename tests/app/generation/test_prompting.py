"""Prompts are small, versioned and safe to fill; replies are read whatever a model wraps around them."""

import json

import pytest

from app.generation.prompting import (
    PartialReply,
    Reply,
    ReplySentence,
    Statement,
    answer_prompt,
    judge_prompt,
    prompt_hashes,
    prompts_version,
    read_reply,
    read_verdicts,
    repair_prompt,
)
from indexing.adapters.tiktoken_counter import TiktokenCounter

WHOLE = '{"sentences": [{"text": "There are 27 days.", "units": [1, 3]}, {"text": "They expire.", "units": [2]}]}'


def test_the_instructions_are_small() -> None:
    prompt = answer_prompt("", "", "")

    assert TiktokenCounter().count(prompt.system + prompt.user) < 190


def test_text_from_documents_is_not_expanded() -> None:
    prompt = answer_prompt("[1] It costs $question or ${units}.", "What is $state?", "")

    assert "It costs $question or ${units}." in prompt.user
    assert "Question: What is $state?" in prompt.user


def test_what_was_said_before_is_sent_only_when_there_is_something() -> None:
    assert "Asked before: leave" in answer_prompt("[1] a", "And then?", "leave").user
    assert "before" not in answer_prompt("[1] a", "How many?", "").user


def test_versions_name_every_prompt_and_are_twelve_hex_digits() -> None:
    assert set(prompt_hashes()) >= {"answer.md", "judge.md", "repair.md"}
    assert all(len(version) == 12 and int(version, 16) >= 0 for version in (*prompt_hashes().values(), prompts_version()))


@pytest.mark.parametrize(
    "text",
    [WHOLE, f"```json\n{WHOLE}\n```", f"Here you are:\n{WHOLE}", f"{WHOLE}\n", WHOLE.replace("27 days.", "27 days. [1][2]")],
)
def test_a_reply_is_read_whatever_is_around_it(text: str) -> None:
    expected = Reply((ReplySentence("There are 27 days.", (1, 3)), ReplySentence("They expire.", (2,))))

    assert read_reply(text) == expected


def test_links_and_images_are_taken_out() -> None:
    reply = read_reply('{"sentences": [{"text": "See [the page](https://x.test/a) ![](https://x.test/i.png).", "units": [1]}]}')

    assert reply == Reply((ReplySentence("See the page .", (1,)),))


@pytest.mark.parametrize("text", ['{"insufficient": true}', '{"insufficient": true, "sentences": []}'])
def test_insufficient_has_no_sentences(text: str) -> None:
    assert read_reply(text) == Reply(())


@pytest.mark.parametrize(
    "text",
    [
        "", "I do not know.", "{}", '{"sentences": []}', '{"sentences": "x"}', '{"sentences": [{"text": "", "units": [1]}]}',
        '{"sentences": [{"text": "a", "units": ["b"]}]}', '{"sentences": [{"text": "a"}]}', WHOLE[:-10], "[1, 2]",
        "<html></html>",
        json.dumps({"sentences": [{"text": "a", "units": [1]}] * 9}),
    ],
)  # fmt: skip
def test_anything_else_is_no_reply(text: str) -> None:
    assert read_reply(text) is None


def test_of_a_cut_reply_the_whole_sentences_are_read() -> None:
    assert read_reply(WHOLE[:-14], cut=True) == Reply((ReplySentence("There are 27 days.", (1, 3)),))
    assert read_reply(WHOLE[:20], cut=True) is None


@pytest.mark.parametrize("size", [1, 3, 7, 200])
def test_the_text_shows_while_it_arrives_and_nothing_twice(size: int) -> None:
    partial = PartialReply()

    pieces = [partial.feed(WHOLE[start : start + size]) for start in range(0, len(WHOLE), size)]

    assert "".join(pieces) == "There are 27 days. They expire."


def test_a_judge_is_asked_for_all_statements_at_once() -> None:
    prompt = judge_prompt([Statement("It is 27.", ("There are\n27 days.",)), Statement("It is paid.", ("Paid leave.", "Yes."))])

    assert prompt.user == "1. It is 27.\n   > There are 27 days.\n2. It is paid.\n   > Paid leave.\n   > Yes."


def test_a_judges_verdicts_count_only_when_there_is_one_for_each() -> None:
    assert read_verdicts('{"supported": [true, false]}', 2) == [True, False]
    assert read_verdicts('{"supported": [true]}', 2) is None
    assert read_verdicts("yes", 1) is None


def test_a_repair_carries_the_reply_but_no_units() -> None:
    assert "I think 27" in repair_prompt("I think 27 days [1]").user
    assert len(repair_prompt("x" * 100_000).user) < 5_000
