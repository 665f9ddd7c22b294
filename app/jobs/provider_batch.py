"""The first calls of many answers, in one batch at a provider: handed in once, picked up by any later run, billed once."""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from app.costs.errors import BudgetExhaustedError
from app.costs.ledger import Hold, Ledger, Spender
from app.costs.pricing import Price, price_usage
from app.costs.receipts import Stage
from app.errors import BatchFileError, CommandError
from app.generation.calls import BatchReply, CallKind, FirstCall, most_usage
from app.generation.endpoints import BatchGenerator, BatchProgress, Endpoint, Prompt, Rungs
from app.generation.errors import EndpointUnavailableError
from app.jobs.questions_file import BatchQuestion
from indexing.files import sync_path, write_durably

MOST_CALLS: Final = 50_000
MOST_BYTES: Final = 100_000_000
"""What providers take in one batch, and half of it: JSON may write a character as several."""

_LASTS: Final = timedelta(days=3)
"""A provider has a day; after three nobody comes for the rest, and what was set aside counts as spent."""

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_MOST_FAILURES: Final = 30


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    question_id: str
    question: str
    answer_id: str
    stage: Stage
    rung: str
    max_output_tokens: int
    system: str
    user: str
    wants_json: bool

    @property
    def call(self) -> FirstCall:
        kind = CallKind(self.stage, self.rung, self.max_output_tokens)
        return FirstCall(kind, Prompt(self.system, self.user, self.wants_json))


