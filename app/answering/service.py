"""The second flow, read aloud: question to answer, citations and receipt."""

import uuid
from collections.abc import Callable
from functools import partial

from app.answering.accounting import UNLIMITED, Accounts, Allowance, Settlement
from app.answering.answers import Abstention, Answer, Answered, cite, closest_pages
from app.answering.calls import Calls
from app.answering.conversation import admit_conversation, resolve
from app.answering.errors import UnknownLabelError
from app.answering.events import Listener, nobody
from app.answering.ladder import Climbed, Ladder, Task
from app.answering.profiles import ContextSettings
from app.answering.questions import Question, admit
from app.answering.serving import IndexHandle, OpenGeneration
from app.costs.baseline import NaiveBaseline
from app.costs.ledger import Spender
from app.costs.receipts import Stage, Till
from indexing.documents import EVERYONE, AccessScope
from indexing.embedding import Embedder
from indexing.tokens import TokenCounter
from retrieval.followups import embed_query
from retrieval.passages import Query
from retrieval.retriever import Candidates
from retrieval.weights import Weights


class AnswerService:
    """Answers questions from the index, inside the caller's rights and budget. Safe to use from several threads."""

    def __init__(
        self,
        index: IndexHandle,
        embedder: Embedder,
        counter: TokenCounter,
        weights: Weights,
        context_settings: Callable[[], ContextSettings],
        ladder: Ladder,
        accounts: Accounts,
        baseline: NaiveBaseline,
        max_question_characters: int,
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._counter = counter
        self._weights = weights
        self._context_settings = context_settings
        self._ladder = ladder
        self._accounts = accounts
        self._baseline = baseline
        self._max_question_characters = max_question_characters

    def ask(self, question: Question, scope: AccessScope, spender: Spender, tell: Listener = nobody) -> Answer:
        """Answer a question, or abstain.

        Args:
            question: The question, with what came before.
            scope: What the asker may read.
            spender: Who pays.
            tell: Is told each step, and text as it is written; what it raises ends the answer, after it has been settled.

        Raises:
            QuestionError: The question is empty or too long.
            ConversationError: The state of the conversation is empty or too long.
            UnknownLabelError: The scope names a label that no document carries.
            BudgetExhaustedError: The budget is used up, and nothing that is free answers.
            LedgerError: What the answer cost can be neither written nor kept for later.
            ChunkIndexError: There is no index, or it cannot be opened.
            EmbeddingError: The model cannot be loaded.
            SearchError: The index engine failed.
        """
        till, answer_id = Till(), uuid.uuid4().hex
        question = admit(question, self._max_question_characters)
        query = resolve(question.text, question.conversation and admit_conversation(question.conversation, self._counter))
        with self._index.lease() as generation:
            _refuse_unknown_labels(scope, generation)
            found = self._retrieve(query, generation, scope, till)
            task = self._task(question, found, generation, spender, till)
            pages = partial(generation.searcher.document_chunks, scope=scope)
            baseline = self._baseline.measure(question.text, task.evidence.passages, generation.id, pages)
        about = Settlement(question.text, generation.id, task.context_settings.profile)
        with self._accounts.open(answer_id, spender, till, baseline, about) as account:
            climbed = self._ladder.climb(task, Calls(answer_id, spender, self._accounts.ledger, till, self._counter), till, tell)
            receipt = account.settle(climbed.path, climbed.groundedness if climbed.draft else None)
        if climbed.draft is None:
            _refuse_if_held_back(climbed, task.allowance)
            related = closest_pages(task.evidence.passages)
            return Abstention(answer_id, question.text, generation.id, receipt, climbed.steps, related)
        text, citations = cite(climbed.draft)
        return Answered(
            answer_id, question.text, generation.id, receipt, climbed.steps, text, citations, climbed.rung, climbed.groundedness
        )

    def warm_up(self) -> None:
        """Open the index and load the model, so that the first question does not wait for them. Raises as `ask`."""
        with self._index.lease():
            self._embedder.embed_query("warm-up")

    def close(self) -> None:
        """Let go of index and ledger; questions in flight finish with the index first."""
        self._index.close()
        self._accounts.close()

    def _retrieve(self, query: Query, generation: OpenGeneration, scope: AccessScope, till: Till) -> Candidates:
        with till.free(Stage.EMBED_QUERY):
            vector = embed_query(query, self._embedder.embed_query)
        with till.free(Stage.SEARCH):
            return generation.retriever.find(query, vector, scope)

    def _task(self, question: Question, found: Candidates, generation: OpenGeneration, spender: Spender, till: Till) -> Task:
        allowance = self._accounts.allowance(spender, till) if self._ladder.has_models else UNLIMITED
        settings = self._context_settings()
        with till.free(Stage.CONTEXT):
            evidence = generation.retriever.rank(found)
            context = settings.make_context(evidence, self._weights, self._counter)
        return Task(question.text, evidence, context, settings, generation.rarity, allowance)


def _refuse_unknown_labels(scope: AccessScope, generation: OpenGeneration) -> None:
    unknown = sorted(scope.labels - generation.labels - {EVERYONE})
    if unknown:
        raise UnknownLabelError(
            f"No indexed document carries the label {', '.join(map(repr, unknown))}. "
            "Check the spelling, or index documents with it: farthing index PATH --label LABEL."
        )


def _refuse_if_held_back(climbed: Climbed, allowance: Allowance) -> None:
    """An abstention that only a budget caused is no abstention."""
    refusal = climbed.held_back or allowance.refusal
    if refusal:
        raise refusal
