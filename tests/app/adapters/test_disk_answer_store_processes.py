"""Several processes on one cache, and processes that are killed in the middle of it."""

import multiprocessing
import random
import time
from contextlib import closing
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from app.adapters.disk_answer_store import DiskAnswerStore
from app.caching.store import Mark
from tests.app.adapters import answer_store_worker as worker
from tests.contracts.answer_store import all_changes
from tests.fakes.answer_store import cached_answer

KILLS = 100


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Starts processes that have the modules loaded already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([worker.__name__])
    return context


def run_four(processes: ForkServerContext, directory: Path, max_bytes: int, number: int) -> None:
    running = [processes.Process(target=worker.fill, args=(directory, max_bytes, name, number)) for name in "abcd"]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0, 0, 0, 0]


def test_four_processes_lose_no_entry(processes: ForkServerContext, tmp_path: Path) -> None:
    directory = tmp_path / "answers"
    run_four(processes, directory, 50_000_000, 100)
    with closing(DiskAnswerStore(directory, 50_000_000)) as store:
        stored = {entry.entry.question: entry for entry in store.entries()}
        _, told, _ = all_changes(store, None)
    assert set(stored) == {f"{name} {n}" for name in "abcd" for n in range(100)}
    assert {entry.hits.count for entry in stored.values()} == {1}
    assert {entry.question for entry in told.values() if entry} == set(stored)


def test_four_processes_hold_the_bound(processes: ForkServerContext, tmp_path: Path) -> None:
    directory, max_bytes = tmp_path / "answers", 500_000
    run_four(processes, directory, max_bytes, 100)
    with closing(DiskAnswerStore(directory, max_bytes)) as store:
        usage = store.usage()
        assert usage.entries == len(list(store.entries())) == 400 - usage.evicted
        assert 30 < usage.entries < 200
    assert (directory / "cache.db").stat().st_size <= max_bytes


@pytest.mark.slow
def test_a_killed_process_leaves_whole_entries_and_blocks_nobody(
    processes: ForkServerContext, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory, rng = tmp_path / "answers", random.Random(9)
    mark: Mark | None = None
    known: set[bytes] = set()
    for kill in range(KILLS):
        begun, ready = processes.Pipe(duplex=False)
        process = processes.Process(target=worker.work_for_ever, args=(directory, kill, ready))
        process.start()
        if kill % 5:  # one in five is killed while it starts and opens the cache
            assert begun.poll(20)
        time.sleep(rng.uniform(0, 0.06))
        process.kill()
        process.join()
        begun.close()
        ready.close()
        with closing(DiskAnswerStore(directory, 300_000)) as store:
            stored = [entry.entry for entry in store.entries()]
            usage = store.usage()
            assert usage.entries == len(stored)
            assert usage.stored_bytes <= 300_000
            assert all(entry.body.startswith(entry.question.encode()) for entry in stored)
            before = mark
            mark, told, anew = all_changes(store, mark)
            assert anew == (before is None and mark is not None)  # never again: no database was begun anew
            known |= {key for key, entry in told.items() if entry}
            known -= {key for key, entry in told.items() if entry is None}
            assert known == {entry.key for entry in stored}
            store.put(cached_answer("after all", body=b"after all"))
            assert store.get(cached_answer("after all").key) is not None
    assert usage.evicted > 100
    assert caplog.text == ""
    for file in directory.iterdir():
        assert file.name.startswith("cache.db")
