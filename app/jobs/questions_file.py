"""The questions of a batch, from a JSONL file: all of them are checked before the first one is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from app.access.callers import scope_with
from app.answers.errors import QuestionError
from app.answers.questions import Question, admit
from app.errors import BatchFileError
from indexing.documents import AccessLabel, AccessScope, parse_labels
from indexing.errors import LabelError

_SHOWN_PROBLEMS: Final = 5
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class BatchQuestion:
    """One row: its id, the question as it is asked, and what its asker may read."""

    id: str
    text: str
    scope: AccessScope


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str | int | None = None
    question: str
    labels: list[str] | None = None


def read_questions(file: Path, labels: Sequence[AccessLabel], max_characters: int) -> list[BatchQuestion]:
    """Read the questions of a batch.

    A row without an id has the number of its line as its id. Empty lines are skipped.

    Args:
        file: One JSON object a line: `question`, and perhaps `id` and `labels`.
        labels: The labels of the rows that name none of their own.
        max_characters: The most that a question may have.

    Raises:
        BatchFileError: The file cannot be read, holds no question, or has rows that cannot be asked; the first few are named with
            their lines.
    """
    try:
        lines = file.read_bytes().removeprefix(_BYTE_ORDER_MARK).split(b"\n")
    except OSError as error:
        raise BatchFileError(f"The questions {file} cannot be read: {error.strerror}. Check the path.") from error
    questions: dict[str, BatchQuestion] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            question = _question(line, number, labels, max_characters)
        except (BatchFileError, QuestionError, LabelError) as error:
            problems.append(f"line {number}: {error}")
            continue
        if questions.setdefault(question.id, question) is not question:
            problems.append(f"line {number}: the id {question.id!r} stands on an earlier line, too; ids must differ")
    if problems:
        more = f"\n  ... and {len(problems) - _SHOWN_PROBLEMS:,} more" if len(problems) > _SHOWN_PROBLEMS else ""
        shown = "".join(f"\n  {problem}" for problem in problems[:_SHOWN_PROBLEMS])
        raise BatchFileError(f"Nothing was asked: correct {file} first.{shown}{more}")
    if not questions:
        raise BatchFileError(f'{file} holds no question. Write one JSON object a line, such as {{"question": "..."}}.')
    return list(questions.values())


def _question(line: bytes, number: int, labels: Sequence[AccessLabel], max_characters: int) -> BatchQuestion:
    try:
        row = _Row.model_validate_json(line)
    except ValidationError as error:
        raise BatchFileError(_problem(error)) from error
    identity = str(number) if row.id is None else str(row.id)
    if not identity.strip() or not identity.isprintable():
        raise BatchFileError("`id`: an id is text that can be printed, or a number; leave it out to use the line's number")
    text = admit(Question(row.question), max_characters).text
    own = labels if row.labels is None else parse_labels(row.labels)
    return BatchQuestion(identity, text, scope_with(own))


def _problem(error: ValidationError) -> str:
    """The first fault of a row, without its values: they may be long, or nobody else's business."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = first["loc"][0] if first["loc"] else None
    if place is None:
        return f'this is no JSON object such as {{"question": "..."}} ({first["msg"]})'
    if first["type"] == "extra_forbidden":
        return f"{place!r} is not a part of a row; there are `id`, `question` and `labels`"
    return f"`{place}`: {first['msg']}"
