import json
from pathlib import Path
from typing import Any

import pytest

from app.answering.profiles import ProfileStore
from app.settings import Settings
from eval.datasets.cases import load_dataset
from eval.errors import EvalError
from eval.tuning.measuring import PROOF, SEARCH, Measured, split_halves
from eval.tuning.run import parse_floor, tune_dataset
from eval.tuning.search import FEWER_TIMES, LOST_POINTS, pareto
from indexing.embedding import Embedder
from indexing.planning import NoProgress


class Stop:
    """Progress that interrupts after so many trials."""

    def __init__(self, after: int) -> None:
        self.after = after

    def update(self, phase: str, done: int, total: int | None) -> None:  # noqa: ARG002 - the port's signature
        if phase == "tune" and done == self.after:
            raise KeyboardInterrupt


def _without_time(out: Path) -> Any:
    content = json.loads((out / "tune.json").read_text(encoding="utf-8"))
    content.pop("cost")
    return content


def test_halves_are_equal_by_type_and_do_not_depend_on_the_order(office: Path) -> None:
    cases = [case for case in load_dataset(office).cases if case.answerable]
    halves = split_halves(cases)
    assert split_halves(reversed(cases)) == halves
    assert list(halves.values()).count(SEARCH) == list(halves.values()).count(PROOF) == 15


def test_pareto_keeps_what_nothing_beats() -> None:
    some = [(100, 0.5), (120, 0.5), (150, 0.7), (140, 0.7), (300, 0.6), (400, 0.9)]
    tried = [Measured(None, (share,), (float(tokens),)) for tokens, share in some]  # type: ignore[arg-type] # settings play no part
    assert [(one.mean_tokens, one.retention) for one in pareto(tried)] == [(100, 0.5), (140, 0.7), (400, 0.9)]


@pytest.mark.parametrize(
    "text", ["0.85", "recall=0.85", "evidence_retention=1.5", "evidence_retention=0", "evidence_retention=1.2.3"]
)
def test_a_floor_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(EvalError, match="is no floor"):
        parse_floor(text)


def test_the_pick_reaches_the_floor_cheaper_and_becomes_a_profile(
    office: Path, settings: Settings, embedder: Embedder, tmp_path: Path
) -> None:
    assert parse_floor("evidence_retention=0.9") == 0.9
    found, profile = tune_dataset(settings, office, 0.9, tmp_path, NoProgress(), embedder)
    assert found.pick is not None
    assert found.pick.searched.retention >= 0.9
    assert found.pick.searched.mean_tokens < found.current.mean_tokens
    assert all(one.retention < 0.9 or one.mean_tokens >= found.pick.searched.mean_tokens for one in found.tried)
    content = json.loads((tmp_path / "tune.json").read_text(encoding="utf-8"))
    assert content["cost"]["usd"] == "0"
    assert content["gain"]["context_tokens"]["high"] < 0
    assert "<svg" in (tmp_path / "tune.html").read_text(encoding="utf-8")
    assert profile is not None
    assert profile.name.startswith("office-20")
    assert ProfileStore(settings.home).names() == []
    assert found.lossless is not None
    assert found.lossless.times_fewer_tokens >= FEWER_TIMES
    assert found.lossless.lost.value <= LOST_POINTS


def test_an_interrupted_search_goes_on_where_it_stopped(
    office: Path, settings: Settings, embedder: Embedder, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        tune_dataset(settings, office, 0.9, tmp_path / "a", Stop(40), embedder)
    (measured,) = (tmp_path / "a").glob("measured-*.jsonl")
    with measured.open("a", encoding="utf-8") as stream:
        stream.write('{"key": "torn')
    resumed, _ = tune_dataset(settings, office, 0.9, tmp_path / "a", NoProgress(), embedder)
    whole, _ = tune_dataset(settings, office, 0.9, tmp_path / "b", NoProgress(), embedder)
    assert resumed.reused > whole.reused
    assert resumed.replayed < whole.replayed
    assert _without_time(tmp_path / "a") == _without_time(tmp_path / "b")


def test_a_floor_that_nothing_reaches_names_the_best(
    office: Path, settings: Settings, embedder: Embedder, tmp_path: Path
) -> None:
    hard = tmp_path / "hard"
    hard.mkdir()
    (hard / "docs").symlink_to(office / "docs")
    rows = [json.loads(line) for line in (office / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    hopeless = [{**row, "question": "Who sings?"} if number % 3 == 0 else row for number, row in enumerate(rows)]
    (hard / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in hopeless), encoding="utf-8")
    found, profile = tune_dataset(settings, hard, 1.0, tmp_path / "out", NoProgress(), embedder)
    assert found.pick is None
    assert profile is None
    assert 0.5 < found.best.retention < 1.0
    content = json.loads((tmp_path / "out" / "tune.json").read_text(encoding="utf-8"))
    assert content["pick"] is None
    assert content["best"]["evidence_retention"] == pytest.approx(found.best.retention, abs=1e-6)


def test_too_few_questions_are_refused(office: Path, settings: Settings, embedder: Embedder, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    (small / "docs").symlink_to(office / "docs")
    lines = (office / "questions.jsonl").read_text(encoding="utf-8").splitlines()[:12]
    (small / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(EvalError, match="each half needs at least 10"):
        tune_dataset(settings, small, 0.9, tmp_path / "out", NoProgress(), embedder)
