"""A private view of a committed shard, so that several processes can read one generation at the same time.

Opening a shard writes: the engine renames small files into place and touches others. Two processes doing that in one
directory would trip over each other, and a committed generation is never changed. So each opener gets a directory of its own
in which the large files, which the engine only reads, are hard links, and the small ones copies:

    <scratch>/lock              held while views are made and swept
    <scratch>/view-<random>/    one view
        lock                    held by its owner: a dead owner's lock is free, whatever killed it
        shard/                  what the engine opens

Source:
    `tests/retrieval/adapters/test_edge_view.py` compares every byte and time stamp of the committed files before and after.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from indexing.adapters.edge_files import INDEX_FOLDER, IndexMark, copy_sparsely
from indexing.files import take_lock

_LOCK_FILE: Final = "lock"
_VIEW_PREFIX: Final = "view-"
_ONLY_READ: Final = re.compile(r"(chunk|page)_\d+\.(mmap|dat)")
"""The files that hold vectors and payloads: written by updates only. A file with an unknown name is copied, to be safe."""


class EdgeView:
    """One opener's view. `shard` is the directory for the engine."""

    def __init__(self, directory: Path, mark: IndexMark, scratch: Path) -> None:
        """Make the view, and remove those of dead processes.

        Raises:
            OSError: A file of the index is gone, or the disk is full.
        """
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        with take_lock(scratch / _LOCK_FILE):
            _sweep(scratch)
            self._root = Path(tempfile.mkdtemp(prefix=_VIEW_PREFIX, dir=scratch))
            self._lock = take_lock(self._root / _LOCK_FILE)
        self.shard = self._root / "shard"
        try:
            self._fill(directory / INDEX_FOLDER, mark)
        except OSError:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove the view. What cannot be removed now is swept by the next opener."""
        shutil.rmtree(self._root, ignore_errors=True)
        self._lock.release()

    def _fill(self, source: Path, mark: IndexMark) -> None:
        for folder in sorted({(self.shard / name).parent for name in mark.files}):
            folder.mkdir(parents=True, exist_ok=True)
        for name in mark.files:
            if not (_ONLY_READ.fullmatch(Path(name).name) and _linked(source / name, self.shard / name)):
                copy_sparsely(source / name, self.shard / name)


def _linked(source: Path, target: Path) -> bool:
    """Make a hard link; false where the file system has none, or the scratch folder lies on another one."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return True


def _sweep(scratch: Path) -> None:
    for view in scratch.glob(f"{_VIEW_PREFIX}*"):
        try:
            lock = take_lock(view / _LOCK_FILE, 0)
        except OSError:
            continue  # its owner lives, or has just removed it
        shutil.rmtree(view, ignore_errors=True)
        lock.release()
