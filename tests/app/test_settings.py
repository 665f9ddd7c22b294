from pathlib import Path

import pytest

from app.errors import SettingsError
from app.settings import load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARTHING_SECRETS_DIR", str(tmp_path / "secrets"))


def write(text: str, name: str = "farthing.toml") -> None:
    Path(name).write_text(text, encoding="utf-8")


def test_every_default_comes_from_the_commented_file() -> None:
    settings = load_settings()
    assert settings.home == Path(".farthing")
    assert settings.index.engine == "edge"
    assert settings.access.http_labels == ("everyone",)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().home = Path("elsewhere")  # type: ignore[misc] # the point of the test


def test_each_source_wins_over_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def port() -> int:
        return load_settings().server.port

    assert port() == 8040
    write("[server]\nport = 1001")
    assert port() == 1001
    Path("secrets").mkdir()
    write("1002\n", "secrets/FARTHING_SERVER__PORT")
    assert port() == 1002
    monkeypatch.setenv("FARTHING_SERVER__PORT", "1003")
    assert port() == 1003
    assert load_settings(server={"port": 1004}).server.port == 1004
    assert load_settings(server={"port": 1004}).server.host == "127.0.0.1"


def test_a_named_file_replaces_the_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[server]\nport = 1001")
    write("[server]\nport = 1005", "other.toml")
    monkeypatch.setenv("FARTHING_SETTINGS", "other.toml")
    assert load_settings().server.port == 1005


def test_a_named_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_SETTINGS", "missing.toml")
    with pytest.raises(SettingsError, match=r"missing\.toml, which is not a file"):
        load_settings()


@pytest.mark.parametrize(
    ("toml", "wrong", "nearest"),
    [
        ("[retreival]\nbudget_tokens = 3", "retreival", "retrieval"),
        ("[retrieval]\nbudget_token = 3", "retrieval.budget_token", "retrieval.budget_tokens"),
        ("hoem = '/tmp'", "hoem", "home"),
        ("[[sources]]\nname = 'x'\nclas = 'a.b'", "sources[].clas", "sources[].class"),
    ],
)
def test_a_typo_in_the_file_is_refused_with_the_nearest_key(toml: str, wrong: str, nearest: str) -> None:
    write(toml)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"`{wrong}` is not a setting. Did you mean `{nearest}`?" in str(caught.value)
    assert "farthing.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("FARTHING_INDEX__ENGIN", "FARTHING_INDEX__ENGINE"),
        ("FARTHING_HOEM", "FARTHING_HOME"),
        ("FARTHING_SETINGS", "FARTHING_SETTINGS"),
    ],
)
def test_a_typo_in_a_variable_is_refused_with_the_nearest(variable: str, nearest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(SettingsError, match=rf"variable {variable} names no setting. Did you mean {nearest}\?"):
        load_settings()


def test_a_typo_in_a_secret_file_is_refused() -> None:
    Path("secrets").mkdir()
    write("s3cret", "secrets/FARTHING_QDRANT__APIKEY")
    with pytest.raises(SettingsError, match="secret file FARTHING_QDRANT__APIKEY names no setting") as caught:
        load_settings()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[index]\nengine = 'faiss'", "`index.engine`"),
        ("[server]\nport = 'x'", "`server.port`"),
        ("[qdrant]\nurl = 'file:///etc'", "`qdrant.url`"),
        ("[retrieval]\nbudget_tokens = 0", "`retrieval.budget_tokens`"),
        ("index = 3", "`index` is a section"),
        ("x =", "farthing.toml cannot be read as TOML"),
        ("home = 3", "`home`"),
    ],
)
def test_a_bad_value_is_refused_by_name(toml: str, named: str) -> None:
    write(toml)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert named in str(caught.value)


def test_a_list_in_a_variable_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_ACCESS__HTTP_LABELS", '["everyone", "hr"]')
    assert load_settings().access.http_labels == ("everyone", "hr")
    monkeypatch.setenv("FARTHING_ACCESS__HTTP_LABELS", "everyone")
    with pytest.raises(SettingsError, match="JSON"):
        load_settings()


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_QDRANT__API_KEY", "s3cret")
    settings = load_settings()
    assert settings.qdrant.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


def test_readers_keep_their_own_arguments() -> None:
    write("[[sources]]\nname = 'wiki'\nclass = 'pkg.Reader'\nlabels = ['hr']\narguments = { url = 'x', deep = { a = 1 } }")
    (reader,) = load_settings().sources
    assert (reader.name, reader.class_path, reader.labels) == ("wiki", "pkg.Reader", ("hr",))
    assert reader.arguments == {"url": "x", "deep": {"a": 1}}
