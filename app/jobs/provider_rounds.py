"""The first calls of many answers through a provider's batch, round by round: each question is asked when its reply is there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from app.access.callers import Caller
from app.answering.service import AnswerService
from app.answers.answers import Answer
from app.answers.questions import Question
from app.errors import AnsweringError
from app.generation.calls import FirstCall
from app.jobs.batch import Ask, Tally
from app.jobs.provider_batch import MOST_BYTES, MOST_CALLS, ProviderBatch, RowReply
from app.jobs.questions_file import BatchQuestion
from indexing.planning import Progress
from retrieval.errors import RetrievalError


class BatchListener(Progress, Protocol):
    """Is told how far a batch is, in the phases `prepare`, `provider` and `ask` (questions), and what a person should know."""

    def say(self, words: str) -> None:
        """Say it to the person."""


class ProviderRounds:
    """Answers rows through a provider's batch, round by round, until none is left or something stops it."""

    def __init__(
        self,
        service: AnswerService,
        batch: ProviderBatch,
        caller: Caller,
        listener: BatchListener,
        ask_all: Callable[[Sequence[BatchQuestion], Ask, Tally], object],
    ) -> None:
        """Put a run together. `ask_all` asks rows by what it is given, and adds them to a tally."""
        self._service = service
        self._batch = batch
        self._caller = caller
        self._listener = listener
        self._ask_all = ask_all
        self._taught = False

    def run(self, questions: Sequence[BatchQuestion]) -> Tally:
        """Answer the rows. An interrupt is told by the tally; a batch goes on at the provider, and the next run picks it up.

        Raises:
            GenerationError: The provider cannot be reached, or did not take the batch.
            BatchFileError, LedgerError: The batch cannot be remembered, or nothing can be set aside.
        """
        tally, left = Tally(), list(questions)
        try:
            while (left or self._batch.is_open) and not tally.interrupted and not tally.held_back:
                begun = self._round(left, tally)
                left = [question for question in left if question.id not in begun]
        except KeyboardInterrupt:
            tally.interrupted = True
        return tally

    def _round(self, left: Sequence[BatchQuestion], tally: Tally) -> set[str]:
        """Begin a batch unless one is open, and take its replies; the ids of the rows that were asked."""
        begun: set[str] = set()
        if not self._batch.is_open:
            calls, free = self._first_calls(left)
            free += self._teacher(calls)
            self._ask(free, {}, begun, tally)
            if calls and not tally.interrupted and not tally.held_back:
                tally.held_back = self._batch.open(calls, self._caller.payer)
        if not self._batch.is_open or tally.interrupted:
            return begun
        if not self._batch.hand_in(self._caller.payer):
            return begun
        problem = self._batch.wait(lambda done, total: self._listener.update("provider", done, total)).problem
        if problem:
            self._listener.say(f"The provider did not take the batch ({problem}). Its questions are asked one by one.")
        replies = self._batch.replies()
        ready = [question for question in left if (question.id, question.text) in replies]
        refusal, tally.held_back = tally.held_back, None  # what is paid for is asked all the same
        self._ask(ready, replies, begun, tally)
        tally.held_back = tally.held_back or refusal
        waiting = {(question.id, question.text) for question in ready if question.id not in begun}
        self._batch.forget(reply.answer_id for row, reply in replies.items() if row not in waiting)
        return begun

    def _first_calls(self, left: Sequence[BatchQuestion]) -> tuple[list[tuple[BatchQuestion, FirstCall]], list[BatchQuestion]]:
        """The calls that fit into a batch, and the rows that need none."""
        calls, free, size_bytes = list[tuple[BatchQuestion, FirstCall]](), list[BatchQuestion](), 0
        for number, question in enumerate(left, start=1):
            self._listener.update("prepare", number, len(left))
            try:
                call = self._service.first_call(Question(question.text), self._caller.reading(question.scope))
            except (AnsweringError, RetrievalError):  # asking it says what is wrong
                call = None
            if call is None:
                free.append(question)
                continue
            size_bytes += len(call.prompt.system.encode()) + len(call.prompt.user.encode())
            if len(calls) >= MOST_CALLS or size_bytes > MOST_BYTES:
                break
            calls.append((question, call))
        return calls, free

    def _teacher(self, calls: list[tuple[BatchQuestion, FirstCall]]) -> list[BatchQuestion]:
        """One row for the ordinary way: its refusals teach what the endpoint does not take, before all are sent like that."""
        if self._taught or not calls:
            return []
        self._taught = True
        return [calls.pop(0)[0]]

    def _ask(
        self,
        questions: Sequence[BatchQuestion],
        replies: Mapping[tuple[str, str], RowReply],
        begun: set[str],
        tally: Tally,
    ) -> None:
        def ask(question: BatchQuestion) -> Answer:
            begun.add(question.id)
            about = Question(question.text), self._caller.reading(question.scope)
            reply = replies.get((question.id, question.text))
            return self._service.ask_after_batch(reply.answer_id, *about, reply.reply) if reply else self._service.ask(*about)

        if questions:
            self._ask_all(questions, ask, tally)
