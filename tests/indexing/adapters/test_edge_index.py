"""The embedded index, on the writing side."""

import errno
import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from indexing.adapters.edge_errors import edge_errors
from indexing.adapters.edge_files import INDEX_FOLDER, MARK_FILE, allocated_bytes, copy_sparsely
from indexing.adapters.edge_index import EdgeIndexStore
from indexing.errors import ChunkIndexError, IndexForeignError, IndexMissingError
from indexing.language import ENGLISH
from retrieval.adapters.edge_searcher import EdgePassageSearcher
from tests.contracts.chunk_index import ChunkIndexContract
from tests.contracts.corpus import ALL, DIMENSION, Engine, make_chunk, unit_vectors


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    scratch = tmp_path / "run"
    return Engine(
        EdgeIndexStore(ENGLISH),
        tmp_path,
        lambda _generation, directory, dimension: EdgePassageSearcher(directory, dimension, ENGLISH, scratch),
    )


class TestEdgeIndex(ChunkIndexContract):
    def test_derive_changes_no_byte_of_the_base(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk(f"w{number}") for number in range(50)], unit_vectors(50))
        before = fingerprint(engine.directory("g1"))
        index = engine.store.derive("g2", engine.directory("g2"), "g1", engine.directory("g1"), DIMENSION)
        index.upsert([make_chunk("added"), make_chunk("w3")], unit_vectors(2, seed=9))
        index.delete([make_chunk("w4").id])
        index.commit()
        assert fingerprint(engine.directory("g1")) == before
        ours, theirs = set(inodes(engine.directory("g1"))), set(inodes(engine.directory("g2")))
        assert not ours & theirs

    def test_a_derived_index_stays_as_sparse_as_its_base(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk(f"w{number}") for number in range(50)], unit_vectors(50))
        engine.store.derive("g2", engine.directory("g2"), "g1", engine.directory("g1"), DIMENSION).commit()
        base, derived = (disk_bytes(engine.directory(generation)) for generation in ("g1", "g2"))
        assert derived < 2 * base < 10_000_000

    def test_removed_chunks_give_their_room_back(self, engine: Engine) -> None:
        chunks = [make_chunk(f"w{number} {'long ' * 400}") for number in range(3000)]
        engine.commit("g1", chunks, unit_vectors(3000))
        index = engine.store.derive("g2", engine.directory("g2"), "g1", engine.directory("g1"), DIMENSION)
        index.delete([chunk.id for chunk in chunks[:2000]])
        index.commit()
        assert engine.store.count("g2", engine.directory("g2")) == 1000
        assert disk_bytes(engine.directory("g2")) < 0.7 * disk_bytes(engine.directory("g1"))

    def test_what_was_committed_survives_a_kill(self, engine: Engine, tmp_path: Path) -> None:
        script = (
            "import os, signal, sys; from pathlib import Path\n"
            "from indexing.language import ENGLISH\n"
            "from indexing.adapters.edge_index import EdgeIndexStore\n"
            "from tests.contracts.corpus import DIMENSION, make_chunk, unit_vectors\n"
            "store, root = EdgeIndexStore(ENGLISH), Path(sys.argv[1])\n"
            "done = store.create('g1', root / 'g1', DIMENSION)\n"
            "done.upsert([make_chunk('alpha')], unit_vectors(1)); done.commit()\n"
            "half = store.derive('g2', root / 'g2', 'g1', root / 'g1', DIMENSION)\n"
            "half.upsert([make_chunk('bravo')], unit_vectors(1))\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        engine.directory("g1"), engine.directory("g2")
        run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, cwd=Path(__file__).parents[3])
        assert run.returncode == -9
        with engine.searching("g1") as searcher:
            assert len(searcher.chunks([make_chunk("alpha").id], ALL)) == 1
        with pytest.raises(IndexForeignError, match="not a finished index"):
            engine.store.count("g2", engine.directory("g2"))


