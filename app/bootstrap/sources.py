"""What an indexing run reads: the paths of the command, or the readers of the settings."""

import os
from collections.abc import Sequence
from pathlib import Path

from app.errors import CommandError
from app.home import check_home
from app.settings import Settings
from indexing.documents import AccessLabel, parse_labels
from indexing.generations import Generations
from indexing.sources import DocumentSource


def build_sources(
    settings: Settings, paths: Sequence[Path], labels: tuple[AccessLabel, ...], name: str | None
) -> list[DocumentSource]:
    """The sources of one indexing run: the paths of the command, or else the readers of the settings.

    Without a `name`, each path is a source of its own, named by its resolved path; with one, all paths are one source.
    """
    from indexing.adapters.folder_source import FolderSource
    from indexing.adapters.llamaindex_source import LlamaIndexSource

    limit = settings.index.max_file_bytes
    if name is not None:
        return [FolderSource(name, paths, labels, limit)]
    if paths:
        by_name = {str(path.resolve()): path for path in paths}
        return [FolderSource(resolved, [path], labels, limit) for resolved, path in by_name.items()]
    return [
        LlamaIndexSource(reader.name, reader.class_path, reader.arguments, parse_labels(reader.labels))
        for reader in settings.sources
    ]


def refuse_overlaps(settings: Settings, paths: Sequence[Path], name: str | None) -> None:
    """See to it that no page is indexed twice, under two sources that then go stale apart, each with labels of its own.

    Where indexed sources lie is known only of those without a name of their own; who gives a name looks after it.

    Raises:
        HomeError: The home cannot be used safely.
        CommandError: A path lies inside another one of the command, or inside or around one that is indexed already.
    """
    check_home(settings.home)
    named = [path.resolve() for path in paths]
    identity = Generations(settings.home.resolve()).current_id()
    indexed = Generations(settings.home.resolve()).manifest(identity).sources if identity else ()
    others = [Path(source) for source in indexed if name is None and source.startswith(os.sep) and Path(source) not in named]
    for number, path in enumerate(named):
        for other, known in [*((one, False) for one in named[number + 1 :]), *((one, True) for one in others)]:
            inner, outer = (path, other) if path.is_relative_to(other) else (other, path)
            if not inner.is_relative_to(outer):
                continue
            remedy = (
                f"Index {other} again instead, or remove it first: farthing index EMPTY_FOLDER --source {other}"
                if known
                else f"Name {outer} alone."
            )
            raise CommandError(f"{inner} lies inside {outer}: its pages would be indexed twice, and go stale apart. {remedy}")
