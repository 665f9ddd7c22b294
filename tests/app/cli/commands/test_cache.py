"""`farthing cache`, over a home with one page and one kept answer."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app import bootstrap, cli
from app.bootstrap import answering
from app.caching.entries import EntryKind
from app.settings import load_settings
from tests.fakes.embedder import FakeEmbedder

pytestmark = pytest.mark.usefixtures("best_unit_answers", "handbook")

Run = Callable[..., Any]
QUESTION = "How many days of leave?"
QUOTE = "Everybody has 27 days of leave."


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index, made once: starting the parser takes most of the time."""
    return tmp_path_factory.mktemp("handbook")


@pytest.fixture
def handbook(run: Run, monkeypatch: pytest.MonkeyPatch, indexed: Path) -> dict[str, Any]:
    """The kept answer, as it was printed."""
    monkeypatch.chdir(indexed)
    for module in (bootstrap, answering):
        monkeypatch.setattr(module, "build_embedder", lambda _: FakeEmbedder(dimension=64))
    if not Path("docs").exists():
        Path("docs").mkdir()
        Path("docs/leave.md").write_text(f"# Leave\n\n{QUOTE}\n", encoding="utf-8")
        run("index", "docs")
    run("cache", "clear", "--yes")
    answer: dict[str, Any] = json.loads(run("ask", QUESTION, "--json").out)
    return answer


def kept() -> list[EntryKind]:
    with bootstrap.open_answers(load_settings()) as store:
        return [stored.entry.kind for stored in store.entries()]


def test_stats_say_what_is_kept_and_by_what_it_is_decided(run: Run) -> None:
    for _ in range(2):
        run("ask", QUESTION)
    stats = json.loads(run("cache", "stats", "--json").out)
    assert (stats["entries"], stats["kinds"]["answer"], stats["evicted"], stats["faults"]) == (1, 1, 0, 0)
    assert stats["closer_look"]["count"] >= 2
    assert 0 < stats["closer_look"]["rate"] < 1
    assert stats["top"] == [{"question": QUESTION, "hits": 2, "saved_usd": "0"}]
    assert datetime.fromisoformat(stats["oldest"]) <= datetime.now(UTC)
    calibration = stats["calibration"]
    assert (calibration["serves"], calibration["verifies"], calibration["audits"]) == (False, False, 0)
    assert 0.5 < calibration["bound"] < calibration["needed"] == 0.99
    shown = run("cache", "stats")
    assert "kept       1 entry: 1 answer\n" in shown.out
    assert "in other words: answered afresh: only exact and same-words hits are given" in shown.out
    assert f"\n{QUESTION}" in shown.out


def test_show_says_why_an_answer_is_given_or_not(run: Run, handbook: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for named in (QUESTION.upper(), handbook["id"][:10]):
        (entry,) = json.loads(run("cache", "show", named, "--json").out)
        assert (entry["question"], entry["served"], entry["withheld"]) == (QUESTION, True, None)
        assert entry["citations"][0]["quote"] == QUOTE
    shown = run("cache", "show", QUESTION).out
    assert "now: given\n" in shown
    assert "dies when a cited page changes" in shown
    monkeypatch.setenv("FARTHING_LADDER__JUDGE", "false")
    (entry,) = json.loads(run("cache", "show", QUESTION, "--json").out)
    assert (entry["served"], entry["withheld"]) == (False, "it was made with other prompts, models, settings or another profile")


def test_what_is_not_kept_is_said(run: Run) -> None:
    done = run("cache", "show", "Who feeds the zebras?")
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert "Nothing is kept for 'Who feeds the zebras?'" in done.err


@pytest.mark.parametrize(
    "conditions",
    [
        ("--question", QUESTION.lower()),
        ("--document", "leave.md"),
        ("--label", "everyone", "--question", QUESTION),
    ],
)
def test_what_is_meant_is_dropped(run: Run, conditions: tuple[str, ...]) -> None:
    assert json.loads(run("cache", "drop", *conditions, "--json").out) == {"dropped": 1}
    assert kept() == []


@pytest.mark.parametrize(
    "conditions",
    [("--document", "travel.md"), ("--older-than", "1h"), ("--id", "x"), ("--document", "leave.md", "--label", "hr")],
)
def test_what_is_not_meant_stays(run: Run, conditions: tuple[str, ...]) -> None:
    assert run("cache", "drop", *conditions).out == "Dropped: 0\n"
    assert kept() == [EntryKind.ANSWER]


def test_dropping_nothing_in_particular_is_refused(run: Run) -> None:
    done = run("cache", "drop")
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert "farthing cache clear" in done.err
    assert "--older-than 'soon' cannot be read" in run("cache", "drop", "--older-than", "soon").err


def test_clearing_asks_unless_told(run: Run) -> None:
    done = run("cache", "clear")
    assert done.status == cli.REFUSED
    assert "This drops all 1 cached answers. Say so with --yes." in done.err
    assert kept() == [EntryKind.ANSWER]
    assert run("cache", "clear", "--yes").out == "Dropped: 1\n"
    assert kept() == []


@pytest.mark.parametrize(("said", "status", "left"), [("y", cli.OK, 0), ("", cli.PARTLY, 1), ("no", cli.PARTLY, 1)])
def test_on_a_terminal_it_asks(run: Run, monkeypatch: pytest.MonkeyPatch, said: str, status: int, left: int) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: said)
    assert run("cache", "clear").status == status
    assert len(kept()) == left


