"""Who asks over HTTP: whom a proxy in front says it has authenticated, as far as the settings trust it."""

from typing import Final

from starlette.requests import Request

from app.costs.ledger import Spender, Surface

_MAX_CHARACTERS: Final = 200


class Callers:
    """Reads the person and the team from the headers that the settings name; an empty name trusts none."""

    def __init__(self, person_header: str, team_header: str) -> None:
        self._person_header = person_header
        self._team_header = team_header

    def spender(self, request: Request) -> Spender:
        """Who pays for a request."""
        return Spender(Surface.HTTP, self._read(request, self._person_header), self._read(request, self._team_header))

    @staticmethod
    def _read(request: Request, header: str) -> str | None:
        value = request.headers.get(header, "").strip() if header else ""
        return value[:_MAX_CHARACTERS] or None
