"""Private views: what they share, what they copy, and what becomes of those whose owner died."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from indexing.adapters.edge_files import INDEX_FOLDER, read_mark
from indexing.adapters.edge_index import EdgeIndexStore
from indexing.errors import ChunkIndexError
from indexing.language import ENGLISH
from retrieval.adapters.edge_searcher import EdgePassageSearcher
from retrieval.adapters.edge_view import EdgeView
from tests.contracts.corpus import ALL, DIMENSION, make_chunk, unit_vectors
from tests.indexing.adapters.test_edge_index import disk_bytes, fingerprint


@pytest.fixture
def generation(tmp_path: Path) -> Path:
    index = EdgeIndexStore(ENGLISH).create("g1", tmp_path / "g1", DIMENSION)
    index.upsert([make_chunk(f"w{number}") for number in range(400)], unit_vectors(400))
    index.commit()
    return tmp_path / "g1"


def test_shares_the_large_files_and_copies_the_small(generation: Path, tmp_path: Path) -> None:
    view = EdgeView(generation, read_mark(generation), tmp_path / "run")
    shared = {path.name for path in view.shard.rglob("*") if path.is_file() and path.stat().st_nlink > 1}
    assert shared == {"chunk_0.mmap", "page_0.dat"}
    for name in read_mark(generation).files:
        assert (view.shard / name).read_bytes() == (generation / INDEX_FOLDER / name).read_bytes()
    view.remove()


def test_opening_searching_and_closing_change_no_byte_and_no_time_stamp(generation: Path, tmp_path: Path) -> None:
    before = fingerprint(generation)
    for _ in range(3):
        searcher = EdgePassageSearcher(generation, DIMENSION, ENGLISH, tmp_path / "run")
        searcher.search("w1", unit_vectors(1)[0], ALL, 10)
        searcher.close()
        searcher.close()
    assert fingerprint(generation) == before


def test_copies_where_links_are_impossible(generation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    searcher = EdgePassageSearcher(generation, DIMENSION, ENGLISH, tmp_path / "run")
    assert len(searcher.search("w1", unit_vectors(1)[0], ALL, 10).dense) == 10
    assert disk_bytes(tmp_path / "run") <= disk_bytes(generation) + 100_000
    searcher.close()


def test_leftovers_of_the_dead_are_swept_and_the_living_stay(generation: Path, tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from indexing.language import ENGLISH\n"
        "from retrieval.adapters.edge_searcher import EdgePassageSearcher\n"
        "root = Path(sys.argv[1]); searcher = EdgePassageSearcher(root / 'g1', 8, ENGLISH, root / 'run')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = tmp_path / "run"
    living = EdgePassageSearcher(generation, DIMENSION, ENGLISH, run)
    kept = set(run.glob("view-*"))
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, cwd=Path(__file__).parents[3])
    assert killed.returncode == -9
    assert len(set(run.glob("view-*")) - kept) == 1
    (run / "view-empty").mkdir()
    another = EdgePassageSearcher(generation, DIMENSION, ENGLISH, run)
    assert len(list(run.glob("view-*"))) == 2
    assert set(run.glob("view-*")) > kept
    assert len(living.search("w1", unit_vectors(1)[0], ALL, 10).dense) == 10
    living.close()
    another.close()
    assert not list(run.glob("view-*"))


def test_many_open_and_close_at_once(generation: Path, tmp_path: Path) -> None:
    def use(number: int) -> int:
        searcher = EdgePassageSearcher(generation, DIMENSION, ENGLISH, tmp_path / "run")
        try:
            return len(searcher.search(f"w{number}", unit_vectors(1)[0], ALL, 10).dense)
        finally:
            searcher.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(40))) == [10] * 40
    assert not list((tmp_path / "run").glob("view-*"))


def test_a_scratch_folder_that_cannot_be_made_is_an_error_of_ours(generation: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(ChunkIndexError, match="cannot be read or written"):
        EdgePassageSearcher(generation, DIMENSION, ENGLISH, tmp_path / "run")


class TestFull:
    @pytest.fixture
    def tiny(self) -> Iterator[Path]:
        """A file system in memory with room for a view's copies, and not for the holes of the files."""
        with TemporaryDirectory() as place:
            if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], check=False).returncode:
                pytest.skip("only root may make a small file system")
            yield Path(place)
            subprocess.run(["umount", "-l", place], check=True)

    def test_where_reading_takes_room_that_is_not_there_it_is_an_error_and_the_process_lives(
        self, generation: Path, tiny: Path
    ) -> None:
        script = (
            "import sys; from pathlib import Path\n"
            "from indexing.errors import ChunkIndexError\n"
            "from indexing.language import ENGLISH\n"
            "from retrieval.adapters.edge_searcher import EdgePassageSearcher\n"
            "try: EdgePassageSearcher(Path(sys.argv[1]), 8, ENGLISH, Path(sys.argv[2]))\n"
            "except ChunkIndexError as error: print(error)\n"
        )
        command = [sys.executable, "-c", script, str(generation), str(tiny / "run")]
        done = subprocess.run(command, check=False, cwd=Path(__file__).parents[3], capture_output=True, text=True)
        assert done.returncode == 0
        assert re.match(rf"The disk that holds {tiny}.* is full \(2 MiB free, 1\d\d MiB needed\)\. Free some space", done.stdout)
        assert not list((tiny / "run").glob("view-*"))

    def test_a_full_disk_is_searched_all_the_same(
        self, generation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if subprocess.run(["stat", "-f", "-c", "%T", tmp_path], check=True, capture_output=True).stdout == b"tmpfs\n":
            pytest.skip("the tests' folder is in memory")
        usage = shutil.disk_usage(tmp_path)._replace(free=0)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
        searcher = EdgePassageSearcher(generation, DIMENSION, ENGLISH, tmp_path / "run")
        assert len(searcher.search("w1", unit_vectors(1)[0], ALL, 10).dense) == 10
        searcher.close()
