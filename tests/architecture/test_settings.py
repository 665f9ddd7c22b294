"""No setting without a user, a default, a word in the defaults file and a line in the manual."""

import re
import tomllib
from pathlib import Path

import pytest

from app.settings import DEFAULTS_FILE, known_keys

ROOT = Path(__file__).resolve().parents[2]
KEYS = [key for key in known_keys() if "[]" not in key]
ENTRY_KEYS = [key for key in known_keys() if "[]" in key]
ENTRIES = {"sources": "reader", "budgets": "budget", "endpoints": "endpoint"}
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py") if path.name != "settings.py")


@pytest.mark.parametrize("key", KEYS)
def test_somebody_reads_it(key: str) -> None:
    assert re.search(rf"settings\.{re.escape(key)}\b", SOURCES), f"nobody reads {key}"


@pytest.mark.parametrize("key", ENTRY_KEYS)
def test_somebody_reads_each_key_of_a_list(key: str) -> None:
    section, _, name = key.partition("[].")
    attribute = "class_path" if name == "class" else name
    assert re.search(rf"\b{ENTRIES[section]}\.{attribute}\b", SOURCES), f"nobody reads {key}"


@pytest.mark.parametrize("key", list(known_keys()))
def test_the_manual_names_it(key: str) -> None:
    assert f"`{key}`" in (ROOT / "docs/settings.md").read_text(encoding="utf-8"), f"docs/settings.md says nothing of {key}"


def test_the_defaults_file_holds_every_key_and_no_other() -> None:
    defaults = tomllib.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))
    held = {
        f"{key}.{inner}" if inner else key
        for key, value in defaults.items()
        for inner in (value if value and isinstance(value, dict) else [""])
    }
    assert held == set(KEYS)


def test_every_default_has_a_comment_above_it() -> None:
    lines = DEFAULTS_FILE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\w+ = ", line):
            above = lines[number - 1]
            assert above.startswith("#") or re.match(r"\w+ = ", above), f"{line} has no comment"
