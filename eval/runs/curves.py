"""Quality against tokens: stored retrieval replayed at many budgets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from eval.arms.arms import Asked
from eval.arms.packing import WholePassages
from eval.arms.workbench import Workbench
from eval.datasets.quotes import missing_quotes
from eval.measures.intervals import Interval, bootstrap

BUDGETS: Final = (150, 250, 350, 480, 600, 750, 1000, 1500)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Mean context tokens over the answerable questions, and evidence retention."""

    budget_tokens: int
    tokens: float
    retention: Interval

    def to_json(self) -> dict[str, Any]:
        """The point as `run.json` holds it."""
        return {
            "budget_tokens": self.budget_tokens,
            "context_tokens": self.tokens,
            "evidence_retention": self.retention.to_json(),
        }


def quality_curves(bench: Workbench, stored: Sequence[Asked]) -> dict[str, list[CurvePoint]]:
    """The curve of compression, and that of fewer whole passages at the same tokens, question by question.

    Returns:
        Points in the order of `BUDGETS` for `farthing` and `smaller-k`; empty lists without answerable questions.
    """
    answerable = [asked for asked in stored if asked.case.answerable]
    if not answerable:
        return {"farthing": [], "smaller-k": []}
    whole = [WholePassages(asked.top, asked.evidence.analysed, bench.counter) for asked in answerable]
    curves: dict[str, list[CurvePoint]] = {"farthing": [], "smaller-k": []}
    for budget in BUDGETS:
        settings = replace(bench.context_settings, budget_tokens=budget)
        contexts = [settings.make_context(asked.evidence, bench.weights, bench.counter) for asked in answerable]
        sent = [(context.text, context.tokens) for context in contexts]
        curves["farthing"].append(_point(budget, answerable, sent))
        rival = [passages.within(context.tokens) for passages, context in zip(whole, contexts, strict=True)]
        curves["smaller-k"].append(_point(budget, answerable, rival))
    return curves


def _point(budget: int, asked: Sequence[Asked], sent: Sequence[tuple[str, int]]) -> CurvePoint:
    held = [float(not missing_quotes(one.case.quotes, text)) for one, (text, _) in zip(asked, sent, strict=True)]
    retention = bootstrap(held)
    if retention is None:
        raise ValueError("there must be an answerable question")
    return CurvePoint(budget, sum(tokens for _, tokens in sent) / len(sent), retention)
