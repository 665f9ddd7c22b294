"""What is written for people is true: commands parse, links and paths resolve, defaults and limits are those of the code."""

import json
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import typer
import yaml

from app.adapters.genai_prices import GenaiPriceBook
from app.answers.shapes import AnswerShape
from app.api.errors import PROBLEMS, ProblemShape
from app.cli import PLUGINS, app
from app.costs.price_file import PriceFileBook
from app.settings import DEFAULTS_FILE, FILE_VARIABLE, known_keys, load_settings
from indexing.adapters.formats import FORMATS
from tests.written import BLOCK, LINK, MANUAL, PAGES, ROOT, SPAN, TEXTS, anchors, blocks, name_of, read

QUESTIONS = ROOT / "eval" / "datasets" / "manual" / "questions.jsonl"

_KINDS = {"number", "yes_no", "list", "fact", "procedure", "definition", "unanswerable"}


def _shown_commands() -> Iterator[tuple[str, str]]:
    for path in TEXTS:
        text = read(path)
        lines = [line for block in blocks(text, "sh", "console") for line in block.replace("\\\n", " ").splitlines()]
        for line in [*lines, *SPAN.findall(BLOCK.sub("", text))]:
            command = line.strip().removeprefix("$ ")
            if command.startswith(("farthing ", "make ")):
                yield name_of(path), command


COMMANDS = sorted(set(_shown_commands()))


@pytest.mark.parametrize(("page", "command"), [pair for pair in COMMANDS if pair[1].startswith("farthing ")])
def test_shown_command_exists_with_its_options(page: str, command: str) -> None:
    plugins = {plugin.name: plugin for plugin in entry_points(group=PLUGINS)}
    name, *arguments = shlex.split(command)[1:]
    if name == "--help":
        return
    if name == "ask" and all(word.startswith("-") for word in arguments):
        arguments.append("the text speaks of the command without a question")
    if name not in plugins:
        _parse(typer.main.get_command(app), [name, *arguments], page)
    elif arguments:  # else the text only names it
        _parse(typer.main.get_command(plugins[name].load()), arguments, page)


def _parse(command: object, words: list[str], page: str) -> None:
    if isinstance(command, typer.core.TyperGroup):
        name, *words = words
        assert name in command.commands, f"{page} shows the command `{name}`, and there is no such command"
        if words:  # else the text may only name it
            command.commands[name].make_context(name, words)
    else:
        assert isinstance(command, typer.core.TyperCommand)
        command.make_context(command.name, words)


@pytest.mark.parametrize(("page", "command"), [pair for pair in COMMANDS if pair[1].startswith("make ")])
def test_shown_make_target_exists(page: str, command: str) -> None:
    makefile = read(ROOT / "Makefile")
    for word in shlex.split(command)[1:]:
        assert "=" in word or re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE), f"{page} shows `{command}`"


def test_commands_are_found_in_the_texts() -> None:
    assert len(COMMANDS) > 20
    assert {"make demo", "make test"} <= {command for _, command in COMMANDS}


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(read(path)):
        if not target.startswith(("https://", "http://")):
            page, _, anchor = target.partition("#")
            linked = path.parent / page if page else path
            assert linked.exists(), f"{name_of(path)} links to {target}"
            assert not anchor or anchor in anchors(read(linked)), f"{name_of(path)} links to {target}"


def test_every_page_has_a_title_and_is_in_the_contents() -> None:
    listed = set(LINK.findall(read(MANUAL / "index.md")))
    for path in PAGES:
        front_matter = yaml.safe_load(read(path).split("---\n")[1])
        assert front_matter["title"]
        assert path.name == "index.md" or path.name in listed


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_data_blocks_are_well_formed(path: Path) -> None:
    text = read(path)
    for block in blocks(text, "json"):
        json.loads(block)
    for block in blocks(text, "toml"):
        tomllib.loads(block)
    for block in blocks(text, "yaml"):
        list(yaml.safe_load_all(block))


def test_settings_table_has_every_key_with_its_default() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \|", read(MANUAL / "settings.md"), re.MULTILINE)
    assert sorted(key for key, _ in rows) == sorted(known_keys())
    defaults = tomllib.loads(read(DEFAULTS_FILE))
    for key, shown in rows:
        if "[]" not in key:
            section, _, name = key.rpartition(".")
            assert shown.strip("`") == _as_shown(defaults[section][name] if section else defaults[name]), key


def _as_shown(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:,.0f}" if value > 9999 or value == 2000 else f"{value:g}"
        case "" | [] | {} if not value:
            return "none"
        case [only]:
            return str(only)
    return str(value)


def test_settings_examples_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = blocks(read(MANUAL / "settings.md"), "toml")
    prices = next(block for block in examples if "input_usd" in block)
    examples.remove(prices)
    (tmp_path / "prices.toml").write_text(prices, encoding="utf-8")
    assert PriceFileBook(tmp_path / "prices.toml", GenaiPriceBook()).price("openai/gpt-5-mini")
    assert examples
    monkeypatch.setenv("FARTHING_API_KEYS__OPENAI", "key")
    for block in examples:
        (tmp_path / "farthing.toml").write_text(block, encoding="utf-8")
        monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "farthing.toml"))
        load_settings()


def test_formats_table_has_every_suffix() -> None:
    table = [line for line in read(MANUAL / "formats.md").splitlines() if line.startswith("|")]
    assert {suffix for line in table for suffix in re.findall(r"`(\.\w+)`", line)} == set(FORMATS)


def test_http_page_shows_real_shapes_and_every_status() -> None:
    text = read(MANUAL / "http-api.md")
    answer, problem = blocks(text, "json")
    AnswerShape.model_validate_json(answer)
    ProblemShape.model_validate_json(problem)
    listed = {int(code) for code in re.findall(r"^\| (\d{3}) \|", text, re.MULTILINE)}
    assert listed == {200, *(row.status.value for row in PROBLEMS.values())}


def test_questions_have_evidence_that_stands_in_the_manual() -> None:
    rows = [json.loads(line) for line in read(QUESTIONS).splitlines()]
    assert len(rows) >= 30
    assert max(Counter(row["id"] for row in rows).values()) == 1
    assert {row["type"] for row in rows} == _KINDS
    assert sum(row["type"] == "unanswerable" for row in rows) >= 5
    for row in rows:
        assert bool(row["evidence"]) == (row["type"] != "unanswerable"), row["id"]
        for part in (row, *row["near_misses"], *row["followups"]):
            assert all(wanted.lower() in part["answer"].lower() for wanted in part["must_include"]), row["id"]
            for evidence in part["evidence"]:
                page = (QUESTIONS.parent / "docs" / evidence["doc"]).read_text(encoding="utf-8")
                assert evidence["quote"] in page, f"{row['id']}: {evidence['quote']}"


def test_demo_asks_what_the_manual_answers() -> None:
    (asked,) = re.findall(r"^define DEMO_QUESTIONS\n(.*?)^endef$", read(ROOT / "Makefile"), re.MULTILINE | re.DOTALL)
    rows = [json.loads(line) for line in read(QUESTIONS).splitlines()]
    assert set(shlex.split(asked.replace("\\\n", " "))) <= {row["question"] for row in rows if row["evidence"]}


def test_no_question_is_a_page_of_the_manual() -> None:
    assert {path.suffix for path in MANUAL.iterdir()} <= {".md", ".svg"}
