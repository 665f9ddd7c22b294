import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.answering.profiles import Profile, ProfileError, ProfileStore
from app.settings import Settings
from eval import cli
from eval.runs.gate import read_baselines
from eval.runs.run import Run, write_run
from indexing.embedding import Embedder
from retrieval.context import ContextSettings

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _home(settings: Settings, embedder: Embedder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARTHING_HOME", str(settings.home))
    for name in ("eval.arms.workbench.build_embedder", "eval.cli.build_embedder"):
        monkeypatch.setattr(name, lambda settings: embedder)  # noqa: ARG005 - the signature of what it stands for


def _ok(result: Result) -> Result:
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def test_run_prints_tables_and_writes_a_folder_of_its_own(office: Path, tmp_path: Path) -> None:
    result = _ok(RUNNER.invoke(cli.app, ["run", str(office), "--arm", "farthing", "--limit", "12"]))
    assert "smaller-k" in result.stdout, "the honest rival is always printed"
    assert "farthing less" in result.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert {file.name for file in folder.iterdir()} == {"run.json", "cases.jsonl", "report.html"}
    assert max(map(len, result.stdout.splitlines())) <= 100 + len(str(folder))


def test_run_as_json_prints_run_json_alone(office: Path, tmp_path: Path) -> None:
    arguments = ["run", str(office), "--arm", "smaller-k", "--limit", "3", "--json", "--out", str(tmp_path / "x")]
    printed = json.loads(_ok(RUNNER.invoke(cli.app, arguments)).stdout)
    assert printed == json.loads((tmp_path / "x" / "run.json").read_text(encoding="utf-8"))


def test_compare(finished: Run, tmp_path: Path) -> None:
    write_run(finished, tmp_path / "a")
    result = _ok(RUNNER.invoke(cli.app, ["compare", str(tmp_path / "a"), str(tmp_path / "a")]))
    assert "farthing: 31 questions in both" in result.stdout


def test_gate_is_red_with_exit_status_1(office: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    baseline = {"dataset": str(office), "measures": {"context_tokens": {"committed": 2, "margin": 1}}}
    (tmp_path / "tight.json").write_text(json.dumps(baseline), encoding="utf-8")
    monkeypatch.setattr(cli, "read_baselines", lambda: read_baselines(tmp_path))
    result = RUNNER.invoke(cli.app, ["gate"])
    assert result.exit_code == 1
    assert "RED  tight: context tokens: committed 2.0, new " in result.stdout
    assert "margin 1.0" in result.stdout


def test_make_questions_prints_rows(office: Path) -> None:
    result = _ok(RUNNER.invoke(cli.app, ["make-questions", str(office / "docs" / "gym.md")]))
    assert json.loads(result.stdout.splitlines()[0])["review"] is True
    assert "Review each" in result.stderr


def test_tune_apply_list_and_roll_back(office: Path, settings: Settings) -> None:
    try:
        tuned = _ok(RUNNER.invoke(cli.tune_app, [str(office), "--floor", "evidence_retention=0.9", "--apply"]))
        assert "no model call, $0" in tuned.stdout
        (name,) = ProfileStore(settings.home).applied()
        listed = _ok(RUNNER.invoke(cli.profiles_app, ["list"])).stdout
        assert name in listed
        assert "in force" in listed
        run = RUNNER.invoke(cli.app, ["run", str(office), "--arm", "smaller-k", "--limit", "2", "--json", "--out", "y"])
        assert json.loads(_ok(run).stdout)["configuration"]["profile"] == name
        assert "The settings are in force" in _ok(RUNNER.invoke(cli.profiles_app, ["rollback"])).stdout
        assert "None is in force" in _ok(RUNNER.invoke(cli.profiles_app, ["list"])).stdout
    finally:
        shutil.rmtree(settings.home / "profiles", ignore_errors=True)


def test_a_floor_out_of_reach_has_exit_status_1_and_applies_nothing(office: Path, settings: Settings, tmp_path: Path) -> None:
    hard = tmp_path / "hard"
    hard.mkdir()
    (hard / "docs").symlink_to(office / "docs")
    rows = [json.loads(line) for line in (office / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    hopeless = [{**row, "question": "Who sings?"} if number % 3 == 0 else row for number, row in enumerate(rows)]
    (hard / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in hopeless), encoding="utf-8")
    result = RUNNER.invoke(cli.tune_app, [str(hard), "--floor", "evidence_retention=1", "--apply"])
    assert result.exit_code == 1
    assert "Nothing reaches 100.0 %. The best is " in result.stdout
    assert ProfileStore(settings.home).applied() == []


def test_without_a_profile_there_is_nothing_to_list() -> None:
    assert "There is no profile" in _ok(RUNNER.invoke(cli.profiles_app, ["list"])).stdout


def _profile(settings: Settings, embedder: Embedder, name: str, model: str | None = None) -> None:
    spec = replace(embedder.spec, model=model) if model else embedder.spec
    profile = Profile(name, "2026-01-01T00:00:00+00:00", ContextSettings(300), spec, "office", "0", {})
    ProfileStore(settings.home).apply(profile)


def test_a_damaged_profile_hides_no_other(settings: Settings, embedder: Embedder) -> None:
    try:
        _profile(settings, embedder, "good")
        (settings.home / "profiles" / "bad.json").write_text("{", encoding="utf-8")
        result = RUNNER.invoke(cli.profiles_app, ["list"])
        assert result.exit_code == 1
        assert "bad.json cannot be read" in result.stderr
        assert "good" in result.stdout
    finally:
        shutil.rmtree(settings.home / "profiles", ignore_errors=True)


def test_a_roll_back_to_a_profile_of_another_model_says_where_it_stands(settings: Settings, embedder: Embedder) -> None:
    try:
        _profile(settings, embedder, "foreign", "another-model")
        _profile(settings, embedder, "own")
        result = RUNNER.invoke(cli.profiles_app, ["rollback"])
        assert "The profile foreign is in force" in result.stdout
        assert isinstance(result.exception, ProfileError)
        assert "The settings are in force" in _ok(RUNNER.invoke(cli.profiles_app, ["rollback"])).stdout
    finally:
        shutil.rmtree(settings.home / "profiles", ignore_errors=True)
