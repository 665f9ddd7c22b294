"""The second flow, read aloud: question to answer, citations and receipt."""

import uuid
from collections.abc import Callable
from functools import partial

from app.answering.answers import Abstention, Answer, Answered, cite, closest_pages, groundedness
from app.answering.conversation import admit_conversation, resolve
from app.answering.errors import UnknownLabelError
from app.answering.extraction import extract
from app.answering.profiles import ContextSettings
from app.answering.questions import Question, admit
from app.answering.serving import IndexHandle, OpenGeneration
from app.costs.baseline import NaiveBaseline
from app.costs.receipts import Stage, Till
from indexing.documents import EVERYONE, AccessScope
from indexing.embedding import Embedder
from indexing.tokens import TokenCounter
from retrieval.followups import embed_query
from retrieval.weights import Weights

EXTRACTIVE = "extractive"


class AnswerService:
    """Answers questions from the index, inside the caller's rights. Safe to use from several threads."""

    def __init__(
        self,
        index: IndexHandle,
        embedder: Embedder,
        counter: TokenCounter,
        weights: Weights,
        context_settings: Callable[[], ContextSettings],
        baseline: NaiveBaseline,
        max_question_characters: int,
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._counter = counter
        self._weights = weights
        self._context_settings = context_settings
        self._baseline = baseline
        self._max_question_characters = max_question_characters

    def ask(self, question: Question, scope: AccessScope) -> Answer:
        """Answer a question, or abstain.

        Raises:
            QuestionError: The question is empty or too long.
            ConversationError: The state of the conversation is empty or too long.
            UnknownLabelError: The scope names a label that no document carries.
            ChunkIndexError: There is no index, or it cannot be opened.
            EmbeddingError: The model cannot be loaded.
            SearchError: The index engine failed.
        """
        till = Till()
        question = admit(question, self._max_question_characters)
        query = resolve(question.text, question.conversation and admit_conversation(question.conversation, self._counter))
        with self._index.lease() as generation:
            _refuse_unknown_labels(scope, generation)
            with till.free(Stage.EMBED_QUERY):
                vector = embed_query(query, self._embedder.embed_query)
            with till.free(Stage.SEARCH):
                found = generation.retriever.find(query, vector, scope)
            with till.free(Stage.CONTEXT):
                evidence = generation.retriever.rank(found)
                context = self._context_settings().make_context(evidence, self._weights, self._counter)
            with till.free(Stage.GENERATE):
                draft = extract(evidence, context, self._weights)
            pages = partial(generation.searcher.document_chunks, scope=scope)
            baseline = self._baseline.measure(question.text, evidence.passages, generation.id, pages)
        answer_id, receipt = uuid.uuid4().hex, till.settle(baseline)
        if draft is None:
            return Abstention(answer_id, question.text, generation.id, receipt, closest_pages(evidence.passages))
        text, citations = cite(draft)
        return Answered(answer_id, question.text, generation.id, receipt, text, citations, EXTRACTIVE, groundedness(draft))

    def warm_up(self) -> None:
        """Open the index and load the model, so that the first question does not wait for them. Raises as `ask`."""
        with self._index.lease():
            self._embedder.embed_query("warm-up")

    def close(self) -> None:
        """Let go of the index; questions in flight finish first."""
        self._index.close()


def _refuse_unknown_labels(scope: AccessScope, generation: OpenGeneration) -> None:
    unknown = sorted(scope.labels - generation.labels - {EVERYONE})
    if unknown:
        raise UnknownLabelError(
            f"No indexed document carries the label {', '.join(map(repr, unknown))}. "
            "Check the spelling, or index documents with it: farthing index PATH --label LABEL."
        )
