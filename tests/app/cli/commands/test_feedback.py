"""`farthing feedback`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from app import cli
from tests.fakes.entries import build_entry
from tests.fakes.ledger import FakeLedger

Run = Callable[..., Any]


@pytest.fixture
def answer_id(ledger: FakeLedger) -> str:
    entry = build_entry(at=datetime.now(UTC))
    ledger.settle(entry)
    return entry.id


def test_the_last_verdict_counts(run: Run, answer_id: str) -> None:
    for verdict in ("wrong", "right"):
        done = run("feedback", answer_id, verdict, "--comment", "I looked it up.")
        assert (done.status, done.out, done.err) == (cli.OK, f"Noted: the answer is {verdict}.\n", "")
    total = json.loads(run("costs", "--json").out)["total"]
    assert (total["right_answers"], total["wrong_answers"], total["good_answers"]) == (1, 0, 1)


def test_an_unknown_answer_is_named(run: Run, answer_id: str) -> None:
    done = run("feedback", f"{answer_id}x", "right")
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert f"'{answer_id}x'" in done.err


def test_a_verdict_is_right_or_wrong(run: Run, answer_id: str) -> None:
    done = run("feedback", answer_id, "maybe")
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert "'maybe' is no verdict. Say right or wrong" in done.err


def test_a_comment_has_an_end(run: Run, answer_id: str) -> None:
    done = run("feedback", answer_id, "wrong", "--comment", "x" * 2_001)
    assert done.status == cli.REFUSED
    assert "2,001 characters; 2,000 are kept" in done.err
