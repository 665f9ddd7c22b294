import errno
import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexing import generations as module
from indexing.embedding import EmbedderSpec
from indexing.errors import ChunkIndexError, IndexBusyError, IndexForeignError, IndexMissingError
from indexing.generations import INDEX_FORMAT, Generations, IndexManifest, created_at, created_by

SPEC = EmbedderSpec("model", "1", 8, "torch-fp32")


def make_manifest(identity: str) -> IndexManifest:
    return IndexManifest(
        format=INDEX_FORMAT,
        generation=identity,
        created_at=created_at(),
        created_by=created_by(),
        engine="edge",
        embedder=SPEC,
        language="en",
        tokenizer="o200k_base",
        parser_version="1",
        chunker_version="1",
        sources=("docs", "wiki"),
        documents=2,
        chunks=3,
        units=9,
        tokens=300,
        embedded_chunks_per_s=None,
    )


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "home")


def nothing_elsewhere(_identity: str, _directory: Path) -> None:
    pass


def publish(generations: Generations) -> str:
    with generations.write_lock():
        identity = generations.begin()
        (generations.directory(identity) / "index").mkdir()
        generations.publish(make_manifest(identity))
    return identity


def test_nothing_is_there_at_first_and_asking_makes_nothing(generations: Generations) -> None:
    assert generations.current_id() is None
    assert generations.finished() == []
    with pytest.raises(IndexMissingError, match="Run `farthing index PATH`"):
        generations.current()
    assert not generations.home.exists()


def test_the_published_generation_serves(generations: Generations) -> None:
    first = publish(generations)
    assert generations.current_id() == first
    assert generations.current() == make_manifest(first)
    second = publish(generations)
    assert second > first
    assert generations.current().generation == second
    assert generations.manifest(first).generation == first
    assert generations.finished() == [first, second]


def test_a_manifest_says_who_made_it() -> None:
    assert "@" in created_by()
    assert ", farthing " in created_by()
    assert abs(datetime.now(tz=UTC) - datetime.fromisoformat(created_at())) < timedelta(seconds=5)


def test_everything_is_private(generations: Generations) -> None:
    identity = publish(generations)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [generations.home, *generations.home.glob("*")]}
    assert modes == {"home": 0o700, "generations": 0o700, "current": 0o600, "write.lock": 0o600}
    assert stat.S_IMODE(generations.directory(identity).stat().st_mode) == 0o700
    assert stat.S_IMODE((generations.directory(identity) / "manifest.json").stat().st_mode) == 0o600


def test_a_clock_that_is_set_back_keeps_the_order(generations: Generations, monkeypatch: pytest.MonkeyPatch) -> None:
    first = publish(generations)
    monkeypatch.setattr(module, "_now", lambda: datetime(2020, 1, 1, tzinfo=UTC))
    second = publish(generations)
    assert second > first


@pytest.mark.parametrize("pointer", ["", "../../etc", "20260101T000000000000Z-zzzzzz", "x" * 5000])
def test_a_pointer_to_nowhere_is_foreign(generations: Generations, pointer: str) -> None:
    publish(generations)
    (generations.home / "current").write_text(pointer)
    with pytest.raises(IndexForeignError, match=r"does not name a generation.*farthing index PATH"):
        generations.current()


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"format": "one"}', '{"format": 1}', '{"format": 0}'])
def test_a_manifest_that_is_not_ours_is_foreign(generations: Generations, content: str | None) -> None:
    file = generations.directory(publish(generations)) / "manifest.json"
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(IndexForeignError, match="farthing index PATH"):
        generations.current()


def test_a_newer_format_asks_for_an_upgrade(generations: Generations) -> None:
    file = generations.directory(publish(generations)) / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": INDEX_FORMAT + 1, "unheard_of": 1}))
    with pytest.raises(IndexForeignError, match=r"newer Farthing.*Upgrade"):
        generations.current()


