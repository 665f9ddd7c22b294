"""The cache on disk: exact, small, and deaf to whatever somebody plants in its database."""

import logging
import os
import pickle
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from math import inf
from pathlib import Path

import diskcache
import numpy as np
import pytest

from indexing.adapters.embedding_cache import DiskEmbeddingCache, _key
from indexing.embedding import EmbedderSpec
from tests.contracts.embedding_cache import HASHES, VECTORS, EmbeddingCacheContract

SPEC = EmbedderSpec("model", "1", 4, "torch-fp32")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "embeddings"


@pytest.fixture
def cache(directory: Path) -> Iterator[DiskEmbeddingCache]:
    opened = DiskEmbeddingCache(directory, lambda: SPEC)
    yield opened
    opened.close()


class TestDiskEmbeddingCache(EmbeddingCacheContract):
    pass


def _rows(directory: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(directory / "cache.db")
    try:
        with connection:
            return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def test_is_kept_for_the_next_process_and_readable_by_its_owner_only(directory: Path, cache: DiskEmbeddingCache) -> None:
    cache.put_many(VECTORS)
    cache.close()
    again = DiskEmbeddingCache(directory, lambda: SPEC)
    assert set(again.get_many(HASHES)) == set(HASHES)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}
    again.close()


def test_looking_up_makes_nothing_on_the_disk(directory: Path, cache: DiskEmbeddingCache) -> None:
    assert dict(cache.get_many(HASHES)) == {}
    assert not directory.exists()


@pytest.mark.parametrize(
    "other",
    [
        EmbedderSpec("another", "1", 4, "torch-fp32"),
        EmbedderSpec("model", "2", 4, "torch-fp32"),
        EmbedderSpec("model", "1", 4, "torch-bf16"),
        EmbedderSpec("model", "1", 3, "torch-fp32"),
    ],
)
def test_whatever_decides_a_vector_is_part_of_the_key(directory: Path, cache: DiskEmbeddingCache, other: EmbedderSpec) -> None:
    cache.put_many(VECTORS)
    apart = DiskEmbeddingCache(directory, lambda: other)
    assert dict(apart.get_many(HASHES)) == {}
    apart.close()


def test_the_spec_is_asked_at_every_call_because_the_first_embedding_may_settle_it(directory: Path) -> None:
    specs = [SPEC]
    cache = DiskEmbeddingCache(directory, lambda: specs[-1])
    cache.put_many(VECTORS)
    specs.append(EmbedderSpec("model", "1", 4, "torch-bf16"))
    assert dict(cache.get_many(HASHES)) == {}
    specs.pop()
    assert len(cache.get_many(HASHES)) == 3
    cache.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value[:-1],
        lambda value: value + b"\0",
        lambda value: value[:8] + bytes([value[8] ^ 1]) + value[9:],
        lambda value: b"\x05" + value[1:],
        lambda _: b"",
    ],
    ids=["torn", "too long", "a bit turned", "another length", "empty"],
)
def test_a_damaged_vector_is_absent(directory: Path, cache: DiskEmbeddingCache, damage: Callable[[bytes], bytes]) -> None:
    cache.put_many(VECTORS)
    key = _key(SPEC, HASHES[0])
    ((value,),) = _rows(directory, "SELECT value FROM Cache WHERE key = ?", key)
    assert isinstance(value, bytes)
    _rows(directory, "UPDATE Cache SET value = ? WHERE key = ?", damage(value), key)
    assert set(cache.get_many(HASHES)) == set(HASHES[1:])


def test_a_vector_under_another_text_s_key_is_absent(directory: Path, cache: DiskEmbeddingCache) -> None:
    cache.put_many(VECTORS)
    ((value,),) = _rows(directory, "SELECT value FROM Cache WHERE key = ?", _key(SPEC, HASHES[1]))
    _rows(directory, "UPDATE Cache SET value = ? WHERE key = ?", value, _key(SPEC, HASHES[0]))
    assert set(cache.get_many(HASHES)) == set(HASHES[1:])


class _Bomb:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (os.environ["BOMB"],)


