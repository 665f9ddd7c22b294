"""What the tests of `farthing batch` share: a model that knows one page, and what comes of a run."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app import bootstrap
from app.costs.ledger import Entry
from app.settings import load_settings
from tests.fakes.provider import Body, FakeProvider

Run = Callable[..., Any]

PRICES = '["fake/small"]\ninput_usd = "1"\noutput_usd = "10"\nbatch_input_usd = "0.5"\nbatch_output_usd = "5"\n'


def draft(body: Body) -> str:
    """Repeats the first unit that it was sent, or, for a repair, nothing."""
    for line in body["messages"][1]["content"].splitlines():
        if "27 days" in line:
            return json.dumps({"sentences": [{"text": "Everybody has 27 days of paid leave.", "units": [1]}]})
    return '{"insufficient": true}'


def use_endpoint(monkeypatch: pytest.MonkeyPatch, provider: FakeProvider, **more: object) -> None:
    endpoint = {
        "name": "mini", "rung": "small", "url": provider.url, "model": "small-model", "price_model": "fake/small",
        "context_tokens": 10_000, "max_output_tokens": 300, "timeout_s": 10, **more,
    }  # fmt: skip
    monkeypatch.setenv("FARTHING_ENDPOINTS", json.dumps([endpoint]))


def write_questions(count: int, text: str = "How many days of paid leave does everybody have, number {}?") -> None:
    rows = [json.dumps({"id": f"q{number}", "question": text.format(number)}) for number in range(count)]
    Path("questions.jsonl").write_text("\n".join(rows))


def answers() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]


def entries() -> list[Entry]:
    with bootstrap.open_ledger_reader(load_settings()) as reader:
        return list(reader.entries(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)))


def batch(run: Run, *arguments: str) -> Any:
    return run("batch", "questions.jsonl", "--out", "answers.jsonl", *arguments)


def line_of(out: str, name: str) -> str:
    (line,) = [line for line in out.splitlines() if line.startswith(f"{name:12}")]
    return line.removeprefix(name).strip()
