"""No setting without a user, a default, a word in the defaults file and a line in the manual."""

import re
import tomllib

import pytest

from app.settings import DEFAULTS_FILE, known_keys
from tests.written import ROOT, read

KEYS = [key for key in known_keys() if "[]" not in key]
ENTRY_KEYS = [key for key in known_keys() if "[]" in key]
ENTRIES = {"sources": "reader", "budgets": "budget", "endpoints": "endpoint"}
READERS = {path: text for path in sorted((ROOT / "app").rglob("*.py")) if "app.settings import" in (text := read(path))}
INDEX = "Which module reads which setting"


def _written(key: str) -> str:
    """How a module writes that it reads a key: a pattern."""
    if "[]" not in key:
        return rf"settings\.{re.escape(key)}\b"
    section, _, name = key.partition("[].")
    return rf"\b{ENTRIES[section]}\.{'class_path' if name == 'class' else name}\b"


def _modules(key: str) -> tuple[str, ...]:
    """The modules of `app` that read a key."""
    found = (path.relative_to(ROOT).with_suffix("") for path, text in READERS.items() if re.search(_written(key), text))
    return tuple(".".join(path.parts).removesuffix(".__init__") for path in found)


@pytest.mark.parametrize("key", [*KEYS, *ENTRY_KEYS])
def test_somebody_reads_it(key: str) -> None:
    assert _modules(key), f"nobody reads {key}"


def test_the_index_says_who_reads_it() -> None:
    rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for key in known_keys():
        rows.setdefault((key.partition(".")[0], _modules(key)), []).append(key)
    index = "\n".join(
        f"| {', '.join(f'`{key}`' for key in keys)} | {', '.join(f'`{module}`' for module in modules)} |"
        for (_, modules), keys in rows.items()
    )
    _, _, shown = read(ROOT / "CONTRIBUTING.md").partition(f"## {INDEX}\n")
    held = [line for line in shown.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    assert held == index.splitlines(), f"CONTRIBUTING.md, {INDEX}, should hold these rows:\n{index}"


@pytest.mark.parametrize("key", list(known_keys()))
def test_the_manual_names_it(key: str) -> None:
    assert f"`{key}`" in read(ROOT / "docs/settings.md"), f"docs/settings.md says nothing of {key}"


def test_the_defaults_file_holds_every_key_and_no_other() -> None:
    defaults = tomllib.loads(read(DEFAULTS_FILE))
    held = {
        f"{key}.{inner}" if inner else key
        for key, value in defaults.items()
        for inner in (value if value and isinstance(value, dict) else [""])
    }
    assert held == set(KEYS)


def test_every_default_has_a_comment_above_it() -> None:
    lines = read(DEFAULTS_FILE).splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\w+ = ", line):
            above = lines[number - 1]
            assert above.startswith("#") or re.match(r"\w+ = ", above), f"{line} has no comment"
