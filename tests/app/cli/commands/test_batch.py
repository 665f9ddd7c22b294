"""`farthing batch`, over a provider on loopback: resumed, interrupted, held back by a budget, and billed."""

import json
import os
import signal
import threading
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from app import bootstrap, cli
from app.bootstrap import answering
from app.costs.ledger import Outcome, Surface
from app.settings import load_settings
from indexing.sync import sync
from tests.app.cli.commands.batching import Run, answers, batch, draft, entries, line_of, write_questions
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.faults import Fault
from tests.fakes.provider import Body, FakeProvider


@pytest.mark.usefixtures("_indexed")
def test_every_question_is_answered_and_billed_once(run: Run, provider: FakeProvider) -> None:
    write_questions(8)
    done = batch(run)
    assert (done.status, done.err) == (cli.OK, "")
    assert sorted(answer["question_id"] for answer in answers()) == sorted(f"q{number}" for number in range(8))
    assert {answer["rung"] for answer in answers()} == {"small"}
    assert {entry.id for entry in entries()} == {answer["id"] for answer in answers()}
    assert {entry.spender.surface for entry in entries()} == {Surface.BATCH}
    assert provider.bill.calls == 8
    spent = Decimal(provider.bill.input_tokens + 10 * provider.bill.output_tokens) / 1_000_000
    assert sum(Decimal(answer["receipt"]["cost_usd"]) for answer in answers()) == spent
    assert line_of(done.out, "answered") == "8"
    assert line_of(done.out, "spent") == f"${spent:.5f}"
    assert line_of(done.out, "tokens").startswith(f"{provider.bill.input_tokens + provider.bill.output_tokens:,}")


@pytest.mark.usefixtures("_indexed")
def test_what_is_answered_is_not_asked_again(run: Run, provider: FakeProvider) -> None:
    write_questions(2)
    batch(run)
    with Path("answers.jsonl").open("a") as file:
        file.write('{"id": "tor')
    write_questions(5)
    done = batch(run)
    assert (done.status, provider.bill.calls, len(answers())) == (cli.OK, 5, 5)
    assert line_of(done.out, "answered") == "3  2 had been answered before"
    again = batch(run)
    assert (again.status, provider.bill.calls) == (cli.OK, 5)
    assert line_of(again.out, "answered") == "0  5 had been answered before"


@pytest.mark.usefixtures("_indexed", "always_abstains")
def test_rows_whose_provider_fails_are_named_and_tried_again(run: Run, provider: FakeProvider) -> None:
    write_questions(3)
    provider.faults = [Fault.FORBIDDEN]
    done = batch(run, "--concurrency", "1")
    assert done.status == cli.PARTLY
    assert line_of(done.out, "failed").startswith("1  run the same again")
    assert "failed  q0: mini: The endpoint 'mini' answered 403" in done.out
    assert [answer["question_id"] for answer in answers()] == ["q1", "q2"]
    assert batch(run).status == cli.OK
    assert len(answers()) == 3


