"""A contract suite holds adapters that are written outside this repository, run as CONTRIBUTING.md says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.written import ROOT, blocks, read

MY_PACKAGE = """
class MyCache:
    def __init__(self):
        self._kept = {}

    def get_many(self, hashes):
        return {key: self._kept[key] for key in hashes if key in self._kept}

    def put_many(self, vectors):
        self._kept.update(vectors)
"""


def run_suite(package: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run the example of the page over a package with this code, by the command of the page, with this interpreter."""
    page = read(ROOT / "CONTRIBUTING.md")
    (example,) = blocks(page, "python")
    (command,) = re.findall(r"^\.venv/bin/python (-m pytest .+) \.\./my-package/tests$", page, re.MULTILINE)
    (package / "tests").mkdir()
    (package / "tests" / "test_my_cache.py").write_text(example, encoding="utf-8")
    (package / "my_package.py").write_text(code, encoding="utf-8")
    return subprocess.run(
        [sys.executable, *command.split(), "-p", "no:cacheprovider", str(package / "tests")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_adapter_that_keeps_the_contract_passes(tmp_path: Path) -> None:
    done = run_suite(tmp_path, MY_PACKAGE)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^=+ [1-9]\d* passed", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("self._kept.update(vectors)", "self._kept = dict(list(vectors.items())[:1])"),
        ("self._kept[key] for", "self._kept[key] * 2 for"),
    ],
    ids=["forgets", "alters"],
)
def test_one_that_breaks_it_fails_and_is_told_where(tmp_path: Path, right: str, wrong: str) -> None:
    done = run_suite(tmp_path, MY_PACKAGE.replace(right, wrong))
    assert done.returncode == 1, done.stdout
    assert "test_gives_back_exactly_what_was_kept_and_nothing_else" in done.stdout


def test_the_page_names_every_suite() -> None:
    page = read(ROOT / "CONTRIBUTING.md")
    suites = {
        (name, f"tests/contracts/{path.name}")
        for path in (ROOT / "tests" / "contracts").glob("*.py")
        for name in re.findall(r"^class (\w+Contract)\b", read(path), re.MULTILINE)
    }
    assert set(re.findall(r"`(\w+Contract)` in `([\w/.]+)`", page)) == suites
