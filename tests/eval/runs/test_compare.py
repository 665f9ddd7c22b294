import json
from pathlib import Path

import pytest

from eval.errors import RunError
from eval.runs.compare import compare_runs
from eval.runs.run import Run, write_run


def _second(finished: Run, tmp_path: Path) -> Path:
    """The same run, with one case lost and one found."""
    write_run(finished, tmp_path / "first")
    write_run(finished, tmp_path / "second")
    file = tmp_path / "second" / "cases.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if row["arm"] == "farthing" and row["id"] == "q-gym":
            row["values"]["evidence_retention"] = 1.0 - row["values"]["evidence_retention"]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return tmp_path / "second"


def test_a_run_does_not_differ_from_itself(finished: Run, tmp_path: Path) -> None:
    write_run(finished, tmp_path)
    for comparison in compare_runs(tmp_path, tmp_path):
        assert comparison.cases == 31
        assert comparison.flips == []
        assert all(change.value == change.low == change.high == 0 for _, _, _, change in comparison.differences)


def test_a_flip_is_named_and_moves_its_measure_only(finished: Run, tmp_path: Path) -> None:
    second = _second(finished, tmp_path)
    own = next(c for c in compare_runs(tmp_path / "first", second) if c.arm == "farthing")
    assert [(flip.case_id, flip.measure.name) for flip in own.flips] == [("q-gym", "evidence_retention")]
    changes = {measure.name: change.value for measure, _, _, change in own.differences}
    assert abs(changes["evidence_retention"]) == pytest.approx(1 / 30)
    assert changes["context_tokens"] == 0


def test_runs_without_a_common_question_are_refused(finished: Run, tmp_path: Path) -> None:
    write_run(finished, tmp_path / "first")
    write_run(finished, tmp_path / "other")
    (tmp_path / "other" / "cases.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="no question of an arm in common"):
        compare_runs(tmp_path / "first", tmp_path / "other")
