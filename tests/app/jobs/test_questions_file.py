"""The questions of a batch: everything that is wrong with them is said before anything is asked."""

import json
from pathlib import Path

import pytest

from app.access.callers import scope_with
from app.errors import BatchFileError
from app.jobs.questions_file import BatchQuestion, read_questions


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "questions.jsonl"


def test_rows_have_ids_and_labels_of_their_own_or_the_line_and_those_of_the_command(file: Path) -> None:
    rows = [
        {"question": " How  much? "},
        {"id": "b", "question": "Who?", "labels": ["hr"]},
        {"id": 7, "question": "When?", "labels": []},
    ]
    file.write_bytes(b"\xef\xbb\xbf" + b"\n\n".join(json.dumps(row).encode() for row in rows) + b"\r\n")

    assert read_questions(file, ["staff"], 100) == [
        BatchQuestion("1", "How  much?", scope_with(["staff"])),
        BatchQuestion("b", "Who?", scope_with(["hr"])),
        BatchQuestion("7", "When?", scope_with([])),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"what is this", "this is no JSON object"),
        (b'["question"]', "this is no JSON object"),
        (b'{"question": "caf\xe9"}', "this is no JSON object"),
        (b"{}", "`question`: Field required"),
        (b'{"question": 3}', "`question`: Input should be a valid string"),
        (b'{"question": "Who?", "label": "hr"}', "'label' is not a part of a row"),
        (b'{"question": "  "}', "The question is empty"),
        (b'{"question": "' + b"w" * 101 + b'"}', "The question has 101 characters"),
        (b'{"question": "Who?", "labels": ["h r"]}', "'h r' is not an access label"),
        (b'{"question": "Who?", "labels": "hr"}', "`labels`"),
        (b'{"question": "Who?", "id": ""}', "`id`"),
        (b'{"question": "Who?", "id": "a\\u001b[2J"}', "`id`"),
        (b'{"question": "Who?", "id": true}', "`id`"),
        (b'{"question": "Who?", "id": "first"}', "the id 'first' stands on an earlier line"),
        (b'{"question": "Who?", "id": 1.5}', "`id`"),
    ],
)
def test_a_row_that_cannot_be_asked_is_named_with_file_and_line(file: Path, line: bytes, words: str) -> None:
    file.write_bytes(b'{"id": "first", "question": "Who?"}\n' + line + b"\n")
    with pytest.raises(BatchFileError) as caught:
        read_questions(file, (), 100)
    assert f"correct {file} first.\n  line 2: " in str(caught.value)
    assert words in str(caught.value)


def test_a_line_number_as_an_id_meets_an_id_that_is_given(file: Path) -> None:
    file.write_text('{"id": 2, "question": "Who?"}\n{"question": "When?"}\n')
    with pytest.raises(BatchFileError, match="line 2: the id '2' stands on an earlier line"):
        read_questions(file, (), 100)


def test_of_many_bad_rows_the_first_few_are_named_and_the_others_counted(file: Path) -> None:
    file.write_text("no\n" * 12)
    with pytest.raises(BatchFileError, match=r"(?s)line 1: .*line 5: .*and 7 more"):
        read_questions(file, (), 100)


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_questions_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(BatchFileError, match="holds no question"):
        read_questions(file, (), 100)


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    with pytest.raises(BatchFileError, match=r"questions\.jsonl cannot be read: No such file"):
        read_questions(file, (), 100)
    with pytest.raises(BatchFileError, match="cannot be read: Is a directory"):
        read_questions(file.parent, (), 100)
