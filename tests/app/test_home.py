import stat
from pathlib import Path

import pytest

from app.errors import HomeError
from app.home import check_home, prepare_home


def test_a_home_is_made_private(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "deep" / "home")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert prepare_home(home) == home


def test_a_home_that_others_may_enter_is_refused_with_the_remedy(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    with pytest.raises(HomeError, match=r"mode 0755.*chmod 700"):
        prepare_home(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o755


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(HomeError, match="not a directory"):
        check_home(tmp_path / "home")


def test_somebody_elses_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    owner = home.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(HomeError, match="belongs to user"):
        check_home(home)


def test_a_missing_home_is_fine_to_look_for_and_is_not_made(tmp_path: Path) -> None:
    check_home(tmp_path / "home")
    assert not (tmp_path / "home").exists()