@pytest.mark.usefixtures("_indexed", "always_abstains")
def test_a_budget_that_is_used_up_stops_it_and_it_goes_on_later(
    run: Run, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_questions(30)
    monkeypatch.setenv("FARTHING_BUDGETS", json.dumps([{"payer": "surface", "name": "batch", "period": "day", "usd": "0.01"}]))
    done = batch(run)
    assert done.status == cli.PARTLY
    assert "The daily budget of the surface batch" in done.err or "The budget of the surface batch" in done.err
    assert "Run the same again to go on" in done.err
    before = len(answers())
    assert 0 < before < 30
    assert sum(entry.receipt.cost_usd or 0 for entry in entries()) <= Decimal("0.01")
    monkeypatch.setenv("FARTHING_BUDGETS", "[]")
    assert batch(run).status == cli.OK
    assert len(answers()) == 30
    assert provider.bill.calls == 30


@pytest.mark.usefixtures("_indexed")
def test_answers_that_a_budget_made_cheaper_are_counted(
    run: Run, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARTHING_BUDGETS", json.dumps([{"payer": "surface", "name": "batch", "period": "month", "usd": "0"}]))
    write_questions(2)
    done = batch(run)
    assert (done.status, provider.bill.calls) == (cli.OK, 0)
    assert line_of(done.out, "answered") == "2"
    assert line_of(done.out, "noted").startswith("2  a budget")


@pytest.mark.usefixtures("_indexed")
def test_an_interrupt_keeps_what_is_in_flight_and_says_how_to_go_on(run: Run, provider: FakeProvider) -> None:
    write_questions(6)
    both = threading.Barrier(2, timeout=10)

    def slow(body: Body) -> str:
        if both.wait() == 0:
            assert threading.main_thread().ident
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        threading.Event().wait(0.5)
        return draft(body)

    provider.answer = slow
    done = batch(run, "--concurrency", "2")
    assert done.status == cli.INTERRUPTED
    assert "Interrupted. 4 questions have no answer yet. Run the same again to go on" in done.err
    assert len(answers()) == len(entries()) == 2
    provider.answer = draft
    assert batch(run).status == cli.OK
    assert len(answers()) == len({answer["question_id"] for answer in answers()}) == provider.bill.calls == 6


@pytest.mark.usefixtures("_indexed")
def test_rows_see_what_their_labels_open(run: Run) -> None:
    Path("hr").mkdir()
    Path("hr/pay.md").write_text("# Pay\n\nThe 27 days are paid by HR.\n")
    settings = load_settings()
    with bootstrap.open_sync_tools(settings, FakeEmbedder(dimension=64)) as tools:
        sync(bootstrap.build_sources(settings, [Path("hr")], ("hr",), None), tools)
    rows = [
        {"id": "mine", "question": "Who pays the days?", "labels": ["hr"]},
        {"id": "none", "question": "Who pays the days?", "labels": []},
        {"id": "given", "question": "Who pays the days?"},
        {"id": "typo", "question": "Who pays the days?", "labels": ["hrr"]},
    ]
    Path("questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = batch(run, "--label", "hr")
    assert done.status == cli.PARTLY
    assert "failed  typo: No indexed document carries the label 'hrr'" in done.out
    pages = {answer["question_id"]: {cited["document"] for cited in answer["citations"]} for answer in answers()}
    assert "pay.md" not in pages["none"]
    assert set(pages) == {"mine", "none", "given"}


def test_nothing_is_asked_before_everything_is_checked(run: Run) -> None:
    Path("questions.jsonl").write_text('{"question": "Who?"}\n{"question": ""}\n')
    done = batch(run)
    assert done.status == cli.REFUSED
    assert "correct questions.jsonl first.\n  line 2: The question is empty" in done.err
    assert not Path("answers.jsonl").exists()


@pytest.mark.parametrize("out", ["questions.jsonl", "./questions.jsonl", "linked.jsonl"])
def test_the_answers_never_go_over_the_questions(run: Run, out: str) -> None:
    write_questions(1)
    os.link("questions.jsonl", "linked.jsonl")
    done = run("batch", "questions.jsonl", "--out", out)
    assert done.status == cli.REFUSED
    assert "holds the questions. Name another file" in done.err


def test_without_an_index_it_says_how_to_make_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "build_embedder", lambda _: FakeEmbedder(dimension=64))
    write_questions(1)
    done = batch(run)
    assert done.status == cli.REFUSED
    assert "farthing index PATH" in done.err


@pytest.mark.usefixtures("_indexed")
def test_a_failed_answer_stands_in_the_ledger_with_what_it_cost(run: Run, provider: FakeProvider) -> None:
    write_questions(1)
    provider.always = Fault.CUT
    batch(run)
    with closing(bootstrap.build_ledger(load_settings())):
        (entry,) = entries()
    assert entry.outcome in {Outcome.ABSTAINED, Outcome.ANSWERED}
    assert entry.receipt.output_tokens == provider.bill.output_tokens > 0
