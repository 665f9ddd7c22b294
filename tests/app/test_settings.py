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


@pytest.mark.parametrize("amount", ["5", '"-1"', '"abc"', '"NaN"', '"0.0000000000001"', '"10000000"', '""', '"1\\n"'])
def test_an_amount_that_is_none_is_refused_with_an_example(amount: str) -> None:
    write(f'[[budgets]]\npayer = "company"\nperiod = "day"\nusd = {amount}')
    with pytest.raises(SettingsError, match=r'`budgets\.0\.usd`: an amount in US dollars stands in quotes.*as in "200\.00"'):
        load_settings()


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


ENDPOINT = """
[[endpoints]]
name = "mini"
rung = "small"
url = "http://127.0.0.1:9/v1"
model = "m"
api_key_name = "house_key"
context_tokens = 8000
max_output_tokens = 300
timeout_s = 5
"""


def test_an_endpoints_key_comes_from_the_environment_or_a_secret_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write(ENDPOINT)
    Path("secrets").mkdir()
    write("from-file\n", "secrets/FARTHING_API_KEYS__HOUSE_KEY")
    settings = load_settings()
    (endpoint,) = settings.endpoints
    assert (endpoint.name, endpoint.rung, endpoint.price_model, endpoint.timeout_s) == ("mini", "small", "", 5.0)
    assert settings.api_keys["house_key"].get_secret_value() == "from-file"
    monkeypatch.setenv("FARTHING_API_KEYS__HOUSE_KEY", "from-variable")
    assert load_settings().api_keys["house_key"].get_secret_value() == "from-variable"
    write(f"{ENDPOINT}\n[api_keys]\nhouse_key = 'from-settings'\nother = 'x'")
    both = load_settings()
    assert both.api_keys["house_key"].get_secret_value() == "from-variable"
    assert both.api_keys["other"].get_secret_value() == "x"
    assert "from-" not in repr(both)


def test_an_endpoint_whose_key_is_not_set_is_refused_with_the_variable_to_set() -> None:
    write(ENDPOINT)
    with pytest.raises(SettingsError, match=r"'mini' names the key 'house_key'.*FARTHING_API_KEYS__HOUSE_KEY"):
        load_settings()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"small"', '"tiny"', "`endpoints.0.rung`"),
        ('"http://127.0.0.1:9/v1"', '"ftp://x"', "`endpoints.0.url`"),
        ('"http://127.0.0.1:9/v1"', '"http://user:pass@x"', "`endpoints.0.url`"),
        *[
            ('"http://127.0.0.1:9/v1"', f'"{url}"', "`endpoints.0.url`")
            for url in (
                "http://x:bad/v1",
                "http://x:70000",
                "http://x:0",
                "http://",
                "http://[::1",
                "x/v1",
                "http://b\u00fccher/",
                "http://x/a b",
            )
        ],
        ("timeout_s = 5", "timeout_s = inf", "`endpoints.0.timeout_s`"),
        ("max_output_tokens = 300", "max_output_tokens = 8000", "less than context_tokens"),
        ("max_output_tokens = 300", "max_outputtokens = 300", "Did you mean `endpoints[].max_output_tokens`?"),
        ("[[endpoints]]", f"{ENDPOINT}\n[[endpoints]]", "'mini' stands twice"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_refused(old: str, new: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_API_KEYS__HOUSE_KEY", "k")
    write(ENDPOINT.replace(old, new))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert named in str(caught.value)
    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://[::1]:80/v1", "https://api.example.org", "http://models_1:8000/openai/v1/"])
def test_an_address_that_can_be_used_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_API_KEYS__HOUSE_KEY", "k")
    write(ENDPOINT.replace("http://127.0.0.1:9/v1", url))
    assert load_settings().endpoints[0].url == url


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schl\u00fcssel"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_API_KEYS__HOUSE_KEY", key)
    with pytest.raises(SettingsError, match=r"`api_keys\.house_key`: a key is printable ASCII without spaces") as caught:
        load_settings()
    assert not key or key not in str(caught.value)


def test_a_name_that_no_variable_could_set_is_refused() -> None:
    write("[api_keys]\nHouse__Key = 'x'")
    with pytest.raises(SettingsError, match="api_keys"):
        load_settings()
