"""What `farthing doctor` says of the endpoints, and of the answer cache."""

import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.adapters.disk_answer_store import DiskAnswerStore
from app.bootstrap import checks, index
from app.cli import OK, REFUSED
from app.cli.commands import doctor
from app.jobs.checkup import check_up
from app.settings import Settings, load_settings
from tests.fakes.answer_store import cached_answer
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.provider import FakeProvider, Fault

KEY = "sk-a-very-secret-key"
ENDPOINT = """
[[endpoints]]
name = "mini"
rung = "small"
url = "{url}"
model = "small-model"
api_key_name = "house"
price_model = "openai/gpt-5-mini"
context_tokens = 8000
max_output_tokens = 300
timeout_s = 1
"""

Examine = Callable[..., tuple[int, str]]


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(key=KEY) as started:
        yield started


@pytest.fixture
def examine(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Examine:
    """Runs the doctor over one endpoint, with some of its words replaced; gives the status and the endpoint's line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARTHING_API_KEYS__HOUSE", KEY)
    monkeypatch.setattr(index, "_check_model", lambda _: "left out: it loads the real one")
    monkeypatch.setattr(index, "_check_index", lambda _: "left out: the same")
    monkeypatch.setattr(index, "build_embedder", lambda _: FakeEmbedder())

    def run(old: str = "", new: str = "") -> tuple[int, str]:
        Path("farthing.toml").write_text(ENDPOINT.format(url=provider.url).replace(old, new), encoding="utf-8")
        status = doctor.run()
        shown = capsys.readouterr().out
        assert KEY not in shown
        (line,) = (line for line in shown.splitlines() if "endpoint mini: " in line)
        return status, line

    return run


def look(name: str, settings: Settings) -> bool:
    """Prints what the check of this name finds; whether that is well."""
    return check_up([check for check in checks.checks_of(settings) if check.name == name], doctor.show)


def test_an_endpoint_that_is_well(examine: Examine, provider: FakeProvider) -> None:
    status, line = examine()
    assert status == OK
    assert line == f"ok       endpoint mini: {provider.url} answers and knows small-model; priced as openai/gpt-5-mini"
    assert (provider.bill.calls, provider.requests) == (0, [])


def test_an_endpoint_that_lists_no_models_says_so(examine: Examine, provider: FakeProvider) -> None:
    provider.models = None
    status, line = examine()
    assert status == OK
    assert "lists no models, so key and model show with the first answer" in line


def test_a_price_that_nobody_asked_for_is_unknown(examine: Examine) -> None:
    status, line = examine('price_model = "openai/gpt-5-mini"\n', "")
    assert status == OK
    assert "its price is unknown" in line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"small-model"', '"smal-model"', "does not list the model smal-model. Did you mean small-model?"),
        ('"openai/gpt-5-mini"', '"openai/gpt-5-minni"', "no price is known for openai/gpt-5-minni"),
        ("127.0.0.1", "127.0.0.2", "cannot be reached"),
    ],
)
def test_what_is_wrong_with_the_settings_is_named(examine: Examine, old: str, new: str, words: str) -> None:
    status, line = examine(old, new)
    assert status == REFUSED
    assert line.startswith("problem  endpoint mini: ")
    assert words in line


def test_a_wrong_key_is_named_and_not_shown(examine: Examine, provider: FakeProvider) -> None:
    provider.key = "another"
    status, line = examine()
    assert status == REFUSED
    assert "refuses the key" in line


def test_a_page_instead_of_an_api_is_named(examine: Examine, provider: FakeProvider) -> None:
    provider.always = Fault.HTML
    status, line = examine()
    assert status == REFUSED
    assert "OpenAI-compatible API" in line


def test_a_price_file_with_a_typo_is_a_line_and_not_an_end(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('["a/b"]\ninput_uds = "1"\n', encoding="utf-8")
    status, line = examine("[[endpoints]]", '[prices]\nfile = "prices.toml"\n[[endpoints]]')
    assert status == REFUSED
    assert "Did you mean `input_usd`?" in line


def test_a_price_that_no_setting_names_is_pointed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(prices={"file": "prices.toml"})

    def says(*models: str) -> str:
        entries = "".join(f'["{model}"]\ninput_usd = "1"\noutput_usd = "2"\n' for model in models)
        Path("prices.toml").write_text(entries, encoding="utf-8")
        assert look("prices", settings)
        return " ".join(capsys.readouterr().out.split())

    assert says("openai/gpt-5-mini") == "ok prices: openai/gpt-5-mini is listed"
    assert says("openai/gpt-5-mni").endswith("is listed; the price file lists openai/gpt-5-mni, which no setting names")


def test_the_answer_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)

    def says(**cache: Any) -> tuple[bool, str]:
        settings = load_settings(home=home, cache={"max_bytes": 1_000_000, **cache})
        return look("cache", settings), capsys.readouterr().out.replace("\n", " ")

    assert says() == (True, "ok       cache: disk, 0 answers, 0.0 of 1 MB, 0 had to make room so far ")
    store = DiskAnswerStore(home / "answers", 1_000_000)
    store.put(cached_answer("Why?"))
    store.close()
    well, line = says()
    assert (well, "disk, 1 answers, 0.1 of 1 MB" in line) == (True, True)
    (home / "answers").chmod(0o755)
    well, line = says()
    assert (well, "may be entered by others (mode 0755)" in line, "Remove it" in line) == (False, True, True)
    well, line = says(enabled=False)
    assert (well, "off (cache.enabled)" in line) == (True, True)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    well, line = says(url=f"redis://user:hunter2@127.0.0.1:{port}/0")
    assert (well, "Check that the server is up" in line, "hunter2" in line) == (False, True, False)


def test_the_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    settings = load_settings(home=home)

    def says() -> tuple[bool, str]:
        return look("ledger", settings), capsys.readouterr().out.replace("\n", " ")

    assert says() == (True, "ok       ledger: will be made when it is needed ")
    assert not home.exists()
    home.mkdir(mode=0o700)
    assert says() == (True, "ok       ledger: sqlite, in the home, can be read and written ")
    with closing(sqlite3.connect(home / "ledger" / "ledger.db")) as database, database:
        database.execute("UPDATE ledger_version SET version_num = '9999'")
    well, line = says()
    assert (well, "has the tables of revision 9999" in line, "Run the release that wrote it" in line) == (False, True, True)