class _Record(BaseModel):
    """What of a batch outlives the process. `held` says that the money for all rows is set aside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    endpoint: str
    rows: tuple[_Row, ...]
    held: bool = False
    batch_id: str | None = None


@dataclass(frozen=True, slots=True)
class RowReply:
    """What a batch has for a question: the id that money was set aside under, and the reply; `None` when the call failed."""

    answer_id: str
    reply: BatchReply | None


class ProviderBatch:
    """At most one batch at a provider, and the file that remembers it. Used by one thread and one process at a time.

    The file is on the disk before anything is handed in, with a key that the provider keeps with the batch: whenever the process
    dies, the next one finds the batch again, and hands nothing in twice.
    """

    def __init__(self, endpoint: Endpoint, batch: BatchGenerator, price: Price, file: Path, ledger: Ledger) -> None:
        """Read what an earlier run left.

        Args:
            endpoint: Where the batch goes, and what its answers are billed as.
            batch: The endpoint's batch API.
            price: What that charges.
            file: Remembers the batch; absent while there is none.
            ledger: Where money is set aside.

        Raises:
            BatchFileError: The file cannot be read, or tells of another endpoint.
        """
        self._endpoint = endpoint
        self._batch = batch
        self._price = price
        self._file = file
        self._ledger = ledger
        self._record = self._read()
        self._may_be_there = self._record is not None

    @property
    def is_open(self) -> bool:
        """Whether there is a batch whose replies have not all been taken."""
        return self._record is not None

    def open(self, calls: Sequence[tuple[BatchQuestion, FirstCall]], spender: Spender) -> BudgetExhaustedError | None:
        """Begin a batch: remember it, and set aside the most that each call can cost, until a budget has no room.

        Returns:
            The budget's refusal, when not all calls are in the batch.

        Raises:
            BatchFileError, LedgerError: Nothing can be written; the batch is begun anew by the next run.
        """
        record = _Record(key=uuid.uuid4().hex, endpoint=self._endpoint.name, rows=tuple(_row(*call) for call in calls))
        self._may_be_there = False
        self._write(record)
        return self._hold(record, spender)

    def hand_in(self, spender: Spender) -> bool:
        """See to it that the provider has the batch, once; `False` when a budget has no room for any of it.

        Raises:
            GenerationError: The endpoint did not take it; another try is safe.
            BatchFileError, LedgerError: As `open`.
        """
        if self._record and not self._record.held:
            self._hold(self._record, spender)
        record = self._record
        if record is None:
            return False
        if record.batch_id is not None:
            return True
        batch_id = self._batch.find(record.key) if self._may_be_there else None
        if batch_id is None:
            batch_id = self._batch.submit(record.key, _prompts(record), self._most_output_tokens(record))
        self._write(record.model_copy(update={"batch_id": batch_id}))
        return True

    def wait(self, tell: Callable[[int, int], None]) -> BatchProgress:
        """Wait until the batch has ended; `tell` is told how many of how many are done.

        Raises:
            GenerationError: The endpoint cannot be asked how far it is, many times in a row.
        """
        pause_s, failures = _FIRST_PAUSE_S, 0
        record = self._taken()
        while True:
            try:
                progress = self._batch.progress(record.batch_id or "")
            except EndpointUnavailableError:
                failures += 1
                if failures >= _MOST_FAILURES:
                    raise
            else:
                failures = 0
                tell(progress.done, progress.total)
                if progress.ended:
                    return progress
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def replies(self) -> Mapping[tuple[str, str], RowReply]:
        """What the batch has for each question, by its id and text. Raises `GenerationError`."""
        record = self._taken()
        completions = self._batch.results(record.batch_id or "", _prompts(record), self._most_output_tokens(record))
        replies = {}
        for row in record.rows:
            done = completions.get(row.answer_id)
            reply = BatchReply(row.call, done, self._endpoint.model, self._price) if done else None
            replies[row.question_id, row.question] = RowReply(row.answer_id, reply)
        return replies

    def forget(self, settled: Iterable[str]) -> None:
        """Forget the answers with these ids, and the batch when none is left. Raises `BatchFileError`."""
        record, gone = self._taken(), set(settled)
        left = tuple(row for row in record.rows if row.answer_id not in gone)
        self._write(record.model_copy(update={"rows": left}) if left else None)

    def _hold(self, record: _Record, spender: Spender) -> BudgetExhaustedError | None:
        """Set money aside for each row. A run that died at it leaves holds that are settled with the others."""
        held, until = list[_Row](), datetime.now(UTC) + _LASTS
        refusal = None
        for row in record.rows:
            most = most_usage(row.call.prompt, min(row.max_output_tokens, self._endpoint.max_output_tokens))
            cost_usd = price_usage(most, self._price)
            try:
                self._ledger.reserve(Hold(row.answer_id, spender, cost_usd, most.input_tokens + most.output_tokens, until))
            except BudgetExhaustedError as error:
                refusal = error
                break
            held.append(row)
        self._write(record.model_copy(update={"rows": tuple(held), "held": True}) if held else None)
        return refusal

    def _most_output_tokens(self, record: _Record) -> int:
        return min(max(row.max_output_tokens for row in record.rows), self._endpoint.max_output_tokens)

    def _taken(self) -> _Record:
        if self._record is None or self._record.batch_id is None:
            raise ValueError("there is no batch at the provider")
        return self._record

    def _read(self) -> _Record | None:
        try:
            record = _Record.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise BatchFileError(f"{self._file} cannot be read. {_GIVE_UP}") from error
        if record.endpoint != self._endpoint.name:
            raise BatchFileError(
                f"{self._file} tells of a batch at the endpoint {record.endpoint!r}, and batches now go to "
                f"{self._endpoint.name!r}. Put the endpoint back until its batch is finished. {_GIVE_UP}"
            )
        return record

    def _write(self, record: _Record | None) -> None:
        """Have the disk know the batch as it stands now."""
        try:
            if record is None:
                self._file.unlink(missing_ok=True)
                sync_path(self._file.parent)
            else:
                write_durably(self._file, record.model_dump_json())
        except OSError as error:
            raise BatchFileError(
                f"{self._file} cannot be written: {error.strerror}. Make room on the disk, or check its permissions."
            ) from error
        self._record = record


def open_batch(rungs: Rungs, file: Path, ledger: Ledger) -> ProviderBatch:
    """The batch at the endpoint of the first rung that has a batch API.

    Raises:
        CommandError: There is none, or nobody knows what it charges.
        BatchFileError: What an earlier run left cannot be read.
    """
    endpoint = next((one for one in rungs.small or rungs.strong if one.batch), None)
    if endpoint is None or endpoint.batch is None:
        raise CommandError("No endpoint of the rung that is asked first has a batch API. Set batch = true where one has.")
    price = endpoint.price.batch if endpoint.price else None
    if price is None:
        raise CommandError(
            f"The batch price of the endpoint {endpoint.name!r} is unknown. Write batch_input_usd and batch_output_usd of its "
            "price_model into the file that prices.file names."
        )
    return ProviderBatch(endpoint, endpoint.batch, price, file, ledger)


_GIVE_UP: Final = "To give the batch up, remove the file; what it may have cost is booked after three days."


def record_file(answers: Path) -> Path:
    """The file that remembers the batch of a file of answers."""
    return answers.with_name(f"{answers.name}.batch.json")


def _row(question: BatchQuestion, call: FirstCall) -> _Row:
    kind, prompt = call.kind, call.prompt
    return _Row(
        question_id=question.id,
        question=question.text,
        answer_id=uuid.uuid4().hex,
        stage=kind.stage,
        rung=kind.rung,
        max_output_tokens=kind.max_output_tokens,
        system=prompt.system,
        user=prompt.user,
        wants_json=prompt.wants_json,
    )


def _prompts(record: _Record) -> dict[str, Prompt]:
    return {row.answer_id: row.call.prompt for row in record.rows}
