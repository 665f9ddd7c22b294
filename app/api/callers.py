"""Who asks over HTTP: whom a proxy in front says it has authenticated, with the labels that he may claim."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request

from app.access.callers import Caller, claimed_scope
from app.costs.ledger import Spender, Surface
from indexing.documents import AccessLabel

_MAX_CHARACTERS: Final = 200


class Callers:
    """Reads the person and the team from the headers that the settings name; an empty name trusts none.

    `labels` are those that callers may claim; `everyone` is theirs without asking, if it is among them.
    """

    def __init__(self, labels: Sequence[AccessLabel], person_header: str, team_header: str) -> None:
        self._labels = labels
        self._person_header = person_header
        self._team_header = team_header

    def caller(self, request: Request, claimed: Sequence[str]) -> Caller:
        """Who asks, claiming these labels. Raises `LabelError` or `LabelRefusedError`."""
        return Caller(claimed_scope(claimed, self._labels), self.spender(request))

    def spender(self, request: Request) -> Spender:
        """Who pays for a request."""
        return Spender(Surface.HTTP, self._read(request, self._person_header), self._read(request, self._team_header))

    @staticmethod
    def _read(request: Request, header: str) -> str | None:
        value = request.headers.get(header, "").strip() if header else ""
        return value[:_MAX_CHARACTERS] or None
