"""The files of a committed embedded index: the mark that says what they are, and how they are copied.

    <generation>/chunks/                  the engine's directory
    <generation>/chunks/farthing.json     the mark, written last: format, dimension, number of chunks, every file's size

An engine that maps a truncated file into memory dies with the whole process. The sizes let us refuse it instead.
"""

import errno
import json
import mmap
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from indexing.errors import ChunkIndexError, IndexForeignError, IndexMismatchError, IndexMissingError
from indexing.files import sync_path, write_durably

INDEX_FOLDER: Final = "chunks"
MARK_FILE: Final = "farthing.json"
FORMAT: Final = "farthing-edge-1"

RESERVE_BYTES: Final = 192 * 1024 * 1024
"""What must stay free while the engine writes: it lays out files of 32 MiB ahead, and dies when the disk ends under them."""

_COPY_BYTES: Final = 4 * 1024 * 1024
_POPULATE_READ: Final = 22
"""Linux's MADV_POPULATE_READ, which Python does not name: reads a map, and says so where that would end the process."""


@dataclass(frozen=True, slots=True)
class IndexMark:
    """What a committed index says about itself. `files` has sizes in bytes by relative path."""

    format: str
    dimension: int
    chunk_count: int
    files: dict[str, int]


def write_mark(directory: Path, dimension: int, chunk_count: int) -> None:
    """Make the index durable and mark it as committed. The engine must be closed."""
    folder = directory / INDEX_FOLDER
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    for path in (*paths, *(path for path in folder.rglob("*") if path.is_dir())):
        sync_path(path)
    write_durably(folder / MARK_FILE, json.dumps(asdict(IndexMark(FORMAT, dimension, chunk_count, files))))
    sync_path(directory)


def read_mark(directory: Path) -> IndexMark:
    """What the committed index in a generation's directory says about itself.

    Raises:
        IndexMissingError: There is no index.
        IndexForeignError: The files are not those of a committed index of this version.
    """
    folder = directory / INDEX_FOLDER
    try:
        mark = IndexMark(**json.loads((folder / MARK_FILE).read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        if not folder.exists():
            raise IndexMissingError(f"There is no index in {directory}. Run `farthing index PATH` to make one.") from error
        raise IndexForeignError(
            f"{folder} is not a finished index of Farthing: it has no {MARK_FILE}. Run `farthing index PATH` to make one."
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise IndexForeignError(
            f"{folder / MARK_FILE} cannot be read as the mark of an index ({error}). "
            "Run `farthing index PATH` to make a new index."
        ) from error
    if mark.format != FORMAT:
        raise IndexForeignError(
            f"{folder} was written in the format {mark.format!r}; this version reads {FORMAT!r}. "
            "Run `farthing index PATH` to make a new index."
        )
    return mark


def check_files(directory: Path, mark: IndexMark) -> None:
    """Check that every file of a committed index is there, whole.

    Raises:
        ChunkIndexError: A file is missing or has another size than when it was committed.
    """
    folder = directory / INDEX_FOLDER
    for name, size_bytes in mark.files.items():
        try:
            found_bytes = (folder / name).stat().st_size
        except FileNotFoundError:
            found_bytes = None
        if found_bytes != size_bytes:
            what = "is missing" if found_bytes is None else f"has {found_bytes} bytes instead of {size_bytes}"
            raise ChunkIndexError(
                f"The index in {directory} is damaged: {name} {what}. Run `farthing index PATH` to make a new index."
            )


def require_dimension(place: str, found: int, wanted: int) -> None:
    """Refuse an index whose vectors are of another length than the embedding model's.

    Raises:
        IndexMismatchError: They differ.
    """
    if found != wanted:
        raise IndexMismatchError(
            f"The index {place} holds vectors of {found} dimensions, and the embedding model makes {wanted}. "
            "Run `farthing index PATH` to index again, or set `embedding.model` back to the model that the index was made with."
        )


def require_space(directory: Path, needed_bytes: int) -> None:
    """Refuse to write where the disk would run full.

    Raises:
        ChunkIndexError: Less than the needed bytes and a reserve are free.
    """
    free_bytes = shutil.disk_usage(directory).free
    if free_bytes < needed_bytes + RESERVE_BYTES:
        raise full_disk(directory, f"{free_bytes // 2**20} MiB free, {(needed_bytes + RESERVE_BYTES) // 2**20} MiB needed")


def require_room_to_map(folder: Path) -> None:
    """Refuse to have a folder's files mapped where reading their holes takes more room than there is: it would end the process.

    Holes take room when they are read in memory (tmpfs); on a disk, however full, they take none.

    Raises:
        ChunkIndexError: There is not enough room.
        OSError: As the file system says.
    """
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    holes_bytes = sum(max(0, file.st_size - file.st_blocks * 512) for file in files)
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < holes_bytes and _reading_fills_holes(folder):
        raise full_disk(folder, f"{free_bytes // 2**20} MiB free, {holes_bytes // 2**20} MiB needed")


def full_disk(directory: Path, detail: str) -> ChunkIndexError:
    """The error that tells the user about a full disk."""
    return ChunkIndexError(
        f"The disk that holds {directory} is full ({detail}). Free some space, or move FARTHING_HOME. "
        "The serving index is unchanged."
    )


def allocated_bytes(path: Path) -> int:
    """What a file takes on the disk; less than its size when it is sparse."""
    return path.stat().st_blocks * 512


def copy_sparsely(source: Path, target: Path) -> None:
    """Copy a file, leaving its holes holes. The engine's files are mostly holes, which a plain copy would fill.

    Raises:
        OSError: As the file system says.
    """
    with source.open("rb", buffering=0) as reader, target.open("xb", buffering=0) as writer:
        size_bytes = os.fstat(reader.fileno()).st_size
        writer.truncate(size_bytes)
        end = 0
        while (start := _next_data(reader.fileno(), end)) < size_bytes:
            end = os.lseek(reader.fileno(), start, os.SEEK_HOLE)
            for offset in range(start, end, _COPY_BYTES):
                block = os.pread(reader.fileno(), min(_COPY_BYTES, end - offset), offset)
                os.pwrite(writer.fileno(), block, offset)


def _next_data(descriptor: int, offset: int) -> int:
    """Where data begins at or after an offset; the file's size when there is none."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError:
        return os.fstat(descriptor).st_size


def _reading_fills_holes(folder: Path) -> bool:
    """Whether a hole takes room once it is read through a map, tried with a page."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(mmap.PAGESIZE)
        with mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ) as page:
            try:
                page.madvise(_POPULATE_READ)
            except OSError as error:  # no room for it; or Linux before 5.14 or another system, where nobody knows
                return error.errno == errno.EFAULT
        return os.fstat(file.fileno()).st_blocks > 0
