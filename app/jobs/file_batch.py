"""Answering the questions of a file that have no answer yet: one by one, or through a provider's batch."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from app.access.callers import Caller
from app.answering.service import AnswerService
from app.answers.answers import Answer
from app.answers.questions import Question
from app.errors import CommandError
from app.jobs.answers_file import AnswersFile
from app.jobs.batch import Ask, Batch, Tally
from app.jobs.provider_batch import ProviderBatch, record_file
from app.jobs.provider_rounds import BatchListener, ProviderRounds
from app.jobs.questions_file import BatchQuestion


@dataclass(frozen=True, slots=True)
class Pace:
    """How many questions are answered at once, and how many are begun in a minute; `None` for as many as there can be."""

    concurrency: int
    per_minute: int | None


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a run came to: how many rows had been answered before it, and how many are `left` without an answer after it.

    `goes_on` says that a batch is at work at the provider, which the next run picks up.
    """

    tally: Tally
    answered_before: int
    left: int
    goes_on: bool


class FileBatch:
    """Answers files of questions for one caller."""

    def __init__(
        self,
        open_service: Callable[[], AbstractContextManager[AnswerService]],
        open_provider: Callable[[Path], AbstractContextManager[tuple[AnswerService, ProviderBatch]]],
        caller: Caller,
        pace: Pace,
        listener: BatchListener,
    ) -> None:
        """Put it together. What is opened is opened when there is something to ask; what that raises comes through.

        Args:
            open_service: Opens what answers.
            open_provider: Opens the batch that a file remembers, and what answers with its replies.
            caller: Who asks; each row says what may be read for it.
            pace: How fast.
            listener: Is told how far it is.
        """
        self._open_service = open_service
        self._open_provider = open_provider
        self._caller = caller
        self._pace = pace
        self._listener = listener

    def run(self, questions: Sequence[BatchQuestion], out: Path, *, by_provider: bool) -> FileReport:
        """Answer the questions that have no answer yet. An interrupt is told by the tally.

        Args:
            questions: The rows.
            out: Takes the answers; what is in it is not asked again.
            by_provider: Whether the first calls go to the provider together, at its batch price.

        Raises:
            CommandError: A batch of these answers is at work at a provider, and is not to be picked up; or no endpoint takes one.
            BatchFileError: The answers cannot be read or written.
            IndexingError, LedgerError: Nothing can be asked.
            GenerationError: The provider cannot be reached, or did not take the batch.
        """
        record = record_file(out)
        with AnswersFile(out) as answers:
            missing = [question for question in questions if not answers.has(question)]
            if record.exists() and not by_provider:
                raise CommandError(
                    f"{record} tells of a batch at a provider. Run the same with --provider-batch to take its replies."
                )
            try:
                if by_provider and (missing or record.exists()):
                    tally = self._ask_provider(missing, answers, record)
                else:
                    tally = self._ask(missing, answers) if missing else Tally()
            except KeyboardInterrupt:  # while the index was opened
                tally = Tally(interrupted=True)
        left = len(missing) - tally.answered - tally.abstained
        return FileReport(tally, len(questions) - len(missing), left, record.exists())

    def _ask(self, questions: Sequence[BatchQuestion], answers: AnswersFile) -> Tally:
        with self._open_service() as service:
            service.warm_up()

            def ask(question: BatchQuestion) -> Answer:
                return service.ask(Question(question.text), self._caller.reading(question.scope))

            return self._ask_all(questions, ask, Tally(), answers)

    def _ask_provider(self, questions: Sequence[BatchQuestion], answers: AnswersFile, record: Path) -> Tally:
        with self._open_provider(record) as (service, batch):
            service.warm_up()

            def ask_all(rows: Sequence[BatchQuestion], ask: Ask, tally: Tally) -> None:
                self._ask_all(rows, ask, tally, answers)

            return ProviderRounds(service, batch, self._caller, self._listener, ask_all).run(questions)

    def _ask_all(self, rows: Sequence[BatchQuestion], ask: Ask, tally: Tally, answers: AnswersFile) -> Tally:
        def tell(done: int) -> None:
            self._listener.update("ask", done, len(rows))

        tell(0)
        return Batch(ask, answers.append, tell, self._pace.concurrency, self._pace.per_minute).run(rows, tally)
