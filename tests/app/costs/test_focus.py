"""The FOCUS export, against the rules of the specification (version 1.2) that concern it."""

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from app.costs.csv_rows import write_rows
from app.costs.focus import FOCUS_COLUMNS, charges, focus_rows
from app.costs.ledger import Entry, Outcome
from app.costs.receipts import Stage, sum_usd
from tests.fakes.entries import build_entry, paid_line

MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
}  # fmt: skip
"""Source: the columns whose feature level is Mandatory in FOCUS 1.2."""

COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")


def exported(entries: Sequence[Entry]) -> list[dict[str, str]]:
    out = io.StringIO()
    write_rows(out, FOCUS_COLUMNS, focus_rows(charges(entries), {"mini": "openai"}))
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def test_every_mandatory_column_is_there_and_own_ones_come_last() -> None:
    assert set(FOCUS_COLUMNS) >= MANDATORY
    own = [column.startswith("x_") for column in FOCUS_COLUMNS]
    assert own == sorted(own)
    assert all(re.fullmatch(r"(x_)?([A-Z][a-z]+)+", column) for column in FOCUS_COLUMNS)


def test_a_charge_says_who_what_when_and_how_much() -> None:
    (row,) = exported([build_entry([paid_line("0.001", (400, 100))]), build_entry([paid_line("0.0025", (600, 50))])])
    assert {row[column] for column in COSTS} == {"0.0035"}
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (row["PricingQuantity"], row["PricingUnit"]) == ("1150", "Tokens")
    assert (row["x_InputTokens"], row["x_OutputTokens"], row["x_Calls"]) == ("1000", "150", "2")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z")
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z")
    assert (row["SubAccountId"], row["ResourceId"], row["ProviderName"]) == ("sales", "mini", "openai")
    assert (row["ServiceCategory"], row["ServiceSubcategory"]) == ("AI and Machine Learning", "Generative AI")
    assert (row["ChargeCategory"], row["ChargeClass"], row["ChargeFrequency"]) == ("Usage", "", "Usage-Based")
    assert (row["BillingCurrency"], json.loads(row["Tags"])) == ("USD", {"farthing/stage": "generate"})


def test_there_is_one_row_for_each_day_team_model_and_stage() -> None:
    december = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    entries = [
        build_entry([paid_line(), paid_line(stage=Stage.JUDGE)]),
        build_entry([paid_line(model="strong")], team=None),
        build_entry([paid_line()], at=december),
        build_entry([paid_line()]),
    ]
    rows = exported(entries)
    kinds = [
        (row["ChargePeriodStart"][:10], row["SubAccountId"], row["ResourceId"], json.loads(row["Tags"])["farthing/stage"])
        for row in rows
    ]
    assert kinds == [
        ("2026-10-01", "", "strong", "generate"),
        ("2026-10-01", "sales", "mini", "generate"),
        ("2026-10-01", "sales", "mini", "judge"),
        ("2026-12-31", "sales", "mini", "generate"),
    ]
    assert rows[-1]["BillingPeriodEnd"] == rows[-1]["ChargePeriodEnd"] == "2027-01-01T00:00:00Z"
    assert rows[0]["ProviderName"] == "strong"


def test_the_sum_of_the_rows_is_the_sum_of_the_ledger() -> None:
    entries = [build_entry([paid_line(f"0.{number:09d}")], team=f"team {number % 7}") for number in range(500)]
    total = sum(Decimal(row["BilledCost"]) for row in exported(entries))
    assert total == sum_usd([entry.receipt.cost_usd for entry in entries])


def test_an_unknown_cost_is_empty_in_a_row_of_its_own() -> None:
    known, unknown = sorted(
        exported([build_entry([paid_line(None), paid_line("0.002")])]), key=lambda row: row["BilledCost"], reverse=True
    )
    assert {known[column] for column in COSTS} == {"0.002"}
    assert {unknown[column] for column in COSTS} == {""}
    assert unknown["ConsumedQuantity"] == "500"
    assert unknown["ChargeDescription"].endswith("of unknown cost")


def test_steps_without_a_model_are_no_charges_but_what_was_lost_is() -> None:
    assert exported([build_entry()]) == []
    (row,) = exported([build_entry([paid_line("0.02", (0, 0), model=None)], outcome=Outcome.LOST)])
    assert (row["BilledCost"], row["ResourceId"], row["ProviderName"]) == ("0.02", "", "Farthing")


def test_a_team_named_like_a_formula_is_defused() -> None:
    (row,) = exported([build_entry([paid_line()], team='=HYPERLINK("http://evil")')])
    assert row["SubAccountId"] == '\'=HYPERLINK("http://evil")'
