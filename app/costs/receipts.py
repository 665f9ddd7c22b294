"""The itemised bill of one answer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.costs.baseline import NaivePrompt


class Stage(StrEnum):
    """The steps of the flow that stand on a receipt."""

    EMBED_QUERY = "embed_query"
    SEARCH = "search"
    CONTEXT = "context"
    REWRITE = "rewrite"
    GENERATE = "generate"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One step: what it used, what that cost (`None`: unknown), and how long it took."""

    stage: Stage
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    ms: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """One answer's bill, beside what the naive prompt for the same question would have cost.

    `ms` is the whole time from question to answer, the baseline's own counting included.
    """

    lines: tuple[ReceiptLine, ...]
    baseline: NaivePrompt
    ms: float

    @property
    def input_tokens(self) -> int:
        """Tokens that models read for this answer."""
        return sum(line.input_tokens for line in self.lines)

    @property
    def output_tokens(self) -> int:
        """Tokens that models wrote for this answer."""
        return sum(line.output_tokens for line in self.lines)

    @property
    def cost_usd(self) -> Decimal | None:
        """The sum of the lines; `None` as soon as one of them is unknown."""
        return sum_usd([line.cost_usd for line in self.lines])

    @property
    def saved_usd(self) -> Decimal | None:
        """Baseline less cost; `None` when either is unknown. Negative when Farthing was the dearer one."""
        if self.baseline.cost_usd is None or self.cost_usd is None:
            return None
        return self.baseline.cost_usd - self.cost_usd


def sum_usd(amounts: list[Decimal | None]) -> Decimal | None:
    """Add amounts; `None` as soon as one of them is unknown."""
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


class Till:
    """Collects the lines of one answer while it is made. Used by one thread."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._lines: list[ReceiptLine] = []

    @contextmanager
    def free(self, stage: Stage) -> Iterator[None]:
        """Time a step that calls no model: no tokens, no cost."""
        began = time.perf_counter()
        yield
        self._lines.append(ReceiptLine(stage, 0, 0, Decimal(0), _ms_since(began)))

    def settle(self, baseline: NaivePrompt) -> Receipt:
        """Close the bill."""
        return Receipt(lines=tuple(self._lines), baseline=baseline, ms=_ms_since(self._began))


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
