"""Endpoints and prices, put together as the settings say."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from app.bootstrap.models import build_prices, build_rungs
from app.costs.errors import PriceFileError
from app.costs.pricing import Price
from app.generation.endpoints import Prompt, Rungs
from app.settings import EndpointSettings, Settings, load_settings
from tests.fakes.provider import FakeProvider


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def endpoint(name: str, rung: str, url: str = "http://127.0.0.1:9/v1", price_model: str = "") -> dict[str, object]:
    return EndpointSettings.model_validate(
        {
            "name": name,
            "rung": rung,
            "url": url,
            "model": "small-model",
            "price_model": price_model,
            "context_tokens": 8000,
            "max_output_tokens": 300,
            "timeout_s": 5,
        }
    ).model_dump()


def configure(*endpoints: dict[str, object], file: str = "") -> Settings:
    return load_settings(endpoints=endpoints, prices={"file": file})


def test_endpoints_stand_on_their_rungs_in_the_order_of_the_settings() -> None:
    rungs = build_rungs(
        configure(
            endpoint("b", "small", price_model="openai/gpt-5-mini"),
            endpoint("s", "strong"),
            endpoint("a", "small", price_model="nobody/nothing"),
        )
    )
    assert [one.name for one in rungs.small] == ["b", "a"]
    assert [one.name for one in rungs.strong] == ["s"]
    first, second = rungs.small
    assert first.price == build_prices(configure()).price("openai/gpt-5-mini")
    assert (first.model, first.context_tokens, first.max_output_tokens) == ("small-model", 8000, 300)
    assert second.price is None
    assert rungs.strong[0].price is None


def test_a_rung_answers_over_http() -> None:
    with FakeProvider(answer=lambda _: "well") as provider:
        (only,) = build_rungs(configure(endpoint("a", "small", provider.url))).small
        assert only.generator.generate(Prompt("s", "u"), 10, lambda _: None).text == "well"


def test_the_price_file_wins_and_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('["openai/gpt-5-mini"]\ninput_usd = "0.1"\noutput_usd = "0.2"\n', encoding="utf-8")
    settings = configure(endpoint("a", "small", price_model="openai/gpt-5-mini"), file=str(file))
    assert build_rungs(settings).small[0].price == Price(Decimal("0.1"), Decimal("0.2"))
    assert ", file " in build_prices(settings).version
    file.write_text('["openai/gpt-5-mini"]\nimput_usd = "0.1"\n', encoding="utf-8")
    with pytest.raises(PriceFileError):
        build_rungs(settings)


def test_without_endpoints_nothing_of_a_client_is_imported(tmp_path: Path) -> None:
    assert build_rungs(configure()) == Rungs()
    script = (
        "import sys; from app.bootstrap.models import build_rungs; from app.settings import load_settings;"
        "build_rungs(load_settings()); print(sorted({'openai', 'httpx2', 'stamina'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
