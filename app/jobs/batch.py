"""Many questions, a few at a time: paced, stopped without losing what is in flight, and added up."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeAlias

from app.answers.answers import Abstention, Answer
from app.answers.events import Decision
from app.costs.errors import BudgetExhaustedError
from app.costs.receipts import Receipt, sum_usd
from app.errors import AnsweringError
from app.jobs.questions_file import BatchQuestion
from retrieval.errors import RetrievalError

_MINUTE_S: Final = 60.0
_LOOK_S: Final = 0.5

Ask: TypeAlias = Callable[[BatchQuestion], Answer]
Keep: TypeAlias = Callable[[BatchQuestion, Answer], None]


@dataclass(slots=True)
class Tally:
    """What a batch came to.

    `failed` holds the id and the reason of each row that has no answer yet for a reason of its own. `held_back` is the budget's
    refusal that stopped the batch. `cost_usd` and `saved_usd` add up the receipts of this run, failed rows included; `None` as
    soon as one is unknown. `noted` counts the rows with an answer whose receipts have notes: something held a model back.
    """

    answered: int = 0
    abstained: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)
    saved_usd: Decimal | None = Decimal(0)
    held_back: BudgetExhaustedError | None = None
    interrupted: bool = False
    noted: int = 0

    def bill(self, receipt: Receipt) -> None:
        """Add a receipt."""
        self.input_tokens += receipt.input_tokens
        self.output_tokens += receipt.output_tokens
        self.cost_usd = sum_usd([self.cost_usd, receipt.cost_usd])
        self.saved_usd = sum_usd([self.saved_usd, receipt.saved_usd])


class Batch:
    """Asks many questions, `concurrency` at a time, and begins at most `per_minute` in a minute, evenly spaced.

    A row fails alone: its endpoint is down, or a label of its own is unknown. A budget that is used up stops the batch, and so
    does everything that would befall every row, such as an index that is not there.
    """

    def __init__(
        self, ask: Ask, keep: Keep, on_progress: Callable[[int], None], concurrency: int, per_minute: int | None
    ) -> None:
        """Put a batch together.

        Args:
            ask: Answers a question; called from several threads.
            keep: Writes an answer down; called by one thread at a time.
            on_progress: Is told how many rows are dealt with.
            concurrency: How many questions are answered at once.
            per_minute: How many are begun in a minute; `None` for as many as there can be.
        """
        self._ask = ask
        self._keep = keep
        self._on_progress = on_progress
        self._concurrency = concurrency
        self._pause_s = _MINUTE_S / per_minute if per_minute else 0.0
        self._turn, self._books = threading.Lock(), threading.Lock()
        self._stopping = threading.Event()
        self._next_at = time.monotonic()
        self._done = 0

    def run(self, questions: Iterable[BatchQuestion], tally: Tally | None = None) -> Tally:
        """Ask the questions, and add them to a tally; used once.

        After an interrupt (Ctrl-C) nothing new is begun, and what is in flight is finished.

        Raises:
            Exception: What `ask` or `keep` raised that befalls every row, after what was in flight had been finished.
        """
        tally, rows = tally or Tally(), iter(questions)
        workers: list[Future[None]] = []
        with ThreadPoolExecutor(self._concurrency, "batch") as pool:
            try:
                workers.extend(pool.submit(self._work, rows, tally) for _ in range(self._concurrency))
                while wait(workers, _LOOK_S).not_done:  # a signal that comes just before a wait begins does not end it
                    pass
            except KeyboardInterrupt:
                tally.interrupted = True
                self._stopping.set()
                wait(workers)
        for worker in workers:
            worker.result()
        return tally

    def _work(self, rows: Iterator[BatchQuestion], tally: Tally) -> None:
        try:
            while question := self._next(rows):
                self._deal_with(question, tally)
        except BaseException:
            self._stopping.set()
            raise

    def _next(self, rows: Iterator[BatchQuestion]) -> BatchQuestion | None:
        """The next row when its time has come; `None` when there is none, or nothing more is to be begun."""
        with self._turn:
            if self._stopping.wait(max(0.0, self._next_at - time.monotonic())):
                return None
            self._next_at = max(self._next_at, time.monotonic()) + self._pause_s
            return next(rows, None)

    def _deal_with(self, question: BatchQuestion, tally: Tally) -> None:
        try:
            answer = self._ask(question)
        except BudgetExhaustedError as error:
            self._stopping.set()
            tally.held_back = error
            return
        except (AnsweringError, RetrievalError) as error:
            with self._books:
                tally.failed.append((question.id, str(error)))
                self._count()
            return
        with self._books:
            tally.bill(answer.receipt)
            failure = endpoint_failure(answer)
            if failure:
                tally.failed.append((question.id, failure))
            else:
                self._keep(question, answer)
                abstained = isinstance(answer, Abstention)
                tally.abstained += abstained
                tally.answered += not abstained
                tally.noted += bool(answer.receipt.notes)
            self._count()

    def _count(self) -> None:
        self._done += 1
        self._on_progress(self._done)


def endpoint_failure(answer: Answer) -> str | None:
    """Why the models could not be asked, where that alone is why there is no answer; else `None`.

    Such a row is worth another try, unlike one whose documents do not answer it.
    """
    if not isinstance(answer, Abstention) or len(answer.steps) < 2:  # noqa: PLR2004 - the failure, and the abstention after it
        return None
    last = answer.steps[-2]
    return last.reason if last.decision is Decision.FAIL else None