def test_a_kept_answer_is_pinned_by_its_id(run: Run, handbook: dict[str, Any]) -> None:
    done = run("cache", "pin", handbook["id"])
    assert done.out == f"Pinned: {QUESTION} (for everyone), until what it cites changes.\n"
    assert kept() == [EntryKind.PINNED]


def test_reviewed_words_keep_the_citations_of_the_kept_answer(run: Run) -> None:
    Path("reviewed.txt").write_text("You have 27 days [1].\n", encoding="utf-8")
    run("cache", "pin", QUESTION, "--answer", "reviewed.txt")
    answer = json.loads(run("ask", QUESTION, "--json").out)
    assert (answer["answer"], answer["rung"], answer["citations"][0]["quote"]) == ("You have 27 days [1].", "cache", QUOTE)


@pytest.mark.parametrize(("words", "why"), [("You have 27 days.", "has no mark"), ("27 days [2].", "points to [2]")])
def test_reviewed_words_cite(run: Run, words: str, why: str) -> None:
    Path("reviewed.txt").write_text(words, encoding="utf-8")
    done = run("cache", "pin", QUESTION, "--answer", "reviewed.txt")
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert why in done.err
    assert kept() == [EntryKind.ANSWER]


def test_a_reviewed_answer_is_pinned_to_a_question_that_nobody_asked(run: Run, handbook: dict[str, Any]) -> None:
    reviewed = {**handbook, "answer": "27 days, for everybody [1].", "groundedness": None}
    Path("reviewed.json").write_text(json.dumps(reviewed), encoding="utf-8")
    asked = "What is the leave of everybody?"
    (pinned,) = json.loads(run("cache", "pin", asked, "--answer", "reviewed.json", "--json").out)
    assert (pinned["question"], pinned["kind"], pinned["served"]) == (asked, "pinned", True)
    answer = json.loads(run("ask", asked, "--json").out)
    assert (answer["answer"], answer["rung"]) == ("27 days, for everybody [1].", "cache")


def test_a_reviewed_answer_goes_to_the_question_of_the_answer_that_is_named(run: Run, handbook: dict[str, Any]) -> None:
    Path("reviewed.json").write_text(json.dumps({**handbook, "answer": "27 days [1]."}), encoding="utf-8")
    (pinned,) = json.loads(run("cache", "pin", handbook["id"], "--answer", "reviewed.json", "--json").out)
    assert (pinned["question"], pinned["answer"]) == (QUESTION, "27 days [1].")


