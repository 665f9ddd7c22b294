"""The ledger as billing data that FinOps tools read: one charge for each day, team, model and stage.

Source:
    FOCUS, the FinOps Open Cost and Usage Specification of the FinOps Foundation, version 1.2: all columns that it makes
    mandatory, and those of the others that say something here. https://focus.finops.org/focus-specification/v1-2/
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from app.costs.budgets import Period, period_end, period_start
from app.costs.csv_rows import Cell
from app.costs.ledger import Entry
from app.costs.receipts import ReceiptLine, Stage

_PRODUCT: Final = "Farthing"

_Key: TypeAlias = tuple[str, str, str, Stage, bool]


@dataclass(slots=True)
class Charge:
    """What one team had one model do in one stage on one day.

    `cost_usd` is `None` when it is unknown: calls of unknown cost make a charge of their own, beside the one for the others.
    `cached_input_tokens` are a part of `input_tokens`.
    """

    day: datetime
    team: str | None
    model: str | None
    stage: Stage
    cost_usd: Decimal | None
    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0


def charges(entries: Iterable[Entry]) -> list[Charge]:
    """Add entries up. Steps that called no model, and so cost nothing, are no charges.

    Returns:
        By day, team, model and stage; what belongs to no team or model first.
    """
    found: dict[_Key, Charge] = {}
    for entry in entries:
        day, team = period_start(Period.DAY, entry.at), entry.spender.team
        for line in entry.receipt.lines:
            if _is_free(line):
                continue
            known = line.cost_usd is not None
            key = (day.isoformat(), team or "", line.model or "", line.stage, known)
            charge = found.setdefault(key, Charge(day, team, line.model, line.stage, Decimal(0) if known else None))
            _add(charge, line)
    return [found[key] for key in sorted(found)]


def focus_rows(found: Iterable[Charge], providers: Mapping[str, str]) -> Iterator[list[Cell]]:
    """The rows of the export, with `FOCUS_COLUMNS` as their header.

    Args:
        found: The charges.
        providers: Who runs each model. One that is not listed is named after itself.
    """
    for charge in found:
        row = _row(charge, providers)
        yield [row[column] for column in FOCUS_COLUMNS]


def _is_free(line: ReceiptLine) -> bool:
    return line.model is None and line.cost_usd == 0 and not line.input_tokens and not line.output_tokens


def _add(charge: Charge, line: ReceiptLine) -> None:
    if charge.cost_usd is not None and line.cost_usd is not None:
        charge.cost_usd += line.cost_usd
    charge.calls += 1
    charge.input_tokens += line.input_tokens
    charge.cached_input_tokens += line.cached_input_tokens
    charge.output_tokens += line.output_tokens


def _row(charge: Charge, providers: Mapping[str, str]) -> dict[str, Cell]:
    provider = providers.get(charge.model, charge.model) if charge.model else _PRODUCT
    tokens = charge.input_tokens + charge.output_tokens
    words = f"{charge.stage.value} by {charge.model or 'no model'}, {charge.calls} calls"
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), charge.cost_usd),
        "BillingAccountId": _PRODUCT.lower(),
        "BillingAccountName": _PRODUCT,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": _moment(period_end(Period.MONTH, charge.day)),
        "BillingPeriodStart": _moment(period_start(Period.MONTH, charge.day)),
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": words if charge.cost_usd is not None else f"{words}, of unknown cost",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": _moment(charge.day + timedelta(days=1)),
        "ChargePeriodStart": _moment(charge.day),
        "ConsumedQuantity": tokens,
        "ConsumedUnit": "Tokens",
        "InvoiceIssuerName": provider,
        "PricingQuantity": tokens,
        "PricingUnit": "Tokens",
        "ProviderName": provider,
        "PublisherName": provider,
        "ResourceId": charge.model,
        "ResourceName": charge.model,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": _PRODUCT,
        "ServiceSubcategory": "Generative AI",
        "SubAccountId": charge.team,
        "SubAccountName": charge.team,
        "Tags": json.dumps({"farthing/stage": charge.stage.value}),
        "x_CachedInputTokens": charge.cached_input_tokens,
        "x_Calls": charge.calls,
        "x_InputTokens": charge.input_tokens,
        "x_OutputTokens": charge.output_tokens,
    }


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


FOCUS_COLUMNS: Final = tuple(_row(Charge(datetime(1970, 1, 1, tzinfo=UTC), None, None, Stage.GENERATE, None), {}))
"""The columns: those of the specification by name, then Farthing's own, which begin with `x_`."""
