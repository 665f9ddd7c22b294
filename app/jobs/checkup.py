"""Looking whether all is well: each part brings its own checks, and surfaces show what they find."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.errors import AppError
from app.jobs.errors import DOMAIN_ERRORS


class ProblemError(AppError):
    """Something is not as it should be; the words say what to do."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at: `look` says how it is, or raises one of the errors whose message tells the person what to do."""

    name: str
    look: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in words, and whether that is well."""

    name: str
    words: str
    well: bool


def check_up(checks: Iterable[Check], tell: Callable[[Finding], None]) -> bool:
    """Look at one thing after the other, and tell of each; whether all are well."""
    well = True
    for check in checks:
        try:
            finding = Finding(check.name, check.look(), well=True)
        except DOMAIN_ERRORS as error:
            finding = Finding(check.name, str(error), well=False)
        tell(finding)
        well = well and finding.well
    return well
