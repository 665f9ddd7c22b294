"""Farthing's front door: the command starts here, and so does whoever uses Farthing as a library.

Farthing's packages have everyday names. Once this module is imported, each of them is Farthing's own, whatever other package of
that name comes first on the path: a container's `PYTHONPATH`, or the folder that somebody stands in.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

_PACKAGES: Final = frozenset({"app", "eval", "indexing", "retrieval"})
_PLACE: Final = str(Path(__file__).resolve().parent)


class _OwnPackages:
    """Finds Farthing's packages beside this module, before the path is searched."""

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [_PLACE]) if name in _PACKAGES else None


sys.meta_path.insert(0, _OwnPackages)


def main() -> None:
    """Run the command line."""
    from app.cli import main as run  # noqa: PLC0415 - only now is it known which `app`

    run()


if __name__ == "__main__":
    main()
