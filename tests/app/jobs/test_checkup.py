"""Checks: each part brings its own, and one that fails ends none of the others."""

import pkgutil
from importlib import import_module
from types import SimpleNamespace

import pytest

from app import bootstrap
from app.bootstrap import checks
from app.cli import REFUSED
from app.cli.commands import doctor
from app.errors import SettingsError
from app.jobs.checkup import Check, Finding, ProblemError, check_up


def broken() -> str:
    raise ProblemError("It is broken. Mend it.")


def test_every_check_is_told_whatever_came_before() -> None:
    told: list[Finding] = []
    assert not check_up([Check("one", broken), Check("two", lambda: "fine")], told.append)
    assert told == [Finding("one", "It is broken. Mend it.", well=False), Finding("two", "fine", well=True)]
    assert check_up([Check("two", lambda: "fine")], told.append)


def test_a_fault_of_a_check_is_no_finding() -> None:
    with pytest.raises(ZeroDivisionError):
        check_up([Check("one", lambda: str(1 // 0))], lambda _: None)


def test_a_new_part_brings_its_own_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    part = SimpleNamespace(checks=lambda settings: [Check("room", lambda: f"at {settings.server.port}"), Check("door", broken)])
    monkeypatch.setattr(checks, "_PARTS", (part,))
    assert doctor.run() == REFUSED
    assert capsys.readouterr().out.splitlines()[1:] == ["ok       room: at 8040", "problem  door: It is broken. Mend it."]


def test_every_part_with_checks_is_asked() -> None:
    names = [module.name for module in pkgutil.iter_modules(bootstrap.__path__, "app.bootstrap.")]
    assert [name for name in names if hasattr(import_module(name), "checks") and import_module(name) not in checks._PARTS] == []


def test_without_settings_nothing_else_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> None:
        raise SettingsError("`x` is unknown.")

    told: list[Finding] = []
    monkeypatch.setattr(checks, "load_settings", unreadable)
    assert not check_up(checks.all_checks(), told.append)
    assert told == [Finding("settings", "`x` is unknown.", well=False)]
