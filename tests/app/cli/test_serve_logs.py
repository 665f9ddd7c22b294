"""What `farthing serve` writes to stderr when everything behind it fails."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from app.api.feedback import FEEDBACK_PATH
from app.settings import Settings
from tests.app.api.serving import Client, endpoint, wait_until
from tests.app.conftest import Index
from tests.fakes.provider import FakeProvider, Fault

ROOT = Path(__file__).resolve().parents[3]
CANARY = "How many xylophones has everybody on paid leave?"


@contextmanager
def serving(settings: Settings, log: Path, **environment: str) -> Iterator[Client]:
    """A service on a free port whose log goes to a file; stopped in order at the end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "FARTHING_HOME": str(settings.home)} | environment
    command = [sys.executable, "-m", "tests.app.cli.serve_worker", str(port)]
    client = Client(port)
    with log.open("wb") as stderr, subprocess.Popen(command, env=environment, cwd=ROOT, stderr=stderr) as process:
        try:
            wait_until(lambda: _lives(client), 60)
            yield client
        finally:
            client.opened.close()
            process.terminate()
            process.wait(30)


def _lives(client: Client) -> bool:
    with suppress(OSError):
        return client.get("/ready") == 200
    return False


def events_of(log: Path) -> list[dict[str, Any]]:
    """The events of a log, each of which is one line of JSON with what every event has."""
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    for event in events:
        assert isinstance(event["event"], str), event
        assert event["level"] in {"info", "warning", "error", "critical"}, event
        assert datetime.fromisoformat(event["timestamp"]).tzinfo is not None, event
    return events


def request_id(response: HTTPResponse) -> str:
    response.read()
    return response.getheader("x-request-id") or ""


def test_failing_parts_are_lines_of_json_with_the_requests_id(index: Index, settings: Settings, tmp_path: Path) -> None:
    index()
    (tmp_path / "elsewhere").mkdir()
    (settings.home / "answers").symlink_to(tmp_path / "elsewhere")
    log = tmp_path / "log"
    with FakeProvider() as provider:
        provider.always = Fault.BROKEN
        with serving(settings, log, FARTHING_ENDPOINTS=json.dumps([endpoint(provider)])) as client:
            ids = [request_id(client.post(question=CANARY)), request_id(client.post(question=CANARY, stream=True))]
    events = events_of(log)
    assert any("cache" in event["event"] for event in events)
    for one in ids:
        of_it = [event for event in events if event.get("request_id") == one]
        assert any(event["logger"] == "app.generation.calls" and event["level"] == "warning" for event in of_it)
        assert any(event["event"] == "asked" for event in of_it)
    assert "xylophones" not in log.read_text(encoding="utf-8")


def test_a_failing_ledger_is_in_the_log_under_the_requests_id(index: Index, settings: Settings, tmp_path: Path) -> None:
    index()
    (settings.home / "ledger").write_text("")
    log = tmp_path / "log"
    with serving(settings, log) as client:
        failed = client._request("POST", FEEDBACK_PATH, json.dumps({"id": "0" * 32, "verdict": "right", "comment": CANARY}))
        assert failed.status == 503
        one = request_id(failed)
    of_it = [event for event in events_of(log) if event.get("request_id") == one]
    assert [event["problem"] for event in of_it if event["event"] == "failed"] == ["ledger"]
    assert "xylophones" not in log.read_text(encoding="utf-8")


def test_an_entry_lost_behind_the_answers_back_still_has_the_requests_id(
    index: Index, settings: Settings, tmp_path: Path
) -> None:
    index()
    (settings.home / "ledger").write_text("")
    log = tmp_path / "log"
    with serving(settings, log) as client:
        one = request_id(client.post(question=CANARY))
    lost = [event for event in events_of(log) if "is lost" in event["event"]]
    assert [event["request_id"] for event in lost] == [one]
    assert "xylophones" not in log.read_text(encoding="utf-8")
