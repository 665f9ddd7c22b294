"""How long the ledger takes: to set money aside and settle at eight threads, and to report on many entries.

    python -m eval.benchmarks.ledger [--entries N] [--postgres URL]

Without `--postgres`, an SQLite file in a temporary folder; with it, the database that the URL names, which should be empty.
Prints the median and the 99th percentile of each call, and the seconds of each report.
"""

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import sqlalchemy as sa

from app.adapters.sql.database import LedgerDatabase
from app.adapters.sql.ledger import SqlLedger
from app.adapters.sql.reader import SqlLedgerReader
from app.adapters.sql.schema import ENTRIES, ENTRY_LINES, to_us
from app.costs.budgets import Limit, Payer, Period
from app.costs.ledger import Entry, Hold, Outcome, Spender, Surface
from app.costs.receipts import NaivePrompt, Receipt, ReceiptLine, Stage
from app.costs.reports import Grouping

_ANSWERS = 400
_THREADS = 8
_BATCH = 5_000
_DAYS = 30
_STAGES = (Stage.EMBED_QUERY, Stage.SEARCH, Stage.CONTEXT, Stage.GENERATE, Stage.GROUND)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--postgres", default="")
    arguments = parser.parse_args()
    with TemporaryDirectory() as home:
        folder = Path(home) / "ledger"
        limits = [Limit(Payer.COMPANY, "*", Period.MONTH, usd=Decimal(1_000))]
        database = LedgerDatabase(folder, arguments.postgres)
        with closing(SqlLedger(database, folder, limits, lost_after_s=600, keep_question_text=False)) as ledger:
            _time_answers(ledger)
            _fill(database, arguments.entries)
            _time_reports(SqlLedgerReader(database))


def _time_answers(ledger: SqlLedger) -> None:
    def answer(number: int) -> tuple[float, float, float]:
        entry = _entry(f"timed-{number}")
        began = time.perf_counter()
        ledger.standing(entry.spender)
        stood = time.perf_counter()
        ledger.reserve(Hold(entry.id, entry.spender, Decimal("0.001"), 1_000))
        reserved = time.perf_counter()
        ledger.settle(entry)
        return stood - began, reserved - stood, time.perf_counter() - reserved

    answer(-1)
    for threads in (1, _THREADS):
        with ThreadPoolExecutor(threads) as pool:
            times = list(pool.map(answer, range(threads * _ANSWERS, 2 * threads * _ANSWERS)))
        for name, values in zip(("standing", "reserve", "settle"), zip(*times, strict=True), strict=True):
            p50, p99 = statistics.median(values) * 1000, statistics.quantiles(values, n=100)[98] * 1000
            print(f"{name:9} {threads} threads  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms")


def _time_reports(reader: SqlLedgerReader) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    since = until - timedelta(days=_DAYS + 2)
    for by in (None, *get_args(Grouping)):
        began = time.perf_counter()
        rows = reader.summary(since, until, by)
        print(f"by {by or 'nothing':8} {len(rows):5} rows  {time.perf_counter() - began:6.2f} s")


def _entry(identity: str) -> Entry:
    lines = tuple(ReceiptLine(stage, 600, 60, Decimal("0.00027"), 1.0, rung="small", model="m") for stage in _STAGES)
    return Entry(
        id=identity,
        at=datetime.now(UTC),
        spender=Spender(Surface.HTTP, "ann", "sales", "k1"),
        question_hash="0" * 64,
        question=None,
        outcome=Outcome.ANSWERED,
        rung_path=("small",),
        receipt=Receipt(lines, NaivePrompt(2_500, Decimal("0.00075")), 40.0),
        groundedness=1.0,
        generation="g",
        prices="p",
        prompt="q",
        profile=None,
    )


def _fill(database: LedgerDatabase, count: int) -> None:
    """Write entries straight into the tables, a month of them, four in ten with a paid call."""
    rng = random.Random(1)
    end_us, month_us = to_us(datetime.now(UTC)), _DAYS * 86_400 * 10**6
    with database.writing() as connection:
        first = (connection.execute(sa.select(sa.func.max(ENTRIES.c.number))).scalar() or 0) + 1
        for start in range(0, count, _BATCH):
            made = [
                _rows(rng, first + n, end_us - month_us + n * month_us // count) for n in range(start, min(count, start + _BATCH))
            ]
            connection.execute(sa.insert(ENTRIES), [entry for entry, _ in made])
            connection.execute(sa.insert(ENTRY_LINES), [line for _, lines in made for line in lines])


def _rows(rng: random.Random, number: int, at_us: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    cost = rng.randint(10**8, 10**9) if rng.random() < 0.4 else 0  # noqa: PLR2004 - four in ten
    rung, model = ("small", "m") if cost else ("extractive", None)
    tokens = {"input_tokens": 600 if cost else 0, "output_tokens": 60 if cost else 0, "cached_input_tokens": 0}
    entry = {column.name: "" for column in ENTRIES.columns if not column.nullable and column.type.python_type is str} | {
        **tokens,
        "number": number,
        "id": f"filled-{number}",
        "at_us": at_us,
        "person": f"person {rng.randint(1, 500)}",
        "team": f"team {rng.randint(1, 20)}",
        "surface": "http",
        "outcome": "answered",
        "last_rung": rung,
        "groundedness": rng.random(),
        "cost_pico_usd": cost,
        "known_pico_usd": cost,
        "baseline_tokens": 2_500,
        "saved_pico_usd": 750_000_000 - cost,
        "ms": 40.0,
    }
    return entry, list(_line_rows(number, rung, model, cost, tokens))


def _line_rows(number: int, rung: str, model: str | None, cost: int, tokens: dict[str, int]) -> Iterator[dict[str, Any]]:
    for position, stage in enumerate(_STAGES):
        generates = stage is Stage.GENERATE
        yield {
            **(tokens if generates else dict.fromkeys(tokens, 0)),
            "entry_number": number,
            "position": position,
            "stage": stage.value,
            "rung": rung if generates else None,
            "model": model if generates else None,
            "cost_pico_usd": cost if generates else 0,
            "ms": 1.0,
            "estimated": False,
        }


if __name__ == "__main__":
    main()