def test_only_one_writes_and_the_other_is_told_who(generations: Generations) -> None:
    with (
        generations.write_lock(),
        pytest.raises(IndexBusyError, match=rf"process {os.getpid()}, started 20\d\d-.*Wait until"),
        Generations(generations.home).write_lock(),
    ):
        pass
    with generations.write_lock():
        pass


def test_the_lock_of_a_killed_process_is_free(generations: Generations) -> None:
    program = (
        "import sys, time; from pathlib import Path; from indexing.generations import Generations\n"
        "with Generations(Path(sys.argv[1])).write_lock():\n    print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(generations.home)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(IndexBusyError, match=f"process {holder.pid}"), generations.write_lock():
            pass
        holder.kill()
        holder.wait()
        with generations.write_lock():
            pass


def test_the_last_few_stay_and_the_serving_one_always(tmp_path: Path) -> None:
    generations = Generations(tmp_path / "home", keep=3)
    made = [publish(generations) for _ in range(6)]
    (generations.home / "current").write_text(made[0])  # somebody went back to the first
    dropped: list[str] = []
    generations.prune(lambda identity, _directory: dropped.append(identity))
    assert generations.finished() == [made[0], made[4], made[5]]
    assert dropped == made[1:4]
    assert generations.current().generation == made[0]
    Generations(tmp_path / "home", keep=1).prune(nothing_elsewhere)
    assert generations.finished() == [made[0]]


def test_what_an_interrupted_sync_left_is_swept_and_nothing_else(generations: Generations) -> None:
    serving = publish(generations)
    unfinished = generations.begin()
    (generations.directory(unfinished) / "index").mkdir()
    (generations.home / "generations" / "notes").mkdir()
    dropped: list[str] = []
    generations.sweep(lambda identity, _directory: dropped.append(identity))
    assert dropped == [unfinished]
    assert sorted(entry.name for entry in (generations.home / "generations").iterdir()) == sorted([serving, "notes"])


def test_a_removal_that_is_cut_short_is_finished_by_the_next_sweep(generations: Generations) -> None:
    old, serving = publish(generations), publish(generations)

    def fail(_identity: str, _directory: Path) -> None:
        raise ChunkIndexError("the server is away")

    with pytest.raises(ChunkIndexError):
        generations.remove(old, fail)
    assert generations.finished() == [serving]
    generations.sweep(nothing_elsewhere)
    assert not generations.directory(old).exists()


def test_the_serving_generation_cannot_be_removed(generations: Generations) -> None:
    serving = publish(generations)
    with pytest.raises(ValueError, match="serves"):
        generations.remove(serving, nothing_elsewhere)
    assert generations.current().generation == serving


@pytest.mark.parametrize("failing", range(1, 9))
def test_a_disk_that_fills_up_at_any_point_leaves_the_old_one_serving(
    generations: Generations, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    old = publish(generations)
    calls = 0
    fsync = os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with generations.write_lock():
        identity = generations.begin()
        monkeypatch.setattr(os, "fsync", full)
        if failing <= 6:  # folder, manifest, its folder, folder of all, pointer, its folder
            with pytest.raises(ChunkIndexError, match=r"No space left.*Free some space"):
                generations.publish(make_manifest(identity))
        else:
            generations.publish(make_manifest(identity))
    # After the pointer was moved only its durability is in doubt: either generation is whole.
    assert generations.current().generation == (old if failing <= 5 else identity)


def test_the_pointer_is_never_torn_while_it_moves(generations: Generations) -> None:
    publish(generations)
    program = (
        "import sys; from pathlib import Path; from dataclasses import replace; from indexing.generations import Generations\n"
        "generations = Generations(Path(sys.argv[1])); manifest = generations.current()\n"
        "while True:\n    generations.publish(replace(manifest, generation=generations.begin()))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(generations.home)]) as writer:
        seen = set()
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            seen.add(generations.current().generation)
        writer.kill()
    assert len(seen) > 5
    assert replace(generations.current(), generation="") == replace(
        make_manifest(""), created_at=generations.current().created_at
    )
