"""Naive pipelines with a model behind them: what their prompt costs and answers is then measured, not assumed."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.answering.naive_prompt import INSTRUCTIONS
from app.generation.endpoints import Prompt
from app.generation.prompting import prompts_version
from eval.arms.billed_model import BilledModel, Versions, best_rung
from eval.arms.workbench import Workbench

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
        rung, endpoints = best_rung(bench.rungs)
        if not endpoints:
            raise ValueError("no model is configured")
        versions = Versions(bench.prices_version, prompts_version(), generation=bench.generation.id, profile=bench.profile)
        self._model = BilledModel(rung, endpoints, bench.ledger, bench.counter, versions)

    @property
    def model(self) -> str:
        """The model that is asked first."""
        return self._model.name

    def answer(self, question: str, context: str) -> PlainAnswer:
        """Answer from a context. Raises `GenerationError`, `CostsError`."""
        prompt = Prompt("", INSTRUCTIONS.format(context=context, question=question), wants_json=False)
        completion, receipt = self._model.ask(question, prompt, _ANSWER_TOKENS)
        return PlainAnswer(completion.text, receipt.input_tokens + receipt.output_tokens, receipt.cost_usd)
