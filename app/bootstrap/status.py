"""What stands in a home."""

from datetime import datetime
from pathlib import Path

from app.bootstrap.index import EMBEDDINGS
from app.home import check_home
from app.jobs.status import Status
from app.settings import Settings
from indexing.generations import Generations


def read_status(settings: Settings) -> Status:
    """What is indexed.

    Raises:
        HomeError: The home cannot be used safely.
        ChunkIndexError: Nothing has been indexed yet, or the index is not understood.
    """
    check_home(settings.home)
    home = settings.home.resolve()
    generations = Generations(home)
    manifest = generations.current()
    return Status(
        generation=manifest.generation,
        documents=manifest.documents,
        chunks=manifest.chunks,
        units=manifest.units,
        index_bytes=_allocated_bytes(generations.directory(manifest.generation)),
        cache_bytes=_allocated_bytes(home / EMBEDDINGS),
        engine=manifest.engine,
        model=manifest.embedder.model,
        dimension=manifest.embedder.dimension,
        indexed_at=datetime.fromisoformat(manifest.created_at),
        indexed_by=manifest.created_by,
        sources=manifest.sources,
    )


def _allocated_bytes(folder: Path) -> int:
    """What a folder takes on the disk; sparse files count by their blocks."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
