"""Files that are there whole or not at all, whatever happens while they are written; and locks between processes.

A lock goes when its holder ends, however it ends, and is not handed on to the processes that its holder starts. Its file stays:
whoever removed it would let in two at once.
"""

import errno
import os
import threading
from pathlib import Path
from typing import Final

from filelock import FileLock, lock_descriptor

_PRIVATE: Final = 0o600
_LOOK_AGAIN_S: Final = 0.005


def write_durably(file: Path, text: str) -> None:
    """Write a file, mode 0600, so that after a crash at any point it holds the old text or the new one, never a part.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    unfinished = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)
    sync_path(file.parent)


def append_whole(descriptor: int, line: bytes) -> None:
    """Add a line to an open file. What was written of it is taken back where the rest finds no room.

    It is with the system when this returns, so that a killed process loses nothing of it, and not yet on the disk.

    Raises:
        OSError: The disk is full, or fails; the file is as it was.
    """
    whole = os.fstat(descriptor).st_size
    try:
        while line:
            line = line[os.write(descriptor, line) :]
    except OSError:
        os.ftruncate(descriptor, whole)
        raise


def sync_path(path: Path) -> None:
    """Make a file's content durable, or the names in a folder: what was renamed or removed stays so. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_lock(path: Path, timeout_s: float | None = None) -> FileLock:
    """Take the lock of a file, which is made where there is none, among all processes and threads.

    Args:
        path: The lock's own file; nothing is read or written there.
        timeout_s: How long to wait for it; 0 tries once, `None` waits for as long as it takes.

    Returns:
        The lock, to be let go with `release`, or at the end of a `with` block.

    Raises:
        TimeoutError: Somebody else held it all the time.
        OSError: Its file cannot be made.
    """
    if not path.parent.is_dir():  # the library would make it, open to others
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    # Any thread of the process may let it go. Where the file system knows no locks, nothing weaker takes its place.
    lock = FileLock(path, mode=_PRIVATE, thread_local=False, fallback_to_soft=False, poll_interval=_LOOK_AGAIN_S)
    lock.acquire(timeout=-1 if timeout_s is None else timeout_s)
    return lock


def lock_open(descriptor: int, *, wait: bool = False) -> bool:
    """Lock what is open, until it is closed: for a file that its lock must not outlive, and for a folder.

    Returns:
        Whether it is locked now; `False` where somebody else holds it, and `wait` is not set.
    """
    return lock_descriptor(descriptor, blocking=wait, poll_interval=_LOOK_AGAIN_S)
