"""Which store of answers the settings mean."""

from pathlib import Path

import pytest

from app.adapters.disk_answer_store import DiskAnswerStore
from app.adapters.redis_answer_store import RedisAnswerStore
from app.bootstrap.caching import build_answer_store
from app.errors import HomeError, SettingsError
from app.settings import load_settings
from tests.fakes.answer_store import cached_answer

CACHE = {"enabled": True, "url": "", "max_bytes": 1_000_000, "timeout_s": 0.05}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


def test_answers_lie_in_the_home_unless_a_server_is_named(home: Path) -> None:
    store = build_answer_store(load_settings(home=home, cache=CACHE))
    assert isinstance(store, DiskAnswerStore)
    store.put(cached_answer("question"))
    assert store.usage().max_bytes == 1_000_000
    assert (home / "answers" / "cache.db").is_file()
    store.close()


def test_a_named_server_is_not_connected_to_before_it_is_needed(home: Path) -> None:
    store = build_answer_store(load_settings(home=home, cache={**CACHE, "url": "redis://127.0.0.1:1/0"}))
    assert isinstance(store, RedisAnswerStore)
    assert store.faults == 0
    assert store.get(cached_answer("question").key) is None
    assert store.faults == 1
    assert list(home.iterdir()) == []
    store.close()


def test_a_cache_that_is_off_is_none(home: Path) -> None:
    assert build_answer_store(load_settings(home=home, cache={**CACHE, "enabled": False})) is None


def test_a_home_of_others_is_refused(home: Path) -> None:
    home.chmod(0o755)
    with pytest.raises(HomeError, match="Others may enter"):
        build_answer_store(load_settings(home=home, cache=CACHE))


@pytest.mark.parametrize("url", ["http://host", "localhost:6379", "redis"])
def test_a_url_of_something_else_is_refused_without_being_shown(home: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="begins with redis://") as caught:
        load_settings(home=home, cache={**CACHE, "url": f"{url}?password=hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_url_that_cannot_be_read_is_refused_without_being_shown(home: Path) -> None:
    settings = load_settings(home=home, cache={**CACHE, "url": "redis://user:hunter2/x@host:6379/0"})
    with pytest.raises(SettingsError, match="percent-encoded") as caught:
        build_answer_store(settings)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
