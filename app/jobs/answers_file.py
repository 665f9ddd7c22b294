"""The answers of a batch: a JSONL file that grows by whole lines, and says what has been answered already."""

import os
import stat
import time
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from app.answers.answers import Answer
from app.answers.shapes import AnswerShape, answer_shape
from app.errors import BatchFileError
from app.jobs.questions_file import BatchQuestion
from indexing.files import append_whole, lock_open

_PRIVATE: Final = 0o600
_SYNC_EVERY_S: Final = 1.0


class BatchAnswerShape(AnswerShape):
    """An answer with the id of the row that it answers."""

    question_id: str


class _Answered(BaseModel):
    """What of a line says which row it answers. The rest may be of another release."""

    model_config = ConfigDict(extra="ignore")

    question_id: str
    question: str


class AnswersFile:
    """The answers of one batch, held by one process at a time; a context manager.

    A line is handed to the system whole as soon as its answer is there, so that a killed process loses nothing of it, and is on
    the disk within about a second and at the end. What a crash left of a line is cut off when the file is opened.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it, readable by its owner alone.

        Raises:
            BatchFileError: It cannot be opened, another process writes it, or it holds something else.
        """
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _PRIVATE)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._take()
            self._answered = self._read()
        except BaseException:
            os.close(self._descriptor)
            raise
        self._synced_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def has(self, question: BatchQuestion) -> bool:
        """Whether a row has its answer.

        Raises:
            BatchFileError: There is an answer to this id, and it is one to another question.
        """
        answered = self._answered.get(question.id)
        if answered is not None and answered != question.text:
            raise BatchFileError(
                f"{self._path} holds an answer to another question with the id {question.id!r}. The questions have changed: "
                "write to another file, or give them other ids."
            )
        return answered is not None

    def append(self, question: BatchQuestion, answer: Answer) -> None:
        """Add the answer of a row. Not safe to use from several threads at once.

        Raises:
            BatchFileError: It cannot be written; the file holds whole lines only.
        """
        shape = BatchAnswerShape(question_id=question.id, **answer_shape(answer).model_dump(exclude_unset=True))
        line = f"{shape.model_dump_json(exclude_unset=True)}\n".encode()
        try:
            append_whole(self._descriptor, line)
            if time.monotonic() - self._synced_at >= _SYNC_EVERY_S:
                os.fsync(self._descriptor)
                self._synced_at = time.monotonic()
        except OSError as error:
            raise self._unusable(error) from error
        self._answered[question.id] = question.text

    def close(self) -> None:
        """See to it that everything is on the disk, and let go of the file. Raises `BatchFileError`."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            os.close(self._descriptor)

    def _take(self) -> None:
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise BatchFileError(f"The answers {self._path} are no file. Name one that can be added to and read again.")
        if not lock_open(self._descriptor):  # a file beside it would litter somebody's folder
            raise BatchFileError(f"Another run is writing {self._path}. Wait for its end, or write to another file.")

    def _read(self) -> dict[str, str]:
        """The question of each row that is answered, by id; what a crash left unfinished is cut off."""
        answered: dict[str, str] = {}
        whole = 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = _Answered.model_validate_json(line)
                except ValidationError as error:
                    raise BatchFileError(
                        f"{self._path}, line {number}, is no answer of a batch. Nothing was changed; name another file."
                    ) from error
                answered[row.question_id] = row.question
                whole += len(line)
        if whole < os.fstat(self._descriptor).st_size:
            self._require_torn(whole)
            os.ftruncate(self._descriptor, whole)
        return answered

    def _require_torn(self, whole: int) -> None:
        """Check that the rest of the file may be the beginning of an answer: somebody else's text is not ours to cut."""
        rest = os.pread(self._descriptor, 1, whole)
        if rest != b"{":
            raise BatchFileError(f"{self._path} does not end with an answer of a batch. Nothing was changed; name another file.")

    def _unusable(self, error: OSError) -> BatchFileError:
        return BatchFileError(
            f"The answers {self._path} cannot be written: {error.strerror}. Make room on the disk, or check the path and its "
            "permissions; run the same again to go on where this stopped."
        )
