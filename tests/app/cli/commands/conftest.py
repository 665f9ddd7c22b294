"""`farthing` called in a folder of the test's own, over a ledger in memory."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import bootstrap, cli
from app.settings import Settings
from tests.fakes.ledger import FakeLedger


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> FakeLedger:
    """What the commands read, in place of the configured ledger."""
    kept = FakeLedger()

    @contextmanager
    def open_ledger_reader(_: Settings) -> Iterator[FakeLedger]:
        yield kept

    monkeypatch.setattr(bootstrap, "open_ledger_reader", open_ledger_reader)
    return kept


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["farthing", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return Done(int(end.value.code or 0), captured.out, captured.err)

    return call