class TestForeignAndDamaged:
    def test_says_that_a_folder_is_not_an_index(self, engine: Engine) -> None:
        directory = engine.directory("g1")
        (directory / INDEX_FOLDER).mkdir()
        (directory / INDEX_FOLDER / "photo.jpg").write_bytes(b"x")
        with pytest.raises(IndexForeignError, match="not a finished index of Farthing"), engine.searching("g1"):
            pass

    @pytest.mark.parametrize("mark", ["", "{", "[]", "{}", '{"format": 1}', '"farthing"', "\xff\xfe"])
    def test_says_that_the_mark_is_unreadable(self, engine: Engine, mark: str) -> None:
        engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
        (engine.directory("g1") / INDEX_FOLDER / MARK_FILE).write_bytes(mark.encode("latin-1"))
        with pytest.raises(IndexForeignError, match="new index"):
            engine.store.count("g1", engine.directory("g1"))

    def test_says_that_another_version_wrote_it(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
        mark = engine.directory("g1") / INDEX_FOLDER / MARK_FILE
        mark.write_text(mark.read_text().replace("farthing-edge-1", "farthing-edge-0"))
        with pytest.raises(IndexForeignError, match="'farthing-edge-0'; this version reads 'farthing-edge-1'"):
            engine.store.derive("g2", engine.directory("g2"), "g1", engine.directory("g1"), DIMENSION)

    def test_refuses_every_truncated_or_missing_file_before_the_engine_maps_it(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
        folder = engine.directory("g1") / INDEX_FOLDER
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != MARK_FILE]
        assert len(files) > 10
        for file in files:
            size_bytes = file.stat().st_size
            if size_bytes:
                os.truncate(file, size_bytes - 1)
                with pytest.raises(ChunkIndexError, match=rf"damaged: .*{file.name} has {size_bytes - 1} bytes.*new index"):
                    engine.open_searcher("g1", engine.directory("g1"), DIMENSION)
                os.truncate(file, size_bytes)
            aside = file.rename(engine.root / "aside")
            with pytest.raises(ChunkIndexError, match=rf"damaged: .*{file.name} is missing.*new index"):
                engine.open_searcher("g1", engine.directory("g1"), DIMENSION)
            aside.rename(file)

    def test_scribbled_files_are_an_error_of_ours(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
        segment = next((engine.directory("g1") / INDEX_FOLDER).rglob("segment.json"))
        segment.write_bytes(b"x" * segment.stat().st_size)
        with pytest.raises(ChunkIndexError, match=r"index engine failed.*new index"), engine.searching("g1"):
            pass
        assert not list((engine.root / "run").glob("view-*"))


class TestFullDisk:
    def test_refuses_to_write_where_the_reserve_is_gone(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
        index = engine.store.create("g2", engine.directory("g2"), DIMENSION)
        usage = shutil.disk_usage(engine.root)._replace(free=50 * 2**20)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
        full = rf"{engine.root}.* is full \(50 MiB free"
        with pytest.raises(ChunkIndexError, match=full):
            index.upsert([make_chunk("alpha")], unit_vectors(1))
        with pytest.raises(ChunkIndexError, match=full):
            index.commit()
        index.abandon()
        with pytest.raises(ChunkIndexError, match=full):
            engine.store.create("g3", engine.directory("g3"), DIMENSION)
        with pytest.raises(ChunkIndexError, match=full):
            engine.store.derive("g4", engine.directory("g4"), "g1", engine.directory("g1"), DIMENSION)
        assert engine.store.count("g1", engine.directory("g1")) == 1

    @pytest.mark.parametrize(
        "fault",
        [
            OSError(errno.ENOSPC, "No space left on device"),
            OSError(errno.EDQUOT, "Disk quota exceeded"),
            Exception("Service runtime error: IO Error: No space left on device (os error 28)"),
        ],
    )
    def test_names_the_directory_when_the_disk_fills_up_meanwhile(self, tmp_path: Path, fault: Exception) -> None:
        with pytest.raises(ChunkIndexError, match=rf"{tmp_path} is full.*Free some space"), edge_errors(tmp_path):
            raise fault


class TestEdgeErrors:
    def test_panics_become_ours(self, tmp_path: Path) -> None:
        panic = type("PanicException", (BaseException,), {})
        with pytest.raises(ChunkIndexError, match="engine failed"), edge_errors(tmp_path):
            raise panic("called `Option::unwrap()` on a `None` value")

    @pytest.mark.parametrize("own", [KeyboardInterrupt, SystemExit, TypeError, KeyError])
    def test_what_the_engine_does_not_raise_passes(self, tmp_path: Path, own: type[BaseException]) -> None:
        with pytest.raises(own), edge_errors(tmp_path):
            raise own


class TestCopySparsely:
    def test_copies_bytes_and_holes(self, tmp_path: Path) -> None:
        source, target = tmp_path / "a", tmp_path / "b"
        data = random.Random(1).randbytes(5_000_001)
        with source.open("wb") as file:
            file.write(data)
            file.seek(40_000_000)
            file.write(b"end")
            file.truncate(64_000_000)
        copy_sparsely(source, target)
        assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
        assert allocated_bytes(target) <= allocated_bytes(source) + 65536

    def test_copies_an_empty_file_and_never_overwrites(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        copy_sparsely(tmp_path / "a", tmp_path / "b")
        assert (tmp_path / "b").read_bytes() == b""
        with pytest.raises(FileExistsError):
            copy_sparsely(tmp_path / "a", tmp_path / "b")


def test_a_base_that_vanishes_is_missing(engine: Engine) -> None:
    engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
    shutil.rmtree(engine.directory("g1"))
    with pytest.raises(IndexMissingError):
        engine.store.derive("g2", engine.directory("g2"), "g1", engine.root / "g1", DIMENSION)


def fingerprint(directory: Path) -> dict[str, tuple[str, int, int]]:
    """Content, inode and time of change of every file: what a reader or a derived index must leave alone."""
    return {
        str(path.relative_to(directory)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_ino,
            path.stat().st_mtime_ns,
        )
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def inodes(directory: Path) -> list[int]:
    return [path.stat().st_ino for path in directory.rglob("*") if path.is_file()]


def disk_bytes(directory: Path) -> int:
    return sum(allocated_bytes(path) for path in directory.rglob("*") if path.is_file())
