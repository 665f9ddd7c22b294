"""The answers of a batch are whole lines, whatever happened to the run before."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.access.callers import scope_with
from app.errors import BatchFileError
from app.jobs.answers_file import AnswersFile
from app.jobs.questions_file import BatchQuestion
from tests.app.jobs.conftest import MakeAnswer

WHO = BatchQuestion("a", "Who?", scope_with([]))
WHEN = BatchQuestion("b", "When?", scope_with([]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


@pytest.fixture
def begun(path: Path, make_answer: MakeAnswer) -> Path:
    """A file with one answer."""
    with AnswersFile(path) as answers:
        answers.append(WHO, make_answer(WHO))
    return path


def test_a_line_is_an_answer_with_the_id_of_its_row(begun: Path) -> None:
    (line,) = begun.read_text().splitlines()
    shape = json.loads(line)
    assert (shape["question_id"], shape["id"], shape["question"], shape["outcome"]) == ("a", "answer-to-a", "Who?", "answered")
    assert shape["receipt"]["cost_usd"] == "0.001"
    assert "explanation" not in shape
    assert stat.S_IMODE(begun.stat().st_mode) == 0o600


def test_what_is_in_it_is_answered_and_stays(begun: Path, make_answer: MakeAnswer) -> None:
    before = begun.read_bytes()
    with AnswersFile(begun) as answers:
        assert (answers.has(WHO), answers.has(WHEN)) == (True, False)
        answers.append(WHEN, make_answer(WHEN, answered=False))
        assert answers.has(WHEN)
    assert begun.read_bytes().startswith(before)
    assert [json.loads(line)["outcome"] for line in begun.read_text().splitlines()] == ["answered", "abstained"]


@pytest.mark.parametrize("length", [1, 2, 200])
def test_a_torn_line_is_cut_off_and_asked_again(begun: Path, make_answer: MakeAnswer, length: int) -> None:
    whole = begun.read_bytes()
    begun.write_bytes(whole + whole[:length])
    with AnswersFile(begun) as answers:
        assert begun.read_bytes() == whole
        answers.append(WHEN, make_answer(WHEN))
    assert [json.loads(line)["question_id"] for line in begun.read_text().splitlines()] == ["a", "b"]


@pytest.mark.parametrize("content", [b"notes of mine\n", b'{"question": "Who?"}\n', b"notes of mine", b"\xff\xfe\n"])
def test_a_file_of_something_else_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(BatchFileError, match="Nothing was changed"):
        AnswersFile(path)
    assert path.read_bytes() == content


def test_an_answer_to_another_question_with_the_same_id_is_refused(begun: Path) -> None:
    with AnswersFile(begun) as answers, pytest.raises(BatchFileError, match="another question with the id 'a'"):
        answers.has(BatchQuestion("a", "Whom?", scope_with([])))


def test_only_one_run_writes_it(begun: Path) -> None:
    with AnswersFile(begun), pytest.raises(BatchFileError, match="Another run is writing"):
        AnswersFile(begun)
    AnswersFile(begun).close()


@pytest.mark.parametrize("place", ["missing/answers.jsonl", ".", "/dev/null"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(BatchFileError, match="answers"):
        AnswersFile(tmp_path / place)


def test_a_full_disk_leaves_whole_lines(begun: Path, make_answer: MakeAnswer, monkeypatch: pytest.MonkeyPatch) -> None:
    write, whole = os.write, begun.read_bytes()

    def fill(descriptor: int, data: bytes) -> int:
        if len(data) < 200:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:150])

    with AnswersFile(begun) as answers, monkeypatch.context() as patch:
        patch.setattr(os, "write", fill)
        with pytest.raises(BatchFileError, match="No space left on device"):
            answers.append(WHEN, make_answer(WHEN))
        assert not answers.has(WHEN)
    assert begun.read_bytes() == whole


WRITER = """
import sys
from pathlib import Path
from app.access.callers import scope_with
from app.jobs.answers_file import AnswersFile
from app.jobs.questions_file import BatchQuestion
from tests.app.jobs.conftest import build_answer

with AnswersFile(Path(sys.argv[1])) as answers:
    for number in range(1_000_000):
        question = BatchQuestion(f"q{number}", "Who?", scope_with([]))
        if not answers.has(question):
            answers.append(question, build_answer(question))
            print(number, flush=True)
"""


def test_a_run_that_is_killed_loses_nothing_that_it_reported(path: Path) -> None:
    reported = -1
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout
            first = int(run.stdout.readline())
            assert first > reported
            time.sleep(0.05)
            run.send_signal(signal.SIGKILL)
            lines = [line for line in run.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        reported = int(lines[-1]) if lines else first
        with AnswersFile(path) as answers:
            assert all(answers.has(BatchQuestion(f"q{number}", "Who?", scope_with([]))) for number in range(reported + 1))
        ids = [json.loads(line)["question_id"] for line in path.read_text().splitlines()]
        assert ids == [f"q{number}" for number in range(len(ids))]
