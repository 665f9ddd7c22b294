"""The generations of the index: directories that never change once they serve, and one pointer that is moved atomically.

HOME/write.lock              held by the one sync that writes
HOME/current                 the identity of the generation that serves
HOME/generations/ID/         index, catalog.sqlite3, and manifest.json, which is written last: without it, a directory is
                             what an interrupted sync left behind
"""

import contextlib
import getpass
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from indexing.embedding import EmbedderSpec
from indexing.errors import ChunkIndexError, IndexBusyError, IndexForeignError, IndexMissingError
from indexing.files import sync_path, take_lock, write_durably

INDEX_FORMAT: Final = 1
"""Changes whenever an older Farthing could not read what this one writes, or the other way round."""

KEPT_GENERATIONS: Final = 3

_IDENTITY: Final = re.compile(r"(\d{8}T\d{12}Z)-[0-9a-f]{6}")
_STAMP: Final = "%Y%m%dT%H%M%S%fZ"

_FIRST_LANGUAGE: Final = "en"
"""That of indexes whose manifest names none: there was no other."""


@dataclass(frozen=True, slots=True)
class IndexManifest:
    """What a generation is, and how it was made.

    `created_at` is UTC in ISO 8601; `created_by` reads `user@host, farthing VERSION`. `tokens` counts what is embedded, by
    `tokenizer`; `language` is that of its documents, by its code. `embedded_chunks_per_s` was measured when it was made, or
    taken over from the base; `None` while unknown.
    """

    format: int
    generation: str
    created_at: str
    created_by: str
    engine: str
    embedder: EmbedderSpec
    language: str
    tokenizer: str
    parser_version: str
    chunker_version: str
    sources: tuple[str, ...]
    documents: int
    chunks: int
    units: int
    tokens: int
    embedded_chunks_per_s: float | None

    def to_json(self) -> dict[str, Any]:
        """The manifest as a JSON object."""
        return {**asdict(self), "sources": list(self.sources)}


