"""Where log lines go."""

import io
import json
import sys
from collections.abc import Iterator

import pytest
import structlog

from app.telemetry import configure_logging


@pytest.fixture(autouse=True)
def _plain_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_lines_go_to_the_stderr_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", first)
    configure_logging()
    log = structlog.get_logger("farthing.test")
    log.info("one", id="a")
    line = json.loads(first.getvalue())
    assert (line["event"], line["id"], line["level"]) == ("one", "a", "info")
    monkeypatch.setattr(sys, "stderr", second)
    first.close()
    log.info("two")
    assert json.loads(second.getvalue())["event"] == "two"
