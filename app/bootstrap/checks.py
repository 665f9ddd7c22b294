"""The checks of all parts. A part brings its own in a function `checks`, and stands in the list here."""

from collections.abc import Iterator
from typing import Final

from app.bootstrap import caching, home, index, ledger, models, server
from app.jobs.checkup import Check
from app.settings import Settings, load_settings, settings_file

_PARTS: Final = (home, index, caching, ledger, models, server)


def all_checks() -> Iterator[Check]:
    """What there is to look at, one by one: the settings first, and the parts only when they could be read."""
    loaded: list[Settings] = []

    def read() -> str:
        loaded.append(load_settings())
        file = settings_file()
        return f"read from {file}" if file else "the defaults, and the environment"

    yield Check("settings", read)
    for settings in loaded:
        yield from checks_of(settings)


def checks_of(settings: Settings) -> Iterator[Check]:
    """What there is to look at under these settings."""
    for part in _PARTS:
        yield from part.checks(settings)
