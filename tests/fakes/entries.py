"""Entries of a ledger with round figures."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from app.costs.ledger import Entry, Outcome, Spender, Surface
from app.costs.receipts import NaivePrompt, Receipt, ReceiptLine, Stage

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)

_numbers = count(1)


def paid_line(
    usd: str | None = "0.001", tokens: tuple[int, int] = (400, 100), *, model: str | None = "mini", stage: Stage = Stage.GENERATE
) -> ReceiptLine:
    """A call of a model; `usd` is `None` where its price is unknown."""
    cost_usd = None if usd is None else Decimal(usd)
    return ReceiptLine(stage, *tokens, cost_usd, 500.0, rung="small", model=model)


def free_line(stage: Stage = Stage.SEARCH) -> ReceiptLine:
    """A step that calls no model, and takes 20 ms."""
    return ReceiptLine(stage, 0, 0, Decimal(0), 20.0)


def build_entry(
    lines: Sequence[ReceiptLine] = (),
    *,
    at: datetime = NOON,
    team: str | None = "sales",
    surface: Surface = Surface.HTTP,
    outcome: Outcome = Outcome.ANSWERED,
    naive_usd: str | None = "0.01",
    **fields: Any,
) -> Entry:
    """An entry with a free line before those that are given."""
    naive = NaivePrompt(2_000, None if naive_usd is None else Decimal(naive_usd))
    given: dict[str, Any] = {
        "id": f"answer-{next(_numbers)}",
        "at": at,
        "spender": Spender(surface, "ada", team),
        "question_hash": "0" * 64,
        "question": None,
        "outcome": outcome,
        "rung_path": ("small",) if lines else ("extractive",),
        "receipt": Receipt((free_line(), *lines), naive, 25.0),
        "groundedness": 1.0 if outcome is Outcome.ANSWERED else None,
        "generation": "g1",
        "prices": "p1",
        "prompt": "q1",
        "profile": None,
    }
    return Entry(**{**given, **fields})
