"""Every file, folder and module that the repository's own texts and sources name is there."""

import re
from pathlib import Path

import pytest

from app.settings import known_keys
from tests.written import BLOCK, PACKAGE_READMES, PACKAGES, ROOT, SPAN, TEXTS, blocks, name_of, read

TOP = (*PACKAGES, "tests", "docs", ".ci")
SOURCES = sorted(path for top in (*PACKAGES, "tests") for path in (ROOT / top).rglob("*.py"))
KEYS = frozenset(known_keys())

_PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*(/|\.py)|[\w.*-]+(/[\w.*-]+)+")
_IN_SOURCES = re.compile(rf"(?<![\w/.-])((?:{'|'.join(PACKAGES)}|tests)/[\w./-]*\w)")
_MODULE = re.compile(rf"(?:{'|'.join(PACKAGES)}|tests)(\.\w+)+")
_RUN = re.compile(r"python -m ([\w.]+)")


def _is_there(written: str, folders: list[Path]) -> bool:
    """Whether a path leads somewhere from one of these folders; capitals stand for any name."""
    pattern = re.sub(r"[A-Z]{3,}", "*", written).rstrip("/")
    return any(True for folder in folders for _ in folder.glob(pattern))


def _has_module(dotted: str) -> bool:
    """Whether a dotted name is a module of ours, or begins with one that holds what follows."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        source = next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)
        if source or place.is_dir():
            held = parts[length : length + 1]
            return not held or (source is not None and re.search(rf"\b{held[0]}\b", read(source)) is not None)
    return False


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_paths_are_there(path: Path) -> None:
    """From the root, or in a package's README from its folder and from those that the line itself names."""
    ours = tuple(f"{top}/" for top in TOP)
    for line in BLOCK.sub("", read(path)).splitlines():
        paths = [written for written in SPAN.findall(line) if _PATH.fullmatch(written)]
        near = [path.parent, *(path.parent / folder for folder in paths if folder.endswith("/"))]
        for written in paths:
            if path in PACKAGE_READMES and written.endswith((".py", "/")):
                assert _is_there(written, [ROOT, *near]), f"{name_of(path)} names {written}"
            elif written.startswith(ours):
                assert _is_there(written, [ROOT]), f"{name_of(path)} names {written}"


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_modules_are_there(path: Path) -> None:
    for written in SPAN.findall(BLOCK.sub("", read(path))):
        if _MODULE.fullmatch(written) and written not in KEYS and not written.endswith((".py", ".md")):
            assert _has_module(written), f"{name_of(path)} names {written}"
    for module in _RUN.findall(read(path)):
        if module.partition(".")[0] in TOP:
            assert _has_module(module), f"{name_of(path)} runs {module}"


def test_sources_name_what_is_there() -> None:
    for path in SOURCES:
        text = read(path)
        for written in _IN_SOURCES.findall(text):
            assert (ROOT / written).exists(), f"{name_of(path)} names {written}"
        for written in SPAN.findall(text):
            if _MODULE.fullmatch(written) and written not in KEYS:
                assert _has_module(written), f"{name_of(path)} names {written}"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tree_of_rooms_is_whole(package: str) -> None:
    (tree,) = (block for block in blocks(read(ROOT / "ARCHITECTURE.md"), "text") if block.startswith("app/"))
    ((shown),) = re.findall(rf"^{package}/ .*\n((?:    \S.*\n)*)", tree, re.MULTILINE)
    named = (re.match(r"    ((?:[\w.]+(?:/|\.py|\.toml)  ?)+)", f"{line} ") for line in shown.splitlines())
    rooms = {room for line in named if line for room in line[1].split()}
    folder = ROOT / package
    folders = {f"{inner.name}/" for inner in folder.iterdir() if inner.is_dir() and any(inner.rglob("*.py"))}
    assert {room for room in rooms if room.endswith("/")} == folders
    assert all((folder / room).exists() for room in rooms)


def test_every_port_is_in_the_table_with_its_module() -> None:
    ports = {
        (name, ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
        for path in SOURCES
        for name in re.findall(r"^class (\w+)\([\w, ]*\bProtocol\):", read(path), re.MULTILINE)
        if path.relative_to(ROOT).parts[0] in PACKAGES
    }
    shown = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| `([\w.]+)` \|", read(ROOT / "ARCHITECTURE.md"), re.MULTILINE)
    assert {(name, module) for names, module in shown for name in SPAN.findall(names)} == ports


def test_every_decision_is_listed() -> None:
    shown = re.findall(r"^- \[(.+)\]\((.+README\.md)#", read(ROOT / "ARCHITECTURE.md"), re.MULTILINE)
    kept = [
        (decision, name_of(path))
        for path in PACKAGE_READMES
        for decision in re.findall(r"^### (.+)$", read(path).partition("\n## Decisions\n")[2].partition("\n## ")[0], re.MULTILINE)
    ]
    assert sorted(shown) == sorted(kept)
