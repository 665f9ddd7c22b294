"""Naive pipelines with a model behind them: what their prompt costs and answers is then measured, not assumed."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from app.answering.accounting import question_hash
from app.answering.calls import CallKind, Calls
from app.answering.errors import GenerationError
from app.answering.generation import Endpoint, Prompt
from app.answering.prompting import prompts_version
from app.costs.baseline import INSTRUCTIONS, NaivePrompt
from app.costs.ledger import Entry, Outcome, Spender, Surface
from app.costs.receipts import Receipt, Stage, Till
from eval.workbench import Workbench

_ANSWER_TOKENS: Final = 500


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """A model's answer to the naive prompt, which cites nothing, with the tokens that were billed and their cost."""

    text: str
    tokens: int
    cost_usd: Decimal | None


class NaiveAnswerer:
    """Has the model answer that a naive pipeline would ask: the strong one, else the small one. Every call is in the ledger."""

    def __init__(self, bench: Workbench) -> None:
        """Raises `ValueError` where no model is configured."""
        rungs = bench.rungs
        self._rung = "strong" if rungs.strong else "small"
        self._endpoints = rungs.strong or rungs.small
        if not self._endpoints:
            raise ValueError("no model is configured")
        self._bench = bench

    @property
    def model(self) -> str:
        """The model that is asked first."""
        return self._endpoints[0].model

    def answer(self, question: str, context: str) -> PlainAnswer:
        """Answer from a context. Raises `GenerationError`, `CostsError`."""
        bench, answer_id, till, spender = self._bench, uuid.uuid4().hex, Till(), Spender(Surface.EVAL)
        calls = Calls(answer_id, spender, bench.ledger, till, bench.counter)
        prompt = Prompt("", INSTRUCTIONS.format(context=context, question=question), wants_json=False)
        try:
            completion = calls.ask(CallKind(Stage.MEASURE, self._rung, _ANSWER_TOKENS), self._endpoints, prompt, _ignore, _go_on)
        finally:
            receipt = till.settle(NaivePrompt(0, None))
            bench.ledger.settle(self._entry(answer_id, spender, question, receipt))
        return PlainAnswer(completion.text, receipt.input_tokens + receipt.output_tokens, receipt.cost_usd)

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
            generation=self._bench.generation.id,
            prices=self._bench.prices_version,
            prompt=prompts_version(),
            profile=self._bench.profile,
        )


def _ignore(_: str) -> None:
    """Nobody watches the text arrive."""


def _go_on(_endpoint: Endpoint, _error: GenerationError) -> None:
    """The next endpoint is asked."""
