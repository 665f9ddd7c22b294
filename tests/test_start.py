"""The command finds its own packages, whatever else lies on the path."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import farthing

COMMAND = [sys.executable, "-c", "import farthing; farthing.main()"]


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with packages of others, under all of our names."""
    for name in ("app", "eval", "indexing", "retrieval"):
        package = tmp_path / "theirs" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"raise ImportError('somebody else's {name}')", encoding="utf-8")
    return tmp_path / "theirs"


def run(folder: Path, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": path, "FARTHING_HOME": str(folder / "home")}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("command", [["--help"], ["eval", "--help"], ["tune", "--help"], ["index", "--help"]])
def test_it_starts_where_others_come_first(command: list[str], foreign: Path) -> None:
    for path in (str(foreign), f"{foreign}{os.pathsep}."):
        done = run(foreign, path, *command)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Usage: farthing" in done.stdout


@pytest.mark.model
def test_it_parses_and_indexes_where_others_come_first(foreign: Path) -> None:
    (foreign / "page.html").write_text("<h1>Leave</h1><p>Everybody has 27 days of paid leave.</p>", encoding="utf-8")
    done = run(foreign, str(foreign), "index", "page.html")
    assert done.returncode == 0, done.stderr
    assert "1 chunks" in done.stdout


def test_the_front_door_is_named_by_the_project_and_runs_as_a_module(tmp_path: Path) -> None:
    (script,) = importlib_metadata_scripts()
    assert script == "farthing:main"
    done = subprocess.run([sys.executable, "-m", "farthing", "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def importlib_metadata_scripts() -> list[str]:
    root = Path(farthing.__file__).parent
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    return [line.split('"')[1] for line in text.splitlines() if line.startswith("farthing = ")]


@pytest.mark.parametrize("package", ["app", "eval", "indexing", "retrieval"])
def test_its_packages_tell_that_they_are_typed(package: str) -> None:
    assert (Path(farthing.__file__).parent / package / "py.typed").is_file()
