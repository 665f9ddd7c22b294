"""The second flow, read aloud: question to answer, citations and receipt."""

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.access.callers import Caller
from app.access.errors import UnknownLabelError
from app.answering.audits import Audit, Auditor
from app.answering.measuring import Measuring
from app.answering.naive_prompt import NaiveBaseline
from app.answers.answers import Abstention, Answer, Answered, cite, closest_pages
from app.answers.conversation import admit_conversation, resolve
from app.answers.events import Listener, nobody
from app.answers.questions import Question, admit
from app.caching.cache import Hit, Made, as_given
from app.caching.memory import Known, Memory
from app.caching.reviews import draft_from
from app.caching.rules.keys import CacheKeys
from app.costs.receipts import NaivePrompt, Receipt, Stage, Till
from app.costs.rungs import Rung
from app.generation.accounting import UNLIMITED, Account, Accounts, Allowance, Settlement
from app.generation.calls import BatchReply, Calls, FirstCall
from app.ladder.climb import Climbed, Ladder, Task
from indexing.documents import EVERYONE, AccessScope
from indexing.embedding import Embedder
from indexing.language import Language
from indexing.tokens import TokenCounter
from retrieval.context import ContextSettings
from retrieval.followups import embed_query
from retrieval.leasing import IndexHandle, OpenGeneration
from retrieval.passages import Query
from retrieval.recent import RecentOf
from retrieval.retriever import Candidates
from retrieval.weights import Weights


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question on its way: who asks it, of which generation, and who listens."""

    id: str
    question: Question
    keys: CacheKeys
    caller: Caller
    settings: ContextSettings
    generation: OpenGeneration
    till: Till
    tell: Listener
    reply: BatchReply | None = None


_SEARCHES: Final = 64
"""Of each generation. Each holds some hundred chunks with their terms, most of which the others hold as well."""

_Searches: TypeAlias = RecentOf[OpenGeneration, tuple[Query, AccessScope], tuple[NDArray[np.float32], Candidates]]


class AnswerService:
    """Answers questions from the index, inside the caller's rights and budget. Safe to use from several threads."""

    def __init__(
        self,
        index: IndexHandle,
        embedder: Embedder,
        counter: TokenCounter,
        language: Language,
        weights: Weights,
        context_settings: Callable[[], ContextSettings],
        memory: Memory,
        ladder: Ladder,
        accounts: Accounts,
        baseline: NaiveBaseline,
        measuring: Measuring,
        max_question_characters: int,
        auditor: Auditor | None = None,
        turns: AbstractContextManager[object] | None = None,
        *,
        reuse_searches: bool = False,
    ) -> None:
        """Put it together.

        Args:
            index: Lends the generation that serves.
            embedder: Embeds the questions.
            counter: Counts tokens.
            language: That of questions and documents.
            weights: The learned weights.
            context_settings: How much an answer reads now.
            memory: The answer cache, and the answers that are being made.
            ladder: Answers from the evidence.
            accounts: Keeps the books.
            baseline: Measures the naive prompt.
            measuring: Draws answers to measure the saving by.
            max_question_characters: Longer questions are refused.
            auditor: Audits proposed cached answers; `None` where nothing is learned from them.
            turns: Held by each search while it runs; `None` where searches do not hold each other up.
            reuse_searches: Keep what was just found in a generation, for the same question inside the same rights.
        """
        self._index = index
        self._embedder = embedder
        self._counter = counter
        self._language = language
        self._weights = weights
        self._context_settings = context_settings
        self._memory = memory
        self._ladder = ladder
        self._accounts = accounts
        self._baseline = baseline
        self._measuring = measuring
        self._max_question_characters = max_question_characters
        self._auditor = auditor
        self._searches: _Searches | None = RecentOf(_SEARCHES) if reuse_searches else None
        self._turns = turns or nullcontext()

    def ask(self, question: Question, caller: Caller, tell: Listener = nobody) -> Answer:
        """Answer a question, or abstain.

        Args:
            question: The question, with what came before.
            caller: Who asks.
            tell: Is told each step, and text as it is written; what it raises ends the answer, after it has been settled.

        Raises:
            QuestionError: The question is empty or too long.
            ConversationError: The state of the conversation is empty or too long.
            UnknownLabelError: The caller has a label that no document carries.
            BudgetExhaustedError: The budget is used up, and nothing that is free answers.
            LedgerError: What the answer cost can be neither written nor kept for later.
            ChunkIndexError: There is no index, or it cannot be opened.
            EmbeddingError: The model cannot be loaded.
            SearchError: The index engine failed.
        """
        return self._ask(uuid.uuid4().hex, question, caller, Till(), tell, None)

    def first_call(self, question: Question, caller: Caller) -> FirstCall | None:
        """The call of a model that answering would begin with now; `None` when none would be made. Nothing is billed.

        Raises:
            QuestionError, ConversationError, UnknownLabelError, ChunkIndexError, EmbeddingError, SearchError: As `ask`.
        """
        question, keys, settings = self._admit(question, caller.scope)
        with self._index.lease() as generation:
            _refuse_unknown_labels(caller.scope, generation)
            asked = _Asked("", question, keys, caller, settings, generation, Till(), nobody)
            if self._memory.remembers(asked.keys, generation):
                return None
            vector, task = self._search(asked)
            near = self._memory.propose(asked.keys, vector, task.evidence, generation)
            return None if near else self._ladder.first_call(task)

    def ask_after_batch(self, answer_id: str, question: Question, caller: Caller, reply: BatchReply | None) -> Answer:
        """Answer a question whose first call went through a provider's batch, under the id that money was set aside for.

        The reply is billed in any case, also where the answer takes another way or ends in an error; asking again under the same
        id bills it no second time. `None` stands for a call that failed. Raises as `ask`.
        """
        till = Till()
        if reply:
            reply.bill(till, self._counter)
        try:
            return self._ask(answer_id, question, caller, till, nobody, reply)
        except BaseException:
            about = Settlement(question.text, "", None)
            with self._accounts.open(answer_id, caller.payer, till, NaivePrompt(0, None), about) as account:
                account.fail()  # changes nothing when it was settled before it failed
            raise

    def _ask(
        self,
        answer_id: str,
        question: Question,
        caller: Caller,
        till: Till,
        tell: Listener,
        reply: BatchReply | None,
    ) -> Answer:
        question, keys, settings = self._admit(question, caller.scope)
        with self._index.lease() as generation:
            _refuse_unknown_labels(caller.scope, generation)
            asked = _Asked(answer_id, question, keys, caller, settings, generation, till, tell, reply)
            give, make = partial(self._give, asked), partial(self._make, asked)
            answer = self._memory.remembered_or_made(asked.keys, generation, give, make)
        self._measuring.offer(asked.id, answer, asked.keys.query, caller)
        return answer

    def _admit(self, question: Question, scope: AccessScope) -> tuple[Question, CacheKeys, ContextSettings]:
        question = admit(question, self._max_question_characters)
        query = resolve(
            question.text, question.conversation and admit_conversation(question.conversation, self._counter), self._language
        )
        settings = self._context_settings()
        return question, self._memory.keys(query, scope, settings), settings

    def quick(self, question: Question, caller: Caller) -> bytes | None:
        """The bytes of an answer that was given before and still holds, if that can be told without waiting; else `None`.

        For an event loop: some microseconds, no thread, nothing raised. A question that cannot be asked has no such answer.
        """
        serving = self._index.settled()
        if serving is None or question.conversation is not None or len(question.text) > self._max_question_characters:
            return None
        return self._memory.quick(question.text, caller, self._context_settings(), serving)

    def keys(self, question: str, scope: AccessScope) -> CacheKeys:
        """What an answer to a question is kept under now, for whoever looks after the cache."""
        return self._memory.keys(Query(question), scope, self._context_settings())

    def pin(self, question: str, scope: AccessScope, reviewed: Answered) -> None:
        """Keep an answer that a person has reviewed, until what it cites changes.

        Raises:
            ReviewError: It cites nothing, or something that does not stand on the pages found for the question.
            QuestionError, UnknownLabelError, ChunkIndexError, EmbeddingError, SearchError: As `ask`.
        """
        keys = self.keys(admit(Question(question), self._max_question_characters).text, scope)
        with self._index.lease() as generation:
            _refuse_unknown_labels(scope, generation)
            vector = embed_query(keys.query, self._embedder.embed_query)
            evidence = generation.retriever.retrieve(keys.query, vector, scope)
            pages = partial(generation.searcher.document_chunks, scope=scope)
            draft = draft_from(reviewed, evidence.passages, pages)
            self._memory.pin(keys, Made(reviewed, draft, evidence, vector, generation))

    def warm_up(self) -> None:
        """Open the index and load the model, so that the first question does not wait for them. Raises as `ask`."""
        with self._index.lease():
            self._embedder.embed_query("warm-up")
        self._memory.warm_up()

    def close(self) -> None:
        """Let go of index, cache and ledger; questions in flight finish with the index first."""
        self._measuring.close()
        if self._auditor:
            self._auditor.close()
        self._index.close()
        self._memory.close()
        self._accounts.close()

    def _make(self, asked: _Asked) -> tuple[Answer, Made | None]:
        """Answer from the evidence: by a cached answer that it proves, else up the ladder."""
        till, generation = asked.till, asked.generation
        vector, task = self._search(asked)
        near = self._memory.propose(asked.keys, vector, task.evidence, generation)
        audit = self._auditor.draw(near, task, asked.caller.payer, self._about(asked)) if near and self._auditor else None
        if isinstance(near, Hit):
            given = self._give(asked, self._memory.take_up(asked.keys, near, task.evidence, vector))
            self._hand_in(audit)
            return given, None
        pages = partial(generation.searcher.document_chunks, scope=asked.caller.scope)
        baseline = self._baseline.measure(asked.question.text, task.evidence.passages, generation.id, pages)
        calls = Calls(asked.id, asked.caller.payer, self._accounts.ledger, till, self._counter, asked.reply)
        with self._accounts.open(asked.id, asked.caller.payer, till, baseline, self._about(asked)) as account:
            hit = self._memory.verify(near, task.question, task.allowance.restraint, calls) if near else None
            if hit:
                known = self._memory.take_up(asked.keys, hit, task.evidence, vector)
                given = self._write_out(asked, known, account)
                self._hand_in(audit and replace(audit, passed=True))
                return given, None
            climbed = self._ladder.climb(task, calls, till, asked.tell)
            receipt = account.settle(climbed.path, climbed.groundedness if climbed.draft else None)
        self._hand_in(audit and replace(audit, fresh=climbed))
        answer = _answer(asked, climbed, task, receipt)
        return answer, Made(answer, climbed.draft, task.evidence, vector, generation)

    def _search(self, asked: _Asked) -> tuple[NDArray[np.float32], Task]:
        """The query's vector, and what there is to answer from. Waiting for a turn counts as time to embed the query."""
        allowance = self._allowance(asked)
        with ExitStack() as turn:
            with asked.till.free(Stage.EMBED_QUERY):
                turn.enter_context(self._turns)
                searches, key = self._searches and self._searches[asked.generation], (asked.keys.query, asked.caller.scope)
                known = searches.get(key) if searches else None
                vector = known[0] if known else embed_query(asked.keys.query, self._embedder.embed_query)
            with asked.till.free(Stage.SEARCH):
                found = known[1] if known else asked.generation.retriever.find(asked.keys.query, vector, asked.caller.scope)
            if searches and not known:
                searches.add(key, (vector, found))
            return vector, self._task(asked, found, allowance)

    def _hand_in(self, audit: Audit | None) -> None:
        if audit and self._auditor:
            self._auditor.offer(audit)

    def _give(self, asked: _Asked, known: Known) -> Answer:
        """Give an answer that was made before, and write down that it was given."""
        baseline = known.answer.receipt.baseline
        with self._accounts.open(asked.id, asked.caller.payer, asked.till, baseline, self._about(asked)) as account:
            return self._write_out(asked, known, account)

    @staticmethod
    def _write_out(asked: _Asked, known: Known, account: Account) -> Answer:
        asked.till.rest(Stage.CACHE)
        grounded = known.answer.groundedness if isinstance(known.answer, Answered) else None
        receipt = account.settle((Rung.CACHE,), grounded)
        asked.tell(known.step)
        return as_given(known.answer, asked.question.text, receipt, (known.step,))

    def _allowance(self, asked: _Asked) -> Allowance:
        # What a batch has set aside draws near a limit by itself, and a reply that is paid for is read in any case.
        free = asked.reply or not self._ladder.has_models
        return UNLIMITED if free else self._accounts.allowance(asked.caller.payer, asked.till)

    def _task(self, asked: _Asked, found: Candidates, allowance: Allowance) -> Task:
        with asked.till.free(Stage.CONTEXT):
            evidence = asked.generation.retriever.rank(found)
            context = asked.settings.make_context(evidence, self._weights, self._counter)
        return Task(asked.question.text, evidence, context, asked.settings, asked.generation.rarity, allowance)

    @staticmethod
    def _about(asked: _Asked) -> Settlement:
        return Settlement(asked.question.text, asked.generation.id, asked.settings.profile)


def _answer(asked: _Asked, climbed: Climbed, task: Task, receipt: Receipt) -> Answer:
    """The answer that a climb came to.

    Raises:
        BudgetExhaustedError: An abstention that only a budget caused is no abstention.
    """
    if climbed.draft is None:
        if refusal := climbed.held_back or task.allowance.refusal:
            raise refusal
        pages = closest_pages(task.evidence.passages)
        return Abstention(asked.id, asked.question.text, asked.generation.id, receipt, climbed.steps, pages)
    text, citations = cite(climbed.draft)
    return Answered(
        id=asked.id,
        question=asked.question.text,
        generation=asked.generation.id,
        receipt=receipt,
        steps=climbed.steps,
        text=text,
        citations=citations,
        rung=climbed.rung,
        groundedness=climbed.groundedness,
    )


def _refuse_unknown_labels(scope: AccessScope, generation: OpenGeneration) -> None:
    unknown = sorted(scope.labels - generation.labels - {EVERYONE})
    if unknown:
        raise UnknownLabelError(
            f"No indexed document carries the label {', '.join(map(repr, unknown))}. "
            "Check the spelling, or index documents with it: farthing index PATH --label LABEL."
        )
