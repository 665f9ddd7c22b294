"""A parser of Markdown in the process: front matter of `key: value` lines, first H1 as the title. For tests that parse little."""

import re
from collections.abc import Iterable, Iterator

from indexing.documents import RawDocument
from indexing.parsing import ParsedDocument
from indexing.sources import Skipped

_FRONT_MATTER = re.compile(r"---\n(.*?\n)?---\n", re.DOTALL)


class FakeParser:
    """`parsed` lists the paths that it was given. A page that says `UNREADABLE` is skipped."""

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.parsed: list[str] = []

    def parse(self, documents: Iterable[RawDocument]) -> Iterator[tuple[RawDocument, ParsedDocument | Skipped]]:
        for document in documents:
            self.parsed.append(document.path)
            text = document.content.decode(errors="replace")
            if "UNREADABLE" in text:
                yield document, Skipped(document.path, "it cannot be read; save it again")
            else:
                yield document, _parsed(text)

    def close(self) -> None:
        pass


def _parsed(text: str) -> ParsedDocument:
    front = _FRONT_MATTER.match(text)
    fields = dict(line.split(": ", 1) for line in (front.group(1) or "").splitlines() if ": " in line) if front else {}
    markdown = text[front.end() :] if front else text
    heading = re.search(r"^# (.+)$", markdown, re.MULTILINE)
    return ParsedDocument(
        markdown=markdown,
        title=fields.get("title") or (heading.group(1) if heading else None),
        first_line=1 + text[: len(text) - len(markdown)].count("\n"),
        labels=tuple(sorted(fields["labels"].split(","))) if "labels" in fields else None,
        keywords=fields.get("keywords", ""),
    )
