"""Index, ask, status and doctor as a person calls them, with a model that hashes words."""

import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import bootstrap, cli
from app.bootstrap import answering, index
from app.settings import Settings, load_settings
from indexing.embedding import Embedder
from tests.fakes.embedder import FakeEmbedder


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str


Run = Callable[..., Done]

BUILD_REAL_EMBEDDER = bootstrap.build_embedder


def use_embedder(monkeypatch: pytest.MonkeyPatch, build: Callable[[Settings], Embedder]) -> None:
    """For indexing, asking and looking."""
    for module in (bootstrap, answering, index):
        monkeypatch.setattr(module, "build_embedder", build)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Calls `farthing` in a folder of the test's own, with a folder `docs` of two pages."""
    monkeypatch.chdir(tmp_path)
    use_embedder(monkeypatch, lambda _: FakeEmbedder(dimension=64))
    Path("docs").mkdir()
    Path("docs/leave.md").write_text("# Leave\n\nEverybody has 27 days of leave.\n", encoding="utf-8")
    Path("docs/travel.md").write_text("# Travel\n\nA hotel may cost 140 euros.\n", encoding="utf-8")

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["farthing", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return Done(int(end.value.code or 0), captured.out, captured.err)

    return call


def is_plain(text: str) -> bool:
    return all(character == "\n" or character.isprintable() for character in text)


def test_the_first_index_makes_a_private_home_and_reports(run: Run) -> None:
    done = run("index", "docs")
    assert (done.status, done.err) == (cli.OK, "")
    assert is_plain(done.out)
    assert "2 chunks: 2 embedded" in done.out
    assert stat.S_IMODE(Path(".farthing").stat().st_mode) == 0o700


def test_index_json_has_exactly_the_documented_shape(run: Run) -> None:
    report = json.loads(run("index", "docs", "--json").out)
    assert list(report) == ["documents", "chunks", "tokens_embedded", "seconds", "generation"]
    assert report["documents"] == {"new": 2, "changed": 0, "moved": 0, "unchanged": 0, "removed": 0, "skipped": []}
    assert report["chunks"] == {"total": 2, "embedded": 2, "reused": 0}
    again = json.loads(run("index", "docs", "--json").out)
    assert again["documents"]["unchanged"] == 2
    assert again["generation"] == report["generation"]


def test_a_dry_run_changes_nothing_and_adds_an_estimate(run: Run) -> None:
    done = run("index", "docs", "--dry-run", "--json")
    report = json.loads(done.out)
    assert list(report) == ["documents", "chunks", "tokens_embedded", "seconds", "generation", "estimate"]
    assert report["documents"]["new"] == 2
    assert report["chunks"]["embedded"] == 2
    assert report["tokens_embedded"] > 0
    assert list(report["estimate"]) == ["seconds", "embedding_api_usd", "model"]
    assert float(report["estimate"]["embedding_api_usd"]) == pytest.approx(report["tokens_embedded"] * 0.02e-6)
    assert not Path(".farthing").exists()
    shown = run("index", "docs", "--dry-run")
    assert "Nothing was done" in shown.out
    assert "openai/text-embedding-3-small" in shown.out


def test_an_unlisted_embedding_api_costs_an_unknown_amount(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_EMBEDDING__API_PRICE_MODEL", "nobody/nothing")
    assert json.loads(run("index", "docs", "--dry-run", "--json").out)["estimate"]["embedding_api_usd"] is None
    assert "unknown by nobody/nothing" in run("index", "docs", "--dry-run").out


def test_skipped_files_are_named_and_change_the_exit_status(run: Run) -> None:
    Path("docs/broken.pdf").write_bytes(b"%PDF-1.7 nothing else")
    done = run("index", "docs")
    assert done.status == cli.PARTLY
    assert "skipped  broken.pdf: " in done.out
    assert json.loads(run("index", "docs", "--json").out)["documents"]["skipped"][0]["path"] == "broken.pdf"


def test_a_file_name_cannot_drive_the_terminal(run: Run) -> None:
    Path("docs/\x1b[2Jwipe.pdf").write_bytes(b"%PDF-1.7 nothing else")
    assert is_plain(run("index", "docs").out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Name a folder or a file"),
        (("--source", "wiki"), "Name at least one"),
        (("--label", "hr"), "Name at least one"),
        (("nowhere",), "nowhere"),
        (("docs", "--label", "h r"), "'h r' is not an access label"),
    ],
)
def test_an_index_that_cannot_work_is_refused(run: Run, arguments: tuple[str, ...], words: str) -> None:
    done = run("index", *arguments)
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert words in done.err


def test_paths_are_sources_of_their_own_unless_they_get_a_name(run: Run) -> None:
    Path("note.md").write_text("# Note\n\nThe office closes at six.\n", encoding="utf-8")
    run("index", "docs", "note.md")
    assert json.loads(run("status", "--json").out)["sources"] == [str(Path("docs").resolve()), str(Path("note.md").resolve())]
    run("index", "docs", "--source", "manual")
    assert "manual" in json.loads(run("status", "--json").out)["sources"]


READER = """
    from llama_index.core.readers.base import BaseReader
    from llama_index.core.schema import Document

    class TwoPages(BaseReader):
        def load_data(self, prefix):
            return [Document(text=f"# Page {n}\\n\\nPage {n} of {prefix}.", metadata={"file_name": f"{n}.md"}) for n in (1, 2)]
"""


def test_no_page_is_indexed_twice_under_two_sources(run: Run, tmp_path: Path) -> None:
    inner = tmp_path / "kb" / "hr"
    inner.mkdir(parents=True)
    (inner / "pay.md").write_text("# Pay\n\nSalaries are paid on the 25th.\n", encoding="utf-8")
    outer = str(tmp_path / "kb")
    both = run("index", outer, str(inner))
    assert (both.status, "lies inside" in both.err) == (cli.REFUSED, True)
    assert run("index", outer).status == cli.OK
    for arguments in ((str(inner),), (str(tmp_path),)):
        refused = run("index", *arguments)
        assert refused.status == cli.REFUSED
        assert "would be indexed twice" in refused.err
        assert f"--source {outer}" in refused.err
    assert run("index", outer).status == cli.OK


def test_without_a_path_the_readers_of_the_settings_are_indexed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own_reader.py").write_text(textwrap.dedent(READER), encoding="utf-8")
    monkeypatch.syspath_prepend(Path.cwd())
    Path("farthing.toml").write_text(
        "[[sources]]\nname = 'wiki'\nclass = 'own_reader.TwoPages'\nlabels = ['staff']\narguments = { prefix = 'wiki' }\n"
    )
    done = run("index", "--json")
    assert json.loads(done.out)["documents"]["new"] == 2, done.err
    assert run("ask", "Which page?", "--label", "staff").status != cli.REFUSED
    assert run("ask", "Which page?", "--label", "stuff").status == cli.REFUSED


@pytest.mark.usefixtures("best_unit_answers")
def test_an_answer_reads_well_and_carries_no_control_characters(run: Run) -> None:
    Path("docs/evil.md").write_text("# Parking\n\nParking costs \x1b[31m9\u202e euros a day.\n", encoding="utf-8")
    run("index", "docs")
    done = run("ask", "What does parking cost a day in euros?")
    assert (done.status, done.err) == (cli.OK, "")
    assert is_plain(done.out)
    assert "[1] Parking" in done.out
    assert "docs/evil.md:3" in done.out
    assert "the naive prompt" in done.out


@pytest.mark.usefixtures("always_abstains")
def test_an_abstention_shows_the_closest_pages_and_has_its_own_exit_status(run: Run) -> None:
    run("index", "docs")
    done = run("ask", "How many moons has Mars?")
    assert done.status == cli.PARTLY
    assert done.out.startswith("Nothing in the documents")
    assert "docs/leave.md" in done.out


@pytest.mark.usefixtures("best_unit_answers")
def test_ask_json_prints_what_the_http_route_returns(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_CACHE__ENABLED", "false")
    run("index", "docs")
    printed = json.loads(run("ask", "How many days of leave?", "--json").out)
    with TestClient(bootstrap.build_application(load_settings())) as client:
        while client.get("/ready").status_code != 200:
            time.sleep(0.02)
        returned = client.post("/v1/ask", json={"question": "How many days of leave?"}).json()
    for answer in (printed, returned):
        answer.pop("id")
        answer["receipt"].pop("ms")
        for line in answer["receipt"]["lines"]:
            line.pop("ms")
    assert json.dumps(printed) == json.dumps(returned)


@pytest.mark.usefixtures("best_unit_answers")
def test_a_follow_up_comes_after_a_kept_answer(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("index", "docs")
    kept = run("ask", "What may a hotel cost?", "--json").out
    Path("previous.json").write_text(kept, encoding="utf-8")
    follow_up = "And where do unused ones go?"
    (from_file,) = json.loads(run("ask", follow_up, "--after", "previous.json", "--json").out)["citations"]
    assert from_file["document"] == "travel.md"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(kept.encode())))
    (from_stdin,) = json.loads(run("ask", follow_up, "--after", "-", "--json").out)["citations"]
    assert from_stdin == from_file


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "nowhere.json cannot be read"), ("", "does not hold an answer"), ('{"question": "Why?"}', "does not hold an answer")],
)
def test_a_previous_answer_that_cannot_be_read_is_refused(run: Run, content: str | None, words: str) -> None:
    if content is not None:
        Path("nowhere.json").write_text(content, encoding="utf-8")
    done = run("ask", "And then?", "--after", "nowhere.json")
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert words in done.err


