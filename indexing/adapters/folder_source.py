"""Folders and single files as a source of documents."""

import mimetypes
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from indexing.adapters.folder_settings import FolderSettingsError, FolderSettingsReader
from indexing.adapters.formats import FORMATS, suffix_of
from indexing.documents import AccessLabel, RawDocument
from indexing.errors import SourceError
from indexing.sources import Skipped

_MIB: Final = 1024 * 1024
_SKIPPED_FOLDERS: Final = frozenset({"node_modules", "__pycache__", "CVS"})
_NOT_DOCUMENTS: Final = frozenset(
    (
        ".7z .bak .bib .bz2 .c .cc .cfg .class .cmd .conf .cpp .cs .css .dat .db .dll .dockerfile .editorconfig .env .exe .go "
        ".gz .h .hpp .htaccess .ini .ipynb .jar .java .js .json .jsonl .jsx .kt .less .lock .lua .map .mjs .mk .npz .npy .o "
        ".parquet .php .pkl .pl .po .properties .proto .ps1 .py .pyc .pyi .r .rar .rb .rs .sass .scala .scss .sh .so .sql "
        ".sqlite .svelte .swift .swp .tar .tex .tf .tgz .tmp .toml .ts .tsx .vue .wasm .whl .woff .woff2 .xml .xsd .xsl .xz "
        ".yaml .yml .zip .zst"
    ).split()
)
_NOT_DOCUMENT_TYPES: Final = ("image/", "audio/", "video/", "font/")
_NEWER_FORMAT: Final = {".doc": ".docx", ".ppt": ".pptx", ".xls": ".xlsx"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file that was found, or something of which `reason` says why it is skipped.

    `root` is the real folder of its root, `relative` its path below it, `shown` its path as the person would type it.
    """

    root: str
    relative: str
    shown: str
    reason: str = ""

    @property
    def absolute(self) -> str:
        """The path that is opened; the links above the root are resolved, one at its end is not."""
        return os.path.join(self.root, self.relative)  # noqa: PTH118 - many files, and plain strings here


class FolderSource:
    """The documents of folders and single files, in the order of the roots and then of their paths.

    In folders, hidden files and folders (among them `.farthing` and those of version control) and `node_modules` are passed over,
    and so are files whose name says that they are no documents: images, archives, data, code, and names without a suffix. Any
    other file that cannot be read is skipped with its reason, and so is whatever was named as a root itself. A symbolic link to
    a file is followed inside its root only, and has the labels of the folder that the file really lies in. A symbolic link to a
    folder is never followed: inside the root that folder is read under its own name; a loop or a way out is skipped.

    A document's path is relative to its root; where two roots have the same, the name of the root goes before it.
    `.farthing.toml` decides about labels and addresses (see `FolderSettingsReader`); its labels go before those of the command.
    Only the list of paths is held in memory.
    """

    def __init__(
        self, name: str, roots: Sequence[Path], labels: tuple[AccessLabel, ...] = (), max_file_bytes: int = 50 * _MIB
    ) -> None:
        self._name = name
        self._roots = tuple(roots)
        self._labels = labels
        self._max_file_bytes = max_file_bytes

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def documents(self) -> Iterator[RawDocument | Skipped]:
        """Deliver each document once, in a stable order, or say why it is skipped.

        Raises:
            SourceError: A root is missing, or cannot be listed.
        """
        entries: dict[str, _Entry] = {}
        for root in self._roots:
            for entry in _walk(root):
                entries.setdefault(entry.absolute, entry)  # a root inside another, or named twice, adds nothing
        paths = _paths(entries.values())
        settings = FolderSettingsReader()
        for absolute, entry in entries.items():
            try:
                yield self._read(entry, paths[absolute], settings)
            except (_UnreadableError, FolderSettingsError) as exc:
                yield Skipped(paths[absolute].encode(errors="replace").decode(), str(exc))

    def _read(self, entry: _Entry, path: str, settings: FolderSettingsReader) -> RawDocument:
        if entry.reason:
            raise _UnreadableError(entry.reason)
        try:
            path.encode()
        except UnicodeEncodeError as exc:
            raise _UnreadableError("its name is not valid UTF-8; rename it") from exc
        suffix = suffix_of(path)
        if suffix not in FORMATS:
            target = _NEWER_FORMAT.get(suffix, "PDF, DOCX or Markdown")
            raise _UnreadableError(f"there is no parser for {suffix or 'files without a suffix'}; convert it to {target}")
        real = _real_path(entry)
        here = settings.settings(_folder(entry.absolute))
        there = here if real == entry.absolute else settings.settings(_folder(real))
        return RawDocument(
            source=self._name,
            path=path,
            uri=here.uri(entry.absolute) or entry.shown,
            content=_content(real, self._max_file_bytes),
            labels=there.labels or self._labels,
        )


class _UnreadableError(Exception):
    """This file is skipped; the words are the reason."""


def _walk(root: Path) -> Iterator[_Entry]:
    """The files of a root that may be documents, each folder in the order of its names."""
    try:
        real_root = os.path.realpath(root, strict=True)
        if not os.path.isdir(real_root):  # noqa: PTH112 - plain strings here
            yield _Entry(_folder(real_root), Path(real_root).name, str(root))
            return
        pending = _listing(real_root, "")
    except OSError as exc:
        raise SourceError(f"{root} cannot be read: {exc.strerror}. Check the path, and that you may read it") from exc
    while pending:
        found, relative = pending.pop()
        shown = str(root / relative)
        if found.is_symlink():
            if entry := _link(found, real_root, relative, shown):
                yield entry
        elif not found.is_dir(follow_symlinks=False):
            if not _is_no_document(relative):
                regular = found.is_file(follow_symlinks=False)
                yield _Entry(real_root, relative, shown, "" if regular else "a pipe, socket or device, not a file")
        elif found.name not in _SKIPPED_FOLDERS:
            try:
                pending += _listing(found.path, f"{relative}/")
            except OSError as exc:
                yield _Entry(real_root, relative, shown, _why(exc))


def _listing(folder: str, prefix: str) -> list[tuple[os.DirEntry[str], str]]:
    """What is in a folder and not hidden, with its path below the root; the last name first, to be popped."""
    with os.scandir(folder) as listing:
        found = [entry for entry in listing if not entry.name.startswith(".")]
    return [(entry, prefix + entry.name) for entry in sorted(found, key=lambda entry: entry.name, reverse=True)]


def _link(found: os.DirEntry[str], real_root: str, relative: str, shown: str) -> _Entry | None:
    """A symbolic link: a file to read, something to skip, or `None` when nothing is lost by passing it over."""
    try:
        target = os.path.realpath(found.path, strict=True)
    except OSError:
        reason = "a symbolic link to nothing, or to itself"
        return None if _is_no_document(relative) else _Entry(real_root, relative, shown, reason)
    if not os.path.isdir(target):  # noqa: PTH112 - plain strings here
        return None if _is_no_document(relative) else _Entry(real_root, relative, shown)
    if not _is_within(target, real_root):
        return _Entry(
            real_root, relative, shown, "a symbolic link to a folder outside the one that is indexed; index that one, too"
        )
    if _is_within(found.path, target):
        return _Entry(real_root, relative, shown, "a symbolic link to a folder above it: a loop")
    return None


def _is_no_document(relative: str) -> bool:
    suffix = suffix_of(relative)
    if suffix in FORMATS:
        return False
    return not suffix or suffix in _NOT_DOCUMENTS or (mimetypes.types_map.get(suffix) or "").startswith(_NOT_DOCUMENT_TYPES)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _folder(path: str) -> str:
    return os.path.dirname(path)  # noqa: PTH120 - plain strings here


def _real_path(entry: _Entry) -> str:
    try:
        real = os.path.realpath(entry.absolute, strict=True)
    except OSError as exc:
        raise _UnreadableError(_why(exc)) from exc
    if not _is_within(real, entry.root):
        raise _UnreadableError("a symbolic link to a file outside the folder that is indexed; index that file, too")
    return real


def _content(real: str, max_bytes: int) -> bytes:
    """The bytes of a regular file. Neither waits for a pipe nor follows a link that was put there a moment ago."""
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _UnreadableError("a folder, pipe, socket or device, not a file")
            content = file.read(status.st_size + 1) if status.st_size <= max_bytes else b""
    except OSError as exc:
        raise _UnreadableError(_why(exc)) from exc
    if status.st_size > max_bytes or len(content) > max_bytes:
        raise _UnreadableError(f"too large: {status.st_size / _MIB:,.1f} MiB; at most {max_bytes / _MIB:,.1f} MiB are read")
    return content


def _why(exc: BaseException) -> str:
    return f"it cannot be read: {getattr(exc, 'strerror', None) or type(exc).__name__}"


def _paths(entries: Iterable[_Entry]) -> dict[str, str]:
    """The path of each document in the source, by its absolute path: relative to its root, and unique."""
    by_relative: defaultdict[str, list[_Entry]] = defaultdict(list)
    for entry in entries:
        by_relative[entry.relative].append(entry)
    paths = {same[0].absolute: relative for relative, same in by_relative.items() if len(same) == 1}
    taken = set(paths.values())
    for relative, same in by_relative.items():
        if len(same) > 1:
            named = _with_root_names(relative, same, taken)
            paths |= named
            taken |= set(named.values())
    return paths


def _with_root_names(relative: str, same: Sequence[_Entry], taken: set[str]) -> dict[str, str]:
    """Put as many last names of each root before one relative path as it takes to tell the roots apart."""
    roots = [PurePosixPath(entry.root).parts[1:] for entry in same]
    for depth in range(1, max(map(len, roots)) + 1):
        named = ["/".join((*parts[-depth:], relative)) for parts in roots]
        if len(set(named)) == len(named) and taken.isdisjoint(named):
            return {entry.absolute: path for entry, path in zip(same, named, strict=True)}
    return {entry.absolute: entry.absolute for entry in same}
