"""Fetches public pages by git at fixed commits, checks each by its SHA-256, and joins our questions over them.

What comes of it is a dataset as `farthing eval run` takes it. Hashes of all pages stand in `NAME.sha256` beside this module.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eval.datasets.cases import DOCS_FOLDER, QUESTIONS_FILE
from eval.datasets.handbooks.authored import AUTHORED, authored_rows, words_of
from eval.errors import DatasetError
from indexing.plain_text import plain_text

SOURCE_FILE: Final = "SOURCE.md"
_LIMIT_S: Final = 900


@dataclass(frozen=True, slots=True)
class Origin:
    """A repository at a commit. Pages lie below `folder`, and `docs/` stands for the folder `root` of the repository."""

    url: str
    commit: str
    folder: str
    root: str
    licence: str


ORIGINS: Final[Mapping[str, Origin]] = {
    "handbook-18f": Origin("https://github.com/18F/handbook", "1e4955634d0369f17e5bbc0ebbf8f62e2a3dfe4b", "pages", "", "CC0-1.0"),
    "handbook-gitlab": Origin(
        "https://github.com/boluo2077/deep-rag-benchmark",
        "fb2a9c34013d0f2fc5f993eff08b07d41d7f2443",
        "content/handbook",
        "content/handbook",
        "CC BY-SA 4.0, (c) GitLab B.V.: the GitLab handbook of 2025-10-11, https://handbook.gitlab.com",
    ),
    "guides-18f": Origin("https://github.com/18F/guides", "debc24b34f23686194d9fe42e391859d569bd39a", "content", "", "CC0-1.0"),
}


def fetch_handbook(name: str, to: Path, origin: Origin | None = None, hashes: Path = AUTHORED) -> Path:
    """Make the dataset `to / name`: its pages, where they come from, and our questions, where there are any.

    Nothing is left behind when it cannot be made.

    Args:
        name: One of `ORIGINS`.
        to: The folder for datasets; made where it is missing.
        origin: Where the pages come from, instead of the public repository.
        hashes: The folder with `NAME.sha256` and `NAME.jsonl`.

    Returns:
        The dataset's folder.

    Raises:
        DatasetError: It is there already, git or the network is missing, or a page is not the one that was expected.
        OSError: A file cannot be written.
    """
    origin = origin or ORIGINS[name]
    made = to / name
    if made.exists():
        raise DatasetError(f"{made} is there already. Remove it to fetch it again.")
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to, prefix=".fetching-") as temporary:
        checkout, unfinished = Path(temporary, "checkout"), Path(temporary, name)
        _check_out(origin, checkout)
        docs = unfinished / DOCS_FOLDER
        _take_pages(checkout / origin.root, docs, read_hashes(hashes / f"{name}.sha256"))
        source = f"# {name}\n\n{origin.url} at commit {origin.commit}\n\nLicence of the pages: {origin.licence}\n"
        (unfinished / SOURCE_FILE).write_text(source, encoding="utf-8")
        if rows := [_joined(row, docs) for row in authored_rows(name, hashes)]:
            lines = [json.dumps(row, ensure_ascii=False) for row in rows]
            (unfinished / QUESTIONS_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        unfinished.rename(made)
    return made


def read_hashes(file: Path) -> dict[str, str]:
    """The SHA-256 of each page, by its path below `docs/`; the file is written as `sha256sum` writes it."""
    pairs = (line.split("  ", 1) for line in file.read_text(encoding="utf-8").splitlines())
    return {path: digest for digest, path in pairs}


def _check_out(origin: Origin, checkout: Path) -> None:
    """The folder of one commit, without the history and without what lies beside it."""
    _git("init", "--quiet", "--template=", str(checkout))
    git = ("-C", str(checkout), "-c", "core.autocrlf=false", "-c", "core.symlinks=false")
    _git(*git, "remote", "add", "origin", origin.url)
    _git(*git, "sparse-checkout", "set", "--no-cone", f"/{origin.folder}/**/*.md")
    try:
        _git(*git, "fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin", origin.commit)
        _git(*git, "checkout", "--quiet", "FETCH_HEAD")
    except DatasetError as error:
        raise DatasetError(f"The pages could not be fetched from {origin.url}, which needs the network. {error}") from error


def _git(*arguments: str) -> None:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        subprocess.run(  # noqa: S603 - git alone, with arguments of our own
            ["git", *arguments],  # noqa: S607 - whichever git the path names
            check=True,
            capture_output=True,
            text=True,
            env=environment,
            timeout=_LIMIT_S,
        )
    except FileNotFoundError as error:
        raise DatasetError("git is not installed. Install it and run this again.") from error
    except subprocess.TimeoutExpired as error:
        raise DatasetError(f"git took more than {_LIMIT_S} seconds.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        raise DatasetError(f"git says: {said[-1]}") from error


def _take_pages(pages: Path, docs: Path, hashes: Mapping[str, str]) -> None:
    for path, digest in hashes.items():
        page, copy = pages / path, docs / path
        if not page.is_file() or hashlib.sha256(page.read_bytes()).hexdigest() != digest:
            raise DatasetError(f"{path} is not the page that was expected: its SHA-256 should be {digest}.")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, copy)


def _joined(row: Mapping[str, Any], docs: Path) -> dict[str, Any]:
    """A row of `questions.jsonl`: spans become quotes, which are the gold answer, too, since nobody has written another."""
    quotes = [(piece["doc"], words_of(piece, docs, row["id"])) for piece in row["evidence"]]
    answer = " ".join(" ".join(plain_text(words) for _, words in quotes).split())
    return {**row, "answer": answer, "evidence": [{"doc": doc, "quote": words} for doc, words in quotes]}
