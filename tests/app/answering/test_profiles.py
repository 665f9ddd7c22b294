import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.answering.profiles import LiveContextSettings, Profile, ProfileError, ProfileStore
from indexing.embedding import EmbedderSpec
from indexing.language.question_form import QuestionForm
from retrieval.context import ContextSettings
from retrieval.selection import SelectionSettings
from retrieval.unit_scoring import UNIT_FEATURES
from retrieval.weights import shipped_weights

SPEC = EmbedderSpec("model", "r1", 384, "torch-fp32")
PLAIN = ContextSettings(480)
TUNED = ContextSettings(
    300, SelectionSettings(2.5, dict.fromkeys(QuestionForm, 7) | {QuestionForm.LIST: 12}, 0.9), {"passage": 1.5, "form": 0.7}
)


def _profile(name: str = "a", settings: ContextSettings = TUNED, **changes: Any) -> Profile:
    return replace(Profile(name, "2026-01-02T03:04:05+00:00", settings, SPEC, "office", "hash", {"proved": 1}), **changes)


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    return ProfileStore(tmp_path)


def test_a_profile_is_read_back_as_it_was_written(store: ProfileStore) -> None:
    store.apply(_profile())
    assert store.read("a") == _profile()
    assert store.current(SPEC) == _profile()
    assert store.current(replace(SPEC, variant="torch-bf16")) == _profile(), "the arithmetic may differ"


def test_rolling_back_goes_one_step_at_a_time_to_the_settings(store: ProfileStore) -> None:
    assert store.current(SPEC) is None
    for name in ("a", "b"):
        store.apply(_profile(name))
    assert store.names() == ["a", "b"]
    assert store.roll_back() == "a"
    current = store.current(SPEC)
    assert current
    assert current.name == "a"
    assert store.roll_back() is None
    assert store.current(SPEC) is None
    with pytest.raises(ProfileError, match="nothing to roll back"):
        store.roll_back()


def test_a_profile_of_another_model_is_refused(store: ProfileStore) -> None:
    store.apply(_profile())
    with pytest.raises(ProfileError, match=r"tuned with the model model.*rollback` and tune again"):
        store.current(replace(SPEC, revision="r2"))


@pytest.mark.parametrize("name", ["", "../up", "a b", "x" * 81])
def test_names_stay_inside_the_folder(store: ProfileStore, name: str, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no name for a profile"):
        store.apply(_profile(name))
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"settings": {}},
        {"settings": {**TUNED.to_json(), "budget_tokens": 0}},
        {"settings": {**TUNED.to_json(), "max_score_gap": float("nan")}},
        {"embedder": {"model": "x"}},
    ],
)
def test_a_damaged_profile_is_named(store: ProfileStore, tmp_path: Path, change: dict[str, Any]) -> None:
    store.apply(_profile())
    file = tmp_path / "profiles" / "a.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(ProfileError, match=r"a\.json cannot be read"):
        store.current(SPEC)


def test_profiles_are_private(store: ProfileStore, tmp_path: Path) -> None:
    store.apply(_profile())
    assert (tmp_path / "profiles").stat().st_mode & 0o077 == 0
    assert (tmp_path / "profiles" / "a.json").stat().st_mode & 0o077 == 0
    assert sorted(file.name for file in (tmp_path / "profiles").iterdir()) == ["a.json", "current"]


def test_scales_multiply_the_weights_of_their_group_only() -> None:
    weights = shipped_weights()
    scaled = TUNED.scaled(weights)
    assert PLAIN.scaled(weights) is weights
    for name, weight in weights.unit.items():
        factor = 1.5 if "passage_" in name and name in {"passage_score_gap", "log_passage_rank", "passage_coverage"} else None
        if factor:
            assert scaled.unit[name] == pytest.approx(weight * factor)
        if name == "coverage":
            assert scaled.unit[name] == weight
    assert scaled.passage == weights.passage


def test_the_groups_name_features_that_exist() -> None:
    from retrieval.context import UNIT_GROUPS  # noqa: PLC0415 - beside what it is compared with

    assert {name for names in UNIT_GROUPS.values() for name in names} <= set(UNIT_FEATURES)


def test_a_running_service_takes_a_profile_up_and_lets_it_go(store: ProfileStore) -> None:
    failures: list[ProfileError] = []
    live = LiveContextSettings(store, PLAIN, lambda: SPEC, failures.append, check_every_s=0)
    assert live() is PLAIN
    store.apply(_profile())
    assert live() == TUNED
    store.roll_back()
    assert live() == PLAIN
    assert failures == []


def test_a_profile_that_cannot_be_used_is_reported_once_and_changes_nothing(store: ProfileStore) -> None:
    failures: list[ProfileError] = []
    live = LiveContextSettings(store, PLAIN, lambda: SPEC, failures.append, check_every_s=0)
    store.apply(_profile("a"))
    assert live() == TUNED
    store.apply(_profile("b", PLAIN, embedder=replace(SPEC, model="other")))
    assert [live(), live()] == [TUNED, TUNED]
    assert len(failures) == 1


def test_it_looks_at_the_disk_now_and_then_only(store: ProfileStore) -> None:
    live = LiveContextSettings(store, PLAIN, lambda: SPEC, lambda _: None, check_every_s=3600)
    assert live() is PLAIN
    store.apply(_profile())
    assert live() is PLAIN
