"""A source whose pages are a dictionary that tests edit between syncs."""

from collections.abc import Iterator

from indexing.documents import RawDocument
from indexing.errors import SourceError
from indexing.sources import Skipped


class FakeSource:
    """Delivers `pages` (path -> text) in the order of paths, then `skipped` (path -> reason). A `broken` one fails at its end."""

    def __init__(self, name: str = "handbook", pages: dict[str, str] | None = None, labels: tuple[str, ...] = ()) -> None:
        self._name = name
        self.pages = dict(pages or {})
        self.skipped: dict[str, str] = {}
        self.labels = labels
        self.broken = False

    @property
    def name(self) -> str:
        return self._name

    def documents(self) -> Iterator[RawDocument | Skipped]:
        for path, text in sorted(self.pages.items()):
            yield RawDocument(self._name, path, f"docs/{path}", text.encode(), self.labels)
        for path, reason in self.skipped.items():
            yield Skipped(path, reason)
        if self.broken:
            raise SourceError(f"The source {self._name} is out of order. Repair it.")
