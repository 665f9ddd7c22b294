import threading
import time
from typing import Any, cast

import pytest

from indexing.errors import ChunkIndexError, IndexMissingError
from retrieval.leasing import IndexHandle, OpenGeneration


class Source:
    """Generations in memory; each says when it is closed."""

    def __init__(self, current: str | None = "g1") -> None:
        self.serving = current
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.broken: set[str] = set()
        self.released = False
        self.slow = threading.Event()
        self.slow.set()

    def current(self) -> str | None:
        return self.serving

    def open(self, generation: str) -> OpenGeneration:
        self.slow.wait()
        if generation in self.broken:
            raise ChunkIndexError(f"{generation} is damaged")
        self.opened.append(generation)
        nothing = cast("Any", None)  # this test never searches
        return OpenGeneration(generation, nothing, nothing, frozenset(), nothing, lambda: self.closed.append(generation))

    def close(self) -> None:
        self.released = True


Failures = list[tuple[str, str]]


@pytest.fixture
def failures() -> Failures:
    return []


def handle(source: Source, failures: Failures) -> IndexHandle:
    return IndexHandle(source, lambda generation, error: failures.append((generation, str(error))), check_every_s=0.0)


def test_without_an_index_a_lease_says_how_to_make_one(failures: Failures) -> None:
    source = Source(None)
    with pytest.raises(IndexMissingError, match="farthing index PATH"), handle(source, failures).lease():
        pass
    source.serving = "g1"
    with handle(source, failures).lease() as generation:
        assert generation.id == "g1"


def test_a_new_generation_serves_the_next_lease_and_the_old_one_closes_after_its_last(failures: Failures) -> None:
    source = Source()
    index = handle(source, failures)
    with index.lease() as old:
        source.serving = "g2"
        with index.lease() as new:
            assert (old.id, new.id) == ("g1", "g2")
        assert source.closed == []
    assert source.closed == ["g1"]


def test_an_idle_generation_closes_at_the_swap(failures: Failures) -> None:
    source = Source()
    index = handle(source, failures)
    with index.lease():
        pass
    source.serving = "g2"
    with index.lease():
        assert source.closed == ["g1"]


def test_one_borrower_opens_while_the_others_go_on(failures: Failures) -> None:
    source = Source()
    index = handle(source, failures)
    with index.lease():
        pass
    source.serving = "g2"
    source.slow.clear()
    seen: list[str] = []

    def borrow() -> None:
        with index.lease() as generation:
            seen.append(generation.id)

    opener = threading.Thread(target=borrow)
    opener.start()
    time.sleep(0.05)
    borrow()
    assert seen == ["g1"]
    source.slow.set()
    opener.join()
    assert seen == ["g1", "g2"]


def test_a_generation_that_cannot_be_opened_is_reported_once_and_the_old_one_serves_on(failures: Failures) -> None:
    source = Source()
    index = handle(source, failures)
    with index.lease():
        pass
    source.serving = "g2"
    source.broken.add("g2")
    for _ in range(3):
        with index.lease() as generation:
            assert generation.id == "g1"
    assert failures == [("g2", "g2 is damaged")]
    source.serving = "g3"
    with index.lease() as generation:
        assert generation.id == "g3"


def test_the_pointer_is_looked_at_no_oftener_than_asked() -> None:
    source = Source()
    index = IndexHandle(source, lambda *_: None, check_every_s=60.0)
    with index.lease():
        source.serving = "g2"
    with index.lease() as generation:
        assert generation.id == "g1"


def test_closing_waits_for_the_last_reader(failures: Failures) -> None:
    source = Source()
    index = handle(source, failures)
    with index.lease():
        index.close()
        assert source.closed == []
    assert source.closed == ["g1"]
    assert source.released


def test_many_threads_never_hold_a_closed_generation(failures: Failures) -> None:
    source = Source("g0")
    index = handle(source, failures)
    stop = threading.Event()
    faults: list[str] = []

    def borrow() -> None:
        while not stop.is_set():
            with index.lease() as generation:
                if generation.id in source.closed:
                    faults.append(generation.id)

    threads = [threading.Thread(target=borrow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(1, 50):
        source.serving = f"g{number}"
        time.sleep(0.004)
    stop.set()
    for thread in threads:
        thread.join()
    index.close()
    assert faults == []
    assert sorted(source.closed) == sorted(source.opened)
    assert len(source.opened) > 10
