"""The repository's own texts, and what stands in them. For the tests that hold them to the code."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
MANUAL: Final = ROOT / "docs"
PACKAGES: Final = ("app", "indexing", "retrieval", "eval")

PAGES: Final = sorted(MANUAL.glob("*.md"))
PACKAGE_READMES: Final = sorted(readme for package in PACKAGES for readme in (ROOT / package).rglob("README.md"))
TEXTS: Final = [*PAGES, *sorted(ROOT.glob("*.md")), *PACKAGE_READMES]
"""Every text that a person reads: the manual, the pages at the root, and the packages' READMEs."""

SPAN: Final = re.compile(r"`([^`\n]+)`")
LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    """A file's path in the repository."""
    return path.relative_to(ROOT).as_posix()


def read(path: Path) -> str:
    """A text, as it stands."""
    return path.read_text(encoding="utf-8")


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks of these languages."""
    return [body for language, body in BLOCK.findall(text) if language in languages]


def headings(text: str, level: str = "#+") -> list[str]:
    """The headings of a Markdown text, marks and fenced blocks left out; `level` is a pattern of number signs."""
    return re.findall(rf"^(?:{level}) (.+)$", BLOCK.sub("", text), re.MULTILINE)


def anchors(text: str) -> list[str]:
    """The anchors of a text's headings, as GitHub makes them."""
    seen: list[str] = []
    for heading in headings(text):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        seen.append(
            f"{slug}-{number}"
            if (number := sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", s) is not None for s in seen))
            else slug
        )
    return seen
