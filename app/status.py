"""What is indexed: figures for people and monitors."""

from dataclasses import dataclass
from datetime import datetime


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