def test_a_reviewed_answer_quotes_what_stands_there(run: Run, handbook: dict[str, Any]) -> None:
    citation = {**handbook["citations"][0], "quote": "Everybody has 270 days of leave."}
    Path("reviewed.json").write_text(json.dumps({**handbook, "citations": [citation]}), encoding="utf-8")
    done = run("cache", "pin", QUESTION, "--answer", "reviewed.json")
    assert (done.status, done.out) == (cli.REFUSED, "")
    assert "The quote of [1] does not stand" in done.err


def test_a_file_that_is_no_answer_is_named(run: Run) -> None:
    Path("reviewed.json").write_text('{"answer": 1}', encoding="utf-8")
    assert "reviewed.json begins like JSON and holds no answer" in run("cache", "pin", QUESTION, "--answer", "reviewed.json").err
    assert "nowhere.txt cannot be read" in run("cache", "pin", QUESTION, "--answer", "nowhere.txt").err
    assert "The cache has no such answer" in run("cache", "pin", "Who feeds the zebras?").err


def test_a_cache_that_is_off_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_CACHE__ENABLED", "false")
    done = run("cache", "stats")
    assert done.status == cli.REFUSED
    assert "cache.enabled" in done.err


def test_what_a_person_calls_wrong_is_not_given_again(run: Run, handbook: dict[str, Any]) -> None:
    done = run("feedback", handbook["id"], "wrong")
    assert done.out == "Noted: the answer is wrong. The cache does not give it any more.\n"
    assert kept() == [EntryKind.WRONG]
    again = json.loads(run("ask", QUESTION, "--json").out)
    assert again["rung"] == "extractive"
    assert json.loads(run("ask", QUESTION, "--json").out)["id"] != again["id"], "nothing is kept for this wording"
    (entry,) = json.loads(run("cache", "show", QUESTION, "--json").out)
    assert (entry["answer"], entry["withheld"]) == (None, "a person marked the answer as wrong")
    run("feedback", again["id"], "right")
    assert kept() == [EntryKind.WRONG], "praise raises nothing"


def test_what_is_pinned_stays_when_somebody_calls_it_wrong_and_it_is_said(run: Run, handbook: dict[str, Any]) -> None:
    run("cache", "pin", handbook["id"])
    done = run("feedback", handbook["id"], "wrong")
    assert done.out == (
        "Noted: the answer is wrong. It is pinned, so the cache gives it on; `farthing cache drop` and `farthing cache pin` "
        "change that.\n"
    )
    assert kept() == [EntryKind.PINNED]
    (entry,) = json.loads(run("cache", "show", QUESTION, "--json").out)
    assert (entry["kind"], entry["served"], entry["verdict"]) == ("pinned", True, "wrong")
    assert "called wrong by whoever gave the last verdict on it" in run("cache", "show", QUESTION).out
    run("feedback", handbook["id"], "right")
    assert json.loads(run("cache", "show", QUESTION, "--json").out)[0]["verdict"] == "right"
    assert run("cache", "drop", "--id", handbook["id"]).out == "Dropped: 1\n"


def test_what_cannot_be_read_any_more_is_shown_as_such_and_not_pinned_again(run: Run, handbook: dict[str, Any]) -> None:
    run("cache", "pin", handbook["id"])
    with bootstrap.open_answers(load_settings()) as store:
        (stored,) = store.entries()
        store.put(replace(stored.entry, body=b"no JSON"))
    (entry,) = json.loads(run("cache", "show", QUESTION, "--json").out)
    assert (entry["kind"], entry["answer"], entry["served"]) == ("pinned", None, False)
    assert entry["withheld"].startswith("it was written by another release")
    assert "is no answer. Give --answer a file" in run("cache", "pin", QUESTION).err
    assert run("cache", "drop", "--document", "leave.md").out == "Dropped: 0\n"
    assert kept() == [EntryKind.PINNED]


def test_calibrating_is_handed_to_the_package_that_measures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("cache", "calibrate", "nowhere")
    assert done.status == cli.REFUSED
    assert "nowhere is missing. A dataset is a folder with docs/ and questions.jsonl." in done.err
    monkeypatch.setattr(cli, "entry_points", lambda **_: [])
    assert "needs the package `eval`" in run("cache", "calibrate", "nowhere").err
