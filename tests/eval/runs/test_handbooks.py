"""The harness on real handbooks, with the fake embedding model: the words and the quotes are real."""

from pathlib import Path

import pytest

from app.settings import Settings
from eval.runs.run import run_dataset
from indexing.embedding import Embedder
from indexing.planning import NoProgress


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows", "unfindable", "unanswered"), [("handbook-18f", 160, 2, 0), ("handbook-gitlab", 105, 4, 19)]
)
def test_a_real_handbook_runs(
    shared_data: Path, settings: Settings, embedder: Embedder, name: str, rows: int, unfindable: int, unanswered: int
) -> None:
    run = run_dataset(settings, shared_data / name, NoProgress(), ("farthing", "smaller-k", "naive-512-top5"), embedder=embedder)
    content = run.content
    assert content["cases"] == rows
    by_text = [row for row in content["excluded"] if "text alone" in row["reason"]]
    assert len(by_text) == unanswered
    assert len(content["excluded"]) - len(by_text) <= unfindable
    for figures in content["arms"].values():
        assert figures["failed"] == []
    assert content["arms"]["farthing"]["evidence_retention"]["mean"] > 0.3, "words alone find as much"
    assert content["arms"]["farthing"]["context_tokens"]["mean"] <= settings.retrieval.budget_tokens
