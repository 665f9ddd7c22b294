"""Fetch the public handbooks that Farthing is measured on, with our own questions over them.

    python -m eval.datasets.handbooks ../handbooks [NAME ...]

Makes ../handbooks/NAME, a dataset as `farthing eval run` takes it. The pages come from their public repositories by git, at fixed
commits, so that this needs the network; each is checked by its SHA-256. There are no questions of ours over handbook-18f.
"""

import argparse
import sys
from pathlib import Path

from eval.datasets.cases import QUESTIONS_FILE
from eval.datasets.handbooks.fetching import ORIGINS, fetch_handbook
from eval.errors import DatasetError

_USAGE = 2


def main() -> None:
    """Fetch what was asked for; exit with 2 where it cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", type=Path, metavar="FOLDER", help="where the datasets go")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all by default: {', '.join(ORIGINS)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(ORIGINS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ORIGINS)}")
    for name in arguments.names or ORIGINS:
        try:
            made = fetch_handbook(name, arguments.to)
        except (DatasetError, OSError) as error:
            sys.exit(_refused(error))
        questions = made / QUESTIONS_FILE
        asked = f"farthing eval run {made}" if questions.is_file() else "pages only"
        print(f"{made}: {asked}")  # noqa: T201 - results go to stdout


def _refused(error: Exception) -> int:
    print(error, file=sys.stderr)  # noqa: T201 - the one sentence that says why
    return _USAGE


if __name__ == "__main__":
    main()
