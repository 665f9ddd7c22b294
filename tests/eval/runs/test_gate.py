import json
from pathlib import Path
from typing import Any

import pytest

from app.settings import EndpointSettings, Settings
from eval.errors import RunError
from eval.measures.measures import MEASURE_BY_NAME
from eval.runs.gate import BASELINES_FOLDER, Guard, check_baseline, read_baselines
from indexing.embedding import Embedder
from indexing.planning import NoProgress


def _write(folder: Path, office: Path, measures: dict[str, Any]) -> None:
    (folder / "office.json").write_text(json.dumps({"dataset": str(office), "measures": measures}), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("evidence_retention", 0.76, True),
        ("evidence_retention", 0.74, False),
        ("evidence_retention", 1.0, True),
        ("abstained_answerable", 0.84, True),
        ("abstained_answerable", 0.86, False),
        ("evidence_retention", None, False),
    ],
)
def test_worse_by_more_than_the_margin_is_red(name: str, value: float | None, holds: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert Guard(MEASURE_BY_NAME[name], 0.8, 0.05).holds(value) is holds


def test_a_margin_is_reached_without_being_crossed() -> None:
    assert Guard(MEASURE_BY_NAME["evidence_retention"], 0.3, 0.1).holds(0.2)


def test_green_and_red(tmp_path: Path, office: Path, settings: Settings, embedder: Embedder) -> None:
    measures = {"evidence_retention": {"committed": 0.8, "margin": 0.1}, "context_tokens": {"committed": 1, "margin": 1}}
    _write(tmp_path, office, measures)
    (baseline,) = read_baselines(tmp_path)
    _, guarded = check_baseline(settings, baseline, NoProgress(), embedder)
    assert {one.guard.measure.name: one.holds for one in guarded} == {
        "evidence_retention": True,
        "context_tokens": False,
    }


def test_the_gate_asks_no_model_whatever_is_configured(
    tmp_path: Path, office: Path, settings: Settings, embedder: Embedder
) -> None:
    nowhere = EndpointSettings(
        name="mini",
        rung="small",
        url="http://127.0.0.1:9",
        model="mini",
        context_tokens=9_000,
        max_output_tokens=400,
        timeout_s=1.0,
    )
    _write(tmp_path, office, {"answer_tokens": {"committed": 0, "margin": 0}})
    (baseline,) = read_baselines(tmp_path)
    run, (one,) = check_baseline(settings.model_copy(update={"endpoints": (nowhere,)}), baseline, NoProgress(), embedder)
    assert one.holds
    assert run.content["configuration"]["models"] == {"small": [], "strong": []}


def test_the_committed_baselines_name_datasets_that_are_there() -> None:
    for baseline in read_baselines(BASELINES_FOLDER):
        assert (baseline.dataset / "questions.jsonl").is_file()
        assert {guard.measure.name for guard in baseline.guards} >= {"evidence_retention", "context_tokens"}


def test_an_unknown_measure_or_an_empty_folder_is_refused(tmp_path: Path, office: Path) -> None:
    with pytest.raises(RunError, match="holds no baseline"):
        read_baselines(tmp_path)
    _write(tmp_path, office, {"luck": {"committed": 1, "margin": 0}})
    with pytest.raises(RunError, match=r"office\.json cannot be read"):
        read_baselines(tmp_path)
