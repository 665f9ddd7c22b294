"""Files that are there whole or not at all, whatever happens while they are written."""

import os
import threading
from pathlib import Path


def write_durably(file: Path, text: str) -> None:
    """Write a file, mode 0600, so that after a crash at any point it holds the old text or the new one, never a part.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    unfinished = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: renamed and removed files stay so after a crash. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
