"""A small company with a handbook, questions over it, and a finished run."""

import json
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings, load_settings
from eval.runs.run import Run, run_dataset
from indexing.embedding import Embedder
from indexing.planning import NoProgress

TOPICS = (
    "parking bicycles lockers showers canteen badges laptops monitors headsets printers keyboards chairs desks plants coffee "
    "travel hotels flights trains taxis visas passports receipts invoices budgets bonuses pensions dental glasses gym"
).split()


def _fakes(name: str) -> Any:
    """Test modules are imported by path, so that fakes are too."""
    path = Path(__file__).parents[1] / "fakes" / f"{name}.py"
    spec = spec_from_file_location(f"fakes_{name}", path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(topic: str, number: int) -> str:
    return (
        f"# {topic.capitalize()}\n\nThe office team looks after {topic} for everybody.\n\n## Limits for {topic}\n\n"
        f"Each person may use {topic} for {number} days in a year. Ask the office before you take more.\n\n"
        f"## Problems\n\nReport broken {topic} to the desk on floor {number}.\n"
    )


def row(topic: str, number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"q-{topic}",
        "question": f"For how many days in a year may I use {topic}?",
        "answer": f"For {number} days.",
        "must_include": [f"{number} days"],
        "evidence": [{"doc": f"{topic}.md", "quote": f"Each person may use {topic} for {number} days in a year."}],
        "type": "number",
        **changes,
    }


def rows() -> list[dict[str, Any]]:
    answerable = [row(topic, number) for number, topic in enumerate(TOPICS, start=3)]
    unanswerable = {"answer": "It is not said.", "must_include": [], "evidence": [], "type": "unanswerable"}
    return [*answerable, row("zebras", 0, question="Who feeds the zebras at night?", **unanswerable)]


@pytest.fixture
def write_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Writes a dataset; without rows, that of the small company."""

    def write(lines: list[Any] | None = None, name: str = "office") -> Path:
        return build_dataset(tmp_path / name, lines)

    return write


def build_dataset(folder: Path, lines: list[Any] | None = None) -> Path:
    (folder / "docs").mkdir(parents=True)
    for number, topic in enumerate(TOPICS, start=3):
        (folder / "docs" / f"{topic}.md").write_text(page(topic, number), encoding="utf-8")
    texts = [line if isinstance(line, str) else json.dumps(line) for line in (rows() if lines is None else lines)]
    (folder / "questions.jsonl").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    fake: Embedder = _fakes("embedder").FakeEmbedder(64)
    return fake


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_dataset(tmp_path_factory.mktemp("data") / "office")


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    return load_settings(home=home)


@pytest.fixture(scope="session")
def finished(office: Path, settings: Settings, embedder: Embedder) -> Run:
    """All arms on the small company."""
    return run_dataset(settings, office, NoProgress(), embedder=embedder)
