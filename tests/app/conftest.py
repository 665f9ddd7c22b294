"""A small indexed home without a model, and chunks to build passages from."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.answers.answers import Draft, DraftSentence
from app.bootstrap import build_sources, open_sync_tools
from app.home import prepare_home
from app.settings import Settings, load_settings
from indexing.documents import Chunk, Unit, UnitKind
from indexing.sync import SyncReport, sync
from retrieval.passages import Context
from retrieval.retriever import Evidence
from retrieval.weights import Weights
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.tokens import FakeTokenCounter

PAGES = {
    "leave.md": "# Leave\n\n## Days\n\nEverybody has 27 days of paid leave. Unused days expire in March.\n",
    "travel.md": "# Travel\n\n## Hotels\n\nA hotel may cost 140 euros a night. Book it yourself.\n",
}


def build_chunk(document: str, ordinal: int, sentences: Sequence[str]) -> Chunk:
    """A chunk made of sentences, one on each line of the file."""
    text = " ".join(sentences)
    units, start = [], 0
    for line, sentence in enumerate(sentences, start=10 * ordinal + 1):
        units.append(Unit(start, start + len(sentence), UnitKind.SENTENCE, (line, line)))
        start += len(sentence) + 1
    return Chunk(
        id=f"{document}-{ordinal}",
        tenant="default",
        document_id=document,
        document_path=f"{document}.md",
        uri=f"docs/{document}.md",
        title=document.capitalize(),
        heading_path=("Rules",),
        ordinal=ordinal,
        first_unit=0,
        text=text,
        units=tuple(units),
        labels=("everyone",),
        embedding_text=text,
        words_text=text,
    )


def extract_best(evidence: Evidence, context: Context, weights: Weights) -> Draft | None:  # noqa: ARG001 - called as the real one
    """The best unit of the context, whatever it says; none when the context is empty."""
    if not context.units:
        return None
    best = max(context.units, key=lambda unit: unit.score)
    return Draft((DraftSentence(best.text, (best,)),))


@pytest.fixture
def counter() -> FakeTokenCounter:
    return FakeTokenCounter()


@pytest.fixture
def make_chunk() -> Callable[..., Chunk]:
    return build_chunk


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder(dimension=64)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The defaults, with a home of the test's own."""
    monkeypatch.chdir(tmp_path)
    return load_settings(home=tmp_path / "home")


Index = Callable[..., SyncReport]


@pytest.fixture
def index(settings: Settings, embedder: FakeEmbedder, tmp_path: Path) -> Index:
    """Writes pages below `docs` (text, or `None` to remove one) and brings the index up to date."""

    def write_and_sync(pages: dict[str, str | None] | None = None, labels: tuple[str, ...] = ()) -> SyncReport:
        folder = tmp_path / ("docs" + "-".join(("", *labels)))
        folder.mkdir(exist_ok=True)
        for name, text in (PAGES if pages is None else pages).items():
            if text is None:
                (folder / name).unlink()
            else:
                (folder / name).write_text(text, encoding="utf-8")
        prepare_home(settings.home)
        with open_sync_tools(settings, embedder) as tools:
            return sync(build_sources(settings, [folder], labels, None), tools)

    return write_and_sync


@pytest.fixture
def best_unit_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers with the best unit of the context: whether the learned weights would abstain is not the point here."""
    monkeypatch.setattr("app.ladder.climb.extract", extract_best)


@pytest.fixture
def always_abstains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ladder.climb.extract", lambda *_: None)
