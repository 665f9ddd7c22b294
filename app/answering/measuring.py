"""Measuring the saving: a random share of answered questions goes through the naive pipeline, too, in the background."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final, TypeAlias

from app.access.callers import Caller
from app.answering.naive_prompt import NaiveBaseline
from app.answers.answers import Answer
from app.answers.events import Decision
from app.costs.errors import BudgetExhaustedError
from app.costs.ledger import Entry, Ledger, Outcome, Spender, Surface
from app.costs.measured import MEASURING_KEY, SUFFIX
from app.costs.receipts import NaivePrompt, Stage, Till
from app.costs.rungs import Rung
from app.generation.accounting import DRAWN_FROM, question_hash
from app.generation.calls import CallKind, Calls
from app.generation.endpoints import Prompt, Rungs
from app.generation.errors import GenerationError
from app.generation.prompting import prompts_version
from app.workers import Worker
from indexing.documents import AccessScope
from indexing.embedding import Embedder
from indexing.tokens import TokenCounter
from retrieval.followups import embed_query
from retrieval.leasing import IndexHandle
from retrieval.passages import Query

_SPENDER: Final = Spender(Surface.BACKGROUND, key=MEASURING_KEY)
_WAITING: Final = 32
_ID_DIGITS: Final = 13
"""So many hex digits of an id, which is random, are the share that it falls on: 52 bits, as a float holds them."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NaiveText:
    """The naive prompt for a question, written out, and the generation that it was made from."""

    text: str
    generation: str


WritePrompt: TypeAlias = Callable[[Query, AccessScope], NaiveText]
"""Writes the naive prompt for a question from what its asker may read."""


class NaivePrompts:
    """Writes naive prompts from the index that serves. Safe to use from several threads."""

    def __init__(self, index: IndexHandle, embedder: Embedder, baseline: NaiveBaseline) -> None:
        self._index = index
        self._embedder = embedder
        self._baseline = baseline

    def write(self, query: Query, scope: AccessScope) -> NaiveText:
        """Search as for an answer, and write the prompt of what is found; both inside the scope.

        Raises:
            ChunkIndexError: The index cannot be opened.
            EmbeddingError: The model cannot be loaded.
            SearchError: The index engine failed.
        """
        vector = embed_query(query, self._embedder.embed_query)
        with self._index.lease() as generation:
            evidence = generation.retriever.rank(generation.retriever.find(query, vector, scope))
            pages = partial(generation.searcher.document_chunks, scope=scope)
            text = self._baseline.write(query.text, evidence.passages, generation.id, pages)
        return NaiveText(text, generation.id)


@dataclass(frozen=True, slots=True)
class _Sample:
    entry_id: str
    question: str
    query: Query
    scope: AccessScope
    rung: str


class Measuring:
    """Draws answers and measures them, one after the other, in a thread of its own. Safe to use from several threads.

    An answer is drawn by its id, which is random. Not drawn are those that a budget restrained, since the naive pipeline would
    have been restrained as well, those of evaluations, and single ones on the command line. The call goes to the first endpoint
    of the rung that the answer came from, the small one where no model made it. What comes while too many wait is dropped, and
    so is what waits at the end.

    Measurements are paid under a key of their own, and never beyond its limit. Where the budget has no room, or the price is not
    known, nothing is asked.
    """

    def __init__(
        self, share: float, write: WritePrompt, rungs: Rungs, ledger: Ledger, prices: str, counter: TokenCounter
    ) -> None:
        """Put it together; nothing runs before the first answer is drawn.

        Args:
            share: The share of the answers that is drawn, in [0, 1].
            write: Writes the naive prompt.
            rungs: The models.
            ledger: Takes the bills; it must outlive this.
            prices: The version of the price table.
            counter: Counts the tokens that a provider does not report.
        """
        self._share = share if rungs.cheapest else 0.0
        self._write = write
        self._rungs = rungs
        self._ledger = ledger
        self._prices = prices
        self._counter = counter
        self._worker = Worker("measuring", self._measure, _WAITING, _give_up)

    def offer(self, entry_id: str, answer: Answer, query: Query, caller: Caller) -> None:
        """Let an answer be drawn. Takes microseconds, and raises nothing.

        Args:
            entry_id: The id of its entry in the ledger.
            answer: As it was given.
            query: What was searched for it.
            caller: Who asked: the naive pipeline reads what he may read.
        """
        drawn = int(entry_id[:_ID_DIGITS], 16) < self._share * 16**_ID_DIGITS
        if not drawn or answer.receipt.notes or caller.payer.surface not in DRAWN_FROM:
            return
        self._worker.offer(_Sample(entry_id, answer.question, query, caller.scope, self._rung(answer)))

    def close(self) -> None:
        """Drop what waits, and wait for the call that is being made, so that it is billed."""
        self._worker.close(drop=True)

    def _rung(self, answer: Answer) -> str:
        """The rung that the naive pipeline's model is taken from."""
        asked = [step.rung for step in answer.steps if step.decision is Decision.TRY]
        strong = bool(asked) and asked[-1] == Rung.STRONG
        return Rung.STRONG if self._rungs.strong and (strong or not self._rungs.small) else Rung.SMALL

    def _measure(self, sample: _Sample) -> None:
        prompt = self._write(sample.query, sample.scope)
        endpoint = (self._rungs.strong if sample.rung == Rung.STRONG else self._rungs.small)[0]
        identity, till = f"{sample.entry_id}{SUFFIX}", Till()
        calls = Calls(identity, _SPENDER, self._ledger, till, self._counter)
        kind = CallKind(Stage.MEASURE, sample.rung, endpoint.max_output_tokens)
        path: tuple[str, ...] = ()
        try:
            calls.ask(kind, [endpoint], Prompt("", prompt.text, wants_json=False), _ignore, _ignore)
            path = (sample.rung,)
        except GenerationError as error:
            _log.info("Answer %s is not measured: %s", sample.entry_id, error)
        # Also where the call failed: what was set aside for it is given back.
        self._ledger.settle(
            Entry(
                id=identity,
                at=datetime.now(UTC),
                spender=_SPENDER,
                question_hash=question_hash(sample.question),
                question=sample.question,
                outcome=Outcome.WORK,
                rung_path=path,
                receipt=till.settle(NaivePrompt(0, Decimal(0))),
                groundedness=None,
                generation=prompt.generation,
                prices=self._prices,
                prompt=prompts_version(),
                profile=None,
            )
        )


def _give_up(sample: _Sample, error: Exception) -> None:
    if not isinstance(error, BudgetExhaustedError):
        _log.warning("Answer %s is not measured.", sample.entry_id, exc_info=error)


def _ignore(*_: object) -> None:
    """Nobody reads what the naive pipeline answers: only its bill counts."""
