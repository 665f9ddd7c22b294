"""What is indexed: figures for people and monitors."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Status:
    """One generation, as its manifest and the disk have it. `index_bytes` is `None` where a server keeps the index."""

    generation: str
    documents: int
    chunks: int
    units: int
    index_bytes: int | None
    cache_bytes: int
    engine: str
    model: str
    dimension: int
    indexed_at: datetime
    indexed_by: str
