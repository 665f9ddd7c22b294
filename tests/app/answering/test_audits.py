"""Audits of cached answers: in the background, on their own bill, and with a say in what is given next."""

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from app.answering.audits import Auditor
from app.answers.answers import Answered
from app.answers.codec import JsonAnswers
from app.caching.learning import LiveCalibration
from app.caching.rules.calibration import Band, Calibration
from app.caching.rules.decisions import standing
from app.costs.budgets import Limit, Payer, Period
from app.costs.ledger import Entry, Outcome, Spender, Surface
from app.costs.receipts import Stage
from app.costs.rungs import Rung
from app.generation.endpoints import Completion, Prompt, TextListener
from tests.app.answering.desk import LIKELY, SURE, Desk, Model
from tests.retrieval.finding import COUNTER

LEAVE = "# Leave\n\n## Days\n\nEverybody has 27 days of paid leave. Unused days of leave expire in March.\n"
TRAVEL = "# Travel\n\n## Hotels\n\nA hotel may cost 140 euros a night. Book the hotel yourself.\n"
QUESTION = "How many days of paid leave has everybody?"
REWORDED = "Everybody has how many days of paid leave?"

pytestmark = pytest.mark.usefixtures("best_unit_answers")

Audited = Callable[..., tuple[Desk, LiveCalibration]]


@pytest.fixture
def audited(tmp_path: Path) -> Audited:
    """A desk that audits everything it draws, over a calibration of its own."""

    def build(
        calibration: Calibration, model: Model | None = None, share: float = 1.0, **more: object
    ) -> tuple[Desk, LiveCalibration]:
        learner = LiveCalibration(tmp_path / "calibration.json", lambda: calibration)
        desk = Desk(LEAVE, TRAVEL, calibration=calibration, model=model, **more)  # type: ignore[arg-type] # any of its arguments
        service = desk.service
        allowed = partial(standing, max_wrong_share=0.01, verifier_wrong_share=0.03 if model else None)
        lease, ladder = service._index.lease, service._ladder
        service._auditor = Auditor(
            share, learner, allowed, lease, ladder, desk.accounts, COUNTER, JsonAnswers(), draw=lambda: 0.5
        )
        return desk, learner

    return build


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not what():
        assert time.monotonic() < until, "nothing came of it"
        time.sleep(0.01)


def settled(desk: Desk) -> list[Entry]:
    now = datetime.now(UTC)
    return list(desk.ledger.entries(now - timedelta(hours=1), now + timedelta(hours=1)))


def works(desk: Desk) -> list[Entry]:
    return [entry for entry in settled(desk) if entry.outcome is Outcome.WORK]


def disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, nothing is found to answer with."""
    monkeypatch.setattr("app.ladder.climb.extract", lambda *_: None)


def test_a_hit_that_the_evidence_proved_is_held_against_a_fresh_answer(audited: Audited) -> None:
    desk, learner = audited(SURE)
    desk.ask(QUESTION)
    assert isinstance(hit := desk.ask(REWORDED), Answered)
    assert hit.rung == Rung.CACHE
    wait_for(lambda: learner.learned().audits == 1)
    assert learner().bands == (Band(0.0, 100_001, 100_001),)
    assert learner().passed == Band(0.0, 0, 0)
    (entry,) = works(desk)
    assert (entry.spender, entry.question, entry.groundedness) == (Spender(Surface.BACKGROUND), REWORDED, None)
    assert {line.stage for line in entry.receipt.lines} == {Stage.AUDIT}
    assert entry.receipt.saved_usd == 0


def test_one_that_was_wrong_moves_the_calibration_until_nothing_is_given_on_evidence(
    audited: Audited, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk, learner = audited(Calibration({}, 5.0, (Band(0.0, 300, 300),)))
    desk.ask(QUESTION)
    disagree(monkeypatch)
    with caplog.at_level(logging.WARNING):
        desk.ask(REWORDED)
        wait_for(lambda: learner.learned().audits == 1)
        wait_for(lambda: "Audits no longer support cached answers" in caplog.text)
    assert learner().bands == (Band(0.0, 301, 300),)
    assert not standing(learner(), 0.01, None).serves


def test_what_a_model_let_pass_speaks_of_the_model_too_and_is_billed_as_an_audit(audited: Audited) -> None:
    desk, learner = audited(LIKELY, Model("yes"), extractive_from=2.0)
    desk.ask(QUESTION)
    desk.ask(REWORDED)
    wait_for(lambda: learner.learned().audits == 1)
    assert (learner().bands, learner().passed) == ((Band(0.0, 1_001, 901),), Band(0.0, 1, 1))
    (entry,) = works(desk)
    assert {line.stage for line in entry.receipt.lines} == {Stage.AUDIT}
    assert entry.receipt.cost_usd
    assert entry.receipt.saved_usd == -entry.receipt.cost_usd


def test_what_a_model_did_not_let_pass_is_compared_for_nothing(audited: Audited) -> None:
    desk, learner = audited(LIKELY, Model("no"))
    desk.ask(QUESTION)
    desk.ask(REWORDED)
    wait_for(lambda: learner.learned().audits == 1)
    assert (learner().bands, learner().passed) == ((Band(0.0, 1_001, 901),), Band(0.0, 0, 0))
    assert works(desk) == []


def test_only_the_share_is_audited_and_nothing_from_the_command_line(audited: Audited) -> None:
    desk, learner = audited(SURE, share=0.5)
    desk.ask(QUESTION)
    desk.ask(REWORDED)
    desk.service.close()
    assert learner.learned().audits == 0


def test_an_audit_never_goes_beyond_the_budget_of_the_background(audited: Audited) -> None:
    limit = Limit(Payer.SURFACE, "background", Period.DAY, usd=Decimal(0))
    desk, learner = audited(LIKELY, Model("yes"), limits=[limit], extractive_from=2.0)
    desk.ask(QUESTION)
    before = len(settled(desk))
    desk.ask(REWORDED)
    time.sleep(0.2)
    assert learner.learned().audits == 0
    assert len(settled(desk)) == before + 1


class SlowModel(Model):
    """Says yes at once, and takes its time over answers once it is told to."""

    def __init__(self) -> None:
        super().__init__("yes")
        self.slow = False
        self.begun = threading.Event()

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        if self.slow and prompt.wants_json:
            self.begun.set()
            for _ in range(400):
                time.sleep(0.02)
                on_text(json.dumps(""))
        return super().generate(prompt, max_output_tokens, on_text)


def test_a_hit_waits_for_no_audit_and_a_stop_for_none(audited: Audited) -> None:
    model = SlowModel()
    desk, learner = audited(LIKELY, model, extractive_from=2.0)
    desk.ask(QUESTION)
    model.slow = True
    began = time.monotonic()
    assert isinstance(hit := desk.ask(REWORDED), Answered)
    assert hit.rung == Rung.CACHE
    assert time.monotonic() - began < 2.0
    assert model.begun.wait(5)
    desk.service.close()
    assert time.monotonic() - began < 5.0
    assert learner.learned().audits == 0
