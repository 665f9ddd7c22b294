"""Calibrating the answer cache on a dataset of one's own."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.bootstrap.caching import build_calibration
from app.caching.rules.calibration import Band, Calibration, shipped_calibration
from app.settings import Settings
from eval import cli
from eval.calibration.calibration import Calibrated, calibrate_dataset, keyword_wordings
from eval.calibration.pairs import Wording, WordingKind
from eval.errors import DatasetError
from indexing.embedding import Embedder
from indexing.planning import NoProgress
from tests.app.conftest import extract_best

Write = Callable[..., Path]


def question(text: str, kind: WordingKind = WordingKind.QUESTION) -> Wording:
    return Wording("q", "q", kind, text)


def test_keywords_are_what_people_type_into_a_search_box() -> None:
    made = keyword_wordings(
        [question("For how many days may I use the lockers?"), question("days of leave", WordingKind.PARAPHRASE)]
    )
    assert [(one.kind, one.text, one.answer_id) for one in made] == [("paraphrase", "days lockers", "q")]
    assert keyword_wordings([question("Who is it?"), question("parking fee")]) == []


def rows() -> list[dict[str, Any]]:
    """Two questions on each of some pages, with other wordings that share their words and near misses that do, too."""
    made = []
    for number, topic in enumerate(("parking", "lockers", "badges", "laptops", "monitors", "printers", "chairs", "desks", "gym")):
        quote = f"The office team looks after {topic} for everybody."
        made.append(
            {
                "id": f"q-{topic}",
                "question": f"For how many days in a year may each person use {topic}?",
                "answer": f"{number + 3} days",
                "must_include": [],
                "evidence": [{"doc": f"{topic}.md", "quote": quote}] if topic != "gym" else [],
                "type": "number",
                "paraphrases": [f"days in a year each person may use {topic}", f"{topic} use, days in a year for each person"],
                "near_misses": [{"question": f"each person {topic} problems"}, {"question": f"{topic}, office team, everybody"}],
            }
        )
    return made


@pytest.fixture
def own_settings(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"home": tmp_path / "home"})


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wording is answered from the best unit: what the learned weights make of so small a company is not the point."""
    monkeypatch.setattr("eval.calibration.pairs.extract", extract_best)


@pytest.mark.usefixtures("answering")
def test_what_was_learned_decides_in_the_home(write_dataset: Write, own_settings: Settings, embedder: Embedder) -> None:
    assert build_calibration(own_settings)() == shipped_calibration()
    made = calibrate_dataset(own_settings, write_dataset(rows()), NoProgress(), embedder)
    live = build_calibration(own_settings).learned()
    assert (live.calibration, live.made_from, live.audits) == (made.calibration, made.made_from, 0)
    assert made.made_from.startswith("office: 8 questions, 16 paraphrases, 16 near misses, on 20")
    assert made.proposals > 0
    assert made.file.parent == own_settings.home.resolve()


@pytest.mark.usefixtures("answering")
def test_without_paraphrases_rules_make_some_and_say_so(write_dataset: Write, own_settings: Settings, embedder: Embedder) -> None:
    plain = [{**row, "paraphrases": []} for row in rows()]
    made = calibrate_dataset(own_settings, write_dataset(plain), NoProgress(), embedder)
    assert "8 paraphrases made by rules" in made.made_from


@pytest.mark.usefixtures("answering")
def test_a_mark_before_the_first_row_changes_nothing(write_dataset: Write, own_settings: Settings, embedder: Embedder) -> None:
    folder = write_dataset(rows())
    file = folder / "questions.jsonl"
    file.write_text(file.read_text(encoding="utf-8"), encoding="utf-8-sig")
    made = calibrate_dataset(own_settings, folder, NoProgress(), embedder)
    assert made.made_from.startswith("office: 8 questions, 16 paraphrases, 16 near misses, on 20")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("paraphrases", "one text", "must be a list of texts"),
        ("paraphrases", [""], "must be a list of texts"),
        ("near_misses", ["one text"], "must be an object with a 'question'"),
        ("near_misses", [{"question": 3}], "must be an object with a 'question'"),
    ],
)
def test_other_wordings_that_are_not_usable_are_named(
    write_dataset: Write, own_settings: Settings, embedder: Embedder, field: str, value: object, words: str
) -> None:
    folder = write_dataset([*rows()[:1], {**rows()[1], field: value}])
    with pytest.raises(DatasetError, match=f"questions.jsonl:2: .*{words}"):
        calibrate_dataset(own_settings, folder, NoProgress(), embedder)
    assert not own_settings.home.exists()


@pytest.mark.usefixtures("answering")
def test_too_little_to_learn_from_leaves_what_was_in_force(
    write_dataset: Write, own_settings: Settings, embedder: Embedder
) -> None:
    with pytest.raises(DatasetError, match="too few"):
        calibrate_dataset(own_settings, write_dataset(rows()[:1]), NoProgress(), embedder)
    assert build_calibration(own_settings)() == shipped_calibration()


MADE = Calibrated(Calibration({}, 0.0, (Band(0.0, 40, 20), Band(0.9, 400, 400))), "the manual", Path("home/calibration.json"))


def test_it_is_said_how_many_each_bound_would_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "calibrate_dataset", lambda *_: MADE)
    shown = CliRunner().invoke(cli.app, ["calibrate-cache", "office"]).stdout
    assert "given on the evidence alone at a bound of 99%: 400 of 440" in shown
    assert "Made from the manual." in shown
    printed = json.loads(CliRunner().invoke(cli.app, ["calibrate-cache", "office", "--json"]).stdout)
    assert printed["served"][-1] == {"bound": 0.99, "served": 400}
    assert printed["bands"][0]["right"] == 20
    assert replace(MADE, calibration=Calibration({}, 0.0, (Band(0.0, 40, 20),))).served[0.99] == 0
