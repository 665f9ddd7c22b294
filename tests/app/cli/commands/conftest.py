"""`farthing` called in a folder of the test's own, over a ledger in memory."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import bootstrap, cli
from app.bootstrap import answering
from app.home import prepare_home
from app.settings import Settings, load_settings
from indexing.sync import sync
from tests.app.cli.commands.batching import PRICES, draft, use_endpoint
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.ledger import FakeLedger
from tests.fakes.provider import FakeProvider


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


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=draft) as started:
        yield started


@pytest.fixture
def _indexed(run: Run, provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - `run` sets the folder
    """A page, and a small model that reads it."""
    embedder = FakeEmbedder(dimension=64)
    monkeypatch.setattr(answering, "build_embedder", lambda _: embedder)
    use_endpoint(monkeypatch, provider)
    monkeypatch.setenv("FARTHING_CACHE__ENABLED", "false")  # each row is to cost a call
    (tmp_path / "prices.toml").write_text(PRICES)
    monkeypatch.setenv("FARTHING_PRICES__FILE", str(tmp_path / "prices.toml"))
    Path("docs").mkdir()
    Path("docs/leave.md").write_text("# Leave\n\nEverybody has 27 days of paid leave.\n")
    settings = load_settings()
    prepare_home(settings.home)
    with bootstrap.open_sync_tools(settings, embedder) as tools:
        sync(bootstrap.build_sources(settings, [Path("docs")], (), None), tools)
