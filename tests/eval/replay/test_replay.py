"""Replaying traffic through the answer cache and its rivals."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from app.settings import Settings, load_settings
from eval import cli
from eval.errors import DatasetError
from eval.replay.replay import Replayed, replay_dataset
from eval.replay.report import REPLAY_FILE, REPLAY_REPORT, show_replay, summarise_replay, write_replay
from eval.replay.traffic import TrafficSettings
from indexing.embedding import Embedder
from indexing.planning import NoProgress

RUNNER = CliRunner()
TOPICS = ("parking", "bicycles", "lockers", "showers", "canteen", "badges")
ARMS = [
    "farthing", "farthing-verified", "no-cache", "exact-only", "similarity-0.80", "similarity-0.90", "similarity-0.95", "perfect",
]  # fmt: skip


def row(topic: str, number: int) -> dict[str, Any]:
    quote = f"Each person may use {topic} for {number} days in a year."
    near = f"Report broken {topic} to the desk on floor {number}."
    return {
        "id": topic,
        "question": f"For how many days in a year may I use {topic}?",
        "answer": quote,
        "must_include": [f"{number} days"],
        "evidence": [{"doc": f"{topic}.md", "quote": quote}],
        "type": "number",
        "paraphrases": [f"How many days in a year may each person use {topic}?"],
        "near_misses": [
            {
                "question": f"On which floor may I report broken {topic}?",
                "answer": near,
                "evidence": [{"doc": f"{topic}.md", "quote": near}],
            }
        ],
    }


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six rows over six pages, two of which change."""
    folder = tmp_path_factory.mktemp("data") / "office"
    (folder / "docs").mkdir(parents=True)
    rows = [row(topic, number) for number, topic in enumerate(TOPICS, start=3)]
    edits = []
    for line in rows:
        text = f"# {line['id'].capitalize()}\n\n{line['answer']}\n\n## Problems\n\n{line['near_misses'][0]['answer']}\n"
        (folder / "docs" / f"{line['id']}.md").write_text(text, encoding="utf-8")
        edits.append({"status": "M", "path": f"{line['id']}.md", "before": text.replace("Each", "Every"), "after": text})
    (folder / "questions.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in rows), encoding="utf-8")
    (folder / "edits.jsonl").write_text("".join(f"{json.dumps(edit)}\n" for edit in edits[::3]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def replayed(handbook: Path, settings: Settings, embedder: Embedder) -> Replayed:
    return replay_dataset(settings, handbook, TrafficSettings(160, users=4, syncs=1), NoProgress(), embedder=embedder)


def test_every_arm_is_asked_everything_and_the_product_gives_nothing_stale_or_foreign(replayed: Replayed) -> None:
    arms = summarise_replay(replayed)["arms"]
    assert list(arms) == ARMS
    assert {arm["asked"] for arm in arms.values()} == {160}
    for name in ("farthing", "farthing-verified"):
        assert (arms[name]["stale"], arms[name]["foreign"]) == (0, 0)
        assert arms[name]["wrong"] == 0
        assert sum(arms[name]["hits"].values()) > sum(arms["exact-only"]["hits"].values())
    assert arms["farthing"]["hits"]["verified"] == 0
    assert arms["no-cache"]["hits"] == {"exact": 0, "same_words": 0, "verified": 0}


def test_a_similarity_cache_gives_what_is_wrong_stale_and_foreign(replayed: Replayed) -> None:
    arm = summarise_replay(replayed)["arms"]["similarity-0.80"]
    assert arm["wrong"] > 0
    assert arm["stale"] > 0
    assert arm["foreign"] > 0
    assert arm["wrong"] / arm["hits"]["similar"] < arm["wrong_upper"] < 1


def test_a_hit_costs_nothing_and_what_is_made_costs_what_it_does_without_a_cache(replayed: Replayed) -> None:
    for own, free in zip(replayed.judged["farthing"], replayed.judged["no-cache"], strict=True):
        assert own.given.cost_usd == (0 if own.given.kind else free.given.cost_usd)


def test_the_perfect_cache_hits_most_of_those_that_are_never_wrong(replayed: Replayed) -> None:
    arms = summarise_replay(replayed)["arms"]
    assert (arms["perfect"]["wrong"], arms["perfect"]["stale"], arms["perfect"]["foreign"]) == (0, 0, 0)
    assert sum(arms["perfect"]["hits"].values()) >= sum(arms["farthing-verified"]["hits"].values())


def test_results_are_written_as_json_and_as_a_page_and_printed(replayed: Replayed, tmp_path: Path) -> None:
    content = summarise_replay(replayed)
    write_replay(content, tmp_path / "out")
    assert json.loads((tmp_path / "out" / REPLAY_FILE).read_text(encoding="utf-8")) == content
    page = (tmp_path / "out" / REPLAY_REPORT).read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    screen = Console(width=220, record=True)
    show_replay(content, screen)
    printed = screen.export_text()
    assert all(name in printed and name in page for name in ARMS)


def test_the_command_prints_a_table_or_json_and_writes_both_files(
    handbook: Path, settings: Settings, embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARTHING_HOME", str(settings.home))
    monkeypatch.setattr("eval.replay.replay.build_embedder", lambda _: embedder)
    command = ["replay", str(handbook), "--questions", "12", "--syncs", "1", "--out", str(tmp_path / "x"), "--json"]
    printed = RUNNER.invoke(cli.app, command)
    assert printed.exit_code == 0, printed.output
    assert json.loads(printed.stdout) == json.loads((tmp_path / "x" / REPLAY_FILE).read_text(encoding="utf-8"))
    assert (tmp_path / "x" / REPLAY_REPORT).is_file()


def test_near_misses_that_are_not_usable_are_named_though_none_is_asked(
    tmp_path: Path, settings: Settings, embedder: Embedder
) -> None:
    (tmp_path / "docs").mkdir()
    good, bad = row("parking", 3), row("lockers", 4) | {"near_misses": [{"answer": "7"}]}
    for line in (good, bad):
        (tmp_path / "docs" / f"{line['id']}.md").write_text(f"# Use\n\n{line['answer']}\n", encoding="utf-8")
    (tmp_path / "questions.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"questions\.jsonl:2: each of 'near_misses' must be an object with a 'question'"):
        replay_dataset(settings, tmp_path, TrafficSettings(9, near_misses=False), NoProgress(), embedder=embedder)


def test_an_interruption_leaves_nothing_behind(handbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> Replayed:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "replay_dataset", interrupt)
    stopped = RUNNER.invoke(cli.app, ["replay", str(handbook), "--out", str(tmp_path / "x")])
    assert stopped.exit_code == 130
    assert "Interrupted" in stopped.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.data
@pytest.mark.model
@pytest.mark.slow
def test_a_real_handbook_with_its_edits_is_answered_without_stale_or_foreign_hits(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("FARTHING_HOME", str(home))
    settings = load_settings()
    traffic = TrafficSettings(300, syncs=4)
    arms = summarise_replay(replay_dataset(settings, shared_data / "handbook-18f", traffic, NoProgress()))["arms"]
    for name in ("farthing", "farthing-verified"):
        assert (arms[name]["stale"], arms[name]["foreign"]) == (0, 0)
        assert sum(arms[name]["hits"].values()) > 0
    assert arms["farthing"]["wrong"] == 0
    assert arms["similarity-0.80"]["stale"] > 0
    assert arms["similarity-0.80"]["foreign"] > 0
