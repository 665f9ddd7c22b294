"""`--since`: how far back a report looks."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from app.errors import CommandError

_AGO: Final = re.compile(r"([0-9]{1,6})([hdw])")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_since(text: str, now: datetime, option: str = "--since") -> datetime:
    """The moment that `24h`, `30d`, `12w` or a date such as `2026-10-01` (its beginning, in UTC) means.

    Args:
        text: As the person wrote it.
        now: Until when the report goes, in UTC.
        option: What the person wrote it behind.

    Raises:
        CommandError: It is none of these, or not in the past.
    """
    try:
        ago = _AGO.fullmatch(text)
        since = now - int(ago[1]) * _UNITS[ago[2]] if ago else datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise CommandError(
            f"{option} {text!r} cannot be read. "
            "Write hours, days or weeks, such as 24h, 30d or 12w, or a date such as 2026-10-01."
        ) from error
    if since >= now:
        raise CommandError(f"{option} {text!r} is not in the past. Write how far to look back, such as 24h, 30d or 12w.")
    return since
