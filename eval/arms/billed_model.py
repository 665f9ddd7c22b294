"""The model that an evaluation asks itself: each call is an answer of its own in the ledger, under `eval`."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from app.costs.ledger import Entry, Ledger, Outcome, Spender, Surface
from app.costs.receipts import NaivePrompt, Receipt, Stage, Till, sum_usd
from app.generation.accounting import question_hash
from app.generation.calls import CallKind, Calls
from app.generation.endpoints import Completion, Endpoint, Prompt, Rungs
from app.generation.errors import GenerationError
from indexing.tokens import TokenCounter


@dataclass(frozen=True, slots=True)
class Versions:
    """What the entries of the ledger say their calls were made with; `generation` is empty where no index is asked."""

    prices: str
    prompt: str
    generation: str = ""
    profile: str | None = None


def best_rung(rungs: Rungs) -> tuple[str, Sequence[Endpoint]]:
    """The strong model's rung and endpoints, else the small one's; no endpoints where no model is configured."""
    return ("strong", rungs.strong) if rungs.strong else ("small", rungs.small)


class BilledModel:
    """The endpoints of a rung, asked in order. Used by one thread."""

    def __init__(
        self, rung: str, endpoints: Sequence[Endpoint], ledger: Ledger, counter: TokenCounter, versions: Versions
    ) -> None:
        self._rung = rung
        self._endpoints = endpoints
        self._ledger = ledger
        self._counter = counter
        self._versions = versions
        self._costs: list[Decimal | None] = []

    @property
    def name(self) -> str:
        """The model that is asked first."""
        return self._endpoints[0].model

    @property
    def cost_usd(self) -> Decimal | None:
        """What all calls so far have cost, failed ones included; `None` as soon as one of them is unknown."""
        return sum_usd(self._costs)

    def ask(self, question: str, prompt: Prompt, max_output_tokens: int) -> tuple[Completion, Receipt]:
        """Ask, and write down what it cost, whatever comes of it.

        Args:
            question: What the ledger's entry is about.
            prompt: What the model is sent.
            max_output_tokens: How long its answer may be.

        Raises:
            GenerationError: No endpoint answered.
            BudgetExhaustedError: A limit leaves no room for the call.
            LedgerError: Nothing can be set aside, or what was spent cannot be written down.
        """
        answer_id, till, spender = uuid.uuid4().hex, Till(), Spender(Surface.EVAL)
        calls = Calls(answer_id, spender, self._ledger, till, self._counter)
        kind = CallKind(Stage.MEASURE, self._rung, max_output_tokens)
        try:
            completion = calls.ask(kind, self._endpoints, prompt, _ignore, _go_on)
        finally:
            receipt = till.settle(NaivePrompt(0, None))
            self._costs.append(receipt.cost_usd)
            self._ledger.settle(self._entry(answer_id, spender, question, receipt))
        return completion, receipt

    def _entry(self, answer_id: str, spender: Spender, question: str, receipt: Receipt) -> Entry:
        return Entry(
            id=answer_id,
            at=datetime.now(UTC),
            spender=spender,
            question_hash=question_hash(question),
            question=question,
            outcome=Outcome.WORK,
            rung_path=(self._rung,),
            receipt=receipt,
            groundedness=None,
            generation=self._versions.generation,
            prices=self._versions.prices,
            prompt=self._versions.prompt,
            profile=self._versions.profile,
        )


def _ignore(_: str) -> None:
    """Nobody watches the text arrive."""


def _go_on(_endpoint: Endpoint, _error: GenerationError) -> None:
    """The next endpoint is asked."""
