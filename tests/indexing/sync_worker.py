"""One sync in a process of its own, which its test kills. It says each step of progress on a line."""

import sys
from pathlib import Path

from indexing.adapters.edge_index import EdgeIndexStore
from indexing.adapters.embedding_cache import DiskEmbeddingCache
from indexing.language import ENGLISH
from indexing.sync import sync
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.sources import FakeSource
from tests.indexing.workplace import Workplace, page


class Speaker:
    def update(self, phase: str, done: int, total: int | None) -> None:
        sys.stdout.write(f"{phase} {done} {total}\n")
        sys.stdout.flush()


def edge_workplace(home: Path) -> Workplace:
    """A home with the real index and the real cache, and a model that costs nothing."""
    embedder = FakeEmbedder()
    cache = DiskEmbeddingCache(home / "embeddings", lambda: embedder.spec)
    return Workplace(home, store=EdgeIndexStore(ENGLISH), embedder=embedder, cache=cache, engine="edge")


def pages(state: str) -> FakeSource:
    """Two states of 500 pages: `old`, and `new`, in which some are edited, added and gone."""
    source = FakeSource(
        pages={f"{n:03}.md": page(f"Page {n}", f"This is page {n} of the book.", "Common text.") for n in range(500)}
    )
    if state == "new":
        for n in range(0, 500, 2):
            source.pages[f"{n:03}.md"] = page(f"Page {n}", f"This is page {n} of the new edition.", "Common text.")
        for n in range(0, 500, 5):
            source.pages[f"more/{n:03}.md"] = source.pages.pop(f"{n:03}.md")
        for n in range(1, 500, 10):
            del source.pages[f"{n:03}.md"]
    return source


if __name__ == "__main__":
    sync([pages("new")], edge_workplace(Path(sys.argv[1])).tools, Speaker())
