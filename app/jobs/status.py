"""What is indexed: figures for people and monitors."""

from datetime import datetime
from pathlib import Path

from app.costs.shapes import Shape, moment
from indexing.generations import Generations


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
    """What is indexed, with what only somebody on this machine should see: who indexed it where, and from what."""

    indexed_by: str
    sources: list[str]


def read_status(generations: Generations, embeddings: Path) -> LocalStatusShape:
    """What is indexed, as the manifest and this disk have it. What a server keeps is not among the bytes.

    Args:
        generations: Those of the home.
        embeddings: The folder that keeps vectors.

    Raises:
        ChunkIndexError: Nothing has been indexed yet, or the index is not understood.
    """
    manifest = generations.current()
    return LocalStatusShape(
        generation=manifest.generation,
        documents=manifest.documents,
        chunks=manifest.chunks,
        units=manifest.units,
        index_bytes=_allocated_bytes(generations.directory(manifest.generation)),
        cache_bytes=_allocated_bytes(embeddings),
        engine=manifest.engine,
        model=manifest.embedder.model,
        dimension=manifest.embedder.dimension,
        indexed_at=moment(datetime.fromisoformat(manifest.created_at)),
        indexed_by=manifest.created_by,
        sources=list(manifest.sources),
    )


def public_status(status: LocalStatusShape) -> StatusShape:
    """What of it is for everybody."""
    return StatusShape(**status.model_dump(include=set(StatusShape.model_fields)))


def _allocated_bytes(folder: Path) -> int:
    """What a folder takes on the disk; sparse files count by their blocks."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
