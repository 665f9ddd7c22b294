"""Questions that a model writes: taken where the section proves them, billed in any case, and left to the heading otherwise."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.bootstrap import open_ledger_reader
from app.costs.budgets import Limit, Payer, Period
from app.costs.errors import BudgetExhaustedError
from app.costs.ledger import Entry, Outcome, Surface
from app.costs.pricing import Price
from app.generation.endpoints import Endpoint, Prompt, Rungs
from app.generation.errors import EndpointUnavailableError
from app.settings import Settings, load_settings
from eval import cli
from eval.datasets.cases import exclude_unfindable, load_dataset
from eval.datasets.quotes import normalised_page
from eval.datasets.sentences import counted_rarity
from eval.questions.drafts import make_questions, write_questions
from eval.questions.writing import QuestionWriter, WrittenQuestion, question_prompt, read_question
from eval.replay.traffic import TrafficSettings, make_traffic
from indexing.chunking import chunk_document
from indexing.documents import DEFAULT_TENANT, EVERYONE, Chunk, Document
from indexing.language import ENGLISH
from indexing.planning import NoProgress
from tests.fakes.generator import FakeGenerator
from tests.fakes.ledger import FakeLedger
from tests.fakes.tokens import FakeTokenCounter

PAGE = """# Parking

## Permits

Each person may hold 2 permits. A permit costs $15 a month.

