import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eval.datasets.cases import exclude_unfindable, load_dataset
from eval.datasets.quotes import normalised
from eval.errors import DatasetError

Write = Callable[..., Path]


def _row(**changes: Any) -> dict[str, Any]:
    fields = {
        "id": "a",
        "question": "How many?",
        "answer": "Three.",
        "evidence": [{"doc": "gym.md", "quote": "three"}],
        "type": "t",
    }
    return {**fields, **changes}


def test_rows_become_cases_with_their_lines(write_dataset: Write) -> None:
    dataset = load_dataset(write_dataset())
    assert dataset.name == "office"
    assert dataset.cases[0].line == 1
    assert dataset.cases[0].gold_documents == {"parking.md"}
    assert not dataset.cases[-1].answerable


def test_limit_takes_rows_from_the_top(write_dataset: Write) -> None:
    assert [case.id for case in load_dataset(write_dataset(), limit=2).cases] == ["q-parking", "q-bicycles"]


@pytest.mark.parametrize(
    ("lines", "place", "words"),
    [
        ([_row(), "{broken"], ":2:", "not JSON"),
        ([_row(), "[1]"], ":2:", "not a JSON object"),
        ([_row(), _row()], ":2:", "the id 'a' was given on line 1"),
        ([{k: v for k, v in _row().items() if k != "question"}], ":1:", "'question' is missing"),
        ([_row(answer=" ")], ":1:", "'answer' must be a text"),
        ([_row(must_include="three")], ":1:", "'must_include' must be a list"),
        ([{k: v for k, v in _row().items() if k != "evidence"}], ":1:", "'evidence' is missing"),
        ([_row(evidence={})], ":1:", "'evidence' must be a list"),
        ([_row(evidence=[{"doc": "gym.md"}])], ":1:", "'doc' and 'quote'"),
        ([_row(evidence=[{"doc": "none.md", "quote": "three"}])], ":1:", "docs/none.md, which does not exist"),
        ([_row(evidence=[{"doc": "../questions.jsonl", "quote": "three"}])], ":1:", "which does not exist"),
        ([_row(evidence=[{"doc": "gym.md", "quote": " - "}])], ":1:", "neither letters nor digits"),
    ],
)
def test_bad_rows_are_named_with_file_and_line(write_dataset: Write, lines: list[Any], place: str, words: str) -> None:
    with pytest.raises(DatasetError) as refused:
        load_dataset(write_dataset(lines))
    assert f"questions.jsonl{place}" in str(refused.value)
    assert words in str(refused.value)


def test_every_problem_is_named_at_once(write_dataset: Write) -> None:
    with pytest.raises(DatasetError) as refused:
        load_dataset(write_dataset([_row(type=""), "{", _row()]))
    message = str(refused.value)
    assert all(f"questions.jsonl:{line}:" in message for line in (1, 2, 3))


@pytest.mark.parametrize("missing", ["docs", "questions.jsonl"])
def test_missing_parts_are_named(write_dataset: Write, missing: str) -> None:
    folder = write_dataset()
    (folder / missing).rename(folder / "elsewhere")
    with pytest.raises(DatasetError, match=f"{missing} is missing"):
        load_dataset(folder)


def test_a_dataset_without_an_answerable_question_is_refused(write_dataset: Write) -> None:
    with pytest.raises(DatasetError, match="no answerable question"):
        load_dataset(write_dataset([_row(evidence=[])]))


def test_rows_that_the_text_does_not_answer_are_excluded_and_named(write_dataset: Write) -> None:
    dataset = load_dataset(write_dataset([_row(), _row(id="b", answerable_from_text=False)]))
    assert [case.id for case in dataset.cases] == ["a"]
    assert [(row.id, row.line) for row in dataset.excluded] == [("b", 2)]
    assert dataset.row_count == 2


def test_the_hashes_change_with_documents_and_with_questions(write_dataset: Write) -> None:
    folder = write_dataset()
    first = load_dataset(folder)
    (folder / "questions.jsonl").write_text(json.dumps(_row()), encoding="utf-8")
    second = load_dataset(folder)
    assert (first.docs_hash, first.data_hash) != (second.docs_hash, second.data_hash)
    assert first.docs_hash == second.docs_hash
    (folder / "docs" / "gym.md").write_text("# Gym\n\nClosed.\n", encoding="utf-8")
    assert load_dataset(folder).docs_hash != second.docs_hash


def _ten(write_dataset: Write) -> Path:
    return write_dataset([_row(id=str(number)) for number in range(10)])


def test_a_quote_that_is_not_on_its_page_excludes_its_case(write_dataset: Write) -> None:
    lines = [_row(id=str(number)) for number in range(9)] + [
        _row(id="x", evidence=[{"doc": "gym.md", "quote": "four, not there"}])
    ]
    dataset = exclude_unfindable(load_dataset(write_dataset(lines)), {"gym.md": normalised("one two three")})
    assert [case.id for case in dataset.cases] == [str(number) for number in range(9)]
    assert dataset.excluded[0].line == 10
    assert "'four, not there'" in dataset.excluded[0].reason


def test_too_many_such_quotes_refuse_the_dataset(write_dataset: Write) -> None:
    with pytest.raises(DatasetError, match=r"10 of 10 answerable(.|\n)*questions.jsonl:1:.*could not be read"):
        exclude_unfindable(load_dataset(_ten(write_dataset)), {})


def test_a_byte_order_mark_is_no_part_of_the_first_row(write_dataset: Write) -> None:
    folder = write_dataset()
    questions = folder / "questions.jsonl"
    questions.write_bytes(b"\xef\xbb\xbf" + questions.read_bytes())
    assert load_dataset(folder).cases[0].id == "q-parking"
