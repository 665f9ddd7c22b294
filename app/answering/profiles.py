"""The profiles with which `farthing tune` replaces how much an answer reads.

HOME/profiles/NAME.json   a profile: settings, what they were tuned on, what they reached
HOME/profiles/current     the names of the profiles that were applied, one a line, the one in force last; replaced atomically
"""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from app.errors import AppError
from indexing.embedding import EmbedderSpec
from indexing.files import write_durably
from retrieval.context import ContextSettings

PROFILE_FORMAT: Final = 1

CHECK_EVERY_S: Final = 0.5

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class ProfileError(AppError):
    """A profile cannot be read, or was made for another embedding model."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Named settings with where they come from.

    `created_at` is UTC in ISO 8601. `embedder` is the model they were tuned with: scores of another one mean something else.
    `dataset` and `data_hash` name the questions and documents, `figures` holds what was measured, as `farthing tune` printed it.
    """

    name: str
    created_at: str
    settings: ContextSettings
    embedder: EmbedderSpec
    dataset: str
    data_hash: str
    figures: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The profile as its file holds it."""
        return {
            "format": PROFILE_FORMAT,
            "name": self.name,
            "created_at": self.created_at,
            "settings": self.settings.to_json(),
            "embedder": asdict(self.embedder),
            "dataset": self.dataset,
            "data_hash": self.data_hash,
            "figures": dict(self.figures),
        }


class ProfileStore:
    """The profiles of a home. Reading is safe from several threads at once; the last writer of the pointer wins."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "profiles"
        self._pointer = self._folder / "current"

    def applied(self) -> list[str]:
        """The names of the profiles that were applied, the one in force last; empty without one. One small read."""
        try:
            return [name for name in self._pointer.read_text(encoding="utf-8").split() if _NAME.fullmatch(name)]
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"{self._pointer} cannot be read ({error}). Remove it to go back to the settings.") from error

    def names(self) -> list[str]:
        """All profiles, in the order of their names."""
        return sorted(file.stem for file in self._folder.glob("*.json"))

    def read(self, name: str) -> Profile:
        """A profile.

        Raises:
            ProfileError: There is none of this name, or its file cannot be understood.
        """
        file = self._folder / f"{name}.json"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["format"] != PROFILE_FORMAT:
                raise ValueError(f"its format is {content['format']!r}")  # noqa: TRY301 - one place says what to do
            return Profile(
                name=content["name"],
                created_at=content["created_at"],
                settings=ContextSettings.from_json(content["settings"]),
                embedder=EmbedderSpec(**content["embedder"]),
                dataset=content["dataset"],
                data_hash=content["data_hash"],
                figures=content["figures"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProfileError(
                f"The profile {file} cannot be read ({error}). Make it again with `farthing tune --apply`, "
                "or go back with `farthing profiles rollback`."
            ) from error

    def current(self, spec: EmbedderSpec) -> Profile | None:
        """The profile in force, `None` without one.

        Args:
            spec: The configured embedding model. Its arithmetic may differ from the profile's.

        Raises:
            ProfileError: It cannot be read, or was tuned with another model.
        """
        applied = self.applied()
        if not applied:
            return None
        profile = self.read(applied[-1])
        require_same_model(profile, spec)
        return profile

    def apply(self, profile: Profile) -> None:
        """Write a profile and put it in force, atomically.

        Raises:
            ProfileError: It cannot be written.
        """
        if not _NAME.fullmatch(profile.name):
            raise ProfileError(f"{profile.name!r} is no name for a profile: use letters, digits and . _ - only.")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(
                self._folder / f"{profile.name}.json", json.dumps(profile.to_json(), indent=1, ensure_ascii=False) + "\n"
            )
            write_durably(self._pointer, "\n".join([*self.applied(), profile.name]) + "\n")
        except OSError as error:
            raise ProfileError(f"The profile cannot be written to {self._folder} ({error}).") from error

    def roll_back(self) -> str | None:
        """Put the profile before the current one in force again; before the first there are the plain settings.

        Returns:
            The name of the profile that is now in force, `None` for the plain settings.

        Raises:
            ProfileError: No profile is in force.
        """
        applied = self.applied()
        if not applied:
            raise ProfileError("No profile is in force, so there is nothing to roll back.")
        try:
            write_durably(self._pointer, "".join(f"{name}\n" for name in applied[:-1]))
        except OSError as error:
            raise ProfileError(f"{self._pointer} cannot be written ({error}).") from error
        return applied[-2] if len(applied) > 1 else None


class LiveContextSettings:
    """The settings to use for a question asked now. Safe to use from several threads.

    At most every half second it looks whether another profile was put in force, and takes it up. A profile that cannot be used is
    reported once, and what was in use before stays in use.
    """

    def __init__(
        self,
        store: ProfileStore,
        plain: ContextSettings,
        spec: Callable[[], EmbedderSpec],
        on_failure: Callable[[ProfileError], None],
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        self._store = store
        self._plain = plain
        self._spec = spec
        self._on_failure = on_failure
        self._check_every_s = check_every_s
        self._lock = threading.Lock()
        self._check_at = 0.0
        self._seen: list[str] | None = None
        self._now = plain

    def __call__(self) -> ContextSettings:
        """The settings of the profile in force, or the plain ones without one."""
        with self._lock:
            if time.monotonic() >= self._check_at:
                self._check_at = time.monotonic() + self._check_every_s
                self._follow()
            return self._now

    def _follow(self) -> None:
        try:
            applied = self._store.applied()
            if applied == self._seen:
                return
            self._seen = applied
            profile = self._store.current(self._spec())
            self._now = replace(profile.settings, profile=profile.name) if profile else self._plain
        except ProfileError as error:
            self._on_failure(error)


def require_same_model(profile: Profile, spec: EmbedderSpec) -> None:
    """Check that a profile was tuned with the configured embedding model.

    Raises:
        ProfileError: It was not.
    """
    tuned = profile.embedder
    if (tuned.model, tuned.revision, tuned.dimension) != (spec.model, spec.revision, spec.dimension):
        raise ProfileError(
            f"The profile {profile.name!r} was tuned with the model {tuned.model} (revision {tuned.revision[:12]}), and "
            f"embedding.model is {spec.model} (revision {spec.revision[:12]}). Set embedding.model back, or run "
            "`farthing profiles rollback` and tune again."
        )