| Lot | Opens |
|---|---|
| North | 7:30 |
| South | 9:00 |
"""
GOOD = {
    "question": "What do I pay for my car?",
    "answer": "A permit costs $15 a month.",
    "units": [2],
    "paraphrase": "How much is a place for my car?",
    "near_miss": {"question": "How many cars may I bring?", "answer": "You may hold 2 permits.", "units": [1]},
}
PRICE = Price(Decimal(1), Decimal(10))


def chunk_of(markdown: str) -> Chunk:
    document = Document("parking.md", DEFAULT_TENANT, "", "parking.md", "parking.md", "Parking", markdown, None, (EVERYONE,), "")
    return next(chunk for chunk in chunk_document(document, FakeTokenCounter(), ENGLISH) if chunk.heading_path)


CHUNK = chunk_of(PAGE)


def read(**changes: Any) -> WrittenQuestion | None:
    return read_question(json.dumps(GOOD | changes), CHUNK, counted_rarity([CHUNK.text]), "max", ENGLISH)


def fake(answer: Callable[[Prompt], str]) -> FakeGenerator:
    return FakeGenerator(answer, FakeTokenCounter())


def endpoint(generator: FakeGenerator, name: str = "max") -> Endpoint:
    return Endpoint(name, name, generator, PRICE, 100_000, 500)


def office_reply(prompt: Prompt) -> str:
    """Writes well about the limits, cites what is not there about problems, and breaks off elsewhere."""
    units = prompt.user.split("<units>")[1]
    if "may use" in units:
        topic = units.split("may use ")[1].split()[0]
        answer = units.split("[1] ")[1].split("\n")[0]
        good = {
            "question": f"How long may I have the {topic}?",
            "answer": answer,
            "units": [1],
            "paraphrase": f"{topic}, how long?",
        }
        return json.dumps(good | {"near_miss": {"question": f"And my guests the {topic}?", "answer": None, "units": []}})
    return json.dumps(GOOD | {"units": [9]}) if "Report broken" in units else '{"question": "Who'


def test_the_prompt_numbers_the_units_below_the_page() -> None:
    prompt = question_prompt(CHUNK)

    assert prompt.wants_json
    assert "Page: Parking > " in prompt.user
    assert "[1] Each person may hold 2 permits.\n[2] A permit costs $15 a month." in prompt.user
    assert '"near_miss"' in prompt.system


def test_what_the_section_proves_is_taken() -> None:
    written = read()

    assert written
    assert written.quotes == ("A permit costs $15 a month.",)
    assert written.paraphrases == ("How much is a place for my car?",)
    assert [(one.answer, one.quotes) for one in written.near_misses] == [
        ("You may hold 2 permits.", ("Each person may hold 2 permits.",))
    ]


def test_a_table_is_a_quote_that_is_found_again() -> None:
    table = next(number for number, unit in enumerate(CHUNK.units, start=1) if unit.kind == "table")
    written = read(question="When can I get in?", answer="South opens at 9:00.", units=[table])

    assert written
    assert "South" in written.quotes[0]
    assert "\n" not in written.quotes[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"units": []},
        {"units": [0]},
        {"units": [2, 9]},
        {"units": "2"},
        {"answer": "A permit costs $25 a month."},
        {"answer": "A permit costs $15 a month. Each person may hold 5 permits.", "units": [1, 2]},
        {"answer": ""},
        {"answer": None},
        {"question": " "},
        {"question": "Why? " * 200},
    ],
)
def test_what_it_does_not_prove_is_refused(changes: dict[str, Any]) -> None:
    assert read(**changes) is None


@pytest.mark.parametrize("text", ["", "I cannot.", "[]", '{"question": "Who', "{" * 5_000, '{"question": "\\ud800"}'])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    assert read_question(text, CHUNK, counted_rarity([CHUNK.text]), "max", ENGLISH) is None


def test_words_around_the_object_do_no_harm() -> None:
    text = f"Here it is:\n```json\n{json.dumps(GOOD)}\n```\n"
    assert read_question(text, CHUNK, counted_rarity([CHUNK.text]), "max", ENGLISH) == read()


@pytest.mark.parametrize(
    "near_miss",
    [None, "?", {"answer": "2"}, GOOD, {"question": "How many?", "answer": "You may hold 7 permits.", "units": [1]}],
)
def test_a_near_miss_of_no_use_takes_nothing_from_the_question(near_miss: Any) -> None:
    written = read(near_miss=near_miss, paraphrase=3)

    assert written
    assert written.near_misses == ()
    assert written.paraphrases == ()


def test_rows_say_who_made_them_and_make_a_dataset_that_can_be_replayed(office: Path, settings: Settings, tmp_path: Path) -> None:
    generator, ledger = fake(office_reply), FakeLedger()
    writer = QuestionWriter("strong", [endpoint(generator)], ledger, FakeTokenCounter(), "prices", ENGLISH)
    rows = list(make_questions(settings, office / "docs", NoProgress(), writer))

    assert {row["made_by"] for row in rows} == {"heading", "model max"}
    assert all(row["review"] is True for row in rows)
    asked = next(row for row in rows if row["question"] == "How long may I have the parking?")
    assert asked["must_include"] == ["3 days"]
    assert asked["paraphrases"] == ["parking, how long?"]
    assert asked["near_misses"] == [{"question": "And my guests the parking?", "answer": "", "evidence": []}]
    assert len(generator.prompts) == len(rows) == len(ledger.written)
    assert writer.cost_usd == sum((one.receipt.cost_usd or Decimal(0) for one in ledger.written.values()), Decimal(0)) > 0
    assert {(one.spender.surface, one.outcome) for one in ledger.written.values()} == {(Surface.EVAL, Outcome.WORK)}

    (tmp_path / "docs").symlink_to(office / "docs")
    (tmp_path / "questions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    dataset = load_dataset(tmp_path)
    pages = {file.name: normalised_page(chunks(file)) for file in (office / "docs").iterdir()}
    assert len(exclude_unfindable(dataset, pages).cases) == len(rows)
    assert make_traffic(dataset, [], TrafficSettings(questions=50))


def chunks(file: Path) -> list[Chunk]:
    text = file.read_text(encoding="utf-8")
    document = Document(file.name, DEFAULT_TENANT, "", "", "", None, text, None, (EVERYONE,), "")
    return chunk_document(document, FakeTokenCounter(), ENGLISH)


def test_the_next_endpoint_writes_where_the_first_is_away_and_none_leaves_it_to_the_heading(
    office: Path, settings: Settings
) -> None:
    page = office / "docs" / "gym.md"
    away, other, ledger = fake(office_reply), fake(office_reply), FakeLedger()
    away.failures = [EndpointUnavailableError("it is away")] * 10
    both = QuestionWriter("small", [endpoint(away, "one"), endpoint(other, "two")], ledger, FakeTokenCounter(), "prices", ENGLISH)
    alone = QuestionWriter("small", [endpoint(away, "one")], ledger, FakeTokenCounter(), "prices", ENGLISH)

    assert "model two" in {row["made_by"] for row in make_questions(settings, page, NoProgress(), both)}
    assert {row["made_by"] for row in make_questions(settings, page, NoProgress(), alone)} == {"heading"}
    assert alone.cost_usd == 0


def test_a_budget_without_room_ends_the_rows_and_what_was_made_stays(office: Path, settings: Settings, tmp_path: Path) -> None:
    generator, ledger = fake(office_reply), FakeLedger([Limit(Payer.COMPANY, "*", Period.DAY, tokens=5_000)])
    writer = QuestionWriter("strong", [endpoint(generator)], ledger, FakeTokenCounter(), "prices", ENGLISH)
    out = tmp_path / "drafts.jsonl"
    with pytest.raises(BudgetExhaustedError):
        write_questions(make_questions(settings, office / "docs", NoProgress(), writer), out)

    assert 0 < len(out.read_text(encoding="utf-8").splitlines()) == len(generator.prompts)


@contextmanager
def entries_written(settings: Settings) -> Iterator[list[Entry]]:
    written: list[Entry] = []
    began = datetime.now(UTC)
    yield written
    with open_ledger_reader(settings) as reader:
        written += reader.entries(began, datetime.now(UTC) + timedelta(days=1))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and a strong model in place of an endpoint."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("FARTHING_HOME", str(folder))
    rungs = Rungs((endpoint(fake(lambda _: ""), "mini"),), (endpoint(fake(office_reply)),))
    monkeypatch.setattr("eval.questions.writing.build_rungs", lambda settings: rungs)  # noqa: ARG005 - as the name it stands for
    return folder


def test_the_command_writes_with_the_strong_model_and_says_what_it_cost(office: Path, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "drafts.jsonl"
    with entries_written(load_settings(home=home)) as written:
        result = CliRunner().invoke(cli.app, ["make-questions", str(office / "docs" / "gym.md"), "--out", str(out)])

    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert result.exit_code == 0, result.output
    assert "model max" in {row["made_by"] for row in rows}
    assert "A model wrote 1 of them, for $0.0" in result.stderr
    assert [entry.spender.surface for entry in written] == [Surface.EVAL] * len(rows)
    assert all(entry.receipt.cost_usd for entry in written)


def test_no_model_asks_none(office: Path, home: Path) -> None:
    with entries_written(load_settings(home=home)) as written:
        result = CliRunner().invoke(cli.app, ["make-questions", str(office / "docs" / "gym.md"), "--no-model"])

    assert {json.loads(line)["made_by"] for line in result.stdout.splitlines()} == {"heading"}
    assert "A model wrote" not in result.stderr
    assert written == []


def test_the_command_prints_what_it_has_when_the_budget_is_spent(
    office: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARTHING_BUDGETS", json.dumps([{"payer": "surface", "name": "eval", "period": "day", "tokens": 5_000}]))
    result = CliRunner().invoke(cli.app, ["make-questions", str(office / "docs")])

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1, (result.output, result.exception)
    assert 0 < len(rows) < 30
    assert "The drafts made until then are there." in result.stderr
    assert f"{len(rows)} drafts." in result.stderr
    assert home.is_dir()
