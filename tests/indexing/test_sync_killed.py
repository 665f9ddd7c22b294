"""kill -9 at any point of a sync: the old index answers, and the next sync makes what a fresh one makes."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from indexing.catalog import Catalog
from indexing.documents import DEFAULT_TENANT, EVERYONE, AccessScope, Chunk
from indexing.language import ENGLISH
from retrieval.adapters.edge_searcher import EdgePassageSearcher
from tests.fakes.embedder import FakeEmbedder
from tests.indexing.sync_worker import edge_workplace, pages
from tests.indexing.workplace import Workplace

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
KILLS = 20
SCOPE = AccessScope(DEFAULT_TENANT, frozenset({EVERYONE}))


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """A folder in memory where there is one: a killed process loses nothing that it has written, so a disk would only be slow."""
    shared_memory = "/dev/shm"
    with TemporaryDirectory(dir=shared_memory if os.access(shared_memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def home(template: Path, room: Path) -> Iterator[Path]:
    """A home that serves the old pages."""
    with TemporaryDirectory(dir=room) as folder:
        yield shutil.copytree(template, Path(folder) / "home")


@pytest.fixture(scope="module")
def template(room: Path) -> Path:
    """What every home here begins with."""
    home = room / "template"
    edge_workplace(home).sync(pages("old"))
    return home


@dataclass(frozen=True, slots=True)
class Held:
    """What a home serves."""

    chunks: dict[str, Chunk]
    catalog: dict[str, list[tuple[object, ...]]]


@pytest.fixture(scope="module")
def fresh(room: Path) -> Held:
    """What a home serves that never held anything but the new pages."""
    work = edge_workplace(room / "fresh")
    work.sync(pages("new"))
    return Held(contents(work), work.catalog())


def contents(work: Workplace) -> dict[str, Chunk]:
    """Every chunk that the serving generation finds and gives."""
    directory = work.generations.directory(work.serving())
    with closing(Catalog(directory)) as catalog:
        documents = [row.id for row in catalog.documents("handbook").values()]
        known = {row.id for rows in catalog.chunks(documents).values() for row in rows}
    with closing(EdgePassageSearcher(directory, work.embedder.spec.dimension, ENGLISH, work.home / "views")) as searcher:
        found = searcher.search("page of the book", FakeEmbedder().embed_query("page of the book"), SCOPE, 5)
        assert len(found.dense) == len(found.words) == 5
        chunks = dict(searcher.chunks(sorted(known), SCOPE))
    assert chunks.keys() == known
    return chunks


def kill_points() -> Iterator[tuple[int, float]]:
    """Which line of progress to wait for, and how long after it to kill: every phase gets its share."""
    rng = random.Random(20)
    for n in range(KILLS):
        line = [rng.randint(1, 450), rng.randint(451, 453), 454 + n // 3 % 3][n % 3]  # read, embed, write
        yield line, rng.choice([0.0, rng.random() * 0.05])


@pytest.mark.parametrize(("line", "delay_s"), list(kill_points()))
def test_a_killed_sync_costs_nothing_but_time(home: Path, fresh: Held, line: int, delay_s: float) -> None:
    old = edge_workplace(home).serving()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.indexing.sync_worker", str(home)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(line)]
        time.sleep(delay_s)
        process.kill()
        process.wait()
    assert lines[-1], "the sync had fewer steps than this test thinks"
    work = edge_workplace(home)
    served = contents(work)
    if work.serving() == old:
        assert len(served) == 1000
    report = work.sync(pages("new"))
    assert report.total_chunks == len(fresh.chunks)
    assert Held(contents(work), work.catalog()) == fresh
    left = {entry.name for entry in (home / "generations").iterdir()}
    assert left == set(work.generations.finished())


def test_finished_vectors_are_not_paid_again(home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.indexing.sync_worker", str(home)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        batches = 0
        while batches < 2:  # "embed 0", and one finished batch
            batches += process.stdout.readline().startswith("embed")
        process.kill()
        process.wait()
    work = edge_workplace(home)
    report = work.sync(pages("new"))
    assert report.embedded_chunks < 250 - 50  # half of the pages say something new
