"""The home, and the room below it."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from app.home import check_home
from app.jobs.checkup import Check, ProblemError
from app.settings import Settings

_ROOM_BYTES: Final = 1_000_000_000


def checks(settings: Settings) -> Iterator[Check]:
    """Whether the home is private, and has room."""
    yield Check("home", partial(_check_home, settings.home))
    yield Check("disk", partial(_check_disk, settings.home))


def _check_home(home: Path) -> str:
    check_home(home)
    return f"{home.resolve()}, for this account alone" if home.exists() else f"{home.resolve()} will be made when it is needed"


def _check_disk(home: Path) -> str:
    place = next(folder for folder in (home.resolve(), *home.resolve().parents) if folder.exists())
    free_bytes = shutil.disk_usage(place).free
    if free_bytes < _ROOM_BYTES:
        raise ProblemError(f"only {free_bytes / 1e9:.1f} GB are free below {place}. Make room, or move FARTHING_HOME.")
    return f"{free_bytes / 1e9:,.1f} GB free below {place}"
