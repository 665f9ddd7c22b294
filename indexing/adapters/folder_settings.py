"""`.farthing.toml`: what a folder says about the documents in it and below."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from indexing.documents import AccessLabel, parse_labels
from indexing.errors import IndexingError, LabelError

SETTINGS_NAME: Final = ".farthing.toml"
_MAX_BYTES: Final = 65_536
_KEYS: Final = frozenset({"labels", "base_uri"})


class FolderSettingsError(IndexingError):
    """A `.farthing.toml` cannot be read or is malformed: it is not known who may read what lies under it."""


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """What applies to the documents of one folder.

    `labels` are empty when no folder above names any. `base_uri` belongs to `base_folder`, the nearest folder that names one.
    """

    labels: tuple[AccessLabel, ...] = ()
    base_uri: str = ""
    base_folder: str = ""

    def uri(self, absolute_path: str) -> str | None:
        """Where a person finds a document: the base and its path below the folder that names the base; `None` without a base."""
        if not self.base_uri:
            return None
        relative = Path(absolute_path).relative_to(self.base_folder).as_posix()
        return f"{self.base_uri.rstrip('/')}/{quote(relative)}"


class FolderSettingsReader:
    """Finds the settings that apply to a folder: of each key the nearest, going up to the root of the file system."""

    def __init__(self) -> None:
        self._known: dict[str, FolderSettings | FolderSettingsError] = {}

    def settings(self, folder: str) -> FolderSettings:
        """The settings for documents directly in an absolute folder. Each file is read once.

        Raises:
            FolderSettingsError: The file of this folder, or of one above, is malformed or unreadable.
        """
        known = self._known.get(folder)
        if known is None:
            try:
                parent = str(Path(folder).parent)
                known = _read(folder, FolderSettings() if parent == folder else self.settings(parent))
            except FolderSettingsError as exc:
                known = exc
            self._known[folder] = known
        if isinstance(known, FolderSettingsError):
            raise known
        return known


def _read(folder: str, above: FolderSettings) -> FolderSettings:
    path = Path(folder, SETTINGS_NAME)
    table = _table(path)
    if unknown := sorted(table.keys() - _KEYS):
        raise _error(path, f"has a key that nobody knows: {unknown[0]!r}; known are labels and base_uri")
    labels, base_uri, base_folder = above.labels, above.base_uri, above.base_folder
    if "labels" in table:
        try:
            labels = parse_labels(table["labels"] if isinstance(table["labels"], list) else [table["labels"]])
        except LabelError as exc:
            raise _error(path, f"has malformed labels: {exc}") from exc
        if not labels:
            raise _error(path, "has an empty list of labels; name at least one")
    if "base_uri" in table:
        base_uri, base_folder = table["base_uri"], folder
        if not _is_web_address(base_uri):
            raise _error(path, "has a base_uri that is not an http or https address")
    return FolderSettings(labels, base_uri, base_folder)


def _table(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            # A link to nothing, or a folder of that name, was meant to say something.
            if path.is_symlink() or path.exists():
                raise _error(path, "is not a file")
            return {}
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise _error(path, "is longer than 64 KiB")
        return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as exc:
        raise _error(path, f"cannot be read ({exc.strerror})") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as exc:
        raise _error(path, f"is not valid TOML ({exc})") from exc


def _is_web_address(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)


def _error(path: Path, what: str) -> FolderSettingsError:
    return FolderSettingsError(f"{path} {what}. Correct it: until then it is not certain who may read what lies under it")
