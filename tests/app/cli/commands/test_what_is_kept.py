"""What the manual says of each file of a home, held against a home in which everything was used."""

import fnmatch
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import bootstrap
from app.adapters.sql.pending import PendingFile
from app.answering.profiles import Profile, ProfileStore
from app.bootstrap import answering
from app.bootstrap.caching import build_calibration
from app.caching.rules.calibration import shipped_calibration
from app.settings import load_settings
from indexing.adapters.embedding_arithmetic import ArithmeticVerdicts, read_cpu
from retrieval.context import ContextSettings
from tests.app.cli.commands.batching import PRICES, draft, use_endpoint
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.entries import build_entry
from tests.fakes.provider import FakeProvider

Run = Callable[..., Any]

PAGE = Path(__file__).resolve().parents[4] / "docs" / "operations.md"
CANARY = "quokka-4711"
QUESTION = f"How many days of paid leave has the {CANARY} team?"
COMMENT = "wombat-4712 says that it is 28 days"
DOCUMENT = "Everybody has 27 days of paid leave."


def _rows() -> list[dict[str, str]]:
    """The rows of the table of what is kept where, by the names of its columns."""
    table = PAGE.read_text(encoding="utf-8").split("\n| where |")[1].split("\n\n")[0]
    head, _, *rows = [line.strip("| ").split(" | ") for line in f"| where |{table}".splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def patterns(row: dict[str, str]) -> list[str]:
    return re.findall(r"`([^`]+)`", row["where"])


def belongs(file: str, row: dict[str, str]) -> bool:
    return any(file.startswith(name) if name.endswith("/") else fnmatch.fnmatch(file, name) for name in patterns(row))


@pytest.fixture(params=[False, True], ids=["no texts", "texts"])
def keeps(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def used(run: Run, keeps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:  # noqa: FBT001 - a case
    """A home in which everything was used, while the service runs."""
    embedder = FakeEmbedder(dimension=64)
    for module in (bootstrap, answering):
        monkeypatch.setattr(module, "build_embedder", lambda _: embedder)
    Path("prices.toml").write_text(PRICES)
    monkeypatch.setenv("FARTHING_PRICES__FILE", str(tmp_path / "prices.toml"))
    monkeypatch.setenv("FARTHING_LEDGER__KEEP_QUESTION_TEXT", str(keeps).lower())
    Path("docs").mkdir()
    Path("docs/leave.md").write_text(f"# Leave\n\n{DOCUMENT}\n", encoding="utf-8")
    with FakeProvider(answer=draft) as provider:
        use_endpoint(monkeypatch, provider)
        assert run("index", "docs").status == 0
        answer = json.loads(run("ask", QUESTION, "--json").out)
        assert answer["outcome"] == "answered"
        Path("questions.jsonl").write_text(json.dumps({"question": f"{QUESTION} Or more?"}))
        assert run("batch", "questions.jsonl", "--out", "answers.jsonl").status == 0
        assert run("feedback", answer["id"], "wrong", "--comment", COMMENT).status == 0
        again = json.loads(run("ask", f"{QUESTION} Please.", "--json").out)
        assert run("cache", "pin", f"{QUESTION} Or more?").status == 0, again
        settings = load_settings()
        build_calibration(settings).replace(shipped_calibration(), "a test")
        tuned = Profile("tuned", "2026-01-02T03:04:05+00:00", ContextSettings(234), embedder.spec, "office", "hash", {})
        ProfileStore(settings.home).apply(tuned)
        PendingFile(settings.home / "ledger").keep(build_entry(), datetime(2026, 1, 1, tzinfo=UTC))
        ArithmeticVerdicts(settings.home, "a model", read_cpu()).decide(1.0, 1.0, 1.0)
        Path("docs/travel.md").write_text("# Travel\n\nA hotel may cost 140 euros.\n", encoding="utf-8")
        assert run("index", "docs").status == 0
        yield settings.home


@pytest.fixture
def service(used: Path) -> Iterator[TestClient]:  # noqa: ARG001 - what it serves
    """The service over the home, running."""
    with TestClient(bootstrap.build_application(load_settings())) as client:
        while client.get("/ready").status_code != HTTPStatus.OK:
            time.sleep(0.05)
        assert client.post("/v1/ask", json={"question": f"{QUESTION} Over HTTP?"}).status_code == HTTPStatus.OK
        yield client


def files(home: Path) -> dict[str, bytes]:
    """The files of a home by their paths, with what they hold."""
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


@pytest.mark.usefixtures("service")
def test_every_file_of_a_home_is_in_one_row_and_questions_are_where_it_says(used: Path, keeps: bool) -> None:  # noqa: FBT001 - a case
    rows = {row["where"]: row for row in _rows()}
    places: dict[str, dict[str, bytes]] = {where: {} for where in rows}
    for file, content in files(used).items():
        (where,) = (where for where, row in rows.items() if belongs(file, row))
        places[where][file] = content
    for where, row in rows.items():
        for pattern in patterns(row):
            assert any(belongs(file, {"where": f"`{pattern}`"}) for file in places[where]), f"{pattern} is not there"
        says = {"no": False, "yes": True, "with `ledger.keep_question_text`": keeps}[row["text of questions"]]
        assert any(CANARY.encode() in content for content in places[where].values()) == says, where
    said = [file for file, content in files(used).items() if COMMENT.encode() in content]
    assert said
    assert all(file.startswith("ledger/") for file in said)
    assert CANARY in Path("answers.jsonl").read_text(encoding="utf-8")


def test_the_log_has_a_line_for_what_is_answered_and_no_words_of_it(
    used: Path, service: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert used.is_dir()
    for _ in range(3):
        assert service.post("/v1/ask", json={"question": f"{QUESTION} Over HTTP?"}).json()["outcome"] == "answered"
    said = "".join(capsys.readouterr())
    assert said.count("asked") == 1, "what the cache gives again at once has none"
    assert not [words for words in (CANARY, DOCUMENT, COMMENT) if words in said]


def test_a_removed_document_is_gone_once_two_more_changes_have_been_indexed(run: Run, used: Path) -> None:
    before = set((used / "generations").iterdir())
    Path("docs/leave.md").unlink()
    for number in range(3):
        assert before & set((used / "generations").iterdir())
        Path(f"docs/more-{number}.md").write_text(f"# More\n\nThis is change {number}.\n", encoding="utf-8")
        assert run("index", "docs").status == 0
    assert not before & set((used / "generations").iterdir())


def test_what_is_removed_as_it_says_is_gone(run: Run, used: Path) -> None:
    assert run("cache", "clear", "--yes").status == 0
    assert not [file for file, content in files(used).items() if file.startswith("answers/") and CANARY.encode() in content]


def test_a_home_goes_on_without_any_row_and_what_it_says_is_lost(run: Run, used: Path) -> None:
    kept = used.with_name("copy")
    shutil.copytree(used, kept)
    pinned = f"{QUESTION} Or more?"
    for row in _rows():
        for pattern in patterns(row):
            if pattern.endswith("/"):
                shutil.rmtree(used / pattern, ignore_errors=True)
            else:
                (used / pattern).unlink(missing_ok=True)
        if row["what it holds"].startswith("the index"):
            assert run("index", "docs").status == 0
        answer = json.loads(run("ask", pinned, "--json").out)
        assert (answer["outcome"], answer["rung"]) == ("answered", "small" if "pinned" in row["what it holds"] else "cache")
        spent = json.loads(run("costs", "--json").out)
        assert (spent["total"]["wrong_answers"] == 0) == ("verdicts" in row["what it holds"])
        profiles = run("profiles", "list").out
        assert ("tuned" in profiles) == ("profiles" not in row["what it holds"])
        shutil.rmtree(used)
        shutil.copytree(kept, used)
        used.chmod(0o700)