class Generations:
    """The generations under one home, and the lock of whoever writes there."""

    def __init__(self, home: Path, keep: int = KEPT_GENERATIONS) -> None:
        """Name the home; nothing is made before the first write.

        Args:
            home: Where everything that Farthing writes lies.
            keep: How many finished generations stay, the serving one included.
        """
        self._home = home
        self._keep = keep
        self._folder = home / "generations"
        self._pointer = home / "current"

    @property
    def home(self) -> Path:
        """Where everything that Farthing writes lies."""
        return self._home

    def current(self) -> IndexManifest:
        """The manifest of the generation that serves.

        Raises:
            IndexMissingError: Nothing has been indexed yet.
            IndexForeignError: The home holds something that this version does not understand.
        """
        identity = self.current_id()
        if identity is None:
            raise IndexMissingError(f"Nothing is indexed in {self._home} yet. Run `farthing index PATH`.")
        return self.manifest(identity)

    def current_id(self) -> str | None:
        """The identity of the generation that serves, `None` without one. One small read: cheap enough to ask often.

        Raises:
            IndexForeignError: The pointer does not hold an identity, or cannot be read.
        """
        try:
            identity = self._pointer.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._foreign(self._pointer, f"cannot be read ({error})") from error
        if not _IDENTITY.fullmatch(identity):
            raise self._foreign(self._pointer, "does not name a generation")
        return identity

    def directory(self, identity: str) -> Path:
        """The directory of a generation."""
        return self._folder / identity

    def manifest(self, identity: str) -> IndexManifest:
        """The manifest of a finished generation.

        Raises:
            IndexForeignError: It is missing, damaged, or of another format.
        """
        file = self.directory(identity) / "manifest.json"
        try:
            fields = json.loads(file.read_text(encoding="utf-8"))
            found = fields["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._foreign(file, f"cannot be read ({error})") from error
        if isinstance(found, int) and found > INDEX_FORMAT:
            raise IndexForeignError(
                f"{file} was written by a newer Farthing (format {found}, this one reads {INDEX_FORMAT}). Upgrade Farthing, "
                "or name another home as FARTHING_HOME."
            )
        if found != INDEX_FORMAT:
            raise self._foreign(file, f"has the format {found!r}, this Farthing reads {INDEX_FORMAT}")
        try:
            return IndexManifest(
                **{
                    "language": _FIRST_LANGUAGE,
                    **fields,
                    "embedder": EmbedderSpec(**fields["embedder"]),
                    "sources": tuple(fields["sources"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise self._foreign(file, f"is incomplete ({error})") from error

    def finished(self) -> list[str]:
        """The identities of the finished generations, oldest first."""
        return [identity for identity in self._all() if self._manifest_file(identity).is_file()]

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Hold the right to write in this home. The operating system takes it back when the process ends, however it ends.

        Raises:
            IndexBusyError: Another process holds it.
            ChunkIndexError: The home cannot be written.
        """
        with disk_errors(self._home):
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            file = self._home / "write.lock"
            try:
                lock = take_lock(file, 0)
            except TimeoutError as error:
                holder = file.read_text(errors="replace").strip() or "another process"
                raise IndexBusyError(
                    f"{self._home} is being written by {holder}. Wait until it is done, or stop it, and run this again."
                ) from error
        with lock:
            with disk_errors(self._home):
                file.write_text(f"process {os.getpid()}, started {_now().isoformat(timespec='seconds')}")
            yield

    def begin(self) -> str:
        """Make the directory of a new generation, and return its identity, which sorts after all others.

        Raises:
            ChunkIndexError: The disk is full, or cannot be written.
        """
        moment = _now()
        if existing := self._all():
            newest = datetime.strptime(existing[-1].split("-")[0], _STAMP).replace(tzinfo=UTC)
            moment = max(moment, newest + timedelta(microseconds=1))  # the clock may have been set back
        identity = f"{moment.strftime(_STAMP)}-{secrets.token_hex(3)}"
        with disk_errors(self._home):
            self.directory(identity).mkdir(mode=0o700)
        return identity

    def publish(self, manifest: IndexManifest) -> None:
        """Finish a generation, and let it serve from now on. Everything else in its directory must be on the disk.

        Raises:
            ChunkIndexError: The disk is full, or cannot be written; the old generation goes on serving.
        """
        directory = self.directory(manifest.generation)
        with disk_errors(self._home):
            sync_path(directory)
            write_durably(self._manifest_file(manifest.generation), json.dumps(manifest.to_json(), indent=1))
            sync_path(self._folder)
            write_durably(self._pointer, f"{manifest.generation}\n")

    def remove(self, identity: str, drop: Callable[[str, Path], None]) -> None:
        """Remove a generation that does not serve, with what `drop` (generation, directory) removes of it elsewhere.

        Raises:
            ChunkIndexError: The files cannot be removed.
            ValueError: It serves.
        """
        if identity == self.current_id():
            raise ValueError(f"the generation {identity} serves and cannot be removed")
        directory = self.directory(identity)
        with disk_errors(self._home):
            # Without its manifest it is unfinished, so that the next sync goes on where this one is cut short.
            self._manifest_file(identity).unlink(missing_ok=True)
        drop(identity, directory)
        with disk_errors(self._home), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(directory)

    def sweep(self, drop: Callable[[str, Path], None]) -> None:
        """Remove what interrupted syncs left. Only the holder of the lock may call it. Raises `ChunkIndexError`."""
        finished = set(self.finished())
        serving = self.current_id()
        for identity in self._all():
            if identity not in finished and identity != serving:
                self.remove(identity, drop)

    def prune(self, drop: Callable[[str, Path], None]) -> None:
        """Remove all finished generations but the last few, and never the one that serves. Raises `ChunkIndexError`."""
        serving = self.current_id()
        others = [identity for identity in self.finished() if identity != serving]
        for identity in others[: max(0, len(others) - (self._keep - 1))]:
            self.remove(identity, drop)

    def _all(self) -> list[str]:
        """Every directory that has a generation's name, finished or not, oldest first. Whatever else lies there is not ours."""
        with disk_errors(self._home), contextlib.suppress(FileNotFoundError):
            return sorted(entry.name for entry in self._folder.iterdir() if _IDENTITY.fullmatch(entry.name))
        return []

    def _manifest_file(self, identity: str) -> Path:
        return self.directory(identity) / "manifest.json"

    def _foreign(self, file: Path, what: str) -> IndexForeignError:
        return IndexForeignError(
            f"{file} {what}. Remove {self._pointer} and {self._folder} and run `farthing index PATH` to make a new index, "
            "or name another home as FARTHING_HOME."
        )


def created_by() -> str:
    """Who writes: `user@host, farthing VERSION`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}, farthing {metadata.version('farthing')}"


def created_at() -> str:
    """Now, in UTC and ISO 8601."""
    return _now().isoformat(timespec="seconds")


@contextmanager
def disk_errors(home: Path) -> Iterator[None]:
    """Map what the file system raises inside the block.

    Raises:
        ChunkIndexError: The disk is full, or something under `home` cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        raise ChunkIndexError(
            f"{home} cannot be written ({error}). Free some space there, or correct the permissions, and run this again; "
            "the index that was there goes on serving, and finished embeddings are kept."
        ) from error


def _now() -> datetime:
    return datetime.now(tz=UTC)
