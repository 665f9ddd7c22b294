"""The itemised bill of one answer."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.costs.pricing import Usage


class Stage(StrEnum):
    """The steps of the flow that stand on a receipt."""

    EMBED_QUERY = "embed_query"
    CACHE = "cache"
    SEARCH = "search"
    CONTEXT = "context"
    REWRITE = "rewrite"
    GENERATE = "generate"
    GROUND = "ground"
    JUDGE = "judge"
    VERIFY = "verify"
    AUDIT = "audit"
    MEASURE = "measure"


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One step: what it used, what that cost (`None`: unknown), and how long it took.

    `rung` is the rung that a generating step belongs to, and `model` the model that was called, as the settings name it; both
    `None` for a step that calls no model. `cached_input_tokens` are a part of `input_tokens`. `estimated` says that the provider
    gave no usage, so that the tokens are Farthing's own count.
    """

    stage: Stage
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    ms: float
    cached_input_tokens: int = 0
    rung: str | None = None
    model: str | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class NaivePrompt:
    """What the naive prompt would have read, and cost with the assumed answer; `None` where the model's price is unknown."""

    input_tokens: int
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One answer's bill, beside what the naive prompt for the same question would have cost.

    `ms` is the whole time from question to answer, the baseline's own counting included. `notes` say what a budget held back.
    """

    lines: tuple[ReceiptLine, ...]
    baseline: NaivePrompt
    ms: float
    notes: tuple[str, ...] = ()

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


def sum_usd(amounts: Sequence[Decimal | None]) -> Decimal | None:
    """Add amounts; `None` as soon as one of them is unknown."""
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


class Till:
    """Collects the lines of one answer while it is made. Used by one thread. `bill_as` takes the place of every line's stage."""

    def __init__(self, bill_as: Stage | None = None) -> None:
        self._bill_as = bill_as
        self._began = time.perf_counter()
        self._lines: list[ReceiptLine] = []
        self._notes: list[str] = []

    @contextmanager
    def free(self, stage: Stage, rung: str | None = None) -> Iterator[None]:
        """Time a step that calls no model: no tokens, no cost."""
        began = time.perf_counter()
        yield
        self._lines.append(ReceiptLine(self._bill_as or stage, 0, 0, Decimal(0), _ms_since(began), rung=rung))

    def rest(self, stage: Stage) -> None:
        """Write down, as a free step, the time that no line accounts for yet."""
        ms = max(0.0, _ms_since(self._began) - sum(line.ms for line in self._lines))
        self._lines.append(ReceiptLine(self._bill_as or stage, 0, 0, Decimal(0), ms))

    def paid(
        self, stage: Stage, rung: str, model: str, usage: Usage, cost_usd: Decimal | None, ms: float, *, estimated: bool
    ) -> None:
        """Write down one call of a model, whether or not anything came of it."""
        self._lines.append(
            ReceiptLine(
                stage=self._bill_as or stage,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cost_usd=cost_usd,
                ms=ms,
                cached_input_tokens=usage.cached_input_tokens,
                rung=rung,
                model=model,
                estimated=estimated,
            )
        )

    def note(self, text: str) -> None:
        """Say on the receipt, once, what a budget held back."""
        if text not in self._notes:
            self._notes.append(text)

    @property
    def lines(self) -> tuple[ReceiptLine, ...]:
        """What stands on the bill so far."""
        return tuple(self._lines)

    def settle(self, baseline: NaivePrompt) -> Receipt:
        """Close the bill."""
        return Receipt(self.lines, baseline, _ms_since(self._began), tuple(self._notes))


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