@pytest.mark.parametrize("mode", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("in_file", [False, True])
def test_a_planted_row_is_neither_unpickled_nor_followed(
    directory: Path,
    cache: DiskEmbeddingCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    in_file: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    sign = tmp_path / "bomb went off"
    monkeypatch.setenv("BOMB", str(sign))
    payload = pickle.dumps(_Bomb())
    outside = tmp_path / "outside.val"
    outside.write_bytes(payload)
    cache.put_many(VECTORS)
    filename, value = ("../outside.val", None) if in_file else (None, payload)
    _rows(
        directory,
        "UPDATE Cache SET mode = ?, filename = ?, value = ? WHERE key = ?",
        mode,
        filename,
        value,
        _key(SPEC, HASHES[0]),
    )
    assert HASHES[0] not in cache.get_many(HASHES)
    cache.put_many({HASHES[0]: VECTORS[HASHES[0]]})  # diskcache removes the old row's file when it is replaced
    assert HASHES[0] in cache.get_many(HASHES)
    assert not sign.exists()
    assert outside.read_bytes() == payload


def test_a_pickled_key_is_never_read(
    directory: Path, cache: DiskEmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = tmp_path / "bomb went off"
    monkeypatch.setenv("BOMB", str(sign))
    cache.put_many(VECTORS)
    _rows(directory, "UPDATE Cache SET key = ?, raw = 0 WHERE key = ?", pickle.dumps(_Bomb()), _key(SPEC, HASHES[0]))
    assert HASHES[0] not in cache.get_many(HASHES)
    assert cache._cache._cache is not None
    with pytest.raises(OSError, match="foreign key"):
        list(cache._cache._cache)
    assert not sign.exists()


def test_only_bytes_are_taken(cache: DiskEmbeddingCache) -> None:
    cache.put_many(VECTORS)
    assert cache._cache._cache is not None
    with pytest.raises(TypeError, match="bytes"):
        cache._cache._cache.set(b"key", {"a": 1})
    with pytest.raises(TypeError, match="bytes"):
        cache._cache._cache.set("key", b"value")


def test_planted_settings_bring_no_files_back(directory: Path, cache: DiskEmbeddingCache) -> None:
    cache.put_many({HASHES[0]: VECTORS[HASHES[0]]})
    cache.close()
    _rows(directory, "INSERT OR REPLACE INTO Settings VALUES ('disk_min_file_size', 0), ('disk_compress_level', 9)")
    again = DiskEmbeddingCache(directory, lambda: SPEC)
    again.put_many(VECTORS)
    assert set(again.get_many(HASHES)) == set(HASHES)
    assert not list(directory.rglob("*.val"))
    again.close()


@pytest.mark.parametrize("content", [b"this is no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_database_begins_anew_and_says_so(
    directory: Path, cache: DiskEmbeddingCache, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    directory.mkdir()
    (directory / "cache.db").write_bytes(content)
    assert dict(cache.get_many(HASHES)) == {}
    cache.put_many(VECTORS)
    assert set(cache.get_many(HASHES)) == set(HASHES)
    assert "begins anew" in caplog.text
    assert cache.problem is None


def test_somebody_else_s_directory_is_refused(
    directory: Path, cache: DiskEmbeddingCache, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.mkdir()
    owner = directory.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    cache.put_many(VECTORS)
    cache.put_many(VECTORS)
    assert dict(cache.get_many(HASHES)) == {}
    assert list(directory.iterdir()) == []
    assert cache.problem is not None
    assert f"belongs to user {owner}" in cache.problem
    assert caplog.text.count("Indexing goes on without it") == 1


def test_a_link_is_refused(directory: Path, cache: DiskEmbeddingCache, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    directory.symlink_to(tmp_path / "elsewhere")
    cache.put_many(VECTORS)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert cache.problem is not None
    assert "is a link" in cache.problem


def test_a_place_that_cannot_be_written_costs_the_cache_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = DiskEmbeddingCache(tmp_path / "file" / "embeddings", lambda: SPEC)
    cache.put_many(VECTORS)
    assert dict(cache.get_many(HASHES)) == {}
    assert "cannot be used" in caplog.text


def test_an_older_loose_directory_is_closed(directory: Path, cache: DiskEmbeddingCache) -> None:
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    cache.put_many(VECTORS)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_first_stored_go_when_the_room_is_used_up(directory: Path) -> None:
    spec = EmbedderSpec("model", "1", 1000, "torch-fp32")
    cache = DiskEmbeddingCache(directory, lambda: spec, max_bytes=1_000_000)
    hashes = [sha256(f"{n}".encode()).hexdigest() for n in range(1000)]
    for start in range(0, 1000, 50):
        cache.put_many({key: np.full(1000, 0.5, dtype=np.float32) for key in hashes[start : start + 50]})
    known = cache.get_many(hashes)
    assert hashes[-1] in known
    assert hashes[0] not in known
    cache.close()
    assert sum(file.stat().st_size for file in directory.iterdir()) < 2_000_000


def test_reading_three_thousand_vectors_costs_little_more_than_their_rows(directory: Path) -> None:
    spec = EmbedderSpec("model", "1", 384, "torch-fp32")
    cache = DiskEmbeddingCache(directory, lambda: spec)
    hashes = [sha256(f"{n}".encode()).hexdigest() for n in range(3000)]
    rows = np.random.default_rng(1).random((3000, 384), dtype=np.float32)
    cache.put_many(dict(zip(hashes, rows, strict=True)))
    with diskcache.Cache(directory) as plain:
        keys = list(plain)
        seconds = {"cache": inf, "rows": inf}
        for _ in range(5):
            for name, read in (("cache", lambda: cache.get_many(hashes)), ("rows", lambda: [plain.get(key) for key in keys])):
                start = time.perf_counter()
                assert len(read()) == 3000
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    cache.close()
    assert seconds["cache"] < 5 * seconds["rows"]


@pytest.fixture(autouse=True)
def _warnings_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