@pytest.mark.usefixtures("best_unit_answers")
def test_labels_open_their_documents_and_no_others(run: Run) -> None:
    run("index", "docs")
    Path("pay").mkdir()
    Path("pay/pay.md").write_text("# Pay\n\nThe director earns 90,000 euros of salary.\n", encoding="utf-8")
    run("index", "pay", "--label", "hr")
    question = "What salary does the director earn?"
    assert "90,000" in run("ask", question, "--label", "hr").out
    assert "90,000" not in run("ask", question).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("",), "The question is empty"),
        (("x" * 100_000,), "100,000 characters; the limit is 2,000"),
        (("Why?", "--label", "nix"), "No indexed document carries the label 'nix'"),
        (("Why?", "--label", ""), "'' is not an access label"),
        ((), "Missing argument"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(run: Run, arguments: tuple[str, ...], words: str) -> None:
    run("index", "docs")
    done = run("ask", *arguments)
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert words in done.err


@pytest.mark.parametrize("command", [("ask", "Why?"), ("status",), ("status", "--json")])
def test_without_an_index_each_command_says_how_to_make_one_and_makes_nothing(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command)
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert "farthing index PATH" in done.err
    assert not Path(".farthing").exists()


def test_an_index_of_another_model_is_named_with_the_remedy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("index", "docs")
    use_embedder(monkeypatch, lambda _: FakeEmbedder(dimension=32))
    done = run("ask", "Why?")
    assert done.status == cli.REFUSED
    assert "64 dimensions" in done.err
    assert "32 dimensions" in done.err
    assert "embedding.model" in done.err


def test_a_foreign_home_is_refused(run: Run) -> None:
    Path(".farthing").mkdir(mode=0o700)
    Path(".farthing/current").write_text("something else\n")
    done = run("ask", "Why?")
    assert done.status == cli.REFUSED
    assert ".farthing" in done.err


def test_an_open_home_is_refused_by_every_command(run: Run) -> None:
    Path(".farthing").mkdir()
    Path(".farthing").chmod(0o755)
    for command in (("index", "docs"), ("index", "docs", "--dry-run"), ("ask", "Why?"), ("status",)):
        done = run(*command)
        assert done.status == cli.REFUSED
        assert "chmod 700" in done.err


def test_a_typo_in_the_settings_stops_every_command(run: Run) -> None:
    Path("farthing.toml").write_text("[indx]\nengine = 'edge'\n")
    for command in (("index", "docs"), ("ask", "Why?"), ("serve",), ("status",)):
        done = run(*command)
        assert (done.status, done.out) == (cli.REFUSED, "")
        assert "`indx`" in done.err
        assert "`index`" in done.err


def test_status_says_what_is_indexed(run: Run) -> None:
    report = json.loads(run("index", "docs", "--json").out)
    status = json.loads(run("status", "--json").out)
    assert list(status) == [
        "generation", "documents", "chunks", "units", "index_bytes", "cache_bytes", "engine", "model", "dimension",
        "indexed_at", "indexed_by", "sources",
    ]  # fmt: skip
    assert (status["documents"], status["chunks"], status["generation"]) == (2, 2, report["generation"])
    assert "farthing" in status["indexed_by"]
    shown = run("status")
    assert shown.status == cli.OK
    assert report["generation"] in shown.out


def test_doctor_is_well_before_and_after_an_index(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_SERVER__PORT", "0")
    before = run("doctor")
    assert before.status == cli.OK, before.out
    assert all(line.startswith("ok ") for line in before.out.splitlines())
    run("index", "docs")
    assert "can be asked" in run("doctor").out


def test_doctor_names_each_problem_with_its_remedy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".farthing").mkdir()
    Path(".farthing").chmod(0o777)
    Path("farthing.toml").write_text("[baseline]\nmodel = 'nobody/nothing'\n[embedding]\nmodel = 'no/such/model'\n")
    monkeypatch.setattr("app.bootstrap.home._ROOM_BYTES", 10**18)
    use_embedder(monkeypatch, BUILD_REAL_EMBEDDER)
    done = run("doctor")
    assert done.status == cli.REFUSED
    problems = {line.split(":")[0].split()[1] for line in done.out.splitlines() if line.startswith("problem")}
    assert problems >= {"home", "disk", "prices", "model", "index"}


def test_doctor_says_when_the_server_cannot_be_reached(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_INDEX__ENGINE", "qdrant")
    monkeypatch.setenv("FARTHING_QDRANT__URL", "http://127.0.0.1:9")
    monkeypatch.setenv("FARTHING_QDRANT__TIMEOUT_S", "1")
    done = run("doctor")
    assert done.status == cli.REFUSED
    assert "problem  engine: " in done.out


def test_doctor_says_what_is_wrong_with_the_settings(run: Run) -> None:
    Path("farthing.toml").write_text("x = 1\n")
    done = run("doctor")
    assert done.status == cli.REFUSED
    assert done.out.startswith("problem  settings: ")


INTERRUPTED = """
    import sys, time
    from pathlib import Path
    from app import bootstrap, cli
    from tests.fakes.embedder import FakeEmbedder

    class Slow(FakeEmbedder):
        def embed_documents(self, texts):
            Path("embedding").touch()
            time.sleep(30)

    bootstrap.build_embedder = lambda _: Slow(dimension=64)
    sys.argv = ["farthing", "index", "docs"]
    cli.main()
"""


def test_an_interrupt_leaves_the_old_generation_and_says_so(run: Run) -> None:
    before = json.loads(run("index", "docs", "--json").out)["generation"]
    Path("docs/new.md").write_text("# New\n\nA new page.\n", encoding="utf-8")
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(INTERRUPTED)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not Path("embedding").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == cli.INTERRUPTED, err
    assert "goes on serving" in err
    assert "Traceback" not in err
    assert json.loads(run("status", "--json").out)["generation"] == before


@pytest.mark.model
@pytest.mark.slow
def test_the_real_thing_answers_from_a_page_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "leave.md").write_text(
        "# Leave\n\n## How many days\n\nFull-time employees have 27 days of paid leave in a calendar year.\n", encoding="utf-8"
    )

    def farthing(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from app.cli import main; main()", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )

    indexed = farthing("index", "leave.md")
    assert (indexed.returncode, indexed.stderr) == (cli.OK, "")
    asked = farthing("ask", "How many days of paid leave do full-time employees have?", "--json")
    assert (asked.returncode, asked.stderr) == (cli.OK, "")
    answer = json.loads(asked.stdout)
    assert "27 days" in answer["answer"]
    assert answer["citations"][0]["lines"] == [5, 5]


def test_serve_refuses_a_port_that_is_in_use(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert done.status == cli.REFUSED
    assert f"127.0.0.1:{port} cannot be listened on: it is in use" in done.err
    assert done.out == ""


def test_serve_refuses_a_host_that_is_not_there(run: Run) -> None:
    done = run("serve", "--host", "no-such-host.invalid")
    assert done.status == cli.REFUSED
    assert "no-such-host.invalid:8040 cannot be listened on" in done.err
