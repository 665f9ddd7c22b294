"""From a file's bytes to Markdown: the port. The parsers themselves run in a limited subprocess (adapters)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from indexing.documents import AccessLabel, RawDocument
from indexing.sources import Skipped


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """One document as Markdown (CommonMark with pipe tables and fenced code), without its front matter.

    `title` is the page's own, `None` when it has none. `first_line` is the line of the file on which `markdown` begins, from 1;
    `None` when the Markdown was converted from another format. `labels` are those of its front matter, `None` when it names
    none. `keywords` are other names from front matter (keywords, aliases, tags, description), for the search by words.
    """

    markdown: str
    title: str | None
    first_line: int | None
    labels: tuple[AccessLabel, ...] | None
    keywords: str


class DocumentParser(Protocol):
    """Parses untrusted bytes. Whatever a document does - crash, hang, eat memory - costs that document only."""

    @property
    def version(self) -> str:
        """Changes whenever the same bytes may give other Markdown; a sync with another version parses everything again."""

    def parse(self, documents: Iterable[RawDocument]) -> Iterator[tuple[RawDocument, ParsedDocument | Skipped]]:
        """Parse documents one by one, in order; each comes back with its Markdown, or with the reason why there is none."""

    def close(self) -> None:
        """End the subprocess."""
