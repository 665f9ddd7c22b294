"""`farthing index`, as far as it looks after cached answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import bootstrap, cli
from app.bootstrap import answering
from app.caching.errors import AnswerStoreError
from app.jobs.index import Indexing
from tests.fakes.embedder import FakeEmbedder

pytestmark = pytest.mark.usefixtures("best_unit_answers", "handbook")

Run = Callable[..., Any]
QUESTION = "How many days of leave?"


@pytest.fixture
def handbook(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One indexed page, and a cached answer from it that was asked for again."""
    for module in (bootstrap, answering):
        monkeypatch.setattr(module, "build_embedder", lambda _: FakeEmbedder(dimension=64))
    Path("docs").mkdir()
    Path("docs/leave.md").write_text("# Leave\n\nEverybody has 27 days of leave.\n", encoding="utf-8")
    run("index", "docs")
    for _ in range(2):
        assert run("ask", QUESTION).status == cli.OK


def edit() -> None:
    Path("docs/leave.md").write_text("# Leave\n\nEverybody has 30 days of leave.\n", encoding="utf-8")


def test_the_report_says_what_became_of_cached_answers(run: Run) -> None:
    edit()
    report = json.loads(run("index", "docs", "--json", "--refresh", "1").out)
    refreshed = {"answers": 1, "cost_usd": "0", "stopped": None}
    died = {"a cited page has changed": 1}
    assert report.pop("cache") == {"kept": 0, "died": died, "to_refresh": 1, "refreshed": refreshed}
    assert list(report) == ["documents", "chunks", "tokens_embedded", "seconds", "generation"]
    assert "30 days" in run("ask", QUESTION).out
    assert "cache" not in json.loads(run("index", "docs", "--json").out)


def test_a_person_reads_it_too(run: Run) -> None:
    edit()
    done = run("index", "docs")
    assert (done.status, done.err) == (cli.OK, "")
    assert "cached answers: 0 kept, 1 died, 1 of them asked more than once\n  1: a cited page has changed\n" in done.out


def test_a_cache_that_cannot_be_looked_after_is_said_and_the_index_stands(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AnswerStoreError("The disk is full.")

    edit()
    monkeypatch.setattr(Indexing, "renew", broken)
    done = run("index", "docs", "--json")
    assert done.status == cli.PARTLY
    assert json.loads(done.out)["documents"]["changed"] == 1
    assert done.err.endswith("the answer cache was not brought up to date. The disk is full.\n")


def test_an_interruption_of_the_check_says_what_serves(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    edit()
    monkeypatch.setattr(Indexing, "renew", interrupted)
    done = run("index", "docs")
    assert done.status == cli.INTERRUPTED
    assert "The new index serves" in done.err


def test_a_dry_run_answers_nothing(run: Run) -> None:
    done = run("index", "docs", "--dry-run", "--refresh", "3")
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert "Leave one of them out" in done.err
