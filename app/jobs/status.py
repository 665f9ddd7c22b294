"""What is indexed: figures for people and monitors."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.costs.shapes import Shape


@dataclass(frozen=True, slots=True)
class Status:
    """One generation, as its manifest and this disk have it.

    `index_bytes` counts the generation's directory; what a server keeps is not in it. `indexed_by` names account, machine and
    version.
    """

    generation: str
    documents: int
    chunks: int
    units: int
    index_bytes: int
    cache_bytes: int
    engine: str
    model: str
    dimension: int
    indexed_at: datetime
    indexed_by: str
    sources: tuple[str, ...]


class StatusShape(Shape):
    """What is indexed. Times are ISO 8601, in UTC."""

    generation: str
    documents: int
    chunks: int
    units: int
    index_bytes: int
    cache_bytes: int
    engine: str
    model: str
    dimension: int
    indexed_at: str


class LocalStatusShape(StatusShape):
    """What is indexed, with what only somebody on this machine should see."""

    indexed_by: str
    sources: list[str]


def status_shape(status: Status) -> StatusShape:
    """What is indexed, for everybody."""
    return StatusShape(**_status_fields(status))


def local_status_shape(status: Status) -> LocalStatusShape:
    """What is indexed, for the command line."""
    return LocalStatusShape(**_status_fields(status), indexed_by=status.indexed_by, sources=list(status.sources))


def _status_fields(status: Status) -> dict[str, Any]:
    fields = {name: getattr(status, name) for name in StatusShape.model_fields}
    return {**fields, "indexed_at": status.indexed_at.isoformat(timespec="seconds")}
