"""How the command line starts: quickly, with nothing heavy, and with the commands of other packages."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from app import cli

HEAVY = ("torch", "llama_index", "qdrant_client", "qdrant_edge", "fastapi", "numpy", "genai_prices", "rich", "eval")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy() -> None:
    done = run_python(
        "import sys\nfrom app.cli import main\nsys.argv = ['farthing', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('IMPORTED', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    assert done.returncode == 0, done.stderr
    assert "IMPORTED []" in done.stdout
    for command in ("index", "ask", "serve", "status", "doctor"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("command", ["index", "ask", "serve", "status", "doctor"])
def test_the_help_of_each_command_imports_nothing_heavy(command: str) -> None:
    done = run_python(
        f"import sys\nfrom app.cli import main\nsys.argv = ['farthing', '{command}', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('IMPORTED', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    assert "IMPORTED []" in done.stdout, done.stderr


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["farthing", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_an_unknown_command_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "indx") == cli.REFUSED
    captured = capsys.readouterr()
    assert "Did you mean 'index'" in captured.err
    assert captured.out == ""


def plugin(value: str) -> list[EntryPoint]:
    return [EntryPoint("plugged", value, cli.PLUGINS)]


def test_a_plugged_in_command_gets_its_arguments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "entry_points", lambda group: plugin("plugged_in:app") if group == cli.PLUGINS else [])

    class Module:
        @staticmethod
        def app(arguments: list[str], prog_name: str) -> None:
            sys.stdout.write(f"{prog_name} {arguments}\n")

    monkeypatch.setitem(sys.modules, "plugged_in", Module)
    assert call(monkeypatch, "plugged", "one", "--two", "--help") == cli.OK
    assert capsys.readouterr().out == "farthing plugged ['one', '--two', '--help']\n"


def test_a_plugged_in_command_that_is_missing_is_refused_and_the_others_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "entry_points", lambda group: plugin("no_such_package.cli:app"))  # noqa: ARG005 - as importlib calls it
    assert call(monkeypatch, "--help") == cli.OK
    assert "plugged" in capsys.readouterr().out
    assert call(monkeypatch, "plugged") == cli.REFUSED
    assert "`plugged` is not installed here" in capsys.readouterr().err
